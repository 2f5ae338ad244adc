//! The names of the files, and days.

use std::path::{Path, PathBuf};

use jiff::{ToSpan as _, civil::Date};
use sl_units::Wall;

use crate::{LedgerError, table::DAY_MS};

/// The file of roll-ups.
pub(crate) const ROLLUP: &str = "rollup.db";

const EPOCH: Date = Date::constant(1970, 1, 1);

/// The UTC day of an instant, in days since 1970.
pub(crate) fn day_of(at: Wall) -> i64 {
    millis(at) / DAY_MS
}

/// Milliseconds since 1970, as the files count.
pub(crate) fn millis(at: Wall) -> i64 {
    i64::try_from(at.millis()).unwrap_or(i64::MAX)
}

/// An instant from milliseconds since 1970.
pub(crate) fn wall(millis: i64) -> Wall {
    Wall::from_millis(u64::try_from(millis).unwrap_or(0))
}

/// The day as in `2026-11-22`.
pub(crate) fn day_text(day: i64) -> String {
    let date = i32::try_from(day).ok().and_then(|day| EPOCH.checked_add(day.days()).ok());
    date.map_or_else(|| format!("day {day}"), |date| date.to_string())
}

/// The file of a day.
pub(crate) fn day_path(folder: &Path, day: i64) -> PathBuf {
    folder.join(format!("shares-{}.db", day_text(day)))
}

/// The instant of a text: a day of UTC, or a day and a time with its zone.
///
/// # Errors
/// What was found, and what is allowed.
///
/// ```
/// assert_eq!(sl_ledger::instant("2026-11-22"), sl_ledger::instant("2026-11-22T01:00:00+01:00"));
/// assert!(sl_ledger::instant("yesterday").is_err());
/// ```
pub fn instant(text: &str) -> Result<Wall, String> {
    let at = match text.parse::<jiff::Timestamp>() {
        Ok(at) => Some(at.as_millisecond()),
        Err(_) => text
            .parse::<Date>()
            .ok()
            .and_then(|date| EPOCH.until(date).ok())
            .map(|span| i64::from(span.get_days()) * DAY_MS),
    };
    at.and_then(|at| u64::try_from(at).ok()).map(Wall::from_millis).ok_or_else(|| {
        let found: String = text.chars().take(40).collect();
        format!(
            "found {found:?}, allowed is a day as in 2026-11-22 or an instant as in \
             2026-11-22T08:00:00Z, from 1970 on"
        )
    })
}

/// A file of a day in the folder.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Found {
    pub(crate) day: i64,
    /// Whether it was set aside because it is damaged.
    pub(crate) aside: bool,
    pub(crate) path: PathBuf,
}

/// All files of days, the oldest first, those set aside included.
pub(crate) fn list(folder: &Path) -> Result<Vec<Found>, LedgerError> {
    let failed = |source| {
        let path = folder.to_path_buf();
        LedgerError::Folder { doing: "list", path, source }
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if let Some((day, aside)) = parse(name) {
            found.push(Found { day, aside, path });
        }
    }
    found.sort();
    Ok(found)
}

fn parse(name: &str) -> Option<(i64, bool)> {
    let (date, rest) = name.strip_prefix("shares-")?.split_at_checked(10)?;
    if rest.ends_with("-wal") || rest.ends_with("-shm") {
        return None;
    }
    let day = EPOCH.until(date.parse::<Date>().ok()?).ok()?.get_days();
    match rest {
        ".db" => Some((day.into(), false)),
        _ if rest.starts_with(".db.") => Some((day.into(), true)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_names() {
        let check = |name: &str, expect: Option<(i64, bool)>| assert_eq!(parse(name), expect);
        check("shares-1970-01-01.db", Some((0, false)));
        check("shares-2026-11-22.db", Some((20_779, false)));
        check("shares-2026-11-22.db.damaged", Some((20_779, true)));
        check("shares-2026-11-22.db.damaged-wal", None);
        check("shares-2026-11-22.db-shm", None);
        check("shares-2026-13-22.db", None);
        check("shares-2026-11-22.txt", None);
        check("rollup.db", None);
        assert_eq!(day_text(20_779), "2026-11-22");
        assert_eq!(day_of(Wall::from_millis(20_779 * 86_400_000 + 86_399_999)), 20_779);
        assert_eq!(day_text(i64::MAX), format!("day {}", i64::MAX));
    }
}
