//! Licences of third parties, and packages that are in the lock file more than once.

use std::collections::{BTreeMap, BTreeSet};

use crate::cargo::Package;

/// Licences that fit a program under MIT or Apache-2.0. `MPL-2.0` asks for its own files to stay open, and they do.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    // MIT and "no false attribution"; of a test oracle's dependency.
    "MITNFA",
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// The packages whose licence is none of the allowed ones, a line each.
pub(crate) fn refused(packages: &[&Package]) -> Vec<String> {
    packages
        .iter()
        .filter_map(|package| match package.licence.as_deref() {
            Some(licence) if allowed(licence) => None,
            Some(licence) => Some(format!(
                "{} {}: licence {licence} is not on the list",
                package.name, package.version
            )),
            None => Some(format!("{} {}: states no licence", package.name, package.version)),
        })
        .collect()
}

/// Packages with several incompatible versions, as "name 0.1, 0.2".
pub(crate) fn duplicates(packages: &[&Package]) -> Vec<String> {
    let mut versions: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for package in packages {
        versions.entry(&package.name).or_default().insert(epoch(&package.version));
    }
    let several = versions.into_iter().filter(|(_, versions)| versions.len() > 1);
    several
        .map(|(name, versions)| {
            format!("{name} {}", versions.into_iter().collect::<Vec<_>>().join(", "))
        })
        .collect()
}

/// What cargo holds to be incompatible: the first part of a version that is not zero, and those before it.
fn epoch(version: &str) -> String {
    let parts: Vec<&str> = version.split(['.', '-', '+']).take(3).collect();
    let end = parts.iter().position(|part| *part != "0").map_or(parts.len(), |at| at + 1);
    parts[..end].join(".")
}

/// Whether an SPDX expression (with the old `/` for `OR`) can be met with allowed licences.
fn allowed(expression: &str) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    either(&words, &mut at) && at == words.len()
}

/// `all { OR all }`
fn either(words: &[&str], at: &mut usize) -> bool {
    let mut met = all(words, at);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        met |= all(words, at);
    }
    met
}

/// `one { AND one }`
fn all(words: &[&str], at: &mut usize) -> bool {
    let mut met = one(words, at);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        met &= one(words, at);
    }
    met
}

/// `( either )` or a licence, with its exception
fn one(words: &[&str], at: &mut usize) -> bool {
    let Some(&word) = words.get(*at) else { return false };
    *at += 1;
    if word == "(" {
        let met = either(words, at);
        let closed = words.get(*at) == Some(&")");
        *at += 1;
        return met && closed;
    }
    if words.get(*at) == Some(&"WITH") {
        let exception = words.get(*at + 1).copied().unwrap_or_default();
        *at += 2;
        return ALLOWED.contains(&format!("{word} WITH {exception}").as_str());
    }
    ALLOWED.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_met_or_not() {
        for good in [
            "MIT",
            "MIT/Apache-2.0",
            "MIT OR Apache-2.0 OR LGPL-2.1-or-later",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT",
            "GPL-3.0 OR (MIT AND (ISC OR Zlib))",
        ] {
            assert!(allowed(good), "{good}");
        }
        for bad in [
            "",
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "Apache-2.0 WITH other",
            "(MIT",
            "MIT MIT",
            "GPL-3.0 OR",
            "OR MIT",
        ] {
            assert!(!allowed(bad), "{bad}");
        }
    }

    #[test]
    fn packages_are_refused_and_duplicates_told() {
        let package = |name: &str, version: &str, licence: Option<&str>| Package {
            name: name.into(),
            version: version.into(),
            licence: licence.map(str::to_owned),
            ..Package::default()
        };
        let (a, b, c) = (
            package("a", "1.2.3", Some("MIT")),
            package("a", "1.3.0", None),
            package("a", "2.0.0", Some("X")),
        );
        assert_eq!(
            refused(&[&a, &b, &c]),
            ["a 1.3.0: states no licence", "a 2.0.0: licence X is not on the list"]
        );
        assert_eq!(duplicates(&[&a, &b]), [""; 0]);
        assert_eq!(duplicates(&[&a, &b, &c]), ["a 1, 2"]);
        assert_eq!(
            duplicates(&[&package("b", "0.1.4", None), &package("b", "0.2.1", None)]),
            ["b 0.1, 0.2"]
        );
    }
}
