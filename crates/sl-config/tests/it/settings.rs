//! Settings of a mine that does not exist, with every shape that a section can have.

use std::net::SocketAddr;
use std::time::Duration;

use sl_config::{ByteSize, Secret, setting_enum, settings};
use sl_units::HashRate;

setting_enum! {
    /// How the mine runs.
    pub enum Mode {
        /// On simulated chains.
        Educational = "educational",
        /// For money.
        Production = "production",
    }
}

settings! {
    /// The difficulty of each machine.
    pub struct Vardiff {
        /// How often it is looked at.
        live every: Duration = "30s" in "1s"..="10m",
        /// Shares a minute asked of each machine.
        live shares_per_minute: f64 = 6 in 0.1..=600,
    }
}

settings! {
    /// The server for machines.
    pub struct Gateway {
        /// Address to listen on.
        live listen: SocketAddr = "127.0.0.1:3333",
        /// Longest line taken from a machine.
        restart line: ByteSize = "16KiB",
        /// Most connections.
        restart connections: u32 = 10_000,
        /// The difficulty of each machine.
        section vardiff: Vardiff,
    }
}

settings! {
    /// A pool to mine on.
    pub struct Pool without Default {
        /// Where it answers.
        restart url: String,
        /// Who mines.
        restart user: String = "silverlode",
        /// The worker's password.
        restart password: Secret = "env:POOL_PASSWORD",
        /// Place in the order.
        live priority: Option<u8> = none in 1..=9,
    }
}

settings! {
    /// What concerns one coin.
    pub struct Coin {
        /// Where its rewards go; none takes play money.
        restart address: Option<String>,
        /// Whether it is mined.
        restart r#enabled: bool = true,
    }
}

settings! {
    /// Settings of the mine.
    pub struct Mine {
        /// How the mine runs.
        restart mode: Mode = "educational",
        /// Hash rate claimed for the CPU.
        restart claimed: HashRate = "9.5 GH/s",
        /// Coins to mine.
        live coins: Vec<String> = "ltc,doge",
        /// CPU cores to mine on.
        live cores: Vec<u16>,
        /// The server for machines.
        section gateway: Gateway,
        /// The pool to fall back on.
        optional spare: Pool,
        /// The pools to mine on.
        list pools: Pool,
        /// The coins, by ticker.
        table rewards: Coin,
    }
}
