//! A settings file to start from, written from the declaration.

use crate::field::{FieldInfo, Section, SettingInfo, Shape};
use crate::show::default_text;

/// The line by which editors with a YAML language server find the schema beside the file, as
/// `silverlode config schema --write` puts it there.
pub const SCHEMA_HINT: &str = "# yaml-language-server: $schema=./silverlode.schema.json";

/// How a template writes the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplateKind {
    /// Every setting with its default, commented out: the file says nothing until a line is
    /// uncommented.
    Full,
    /// Every setting with its default, in force; what has none is commented out.
    InForce,
}

/// A YAML file with the docs of all settings as comments.
///
/// Its first line tells editors where the schema is ([`SCHEMA_HINT`]).
///
/// A setting that is commented out has its `#` right before its name. Lists, tables and optional
/// sections are commented out in both kinds; the first two show one item.
pub fn template<S: Section>(kind: TemplateKind) -> String {
    let mut page = Page { kind, text: format!("{SCHEMA_HINT}\n") };
    page.comment(&S::doc(), "");
    page.section(&S::fields(), "", false);
    page.text
}

struct Page {
    kind: TemplateKind,
    text: String,
}

impl Page {
    /// `sample`: below something that is commented out, so that all is.
    fn section(&mut self, fields: &[FieldInfo], indent: &str, sample: bool) {
        for (at, field) in fields.iter().enumerate() {
            if !sample && (at > 0 || indent.is_empty()) && !self.text.is_empty() {
                self.text.push('\n');
            }
            self.comment(&field.doc, indent);
            self.field(field, indent, sample);
        }
    }

    fn field(&mut self, field: &FieldInfo, indent: &str, sample: bool) {
        let name = field.name;
        let deeper = format!("{indent}  ");
        let deepest = format!("{indent}    ");
        match &field.shape {
            Shape::Setting(setting) => self.setting(name, setting, indent, sample),
            Shape::Section(fields) => {
                self.line(indent, sample, &format!("{name}:"));
                self.section(fields, &deeper, sample);
            }
            Shape::Optional(fields) => {
                self.line(indent, true, &format!("{name}:"));
                self.section(fields, &deeper, true);
            }
            Shape::List(fields) => {
                self.line(indent, true, &format!("{name}:"));
                self.line(&deeper, true, "-");
                self.section(fields, &deepest, true);
            }
            Shape::Table(fields) => {
                self.line(indent, true, &format!("{name}:"));
                self.line(&deeper, true, "NAME:");
                self.section(fields, &deepest, true);
            }
        }
    }

    fn setting(&mut self, name: &str, setting: &SettingInfo, indent: &str, sample: bool) {
        let mandatory = if setting.mandatory { "Mandatory. " } else { "" };
        let when = if setting.live { "while running" } else { "after a restart" };
        let allowed = &setting.allowed;
        self.comment(&format!("{mandatory}Allowed: {allowed}. Changes: {when}."), indent);
        match setting.default {
            Some(text) => {
                let out = sample || self.kind == TemplateKind::Full;
                self.line(indent, out, &format!("{name}: {}", default_text(text, setting)));
            }
            None if setting.kind.is_list() => self.line(indent, true, &format!("{name}: []")),
            None => self.line(indent, true, &format!("{name}:")),
        }
    }

    fn line(&mut self, indent: &str, commented_out: bool, line: &str) {
        let mark = if commented_out { "#" } else { "" };
        self.text += &format!("{indent}{mark}{line}\n");
    }

    fn comment(&mut self, doc: &str, indent: &str) {
        for line in doc.lines() {
            let line = format!("{indent}# {line}");
            self.text += line.trim_end();
            self.text.push('\n');
        }
    }
}
