use std::time::Duration;

use sl_config::Secret;
use sl_units::ShareDifficulty;

use crate::GatewayError;

sl_config::settings! {
    /// The Stratum server for machines.
    pub struct GatewaySettings {
        /// Address to listen on.
        restart listen: std::net::SocketAddr = "127.0.0.1:3333",
        /// Let other computers connect; they must give the password. Stratum has no encryption.
        restart allow_lan: bool = false,
        /// Password that machines must give; none takes any.
        restart password: Option<Secret>,
        /// Most machines connected at once.
        restart max_connections: u32 = 10000 in 1..=1000000,
        /// Threads that check shares.
        restart verify_threads: u16 = 1 in 1..=64,
        /// Shares a minute asked of each machine.
        restart shares_per_minute: f64 = 6 in 0.1..=6000,
        /// Difficulty that a machine starts with; none is a quarter of what the source wants.
        restart start_difficulty: Option<ShareDifficulty>,
        /// Least difficulty of a machine.
        restart min_difficulty: ShareDifficulty = 0.0001,
        /// Greatest difficulty of a machine; what the source wants is always the limit.
        restart max_difficulty: Option<ShareDifficulty>,
        /// Time that a machine has to subscribe and authorise.
        restart authorize_within: Duration = "15s" in "1s"..="5m",
        /// A machine that sends no share for so long while there is work is disconnected.
        restart idle_timeout: Duration = "10m" in "10s"..="1d",
        /// A machine that takes no bytes for so long is disconnected.
        restart write_timeout: Duration = "10s" in "1s"..="5m",
        /// The job is sent again after so long; some machines leave a pool that is silent for 90 s.
        restart renew_jobs: Duration = "50s" in "1s"..="55s",
        /// A machine that comes back within this time with its session id gets its slot again.
        restart resume_within: Duration = "10m" in "0s"..="1d",
        /// Messages a second taken from each machine; more have to wait.
        restart messages_per_second: u32 = 200 in 1..=100000,
    }
}

impl GatewaySettings {
    /// Whether the address may be listened on: loopback always, others only when told so.
    ///
    /// # Errors
    /// A wider address without `allow_lan`, or without a password.
    pub fn may_listen(&self) -> Result<(), GatewayError> {
        match (self.listen.ip().is_loopback(), self.allow_lan, &self.password) {
            (true, ..) | (false, true, Some(_)) => Ok(()),
            (false, false, _) => Err(GatewayError::Wide { listen: self.listen }),
            (false, true, None) => Err(GatewayError::Open { listen: self.listen }),
        }
    }
}
