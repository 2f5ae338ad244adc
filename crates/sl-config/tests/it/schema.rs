//! The schema judges files as reading does, as far as a schema can.

use serde_json::{Map, Number, Value, json};
use sl_config::{Layers, Node, TemplateKind, load, schema, template};

use crate::settings::Mine;

/// What a schema says of a document: as much of JSON Schema as ours uses.
fn faults(schema: &Value, value: &Value, path: &str, found: &mut Vec<String>) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_i64() || number.is_u64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let fits = |wanted: &Value| wanted == kind || (wanted == "number" && kind == "integer");
    match schema.get("type") {
        Some(Value::Array(types)) if !types.iter().any(fits) => {
            found.push(format!("{path}: {kind}"));
        }
        Some(wanted @ Value::String(_)) if !fits(wanted) => found.push(format!("{path}: {kind}")),
        _ => {}
    }
    if let Some(Value::Array(ways)) = schema.get("anyOf") {
        let good = ways.iter().any(|way| {
            let mut inner = Vec::new();
            faults(way, value, path, &mut inner);
            inner.is_empty()
        });
        if !good {
            found.push(format!("{path}: none of the ways"));
        }
    }
    if schema.get("enum").and_then(Value::as_array).is_some_and(|words| !words.contains(value)) {
        found.push(format!("{path}: no such word"));
    }
    if let Some(number) = value.as_f64() {
        let low = schema.get("minimum").and_then(Value::as_f64).is_some_and(|low| number < low);
        let high = schema.get("maximum").and_then(Value::as_f64).is_some_and(|high| number > high);
        if low || high {
            found.push(format!("{path}: out of range"));
        }
    }
    if let Value::Object(entries) = value {
        for required in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
            if !required.as_str().is_some_and(|name| entries.contains_key(name)) {
                found.push(format!("{path}: {required} is missing"));
            }
        }
        for (name, child) in entries {
            let path = format!("{path}/{name}");
            let property = schema.get("properties").and_then(|properties| properties.get(name));
            match (property, schema.get("additionalProperties")) {
                (Some(property), _) => faults(property, child, &path, found),
                (None, Some(Value::Bool(false))) => found.push(format!("{path}: unknown")),
                (None, Some(further)) => faults(further, child, &path, found),
                (None, None) => {}
            }
        }
    }
    if let (Value::Array(items), Some(schema)) = (value, schema.get("items")) {
        for (at, item) in items.iter().enumerate() {
            faults(schema, item, &format!("{path}/{at}"), found);
        }
    }
}

/// A document as an editor's YAML reads it.
fn as_json(node: &Node) -> Value {
    match &node.value {
        sl_config::Value::Null => Value::Null,
        sl_config::Value::Scalar(scalar) if scalar.quoted => json!(scalar.text),
        sl_config::Value::Scalar(scalar) => match scalar.text.as_str() {
            "true" => json!(true),
            "false" => json!(false),
            text => text.parse::<Number>().map_or(json!(text), Value::Number),
        },
        sl_config::Value::Map(entries) => Value::Object(
            entries
                .iter()
                .map(|(key, node)| (key.name.clone(), as_json(node)))
                .collect::<Map<_, _>>(),
        ),
        sl_config::Value::Seq(items) => items.iter().map(as_json).collect(),
    }
}

fn check(text: &str, expect: &[&str]) {
    let loaded = load(Layers::new().file("s.yaml", text)).expect("it parses");
    let mut found = Vec::new();
    faults(&schema::<Mine>(), &as_json(loaded.tree()), "", &mut found);
    assert_eq!(found, expect, "{text}");
}

#[test]
fn templates_satisfy_it() {
    check(&template::<Mine>(TemplateKind::Full), &[]);
    check(&template::<Mine>(TemplateKind::InForce), &[]);
}

#[test]
fn right_files_satisfy_it() {
    check(
        "mode: production\ncoins: [ltc]\ncores: [1]\nspare: {url: x, password: env:P, priority: 3}\n",
        &[],
    );
    check("pools:\n  - {url: y, password: 12345}\nrewards:\n  DOGE: {enabled: false}\n", &[]);
    check("gateway:\nspare:\n", &["/spare: null"]);
}

#[test]
fn wrong_files_do_not() {
    check("mode: loud\n", &["/mode: no such word"]);
    check(
        "gateway: {listn: 1, connections: -1}\n",
        &["/gateway/connections: out of range", "/gateway/listn: unknown"],
    );
    check("pools: [{user: me}]\n", &["/pools/0: \"url\" is missing"]);
    check("spare: {url: x, priority: 12}\n", &["/spare/priority: none of the ways"]);
    check("cores: [1, x]\n", &["/cores/1: string"]);
    check("rewards: {DOGE: {enabled: maybe}}\n", &["/rewards/DOGE/enabled: string"]);
}

#[test]
fn every_setting_has_its_words() {
    let schema = schema::<Mine>();
    let at = |path: &str| schema.pointer(path).unwrap_or_else(|| panic!("{path} in {schema:#}"));
    let secret = at("/properties/spare/properties/password");
    assert_eq!(secret["default"], "env:POOL_PASSWORD");
    assert!(
        secret["anyOf"][0]["pattern"]
            .as_str()
            .is_some_and(|pattern| pattern.contains("credential:"))
    );
    assert_eq!(at("/properties/coins/x-silverlode-live"), &json!(true));
    let told = at("/properties/gateway/properties/vardiff/properties/every/description");
    assert_eq!(
        told,
        "How often it is looked at.\n\nAllowed: a duration, such as 500ms, 30s, 5m or 2h, from 1s to 10m. Changes: while running."
    );
}
