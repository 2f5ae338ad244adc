use std::{
    collections::{BTreeMap, HashSet},
    path::Path,
    sync::Arc,
};

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use sl_store::{
    StoreError,
    rollup::{Rollup, TOTAL},
};
use sl_units::Hash256;

use crate::{
    LedgerError,
    day::{Chain, DayFile, WINDOW, chain_text, cut},
    files::{self, Found, ROLLUP, day_text},
    proof::{Proofs, Sample},
    schema,
    tally::{self, ACCEPTED, REJECTED, STALE, Sums, SumsPoint},
};

/// Findings of one file that are told; the rest is counted.
const MOST_FINDINGS: usize = 20;

/// What a look at the whole journal found.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Verified {
    /// Whether nothing is wrong.
    pub ok: bool,
    /// The files of days, oldest first.
    pub files: Vec<VerifiedFile>,
    /// Shares of all of them.
    pub shares: ShareSums,
    /// Points of the roll-ups that agree with the rows.
    pub rollup_points: u64,
    /// Shares whose hash was made again.
    pub proofs: Proofs,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// Findings beyond those.
    pub more_findings: u64,
    /// Damaged files that were set aside earlier: what was in them is in nothing else.
    pub set_aside: Vec<String>,
    /// Files that could not be looked at.
    pub unread: Vec<String>,
}

/// Shares by our own verdict.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct ShareSums {
    /// Those that count.
    pub accepted: u64,
    /// Those that came too late.
    pub stale: u64,
    /// Those that do not count.
    pub rejected: u64,
}

/// One day's file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct VerifiedFile {
    /// Its day, as in `2026-11-22`.
    pub day: String,
    /// Its rows.
    pub rows: i64,
    /// Its commits.
    pub commits: u64,
    /// Its shares.
    pub shares: ShareSums,
    /// Where its chain ends. Whoever keeps this elsewhere sees later whether anything before it
    /// was changed.
    pub chain: String,
    /// Rows that are not in the roll-ups yet.
    pub rows_to_roll_up: i64,
}

/// Something that is wrong.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Finding {
    /// Where: a day or `rollup.db`.
    pub place: String,
    /// What kind: `damage`, `gap`, `chain`, `link`, `rollup`, `proof`.
    pub kind: &'static str,
    /// What exactly.
    pub text: String,
}

/// Looks at every file of a journal, also while it is written: SQLite's own check, the rows
/// without a gap, the running hash over them, the link from file to file, the roll-ups against the
/// rows, and the hashes of about `sample` shares a file, made again by `hash`.
///
/// # Errors
/// There is no journal, or its folder cannot be listed.
pub async fn verify(
    folder: &Path,
    sample: u64,
    hash: &mut (dyn FnMut(&[u8; 80]) -> Hash256 + Send),
) -> Result<Verified, LedgerError> {
    let found = if folder.exists() { files::list(folder)? } else { Vec::new() };
    if found.is_empty() {
        return Err(LedgerError::Nothing { path: folder.to_path_buf() });
    }
    let mut look = Look { told: Verified::default(), sums: BTreeMap::new(), whole: HashSet::new() };
    // One view of the roll-ups, older than what is read of the files: those only grow.
    let mut rollup = look.rollup(&folder.join(ROLLUP)).await;
    let mut proof = Sample::new(sample, hash);
    let mut former = None;
    for file in &found {
        if file.aside {
            look.told.set_aside.push(name(&file.path));
        } else if let Err(error) = look.file(file, rollup.as_mut(), &mut proof, &mut former).await {
            if error.is_damage() {
                look.find(&day_text(file.day), "damage", error.to_string());
            } else {
                look.told.unread.push(error.to_string());
            }
        }
    }
    look.told.proofs = proof.proofs;
    if let Some((rollup, sources)) = &mut rollup
        && let Err(error) = look.compare(rollup, sources).await
    {
        look.find(ROLLUP, "damage", error.to_string());
    }
    look.told.ok = look.told.findings.is_empty() && look.told.unread.is_empty();
    Ok(look.told)
}

/// A file's roll-ups and how far each file is in them.
type Sources = Vec<(String, String, i64)>;
type Summed = Rollup<{ schema::COUNTS }, { schema::SUMS }>;

struct Look {
    told: Verified,
    /// What the roll-ups should hold: minutes of the total, hours and days of all.
    sums: BTreeMap<(i64, i64, Arc<str>), SumsPoint>,
    /// The identities of files whose rows were all read.
    whole: HashSet<String>,
}

