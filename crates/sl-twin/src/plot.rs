//! A day of a machine as a picture: power, temperatures, hash rate over time, and what went wrong.

use std::fmt::Write as _;
use std::time::Duration;

use sl_units::HashRate;

/// What a machine did in some time.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// What it is.
    pub title: String,
    /// How long.
    pub length: Duration,
    /// What was seen, in order of time.
    pub samples: Vec<Sample>,
    /// What went wrong meanwhile.
    pub shades: Vec<Shade>,
}

/// One look at a machine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// When.
    pub at: Duration,
    /// Power at the wall, watts.
    pub power_w: f64,
    /// Air that it draws in, °C.
    pub inlet_c: f64,
    /// The hottest chips, °C.
    pub chip_c: f64,
    /// The hottest printed board, °C.
    pub board_c: f64,
    /// Good hashes a second.
    pub hash_rate: HashRate,
}

/// A stretch of time with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shade {
    /// Its start.
    pub from: Duration,
    /// Its end.
    pub to: Duration,
    /// Its name.
    pub label: String,
}

const WIDTH: f64 = 1120.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 152.0;
const TITLE: f64 = 46.0;
const LANE: f64 = 19.0;
const PANEL: f64 = 168.0;
const GAP: f64 = 34.0;
const FOOT: f64 = 46.0;
/// Lanes for names of what went wrong; what finds none is drawn in the last.
const MOST_LANES: usize = 12;
/// A letter of the small script is about so wide.
const LETTER: f64 = 6.3;

/// A line of a panel: its name, its colour, its dashes, its values.
struct Line<'a> {
    name: &'a str,
    colour: &'a str,
    dashes: &'a str,
    of: fn(&Sample) -> f64,
}

/// The picture, as a document of its own. Lines are told apart by their names and dashes too, not
/// by colour alone.
#[must_use]
pub fn svg(trace: &Trace) -> String {
    let lanes = lanes(trace);
    let used = lanes.iter().max().map_or(0, |lane| lane + 1);
    let first = TITLE + LANE * used as f64 + if used > 0 { 12.0 } else { 0.0 };
    let height = first + 3.0 * PANEL + 2.0 * GAP + FOOT;
    let panels: [(&str, Vec<Line<'_>>); 3] = [
        ("power at the wall, W", vec![line("power", "#1f5fa8", "", |s| s.power_w)]),
        (
            "temperature, °C",
            vec![
                line("hottest chip", "#b3261e", "", |s| s.chip_c),
                line("hottest board", "#8a5a00", "7 3", |s| s.board_c),
                line("air drawn in", "#3a6f6a", "2 3", |s| s.inlet_c),
            ],
        ),
        ("hash rate, MH/s", vec![line("hash rate", "#4b7a1e", "", |s| s.hash_rate.hs() / 1e6)]),
    ];
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\" fill=\"#222\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"{LEFT}\" y=\"28\" font-size=\"17\" font-weight=\"600\">{}</text>\n",
        escaped(&trace.title)
    );
    let bottom = first + 3.0 * PANEL + 2.0 * GAP;
    faults(&mut out, trace, &lanes, first, bottom);
    hours(&mut out, trace, first, bottom);
    for (at, (title, lines)) in panels.iter().enumerate() {
        let top = first + at as f64 * (PANEL + GAP);
        panel(&mut out, trace, title, lines, top);
    }
    out.push_str("</svg>\n");
    out
}

const fn line<'a>(
    name: &'a str,
    colour: &'a str,
    dashes: &'a str,
    of: fn(&Sample) -> f64,
) -> Line<'a> {
    Line { name, colour, dashes, of }
}

/// What goes wrong: a bar with its name in a lane above, and a shade through all panels.
fn faults(out: &mut String, trace: &Trace, lanes: &[usize], first: f64, bottom: f64) {
    for (shade, lane) in trace.shades.iter().zip(lanes) {
        let (from, to) = (across(trace, shade.from), across(trace, shade.to));
        let (wide, high) = ((to - from).max(1.5), bottom - first);
        let y = TITLE + LANE * *lane as f64;
        let _ = writeln!(
            out,
            "<rect x=\"{from:.1}\" y=\"{first:.1}\" width=\"{wide:.1}\" height=\"{high:.1}\" \
             fill=\"#c9a227\" opacity=\"0.10\"/>\n\
             <rect x=\"{from:.1}\" y=\"{y:.1}\" width=\"{wide:.1}\" height=\"{:.1}\" rx=\"2\" \
             fill=\"#c9a227\" opacity=\"0.45\"/>\n\
             <text x=\"{:.1}\" y=\"{:.1}\" font-size=\"11\">{}</text>",
            LANE - 4.0,
            from + 4.0,
            y + 11.0,
            escaped(&shade.label),
        );
    }
}

