//! `silverlode journal`

use std::{
    io::{self, BufWriter},
    path::{Path, PathBuf},
    process::ExitCode,
};

use serde_json::json;
use sl_app::ALGORITHM;
use sl_ledger::{Exported, Format, LedgerError, Verified, backup, export, instant, verify};
use sl_units::Wall;

use crate::{
    args::{FormatArg, Global, Journal, RowsArg},
    commands::farm,
    console::{self, paint::Paint},
    failure::Failure,
    layers::{self, Environment},
    output,
};

/// Done, and some of it was not.
const SOME_FAILED: u8 = 3;

pub(super) fn run(
    words: &Journal,
    global: &Global,
    environment: &Environment,
) -> Result<ExitCode, Failure> {
    let data = farm::data_folder(global, environment)?;
    let settings = layers::read(global, environment, &[])?.settings.journal;
    let folder = settings.folder_in(&data);
    let paint = Paint::new(output::colour_on_stdout(environment));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|wrong| Failure::System(format!("cannot start: {wrong}")))?;
    match words {
        Journal::Export { rows, from, to, format } => {
            let from = when("--from", from.as_deref())?.unwrap_or(Wall::from_millis(0));
            let to = when("--to", to.as_deref())?.unwrap_or(Wall::from_millis(u64::MAX));
            let format = if global.json { FormatArg::Jsonl } else { *format };
            let mut out = BufWriter::with_capacity(1 << 16, io::stdout());
            let done =
                runtime.block_on(export(&folder, rows.rows(), from, to, format.format(), &mut out));
            match done {
                // Who reads has seen enough.
                Err(LedgerError::Output(cause)) if cause.kind() == io::ErrorKind::BrokenPipe => {}
                done => {
                    done.map_err(failed)?;
                }
            }
            Ok(ExitCode::SUCCESS)
        }
        Journal::Verify { sample } => {
            let mut prover = sl_app::registry()
                .best(ALGORITHM)
                .map_err(|wrong| Failure::System(format!("nothing here can hash: {wrong}")))?;
            let mut hash = |header: &[u8; 80]| prover.hash(header).hash();
            let told = runtime.block_on(verify(&folder, *sample, &mut hash)).map_err(failed)?;
            if global.json {
                output::print_json(&told);
            } else {
                output::print(&console::journal::verified(&told, paint));
            }
            Ok(verdict(&told))
        }
        Journal::Backup { to } => backed_up(&runtime, &folder, to, global),
    }
}

fn backed_up(
    runtime: &tokio::runtime::Runtime,
    folder: &Path,
    to: &PathBuf,
    global: &Global,
) -> Result<ExitCode, Failure> {
    let done = runtime.block_on(backup(folder, to)).map_err(failed)?;
    if global.json {
        let (files, bytes, failed) = (&done.files, done.bytes, &done.failed);
        output::print_json(&json!({"to": to, "files": files, "bytes": bytes, "failed": failed}));
    } else {
        output::print(&console::journal::backed_up(&done, to));
    }
    Ok(match (done.files.is_empty(), done.failed.is_empty()) {
        (_, true) => ExitCode::SUCCESS,
        (true, false) => ExitCode::FAILURE,
        (false, false) => ExitCode::from(SOME_FAILED),
    })
}

fn verdict(told: &Verified) -> ExitCode {
    let unseen = !told.unread.is_empty() || !told.set_aside.is_empty();
    match (told.findings.is_empty(), unseen) {
        (false, _) => ExitCode::FAILURE,
        (true, true) => ExitCode::from(SOME_FAILED),
        (true, false) => ExitCode::SUCCESS,
    }
}

fn when(flag: &str, text: Option<&str>) -> Result<Option<Wall>, Failure> {
    let parse = |text| instant(text).map_err(|wrong| Failure::Usage(format!("{flag}: {wrong}")));
    text.map(parse).transpose()
}

fn failed(wrong: LedgerError) -> Failure {
    match wrong {
        LedgerError::Nothing { .. } | LedgerError::Taken { .. } => {
            Failure::Usage(wrong.to_string())
        }
        wrong => Failure::System(wrong.to_string()),
    }
}

impl RowsArg {
    const fn rows(self) -> Exported {
        match self {
            Self::Shares => Exported::Shares,
            Self::Verdicts => Exported::Verdicts,
            Self::Blocks => Exported::Blocks,
            Self::Jobs => Exported::Jobs,
            Self::Upstreams => Exported::Upstreams,
            Self::Slots => Exported::Slots,
        }
    }
}

impl FormatArg {
    const fn format(self) -> Format {
        match self {
            Self::Csv => Format::Csv,
            Self::Jsonl => Format::JsonLines,
        }
    }
}
