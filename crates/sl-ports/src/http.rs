//! The one HTTP client: plain HTTP/1.1, kept-alive connections, a bound on everything.
//!
//! Timeouts run on tokio's clock: a test that talks over real sockets does not pause it.

mod error;

pub use error::HttpError;
pub use hyper::header::{HeaderMap, HeaderName, HeaderValue};
pub use hyper::{Method, StatusCode};

use bytes::Bytes;
use error::classify;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::Uri;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::fmt;
use std::time::Duration;

/// What the client allows unless a request says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpLimits {
    /// To reach the server (name look-up apart, which the deadline of the request covers).
    pub connect_timeout: Duration,
    /// From the call to the last byte of the answer.
    pub timeout: Duration,
    /// Bytes of a response's body.
    pub max_body: usize,
    /// Idle connections kept for a host.
    pub idle_per_host: usize,
    /// How long an idle connection is kept. Coin nodes close theirs after 30 s
    /// (`-rpcservertimeout`), so ours must go first.
    pub idle_timeout: Duration,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(30),
            max_body: 64 << 20,
            idle_per_host: 8,
            idle_timeout: Duration::from_secs(20),
        }
    }
}

/// A request, built by steps.
///
/// ```
/// use sl_ports::http::Request;
/// use std::time::Duration;
///
/// let request = Request::post("http://127.0.0.1:19400/", r#"{"method":"getblockcount"}"#)
///     .header("content-type", "application/json")
///     .timeout(Duration::from_secs(90));
/// assert_eq!(format!("{request:?}"), "POST http://127.0.0.1:19400/ (26 bytes)");
/// ```
#[derive(Clone)]
pub struct Request {
    method: Method,
    url: String,
    headers: Vec<(String, String)>,
    body: Bytes,
    timeout: Option<Duration>,
    max_body: Option<usize>,
}

impl Request {
    /// Any method on a whole URL, `http://host[:port]/path[?query]`. Names and passwords in the
    /// URL are refused when the request is sent: they belong in an `Authorization` header.
    pub fn new(method: Method, url: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self {
            method,
            url: url.into(),
            headers: Vec::new(),
            body: body.into(),
            timeout: None,
            max_body: None,
        }
    }

    /// A GET without a body.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new(Method::GET, url, Bytes::new())
    }

    /// A POST.
    pub fn post(url: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self::new(Method::POST, url, body)
    }

    /// Adds a header; `host` and `content-length` are added by the client. The value is never
    /// shown by `Debug` or in an error.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The time from the call to the last byte of the answer, instead of the client's. Long polls
    /// need minutes.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The bytes of body accepted, instead of the client's.
    #[must_use]
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = Some(bytes);
        self
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({} bytes)", self.method, shown(&self.url), self.body.len())
    }
}

/// An answer, whole. Any status is an answer: coin nodes speak JSON-RPC errors under 500.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, within the request's bound.
    pub body: Bytes,
}

impl Response {
    /// A header's value, if it is there and is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// The client: cheap to clone; clones share the connections.
#[derive(Clone, Debug)]
pub struct HttpClient {
    client: Client<HttpConnector, Full<Bytes>>,
    limits: HttpLimits,
}

impl Default for HttpClient {
    fn default() -> Self {
        Self::new(HttpLimits::default())
    }
}

impl HttpClient {
    /// A client within `limits`. Opens nothing yet; requests must be made on a tokio runtime.
    #[must_use]
    pub fn new(limits: HttpLimits) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(limits.connect_timeout));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(limits.idle_timeout)
            .pool_max_idle_per_host(limits.idle_per_host)
            .build(connector);
        Self { client, limits }
    }

    /// Sends a request and reads the whole answer. Cancel-safe in the sense that dropping the
    /// future closes its connection; whether the server acted is then unknown.
    ///
    /// A request that met a kept connection which the server had closed is sent again on a new one
    /// only if none of it had been written.
    ///
    /// # Errors
    /// [`HttpError`]; each names the URL without its query.
    pub async fn request(&self, request: Request) -> Result<Response, HttpError> {
        let url = shown(&request.url);
        let timeout = request.timeout.unwrap_or(self.limits.timeout);
        let max_body = request.max_body.unwrap_or(self.limits.max_body);
        let message = message(request, &url)?;
        match tokio::time::timeout(timeout, self.exchange(message, max_body, &url)).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err(HttpError::TimedOut { url, after: timeout }),
        }
    }

    async fn exchange(
        &self,
        message: hyper::Request<Full<Bytes>>,
        max_body: usize,
        url: &str,
    ) -> Result<Response, HttpError> {
        let answer = self
            .client
            .request(message)
            .await
            .map_err(|error| classify(url, self.limits.connect_timeout, &error))?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, max_body).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                HttpError::TooLarge { url: url.to_owned(), max_body }
            } else {
                classify(url, self.limits.connect_timeout, &*error)
            }
        })?;
        Ok(Response { status: head.status, headers: head.headers, body: body.to_bytes() })
    }
}

