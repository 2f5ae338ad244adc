use sl_guard::validate::{JsonShape, Message, MessageValidator, Verdict};
use sl_stratum::{ClientBound, Id, Incoming, Line, LineSplitter, ServerBound};
use sl_units::Mono;

/// The longest line in these doors, in bytes: short, so that the limit is met often.
const LIMIT: usize = 1024;

/// Lines of the pieces; one over the limit is `None`.
fn split(pieces: &[&[u8]]) -> Vec<Option<Vec<u8>>> {
    let mut splitter = LineSplitter::new(LIMIT);
    let mut found = Vec::new();
    for piece in pieces {
        let mut input = *piece;
        while let Some(line) = splitter.next_line(&mut input) {
            found.push(match line {
                Line::Complete(line) => Some(line.to_vec()),
                Line::Oversized { .. } => None,
            });
        }
        assert!(input.is_empty(), "bytes are left without a line");
        assert!(splitter.held() <= LIMIT, "more than the limit is held");
    }
    found
}

/// Lines: the same however the stream is cut, none over the limit.
pub fn lines(bytes: &[u8]) {
    let whole = split(&[bytes]);
    assert_eq!(split(&crate::cut(bytes)), whole, "the cut matters");
    assert!(whole.iter().flatten().all(|line| line.len() <= LIMIT), "a line over the limit");
}

/// Each line as a message to a server: refused, or written again and read again.
pub fn server_bound(bytes: &[u8]) {
    for line in split(&[bytes]).into_iter().flatten() {
        if let Ok(Incoming::Call { id, call }) = ServerBound::parse(&line) {
            again(&call.to_line(&id), &id, |line| ServerBound::parse(line).is_ok());
        }
    }
}

/// Each line as a message to a client: refused, or written again and read again.
pub fn client_bound(bytes: &[u8]) {
    for line in split(&[bytes]).into_iter().flatten() {
        match ClientBound::parse(&line) {
            Ok(Incoming::Call { id, call }) => {
                again(&call.to_line(&id), &id, |line| ClientBound::parse(line).is_ok());
            }
            Ok(Incoming::Reply(reply)) => {
                again(&reply.to_line(), &Id::NULL, |line| ClientBound::parse(line).is_ok());
            }
            Err(_) => {}
        }
    }
}

fn again(line: &[u8], id: &Id, is_read: impl Fn(&[u8]) -> bool) {
    assert!(line.ends_with(b"\n"), "a line without its end");
    let text = String::from_utf8_lossy(line);
    assert!(is_read(line), "what was written cannot be read: {text} (id {id:?})");
}

/// The shape of JSON: what it passes lies within its bounds.
pub fn json_shape(bytes: &[u8]) {
    let mut shape = JsonShape { depth: 4, elements: 6, keys: 3, string: 20 };
    if shape.check(&Message::line(bytes), Mono::default()) == Verdict::Pass {
        let (mut depth, mut deepest, mut quoted, mut escaped) = (0_i64, 0, false, false);
        for byte in bytes {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                b'[' | b'{' if !quoted => depth += 1,
                b']' | b'}' if !quoted => depth -= 1,
                _ => {}
            }
            deepest = deepest.max(depth);
        }
        assert!(deepest <= 4, "nested {deepest} deep and passed");
    }
}
