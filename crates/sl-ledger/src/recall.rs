use std::{
    collections::{BTreeMap, HashSet},
    path::Path,
};

use sl_store::rollup::{Rollup, Span};
use sl_units::{HashRate, ShareDifficulty, Wall};
use sl_work::{SourceId, WorkerName};

use crate::{
    JobEntry, LedgerError, SlotEntry, SlotEvent, Solution,
    day::{DayFile, WINDOW},
    files::{self, millis, wall},
    schema,
    table::{Cell, DAY_MS, Stored, Table},
    tally::{DIFFICULTY, STALE_DIFFICULTY},
};

/// Shares of living jobs that are recalled; older ones are left out.
const MOST_SHARES: usize = 200_000;
/// How far back rates are taken, in seconds.
const RATE_SPAN: i64 = 3600;

/// What a gateway needs to go on where the last one ended.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Recalled {
    /// Slots that were held, by number.
    pub slots: Vec<SlotEntry>,
    /// What was known of the workers, over the last hour before the instant asked for and since.
    pub workers: Vec<WorkerMemory>,
    /// Jobs that were given out since the instant asked for, oldest first.
    pub jobs: Vec<RecalledJob>,
    /// What machines sent for these jobs, so that it can be known again: at most the latest
    /// 200,000 shares.
    pub shares: Vec<RecalledShare>,
    /// The highest number of a job; 0 if there was none.
    pub last_job: u64,
    /// The highest ticket; 0 if there was none.
    pub last_ticket: u64,
}

/// A job of before: its entry, compared by number.
#[derive(Clone, Debug)]
pub struct RecalledJob(pub JobEntry);

/// A worker as it was.
#[derive(Clone, PartialEq, Debug)]
pub struct WorkerMemory {
    /// Its name.
    pub worker: WorkerName,
    /// What it proved in that time.
    pub rate: HashRate,
    /// The difficulty of its last share.
    pub difficulty: Option<ShareDifficulty>,
}

/// A share of before that was no duplicate.
#[derive(Clone, PartialEq, Debug)]
pub struct RecalledShare {
    /// Its job's number.
    pub job: u64,
    /// What makes it known again.
    pub solution: Solution,
}

impl PartialEq for RecalledJob {
    fn eq(&self, other: &Self) -> bool {
        self.0.number == other.0.number
    }
}

/// Reads what is to be recalled out of the newest files.
pub(crate) async fn recall(folder: &Path, since: Wall) -> Result<Recalled, LedgerError> {
    let mut days = Days::of(folder)?;
    let mut newest = days.newest().await;
    let mut recalled = living_of(&mut newest, since).await?;
    for file in &mut newest {
        shares_of(file, since, &mut recalled).await?;
        numbers_of(file, &mut recalled).await?;
    }
    // A number never comes twice, and pools may have been down for days: looked for until found.
    while (recalled.last_job == 0 || recalled.last_ticket == 0)
        && let Some(mut file) = days.next().await
    {
        numbers_of(&mut file, &mut recalled).await?;
    }
    recalled.workers = workers(folder, since).await?;
    Ok(recalled)
}

/// Slots and jobs alone: what a new day's file begins with.
pub(crate) async fn living(folder: &Path, since: Wall) -> Result<Recalled, LedgerError> {
    living_of(&mut Days::of(folder)?.newest().await, since).await
}

async fn living_of(files: &mut [DayFile], since: Wall) -> Result<Recalled, LedgerError> {
    let mut recalled = Recalled::default();
    let mut slots = BTreeMap::new();
    for file in files.iter_mut().rev() {
        slots_of(file, &mut slots).await?;
        jobs_of(file, since, &mut recalled).await?;
    }
    recalled.slots = slots.into_values().collect();
    Ok(recalled)
}

/// The files with commits, the newest first.
struct Days(Vec<files::Found>);

impl Days {
    fn of(folder: &Path) -> Result<Self, LedgerError> {
        let mut found = if folder.exists() { files::list(folder)? } else { Vec::new() };
        found.retain(|file| !file.aside);
        Ok(Self(found))
    }

