use std::sync::Arc;

/// How the journal's writer fares. Counters are of this run of the program.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct JournalStatus {
    /// Whether entries are being written.
    pub writing: bool,
    /// Why the last commit failed; `None` once one has succeeded again.
    pub failing: Option<Arc<str>>,
    /// Commits that are on the disk.
    pub commits: u64,
    /// Entries in them.
    pub entries: u64,
    /// Shares among them.
    pub shares: u64,
    /// Entries whose commit failed.
    pub failed: u64,
    /// Damaged files that were set aside.
    pub set_aside: u64,
    /// Raw days that were removed because they were older than what is kept.
    pub removed_by_age: u64,
    /// Raw days that were removed because the folder was over its budget.
    pub removed_by_budget: u64,
    /// Bytes of the folder, found once a minute.
    pub bytes: u64,
    /// Days with raw rows.
    pub days: u32,
    /// Whether the folder is over its budget and nothing more may be removed.
    pub over_budget: bool,
}
