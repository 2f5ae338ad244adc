//! Those who ask: a browser's login by a digest of its own, and netcat.

use md5::{Digest as _, Md5};
use sl_twin::face::{Host, Limits, serve_http, serve_rpc};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

/// A reply of port 80.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

/// Sends bytes to port 80 in pieces and reads until the machine ends the connection.
pub(super) async fn port_80(host: &impl Host, pieces: &[&[u8]]) -> String {
    let (mut near, far) = duplex(1 << 20);
    let limits = Limits::default();
    let serving = serve_http(far, host, &limits, fastrand::Rng::with_seed(7));
    let asking = async {
        for piece in pieces {
            // A machine that has enough closes before it has heard all.
            let _ = near.write_all(piece).await;
            tokio::task::yield_now().await;
        }
        let _ = near.shutdown().await;
        let mut all = Vec::new();
        let _ = near.read_to_end(&mut all).await;
        String::from_utf8_lossy(&all).into_owned()
    };
    tokio::join!(serving, asking).1
}

/// The same for port 4028; the zero byte at the end is looked for and left away.
pub(super) async fn port_4028(host: &impl Host, pieces: &[&[u8]]) -> String {
    let (mut near, far) = duplex(1 << 20);
    let limits = Limits::default();
    let asking = async {
        for piece in pieces {
            let _ = near.write_all(piece).await;
            tokio::task::yield_now().await;
        }
        let mut all = Vec::new();
        let _ = near.read_to_end(&mut all).await;
        String::from_utf8_lossy(&all).into_owned()
    };
    let reply = tokio::join!(serve_rpc(far, host, &limits), asking).1;
    match reply.strip_suffix('\0') {
        Some(text) => text.to_owned(),
        None => {
            assert!(reply.is_empty(), "no zero byte ends {reply:?}");
            reply
        }
    }
}

/// What one command on 4028 answers.
pub(super) async fn ask(host: &impl Host, request: &str) -> String {
    port_4028(host, &[request.as_bytes()]).await
}

/// A page, with the factory's login.
pub(super) async fn get(host: &impl Host, page: &str) -> Reply {
    call(host, "GET", page, "", "root").await
}

/// A page that takes a body, with the factory's login.
pub(super) async fn post(host: &impl Host, page: &str, body: &str) -> Reply {
    call(host, "POST", page, body, "root").await
}

/// A page with a login: first asked without, then with, as every client does.
pub(super) async fn call(
    host: &impl Host,
    method: &str,
    page: &str,
    body: &str,
    password: &str,
) -> Reply {
    let target = target(page);
    let challenge = parse(&port_80(host, &[request(method, &target, "", body).as_bytes()]).await);
    assert_eq!(challenge.status, 401, "{challenge:?}");
    let nonce = between(&challenge.head, "nonce=\"", "\"");
    let login = login(method, &target, nonce, password);
    parse(&port_80(host, &[request(method, &target, &login, body).as_bytes()]).await)
}

/// `summary` is `/cgi-bin/summary.cgi`.
fn target(page: &str) -> String {
    if page.starts_with('/') { page.to_owned() } else { format!("/cgi-bin/{page}.cgi") }
}

/// A whole request.
pub(super) fn request(method: &str, target: &str, login: &str, body: &str) -> String {
    let length = match method {
        "POST" => format!("Content-Length: {}\r\n", body.len()),
        _ => String::new(),
    };
    format!("{method} {target} HTTP/1.1\r\nHost: twin\r\n{login}{length}\r\n{body}")
}

/// The header `Authorization` for a request.
pub(super) fn login(method: &str, target: &str, nonce: &str, password: &str) -> String {
    let realm = "antMiner Configuration";
    let secret = md5(&format!("root:{realm}:{password}"));
    let question = md5(&format!("{method}:{target}"));
    let response = md5(&format!("{secret}:{nonce}:00000001:c0ffee:auth:{question}"));
    format!(
        "Authorization: Digest username=\"root\", realm=\"{realm}\", nonce=\"{nonce}\", \
         uri=\"{target}\", algorithm=MD5, response=\"{response}\", qop=auth, nc=00000001, \
         cnonce=\"c0ffee\"\r\n"
    )
}

pub(super) fn md5(text: &str) -> String {
    hex::encode(Md5::digest(text))
}

pub(super) fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before} in {text}"));
    rest.split_once(after).unwrap_or_else(|| panic!("no {after} in {text}")).0
}

/// The first reply in a stream, out of its chunks.
pub(super) fn parse(stream: &str) -> Reply {
    let (head, rest) = stream.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{stream:?}"));
    let status = head.split(' ').nth(1).and_then(|it| it.parse().ok()).expect("a status");
    let body = if head.contains("Transfer-Encoding: chunked") {
        dechunked(rest)
    } else {
        let length =
            between(&format!("{head}\r\n"), "Content-Length: ", "\r\n").parse().expect("a length");
        rest[..length].to_owned()
    };
    Reply { status, head: head.to_owned(), body }
}

fn dechunked(mut rest: &str) -> String {
    let mut body = String::new();
    loop {
        let (size, after) = rest.split_once("\r\n").expect("a chunk");
        let size = usize::from_str_radix(size, 16).expect("its size");
        body.push_str(&after[..size]);
        rest = after[size..].strip_prefix("\r\n").expect("its end");
        if size == 0 {
            return body;
        }
    }
}
