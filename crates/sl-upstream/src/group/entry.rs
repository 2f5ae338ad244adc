use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use sl_catalog::{Region, pools};
use sl_config::Secret;
use sl_stratum::Password;
use sl_work::{SourceId, WorkerName};
use thiserror::Error;

use crate::{
    BreakerRules, CertificatePin, Endpoint, FailoverRules, Login, PoolAddress, PoolOptions,
    PoolSettings, PoolSettingsError, StrategyRules, WalletAddress,
};

sl_config::setting_from_str! {
    /// A region, or the nearest.
    pub struct RegionWord => RegionChoice, "auto, global, europe, north-america or asia";
}

sl_config::settings! {
    /// A pool among several.
    pub struct PoolEntry without Default {
        /// Its name here, on screens and in metrics; none is the catalogue's, or the host.
        live name: Option<String>,
        /// A pool of the catalogue, such as f2pool, whose addresses are known.
        live pool: Option<String>,
        /// Which of its addresses: auto measures and takes the nearest; of addresses given by url,
        /// none takes the first that answers.
        live region: Option<RegionWord>,
        /// Its addresses, where it is not of the catalogue, or other ones.
        live url: Vec<PoolAddress> = "",
        /// Whether to use those of the catalogue's addresses that speak TLS.
        live tls: bool = false,
        /// Account and worker, as the pool wants them; {worker} stands for each machine's name,
        /// {account} and {wallet:TICKER} for the settings of that name.
        live user: String,
        /// Password; most pools read none.
        live password: Secret = "x",
        /// The lower, the sooner; the others stand by.
        live priority: u16 = 0 in 0..=1000,
        /// Its part of the work among pools of one priority; 0 only stands by.
        live weight: u32 = 100 in 0..=1000000,
        /// What {account} in the user stands for.
        live account: Option<String>,
        /// What {worker} stands for where a machine has no name, and for the connection itself.
        live worker: String = "silverlode",
        /// What {wallet} and {wallet:TICKER} stand for.
        live wallets: Vec<WalletAddress> = "",
        /// The fingerprint of the pool's certificate, where it signs its own; nothing else is then
        /// believed.
        live fingerprint: Option<CertificatePin>,
        /// A PEM file of the authorities to believe, instead of the public ones.
        live authorities: Option<PathBuf>,
        /// A share may wait so long for its verdict; then the pool is connected to anew.
        live answer_within: Duration = "10s" in "1s"..="10m",
        /// The pool may be silent so long.
        live silence: Duration = "60s" in "2s"..="1h",
        /// A pool silent for so long is asked for a sign of life; 0s never asks.
        live ping_after: Duration = "30s" in "0s"..="1h",
        /// Shares in flight at a failure are held so long for a session that is resumed.
        live resume_within: Duration = "2m" in "0s"..="1h",
        /// Connections from the start; leases are spread over them.
        live connections: u16 = 1 in 1..=64,
        /// The most connections, where one has no room for all leases.
        live most_connections: u16 = 8 in 1..=64,
        /// The hash rate that will work there, so that a fitting difficulty is suggested at once;
        /// none suggests nothing, and withholds nothing, before the pool is flooded.
        live hashrate: Option<sl_units::HashRate>,
        /// Shares a second that a suggested difficulty aims at.
        live shares_per_second: f64 = 1 in 0.001..=1000,
        /// More shares a second than these are not sent: until the pool asks for harder ones, only
        /// such are sent, and the price is shown.
        live most_shares_per_second: f64 = 3000 in 0.1..=100000,
        /// Tell the pool that its extranonce may change while connected; some pools drop who asks.
        live extranonce_subscribe: bool = false,
        /// Record every connection into this folder, passwords removed; the newest hundred of a
        /// pool stay, of 64 MiB at most.
        live record: Option<PathBuf>,
    }
}

sl_config::settings! {
    /// How one of several pools is chosen, and left.
    pub struct FailoverSettings {
        /// The strategy: priority (the highest priority that works, weights among equals) or latency
        /// (the nearest), or one that a program of your own registers.
        live strategy: String = "priority",
        /// How long a pool that failed must be back before machines return to it.
        live dwell: Duration = "60s" in "0s"..="1d",
        /// The least time for one pool while several share the work by weight.
        live slice: Duration = "15s" in "1s"..="10m",
        /// A pool is left when more than this part of its recent shares are refused; stale ones do
        /// not count.
        live refused_share: f64 = 0.5 in 0.05..=1,
        /// A pool is left when a share has waited so long for its verdict.
        live answer_within: Duration = "10s" in "1s"..="10m",
        /// A pool without a job for so long is no standby any more.
        live jobless: Duration = "10s" in "1s"..="10m",
        /// The first wait of a pool that was left for what it did to shares, or that flaps; it
        /// doubles up to 10 minutes.
        live rest: Duration = "10s" in "1s"..="10m",
        /// How often the distance of pools is measured.
        live measure_every: Duration = "10m" in "1s"..="1d",
    }
}

