use super::*;

fn size_of_task<F: Future>(_: impl FnOnce(Arc<Shared>, Admitted) -> F) -> usize {
    size_of::<F>()
}

/// A farm has ten thousand of them, most of the time idle.
#[test]
fn a_connection_is_small() {
    let (task, connection) = (size_of_task(serve), size_of::<Connection>());
    assert!(task <= 6 * 1024 && connection <= 1536, "{task} bytes, of which {connection}");
}
