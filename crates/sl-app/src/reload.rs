//! Settings that change while the program runs: watching the files, and applying what can be.
//!
//! ```text
//!            files as read
//!                 │ poll: another time, size or inode
//!                 ▼
//!   ┌────────▶ settling ── 300 ms unchanged ──▶ read and check the whole
//!   │                                              │            │
//!   │                                    mistakes  │            │ right: plan what differs
//!   │  refused: told with every mistake, ◀─────────┘            ▼
//!   │  the running settings stay                     apply the live ones in turn
//!   │                                                  │        │         │
//!   └── the next change ◀── applied ◀──────────────────┘   one fails  roll-back fails
//!                           what needs a restart            │         │
//!                           is named until then      rolled back:     mixed: neither the old nor
//!                                                    the old stay     the new; named, restart cures
//! ```
//!
//! The third outcome, *mixed*, is defined: the program runs on, each setting named has its new
//! value, all others their old one, and the next change or a restart ends it.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use sl_config::{Change, Loaded, plan};
use sl_ports::Clock;
use sl_supervise::{Ctx, ServiceError};
use sl_units::Mono;

use crate::Settings;

/// How often the files are looked at.
const POLL: Duration = Duration::from_secs(1);
/// How long files must stay as they are before they are read: an editor may write in pieces.
const SETTLE: Duration = Duration::from_millis(300);

/// What a file looks like from outside; `None` where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// When it was changed last.
    pub modified: Option<std::time::SystemTime>,
    /// Its size in bytes.
    pub size: u64,
    /// Its number in the file system; a file that is replaced has another.
    pub inode: u64,
}

/// The files of the settings with what they look like.
pub type Stamps = Vec<(PathBuf, Option<Stamp>)>;

/// All layers, read anew.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The values, checked as a whole.
    pub settings: Settings,
    /// The layers they came from.
    pub loaded: Loaded,
}

/// Why a reading failed.
#[derive(Clone, Debug)]
pub struct Unreadable {
    /// How many mistakes there are.
    pub mistakes: usize,
    /// All of them, for people.
    pub told: String,
}

/// Where settings come from, as far as this crate needs to know.
pub trait SettingsSource: Send + Sync {
    /// What the files look like at this instant, those that could come to be included.
    fn stamps(&self) -> Stamps;

    /// Reads and checks all layers.
    ///
    /// # Errors
    /// All that is wrong.
    fn read(&self) -> Result<Reading, Unreadable>;
}

/// Takes the new value of live settings to whoever follows them.
#[derive(Clone)]
pub struct Applier {
    key: &'static str,
    #[expect(clippy::type_complexity, reason = "a function of settings, told once")]
    apply: Arc<dyn Fn(&Settings) -> Result<(), String> + Send + Sync>,
}

impl Applier {
    /// For the setting `key`, or for all that stands below it. `apply` is told all settings, old ones when it has to roll back.
    pub fn new(
        key: &'static str,
        apply: impl Fn(&Settings) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        Self { key, apply: Arc::new(apply) }
    }

    fn is_for(&self, key: &str) -> bool {
        key.strip_prefix(self.key)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    }
}

impl fmt::Debug for Applier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Applier({})", self.key)
    }
}

/// The service's parts: what runs, where news come from, who follows.
#[derive(Clone)]
pub(crate) struct Reload {
    source: Arc<dyn SettingsSource>,
    appliers: Vec<Applier>,
    clock: Clock,
    /// What the services were built with: what differs from it waits for a restart.
    started: Arc<Reading>,
}

impl Reload {
    pub(crate) fn new(
        source: Arc<dyn SettingsSource>,
        appliers: Vec<Applier>,
        clock: Clock,
        started: Reading,
    ) -> Self {
        Self { source, appliers, clock, started: Arc::new(started) }
    }