impl FailoverSettings {
    /// The same as rules.
    #[must_use]
    pub fn rules(&self) -> FailoverRules {
        FailoverRules {
            least_width: FailoverRules::default().least_width,
            strategy: StrategyRules { dwell: self.dwell, slice: self.slice },
            breaker: BreakerRules {
                refused_share: self.refused_share,
                answer: self.answer_within,
                jobless: self.jobless,
                first_wait: self.rest,
                ..BreakerRules::default()
            },
        }
    }
}

/// Which of a pool's addresses to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegionChoice {
    /// The nearest, by measurement.
    Auto,
    /// Those of a region.
    In(Region),
}

impl fmt::Display for RegionChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.pad("auto"),
            Self::In(region) => region.fmt(f),
        }
    }
}

impl FromStr for RegionChoice {
    type Err = sl_catalog::RegionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "auto" { Ok(Self::Auto) } else { text.parse().map(Self::In) }
    }
}

/// A pool as a group is to run it.
#[derive(Clone, Debug)]
pub struct PoolPlan {
    /// The source's name: `pool.` and the name of the settings.
    pub id: SourceId,
    /// Its addresses, in the order to try them.
    pub endpoints: Vec<Endpoint>,
    /// Whether the nearest of them is used, by measurement.
    pub nearest: bool,
    /// Account and worker.
    pub user: WorkerName,
    /// Password.
    pub password: Password,
    /// How to treat it.
    pub options: PoolOptions,
    /// The lower, the sooner.
    pub priority: u32,
    /// Its part of the work among pools of one priority.
    pub weight: u32,
    /// What must stay the same for its connection to stay.
    identity: Box<PoolEntry>,
}

/// Why an entry of the list of pools cannot be used.
#[derive(Debug, Error)]
pub enum PoolEntryError {
    /// Nothing says where it is.
    #[error("no address: give pool, a name of the catalogue, or url")]
    NoAddress,
    /// The catalogue has no such pool.
    #[error("the catalogue has no pool {found:?}, it has {allowed}")]
    Unknown {
        /// The name given, cut to 80 characters.
        found: String,
        /// Those with addresses.
        allowed: String,
    },
    /// The catalogue has no such address of the pool.
    #[error("the catalogue knows no {what} of {pool}; give its url")]
    NoEndpoint {
        /// The pool.
        pool: &'static str,
        /// What is missing.
        what: String,
    },
    /// The rest of the settings.
    #[error(transparent)]
    Settings(#[from] PoolSettingsError),
}

impl PoolEntry {
    /// Its name: what the settings say, else the catalogue's, else the host of its first address.
    #[must_use]
    pub fn short_name(&self) -> String {
        let host = || self.url.first().map(|url| url.host().to_owned());
        let name = self.name.clone().or_else(|| self.pool.clone()).or_else(host);
        name.unwrap_or_else(|| "unnamed".into())
    }

    /// Its addresses in the order to try them, and whether the nearest is used.
    ///
    /// # Errors
    /// Neither `url` nor a pool of the catalogue, or the catalogue has no such address.
    pub fn endpoints(&self) -> Result<(Vec<Endpoint>, bool), PoolEntryError> {
        if !self.url.is_empty() {
            return Ok((self.url.clone(), self.region == Some(RegionChoice::Auto)));
        }
        let Some(name) = &self.pool else { return Err(PoolEntryError::NoAddress) };
        let Some(row) = pools::by_id(name) else {
            let known = pools::all().iter().filter(|pool| !pool.endpoints.is_empty());
            return Err(PoolEntryError::Unknown {
                found: name.chars().take(80).collect(),
                allowed: known.map(|pool| pool.id).collect::<Vec<_>>().join(", "),
            });
        };
        let region = match self.region {
            None | Some(RegionChoice::Auto) => None,
            Some(RegionChoice::In(region)) => Some(region),
        };
        let read = |endpoint: &pools::Endpoint| endpoint.to_string().parse::<Endpoint>().ok();
        let endpoints: Vec<Endpoint> =
            row.candidates(region, self.tls).into_iter().filter_map(read).collect();
        if endpoints.is_empty() {
            let place = region.map_or(String::new(), |region| format!(" in {region}"));
            let tls = if self.tls { " over TLS" } else { "" };
            let what = format!("address{tls}{place}");
            return Err(PoolEntryError::NoEndpoint { pool: row.name, what });
        }
        Ok((endpoints, region.is_none()))
    }

    /// Under which names to work there; a pool of the catalogue allows what its row says.
    ///
    /// # Errors
    /// See [`PoolEntryError`].
    pub fn login(&self) -> Result<Login, PoolEntryError> {
        let (endpoints, _) = self.endpoints()?;
        Ok(self.single(&endpoints)?.login().map_err(PoolSettingsError::from)?)
    }

