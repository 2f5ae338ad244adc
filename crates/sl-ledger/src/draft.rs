//! From entries to rows.

use sha2::{Digest as _, Sha256};
use sl_work::{JobId, Outcome};

use crate::{
    BlockEntry, BlockEvent, BlockJob, Entry, JobEntry, ShareEntry, SlotEntry, SlotEvent,
    UpstreamEntry, VerdictEntry,
    day::Chain,
    dictionary::{Dictionary, Word},
    files::millis,
    table::{Cell, DAY_MS, Stored, Table},
};

/// Bytes of a text for people that are kept.
const TEXT_BYTES: usize = 200;
/// Bytes of an extranonce that are kept.
const EXTRANONCE_BYTES: usize = 32;

/// The rows of a commit that is being put together.
pub(crate) struct Draft<'d> {
    dictionary: &'d mut Dictionary,
    /// The number of a job, where one is known.
    number: &'d dyn Fn(&JobId) -> Option<u64>,
    day: i64,
    /// The last row so far.
    last: i64,
    chain: Sha256,
    rows: Vec<Stored>,
}

/// The rows of a commit.
#[derive(Debug)]
pub(crate) struct Drafted {
    pub(crate) rows: Vec<Stored>,
    pub(crate) last: i64,
    pub(crate) chain: Chain,
}

impl<'d> Draft<'d> {
    /// Rows behind `last`, where the chain is at `chain`.
    pub(crate) fn new(
        dictionary: &'d mut Dictionary,
        number: &'d dyn Fn(&JobId) -> Option<u64>,
        day: i64,
        last: i64,
        chain: &Chain,
    ) -> Self {
        let chain = Sha256::new_with_prefix(chain);
        Self { dictionary, number, day, last, chain, rows: Vec::new() }
    }

    pub(crate) fn entry(&mut self, entry: &Entry) {
        let (table, cells) = match entry {
            Entry::Share(it) => (Table::Shares, self.share(it)),
            Entry::Verdict(it) => (Table::Verdicts, self.verdict(it)),
            Entry::Block(it) => (Table::Blocks, self.block(it)),
            Entry::Job(it) => (Table::Jobs, self.job(it)),
            Entry::Upstream(it) => (Table::Upstreams, self.upstream(it)),
            Entry::Slot(it) => (Table::Slots, self.slot(it)),
        };
        let row = self.last + 1;
        self.put(Stored { table, row, cells });
    }

    pub(crate) fn finish(self) -> Drafted {
        Drafted { rows: self.rows, last: self.last, chain: crate::day::cut(self.chain) }
    }

    fn share(&mut self, it: &ShareEntry) -> Vec<Cell> {
        let solution = it.solution.as_ref();
        vec![
            self.at(it.at),
            self.name(&it.worker),
            count(it.slot),
            count(it.job),
            Cell::Real(it.difficulty.get()),
            it.achieved.map_or(Cell::Null, |it| Cell::Real(it.get())),
            Cell::Int(it.judged.code()),
            self.coins(&it.missed),
            it.ticket.map_or(Cell::Null, |it| count(it.get())),
            solution.map_or(Cell::Null, |it| {
                let kept = it.extranonce.len().min(EXTRANONCE_BYTES);
                Cell::Bytes(it.extranonce.iter().take(kept).copied().collect())
            }),
            solution.map_or(Cell::Null, |it| bits(it.version)),
            solution.map_or(Cell::Null, |it| {
                Cell::Int(i64::from(it.ntime) - self.day.saturating_mul(86_400))
            }),
            solution.map_or(Cell::Null, |it| bits(it.nonce)),
        ]
    }

    fn verdict(&mut self, it: &VerdictEntry) -> Vec<Cell> {
        let (outcome, credited, missed, why) = match &it.outcome {
            Outcome::Accepted { credited, missed } => (0, &credited[..], &missed[..], None),
            Outcome::Stale { reason } => (1, &[][..], &[][..], Some(reason)),
            Outcome::Rejected { reason } => (2, &[][..], &[][..], Some(reason)),
            Outcome::Lost { reason } => (3, &[][..], &[][..], Some(reason)),
        };
        vec![
            self.at(it.at),
            count(it.ticket.get()),
            self.name(&it.worker),
            self.name(&it.source.to_string()),
            Cell::Int(outcome),
            self.coins(credited),
            self.coins(missed),
            why.map_or(Cell::Null, |why| text(why)),
        ]
    }

    fn block(&mut self, it: &BlockEntry) -> Vec<Cell> {
        let (event, why) = match &it.event {
            BlockEvent::Found => (0, None),
            BlockEvent::Accepted => (1, None),
            BlockEvent::Rejected(why) => (2, Some(why)),
            BlockEvent::Orphaned => (3, None),
        };
        let job = match &it.job {
            BlockJob::Number(number) => *number,
            BlockJob::Id(id) => (self.number)(id).unwrap_or_default(),
        };
        vec![
            self.at(it.at),
            Cell::Text(it.chain.as_str().into()),
            count(it.height),
            Cell::Text(it.hash.to_string().into()),
            self.name(&it.worker),
            count(job),
            Cell::Int(event),
            why.map_or(Cell::Null, |why| text(why)),
        ]
    }

    fn job(&mut self, it: &JobEntry) -> Vec<Cell> {
        vec![
            self.at(it.at),
            count(it.number),
            self.name(&it.source.to_string()),
            count(it.sequence),
            count(it.epoch),
            Cell::Bytes(it.blob.to_vec()),
        ]
    }

    fn upstream(&mut self, it: &UpstreamEntry) -> Vec<Cell> {
        vec![self.at(it.at), self.name(&it.source.to_string()), text(&it.event), text(&it.why)]
    }

    fn slot(&mut self, it: &SlotEntry) -> Vec<Cell> {
        vec![
            self.at(it.at),
            count(it.slot),
            Cell::Int(match it.event {
                SlotEvent::Held => 0,
                SlotEvent::Released => 1,
            }),
            text(&it.session),
            self.name(&it.worker),
            text(&it.address),
            it.user_agent.as_ref().map_or(Cell::Null, |it| text(it)),
            it.difficulty.map_or(Cell::Null, |it| Cell::Real(it.get())),
        ]
    }

    fn at(&self, at: sl_units::Wall) -> Cell {
        Cell::Int(millis(at) - self.day.saturating_mul(DAY_MS))
    }

    fn name(&mut self, name: &str) -> Cell {
        let word = self.dictionary.name(name, self.last + 1);
        Cell::Int(self.word(word))
    }

    fn coins(&mut self, coins: &[sl_chain::coins::Ticker]) -> Cell {
        let mut set = 0;
        for coin in coins {
            let word = self.dictionary.coin(coin.as_str(), self.last + 1);
            set |= 1_i64 << self.word(word);
        }
        Cell::Int(set)
    }

    fn word(&mut self, word: Word) -> i64 {
        match word {
            Word::Known(number) => number,
            Word::New(stored) => {
                let number = match stored.cells.first() {
                    Some(Cell::Int(bit)) => *bit,
                    _ => stored.row,
                };
                self.dictionary.learn(&stored);
                self.put(stored);
                number
            }
        }
    }

    fn put(&mut self, stored: Stored) {
        self.last = stored.row;
        stored.chain(&mut self.chain);
        self.rows.push(stored);
    }
}

fn count(number: u64) -> Cell {
    Cell::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

fn bits(number: u32) -> Cell {
    Cell::Int(number.cast_signed().into())
}

fn text(text: &str) -> Cell {
    Cell::Text(text[..text.floor_char_boundary(TEXT_BYTES)].into())
}