impl Look {
    async fn rollup(&mut self, path: &Path) -> Option<(Summed, Sources)> {
        if !path.exists() {
            self.find(ROLLUP, "damage", "the file is missing; the next start makes it".into());
            return None;
        }
        let opened = async {
            let mut rollup = Rollup::open_read(path, &schema::ROLLUP).await?;
            let wrong = rollup.database().check().await?;
            rollup.database().run("read", "BEGIN").await?;
            let sources = rollup.sources().await?;
            Ok::<_, StoreError>((rollup, sources, wrong))
        };
        match opened.await {
            Ok((rollup, sources, wrong)) => {
                wrong.into_iter().for_each(|text| self.find(ROLLUP, "damage", text));
                Some((rollup, sources))
            }
            Err(error) => {
                self.find(ROLLUP, "damage", error.to_string());
                None
            }
        }
    }

    async fn file(
        &mut self,
        found: &Found,
        rollup: Option<&mut (Summed, Sources)>,
        proof: &mut Sample<'_>,
        former: &mut Option<DayFile>,
    ) -> Result<(), LedgerError> {
        let mut file = DayFile::open_read(&found.path).await?;
        let day = day_text(found.day);
        for text in file.database.check().await? {
            self.find(&day, "damage", text);
        }
        if let Some(former) = former
            && file.head.follows == day_text(former.head.day)
            && !knows(former, &file.head.follows_chain).await?
        {
            let text = format!(
                "it was begun after {} when that file's chain was at {}, which it never was",
                file.head.follows,
                chain_text(&file.head.follows_chain)
            );
            self.find(&day, "link", text);
        }
        let identity = file.head.identity();
        let mark = rollup.map_or(0, |(_, sources)| {
            sources.iter().find(|(source, ..)| *source == identity).map_or(0, |(.., row)| *row)
        });
        let told = self.walk(&mut file, mark, proof).await?;
        if mark > file.last {
            let text = format!(
                "the roll-ups hold its rows up to {mark}, and it ends at {}: rows are gone",
                file.last
            );
            self.find(&day, "gap", text);
        } else {
            self.whole.insert(identity);
        }
        let all = &mut self.told.shares;
        all.accepted += told.shares.accepted;
        all.stale += told.shares.stale;
        all.rejected += told.shares.rejected;
        self.told.files.push(told);
        *former = Some(file);
        Ok(())
    }

    /// Reads all rows in order: numbers, chain, sums, proofs.
    async fn walk(
        &mut self,
        file: &mut DayFile,
        mark: i64,
        proof: &mut Sample<'_>,
    ) -> Result<VerifiedFile, LedgerError> {
        let place = day_text(file.head.day);
        let mut told = VerifiedFile {
            day: place.clone(),
            rows: file.last,
            commits: 0,
            shares: ShareSums::default(),
            chain: chain_text(&file.chain),
            rows_to_roll_up: (file.last - mark).max(0),
        };
        let mut hash = Sha256::new_with_prefix(file.head.chain());
        let mut expected = 1;
        let mut broken = false;
        let mut after = 0;
        proof.begin(file).await?;
        while after < file.last {
            // A stretch ends at the watermark, so that its sums are wholly in or wholly out.
            let mut upto = (after + WINDOW).min(file.last);
            if after < mark {
                upto = upto.min(mark);
            }
            let rows = file.rows(after, upto).await?;
            let commits = file.commits(after, upto).await?;
            let mut commits = commits.into_iter().peekable();
            let mut sums = Sums::after(after);
            for stored in &rows {
                if stored.row != expected {
                    let text = missing(expected, stored.row - 1);
                    self.find(&place, "gap", text);
                }
                expected = stored.row + 1;
                stored.chain(&mut hash);
                tally::add(&mut sums, file.head.day, &file.dictionary, stored);
                if let Some(wrong) = proof.look(file, stored) {
                    self.find(&place, "proof", wrong);
                }
                while let Some((row, chain)) = commits.next_if(|(row, _)| *row <= stored.row) {
                    told.commits += 1;
                    let value = cut(std::mem::take(&mut hash));
                    if !broken && chain != value {
                        // What comes after it follows from the first.
                        broken = true;
                        let text = format!(
                            "the chain breaks at row {row}: a row up to there was changed, left \
                             out or put in"
                        );
                        self.find(&place, "chain", text);
                    }
                    hash = Sha256::new_with_prefix(Chain::try_from(chain).unwrap_or(value));
                }
            }
            self.count(&mut told.shares, &sums, upto <= mark);
            after = upto;
        }
        if expected <= file.last {
            self.find(&place, "gap", missing(expected, file.last));
        }
        Ok(told)
    }

