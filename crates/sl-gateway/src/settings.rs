use std::time::Duration;

use sl_config::Secret;
use sl_guard::Network;
use sl_units::{HashRate, ShareDifficulty};

use crate::GatewayError;

sl_config::setting_enum! {
    /// How the difficulty of machines is found.
    pub enum VardiffRule {
        /// Moved when the count of shares contradicts the rate asked for.
        Poisson = "poisson",
        /// Moved when the rate leaves a band of 30 % over 90 s, as the older pools do.
        Banded = "banded",
        /// Never moved.
        Fixed = "fixed",
    }
}

sl_config::setting_enum! {
    /// What messages are looked at by before they are read.
    pub enum ValidatorName {
        /// How deep and wide JSON may be.
        JsonShape = "json_shape",
        /// Letters, digits and a few signs in workers' names, in at most four parts.
        WorkerNames = "worker_names",
    }
}

sl_config::setting_from_str! {
    /// A network or an address.
    pub struct Balancer => Network, "an address or a network, such as 10.0.0.1 or 10.0.0.0/24";
}

sl_config::settings! {
    /// What the machines of a worker claim.
    pub struct Claim without Default {
        /// What each of its machines claims to hash.
        live hashrate: HashRate,
    }
}

sl_config::settings! {
    /// The Stratum server for machines.
    pub struct GatewaySettings {
        /// Address to listen on. A new one is opened before the old one is closed; machines that are
        /// connected stay.
        live listen: std::net::SocketAddr = "127.0.0.1:3333",
        /// Address to listen on for machines that speak TLS; none listens for none.
        restart tls_listen: Option<std::net::SocketAddr>,
        /// PEM file of the certificate chain for TLS.
        restart tls_certificate: Option<std::path::PathBuf>,
        /// PEM file of its key, readable by its owner alone.
        restart tls_key: Option<std::path::PathBuf>,
        /// Balancers in front of the gateway, by address or network: each of their connections begins with a
        /// PROXY header (version 1 or 2), and limits and bans hold for the address that it names.
        live proxy_from: Vec<Balancer> = "",
        /// Let other computers connect; they must give the password. Stratum has no encryption.
        restart allow_lan: bool = false,
        /// Password that machines must give; none takes any.
        restart password: Option<Secret>,
        /// Threads that check shares.
        restart verify_threads: u16 = 1 in 1..=64,
        /// How long a share may wait for others while shares come often, so that one pass of the engine checks
        /// several.
        restart batch_wait: Duration = "5ms" in "0s"..="100ms",
        /// How the difficulty of machines is found: poisson, banded or fixed.
        live vardiff: VardiffRule = "poisson",
        /// Shares a minute asked of each machine.
        live shares_per_minute: f64 = 6 in 0.1..=6000,
        /// Difficulty that a machine starts with; none is a quarter of what the source wants. A machine
        /// whose rate is known starts where that belongs.
        live start_difficulty: Option<ShareDifficulty>,
        /// Least difficulty of a machine.
        live min_difficulty: ShareDifficulty = 0.0001,
        /// Greatest difficulty of a machine; what the source wants is always the limit.
        live max_difficulty: Option<ShareDifficulty>,
        /// The job is sent again after so long; some machines leave a pool that is silent for 90 s.
        live renew_jobs: Duration = "50s" in "1s"..="55s",
        /// A machine that comes back within this time with its session id gets its slot again.
        live resume_within: Duration = "10m" in "0s"..="1d",
        /// Most machines connected at once.
        live max_connections: u32 = 10000 in 1..=1000000,
        /// Most connections at once from one address other than loopback; none sets no limit, since whole
        /// farms stand behind one address.
        live connections_per_address: Option<u32>,
        /// Most connections at once from one subnet (/24, or /56 of IPv6); none sets no limit.
        live connections_per_subnet: Option<u32>,
        /// Most connections at once that are authorised for one worker; none sets no limit, since whole farms
        /// use one name.
        live connections_per_worker: Option<u32>,
        /// New connections a second from one address other than loopback; fifty times as many at once.
        live connects_per_second: u32 = 100 in 1..=100000,
        /// Time that a machine has to subscribe and authorise.
        live authorize_within: Duration = "15s" in "1s"..="5m",
        /// Messages that a machine may send before it is authorised.
        live messages_before: u32 = 20 in 3..=10000,
        /// Messages a second taken from each machine; more have to wait.
        live messages_per_second: u32 = 200 in 1..=100000,
        /// Bytes a second taken from each machine; more have to wait.
        live bytes_per_second: u32 = 65536 in 256..=100000000,
        /// What looks at each message before it is read: json_shape, worker_names. Counts for machines that
        /// connect from then on.
        live validators: Vec<ValidatorName> = "json_shape",
        /// Shares a second checked for each machine; more have to wait.
        live shares_per_second: u32 = 100 in 1..=100000,
        /// A machine is disconnected when so many in a hundred of its last 500 shares prove nothing.
        live invalid_percent: u32 = 50 in 1..=100,
        /// Time from a message's first byte to its end.
        live line_within: Duration = "10s" in "1s"..="5m",
        /// A machine that sends no share for so long while there is work is disconnected.
        live idle_timeout: Duration = "10m" in "10s"..="1d",
        /// A machine that takes no bytes for so long is disconnected.
        live write_timeout: Duration = "10s" in "1s"..="5m",
        /// Keep out for a while who misbehaves again and again; never loopback.
        live bans: bool = true,
        /// Time in which half of what an address did wrong is forgotten.
        live ban_half_life: Duration = "5m" in "1s"..="1d",
        /// What each machine claims to hash, where neither its worker nor its model says; its shares are
        /// tested against it.
        live claim: Option<HashRate>,
        /// What the machines of single workers claim to hash, by the worker's name.
        table claims: Claim,
    }
}

impl GatewaySettings {
    /// Whether the address may be listened on: loopback always, others only when told so.
    ///
    /// # Errors
    /// A wider address without `allow_lan`, or without a password.
    pub fn may_listen(&self) -> Result<(), GatewayError> {
        for listen in [Some(self.listen), self.tls_listen].into_iter().flatten() {
            match (listen.ip().is_loopback(), self.allow_lan, &self.password) {
                (true, ..) | (false, true, Some(_)) => {}
                (false, false, _) => return Err(GatewayError::Wide { listen }),
                (false, true, None) => return Err(GatewayError::Open { listen }),
            }
        }
        match (self.tls_listen, &self.tls_certificate, &self.tls_key) {
            (Some(_), None, _) => Err(GatewayError::TlsFiles("gateway.tls_certificate")),
            (Some(_), _, None) => Err(GatewayError::TlsFiles("gateway.tls_key")),
            _ => Ok(()),
        }
    }
}
