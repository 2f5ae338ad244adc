//! Requests of HTTP/1 out of a stream of bytes, with the habits of the machines' web server:
//! what it refuses, and by which status.

use super::cgi;

/// Most bytes of a request's head.
const MAX_HEAD: usize = 16 << 10;
/// Most bytes of a body that are kept, and the most of any but a file's.
const MAX_BODY: usize = 64 << 10;
/// Most bytes of a body with a file: a firmware image is below 32 MiB.
const MAX_FILE: usize = 64 << 20;

/// A request with its whole body.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Request {
    pub(super) method: String,
    /// What stands in the request line.
    pub(super) target: String,
    /// Its path, without the question.
    pub(super) path: String,
    pub(super) authorization: Option<String>,
    pub(super) content_type: Option<String>,
    /// The body; of a file its beginning.
    pub(super) body: Vec<u8>,
    /// Whether it is of HTTP/1.1.
    pub(super) newer: bool,
    pub(super) keep_alive: bool,
}

/// A request that is not served: the status, after which the connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal(pub(super) u16);

/// Takes bytes in any pieces and gives requests. After a [`Refusal`] it is of no more use.
///
/// ```text
///            head whole, no body
///          ┌─────────────────────▶ request
///   Head ──┤                          ▲
///     ▲    └──▶ Body ─── body whole ──┘
///     └────────── next request ───────┘
/// ```
#[derive(Debug, Default)]
pub(super) struct Reader {
    buffer: Vec<u8>,
    /// So many bytes of the buffer are known to hold no end of a head.
    searched: usize,
    /// The request whose body is coming, and how much of it is missing.
    body: Option<(Request, usize)>,
}

impl Reader {
    /// Bytes that came. Ask for [requests](Self::take) before the next.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether nothing of a request has come.
    pub(super) const fn is_empty(&self) -> bool {
        self.buffer.is_empty() && self.body.is_none()
    }

    /// The next request, if it is whole.
    pub(super) fn take(&mut self) -> Option<Result<Request, Refusal>> {
        if self.body.is_none() {
            match self.head()? {
                Ok(begun) => self.body = Some(begun),
                Err(refusal) => return Some(Err(refusal)),
            }
        }
        let (mut request, missing) = self.body.take()?;
        let some = missing.min(self.buffer.len());
        let room = MAX_BODY.saturating_sub(request.body.len()).min(some);
        request.body.extend(self.buffer.drain(..some).take(room));
        if some < missing {
            self.body = Some((request, missing - some));
            return None;
        }
        Some(Ok(request))
    }

    /// A head from the buffer, and how long its body is.
    fn head(&mut self) -> Option<Result<(Request, usize), Refusal>> {
        const END: &[u8] = b"\r\n\r\n";
        // Empty lines before a request do no harm.
        if self.searched == 0 {
            let empty = self.buffer.chunks_exact(2).take_while(|line| *line == b"\r\n").count();
            self.buffer.drain(..2 * empty);
        }
        let from = self.searched;
        let unseen = self.buffer.get(from..).unwrap_or_default();
        let Some(found) = unseen.windows(END.len()).position(|it| it == END) else {
            self.searched = self.buffer.len().saturating_sub(END.len() - 1).max(from);
            return (self.buffer.len() > MAX_HEAD).then_some(Err(Refusal(414)));
        };
        let length = from + found + END.len();
        self.searched = 0;
        if length > MAX_HEAD {
            return Some(Err(Refusal(414)));
        }
        let head: Vec<u8> = self.buffer.drain(..length).collect();
        Some(parse(&String::from_utf8_lossy(&head)))
    }
}

/// What the headers say.
#[derive(Default)]
struct Headers {
    host: bool,
    length: Option<usize>,
    chunked: bool,
    connection: String,
    expects: bool,
}

