//! From rows to roll-ups. The writer and whoever makes the sums again both come through here.

use std::sync::Arc;

use sl_store::rollup::{Deltas, Point};

use crate::{
    Judged,
    dictionary::Dictionary,
    schema::{COUNTS, SUMS},
    table::{BLOCK_EVENTS, Cell, DAY_MS, OUTCOMES, Stored, Table},
};

/// Sums of the journal that are in no file yet.
pub(crate) type Sums = Deltas<COUNTS, SUMS>;
/// Sums of one worker in one stretch of time.
pub(crate) type SumsPoint = Point<COUNTS, SUMS>;

pub(crate) const ACCEPTED: usize = 0;
pub(crate) const STALE: usize = 1;
pub(crate) const REJECTED: usize = 2;
/// The first of the four of a source's verdicts, in the order of [`OUTCOMES`].
const UP: usize = 3;
pub(crate) const DIFFICULTY: usize = 0;
pub(crate) const STALE_DIFFICULTY: usize = 1;

/// Adds a row of a day's file.
pub(crate) fn add(sums: &mut Sums, day: i64, dictionary: &Dictionary, stored: &Stored) {
    sums.upto = stored.row;
    match (stored.table, stored.cells.as_slice()) {
        (Table::Shares, [at, worker, _, _, difficulty, achieved, judged, missed, ..]) => {
            let Some(point) = point(sums, day, dictionary, at, worker) else { return };
            share(point, dictionary, difficulty, achieved, judged, missed);
        }
        (Table::Verdicts, [at, _, worker, _, outcome, ..]) => {
            let outcome = outcome.int().and_then(|it| usize::try_from(it).ok());
            let Some(point) = point(sums, day, dictionary, at, worker) else { return };
            if let Some(outcome) = outcome.filter(|outcome| *outcome < OUTCOMES.len())
                && let Some(count) = point.counts.get_mut(UP + outcome)
            {
                *count += 1;
            }
        }
        (Table::Blocks, [at, chain, _, _, worker, _, event, ..]) => {
            let event = event.int().and_then(|event| usize::try_from(event).ok());
            let word = event.and_then(|event| BLOCK_EVENTS.get(event));
            let (Some(word), Some(chain)) = (word, chain.text()) else { return };
            let cause: Arc<str> = format!("block.{chain}.{word}").into();
            if let Some(point) = point(sums, day, dictionary, at, worker) {
                point.cause(&cause, 1);
            }
        }
        _ => {}
    }
}

fn share(
    point: &mut SumsPoint,
    dictionary: &Dictionary,
    difficulty: &Cell,
    achieved: &Cell,
    judged: &Cell,
    missed: &Cell,
) {
    let difficulty = difficulty.real().unwrap_or(0.0);
    let [accepted, stale, rejected, ..] = &mut point.counts;
    let [sum, stale_sum] = &mut point.sums;
    match judged.int().and_then(Judged::of_code) {
        Some(Judged::Accepted) => {
            *accepted += 1;
            *sum += difficulty;
        }
        Some(Judged::Stale) => {
            *stale += 1;
            *stale_sum += difficulty;
        }
        Some(Judged::Rejected(reason)) => {
            *rejected += 1;
            point.cause(&format!("rejected.{}", reason.word()).into(), 1);
            return;
        }
        None => return,
    }
    point.best = point.best.max(achieved.real().unwrap_or(0.0));
    point.latest = difficulty;
    if let Some(set) = missed.int().filter(|set| *set != 0) {
        for coin in dictionary.coins_of(set) {
            point.cause(&format!("stale.{coin}").into(), 1);
        }
    }
}

fn point<'s>(
    sums: &'s mut Sums,
    day: i64,
    dictionary: &Dictionary,
    at: &Cell,
    worker: &Cell,
) -> Option<&'s mut SumsPoint> {
    let worker = worker.int().and_then(|row| dictionary.name_at(row))?;
    let at = day.saturating_mul(DAY_MS).saturating_add(at.int()?);
    Some(sums.point(at.div_euclid(1000), worker))
}
