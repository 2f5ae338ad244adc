//! The journal as a part of the whole: its settings, and where it lies.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use sl_config::ByteSize;
use sl_ledger::Options;

const DAY: u64 = 86_400;

sl_config::settings! {
    /// The journal of shares, blocks, jobs and slots.
    pub struct JournalSettings {
        /// Keep one: a machine has its answer when its share is on the disk. Without, shares are
        /// acknowledged at once, and a restart knows nothing of before.
        restart enabled: bool = true,
        /// Its folder; a relative path lies in the data folder.
        restart folder: PathBuf = "journal",
        /// How long shares are kept one by one, in whole days; sums by minute, hour and day stay.
        restart keep_raw: Duration = "7d" in "1d"..="3650d",
        /// Most bytes of the whole journal; the oldest days go first, never today. None leaves it
        /// to the disk.
        restart disk_budget: Option<ByteSize>,
    }
}

impl JournalSettings {
    /// Where the journal of a data folder lies.
    #[must_use]
    pub fn folder_in(&self, data: &Path) -> PathBuf {
        data.join(&self.folder)
    }

    /// What the journal of a data folder is to be; `None` where none is kept.
    #[must_use]
    pub fn options_in(&self, data: &Path) -> Option<Options> {
        let days = self.keep_raw.as_secs().div_ceil(DAY);
        self.enabled.then(|| Options {
            keep_raw: u32::try_from(days).unwrap_or(u32::MAX),
            disk_budget: self.disk_budget.map(|size| size.0),
            ..Options::new(self.folder_in(data))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn part_of_a_day_is_kept_as_a_whole_one() {
        let data = Path::new("/data");
        let check = |keep, days| {
            let keep_raw = Duration::from_secs(keep);
            let settings = JournalSettings { keep_raw, ..JournalSettings::default() };
            let options = settings.options_in(data).expect("it is on");
            assert_eq!((options.keep_raw, options.folder), (days, "/data/journal".into()));
        };
        check(7 * DAY, 7);
        check(7 * DAY + 1, 8);
        check(DAY, 1);
        let off = JournalSettings { enabled: false, ..JournalSettings::default() };
        assert_eq!(off.options_in(data), None);
    }
}
