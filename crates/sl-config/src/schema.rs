//! The declaration as a JSON Schema, so that editors complete and check while one types.

use serde_json::{Map, Number, Value, json};

use crate::field::{FieldInfo, Section, SettingInfo, Shape};
use crate::kinds::{Kind, pieces};

/// A JSON Schema (draft 2020-12) of a settings file.
///
/// It is laxer than reading where JSON Schema has no word for a rule: a duration is any text.
pub fn schema<S: Section>() -> Value {
    let mut root = object(&S::fields());
    root.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
    root.insert("title".into(), json!("silverlode settings"));
    root.insert("description".into(), json!(S::doc()));
    Value::Object(root)
}

/// A map of settings; an empty section is `null` in YAML.
fn object(fields: &[FieldInfo]) -> Map<String, Value> {
    let properties: Map<String, Value> = fields
        .iter()
        .map(|field| (field.name.to_owned(), Value::Object(property(field))))
        .collect();
    let is_mandatory =
        |field: &&FieldInfo| matches!(&field.shape, Shape::Setting(setting) if setting.mandatory);
    let required: Vec<&str> = fields.iter().filter(is_mandatory).map(|field| field.name).collect();
    let mut schema = Map::new();
    match required.is_empty() {
        true => schema.insert("type".into(), json!(["object", "null"])),
        false => schema.insert("type".into(), json!("object")),
    };
    schema.insert("properties".into(), Value::Object(properties));
    schema.insert("additionalProperties".into(), json!(false));
    if !required.is_empty() {
        // Another layer may give them, but an editor sees one file.
        schema.insert("required".into(), json!(required));
    }
    schema
}

fn property(field: &FieldInfo) -> Map<String, Value> {
    let mut schema = match &field.shape {
        Shape::Setting(setting) => of_setting(setting),
        Shape::Section(fields) | Shape::Optional(fields) => object(fields),
        Shape::List(fields) => {
            pairs([("type", json!(["array", "null"])), ("items", Value::Object(object(fields)))])
        }
        Shape::Table(fields) => pairs([
            ("type", json!(["object", "null"])),
            ("additionalProperties", Value::Object(object(fields))),
        ]),
    };
    let mut doc = field.doc.clone();
    if let Shape::Setting(setting) = &field.shape {
        let when = if setting.live { "while running" } else { "after a restart" };
        doc += &format!("\n\nAllowed: {}. Changes: {when}.", setting.allowed);
    }
    schema.insert("description".into(), json!(doc.trim()));
    schema
}

fn of_setting(setting: &SettingInfo) -> Map<String, Value> {
    let range = setting.range.as_ref().map(|(low, high)| (low.as_str(), high.as_str()));
    let mut schema = of_kind(setting.kind, range);
    if let Some(text) = setting.default {
        schema.insert("default".into(), default_of(text, setting.kind));
    }
    schema.insert("x-silverlode-live".into(), json!(setting.live));
    schema
}

/// References to secrets, as [`Secret`](crate::Secret) reads them.
const REFERENCE: &str = "^(env:[A-Za-z0-9_]+|file:/.+|credential:[^./][^/]*)$";

fn of_kind(kind: Kind, range: Option<(&str, &str)>) -> Map<String, Value> {
    match kind {
        Kind::Bool => pairs([("type", json!("boolean"))]),
        Kind::Integer => numeric("integer", range),
        Kind::Number => numeric("number", range),
        // A name of digits only is a text to us and a number to an editor.
        Kind::Text => pairs([("type", json!(["string", "number", "boolean"]))]),
        Kind::Secret => pairs([(
            "anyOf",
            json!([
                {"type": "string", "pattern": REFERENCE, "description": "a reference to the secret"},
                {
                    "type": ["string", "number"],
                    "description": "the secret itself, which production mode refuses",
                },
            ]),
        )]),
        Kind::Words(words) => pairs([("enum", json!(words))]),
        Kind::List(inner) => pairs([
            ("type", json!(["array", "null"])),
            ("items", Value::Object(of_kind(*inner, range))),
        ]),
        Kind::Optional(inner) => {
            pairs([("anyOf", json!([Value::Object(of_kind(*inner, range)), { "type": "null" }]))])
        }
    }
}

fn numeric(kind: &str, range: Option<(&str, &str)>) -> Map<String, Value> {
    let mut schema = pairs([("type", json!(kind))]);
    if let Some((low, high)) = range {
        for (word, number) in [("minimum", low), ("maximum", high)] {
            if let Some(number) = number_of(number) {
                schema.insert(word.into(), Value::Number(number));
            }
        }
    }
    schema
}

fn default_of(text: &str, kind: Kind) -> Value {
    match kind {
        Kind::Bool => json!(text == "true"),
        Kind::Integer | Kind::Number => number_of(text).map_or(json!(text), Value::Number),
        Kind::Text | Kind::Words(_) | Kind::Secret => json!(text),
        Kind::List(inner) => pieces(text).map(|piece| default_of(piece, *inner)).collect(),
        Kind::Optional(inner) => default_of(text, *inner),
    }
}

fn number_of(text: &str) -> Option<Number> {
    text.replace('_', "").parse().ok()
}

fn pairs<const N: usize>(pairs: [(&str, Value); N]) -> Map<String, Value> {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