fn parse(head: &str) -> Result<(Request, usize), Refusal> {
    let mut lines = head.split("\r\n");
    let mut request = request_line(lines.next().unwrap_or_default())?;
    let mut headers = Headers::default();
    for line in unfolded(lines) {
        header(&line, &mut request, &mut headers)?;
    }
    if request.newer && !headers.host {
        return Err(Refusal(400));
    }
    if headers.expects {
        return Err(Refusal(417));
    }
    let named =
        |word: &str| headers.connection.split(',').any(|it| it.trim().eq_ignore_ascii_case(word));
    request.keep_alive = if request.newer { !named("close") } else { named("keep-alive") };
    let length = match (request.method.as_str(), headers.length) {
        _ if headers.chunked => return Err(Refusal(411)),
        ("POST", None) => return Err(Refusal(411)),
        ("GET" | "HEAD", Some(length)) if length > 0 => return Err(Refusal(400)),
        (_, length) => length.unwrap_or(0),
    };
    let most = if cgi::takes_files(&request.path) { MAX_FILE } else { MAX_BODY };
    if length > most { Err(Refusal(413)) } else { Ok((request, length)) }
}

fn request_line(line: &str) -> Result<Request, Refusal> {
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Refusal(400));
    };
    let newer = match version {
        "HTTP/1.1" => true,
        "HTTP/1.0" => false,
        other if other.starts_with("HTTP/") => return Err(Refusal(505)),
        _ => return Err(Refusal(400)),
    };
    if !matches!(method, "GET" | "HEAD" | "POST" | "OPTIONS" | "PUT" | "DELETE") {
        return Err(Refusal(501));
    }
    // An absolute address is cut to its path.
    let local = target
        .strip_prefix("http://")
        .map_or(target, |rest| rest.find('/').and_then(|slash| rest.get(slash..)).unwrap_or("/"));
    let is_star = method == "OPTIONS" && local == "*";
    if !(local.starts_with('/') || is_star) || local.contains(|c: char| c.is_ascii_control()) {
        return Err(Refusal(400));
    }
    let path = local.split(['?', '#']).next().unwrap_or(local).to_owned();
    let target = local.to_owned();
    Ok(Request { method: method.to_owned(), target, path, newer, ..Request::default() })
}

/// Header lines; one that begins with a blank belongs to the line before.
fn unfolded<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut whole: Vec<String> = Vec::new();
    for line in lines.filter(|line| !line.is_empty()) {
        match whole.last_mut() {
            Some(last) if line.starts_with([' ', '\t']) => last.push_str(line),
            _ => whole.push(line.to_owned()),
        }
    }
    whole
}

fn header(line: &str, request: &mut Request, headers: &mut Headers) -> Result<(), Refusal> {
    let (name, value) = line.split_once(':').ok_or(Refusal(400))?;
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || !name.chars().all(is_token) {
        return Err(Refusal(400));
    }
    let value = value.trim_matches([' ', '\t']);
    if value.contains(|c: char| c.is_ascii_control() && c != '\t') {
        return Err(Refusal(400));
    }
    match name.to_ascii_lowercase().as_str() {
        "host" if headers.host || value.is_empty() => return Err(Refusal(400)),
        "host" => headers.host = true,
        "content-length" if headers.length.is_some() => return Err(Refusal(400)),
        "content-length" => headers.length = Some(length(value)?),
        "transfer-encoding" => headers.chunked = true,
        "connection" => value.clone_into(&mut headers.connection),
        "expect" => headers.expects = true,
        "authorization" => request.authorization = Some(value.to_owned()),
        "content-type" => request.content_type = Some(value.to_owned()),
        _ => {}
    }
    Ok(())
}

