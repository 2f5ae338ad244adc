//! The words of the command line, for shells and for the manual.

use std::{io, path::Path, process::ExitCode};

use clap::CommandFactory as _;

use crate::{args::Cli, failure::Failure, output};

/// `silverlode completions SHELL`
pub(super) fn completions(shell: clap_complete::Shell) -> ExitCode {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "silverlode", &mut text);
    output::print(&String::from_utf8_lossy(&text));
    ExitCode::SUCCESS
}

/// `silverlode man`
pub(super) fn man(folder: Option<&Path>) -> Result<ExitCode, Failure> {
    match folder {
        None => {
            let mut page = Vec::new();
            let rendered = clap_mangen::Man::new(Cli::command()).render(&mut page);
            rendered.map_err(|wrong| Failure::System(format!("cannot write the page: {wrong}")))?;
            output::print(&String::from_utf8_lossy(&page));
        }
        Some(folder) => {
            let failed = |cause: io::Error| Failure::File {
                path: folder.to_owned(),
                doing: "write the manual to",
                cause,
            };
            std::fs::create_dir_all(folder).map_err(failed)?;
            clap_mangen::generate_to(Cli::command(), folder).map_err(failed)?;
            let folder = folder.display();
            output::tell(&format!(
                "wrote the manual to {folder}\nhint: man {folder}/silverlode.1\n"
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}
