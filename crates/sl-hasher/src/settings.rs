use std::{borrow::Cow, fmt};

use sl_config::{Kind, Setting, Wrong};
use sl_ports::priority::LEAST;

use crate::Machine;

sl_config::settings! {
    /// This machine's own engines.
    pub struct HasherSettings {
        /// Threads that hash: all (one for each logical CPU), physical (one for each core), half,
        /// a number, or auto: all for `silverlode mine`, half beside a farm.
        live threads: Threads = "auto",
        /// Keep each thread on a CPU of its own, physical cores first.
        restart pin: bool = false,
        /// How much the threads give way to other programs; auto: normal for `silverlode mine`, idle
        /// beside a farm.
        restart priority: Priority = "auto",
        /// The share of each thread's time that it hashes.
        live cpu_limit: CpuShare = "100%",
        /// Rest while this machine runs on its battery.
        live pause_on_battery: bool = false,
        /// Rest while the load average of other programs is above this; none never rests.
        live pause_above_load: Option<f64> = none in 0.1..=65536,
    }
}

sl_config::setting_enum! {
    /// How much hashing gives way to other programs.
    pub enum Priority {
        /// As the command has it by habit.
        Auto = "auto",
        /// To all of them (nice 19).
        Idle = "idle",
        /// To most of them (nice 10).
        Low = "low",
        /// To none: the priority that the process was started with.
        Normal = "normal",
    }
}

/// How many threads hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// As many as the command has by habit.
    Auto,
    /// One for each logical CPU.
    All,
    /// One for each physical core.
    Physical,
    /// One for every second logical CPU.
    Half,
    /// So many.
    Number(u16),
}

/// What holds where the settings say *auto*.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// Hashing is what the program was started for: all logical CPUs at normal priority.
    Alone,
    /// Hashing stands beside other work of this machine: half of the CPUs at idle priority.
    Beside,
}

impl HasherSettings {
    /// How many threads these settings mean on a machine.
    ///
    /// ```
    /// use sl_hasher::{Habit, HasherSettings, Machine};
    ///
    /// let machine = Machine::of(8, 4);
    /// let settings = HasherSettings::default();
    /// assert_eq!(settings.threads_on(&machine, Habit::Alone), 8);
    /// assert_eq!(settings.threads_on(&machine, Habit::Beside), 4);
    /// ```
    #[must_use]
    pub fn threads_on(&self, machine: &Machine, habit: Habit) -> usize {
        let (all, cores) = (machine.cpus(), machine.cores());
        let threads = match (self.threads, habit) {
            (Threads::All, _) | (Threads::Auto, Habit::Alone) => all,
            (Threads::Half, _) | (Threads::Auto, Habit::Beside) => all.div_ceil(2),
            (Threads::Physical, _) => cores,
            (Threads::Number(threads), _) => usize::from(threads),
        };
        threads.max(1)
    }

    /// The nice value that these settings mean; `None` leaves it as it is.
    pub(crate) const fn nice(&self, habit: Habit) -> Option<i32> {
        match (self.priority, habit) {
            (Priority::Idle, _) | (Priority::Auto, Habit::Beside) => Some(LEAST),
            (Priority::Low, _) => Some(10),
            (Priority::Normal, _) | (Priority::Auto, Habit::Alone) => None,
        }
    }

    /// Takes over the live settings of others; those that wait for a restart stay.
    pub fn take_live(&mut self, from: &Self) {
        let Self { threads, cpu_limit, pause_on_battery, pause_above_load, .. } = *from;
        *self = Self { threads, cpu_limit, pause_on_battery, pause_above_load, ..self.clone() };
    }
}

/// The most threads that can be asked for by number.
const MOST: u16 = 1024;

const WORDS: [(&str, Threads); 4] = [
    ("auto", Threads::Auto),
    ("all", Threads::All),
    ("physical", Threads::Physical),
    ("half", Threads::Half),
];

impl Setting for Threads {
    type Value = Self;
    const KIND: Kind = Kind::Text;

    fn allowed() -> Cow<'static, str> {
        format!("auto, all, physical, half or a whole number from 1 to {MOST}").into()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        if let Some((_, threads)) = WORDS.iter().find(|(word, _)| *word == text) {
            return Ok(*threads);
        }
        match text.parse::<i128>() {
            Ok(number) => match u16::try_from(number) {
                Ok(number) if (1..=MOST).contains(&number) => Ok(Self::Number(number)),
                Ok(0) => Err(Wrong::range("").hint("write auto for the usual number")),
                _ => Err(Wrong::range("")),
            },
            Err(_) => Err(Wrong::value("")),
        }
    }
}

impl fmt::Display for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            word => WORDS.iter().find(|(_, it)| it == word).map_or(Ok(()), |(it, _)| f.pad(it)),
        }
    }
}

/// A share of time, from a hundredth to the whole.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct CpuShare(f64);

impl CpuShare {
    /// All of the time.
    pub const WHOLE: Self = Self(1.0);

    /// As a fraction, 0.01 to 1.
    #[must_use]
    pub const fn fraction(self) -> f64 {
        self.0
    }