    async fn next(&mut self) -> Option<DayFile> {
        while let Some(file) = self.0.pop() {
            match DayFile::open_read(&file.path).await {
                Ok(file) if file.last > 0 => return Some(file),
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "a day is not recalled"),
            }
        }
        None
    }

    /// The next two: the newest begins with what lived at its beginning, and the one before may
    /// have got something late.
    async fn newest(&mut self) -> Vec<DayFile> {
        let mut newest = Vec::new();
        while newest.len() < 2
            && let Some(file) = self.next().await
        {
            newest.push(file);
        }
        newest
    }
}

async fn slots_of(
    file: &mut DayFile,
    slots: &mut BTreeMap<u64, SlotEntry>,
) -> Result<(), LedgerError> {
    for stored in file.rows_of(Table::Slots, 0, file.last).await? {
        let Some(entry) = slot(file, &stored) else { continue };
        match entry.event {
            SlotEvent::Held => slots.insert(entry.slot, entry),
            SlotEvent::Released => slots.remove(&entry.slot),
        };
    }
    Ok(())
}

fn slot(file: &DayFile, stored: &Stored) -> Option<SlotEntry> {
    let [at, slot, event, session, worker, address, user_agent, difficulty] =
        stored.cells.as_slice()
    else {
        return None;
    };
    Some(SlotEntry {
        at: instant(file, at)?,
        slot: count(slot)?,
        event: if event.int()? == 0 { SlotEvent::Held } else { SlotEvent::Released },
        session: session.text()?.clone(),
        worker: file.dictionary.name_at(worker.int()?)?.clone(),
        address: address.text()?.clone(),
        user_agent: user_agent.text().cloned(),
        difficulty: difficulty.real().and_then(|it| ShareDifficulty::new(it).ok()),
    })
}

async fn jobs_of(
    file: &mut DayFile,
    since: Wall,
    recalled: &mut Recalled,
) -> Result<(), LedgerError> {
    // Their bytes are read for those alone that are wanted.
    let first = millis(since) - file.head.day * DAY_MS;
    let before =
        sqlx::query_as::<_, (i64,)>("SELECT coalesce(max(row), 0) FROM jobs WHERE at < ?1")
            .bind(first)
            .fetch_one(file.database.connection())
            .await;
    let (before,) = before.map_err(|error| file.database.error("read", &error))?;
    for stored in file.rows_of(Table::Jobs, before, file.last).await? {
        if let Some(job) = job(file, &stored)
            && job.at >= since
        {
            // A new day's file begins with the living jobs of the day before.
            recalled.jobs.retain(|known| known.0.number != job.number);
            recalled.jobs.push(RecalledJob(job));
        }
    }
    Ok(())
}

fn job(file: &DayFile, stored: &Stored) -> Option<JobEntry> {
    let [at, number, source, sequence, epoch, blob] = stored.cells.as_slice() else { return None };
    Some(JobEntry {
        at: instant(file, at)?,
        number: count(number)?,
        source: SourceId::new(file.dictionary.name_at(source.int()?)?),
        sequence: count(sequence)?,
        epoch: count(epoch)?,
        blob: bytes::Bytes::copy_from_slice(blob.bytes()?),
    })
}

/// Shares from the newest backwards, as far as `since`.
async fn shares_of(
    file: &mut DayFile,
    since: Wall,
    recalled: &mut Recalled,
) -> Result<(), LedgerError> {
    let jobs: HashSet<u64> = recalled.jobs.iter().map(|job| job.0.number).collect();
    let (mut upto, day) = (file.last, file.head.day);
    let first = millis(since) - day * DAY_MS;
    while upto > 0 && recalled.shares.len() < MOST_SHARES {
        let after = (upto - WINDOW).max(0);
        // Machines wait for this: no column is read that is not wanted.
        let rows = sqlx::query_as::<_, ShareRow>(
            "SELECT at, job, extranonce, version, ntime, nonce FROM shares \
             WHERE row > ?1 AND row <= ?2 AND judged != ?3 \
             AND extranonce IS NOT NULL AND version + ntime + nonce IS NOT NULL \
             ORDER BY row DESC",
        )
        .bind(after)
        .bind(upto)
        .bind(crate::Reason::Duplicate.code())
        .fetch_all(file.database.connection())
        .await;
        let rows = rows.map_err(|error| file.database.error("read", &error))?;
        let is_over = rows.last().is_some_and(|row| row.0 < first);
        for (_, job, extranonce, version, ntime, nonce) in rows {
            if let Ok(job) = u64::try_from(job)
                && jobs.contains(&job)
                && let Some(solution) = solution_of(day, extranonce, version, ntime, nonce)
            {
                recalled.shares.push(RecalledShare { job, solution });
            }
        }
        if is_over {
            break;
        }
        upto = after;
    }
    recalled.shares.truncate(MOST_SHARES);
    Ok(())
}

