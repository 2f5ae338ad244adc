//! How the mining program of the maker's firmware behaves at a pool, as far as it is known.

use std::time::Duration;

/// A habit, where it is from, and whether anybody has seen it on an L7.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Habit {
    /// What it is about.
    pub what: &'static str,
    /// What the machine does.
    pub does: &'static str,
    /// Where that is from.
    pub source: &'static str,
    /// Whether it was seen on the model itself rather than on its lineage.
    pub verified: bool,
}

/// Name by which the machine introduces itself.
pub(crate) const USER_AGENT: &str = "cgminer/4.9.0";

/// How long the machine waits for what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// For a connection.
    pub(crate) connect: Duration,
    /// For the answers to `mining.subscribe` and `mining.authorize`.
    pub(crate) answer: Duration,
    /// A pool that is silent for so long is left.
    pub(crate) silence: Duration,
    /// Before the pools are tried again where only one is configured.
    pub(crate) retry: Duration,
    /// The same where there are several.
    pub(crate) retry_others: Duration,
    /// Between two times that pools are asked whether they answer, where a machine has several.
    pub(crate) probe: Duration,
    /// Before a better pool that took the machine on and gave it no work is gone back to.
    pub(crate) unserved: Duration,
}

impl Patience {
    /// As the table says.
    pub(crate) const REAL: Self = Self {
        connect: Duration::from_secs(10),
        answer: Duration::from_secs(60),
        silence: Duration::from_secs(90),
        retry: Duration::from_secs(30),
        retry_others: Duration::from_secs(3),
        probe: Duration::from_secs(60),
        unserved: Duration::from_secs(600),
    };
}

const CGMINER: &str = "bitmaintech/cgminer-ltc 4.9.0, the L3+ and the lineage of the L7";

/// The habits that are imitated.
pub const HABITS: [Habit; 11] = [
    Habit {
        what: "name",
        does: "introduces itself as cgminer/4.9.0",
        source: "pools of the field see cgminer/x from L3+, L7 and L9",
        verified: false,
    },
    Habit {
        what: "subscribe",
        does: "[name], or [name, session] to resume; without parameters when both are refused",
        source: CGMINER,
        verified: false,
    },
    Habit {
        what: "extranonce",
        does: "takes 2 to 16 bytes, counts the lowest byte first, does not ask for changes",
        source: CGMINER,
        verified: false,
    },
    Habit {
        what: "difficulty",
        does: "starts at 1 until the pool sets one; holds for later jobs only",
        source: CGMINER,
        verified: false,
    },
    Habit {
        what: "shares of older jobs",
        does: "are sent; the pool's refusal counts as rejected",
        source: CGMINER,
        verified: false,
    },
    Habit {
        what: "shares of a broken connection",
        does: "are thrown away and count as stale; the real one keeps them for up to 120 s if the \
               pool resumes the session",
        source: "simplified",
        verified: false,
    },
    Habit {
        what: "silence",
        does: "leaves a pool that says nothing for 90 s",
        source: CGMINER,
        verified: false,
    },
    Habit {
        what: "several pools",
        does: "takes the first that answers, in the order of the configuration; comes back to a \
               better one when it answers again. One that answered and gave no work is left alone \
               for 10 minutes; the real one tries its login in between",
        source: CGMINER,
        verified: false,
    },
    Habit {
        what: "pools in reserve",
        does: "are asked at the start and once a minute whether they answer, and show as alive when \
               they do. One that is alive is not asked again by the real one until it is used; here \
               each address is asked once for all machines that name it, by subscribing",
        source: CGMINER,
        verified: false,
    },
    Habit {
        what: "retry",
        does: "every 30 s with one pool, every 3 s with several",
        source: CGMINER,
        verified: false,
    },
    Habit {
        what: "encryption",
        does: "none: a pool address of another scheme than stratum+tcp is a dead pool",
        source: "assumed",
        verified: false,
    },
];
