//! The report to pass on: one JSON document that a person can read, without secrets.
//!
//! Secrets are kept out twice: the settings are shown masked, and every text in the report goes
//! through a masker that knows what the secrets are.

use std::path::Path;

use serde_json::{Value, json};
use sl_app::{Ports, Settings, ask};
use sl_config::Secret;
use sl_ports::{folders::write_atomic, machine::system};
use sl_telemetry::Masker;

use crate::{failure::Failure, layers::Read};

/// Makes every secret known to the masker: those that the settings refer to or hold, and the
/// variables whose names say that they are secret.
pub(super) fn learn_secrets(settings: &Settings, ports: &Ports) {
    let nodes = || settings.solo.parent.iter().chain(&settings.solo.auxiliaries);
    let secrets: Vec<&Secret> = nodes()
        .map(|node| &node.password)
        .chain(settings.pool.iter().map(|pool| &pool.password))
        .chain(&settings.gateway.password)
        .collect();
    for secret in secrets {
        // One that leads nowhere is told by its check.
        let _resolved = ports.resolve(secret);
    }
    for (name, value) in &ports.environment {
        if Masker::is_secret_name(name) {
            ports.masker.register(value);
        }
    }
    for user in nodes().filter_map(|node| user_info(&node.url)) {
        ports.masker.register(user);
        if let Some((_, password)) = user.split_once(':') {
            ports.masker.register(password);
        }
    }
}

/// `name:password` of a URL that holds them, which no node's should.
fn user_info(url: &str) -> Option<&str> {
    let authority = url.split_once("://")?.1.split(['/', '?', '#']).next()?;
    Some(authority.rsplit_once('@')?.0)
}

/// Writes the report, for its owner alone.
pub(super) fn write(
    file: &Path,
    doctor: &Value,
    read: &Result<Read, Failure>,
    folder: &Path,
    ports: &Ports,
) -> Result<(), Failure> {
    let state = match ask(folder) {
        Ok(state) => json!(state),
        Err(nobody) => json!({ "none": nobody.to_string() }),
    };
    let mut report = json!({
        "about": "a report of silverlode doctor; secrets are removed; logs are not kept and not in it",
        "silverlode": env!("CARGO_PKG_VERSION"),
        "system": system::name(),
        "made_unix_ms": ports.clock.wall().millis(),
        "doctor": doctor,
        "settings": settings(read),
        "state": state,
    });
    mask(&mut report, &ports.masker);
    let text =
        serde_json::to_vec_pretty(&report).map_err(|wrong| Failure::System(wrong.to_string()))?;
    write_atomic(file, &text).map_err(|cause| Failure::File {
        path: file.to_owned(),
        doing: "write",
        cause,
    })
}

/// What holds, a line an entry; or what is wrong, without the texts where it stands.
fn settings(read: &Result<Read, Failure>) -> Value {
    match read {
        Ok(read) => {
            let shown = read.loaded.show::<Settings>(true);
            json!({ "files": read.files, "shown": shown.lines().collect::<Vec<_>>() })
        }
        Err(Failure::Settings(problems)) => {
            let told = problems.list().iter().map(|problem| {
                json!({
                    "source": problem.source_name(), "line": problem.line, "column": problem.column,
                    "key": problem.key, "message": problem.message, "allowed": problem.allowed,
                })
            });
            json!({ "problems": told.collect::<Vec<_>>() })
        }
        Err(other) => json!({ "problem": other.to_string() }),
    }
}

fn mask(value: &mut Value, masker: &Masker) {
    match value {
        Value::String(text) => *text = masker.mask(text).into_owned(),
        Value::Array(items) => items.iter_mut().for_each(|item| mask(item, masker)),
        Value::Object(map) => map.values_mut().for_each(|item| mask(item, masker)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_masked_is_masked_at_every_depth() {
        let masker = Masker::default();
        masker.register("hunter22");
        let mut value = json!({"a": ["x hunter22", {"b": "hunter22"}], "n": 1, "ok": "plain"});
        mask(&mut value, &masker);
        assert_eq!(value, json!({"a": ["x ****", {"b": "****"}], "n": 1, "ok": "plain"}));
    }

    #[test]
    fn credentials_in_a_url_are_seen() {
        assert_eq!(user_info("http://me:se@cret@127.0.0.1:9332/x@y"), Some("me:se@cret"));
        assert_eq!(user_info("http://127.0.0.1:9332/x@y"), None);
    }
}
