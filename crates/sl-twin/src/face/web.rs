//! Replies of port 80: the login, the pages, and the form in which the web server sends them.

use std::time::Duration;

use sl_units::Wall;

use super::Look;
use super::cgi;
use super::digest::{self, Verdict};
use super::http::Request;
use super::identity::REALM;
use crate::conf::Command;

/// What a request leads to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Response {
    /// The whole reply.
    pub(super) bytes: Vec<u8>,
    /// What the machine must do before the reply is sent.
    pub(super) command: Option<Command>,
    /// How long the script takes after that.
    pub(super) takes: Duration,
    /// Whether the connection ends with it.
    pub(super) closes: bool,
}

/// What is sent.
enum Content {
    /// A page of the server's own for a status.
    Status(u16),
    /// 401 with this nonce.
    Challenge(String),
    /// The start page.
    Index(&'static str),
    /// What a script printed.
    Printed(String),
    /// The methods that the server knows.
    Methods,
}

/// Answers a request. `nonce` is for a challenge; `last` closes the connection after it.
pub(super) fn respond(request: &Request, look: &Look, nonce: String, last: bool) -> Response {
    let mut command = None;
    let mut takes = Duration::ZERO;
    let content = match judge(request, look) {
        Verdict::Malformed => Content::Status(400),
        Verdict::Unknown => Content::Challenge(nonce),
        Verdict::Welcome if request.method == "OPTIONS" => Content::Methods,
        Verdict::Welcome if matches!(request.path.as_str(), "/" | "/index.html") => {
            Content::Index(look.model.reported)
        }
        Verdict::Welcome => cgi::answer(request, look).map_or(Content::Status(404), |answer| {
            command = answer.command;
            takes = answer.takes;
            Content::Printed(answer.body)
        }),
    };
    // A script's length is not known beforehand, and HTTP/1.0 has no other way to say the end.
    let unending = matches!(content, Content::Printed(_)) && !request.newer;
    let closes = last || unending || !request.keep_alive;
    let end = End { newer: request.newer, closes, bodiless: request.method == "HEAD" };
    Response { bytes: content.bytes(&end, look.now), command, takes, closes }
}

/// The reply to what is no request.
pub(super) fn refuse(status: u16, now: Wall) -> Vec<u8> {
    let end = End { newer: true, closes: true, bodiless: false };
    Content::Status(status).bytes(&end, now)
}

/// Whether the login of a request is the machine's.
pub(super) fn lets_in(request: &Request, look: &Look) -> bool {
    matches!(judge(request, look), Verdict::Welcome)
}

fn judge(request: &Request, look: &Look) -> Verdict {
    let header = request.authorization.as_deref();
    let verdict = digest::check(header, &request.method, &request.target, &look.secret());
    match verdict {
        Verdict::Welcome if look.readings.manners.login_refused => Verdict::Unknown,
        verdict => verdict,
    }
}

/// How a reply ends.
struct End {
    newer: bool,
    closes: bool,
    bodiless: bool,
}

impl Content {
    fn bytes(self, end: &End, now: Wall) -> Vec<u8> {
        let mut head = Head::new();
        let status = match &self {
            Self::Status(status) => *status,
            Self::Challenge(nonce) => {
                let challenge =
                    format!("Digest realm=\"{REALM}\", nonce=\"{nonce}\", qop=\"auth\"");
                head.line("WWW-Authenticate", &challenge);
                401
            }
            Self::Index(_) | Self::Printed(_) | Self::Methods => 200,
        };
        let body = match self {
            Self::Status(_) | Self::Challenge(_) => head.page(error_page(status)),
            Self::Index(name) => head.page(index_page(name)),
            Self::Methods => {
                head.line("Allow", "OPTIONS, GET, HEAD, POST");
                head.line("Content-Length", "0");
                String::new()
            }
            Self::Printed(text) if end.newer => {
                head.line("Transfer-Encoding", "chunked");
                chunked(&text)
            }
            Self::Printed(text) => text,
        };
        if end.closes {
            head.line("Connection", "close");
        } else if !end.newer {
            head.line("Connection", "keep-alive");
        }
        head.line("Date", &date(now));
        // Assumed: the version that goes with this kind of nonce.
        head.line("Server", "lighttpd/1.4.32");
        let version = if end.newer { "HTTP/1.1" } else { "HTTP/1.0" };
        let mut whole = format!("{version} {status} {}\r\n{}\r\n", reason(status), head.lines);
        if !end.bodiless {
            whole.push_str(&body);
        }
        whole.into_bytes()
    }
}

/// Header lines.
struct Head {
    lines: String,
}

impl Head {
    const fn new() -> Self {
        Self { lines: String::new() }
    }

    fn line(&mut self, name: &str, value: &str) {
        for part in [name, ": ", value, "\r\n"] {
            self.lines.push_str(part);
        }
    }

    /// A page of known length.
    fn page(&mut self, page: String) -> String {
        self.line("Content-Type", "text/html");
        self.line("Content-Length", &page.len().to_string());
        page
    }
}

fn chunked(text: &str) -> String {
    if text.is_empty() {
        return "0\r\n\r\n".to_owned();
    }
    format!("{:x}\r\n{text}\r\n0\r\n\r\n", text.len())
}

const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        411 => "Length Required",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Large",
        417 => "Expectation Failed",
        501 => "Not Implemented",
        505 => "HTTP Version Not Supported",
        _ => "Internal Server Error",
    }
}

/// The server's own page for a status, byte by byte.
fn error_page(status: u16) -> String {
    let title = format!("{status} - {}", reason(status));
    format!(
        "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?>\n\
         <!DOCTYPE html PUBLIC \"-//W3C//DTD XHTML 1.0 Transitional//EN\"\n\
         \x20        \"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd\">\n\
         <html xmlns=\"http://www.w3.org/1999/xhtml\" xml:lang=\"en\" lang=\"en\">\n\
         \x20<head>\n\x20 <title>{title}</title>\n\x20</head>\n\
         \x20<body>\n\x20 <h1>{title}</h1>\n\x20</body>\n</html>\n"
    )
}

/// A page for people who come by with a browser. It does not pretend.
fn index_page(name: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><title>{name}</title></head>\n\
         <body><h1>{name}</h1><p>A virtual machine: it answers the calls of a real one, and has \
         no pages for people. Try <a href=\"/cgi-bin/stats.cgi\">stats.cgi</a>.</p></body>\n\
         </html>\n"
    )
}

fn date(now: Wall) -> String {
    let seconds = i64::try_from(now.millis() / 1000).unwrap_or(0);
    let instant = jiff::Timestamp::from_second(seconds).unwrap_or_default();
    instant.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_have_the_length_that_servers_on_the_net_tell() {
        // `Content-Length` beside a 404 and a 401 of this server, as scanners of the net list them.
        assert_eq!(error_page(404).len(), 345);
        assert_eq!(error_page(401).len(), 351);
    }

    #[test]
    fn dates_are_those_of_http() {
        assert_eq!(date(Wall::from_secs(784_111_777)), "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
