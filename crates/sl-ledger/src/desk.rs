//! What the writer has open: the files of the day and of the day before, and the roll-ups.

use std::{
    collections::{BTreeMap, VecDeque},
    path::Path,
    time::Duration,
};

use sl_ports::Clock;
use sl_store::{
    StoreError,
    budget::{self, Excess, Keep},
};
use sl_units::{Mono, Wall};
use tokio::sync::watch;

use self::rolling::{Rolling, Summed, catch_up, make_again, open_rollup, roll_up_day, thin};
use crate::{
    Entry, JobEntry, JournalStatus, LedgerError, Options, SlotEntry, SlotEvent,
    day::{Chain, DayFile},
    files::{self, ROLLUP, day_of, day_path, day_text, wall},
    recall::living,
    table::DAY_MS,
    tally::{self, Sums},
};

mod rolling;

/// How often sums go into the roll-ups, and the budget is looked at.
const ROLL_UP: Duration = Duration::from_secs(60);
/// Points of sums after which they go into the roll-ups at once.
const MOST_POINTS: usize = 30_000;
/// How long a day's file stays open after its day, for what comes late.
const LINGER_MS: i64 = 60_000;
/// Jobs given out so long before midnight are taken over into the new day's file.
const JOB_LIFE: Duration = Duration::from_secs(900);
/// Jobs that are taken over.
const MOST_JOBS: usize = 256;

#[derive(Debug)]
pub(crate) struct Desk {
    options: Options,
    clock: Clock,
    status: watch::Sender<JournalStatus>,
    /// By day; two at most.
    days: BTreeMap<i64, Day>,
    rollup: Rolling,
    /// What a new day's file begins with.
    slots: BTreeMap<u64, SlotEntry>,
    jobs: VecDeque<JobEntry>,
    rolled_up: Mono,
    /// Whether the last commit failed.
    failed: bool,
    /// Whether it has succeeded since.
    recovered: bool,
}

#[derive(Debug)]
struct Day {
    file: DayFile,
    /// Sums of its rows that are not in the roll-ups, nor on their way there.
    sums: Sums,
    /// Sums did not get there: the next are made from the rows.
    again: bool,
}

impl Desk {
    /// Makes the folder, brings older files up to date, lets the roll-ups catch up, and opens
    /// today's file.
    pub(crate) async fn open(
        options: Options,
        clock: Clock,
        status: watch::Sender<JournalStatus>,
    ) -> Result<Self, LedgerError> {
        make_folder(&options.folder)?;
        let rollup = open_rollup(&options.folder, &status).await?;
        let mut desk = Self {
            options,
            clock,
            status,
            days: BTreeMap::new(),
            rollup: Rolling::Idle(Box::new(rollup)),
            slots: BTreeMap::new(),
            jobs: VecDeque::new(),
            rolled_up: clock.mono(),
            failed: false,
            recovered: false,
        };
        desk.catch_up().await?;
        desk.remember().await?;
        let today = day_of(desk.clock.wall());
        desk.day(today).await?;
        desk.keep_budget().await;
        let raw_from = desk.raw_from();
        if let Some(rollup) = desk.settle().await {
            thin(rollup, raw_from).await;
        }
        Ok(desk)
    }

    /// The start of the first day whose raw rows are kept, in seconds since 1970.
    fn raw_from(&self) -> i64 {
        let today = day_of(self.clock.wall());
        (today + 1 - i64::from(self.options.keep_raw.max(1))) * 86_400
    }

    /// Writes entries of one day. The number of the commit is the last row of it.
    pub(crate) async fn commit(&mut self, entries: &[Entry]) -> Result<u64, LedgerError> {
        let Some(day) = entries.first().map(|entry| day_of(entry.at())) else { return Ok(0) };
        let mut done = self.try_commit(day, entries).await;
        if let Err(error) = &done
            && error.is_damage()
        {
            if let Some(open) = self.days.remove(&day) {
                let _damaged_anyway = open.file.database.close().await;
            }
            set_aside(&day_path(&self.options.folder, day), &error.to_string(), &self.status)?;
            done = self.try_commit(day, entries).await;
        }
        self.recovered = self.failed && done.is_ok();
        self.failed = done.is_err();
        if done.is_err() {
            // After an error of the disk nothing that is held of the file is trusted.
            if let Some(day) = self.days.remove(&day) {
                let _said_already = day.file.database.close().await;
            }
        } else {
            entries.iter().for_each(|entry| self.take_note(entry));
        }
        done
    }