/// One panel: its title, marks at round values, its lines with their names at the right.
fn panel(out: &mut String, trace: &Trace, title: &str, lines: &[Line<'_>], top: f64) {
    let values = || lines.iter().flat_map(|line| trace.samples.iter().map(line.of));
    let most = values().filter(|value| value.is_finite()).fold(1.0, f64::max);
    let least = values().filter(|value| value.is_finite()).fold(0.0, f64::min);
    let step = round_step((most - least) / 4.0);
    let (low, high) = ((least / step).floor() * step, (most / step).ceil() * step);
    let y = |value: f64| {
        let value = if value.is_finite() { value } else { low };
        top + PANEL - PANEL * (value - low) / (high - low)
    };
    let _ = writeln!(out, "<text x=\"{LEFT}\" y=\"{:.1}\" fill=\"#555\">{title}</text>", top - 7.0);
    let marks = ((high - low) / step).round() as u32;
    for mark in 0..=marks {
        let value = low + step * f64::from(mark);
        let _ = writeln!(
            out,
            "<path d=\"M{LEFT} {at:.1}H{right}\" stroke=\"#ddd\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#555\">{}</text>",
            LEFT - 8.0,
            y(value) + 4.0,
            grouped(value),
            at = y(value),
            right = WIDTH - RIGHT,
        );
    }
    for line in lines {
        curve(out, trace, line, y);
    }
    let end = |line: &Line<'_>| y(trace.samples.last().map_or(low, line.of));
    names(out, lines.iter().map(|line| (end(line), line)).collect(), top);
}

/// One line of a panel; `y` is where a value stands.
fn curve(out: &mut String, trace: &Trace, line: &Line<'_>, y: impl Fn(f64) -> f64) {
    let mut path = String::new();
    for (at, sample) in trace.samples.iter().enumerate() {
        let pen = if at == 0 { 'M' } else { 'L' };
        let _ = write!(path, "{pen}{:.1} {:.1}", across(trace, sample.at), y((line.of)(sample)));
    }
    let _ = writeln!(
        out,
        "<path d=\"{path}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.6\" \
         stroke-linejoin=\"round\" stroke-dasharray=\"{}\"/>",
        line.colour,
        if line.dashes.is_empty() { "none" } else { line.dashes },
    );
}

/// Names stand where their lines end, one below the other where they would meet.
fn names(out: &mut String, mut names: Vec<(f64, &Line<'_>)>, top: f64) {
    names.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut free = top + 4.0;
    for (at, line) in names {
        let at = at.max(free).min(top + PANEL);
        free = at + 15.0;
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" fill=\"{}\">{}</text>",
            WIDTH - RIGHT + 10.0,
            at + 4.0,
            line.colour,
            line.name
        );
    }
}

/// The axis of time: its lines behind everything, its labels below.
fn hours(out: &mut String, trace: &Trace, first: f64, bottom: f64) {
    let seconds = trace.length.as_secs_f64().max(1.0);
    let steps: [f64; 11] =
        [10.0, 30.0, 60.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 10_800.0, 21_600.0, 86_400.0];
    let step = steps.into_iter().find(|step| seconds / step <= 13.0).unwrap_or(86_400.0 * 3.0);
    let unit = match step {
        86_400.0.. => "time, days",
        60.0.. => "time, hours:minutes",
        _ => "time, minutes:seconds",
    };
    for mark in 0..=(seconds / step) as u32 {
        let at = step * f64::from(mark);
        let x = across(trace, Duration::from_secs_f64(at));
        let whole = at as u64;
        let label = match step {
            86_400.0.. => format!("{}", whole / 86_400),
            60.0.. => format!("{}:{:02}", whole / 3600, whole / 60 % 60),
            _ => format!("{}:{:02}", whole / 60, whole % 60),
        };
        let _ = writeln!(
            out,
            "<path d=\"M{x:.1} {first:.1}V{:.1}\" stroke=\"#e4e4e4\"/>\
             <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#555\">{label}</text>",
            bottom + 5.0,
            bottom + 20.0,
        );
    }
    let _ = writeln!(
        out,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#555\">{unit}</text>",
        LEFT + (WIDTH - LEFT - RIGHT) / 2.0,
        bottom + 38.0
    );
}

/// The lane of each shade: the first in which neither bar nor name meets another.
fn lanes(trace: &Trace) -> Vec<usize> {
    let mut order: Vec<usize> = (0..trace.shades.len()).collect();
    order.sort_by_key(|at| trace.shades.get(*at).map(|shade| shade.from));
    let mut ends: Vec<f64> = Vec::new();
    let mut lanes = vec![0; trace.shades.len()];
    for at in order {
        let Some(shade) = trace.shades.get(at) else { continue };
        let from = across(trace, shade.from);
        let name = from + 10.0 + LETTER * shade.label.chars().count() as f64;
        let end = across(trace, shade.to).max(name) + 4.0;
        let free = ends.iter().position(|other| *other <= from);
        let lane = free.unwrap_or(ends.len()).min(MOST_LANES - 1);
        if lane == ends.len() {
            ends.push(end);
        } else if let Some(last) = ends.get_mut(lane) {
            *last = last.max(end);
        }
        if let Some(place) = lanes.get_mut(at) {
            *place = lane;
        }
    }
    lanes
}

fn across(trace: &Trace, at: Duration) -> f64 {
    let share = at.as_secs_f64() / trace.length.as_secs_f64().max(1e-9);
    LEFT + (WIDTH - LEFT - RIGHT) * share.min(1.0)
}

/// The next of 1, 2 and 5 times a power of ten.
fn round_step(least: f64) -> f64 {
    let least = least.max(1e-9);
    let power = 10f64.powf(least.log10().floor());
    let step = [1.0, 2.0, 5.0].into_iter().find(|step| step * power >= least);
    step.unwrap_or(10.0) * power
}

/// A number with a comma between thousands.
fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut out = if value <= -0.5 { "-".to_owned() } else { String::new() };
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(samples: Vec<Sample>, shades: Vec<Shade>) -> Trace {
        Trace {
            title: "L7 <1> & so on".to_owned(),
            length: Duration::from_secs(600),
            samples,
            shades,
        }
    }

    #[test]
    fn a_picture_of_anything_is_whole() {
        let sample = |at, power_w| Sample {
            at: Duration::from_secs(at),
            power_w,
            inlet_c: -5.0,
            chip_c: 76.0,
            board_c: f64::NAN,
            hash_rate: HashRate::from_hs(9.5e9),
        };
        let shade = Shade {
            from: Duration::from_secs(60),
            to: Duration::from_secs(90),
            label: "fan-lost".to_owned(),
        };
        for samples in
            [vec![], vec![sample(1, 3400.0)], vec![sample(1, 0.0), sample(600, f64::INFINITY)]]
        {
            let picture = svg(&trace(samples, vec![shade.clone(); 40]));
            assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"));
            assert!(picture.contains("L7 &lt;1&gt; &amp; so on") && picture.contains("fan-lost"));
            assert!(!picture.contains("NaN") && !picture.contains("inf"), "{picture}");
        }
    }

    #[test]
    fn names_do_not_meet() {
        let at = |from, to| Shade {
            from: Duration::from_secs(from),
            to: Duration::from_secs(to),
            label: "hot-room".to_owned(),
        };
        assert_eq!(lanes(&trace(vec![], vec![at(0, 300), at(100, 200), at(400, 500)])), [0, 1, 0]);
        assert_eq!(lanes(&trace(vec![], vec![at(0, 1), at(2, 3)])), [0, 1], "the names would meet");
    }

    #[test]
    fn numbers_read_well() {
        for (value, text) in
            [(0.0, "0"), (950.0, "950"), (9500.0, "9,500"), (-12.0, "-12"), (1e6, "1,000,000")]
        {
            assert_eq!(grouped(value), text);
        }
        for (least, step) in [(0.3, 0.5), (1.0, 1.0), (875.0, 1000.0), (21.0, 50.0)] {
            assert!((round_step(least) - step).abs() < 1e-9);
        }
    }
}
