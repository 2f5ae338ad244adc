use std::{fs, io};

use sl_catalog::pools;
use sl_config::Secret;
use sl_ports::tls::{Fingerprint, Trust};
use thiserror::Error;

use crate::{DemandRules, Endpoint, Login, LoginError, LoginParts, Patience, PoolOptions, Wallet};

sl_config::setting_from_str! {
    /// A pool's address.
    pub struct PoolAddress => Endpoint, "stratum+tcp://HOST:PORT, or stratum+ssl://HOST:PORT over TLS";
}

sl_config::setting_from_str! {
    /// The SHA-256 of a certificate.
    pub struct CertificatePin => Fingerprint, "sha256: and 64 hexadecimal digits";
}

sl_config::setting_from_str! {
    /// A wallet's address with its coin.
    pub struct WalletAddress => Wallet, "TICKER=ADDRESS, as in LTC=ltc1q…";
}

sl_config::settings! {
    /// A pool to work for.
    pub struct PoolSettings without Default {
        /// Its address.
        restart url: PoolAddress,
        /// Account and worker, as the pool wants them; {worker} stands for each machine's name,
        /// {account} and {wallet:TICKER} for the settings of that name.
        restart user: String,
        /// Password; most pools read none.
        restart password: Secret = "x",
        /// What {account} in the user stands for.
        restart account: Option<String>,
        /// What {worker} stands for where a machine has no name, and for the connection itself.
        restart worker: String = "silverlode",
        /// What {wallet} and {wallet:TICKER} stand for.
        restart wallets: Vec<WalletAddress> = "",
        /// The fingerprint of the pool's certificate, where it signs its own; nothing else is then
        /// believed.
        restart fingerprint: Option<CertificatePin>,
        /// A PEM file of the authorities to believe, instead of the public ones.
        restart authorities: Option<std::path::PathBuf>,
        /// A share may wait so long for its verdict; then the pool is connected to anew.
        restart answer_within: std::time::Duration = "10s" in "1s"..="10m",
        /// The pool may be silent so long.
        restart silence: std::time::Duration = "60s" in "2s"..="1h",
        /// A pool silent for so long is asked for a sign of life; 0s never asks.
        restart ping_after: std::time::Duration = "30s" in "0s"..="1h",
        /// Shares in flight at a failure are held so long for a session that is resumed.
        restart resume_within: std::time::Duration = "2m" in "0s"..="1h",
        /// Connections from the start; leases are spread over them.
        restart connections: u16 = 1 in 1..=64,
        /// The most connections, where one has no room for all leases.
        restart most_connections: u16 = 8 in 1..=64,
        /// The hash rate that will work there, so that a fitting difficulty is suggested at once;
        /// none suggests nothing, and withholds nothing, before the pool is flooded.
        restart hashrate: Option<sl_units::HashRate>,
        /// Shares a second that a suggested difficulty aims at.
        restart shares_per_second: f64 = 1 in 0.001..=1000,
        /// More shares a second than these are not sent: until the pool asks for harder ones, only
        /// such are sent, and the price is shown.
        restart most_shares_per_second: f64 = 3000 in 0.1..=100000,
        /// Tell the pool that its extranonce may change while connected; some pools drop who asks.
        restart extranonce_subscribe: bool = false,
        /// Record every connection into this folder, passwords removed; the newest hundred of a
        /// pool stay, of 64 MiB at most.
        restart record: Option<std::path::PathBuf>,
    }
}

/// Why a pool's settings cannot be used.
#[derive(Debug, Error)]
pub enum PoolSettingsError {
    /// The user name.
    #[error(transparent)]
    Login(#[from] LoginError),
    /// The authorities' file.
    #[error("cannot read the authorities {}: {cause}", .path.display())]
    Authorities {
        /// The file.
        path: std::path::PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
}

impl PoolSettings {
    /// Under which names to work there; a pool of the catalogue allows what its row says.
    ///
    /// # Errors
    /// A template that nothing fills, or an address that is none.
    pub fn login(&self) -> Result<Login, LoginError> {
        let parts = LoginParts {
            account: self.account.as_deref(),
            worker: Some(&self.worker),
            wallets: &self.wallets,
            rule: pools::by_host(self.url.host()).and_then(|pool| pool.worker_names),
        };
        Login::new(&self.user, &parts)
    }

    /// How to treat the pool. Reads the authorities' file.
    ///
    /// # Errors
    /// See [`PoolSettingsError`].
    pub fn options(&self) -> Result<PoolOptions, PoolSettingsError> {
        let trust = match (&self.fingerprint, &self.authorities) {
            (Some(pin), _) => Trust::Pinned(*pin),
            (None, Some(path)) => {
                let wrong = |cause| PoolSettingsError::Authorities { path: path.clone(), cause };
                let pem = fs::read(path).map_err(wrong)?;
                let trust = Trust::Authorities(pem);
                sl_ports::tls::client::Connector::new(&trust)
                    .map_err(|reason| wrong(io::Error::other(reason.to_string())))?;
                trust
            }
            (None, None) => Trust::Public,
        };
        Ok(PoolOptions {
            trust,
            patience: Patience {
                silence: self.silence,
                answer: self.answer_within,
                ping_after: self.ping_after,
                ..Patience::default()
            },
            resume_within: self.resume_within,
            connections: self.connections.into(),
            most_connections: self.most_connections.into(),
            demand: DemandRules {
                hashrate: self.hashrate,
                shares_per_second: self.shares_per_second,
                most_shares_per_second: self.most_shares_per_second,
            },
            extranonce_subscribe: self.extranonce_subscribe,
            record: self.record.clone(),
            login: Some(self.login()?),
        })
    }
}