    /// Whether the last commit succeeded after one that failed.
    pub(crate) const fn recovered(&self) -> bool {
        self.recovered
    }

    /// Does what is due: roll-ups, the budget, closing the day before.
    pub(crate) async fn look(&mut self) {
        let now = self.clock.wall();
        self.leave_removed();
        if matches!(&self.rollup, Rolling::Busy(task) if task.is_finished()) {
            self.settle().await;
        }
        let over: Vec<_> = self.days.keys().copied().filter(|day| ended(*day, now)).collect();
        for day in over {
            self.close_day(day).await;
        }
        let points: usize = self.days.values().map(|day| day.sums.len()).sum();
        let due = self.clock.mono().since(self.rolled_up) >= ROLL_UP;
        if due {
            // Before the roll-ups are busy: it may have to thin them, and must not wait for that.
            self.keep_budget().await;
        }
        if due || points > MOST_POINTS {
            self.start_roll_up().await;
        }
    }

    /// Brings all sums into the roll-ups and closes all files.
    pub(crate) async fn close(mut self) {
        let days: Vec<_> = self.days.keys().copied().collect();
        for day in days {
            self.close_day(day).await;
        }
        self.settle().await;
        if let Rolling::Idle(rollup) = self.rollup
            && let Err(error) = rollup.close().await
        {
            tracing::warn!(%error, "the roll-ups are not closed in order");
        }
    }

    async fn try_commit(&mut self, day: i64, entries: &[Entry]) -> Result<u64, LedgerError> {
        let (open, jobs) = self.day(day).await?;
        let drafted = open.file.commit(entries, jobs).await?;
        for stored in &drafted.rows {
            tally::add(&mut open.sums, day, &open.file.dictionary, stored);
        }
        Ok(drafted.last.unsigned_abs())
    }

    /// The open file of a day, and the jobs that are known.
    async fn day(&mut self, day: i64) -> Result<(&mut Day, &VecDeque<JobEntry>), LedgerError> {
        if !self.days.contains_key(&day) {
            while self.days.len() >= 2
                && let Some(oldest) = self.days.keys().next().copied()
            {
                self.close_day(oldest).await;
            }
            let opened = match self.open_day(day).await {
                Err(error) if error.is_damage() => {
                    let path = day_path(&self.options.folder, day);
                    set_aside(&path, &error.to_string(), &self.status)?;
                    self.open_day(day).await?
                }
                other => other?,
            };
            self.days.insert(day, opened);
        }
        let path = || day_path(&self.options.folder, day);
        let open = self.days.get_mut(&day).ok_or_else(|| LedgerError::Nothing { path: path() })?;
        Ok((open, &self.jobs))
    }

    async fn open_day(&mut self, day: i64) -> Result<Day, LedgerError> {
        let now = self.clock.wall();
        let former = self.former(day).await?;
        let pages = self.options.most_pages;
        let mut file = DayFile::open(&self.options.folder, day, now, pages, former).await?;
        let mut sums = self.catch_up_file(&mut file).await?;
        if file.last == 0 {
            let living = self.living(day, now);
            if !living.is_empty() {
                let drafted = file.commit(&living, &self.jobs).await?;
                for stored in &drafted.rows {
                    tally::add(&mut sums, day, &file.dictionary, stored);
                }
            }
            tracing::info!(file = %file.database.path().display(), "a new day's journal");
        }
        Ok(Day { file, sums, again: false })
    }

    /// The newest file but that of `day`, and where its chain is.
    async fn former(&mut self, day: i64) -> Result<Option<(String, Chain)>, LedgerError> {
        let path = day_path(&self.options.folder, day);
        if path.exists() {
            return Ok(None);
        }
        if let Some(open) = self.days.values().next_back() {
            return Ok(Some((day_text(open.file.head.day), open.file.chain)));
        }
        let mut found = files::list(&self.options.folder)?;
        found.retain(|file| !file.aside);
        let Some(newest) = found.pop() else { return Ok(None) };
        match DayFile::open_read(&newest.path).await {
            Ok(file) => Ok(Some((day_text(file.head.day), file.chain))),
            Err(error) => {
                tracing::warn!(%error, "the new day's file follows no other");
                Ok(None)
            }
        }
    }

