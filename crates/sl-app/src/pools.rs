//! Pools as the command line asks for them: the catalogue, and knocking at many doors at once.

pub use sl_catalog::{
    Region,
    pools::{Pool as CataloguePool, all, by_id},
};
pub use sl_ports::tls::{FileError, Fingerprint, FingerprintError, Trust};
pub use sl_stratum::Password;
pub use sl_upstream::{Endpoint, Knock, Probe, Reached};

use sl_ports::Clock;

/// Knocks at every endpoint at once, and gives what was found in their order. Takes no longer than
/// [`Knock::within`] for each, whatever the others do.
///
/// # Errors
/// The authorities that should be believed cannot be read.
pub async fn probe_all(
    doors: Vec<(Endpoint, Knock)>,
    clock: Clock,
) -> Result<Vec<Probe>, FileError> {
    let knock = |(endpoint, knock): (Endpoint, Knock)| {
        tokio::spawn(async move { sl_upstream::probe(&endpoint, &knock, &clock).await })
    };
    let tasks: Vec<_> = doors.into_iter().map(knock).collect();
    let mut found = Vec::with_capacity(tasks.len());
    for task in tasks {
        match task.await {
            Ok(probe) => found.push(probe?),
            Err(wrong) => std::panic::resume_unwind(wrong.into_panic()),
        }
    }
    Ok(found)
}
