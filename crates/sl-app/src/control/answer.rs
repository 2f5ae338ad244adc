use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, HOST},
};
use serde_json::{Value, json};
use sl_view::State;

use crate::{metrics, view::View};

/// What the door answers, with what it is for.
const PATHS: [(&str, &str); 5] = [
    ("/health", "200 if every critical service is up, 503 if not; each service's state"),
    ("/live", "200 while the process answers"),
    ("/metrics", "metrics in the Prometheus text format"),
    ("/services", "the graph of services with their health, in the order of start"),
    ("/state", "the whole state; a longer path is a branch of it, as /state/summary/chains/DOGE"),
];

/// Answers one request. Any body is left unread: nothing here takes one.
pub(super) fn answer<B>(request: &Request<B>, view: &View) -> Response<Full<Bytes>> {
    // A page in a browser may name any host that leads here; ours have these names only.
    let host =
        request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    if !is_local(host) {
        return as_json(
            StatusCode::FORBIDDEN,
            &json!({"error": format!("host {host:?} is not this machine's loopback name")}),
        );
    }
    if request.method() != Method::GET {
        return as_json(
            StatusCode::METHOD_NOT_ALLOWED,
            &json!({"error": "only GET is answered here"}),
        );
    }
    let path = request.uri().path();
    match path.trim_end_matches('/') {
        "" => as_json(StatusCode::OK, &paths()),
        "/live" => as_json(StatusCode::OK, &json!({"live": true})),
        "/health" => health(&view.state()),
        "/services" => as_json(StatusCode::OK, &json!(view.state().services)),
        "/metrics" => text(metrics::exposition(&view.state())),
        "/state" => as_json(StatusCode::OK, &json!(view.state())),
        branch => match branch
            .strip_prefix("/state")
            .and_then(|pointer| json!(view.state()).pointer(pointer).cloned())
        {
            Some(found) => as_json(StatusCode::OK, &found),
            None => {
                let told =
                    json!({"error": format!("there is nothing at {path}"), "paths": paths()});
                as_json(StatusCode::NOT_FOUND, &told)
            }
        },
    }
}

fn health(state: &State) -> Response<Full<Bytes>> {
    let up = |state: &Option<String>| matches!(state.as_deref(), Some("ready" | "degraded"));
    let down: Vec<&str> = state
        .services
        .iter()
        .filter(|service| service.class == "critical" && !up(&service.state))
        .map(|service| service.id.as_str())
        .collect();
    let status = if down.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let told = json!({"healthy": down.is_empty(), "down": down, "services": state.services});
    as_json(status, &told)
}

fn is_local(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, port)| {
        if port.bytes().all(|byte| byte.is_ascii_digit()) { name } else { host }
    });
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}

fn paths() -> Value {
    PATHS.iter().map(|(path, what)| ((*path).to_owned(), json!(what))).collect()
}

fn as_json(status: StatusCode, value: &Value) -> Response<Full<Bytes>> {
    respond(status, "application/json", value.to_string() + "\n")
}

fn text(body: String) -> Response<Full<Bytes>> {
    respond(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", body)
}

fn respond(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    response
        .headers_mut()
        .insert(CACHE_CONTROL, hyper::header::HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_are_ours() {
        for (host, ours) in [
            ("localhost", true),
            ("localhost:8787", true),
            ("127.0.0.1:8787", true),
            ("[::1]:8787", true),
            ("[::1]", true),
            ("farm.example", false),
            ("127.0.0.1.farm.example:8787", false),
        ] {
            assert_eq!(is_local(host), ours, "{host}");
        }
    }
}
