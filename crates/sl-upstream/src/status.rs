use std::sync::Arc;

use sl_units::{Mono, ShareDifficulty};

/// How a pool fares.
#[derive(Clone, Debug)]
pub struct PoolStatus {
    /// Whether it is connected.
    pub state: PoolState,
    /// The difficulty it asks for; `None` before it said so.
    pub difficulty: Option<ShareDifficulty>,
    /// Jobs it has given.
    pub jobs: u64,
    /// Shares that it took.
    pub accepted: u64,
    /// Shares that it refused.
    pub rejected: u64,
    /// Shares that came too late for it.
    pub stale: u64,
    /// Shares that it never judged.
    pub lost: u64,
    /// Connections made since the start.
    pub connections: u64,
    /// The last thing that went wrong.
    pub last_error: Option<Arc<str>>,
}

/// Whether a pool is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolState {
    /// On the way.
    Connecting {
        /// Since when.
        since: Mono,
    },
    /// Gives work.
    Working {
        /// Since when.
        since: Mono,
    },
    /// Waiting before the next try.
    Waiting {
        /// Until when.
        until: Mono,
    },
}

impl Default for PoolStatus {
    fn default() -> Self {
        Self {
            state: PoolState::Connecting { since: Mono::default() },
            difficulty: None,
            jobs: 0,
            accepted: 0,
            rejected: 0,
            stale: 0,
            lost: 0,
            connections: 0,
            last_error: None,
        }
    }
}