/// A length; one that no machine could hold is too large, not nonsense.
fn length(value: &str) -> Result<usize, Refusal> {
    if value.is_empty() || !value.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(Refusal(400));
    }
    value.parse().map_err(|_| Refusal(413))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(bytes: &[u8], pieces: &[usize]) -> (Vec<Result<Request, Refusal>>, bool) {
        let mut reader = Reader::default();
        let mut got = Vec::new();
        let mut rest = bytes;
        let mut sizes = pieces.iter().copied().chain(std::iter::repeat(4096));
        while !rest.is_empty() {
            let size = sizes.next().unwrap_or(1).clamp(1, rest.len());
            let (now, later) = rest.split_at(size);
            rest = later;
            reader.push(now);
            while let Some(next) = reader.take() {
                let is_end = next.is_err();
                got.push(next);
                if is_end {
                    return (got, false);
                }
            }
            assert!(reader.buffer.len() <= MAX_HEAD + 4096);
        }
        (got, reader.is_empty())
    }

    fn refused(text: &str) -> u16 {
        match all(text.as_bytes(), &[]).0.as_slice() {
            [Err(Refusal(status))] => *status,
            other => panic!("{text:?}: {other:?}"),
        }
    }

    #[test]
    fn requests_are_refused_as_the_server_does() {
        for (text, status) in [
            ("GET /\r\n\r\n", 400),
            ("\u{16}\u{3}\u{1}\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\n\r\n", 400),
            ("GET / HTTP/2.0\r\n\r\n", 505),
            ("BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
            ("GET x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost a\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\n\r\n", 411),
            ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 65537\r\n\r\n", 413),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", 413),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n",
                417,
            ),
            ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n", 400),
        ] {
            assert_eq!(refused(text), status, "{text:?}");
        }
        assert_eq!(refused(&format!("GET /{} HTTP/1.0\r\n", "a".repeat(MAX_HEAD))), 414);
    }

    #[test]
    fn empty_lines_before_a_request_do_no_harm() {
        let text = format!("{}GET /a HTTP/1.0\r\n\r\n", "\r\n".repeat(40));
        for pieces in [&[][..], &[1, 2, 80], &[3, 1, 1, 1]] {
            let (got, empty) = all(text.as_bytes(), pieces);
            assert!(matches!(got.as_slice(), [Ok(request)] if request.path == "/a"), "{got:?}");
            assert!(empty);
        }
    }

    #[test]
    fn a_file_is_let_through_and_its_beginning_kept() {
        let size = MAX_BODY + 5000;
        let head = "POST /cgi-bin/upgrade.cgi HTTP/1.1\r\nHost: a\r\nContent-Length: ";
        let text = format!("{head}{size}\r\n\r\n{}GET / HTTP/1.0\r\n\r\n", "x".repeat(size));
        let (got, empty) = all(text.as_bytes(), &[]);
        let paths: Vec<_> = got.iter().flatten().map(|it| it.path.as_str()).collect();
        assert_eq!(paths, ["/cgi-bin/upgrade.cgi", "/"]);
        assert_eq!(got.iter().flatten().next().map(|it| it.body.len()), Some(MAX_BODY));
        assert!(empty);
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_requests(
            pieces in proptest::collection::vec(1_usize..40, 0..60),
            tail in "(GET|POST|XX) /[a-z?]{0,9} HTTP/1\\.[01]\r\n(Host: a\r\n)?(Content-Length: 3\r\n)?\r\n(abc)?",
        ) {
            let first = "POST /a?b HTTP/1.1\r\nHost: a\r\nAuthorization: Digest\r\n x\r\n\
                         Content-Length: 5\r\n\r\nhello\r\nGET /c HTTP/1.0\r\n\
                         Connection: Keep-Alive\r\n\r\n";
            let text = format!("{first}{tail}");
            prop_assert_eq!(all(text.as_bytes(), &pieces), all(text.as_bytes(), &[]));
        }

        #[test]
        fn any_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..4096)) {
            let _ = all(&bytes, &[7, 1, 300]);
            let mut bytes = bytes;
            bytes.extend_from_slice(b"\r\n\r\n");
            let _ = all(&bytes, &[]);
        }
    }
}
