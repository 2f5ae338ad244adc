//! The rows. Read from public sources between 2026-07 and 2026-11-22 (`testdata/coins/coins.toml`,
//! section pools, and the reports it belongs to). Pools change their lists: these are data.
use sl_units::CoinAmount;

use super::{Endpoint, Listing, Minimum, NameRule, Pool, Removal};
use crate::{Date, Region};

/// Day on which the sources were read.
const READ: Date = Date::new(2026, 11, 22);

const DIRECTORY: &str = "public source directory \"Litecoin merged-mining\", checked 2026-10-04, quoting the pools' help";
const F2POOL_PORTS: &str =
    "several public configurations; the ports also in btccom's pool list of 2019";
const F2POOL_REGIONS: &str = "several public configurations; recorded DNS answers";

const fn tcp(region: Region, host: &'static str, port: u16, source: &'static str) -> Endpoint {
    Endpoint { region, host, port, tls: false, source }
}

const fn coins(coin: &'static str, amount: u64) -> Minimum {
    Minimum { coin, amount: CoinAmount::from_coins(amount) }
}

const fn thousandths(coin: &'static str, amount: u64) -> Minimum {
    Minimum { coin, amount: CoinAmount::from_units(amount * 100_000) }
}

pub(super) static TABLE: [Pool; 9] = [
    Pool {
        id: "f2pool",
        name: "F2Pool",
        endpoints: &[
            tcp(Region::Global, "ltc.f2pool.com", 3335, F2POOL_PORTS),
            tcp(Region::Global, "ltc.f2pool.com", 8888, F2POOL_PORTS),
            tcp(Region::Global, "ltc.f2pool.com", 5200, F2POOL_PORTS),
            tcp(Region::Europe, "ltc-euro.f2pool.com", 3335, F2POOL_REGIONS),
            tcp(Region::NorthAmerica, "ltc-na.f2pool.com", 3335, F2POOL_REGIONS),
            tcp(Region::Asia, "ltc-asia.f2pool.com", 3335, F2POOL_REGIONS),
            Endpoint {
                region: Region::Global,
                host: "ltcssl.f2pool.com",
                port: 5201,
                tls: true,
                source: "one public configuration; the host exists in recorded DNS (weak)",
            },
        ],
        listings: &[
            Listing {
                as_of: Date::new(2025, 1, 1),
                coins: &["LTC", "DOGE", "BELLS", "LKY", "PEP", "JKC", "DINGO", "SHIC", "CRC"],
                source: "a public document of 2025, day not stated",
            },
            Listing {
                as_of: Date::new(2026, 4, 1),
                coins: &["LTC", "DOGE", "BELLS", "LKY", "PEP", "JKC", "DINGO", "SHIC", "CRC"],
                source: "an article of April 2026, day not stated",
            },
            Listing {
                as_of: Date::new(2026, 10, 4),
                coins: &["LTC", "DOGE", "BELLS", "PEP", "DINGO", "LKY"],
                source: DIRECTORY,
            },
        ],
        removals: &[],
        minima: &[thousandths("LTC", 20), coins("DOGE", 40)],
        // A worker name has at most 15 digits or lower-case letters. One source also writes
        // wallets: LTC address, DOGE address, worker, parted by dots.
        user_template: Some("{account}.{worker}"),
        password_template: None,
        worker_names: Some(NameRule { longest: 15, upper_case: false }),
        scheme: Some("LTC PPS; merged coins PPLNS"),
        as_of: READ,
        source: "F2Pool help 4403287269773 (2026-07-14) as quoted; older help text; public configurations",
    },
    Pool {
        id: "viabtc",
        name: "ViaBTC",
        endpoints: &[],
        listings: &[
            Listing {
                as_of: Date::new(2026, 1, 1),
                coins: &["LTC", "DOGE", "BELLS", "LKY", "PEP", "JKC", "DINGO", "SHIC"],
                source: "viabtc.com, January 2026",
            },
            Listing {
                as_of: Date::new(2026, 10, 4),
                coins: &["LTC", "DOGE", "BELLS", "PEP", "DINGO"],
                source: DIRECTORY,
            },
        ],
        removals: &[
            Removal { on: Date::new(2026, 5, 19), coins: &["JKC", "SHIC"], source: DIRECTORY },
            Removal { on: Date::new(2026, 6, 8), coins: &["LKY"], source: DIRECTORY },
        ],
        minima: &[thousandths("LTC", 1)],
        user_template: None,
        password_template: None,
        worker_names: None,
        scheme: Some("PPS+ 4 % (2 % on fees) or PPLNS 2 %, paid hourly"),
        as_of: READ,
        source: "ViaBTC help 11477430615439 (2026-09-15) as quoted",
    },
    Pool {
        id: "antpool",
        name: "ANTPOOL",
        endpoints: &[],
        listings: &[],
        removals: &[Removal {
            on: Date::new(2026, 7, 10),
            coins: &["TRMP", "SHIC", "CRC", "JKC"],
            source: DIRECTORY,
        }],
        minima: &[],
        user_template: None,
        password_template: None,
        worker_names: None,
        scheme: None,
        as_of: READ,
        source: DIRECTORY,
    },
    Pool {
        id: "cloverpool",
        name: "CloverPool",
        endpoints: &[],
        listings: &[],
        removals: &[Removal {
            on: Date::new(2025, 11, 27),
            coins: &["CRC", "DOGM", "BONC", "TRMP"],
            source: DIRECTORY,
        }],
        minima: &[],
        user_template: None,
        password_template: None,
        worker_names: None,
        scheme: None,
        as_of: READ,
        source: DIRECTORY,
    },
    Pool {
        id: "mining-dutch",
        name: "Mining-Dutch",
        endpoints: &[],
        listings: &[Listing {
            as_of: Date::new(2026, 10, 4),
            coins: &[
                "LTC", "DOGE", "BELLS", "PEP", "DINGO", "LKY", "JKC", "FLOP", "NYC", "TRMP", "CRC",
                "SHIC", "EAC", "WDC", "BONC", "B1T",
            ],
            source: DIRECTORY,
        }],
        removals: &[],
        minima: &[],
        user_template: None,
        password_template: None,
        worker_names: None,
        scheme: None,
        as_of: READ,
        source: "Mining-Dutch help as quoted by the directory of 2026-10-04",
    },
    Pool {
        id: "spiderpool",
        name: "SpiderPool",
        endpoints: &[],
        listings: &[Listing {
            as_of: READ,
            coins: &["LTC", "DOGE", "BELLS", "LKY", "PEP", "JKC", "DOGM", "DINGO"],
            source: "a public list, its day not stated; read 2026-11-22",
        }],
        removals: &[],
        minima: &[
            thousandths("LTC", 20),
            coins("DOGE", 40),
            coins("BELLS", 1),
            thousandths("LKY", 100),
            coins("PEP", 20_000),
            coins("JKC", 5),
            coins("DOGM", 200_000),
            coins("DINGO", 20_000),
        ],
        user_template: None,
        password_template: None,
        worker_names: None,
        scheme: Some("LTC PPS 3-4 %, DOGE PPLNS 1-4 %, BELLS PPLNS 1-2 %, others PPLNS 0-2 %"),
        as_of: READ,
        source: "a public list, its day not stated; read 2026-11-22",
    },
    Pool {
        id: "kryptex",
        name: "Kryptex",
        endpoints: &[],
        // "LTC, DOGE and 8 altcoins" (April 2026), their names not given: no list.
        listings: &[],
        removals: &[],
        minima: &[],
        user_template: Some("{wallet}.{worker}"),
        password_template: None,
        worker_names: None,
        scheme: None,
        as_of: READ,
        source: "a public description of April 2026",
    },
    Pool {
        id: "litecoinpool",
        name: "litecoinpool.org",
        endpoints: &[tcp(
            Region::NorthAmerica,
            "us.litecoinpool.org",
            3333,
            "pools reply of an Antminer L3+, recorded in May 2018",
        )],
        // Other merged coins are folded into the pay per share.
        listings: &[Listing {
            as_of: Date::new(2026, 10, 4),
            coins: &["LTC", "DOGE"],
            source: DIRECTORY,
        }],
        removals: &[],
        minima: &[],
        user_template: Some("{account}.{worker}"),
        // Sets the difficulty of the connection; the pool may cap it.
        password_template: Some("d={difficulty}"),
        worker_names: None,
        scheme: Some("PPS in LTC and DOGE"),
        as_of: READ,
        source: "the pool's news 56 and the directory of 2026-10-04",
    },
    Pool {
        id: "litesolo",
        name: "LiteSolo",
        endpoints: &[],
        listings: &[Listing {
            as_of: READ,
            coins: &["LTC", "DOGE"],
            source: "a public list, its day not stated; read 2026-11-22",
        }],
        removals: &[],
        minima: &[],
        user_template: Some("{wallet}.{worker}"),
        password_template: Some("DOGE={wallet:DOGE}"),
        worker_names: None,
        scheme: Some("solo; rewards straight in the coinbase"),
        as_of: READ,
        source: "a public list, its day not stated; read 2026-11-22",
    },
];