    /// What a new day's file begins with: held slots and living jobs, as of the day's beginning or
    /// now.
    fn living(&self, day: i64, now: Wall) -> Vec<Entry> {
        let begin = wall(day * DAY_MS);
        let at = if day_of(now) == day { now.max(begin) } else { begin };
        let young = |job: &&JobEntry| job.at + JOB_LIFE >= at;
        let jobs = self.jobs.iter().filter(young).cloned();
        let slots = self.slots.values().cloned();
        slots
            .map(|slot| Entry::Slot(SlotEntry { at, ..slot }))
            .chain(jobs.map(|job| Entry::Job(JobEntry { at, ..job })))
            .collect()
    }

    fn take_note(&mut self, entry: &Entry) {
        match entry {
            Entry::Slot(slot) => match slot.event {
                SlotEvent::Held => {
                    self.slots.insert(slot.slot, slot.clone());
                }
                SlotEvent::Released => {
                    self.slots.remove(&slot.slot);
                }
            },
            Entry::Job(job) => {
                self.jobs.push_back(job.clone());
                while self.jobs.len() > MOST_JOBS {
                    self.jobs.pop_front();
                }
            }
            _ => {}
        }
    }

    /// What lived when the last run of the program ended.
    async fn remember(&mut self) -> Result<(), LedgerError> {
        let since = self.clock.wall().millis().saturating_sub(JOB_LIFE.as_millis() as u64);
        let recalled = living(&self.options.folder, Wall::from_millis(since)).await?;
        self.slots = recalled.slots.into_iter().map(|slot| (slot.slot, slot)).collect();
        self.jobs = recalled.jobs.into_iter().map(|job| job.0).collect();
        Ok(())
    }

    async fn close_day(&mut self, day: i64) {
        self.settle().await;
        let Some(mut open) = self.days.remove(&day) else { return };
        if let Rolling::Idle(rollup) = &mut self.rollup {
            roll_up_day(rollup, &mut open).await;
        }
        if let Err(error) = open.file.database.close().await {
            tracing::warn!(%error, "a day's journal is not closed in order");
        }
    }

    /// Begins to bring the sums of all open days into the roll-ups, if that is not going on.
    async fn start_roll_up(&mut self) {
        if matches!(&self.rollup, Rolling::Busy(task) if !task.is_finished()) {
            return;
        }
        self.settle().await;
        self.rolled_up = self.clock.mono();
        let Rolling::Idle(mut rollup) = std::mem::replace(&mut self.rollup, Rolling::Closed) else {
            return;
        };
        let mut steps = Vec::new();
        for (day, open) in &mut self.days {
            if open.again {
                make_again(&mut rollup, open).await;
            }
            let rest = Sums::after(open.sums.upto);
            let sums = std::mem::replace(&mut open.sums, rest);
            if !sums.is_empty() {
                steps.push((*day, open.file.head.identity(), sums));
            }
        }
        let raw_from = self.raw_from();
        self.rollup = Rolling::Busy(tokio::spawn(async move {
            let mut done = Vec::new();
            for (day, identity, sums) in steps {
                let step = rollup.add(&identity, &day_text(day), &sums).await;
                if let Err(error) = &step {
                    tracing::warn!(%error, "the roll-ups wait");
                }
                done.push((day, matches!(step, Ok(true))));
            }
            thin(&mut rollup, raw_from).await;
            (rollup, done)
        }));
    }

    /// The roll-ups, when what is being written to them is there.
    async fn settle(&mut self) -> Option<&mut Summed> {
        self.rollup = match std::mem::replace(&mut self.rollup, Rolling::Closed) {
            Rolling::Busy(task) => match task.await {
                Ok((rollup, done)) => {
                    for (day, _) in done.into_iter().filter(|(_, done)| !done) {
                        if let Some(open) = self.days.get_mut(&day) {
                            open.again = true;
                        }
                    }
                    Rolling::Idle(rollup)
                }
                Err(error) => {
                    tracing::error!(%error, "the roll-ups are opened again");
                    self.days.values_mut().for_each(|open| open.again = true);
                    Rolling::Closed
                }
            },
            other => other,
        };
        if matches!(self.rollup, Rolling::Closed) {
            match open_rollup(&self.options.folder, &self.status).await {
                Ok(rollup) => self.rollup = Rolling::Idle(Box::new(rollup)),
                Err(error) => tracing::warn!(%error, "the roll-ups wait"),
            }
        }
        match &mut self.rollup {
            Rolling::Idle(rollup) => Some(rollup),
            _ => None,
        }
    }

