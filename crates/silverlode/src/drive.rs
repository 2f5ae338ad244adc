//! Running a plan: signals, the time given, the live console, the summary at the end.

use std::{process::ExitCode, time::Duration};

use sl_app::Plan;
use sl_ports::machine::limits;
use sl_supervise::{Cause, Outcome};
use sl_telemetry::{Guard, StatusLine};
use sl_view::Summary;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::{args::Global, console, failure::Failure, output};

/// How often the live console is made anew.
const TICK: Duration = Duration::from_secs(1);
/// How many ticks between two lines where there is no terminal.
const TICKS_PER_LINE: u32 = 10;

/// Builds a plan, runs it to its end and shows the summary.
///
/// # Errors
/// The runtime cannot start, or a critical service failed for good.
pub(crate) fn drive(
    build: impl FnOnce() -> Result<Plan, Failure>,
    global: &Global,
    logs: &Guard,
) -> Result<ExitCode, Failure> {
    let system = |wrong: std::io::Error| Failure::System(format!("cannot start: {wrong}"));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(system)?;
    limits::raise_open_files();
    // Signals are heard before anything is built, which takes its time.
    let shutdown = CancellationToken::new();
    runtime.spawn(stop_on_signals(shutdown.clone()));
    let plan = build()?;
    let view = plan.view();
    runtime.block_on(plan.check_ports())?;
    let (outcome, before) = runtime.block_on(async {
        if let Some(time) = global.run_for {
            let shutdown = shutdown.clone();
            tokio::spawn(async move {
                tokio::time::sleep(time).await;
                shutdown.cancel();
            });
        }
        let status = logs.status_line();
        let live = tokio::spawn({
            let view = view.clone();
            let status = status.clone();
            async move { show(move || view.summary(), &status).await }
        });
        let last = tokio::spawn({
            let (view, shutdown) = (view.clone(), shutdown.clone());
            async move {
                shutdown.cancelled().await;
                view.summary()
            }
        });
        let outcome = plan.run(shutdown.clone()).await;
        // A critical failure ends the run without a word from outside.
        shutdown.cancel();
        let before = last.await.unwrap_or_else(|_| view.summary());
        live.abort();
        status.clear();
        (outcome, before)
    });
    runtime.shutdown_timeout(Duration::from_secs(1));
    let summary = view.summary().after(before);
    if global.json {
        output::print_json(&summary);
    } else {
        output::print(&console::report(&summary));
    }
    judge(outcome)
}

fn judge(outcome: Outcome) -> Result<ExitCode, Failure> {
    if !outcome.late.is_empty() {
        tracing::warn!(late = ?outcome.late, "services that did not stop in time were ended");
    }
    match outcome.cause {
        Cause::CriticalFailed { id, error } => Err(Failure::Service { id: id.to_string(), error }),
        Cause::Requested => Ok(ExitCode::SUCCESS),
    }
}

/// The first signal stops in order, the second at once.
async fn stop_on_signals(shutdown: CancellationToken) {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        tracing::warn!("signals cannot be heard; stop with --for");
        return;
    };
    loop {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        if shutdown.is_cancelled() {
            #[expect(clippy::disallowed_methods, reason = "the second signal means: at once")]
            std::process::exit(130);
        }
        tracing::info!("stopping; once more stops at once");
        shutdown.cancel();
    }
}

async fn show(summary: impl Fn() -> Summary, status: &StatusLine) {
    let mut tick = tokio::time::interval(TICK);
    let mut ticks = 0;
    loop {
        tick.tick().await;
        ticks += 1;
        if status.is_live() {
            status.set(&console::line(&summary()));
        } else if ticks % TICKS_PER_LINE == 0 {
            tracing::info!("{}", console::line(&summary()));
        }
    }
}
