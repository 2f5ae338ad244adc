//! A difficulty rule and a validator of one's own.
//!
//! For: showing what the gateway tells a rule that finds machines' difficulty, and one that judges
//! their messages, and what they answer.
//!
//! Not for: mining well. [`sl_gateway::Poisson`] moves a machine only when its count of shares
//! contradicts the rate asked for, so it moves seldom and by the right factor at once.
//!
//! ```
//! use std::time::Duration;
//! use own_difficulty::Steps;
//! use sl_gateway::{Adjustment, DifficultyManager, ShareWindow};
//! use sl_units::ShareDifficulty;
//!
//! let rule = Steps { shares_per_minute: 6.0 };
//! let seen = ShareWindow { accepted: 20, rejected: 0, length: Duration::from_secs(60) };
//! let now = ShareDifficulty::new(512.0)?;
//! assert_eq!(rule.adjust_difficulty(now, &seen), Adjustment::Move(ShareDifficulty::new(1024.0)?));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

use std::time::Duration;

use sl_gateway::{Adjustment, DifficultyManager, ShareWindow};
use sl_guard::validate::{Complaint, Message, MessageValidator, Verdict};
use sl_units::{HashRate, Mono, ShareDifficulty, Target};

/// How long a window is.
const WINDOW: Duration = Duration::from_secs(60);

/// Powers of two, one step at a time: up when a window has more than twice the shares asked for, or
/// as soon as it has four times as many; down when it has less than half.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Steps {
    /// The rate asked for.
    pub shares_per_minute: f64,
}

impl Steps {
    fn asked(&self, length: Duration) -> f64 {
        self.shares_per_minute / 60.0 * length.as_secs_f64()
    }
}

/// The power of two at or below, so that a machine is never asked for more than it can do.
fn power_of_two(difficulty: f64) -> Option<ShareDifficulty> {
    ShareDifficulty::new(2f64.powf(difficulty.log2().floor())).ok()
}

impl DifficultyManager for Steps {
    fn adjust_difficulty(&self, difficulty: ShareDifficulty, seen: &ShareWindow) -> Adjustment {
        let over = seen.length >= WINDOW;
        let accepted = f64::from(seen.accepted);
        let asked = self.asked(seen.length.max(WINDOW));
        let factor = if accepted > 2.0 * asked && (over || seen.accepted >= self.look_at()) {
            2.0
        } else if over && accepted < asked / 2.0 {
            0.5
        } else {
            return if over { Adjustment::Keep } else { Adjustment::Wait };
        };
        // One that was set by hand, or by the source's limit, comes to a power of two at its next
        // step.
        power_of_two(difficulty.get() * factor).map_or(Adjustment::Keep, Adjustment::Move)
    }

    fn start(&self, rate: HashRate) -> ShareDifficulty {
        let hashes = rate.hs() * 60.0 / self.shares_per_minute.max(1e-3);
        let exact = ShareDifficulty::from(Target::from_expected_hashes(hashes));
        power_of_two(exact.get()).unwrap_or(exact)
    }

    fn look_after(&self) -> Duration {
        WINDOW
    }

    fn look_at(&self) -> u32 {
        (self.asked(WINDOW) * 4.0).clamp(8.0, 4096.0) as u32
    }
}

/// Takes only workers of one account: `account` itself, and `account.` with anything behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfAccount {
    /// The account.
    pub account: String,
}

impl MessageValidator for OfAccount {
    fn name(&self) -> &'static str {
        "of_account"
    }

    fn check(&mut self, message: &Message<'_>, _now: Mono) -> Verdict {
        // Lines that name no worker are none of its business.
        let Some(worker) = message.worker else { return Verdict::Pass };
        match worker.split('.').next() {
            Some(account) if account == self.account => Verdict::Pass,
            _ => {
                let text = format!("{worker:?} is no worker of {}", self.account);
                Verdict::Refuse(Complaint { validator: self.name(), text })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(difficulty: f64, accepted: u32, seconds: u64, expect: Option<f64>) {
        let rule = Steps { shares_per_minute: 6.0 };
        let seen = ShareWindow { accepted, rejected: 0, length: Duration::from_secs(seconds) };
        let before = ShareDifficulty::new(difficulty).expect("positive");
        let found = match rule.adjust_difficulty(before, &seen) {
            Adjustment::Move(better) => Some(better.get()),
            Adjustment::Wait | Adjustment::Keep => None,
        };
        assert_eq!(found, expect, "{accepted} in {seconds} s at {difficulty}");
    }

    #[test]
    fn a_machine_goes_up_and_down_by_steps() {
        check(512.0, 6, 60, None);
        check(512.0, 12, 60, None);
        check(512.0, 13, 60, Some(1024.0));
        check(512.0, 2, 60, Some(256.0));
        check(512.0, 0, 59, None);
        check(512.0, 24, 3, Some(1024.0));
        check(700.0, 13, 60, Some(1024.0));
        let start = Steps { shares_per_minute: 6.0 }.start(HashRate::from_hs(9.5e9)).get();
        assert_eq!(start, 1_048_576.0, "of an L7");
    }

    #[test]
    fn workers_of_one_account_are_taken() {
        let mut validator = OfAccount { account: "farm".into() };
        for (worker, fits) in
            [("farm", true), ("farm.rig1", true), ("farmer.rig1", false), ("", false), ("x", false)]
        {
            let message = Message::line(b"").with_worker(worker);
            let verdict = validator.check(&message, Mono::default());
            assert_eq!(verdict == Verdict::Pass, fits, "{worker}");
        }
        let ping = Message::line(b"{\"id\":1,\"method\":\"mining.ping\"}");
        assert_eq!(validator.check(&ping, Mono::default()), Verdict::Pass);
    }
}
