//! Files to start from.

use std::{fs::OpenOptions, io::Write, path::Path, process::ExitCode};

use sl_app::Settings;
use sl_config::{TemplateKind, VERSION, edit, schema as settings_schema, template};
use sl_ports::folders::write_atomic;

use crate::{args::TemplateArg, commands::config::cannot, failure::Failure, output};

/// Where the first line of each template tells editors to look.
const SCHEMA_FILE: &str = "silverlode.schema.json";

/// The text of a template, and what it is.
pub(crate) fn text_of(template_arg: TemplateArg) -> (String, &'static str) {
    match template_arg {
        TemplateArg::Minimal => {
            (include_str!("../../templates/minimal.yaml").to_owned(), "simulated chains here")
        }
        TemplateArg::Home => (
            include_str!("../../templates/home.yaml").to_owned(),
            "a pool for the machines of one home; put in your account",
        ),
        TemplateArg::Farm => (
            include_str!("../../templates/farm.yaml").to_owned(),
            "a pool for the machines of a farm; put in your account",
        ),
        TemplateArg::Full => {
            let text = template::<Settings>(TemplateKind::Full);
            // The version is said outright, so that a later silverlode knows what it reads.
            let told = edit::set::<Settings>(&text, "version", &VERSION.to_string());
            (told.unwrap_or(text), "every setting with its default, commented out")
        }
    }
}

pub(super) fn run(template: TemplateArg, file: &Path, force: bool) -> Result<ExitCode, Failure> {
    let (text, what) = text_of(template);
    let mut options = OpenOptions::new();
    options.write(true);
    if force {
        options.create(true).truncate(true)
    } else {
        options.create_new(true)
    };
    match options.open(file).and_then(|mut out| out.write_all(text.as_bytes())) {
        Ok(()) => {
            let file = file.display();
            output::tell(&format!(
                "wrote {file}: {what}\nhint: silverlode config check {file}\nhint: silverlode \
                 config schema --write --config {file}   # completion in editors\n"
            ));
            Ok(ExitCode::SUCCESS)
        }
        Err(wrong) if wrong.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(Failure::Usage(format!(
                "{} is there already; give another name, or --force to overwrite it",
                file.display()
            )))
        }
        Err(cause) => Err(cannot("write", file)(cause)),
    }
}

/// Prints the schema, or puts it beside the settings file.
pub(super) fn schema(write: bool, settings: &Path) -> Result<ExitCode, Failure> {
    let text = format!("{:#}\n", settings_schema::<Settings>());
    if !write {
        output::print(&text);
        return Ok(ExitCode::SUCCESS);
    }
    let beside = settings.with_file_name(SCHEMA_FILE);
    write_atomic(&beside, text.as_bytes()).map_err(cannot("write", &beside))?;
    output::tell(&format!("wrote {}\n", beside.display()));
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use sl_app::check;
    use sl_config::{Layers, load};

    use super::*;

    #[test]
    fn every_template_passes_the_check_and_needs_no_migration() {
        for template in
            [TemplateArg::Minimal, TemplateArg::Home, TemplateArg::Farm, TemplateArg::Full]
        {
            let (text, _) = text_of(template);
            assert!(text.starts_with(sl_config::SCHEMA_HINT), "{text}");
            let loaded = load(Layers::new().file("template", text.as_str()));
            let read = loaded.and_then(|loaded| loaded.read_with::<Settings>(check));
            read.unwrap_or_else(|wrong| panic!("{template:?}: {wrong}"));
            let (migrated, notes) = sl_config::migrate(&text).expect("it parses");
            assert!(migrated == text && notes.is_empty(), "{template:?}: {notes:?}");
        }
    }
}