    fn count(&mut self, shares: &mut ShareSums, sums: &Sums, rolled_up: bool) {
        for ((period, start, series), point) in sums.points() {
            let total = *series == *TOTAL;
            if period == 86_400 && total {
                shares.accepted += point.counts[ACCEPTED];
                shares.stale += point.counts[STALE];
                shares.rejected += point.counts[REJECTED];
            }
            if rolled_up && (period > 60 || total) {
                self.sums.entry((period, start, series)).or_default().add(&point);
            }
        }
    }

    /// The roll-ups of all days whose rows are all there against the sums of these.
    async fn compare(&mut self, rollup: &mut Summed, sources: &Sources) -> Result<(), StoreError> {
        let of_day = |day: &str| {
            sources
                .iter()
                .filter(|(_, label, _)| label == day)
                .all(|(source, ..)| self.whole.contains(source))
        };
        let mut days: Vec<_> =
            self.told.files.iter().map(|file| file.day.clone()).filter(|day| of_day(day)).collect();
        days.dedup();
        for day in days {
            let Ok(date) = day.parse::<jiff::civil::Date>() else { continue };
            let Ok(span) = jiff::civil::date(1970, 1, 1).until(date) else { continue };
            let begin = i64::from(span.get_days()) * 86_400;
            for (period, series) in [(60, Some(TOTAL)), (3600, None), (86_400, None)] {
                let points = rollup.read(period, begin, begin + 86_400, series).await?;
                self.compare_points(period, begin, points);
            }
        }
        Ok(())
    }

    fn compare_points(&mut self, period: i64, begin: i64, points: Vec<(i64, Arc<str>, SumsPoint)>) {
        let from = (period, begin, Arc::<str>::from(TOTAL));
        let to = (period, begin + 86_400, Arc::<str>::from(TOTAL));
        let mut expected: BTreeMap<_, _> =
            self.sums.range(from..to).map(|(key, point)| (key.clone(), point.clone())).collect();
        for (start, series, point) in points {
            match expected.remove(&(period, start, Arc::clone(&series))) {
                Some(rows) if same(&rows, &point) => self.told.rollup_points += 1,
                Some(rows) => {
                    let text = format!(
                        "{}: the roll-up says {}, the rows say {}",
                        point_name(period, start, &series),
                        words(&point),
                        words(&rows)
                    );
                    self.find(ROLLUP, "rollup", text);
                }
                None => {
                    let text =
                        format!("{}: there are no such rows", point_name(period, start, &series));
                    self.find(ROLLUP, "rollup", text);
                }
            }
        }
        for (_, start, series) in expected.into_keys() {
            let text = format!("{}: rows that it lacks", point_name(period, start, &series));
            self.find(ROLLUP, "rollup", text);
        }
    }

    fn find(&mut self, place: &str, kind: &'static str, text: String) {
        let known = self.told.findings.iter().filter(|it| it.place == place && it.kind == kind);
        if known.count() < MOST_FINDINGS {
            self.told.findings.push(Finding { place: place.to_owned(), kind, text });
        } else {
            self.told.more_findings += 1;
        }
    }
}

/// Whether a file's chain was ever at this value.
async fn knows(file: &mut DayFile, chain: &[u8]) -> Result<bool, StoreError> {
    if file.head.chain() == *chain {
        return Ok(true);
    }
    let row = sqlx::query("SELECT 1 FROM commits WHERE chain = ?1")
        .bind(chain.to_vec())
        .fetch_optional(file.database.connection())
        .await;
    row.map(|row| row.is_some()).map_err(|error| file.database.error("read", &error))
}

fn same(one: &SumsPoint, other: &SumsPoint) -> bool {
    let causes = |point: &SumsPoint| {
        let mut causes = point.causes.clone();
        causes.sort();
        causes
    };
    // Sums were made in another order, which floating point tells.
    let near = |(one, other): (&f64, &f64)| (one - other).abs() <= 1e-9 * one.abs().max(1.0);
    one.counts == other.counts
        && one.sums.iter().zip(&other.sums).all(near)
        && one.best == other.best
        && causes(one) == causes(other)
}

fn words(point: &SumsPoint) -> String {
    let [accepted, stale, rejected, ..] = point.counts;
    format!("{accepted} accepted, {stale} stale, {rejected} rejected")
}

fn point_name(period: i64, start: i64, series: &str) -> String {
    let period = match period {
        60 => "minute",
        3600 => "hour",
        _ => "day",
    };
    let at =
        jiff::Timestamp::from_second(start).map_or_else(|_| start.to_string(), |at| at.to_string());
    let series = if series == TOTAL { "all workers".to_owned() } else { format!("{series:?}") };
    format!("{period} {at} of {series}")
}

fn missing(from: i64, to: i64) -> String {
    if from == to {
        format!("row {from} is missing")
    } else {
        format!("rows {from} to {to} are missing")
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
