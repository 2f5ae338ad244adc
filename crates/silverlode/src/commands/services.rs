use std::process::ExitCode;

use sl_app::{AskError, Composition, Ports, ask};

use crate::{
    args::Global,
    commands::farm,
    console,
    failure::Failure,
    layers::{self, Environment},
    output,
};

/// The graph with its health, from the program that runs in the data folder; or the graph that
/// would run.
pub(super) fn run(global: &Global, environment: &Environment) -> Result<ExitCode, Failure> {
    let folder = farm::data_folder(global, environment)?;
    let services = match ask(&folder) {
        Ok(state) => state.services,
        Err(AskError::NobodyThere(_)) => {
            output::tell(&format!(
                "nothing runs in {}; this is what `silverlode up` would start\n",
                folder.display()
            ));
            let read = layers::read(global, environment, &[])?;
            let ports = Ports::real(global.seed, environment.all(), Some(folder));
            farm::assemble(&read, Composition::Up, ports)?.services()
        }
        Err(wrong) => return Err(Failure::System(wrong.to_string())),
    };
    if global.json {
        output::print_json(&services);
    } else {
        output::print(&console::services(&services));
    }
    Ok(ExitCode::SUCCESS)
}