    /// What a group is to run. Reads the authorities' file; `password` is what the secret refers to.
    ///
    /// # Errors
    /// See [`PoolEntryError`].
    pub fn plan(&self, password: &str) -> Result<PoolPlan, PoolEntryError> {
        let (endpoints, nearest) = self.endpoints()?;
        let settings = self.single(&endpoints)?;
        Ok(PoolPlan {
            id: SourceId::new(&format!("pool.{}", self.short_name())),
            nearest: nearest && endpoints.len() > 1,
            endpoints,
            user: settings.login().map_err(PoolSettingsError::from)?.main().into(),
            password: Password::new(password.to_owned()),
            options: settings.options()?,
            priority: self.priority.into(),
            weight: self.weight,
            identity: Box::new(Self { priority: 0, weight: 0, ..self.clone() }),
        })
    }

    /// The same as a pool alone.
    fn single(&self, endpoints: &[Endpoint]) -> Result<PoolSettings, PoolEntryError> {
        Ok(PoolSettings {
            url: endpoints.first().cloned().ok_or(PoolEntryError::NoAddress)?,
            user: self.user.clone(),
            password: self.password.clone(),
            account: self.account.clone(),
            worker: self.worker.clone(),
            wallets: self.wallets.clone(),
            fingerprint: self.fingerprint,
            authorities: self.authorities.clone(),
            answer_within: self.answer_within,
            silence: self.silence,
            ping_after: self.ping_after,
            resume_within: self.resume_within,
            connections: self.connections,
            most_connections: self.most_connections,
            hashrate: self.hashrate,
            shares_per_second: self.shares_per_second,
            most_shares_per_second: self.most_shares_per_second,
            extranonce_subscribe: self.extranonce_subscribe,
            record: self.record.clone(),
        })
    }
}

impl PoolPlan {
    /// Whether a connection made for the one serves the other: all but priority and weight.
    #[must_use]
    pub fn is_same_pool(&self, other: &Self) -> bool {
        self.id == other.id && self.password == other.password && self.identity == other.identity
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(yaml: &str) -> PoolEntry {
        sl_config::read_text("pool.yaml", yaml).unwrap_or_else(|wrong| panic!("{wrong}"))
    }

    /// The addresses of an entry, `~` before those of which the nearest is taken; or what is wrong.
    fn check(yaml: &str, expect: &str) {
        let found = match read(yaml).plan("x") {
            Ok(plan) => {
                let list: Vec<String> = plan.endpoints.iter().map(ToString::to_string).collect();
                format!("{} {}{}", plan.id, if plan.nearest { "~" } else { "" }, list.join(" "))
            }
            Err(wrong) => wrong.to_string(),
        };
        assert_eq!(found, expect, "{yaml}");
    }

    #[test]
    fn addresses_come_from_the_catalogue_or_the_settings() {
        check(
            "{pool: f2pool, user: farm}",
            "pool.f2pool ~stratum+tcp://ltc.f2pool.com:3335 stratum+tcp://ltc-euro.f2pool.com:3335 \
             stratum+tcp://ltc-na.f2pool.com:3335 stratum+tcp://ltc-asia.f2pool.com:3335",
        );
        check(
            "{pool: f2pool, user: farm, region: global, name: main}",
            "pool.main stratum+tcp://ltc.f2pool.com:3335 stratum+tcp://ltc.f2pool.com:8888 \
             stratum+tcp://ltc.f2pool.com:5200",
        );
        check(
            "{pool: f2pool, user: farm, tls: true}",
            "pool.f2pool stratum+ssl://ltcssl.f2pool.com:5201",
        );
        check(
            "{pool: f2pool, user: farm, region: asia, tls: true}",
            "the catalogue knows no address over TLS in asia of F2Pool; give its url",
        );
        check(
            "{url: [a.example:1, b.example:2], user: farm}",
            "pool.a.example stratum+tcp://a.example:1 stratum+tcp://b.example:2",
        );
        check(
            "{url: [a.example:1, b.example:2], region: auto, user: farm}",
            "pool.a.example ~stratum+tcp://a.example:1 stratum+tcp://b.example:2",
        );
        check("{user: farm}", "no address: give pool, a name of the catalogue, or url");
        let unknown = read("{pool: nowhere, user: farm}").plan("x").expect_err("unknown");
        assert!(
            unknown.to_string().starts_with("the catalogue has no pool \"nowhere\", it has f2pool"),
            "{unknown}"
        );
    }

    #[test]
    fn a_pool_is_the_same_whatever_its_rank() {
        let plan = |yaml: &str, password: &str| read(yaml).plan(password).expect("good");
        let one = plan("{pool: f2pool, user: farm}", "x");
        assert!(one.is_same_pool(&plan("{pool: f2pool, user: farm, priority: 3, weight: 7}", "x")));
        assert!(!one.is_same_pool(&plan("{pool: f2pool, user: farm}", "y")));
        assert!(!one.is_same_pool(&plan("{pool: f2pool, user: other}", "x")));
    }
}