    /// Lets go of files that somebody removed: what goes into them goes nowhere.
    fn leave_removed(&mut self) {
        self.days.retain(|_, open| {
            let there = open.file.database.path().exists();
            if !there {
                let file = open.file.database.path().display();
                tracing::error!(%file, "somebody removed a journal file that was open");
            }
            there
        });
    }

    /// Rows of closed days that the roll-ups do not have yet. Damaged files stay, and are named.
    async fn catch_up(&mut self) -> Result<(), LedgerError> {
        let today = day_of(self.clock.wall());
        for found in files::list(&self.options.folder)? {
            if found.aside || found.day == today {
                continue;
            }
            match DayFile::open_old(&found.path).await {
                Ok(mut file) => {
                    let sums = self.catch_up_file(&mut file).await?;
                    let mut open = Day { file, sums, again: false };
                    if let Some(rollup) = self.settle().await {
                        roll_up_day(rollup, &mut open).await;
                    }
                    open.file.database.close().await?;
                }
                Err(LedgerError::Store(error @ StoreError::Newer { .. })) => {
                    return Err(error.into());
                }
                Err(error) => tracing::error!(%error, "a day's journal cannot be read"),
            }
        }
        Ok(())
    }

    /// Sums of the rows behind the watermark; the last of them are given back.
    async fn catch_up_file(&mut self, file: &mut DayFile) -> Result<Sums, LedgerError> {
        match self.settle().await {
            Some(rollup) => catch_up(rollup, file).await,
            None => Ok(Sums::after(file.last)),
        }
    }

    /// Removes what is too old or too much.
    async fn keep_budget(&mut self) {
        let today = day_of(self.clock.wall());
        let Ok(found) = files::list(&self.options.folder) else { return };
        let besides = sl_store::size(&self.options.folder.join(ROLLUP));
        let mut days: BTreeMap<i64, u64> = BTreeMap::new();
        for file in &found {
            *days.entry(file.day).or_default() += sl_store::size(&file.path);
        }
        let all: Vec<_> =
            days.iter().map(|(&day, &bytes)| budget::DayFile { day, bytes }).collect();
        let keep = Keep { days: self.options.keep_raw, bytes: self.options.disk_budget };
        let mut bytes = days.values().sum::<u64>() + besides;
        for (gone, why) in budget::excess(&all, besides, keep, today) {
            self.close_day(gone.day).await;
            for file in found.iter().filter(|file| file.day == gone.day) {
                if let Err(error) = sl_store::unlink(&file.path) {
                    tracing::warn!(%error, "a day's journal stays");
                }
            }
            bytes = bytes.saturating_sub(gone.bytes);
            days.remove(&gone.day);
            tracing::info!(day = day_text(gone.day), bytes = gone.bytes, ?why, "raw rows removed");
            self.status.send_modify(|status| match why {
                Excess::Age => status.removed_by_age += 1,
                Excess::Budget => status.removed_by_budget += 1,
            });
        }
        let over = keep.bytes.is_some_and(|most| bytes > most);
        self.status.send_modify(|status| {
            status.bytes = bytes;
            status.days = u32::try_from(days.len()).unwrap_or(u32::MAX);
            status.over_budget = over;
        });
    }
}

fn set_aside(
    path: &Path,
    why: &str,
    status: &watch::Sender<JournalStatus>,
) -> Result<(), LedgerError> {
    let aside = sl_store::set_aside(path, "damaged")?;
    tracing::error!(
        aside = %aside.display(),
        why,
        "a journal file is damaged: it is set aside and a new one begun; sqlite3 can recover most \
         of it"
    );
    status.send_modify(|status| status.set_aside += 1);
    Ok(())
}

fn make_folder(path: &Path) -> Result<(), LedgerError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let failed = |source| LedgerError::Folder { doing: "make", path: path.to_path_buf(), source };
    builder.create(path).map_err(failed)
}

/// Whether a day is over so long that nothing comes late any more.
fn ended(day: i64, now: Wall) -> bool {
    files::millis(now) >= (day + 1) * DAY_MS + LINGER_MS
}