    /// Half of it, a hundredth at least.
    #[must_use]
    pub const fn half(self) -> Self {
        Self((self.0 / 2.0).max(0.01))
    }

    /// Whether it limits nothing.
    #[must_use]
    pub fn is_whole(self) -> bool {
        self.0 >= 1.0
    }
}

impl Setting for CpuShare {
    type Value = Self;
    const KIND: Kind = Kind::Text;

    fn allowed() -> Cow<'static, str> {
        "a share of time from 1% to 100%, such as 30% or 0.3".into()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        let (digits, scale) = match text.strip_suffix('%') {
            Some(digits) => (digits.trim_end(), 100.0),
            None => (text, 1.0),
        };
        // Rust also reads "inf", "nan" and exponents, which nobody means here.
        let plain = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit() || c == '.');
        let number = digits.parse::<f64>().ok().filter(|_| plain);
        let number = number.ok_or_else(|| Wrong::value("not a share of time"))?;
        let share = number / scale;
        if (0.01..=1.0).contains(&share) {
            return Ok(Self(share));
        }
        let wrong = Wrong::range("");
        Err(match scale == 1.0 && (1.0..=100.0).contains(&number) {
            true => wrong.hint(format!("did you mean {digits}%?")),
            false => wrong,
        })
    }
}

impl fmt::Display for CpuShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Rounded to a tenth of a thousandth, so that 0.3 does not read 30.000000000000004.
        write!(f, "{}%", (self.0 * 1e6).round() / 1e4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<S: Setting<Value: fmt::Display>>(text: &str, expect: &str) {
        let found = match S::parse(text) {
            Ok(value) => value.to_string(),
            Err(wrong) => format!("refused {wrong}"),
        };
        assert_eq!(found, expect, "reading {text:?}");
    }

    #[test]
    fn shares_of_time() {
        for (text, expect) in [
            ("30%", "30%"),
            ("0.3", "30%"),
            ("12.5%", "12.5%"),
            ("7 %", "7%"),
            ("1%", "1%"),
            ("0.01", "1%"),
            ("1", "100%"),
            ("100%", "100%"),
            ("30", "refused , hint: did you mean 30%?"),
            ("0", "refused "),
            ("0%", "refused "),
            ("0.5%", "refused "),
            ("101%", "refused "),
            ("1000", "refused "),
            ("-5%", "refused not a share of time"),
            ("half", "refused not a share of time"),
            ("%", "refused not a share of time"),
            ("", "refused not a share of time"),
            ("nan", "refused not a share of time"),
            ("1e-1", "refused not a share of time"),
        ] {
            check::<CpuShare>(text, expect);
        }
    }

    #[test]
    fn threads_by_word_or_number() {
        for (text, expect) in [
            ("auto", "auto"),
            ("all", "all"),
            ("physical", "physical"),
            ("half", "half"),
            ("0", "refused , hint: write auto for the usual number"),
            ("12", "12"),
            ("1025", "refused "),
            ("-1", "refused "),
            ("99999999999999999999", "refused "),
            ("many", "refused "),
        ] {
            check::<Threads>(text, expect);
        }
        assert!(sl_config::declaration_faults::<HasherSettings>().is_empty());
    }

    #[test]
    fn habits_fill_what_is_left_to_them() {
        let check = |threads, machine: &Machine, alone, beside| {
            let settings = HasherSettings { threads, ..HasherSettings::default() };
            assert_eq!(settings.threads_on(machine, Habit::Alone), alone, "{threads}");
            assert_eq!(settings.threads_on(machine, Habit::Beside), beside, "{threads}");
        };
        let (desk, single) = (Machine::of(12, 6), Machine::of(1, 1));
        check(Threads::Auto, &desk, 12, 6);
        check(Threads::All, &desk, 12, 12);
        check(Threads::Physical, &desk, 6, 6);
        check(Threads::Half, &desk, 6, 6);
        check(Threads::Number(20), &desk, 20, 20);
        check(Threads::Auto, &single, 1, 1);
        check(Threads::Half, &single, 1, 1);
        let nice =
            |priority, habit| HasherSettings { priority, ..HasherSettings::default() }.nice(habit);
        assert_eq!(nice(Priority::Auto, Habit::Alone), None);
        assert_eq!(nice(Priority::Auto, Habit::Beside), Some(19));
        assert_eq!(nice(Priority::Low, Habit::Beside), Some(10));
        assert_eq!(nice(Priority::Normal, Habit::Beside), None);
    }

    #[test]
    fn what_waits_for_a_restart_stays() {
        let mut settings = HasherSettings::default();
        let mut new = HasherSettings { pin: true, priority: Priority::Low, ..settings.clone() };
        new.threads = Threads::Number(3);
        new.cpu_limit = CpuShare(0.5);
        settings.take_live(&new);
        assert_eq!((settings.threads, settings.cpu_limit), (new.threads, new.cpu_limit));
        assert_eq!((settings.pin, settings.priority), (false, Priority::Auto));
    }
}
