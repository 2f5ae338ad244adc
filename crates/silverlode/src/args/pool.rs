use std::time::Duration;

use clap::Subcommand;

use super::duration;

#[derive(Subcommand, Debug)]
pub(crate) enum Pool {
    /// The pools of the catalogue: endpoints by region, login, what they said they pay
    List {
        /// These pools only, by their id as in f2pool
        #[arg(value_name = "POOL")]
        pools: Vec<String>,
        /// Endpoints of this region only: global, europe, north-america or asia
        #[arg(long, value_name = "REGION")]
        region: Option<String>,
    },
    /// Reach, TLS, handshake, first job and latency of each endpoint; no share is sent: 0 all well,
    /// 3 some, 1 none
    Probe {
        /// A pool of the catalogue, or a URL as in stratum+tcp://HOST:PORT [default: the pools of the
        /// settings, else every endpoint of the catalogue]
        #[arg(value_name = "NAME_OR_URL")]
        what: Vec<String>,
        /// Account and worker to be let in [default: that of the settings, else a
        /// name that nobody has]
        #[arg(short = 'u', long = "user", value_name = "USER")]
        user: Option<String>,
        /// Its password
        #[arg(short = 'p', long = "pass", value_name = "PASS", default_value = "x")]
        pass: String,
        /// Endpoints of this region only
        #[arg(long, value_name = "REGION")]
        region: Option<String>,
        /// Believe this certificate, whoever signed it, as in sha256:…
        #[arg(long, value_name = "SHA256")]
        fingerprint: Option<String>,
        /// How long an endpoint may take for all of it
        #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "5s")]
        within: Duration,
    },
}