/// Whether this client could use a URL: what settings can be told before anything runs.
///
/// # Errors
/// [`HttpError::BadUrl`] with the reason.
pub fn check_url(url: &str) -> Result<(), HttpError> {
    uri(url, &shown(url)).map(|_| ())
}

/// The URL in parts, after the checks that need no network; `shown` stands in errors.
fn uri(url: &str, shown: &str) -> Result<Uri, HttpError> {
    let bad_url = |reason: &'static str| HttpError::BadUrl { url: shown.to_owned(), reason };
    let uri: Uri = url.parse().map_err(|_| bad_url("it is no URL"))?;
    match uri.scheme_str() {
        Some("http") => {}
        Some("https") => return Err(bad_url("https is not supported yet; use http://")),
        _ => return Err(bad_url("it must begin with http://")),
    }
    let authority = uri.authority().ok_or_else(|| bad_url("it has no host"))?;
    if authority.as_str().contains('@') {
        return Err(bad_url("it holds a name or password; give these apart from the URL"));
    }
    if authority.as_str() != authority.host() && authority.port_u16().is_none_or(|port| port == 0) {
        return Err(bad_url("its port is not from 1 to 65535"));
    }
    Ok(uri)
}

/// The request as hyper wants it, after the checks that need no network.
fn message(request: Request, url: &str) -> Result<hyper::Request<Full<Bytes>>, HttpError> {
    let uri = uri(&request.url, url)?;
    let mut message = hyper::Request::new(Full::new(request.body));
    *message.method_mut() = request.method;
    *message.uri_mut() = uri;
    for (name, value) in request.headers {
        let Ok(mut value) = HeaderValue::from_str(&value) else {
            return Err(HttpError::BadHeader { url: url.to_owned(), name });
        };
        value.set_sensitive(true);
        match HeaderName::from_bytes(name.as_bytes()) {
            Ok(name) => message.headers_mut().append(name, value),
            Err(_) => return Err(HttpError::BadHeader { url: url.to_owned(), name }),
        };
    }
    Ok(message)
}

/// The URL as it may be shown: without name and password, query and fragment, which hold keys.
fn shown(url: &str) -> String {
    let plain = url.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = plain.split_once("://").unwrap_or(("", plain));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    let separator = if scheme.is_empty() { "" } else { "://" };
    format!("{scheme}{separator}{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shown_url_holds_no_secret() {
        let check = |url: &str, expect: &str| assert_eq!(shown(url), expect);
        check("http://127.0.0.1:9332/", "http://127.0.0.1:9332/");
        check("http://user:p%40ss@node:9332/wallet/w?key=1#x", "http://node:9332/wallet/w");
        check("http://a@b@node", "http://node");
        check("user:pass@node:1", "node:1");
        check("", "");
        check("?", "");
    }

    #[test]
    fn refusals_before_the_network() {
        let check = |request: Request, expect: &str| {
            let url = shown(&request.url);
            assert_eq!(message(request, &url).unwrap_err().to_string(), expect);
        };
        check(
            Request::get("http://u:secret@h/"),
            "cannot use the URL http://h/: it holds a name or password; give these apart from \
             the URL",
        );
        check(
            Request::get("https://h/x?key=secret"),
            "cannot use the URL https://h/x: https is not supported yet; use http://",
        );
        check(Request::get("h/x"), "cannot use the URL h/x: it is no URL");
        check(Request::get("/x"), "cannot use the URL /x: it must begin with http://");
        for port in ["99999", "0", "", "-1"] {
            let url = format!("http://h:{port}/");
            assert!(check_url(&url).is_err(), "{url}");
        }
        for good in ["http://h", "http://h:1/", "http://[::1]:9332", "http://[::1]/wallet/x"] {
            assert!(check_url(good).is_ok(), "{good}");
        }
        check(
            Request::get("http://h/").header("authorization", "secret\n"),
            "the header authorization of a request to http://h/ holds bytes that HTTP forbids",
        );
        check(
            Request::get("http://h/").header("a b", "c"),
            "the header a b of a request to http://h/ holds bytes that HTTP forbids",
        );
    }
}
