//! The envelope of JSON-RPC 1.0, as the daemons of the Bitcoin Core lineage speak it: errors come
//! under HTTP 404 and 500 with a body, a wrong password as 401 without one.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use sl_ports::http::{Response, StatusCode};

use crate::error::{NodeFault, Nonsense, excerpt};

/// JSON-RPC's number for a call that the node does not have.
const NO_SUCH_METHOD: i64 = -32601;

#[derive(Deserialize)]
struct Reply<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(default)]
    error: Option<RpcError>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct RpcError {
    #[serde(default)]
    code: i64,
    #[serde(default)]
    message: String,
}

/// Tells `null` from nothing: a reply without `result` is no success.
fn present<'de: 'a, 'a, D>(from: D) -> Result<Option<&'a RawValue>, D::Error>
where
    D: Deserializer<'de>,
{
    <&RawValue>::deserialize(from).map(Some)
}

/// The JSON of `result` in an HTTP answer to `method`, sent with the number `id`.
pub(crate) fn result(
    response: &Response,
    method: &'static str,
    user: &str,
    id: u64,
) -> Result<String, NodeFault> {
    match response.status {
        StatusCode::UNAUTHORIZED => {
            return Err(NodeFault::Unauthorised { user: excerpt(user, 64) });
        }
        StatusCode::FORBIDDEN => return Err(NodeFault::Forbidden),
        StatusCode::SERVICE_UNAVAILABLE => {
            return Err(NodeFault::Unreachable {
                reason: "HTTP 503, its queue of calls is full".into(),
                may_have_acted: false,
            });
        }
        _ => {}
    }
    result_of(&response.body, response.status, method, id)
}

/// [`result`] of a body.
pub(crate) fn result_of(
    body: &[u8],
    status: StatusCode,
    method: &'static str,
    id: u64,
) -> Result<String, NodeFault> {
    let nonsense = |what: String| NodeFault::Nonsense { method, nonsense: Nonsense(what) };
    let reply: Reply<'_> = serde_json::from_slice(body).map_err(|error| {
        let start = String::from_utf8_lossy(body.get(..240).unwrap_or(body));
        let found = excerpt(&start, 60);
        nonsense(format!(
            "found {found:?} under HTTP {status} ({error}), allowed is a JSON-RPC reply"
        ))
    })?;
    if let Some(RpcError { code, message }) = reply.error {
        return Err(if code == NO_SUCH_METHOD {
            NodeFault::NoSuchMethod { method }
        } else {
            NodeFault::Rpc { method, code, message: excerpt(&message, 300) }
        });
    }
    if !status.is_success() {
        return Err(nonsense(format!("HTTP {status} without an error in its JSON")));
    }
    let theirs = reply.id.map(RawValue::get);
    if theirs != Some(id.to_string().as_str()) {
        let found = excerpt(theirs.unwrap_or("none"), 40);
        return Err(nonsense(format!("the reply has the id {found}, the call had {id}")));
    }
    let result =
        reply.result.ok_or_else(|| nonsense("the reply has neither result nor error".into()))?;
    Ok(result.get().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: u16, body: &str, expect: Result<&str, &str>) {
        let status = StatusCode::from_u16(status).expect("a status");
        let found = result_of(body.as_bytes(), status, "getthing", 1);
        assert_eq!(
            found.as_deref().map_err(ToString::to_string),
            expect.map_err(ToOwned::to_owned),
            "{body}"
        );
    }

    #[test]
    fn replies_and_what_is_none() {
        check(200, r#"{"result":26,"error":null,"id":1}"#, Ok("26"));
        check(200, r#"{"result":null,"error":null,"id":1}"#, Ok("null"));
        check(
            404,
            r#"{"result":null,"error":{"code":-32601,"message":"Method not found"},"id":1}"#,
            Err("it knows no getthing; hint: the daemon is too old, or not one of this coin"),
        );
        check(
            500,
            r#"{"result":null,"error":{"code":-9,"message":"Pepecoin is not connected!"},"id":1}"#,
            Err("getthing answers error -9: Pepecoin is not connected!; hint: the node needs at \
                 least one peer before it gives templates"),
        );
        let hint = "; hint: is this the RPC port of such a node, and the daemon a supported one?";
        check(
            200,
            r#"{"error":null,"id":1}"#,
            Err(&format!(
                "getthing: the answer makes no sense: the reply has neither result nor error{hint}"
            )),
        );
        check(
            200,
            r#"{"result":1,"error":null,"id":"2"}"#,
            Err(&format!(
                "getthing: the answer makes no sense: the reply has the id \"2\", the call had 1{hint}"
            )),
        );
        check(
            200,
            "<html>\n",
            Err(&format!(
                "getthing: the answer makes no sense: found \"<html> \" under HTTP 200 OK \
                 (expected value at line 1 column 1), allowed is a JSON-RPC reply{hint}"
            )),
        );
    }

    proptest::proptest! {
        #[test]
        fn no_body_panics(body: Vec<u8>, json in "[\\[\\]{}\":,a-z0-9nul.e-]{0,64}") {
            let _ = result_of(&body, StatusCode::OK, "m", 1);
            let _ = result_of(json.as_bytes(), StatusCode::OK, "m", 1);
        }
    }
}
