//! What other programs took of the CPUs meanwhile: figures of time are worth as much as that is little.

use std::fs;

use crate::{gateway::Cpu, instant::nanos};

/// A look at the clocks of all CPUs and of this process with all that it has started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    at: u64,
    /// CPU time of everything, in seconds.
    busy: f64,
    /// CPU time of this process and of those that it has started and that have ended, in seconds.
    own: f64,
}

impl Look {
    /// `None` where the system does not tell.
    pub(crate) fn now() -> Option<Self> {
        let all = fs::read_to_string("/proc/stat").ok()?;
        let own = fs::read_to_string("/proc/self/stat").ok()?;
        Some(Self { at: nanos(), busy: busy(&all)?, own: own_time(&own)? })
    }

    /// The CPUs that others took in the mean since an earlier look. All that this process has started
    /// since then must have ended.
    pub(crate) fn others_since(&self, before: &Self) -> f64 {
        let seconds = self.at.saturating_sub(before.at) as f64 / 1e9;
        let others = (self.busy - before.busy) - (self.own - before.own);
        (others / seconds.max(1e-3)).max(0.0)
    }
}

/// The time that CPUs were not idle, all together (proc(5), the first line of `/proc/stat`).
fn busy(stat: &str) -> Option<f64> {
    let words = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
    let ticks: Vec<u64> = words.map_while(|word| word.parse().ok()).take(8).collect();
    let [user, nice, system, _idle, _waiting, irq, soft_irq, stolen] = ticks.try_into().ok()?;
    Some((user + nice + system + irq + soft_irq + stolen) as f64 / Cpu::TICKS)
}

/// CPU time of a process and of its children that have ended (proc(5), fields 14 to 17).
fn own_time(stat: &str) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let words = rest.split_whitespace().skip(11).take(4);
    let ticks: Vec<u64> = words.map_while(|word| word.parse().ok()).collect();
    (ticks.len() == 4).then(|| ticks.iter().sum::<u64>() as f64 / Cpu::TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_neither_idle_nor_ours_is_of_others() {
        let all = "cpu  100 50 30 9999 77 5 10 5 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\n";
        let own = "12 (a) b) S 1 2 3 4 5 6 7 8 9 10 20 30 40 10 20 0";
        assert_eq!((busy(all), own_time(own)), (Some(2.0), Some(1.0)));
        assert_eq!((busy("cpu  1 2"), own_time("12 (short) S 1")), (None, None));
        let look = |at, busy, own| Look { at, busy, own };
        let others = look(4_000_000_000, 9.0, 3.0).others_since(&look(2_000_000_000, 4.0, 1.0));
        assert!((others - 1.5).abs() < 1e-9);
    }
}
