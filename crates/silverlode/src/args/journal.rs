use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

#[derive(Subcommand, Debug)]
pub(crate) enum Journal {
    /// Rows as CSV or JSON lines on standard output, also while the journal is written
    Export {
        /// Which rows
        #[arg(value_enum, default_value_t = RowsArg::Shares)]
        rows: RowsArg,
        /// From this day or instant on, as in 2026-11-22 or 2026-11-22T08:00:00Z [default: all]
        #[arg(long, value_name = "WHEN")]
        from: Option<String>,
        /// Before this day or instant [default: all]
        #[arg(long, value_name = "WHEN")]
        to: Option<String>,
        /// How they are written; with --json always jsonl
        #[arg(long, value_enum, default_value_t = FormatArg::Csv)]
        format: FormatArg,
    },
    /// Check the files, their chains, the roll-ups and a sample of proofs of work: 0 all is right, 1
    /// something is wrong, 3 some of it could not be looked at
    Verify {
        /// Shares of each day that are hashed again
        #[arg(long, value_name = "N", default_value_t = 200)]
        sample: u64,
    },
    /// A consistent copy into a folder that is new or empty, also while the journal is written: 0 all
    /// is copied, 3 some of it
    Backup {
        /// Where to
        #[arg(value_name = "DEST")]
        to: PathBuf,
    },
}

#[derive(ValueEnum, Clone, Copy, Debug)]
pub(crate) enum RowsArg {
    Shares,
    Verdicts,
    Blocks,
    Jobs,
    Upstreams,
    Slots,
}

#[derive(ValueEnum, Clone, Copy, Debug)]
pub(crate) enum FormatArg {
    Csv,
    Jsonl,
}
