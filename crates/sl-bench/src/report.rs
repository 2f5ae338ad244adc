//! The figures, as JSON and as a table for people.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use serde::{Deserialize, Serialize};

use crate::{BenchError, Scenario};

/// Above the table on a page.
const HEADING: &str = "\n## Figures\n\n";

/// What a figure is held against.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// It is for information.
    None,
    /// A matter of speed or size: at most this. Falling short is told, and no failure.
    AtMost(f64),
    /// A matter of being right: this, and nothing else.
    Is(f64),
    /// A matter of being right: at least this.
    AtLeast(f64),
}

/// One figure.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Figure {
    /// What it is.
    pub name: String,
    /// How much; `None` where it could not be told.
    pub value: Option<f64>,
    /// Of what.
    pub unit: String,
    /// What is wanted.
    pub bound: Bound,
}

impl Figure {
    /// A figure for information.
    #[must_use]
    pub fn new(name: &str, value: f64, unit: &str) -> Self {
        let value = value.is_finite().then_some(value);
        Self { name: name.into(), value, unit: unit.into(), bound: Bound::None }
    }

    /// Held against this.
    #[must_use]
    pub fn wanted(self, bound: Bound) -> Self {
        Self { bound, ..self }
    }

    /// Whether it is as wanted.
    #[must_use]
    pub fn is_met(&self) -> bool {
        let met = |value: f64| match self.bound {
            Bound::None => true,
            Bound::AtMost(most) => value <= most,
            Bound::Is(wanted) => (value - wanted).abs() < 1e-9,
            Bound::AtLeast(least) => value >= least,
        };
        self.value.map_or(self.bound == Bound::None, met)
    }

    /// Whether it is right, however fast.
    fn is_right(&self) -> bool {
        matches!(self.bound, Bound::AtMost(_)) || self.is_met()
    }
}

/// The figures of one scenario.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct Scene {
    /// The day, as in 2026-11-22.
    #[serde(default)]
    pub day: String,
    /// CPUs that other programs took meanwhile, in the mean; `None` where the system does not tell.
    #[serde(default)]
    pub others: Option<f64>,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Whether it was cut short.
    pub quick: bool,
    /// Why it could not be carried out.
    pub failed: Option<String>,
    /// What came of it.
    pub figures: Vec<Figure>,
}

/// The figures of all scenarios.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// The processor.
    pub processor: String,
    /// CPUs that the bench could use.
    pub cpus: usize,
    /// By scenario.
    pub scenarios: BTreeMap<String, Scene>,
}

impl Report {
    /// The figures of before, so that a scenario alone replaces its own only.
    pub(crate) fn read(path: &Path) -> Self {
        fs::read(path).ok().and_then(|it| serde_json::from_slice(&it).ok()).unwrap_or_default()
    }

    pub(crate) fn write(&self, path: &Path) -> Result<(), BenchError> {
        fs::write(path, self.json() + "\n")
            .map_err(BenchError::io(format!("writing {}", path.display())))
    }

    /// Puts the table under the last heading of a page, which is `## Figures`.
    pub(crate) fn write_page(&self, path: &Path) -> Result<(), BenchError> {
        let page = fs::read_to_string(path);
        let page = page.map_err(BenchError::io(format!("reading {}", path.display())))?;
        let (before, _) = page.split_once(HEADING).ok_or_else(|| {
            BenchError::Part(format!("{} has no heading {:?}", path.display(), HEADING.trim()))
        })?;
        fs::write(path, format!("{before}{HEADING}{}", self.table()))
            .map_err(BenchError::io(format!("writing {}", path.display())))
    }

