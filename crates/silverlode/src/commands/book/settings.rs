//! The pages of the settings and of the environment variables, from the declared sections.

use std::fmt::Write as _;

use sl_app::Settings;
use sl_config::{ENV_PREFIX, FieldInfo, Section as _, SettingInfo, Shape};

use super::{cell, head};
use crate::layers::VARIABLES;

pub(super) fn page() -> String {
    let mut text = head(
        "Settings",
        "Every setting of the file `silverlode.yaml`. *Live* settings take effect while running, \
         the others after a restart. Secrets are references: `env:NAME`, `file:/path` (mode 0600), \
         `credential:NAME` (systemd); inline in educational mode only.",
    );
    section("", "At the top", "", &Settings::fields(), &mut text);
    text
}

/// A table of a section's values, then the sections below it.
fn section(path: &str, title: &str, doc: &str, fields: &[FieldInfo], text: &mut String) {
    // Writing into a string cannot fail.
    let _ = write!(text, "\n## {title}\n");
    if !doc.is_empty() {
        let _ = write!(text, "\n{doc}\n");
    }
    let values = fields.iter().filter_map(|field| match &field.shape {
        Shape::Setting(setting) => Some((field, setting)),
        _ => None,
    });
    let values: Vec<_> = values.collect();
    if !values.is_empty() {
        *text += "\n| setting | default | allowed | changes | meaning |\n|---|---|---|---|---|\n";
    }
    for (field, setting) in values {
        let changes = if setting.live { "live" } else { "restart" };
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {changes} | {} |",
            joined(path, field.name),
            default(setting),
            cell(&setting.allowed),
            cell(&field.doc)
        );
    }
    for field in fields {
        let Some(below) = field.fields() else { continue };
        let (mark, note) = match &field.shape {
            Shape::Optional(_) => ("", " Left out, there is none."),
            Shape::List(_) => ("[]", " A list."),
            Shape::Table(_) => (".NAME", " By name."),
            Shape::Section(_) | Shape::Setting(_) => ("", ""),
        };
        let path = joined(path, field.name) + mark;
        section(&path, &format!("`{path}`"), &format!("{}{note}", field.doc), below, text);
    }
}

fn default(setting: &SettingInfo) -> String {
    match setting.default {
        Some(_) if setting.kind.is_secret() => "built in".to_owned(),
        Some(text) => format!("`{}`", cell(text)),
        None if setting.mandatory => "must be given".to_owned(),
        None => "none".to_owned(),
    }
}

pub(super) fn environment_page() -> String {
    let mut text = head(
        "Environment variables",
        "What the program reads of its environment. Variables that are settings lie over the files \
         and under the flags.",
    );
    text += "\n## Of the program\n\n| variable | meaning |\n|---|---|\n";
    for (name, meaning) in VARIABLES {
        let _ = writeln!(text, "| `{name}` | {} |", cell(meaning));
    }
    text += "\n## Settings\n\nItems of lists have no variable of their own.\n\n| variable | setting | meaning |\n|---|---|---|\n";
    variables("", &Settings::fields(), &mut text);
    text
}

fn variables(path: &str, fields: &[FieldInfo], text: &mut String) {
    for field in fields {
        let path = joined(path, field.name);
        match &field.shape {
            Shape::Setting(_) => {
                let name = path.to_uppercase().replace('.', "__");
                let _ =
                    writeln!(text, "| `{ENV_PREFIX}{name}` | `{path}` | {} |", cell(&field.doc));
            }
            Shape::Section(below) | Shape::Optional(below) => variables(&path, below, text),
            Shape::List(_) | Shape::Table(_) => {}
        }
    }
}

fn joined(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
