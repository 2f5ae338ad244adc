//! What held and what did not, kept as lines until the end of a trial.

use std::fmt;
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Only what never comes meets the end of patience: a machine takes minutes to start.
const PATIENCE: Duration = Duration::from_secs(300);
const PAUSE: Duration = Duration::from_millis(400);

/// The checks of one kind.
pub(crate) struct Trial {
    name: String,
    lines: Vec<String>,
    pub(crate) held: usize,
    pub(crate) failed: usize,
}

impl Trial {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), lines: Vec::new(), held: 0, failed: 0 }
    }

    /// Enters one check; what was found stands in the line if it did not hold.
    pub(crate) fn hold(&mut self, what: &str, held: bool, found: impl fmt::Debug) {
        if held {
            self.held += 1;
        } else {
            self.failed += 1;
            self.tell(format!("NOT {what}: found {found:?}"));
        }
    }

    /// Enters that two values are the same.
    pub(crate) fn same<T: PartialEq + fmt::Debug>(&mut self, what: &str, found: T, wanted: T) {
        let held = found == wanted;
        self.hold(what, held, format_args!("{found:?}, wanted {wanted:?}"));
    }

    /// A line of the table or a word of what was done.
    pub(crate) fn tell(&mut self, line: String) {
        self.lines.push(line);
    }

    /// Enters that something was done, and that it held; answers whether it did.
    pub(crate) fn done(&mut self, what: &str, done: anyhow::Result<bool>) -> bool {
        let held = matches!(done, Ok(true));
        if held {
            self.tell(format!("    {what}"));
        }
        self.hold(what, held, done);
        held
    }

    /// Looks until it is so.
    pub(crate) async fn until(&mut self, what: &str, mut look: impl AsyncFnMut() -> bool) -> bool {
        let start = Instant::now();
        while !look().await {
            if start.elapsed() > PATIENCE {
                return self.done(what, Ok(false));
            }
            sleep(PAUSE).await;
        }
        self.tell(format!("    {what} ({:.0} s)", start.elapsed().as_secs_f64()));
        self.held += 1;
        true
    }

    /// Takes over the checks of another.
    pub(crate) fn take(&mut self, other: Self) {
        self.lines.extend(other.lines);
        self.held += other.held;
        self.failed += other.failed;
    }
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.name)?;
        self.lines.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}
