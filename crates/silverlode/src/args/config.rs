use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

#[derive(Subcommand, Debug)]
pub(crate) enum Config {
    /// Write a settings file to start from
    Init {
        /// Which one
        #[arg(value_enum, default_value_t = TemplateArg::Full)]
        template: TemplateArg,
        /// Where to [default: silverlode.yaml]
        file: Option<PathBuf>,
        /// Overwrite a file that is there
        #[arg(long)]
        force: bool,
    },
    /// Check the settings: all that is wrong, with file, line, column and the cure
    Check {
        /// The file to check, in place of --config
        file: Option<PathBuf>,
    },
    /// What holds after all layers, secrets masked
    Show {
        /// Say for each value where it comes from
        #[arg(long)]
        origin: bool,
    },
    /// Change one value in the file; comments and order stay, the file before is kept as FILE.bak
    Set {
        /// The setting, as in mine.threads or solo.auxiliaries[0].url
        key: String,
        /// Its value; a list is divided by commas
        #[arg(allow_hyphen_values = true)]
        value: String,
    },
    /// Take one value out of the file, so that its default holds
    Unset {
        /// The setting or section
        key: String,
    },
    /// What the settings change: against the defaults, or from one file to another
    Diff {
        /// The file to compare [default: the settings in force]
        file: Option<PathBuf>,
        /// The file to compare it with
        other: Option<PathBuf>,
    },
    /// The JSON Schema of the settings, for editors
    Schema {
        /// Write it beside the settings file, where the templates' first line points
        #[arg(long)]
        write: bool,
    },
    /// Bring the file to this version's form; comments and order stay
    Migrate,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TemplateArg {
    /// Simulated chains on this machine
    Minimal,
    /// A pool for the machines of one home
    Home,
    /// A pool for the machines of a farm, with a password and JSON logs
    Farm,
    /// Every setting with its default, commented out
    Full,
}