    /// All of it as JSON.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// Whether every scenario was carried out and whatever must be right is right.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        let kept =
            |scene: &Scene| scene.failed.is_none() && scene.figures.iter().all(Figure::is_right);
        self.scenarios.values().all(kept)
    }

    /// Tables for people: when each scenario was run, and the figures.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = format!("{}, {} CPUs.\n\n", self.processor, self.cpus);
        text += "| scenario | day | took | other programs took meanwhile |\n|---|---|---|---|\n";
        let known = || Scenario::ALL.iter().map(|scenario| scenario.name());
        for (name, scene) in known().filter_map(|name| self.scenarios.get_key_value(name)) {
            let (name, day) = (scene.titled(name), &scene.day);
            let others = scene.others.map_or_else(|| "unknown".into(), shown);
            // Writing to a string cannot fail.
            let _ =
                writeln!(text, "| {name} | {day} | {:.0} s | {others} of a CPU |", scene.seconds);
        }
        text += "\n";
        text += Self::HEAD;
        for name in known() {
            text += &self.rows(name);
        }
        text
    }

    /// Above the rows of the figures.
    pub(crate) const HEAD: &str =
        "| scenario | figure | measured | wanted | |\n|---|---|---|---|---|\n";

    /// The rows of one scenario; nothing where it was not run.
    pub(crate) fn rows(&self, name: &str) -> String {
        let mut text = String::new();
        let Some(scene) = self.scenarios.get(name) else { return text };
        let name = scene.titled(name);
        if let Some(failed) = &scene.failed {
            let failed = failed.replace(['\n', '|'], " ");
            let _ = writeln!(text, "| {name} | not carried out: {failed} | | | ✗ |");
        }
        for figure in &scene.figures {
            let wanted = match figure.bound {
                Bound::None => String::new(),
                Bound::AtMost(most) => format!("≤ {}", shown(most)),
                Bound::Is(wanted) => shown(wanted),
                Bound::AtLeast(least) => format!("≥ {}", shown(least)),
            };
            let mark = match (figure.bound, figure.is_met()) {
                (Bound::None, _) => "",
                (_, true) => "✓",
                (_, false) => "✗",
            };
            let value = figure.value.map_or_else(|| "unknown".into(), shown);
            let (what, unit) = (&figure.name, &figure.unit);
            let _ = writeln!(text, "| {name} | {what} | {value} {unit} | {wanted} | {mark} |");
        }
        text
    }
}

impl Scene {
    fn titled(&self, name: &str) -> String {
        if self.quick { format!("{name} (quick)") } else { name.to_owned() }
    }
}

/// Three digits, or all of a whole number.
fn shown(value: f64) -> String {
    match value {
        _ if value.fract().abs() < 1e-9 && value.abs() < 1e12 => format!("{value:.0}"),
        _ if value.abs() >= 100.0 => format!("{value:.0}"),
        _ if value.abs() >= 10.0 => format!("{value:.1}"),
        _ if value.abs() >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_be_right_fails_and_what_is_slow_is_told() {
        let slow = Figure::new("fan-out", 120.0, "ms").wanted(Bound::AtMost(100.0));
        let right = Figure::new("lost", 0.0, "shares").wanted(Bound::Is(0.0));
        let scene = Scene { figures: vec![slow, right.clone()], ..Scene::default() };
        let mut report = Report::default();
        report.scenarios.insert("fanout".into(), scene);
        assert!(report.is_kept());
        assert_eq!(
            report.rows("fanout"),
            "| fanout | fan-out | 120 ms | ≤ 100 | ✗ |\n| fanout | lost | 0 shares | 0 | ✓ |\n"
        );
        assert!(report.rows("steady").is_empty() && report.table().contains(Report::HEAD));
        let wrong = Figure::new("lost", f64::NAN, "shares").wanted(right.bound);
        report
            .scenarios
            .insert("steady".into(), Scene { figures: vec![wrong], ..Scene::default() });
        assert!(!report.is_kept());
        let folder = tempfile::tempdir().expect("a folder");
        let page = folder.path().join("page.md");
        fs::write(&page, "# Page\n\n## Figures\n\nold\n").expect("written");
        report.write_page(&page).expect("it has the heading");
        let written = fs::read_to_string(&page).expect("there");
        assert!(written.starts_with("# Page\n\n## Figures\n\n") && !written.contains("old"));
        let read: Report = serde_json::from_str(&report.json()).expect("its own JSON");
        assert_eq!(read, report);
    }

    #[test]
    fn numbers_are_shown_with_three_digits() {
        assert_eq!(
            [0.0, 0.1234, 1.234, 12.34, 123.4, 18_000.0].map(shown),
            ["0", "0.123", "1.23", "12.3", "123", "18000"]
        );
    }
}