    /// Watches until told to stop.
    pub(crate) async fn run(self, ctx: Ctx) -> Result<(), ServiceError> {
        let mut applied = self.started.clone();
        // A change between the first reading and now must not be missed: the first look reads.
        let mut watch = Watch::default();
        ctx.ready();
        loop {
            let pause = if watch.is_settling() { SETTLE / 3 } else { POLL };
            tokio::select! {
                () = ctx.stopped() => return Ok(()),
                () = tokio::time::sleep(pause) => {}
            }
            let source = self.source.clone();
            let stamps = tokio::task::spawn_blocking(move || source.stamps()).await?;
            if !watch.step(stamps, self.clock.mono()) {
                continue;
            }
            let source = self.source.clone();
            match tokio::task::spawn_blocking(move || source.read()).await? {
                Ok(new) => applied = self.follow(&applied, new, &ctx),
                Err(wrong) => {
                    let noun = if wrong.mistakes == 1 { "mistake" } else { "mistakes" };
                    let state = format!(
                        "the changed file has {} {noun}; the running settings stay",
                        wrong.mistakes
                    );
                    tracing::error!(mistakes = wrong.mistakes, "{state}\n{}", wrong.told);
                    ctx.degraded(state);
                }
            }
        }
    }

    /// Applies what is live, and tells what waits; what holds now.
    fn follow(&self, applied: &Arc<Reading>, new: Reading, ctx: &Ctx) -> Arc<Reading> {
        let live = plan::<Settings>(&applied.loaded, &new.loaded).live;
        let waiting = plan::<Settings>(&self.started.loaded, &new.loaded).restart;
        let outcome = apply(&live, &self.appliers, &applied.settings, &new.settings);
        let (holds, state) = match outcome {
            Outcome::Applied => {
                for Change { key, from, to, .. } in &live {
                    let (from, to) = (text(from), text(to));
                    tracing::info!(%key, %from, %to, "setting changed");
                }
                (Arc::new(new), waits(&waiting))
            }
            Outcome::RolledBack { key, why } => {
                let state = format!("{key} cannot be applied: {why}; the running settings stay");
                (applied.clone(), Some(state))
            }
            Outcome::Mixed { key, why, stuck } => {
                let state = format!(
                    "{key} cannot be applied: {why}; {} could not be taken back and is new, the \
                     rest is as before; a restart cures it",
                    stuck.join(", ")
                );
                (applied.clone(), Some(state))
            }
        };
        match state {
            None => ctx.ready(),
            Some(state) => {
                tracing::warn!("{state}");
                ctx.degraded(state);
            }
        }
        holds
    }
}

fn text(value: &Option<String>) -> &str {
    value.as_deref().unwrap_or("nothing")
}

/// What to say of changes that wait for a restart.
fn waits(changes: &[Change]) -> Option<String> {
    let keys: Vec<&str> = changes.iter().map(|change| change.key.as_str()).collect();
    (!keys.is_empty()).then(|| format!("changed, and waiting for a restart: {}", keys.join(", ")))
}

/// How applying ended.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// All live changes hold.
    Applied,
    /// One failed; those before it were taken back.
    RolledBack { key: &'static str, why: String },
    /// One failed, and some before it could not be taken back.
    Mixed { key: &'static str, why: String, stuck: Vec<&'static str> },
}

/// Tells each follower whose setting changed, in their order; all or none, as far as they let it.
/// A live setting that no service here follows needs nobody to be told.
fn apply(live: &[Change], appliers: &[Applier], old: &Settings, new: &Settings) -> Outcome {
    let mut done: Vec<&Applier> = Vec::new();
    for applier in appliers {
        if !live.iter().any(|change| applier.is_for(&change.key)) {
            continue;
        }
        let Err(why) = (applier.apply)(new) else {
            done.push(applier);
            continue;
        };
        let back = done.into_iter().rev();
        let stuck: Vec<&'static str> =
            back.filter(|done| (done.apply)(old).is_err()).map(|done| done.key).collect();
        let key = applier.key;
        return match stuck.is_empty() {
            true => Outcome::RolledBack { key, why },
            false => Outcome::Mixed { key, why, stuck },
        };
    }
    Outcome::Applied
}

