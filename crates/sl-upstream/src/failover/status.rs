use std::{collections::VecDeque, sync::Arc, time::Duration};

use sl_units::Mono;
use sl_work::SourceId;

use super::BreakerState;

/// Changes that are remembered.
pub(super) const KEPT_CHANGES: usize = 64;

/// How a group of sources fares.
#[derive(Clone, Debug, Default)]
pub struct FailoverStatus {
    /// For whom the machines work.
    pub current: Option<SourceId>,
    /// All members, in the order of the settings.
    pub members: Vec<MemberStatus>,
    /// The latest changes because a member failed, and back; those by weight are only counted.
    pub failovers: VecDeque<Change>,
    /// Changes of member since the start, of every kind.
    pub changes: u64,
    /// Shares that came for a job that is no longer known.
    pub too_old: u64,
}

/// How a member of a group fares.
#[derive(Clone, Debug)]
pub struct MemberStatus {
    /// Its name.
    pub id: SourceId,
    /// What it does.
    pub standing: MemberStanding,
    /// Its circuit breaker.
    pub breaker: BreakerState,
    /// The lower, the sooner.
    pub priority: u32,
    /// Its part among members of one priority.
    pub weight: u32,
    /// What became of its shares.
    pub tally: Tally,
    /// Shares that wait for its verdict.
    pub in_flight: usize,
    /// Its part of all accepted difficulty, 0 to 1; `None` while nothing was accepted.
    pub part: Option<f64>,
    /// The part that the weights among those of its priority that can be used ask for.
    pub part_wanted: Option<f64>,
    /// How far away it is, where somebody measured that.
    pub latency: Option<Duration>,
    /// From a share to its verdict, of late.
    pub answers_in: Option<Duration>,
}

/// What became of a member's shares.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tally {
    /// Taken.
    pub accepted: u64,
    /// Refused.
    pub rejected: u64,
    /// Too late.
    pub stale: u64,
    /// Never judged.
    pub lost: u64,
    /// Difficulty of the accepted shares, in the pools' scale.
    pub difficulty: f64,
    /// For how long the machines worked for it.
    pub active: Duration,
}

/// What a member of a group does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberStanding {
    /// The machines work for it.
    Active,
    /// It holds a job and waits for its turn.
    Standby,
    /// It has no job.
    Idle {
        /// Why, in its words.
        why: Arc<str>,
    },
    /// It is too narrow for what the machines were promised, and is left alone.
    Unfit {
        /// Why, with both widths.
        why: Arc<str>,
    },
    /// Its breaker keeps work away.
    Resting {
        /// Why.
        why: Arc<str>,
    },
    /// It was taken out of the group; its last shares get their verdict.
    Leaving,
}

impl MemberStanding {
    /// In one word.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Standby => "standby",
            Self::Idle { .. } => "idle",
            Self::Unfit { .. } => "unfit",
            Self::Resting { .. } => "resting",
            Self::Leaving => "leaving",
        }
    }

    /// What there is to say beyond the word.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        match self {
            Self::Idle { why } | Self::Unfit { why } | Self::Resting { why } => Some(why),
            Self::Active | Self::Standby | Self::Leaving => None,
        }
    }
}

/// A change of member.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// When it was decided.
    pub at: Mono,
    /// For whom the machines worked; `None` where there was no work.
    pub from: Option<SourceId>,
    /// For whom they work now.
    pub to: SourceId,
    /// Why, for people.
    pub why: Arc<str>,
    /// From the first sign of the failure to the decision; `None` where nothing failed.
    pub detected: Option<Duration>,
    /// From the decision until the new member's job was given to the machines.
    pub switched: Duration,
}
