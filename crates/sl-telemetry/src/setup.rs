//! Setting up the logs of the program.

use crate::console::{Console, StatusLine};
use crate::layer::LogLayer;
use crate::mask::Masker;
use sl_units::Wall;
use std::fmt;
use std::io::{IsTerminal, Write};
use std::str::FromStr;
use std::sync::Arc;
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::layer::{Layered, SubscriberExt};
use tracing_subscriber::{Layer, Registry, filter::Filtered, reload};

/// Others' targets that talk too much at our usual level; a filter may say otherwise.
const QUIET: &str = "hyper=warn,hyper_util=warn,mio=warn,tokio=warn,want=warn";

/// How a line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogStyle {
    /// For people: `15:04:05 INFO  gateway: listening addr=127.0.0.1:3333`, in UTC.
    Pretty,
    /// For machines: one JSON object a line with `ts`, `level`, `target`, `message`, `fields` and,
    /// where there are any, `spans`.
    Json,
}

impl FromStr for LogStyle {
    type Err = TelemetryError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "pretty" => Ok(Self::Pretty),
            "json" => Ok(Self::Json),
            _ => Err(TelemetryError::Style { found: text.to_owned() }),
        }
    }
}

/// Tells the time of day for the lines.
pub type WallClock = Arc<dyn Fn() -> Wall + Send + Sync>;

/// What the logs are to be.
#[derive(Clone)]
pub struct Settings {
    /// How a line is written.
    pub style: LogStyle,
    /// What is logged, as `tracing-subscriber` writes it: `info`, or `info,sl_gateway=debug`.
    /// Empty means `info`.
    pub filter: String,
    /// The output is a terminal: a status line is possible. Set by [`init`] itself.
    pub terminal: bool,
    /// Colours are wanted: `NO_COLOR` is unset. They are used on a terminal only, and for the
    /// pretty style only.
    pub colour: bool,
    /// What must not be seen.
    pub masker: Masker,
    /// The clock.
    pub now: WallClock,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("style", &self.style)
            .field("filter", &self.filter)
            .field("terminal", &self.terminal)
            .field("colour", &self.colour)
            .finish_non_exhaustive()
    }
}

/// Why the logs cannot be set up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TelemetryError {
    /// No such style.
    #[error("{found:?} is no style of log; there are: pretty, json")]
    Style {
        /// What was given.
        found: String,
    },
    /// The filter cannot be read.
    #[error(
        "the log filter {filter:?} cannot be read: {reason}; write a level (error, warn, info, \
         debug, trace), or targets with levels: info,sl_gateway=debug"
    )]
    Filter {
        /// What was given.
        filter: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The logs of this process are set up already.
    #[error("the logs are set up already; init is called once, at the start of the program")]
    Twice,
}

/// Logs that are not those of the whole process yet: for tests, and for [`init`].
#[derive(Debug)]
pub struct Logs {
    /// To be given to `tracing`.
    pub subscriber:
        Layered<Filtered<LogLayer, reload::Layer<EnvFilter, Registry>, Registry>, Registry>,
    /// The line beneath the logs.
    pub status: StatusLine,
    /// What is logged, to be changed while it is.
    pub filter: LogFilter,
}

/// What is logged, to be changed while the program runs. Cheap to clone.
///
/// ```
/// # use sl_telemetry::{LogStyle, Logs, Masker, Settings};
/// # let settings = Settings {
/// #     style: LogStyle::Pretty,
/// #     filter: "info".to_owned(),
/// #     terminal: false,
/// #     colour: false,
/// #     masker: Masker::default(),
/// #     now: std::sync::Arc::new(|| sl_units::Wall::from_secs(0)),
/// # };
/// let (sink, written) = sl_telemetry::memory_sink();
/// let logs = Logs::new(&settings, sink)?;
/// tracing::subscriber::with_default(logs.subscriber, || {
///     tracing::debug!("not yet");
///     logs.filter.set("debug")?;
///     tracing::debug!("now");
///     assert!(logs.filter.set("sl_solo=loud").is_err());
///     Ok::<(), sl_telemetry::TelemetryError>(())
/// })?;
/// assert_eq!(String::from_utf8_lossy(&written.take()).lines().count(), 1);
/// # Ok::<(), sl_telemetry::TelemetryError>(())
/// ```
#[derive(Clone, Debug)]
pub struct LogFilter(reload::Handle<EnvFilter, Registry>);

impl LogFilter {
    /// Logs by another filter from now on; the form is that of [`Settings::filter`].
    ///
    /// # Errors
    /// [`TelemetryError::Filter`] if the filter cannot be read; the one before then stays.
    pub fn set(&self, filter: &str) -> Result<(), TelemetryError> {
        self.0.reload(env_filter(filter)?).map_err(|error| TelemetryError::Filter {
            filter: filter.to_owned(),
            reason: error.to_string(),
        })
    }
}

/// Whether a text is a filter, as [`Settings::filter`] takes it.
///
/// # Errors
/// [`TelemetryError::Filter`] if it is none.
pub fn check_filter(filter: &str) -> Result<(), TelemetryError> {
    env_filter(filter).map(drop)
}

fn env_filter(filter: &str) -> Result<EnvFilter, TelemetryError> {
    let wanted = filter.trim();
    let wanted = if wanted.is_empty() { "info" } else { wanted };
    EnvFilter::try_new(format!("{QUIET},{wanted}")).map_err(|error| TelemetryError::Filter {
        filter: wanted.to_owned(),
        reason: error.to_string(),
    })
}

impl Logs {
    /// Logs that are written to `sink`.
    ///
    /// # Errors
    /// [`TelemetryError::Filter`] if the filter cannot be read.
    pub fn new(settings: &Settings, sink: Box<dyn Write + Send>) -> Result<Self, TelemetryError> {
        let (filter, handle) = reload::Layer::new(env_filter(&settings.filter)?);
        let console = Console::new(sink, settings.terminal);
        let status = StatusLine::new(console.clone(), settings.masker.clone());
        let layer = LogLayer::new(settings, console).with_filter(filter);
        let subscriber = tracing_subscriber::registry().with(layer);
        Ok(Self { subscriber, status, filter: LogFilter(handle) })
    }
}

/// Held by `main` while the program logs: dropping it takes the status line away.
#[derive(Debug)]
pub struct Guard {
    status: StatusLine,
    filter: LogFilter,
}

impl Guard {
    /// The line beneath the logs.
    #[must_use]
    pub fn status_line(&self) -> StatusLine {
        self.status.clone()
    }

    /// What is logged, to be changed while the program runs.
    #[must_use]
    pub fn filter(&self) -> LogFilter {
        self.filter.clone()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.status.clear();
    }
}

/// Makes these the logs of the process, on standard error. Whether that is a terminal is looked
/// up here.
///
/// # Errors
/// [`TelemetryError::Filter`] if the filter cannot be read, [`TelemetryError::Twice`] if the
/// process has logs.
pub fn init(settings: Settings) -> Result<Guard, TelemetryError> {
    let stderr = std::io::stderr();
    let settings = Settings { terminal: stderr.is_terminal(), ..settings };
    let logs = Logs::new(&settings, Box::new(stderr))?;
    tracing::subscriber::set_global_default(logs.subscriber).map_err(|_| TelemetryError::Twice)?;
    Ok(Guard { status: logs.status, filter: logs.filter })
}
