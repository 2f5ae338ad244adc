//! The name that was probably meant.

/// The candidate nearest to what was written, if one is near: case, `-` and `_` do not count, and
/// a third of the letters may differ.
pub(crate) fn nearest<'a>(
    written: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    /// Longer names are nobody's typing mistake.
    const LONGEST: usize = 64;
    if written.len() > LONGEST {
        return None;
    }
    let written = plain(written);
    let limit = (written.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&written, &plain(name)), name))
        .filter(|(distance, name)| *distance <= limit && *distance < name.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

fn plain(name: &str) -> String {
    name.chars()
        .filter(|letter| !matches!(letter, '-' | '_' | ' '))
        .map(|letter| letter.to_ascii_lowercase())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn near_and_far() {
        let names = ["listen", "shares_per_minute", "mode"];
        for (written, expect) in [
            ("listn", Some("listen")),
            ("Listen", Some("listen")),
            ("sharesPerMinute", Some("shares_per_minute")),
            ("moed", Some("mode")),
            ("wallet", None),
            ("", None),
        ] {
            assert_eq!(nearest(written, names), expect, "{written}");
        }
    }
}