/// Says when to read: the files look other than at the last reading, and have done so unchanged for
/// a while.
#[derive(Debug, Default)]
struct Watch {
    /// As at the last reading.
    read: Option<Stamps>,
    /// As they look since that instant.
    settling: Option<(Stamps, Mono)>,
}

impl Watch {
    fn is_settling(&self) -> bool {
        self.settling.is_some()
    }

    /// Whether to read now.
    fn step(&mut self, stamps: Stamps, now: Mono) -> bool {
        if self.read.as_ref() == Some(&stamps) {
            self.settling = None;
            return false;
        }
        match &self.settling {
            Some((seen, since)) if *seen == stamps => {
                if now.since(*since) < SETTLE {
                    return false;
                }
                self.settling = None;
                self.read = Some(stamps);
                true
            }
            _ => {
                self.settling = Some((stamps, now));
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn stamps(size: u64) -> Stamps {
        vec![("s.yaml".into(), Some(Stamp { modified: None, size, inode: 1 }))]
    }

    #[test]
    fn files_are_read_once_they_have_settled() {
        let mut watch = Watch::default();
        let at = |millis| Mono::from_start(Duration::from_millis(millis));
        for (size, millis, reads) in [
            (1, 0, false),
            (1, 200, false),
            (1, 300, true),
            (1, 400, false),
            (2, 500, false),
            (3, 700, false),
            (3, 900, false),
            (3, 1000, true),
            (3, 9000, false),
            // Back as it was before it settled: nothing to read.
            (4, 9100, false),
            (3, 9200, false),
            (3, 9900, false),
        ] {
            assert_eq!(watch.step(stamps(size), at(millis)), reads, "{size} at {millis}");
        }
    }

    fn change(key: &str) -> Change {
        Change { key: key.into(), from: None, to: None, live: true }
    }

    /// Followers that refuse: `new` the new value, `old` also the old one.
    fn check(refusing: &[(&'static str, &str)], expect: &Outcome, told: &str) {
        let log = Arc::new(Mutex::new(String::new()));
        let old = Settings::default();
        let mut new = old.clone();
        new.mine.threads = sl_hasher::Threads::Number(7);
        let appliers: Vec<Applier> = ["a", "b", "c", "unchanged"]
            .into_iter()
            .map(|key| {
                let log = log.clone();
                let refuses = refusing.iter().find(|(name, _)| *name == key).map(|(_, when)| *when);
                let refuses = refuses.map(str::to_owned);
                Applier::new(key, move |settings| {
                    let is_new = settings.mine.threads == sl_hasher::Threads::Number(7);
                    let which = if is_new { "new" } else { "old" };
                    *log.lock().expect("alone") += &format!("{key}={which} ");
                    match &refuses {
                        Some(when) if when == which => Err("no".to_owned()),
                        _ => Ok(()),
                    }
                })
            })
            .collect();
        let live = ["a", "b", "c", "nobody's"].map(change);
        assert_eq!(&apply(&live, &appliers, &old, &new), expect);
        assert_eq!(*log.lock().expect("alone"), told);
    }

    #[test]
    fn all_or_none_or_named() {
        check(&[], &Outcome::Applied, "a=new b=new c=new ");
        let why = || "no".to_owned();
        check(
            &[("c", "new")],
            &Outcome::RolledBack { key: "c", why: why() },
            "a=new b=new c=new b=old a=old ",
        );
        check(
            &[("c", "new"), ("b", "old")],
            &Outcome::Mixed { key: "c", why: why(), stuck: vec!["b"] },
            "a=new b=new c=new b=old a=old ",
        );
    }

    #[test]
    fn what_waits_is_named() {
        assert_eq!(waits(&[]), None);
        assert_eq!(
            waits(&[change("mode"), change("gateway.listen")]).as_deref(),
            Some("changed, and waiting for a restart: mode, gateway.listen")
        );
    }
}