/// At, job, extranonce, version, ntime and nonce.
type ShareRow = (i64, i64, Vec<u8>, i64, i64, i64);

/// What the miner of a share chose.
pub(crate) fn solution(day: i64, stored: &Stored) -> Option<Solution> {
    let number = |column: &str| stored.cell(column).int();
    let extranonce = stored.cell("extranonce").bytes()?.to_vec();
    solution_of(day, extranonce, number("version")?, number("ntime")?, number("nonce")?)
}

fn solution_of(
    day: i64,
    extranonce: Vec<u8>,
    version: i64,
    ntime: i64,
    nonce: i64,
) -> Option<Solution> {
    let bits = |number: i64| i32::try_from(number).ok().map(i32::cast_unsigned);
    Some(Solution {
        extranonce: extranonce.into(),
        version: bits(version)?,
        ntime: u32::try_from(ntime + day * 86_400).ok()?,
        nonce: bits(nonce)?,
    })
}

async fn numbers_of(file: &mut DayFile, recalled: &mut Recalled) -> Result<(), LedgerError> {
    recalled.last_job = recalled.last_job.max(last_job(file).await?);
    recalled.last_ticket = recalled.last_ticket.max(last_ticket(file).await?);
    Ok(())
}

async fn last_job(file: &mut DayFile) -> Result<u64, LedgerError> {
    let row = sqlx::query_as::<_, (i64,)>("SELECT coalesce(max(number), 0) FROM jobs")
        .fetch_one(file.database.connection())
        .await;
    let (number,) = row.map_err(|error| file.database.error("read", &error))?;
    Ok(number.unsigned_abs())
}

/// The highest ticket of the newest stretch of rows that has one.
async fn last_ticket(file: &mut DayFile) -> Result<u64, LedgerError> {
    const STRETCH: i64 = 100_000;
    let mut upto = file.last;
    while upto > 0 {
        let row = sqlx::query_as::<_, (Option<i64>,)>(
            "SELECT max(ticket) FROM shares WHERE row > ?1 AND row <= ?2",
        )
        .bind(upto - STRETCH)
        .bind(upto)
        .fetch_one(file.database.connection())
        .await;
        let (ticket,) = row.map_err(|error| file.database.error("read", &error))?;
        if let Some(ticket) = ticket {
            return Ok(ticket.unsigned_abs());
        }
        upto -= STRETCH;
    }
    Ok(0)
}

async fn workers(folder: &Path, since: Wall) -> Result<Vec<WorkerMemory>, LedgerError> {
    let path = folder.join(files::ROLLUP);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let mut rollup = Rollup::open_read(&path, &schema::ROLLUP).await?;
    let spans = rollup.spans(60, millis(since) / 1000 - RATE_SPAN).await?;
    let memory = |span: Span<{ schema::SUMS }>| {
        let work = span.sums[DIFFICULTY] + span.sums[STALE_DIFFICULTY];
        let hashes = ShareDifficulty::new(work).map_or(0.0, ShareDifficulty::expected_hashes);
        let lasted = std::time::Duration::from_secs((span.last - span.first + 60).unsigned_abs());
        WorkerMemory {
            worker: span.series,
            rate: HashRate::from_work(hashes, lasted),
            difficulty: ShareDifficulty::new(span.latest).ok(),
        }
    };
    let mut workers: Vec<_> = spans.into_iter().map(memory).collect();
    workers.sort_by(|one, other| one.worker.cmp(&other.worker));
    Ok(workers)
}

fn instant(file: &DayFile, at: &Cell) -> Option<Wall> {
    Some(wall(file.head.day * DAY_MS + at.int()?))
}

fn count(cell: &Cell) -> Option<u64> {
    u64::try_from(cell.int()?).ok()
}
