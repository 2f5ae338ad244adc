//! Pools: endpoints by region, login, what is paid and since when. A new pool is one row.
mod table;

use std::fmt;

use sl_units::CoinAmount;

use crate::{Date, Region};
use table::TABLE;

/// Every pool, in the order of the table.
#[must_use]
pub fn all() -> &'static [Pool] {
    &TABLE
}

/// The pool with this id, as in `f2pool`.
#[must_use]
pub fn by_id(id: &str) -> Option<&'static Pool> {
    TABLE.iter().find(|pool| pool.id == id)
}

/// The pool that has an endpoint on this host, as in `ltc.f2pool.com`.
#[must_use]
pub fn by_host(host: &str) -> Option<&'static Pool> {
    TABLE
        .iter()
        .find(|pool| pool.endpoints.iter().any(|endpoint| endpoint.host.eq_ignore_ascii_case(host)))
}

/// A pool.
#[derive(Debug, Clone, PartialEq)]
pub struct Pool {
    /// Key in settings, lower case.
    pub id: &'static str,
    /// Name for people.
    pub name: &'static str,
    /// Stratum addresses for Litecoin and what is merged with it, the one to try first.
    pub endpoints: &'static [Endpoint],
    /// What it said it pays, oldest first.
    pub listings: &'static [Listing],
    /// What it said it no longer pays, oldest first.
    pub removals: &'static [Removal],
    /// Least amounts it pays out.
    pub minima: &'static [Minimum],
    /// User name to authorize with: `{account}`, `{worker}`, `{wallet}` (the parent coin's
    /// address) and `{wallet:TICKER}` stand for what the operator fills in. `None` where no source
    /// states it.
    pub user_template: Option<&'static str>,
    /// Password to authorize with, in the same notation, `{difficulty}` among it; `None` where it
    /// does not matter.
    pub password_template: Option<&'static str>,
    /// What it allows as the name of a worker; `None` where no source states it.
    pub worker_names: Option<NameRule>,
    /// How it pays, in words.
    pub scheme: Option<&'static str>,
    /// Day the row was read.
    pub as_of: Date,
    /// Where the row is from.
    pub source: &'static str,
}

/// What a pool allows as the name of a worker: letters and digits, and so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameRule {
    /// The most characters.
    pub longest: usize,
    /// Whether letters may be capitals.
    pub upper_case: bool,
}

/// A Stratum V1 address of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    /// Where it stands.
    pub region: Region,
    /// Host name.
    pub host: &'static str,
    /// TCP port.
    pub port: u16,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// Where the address is from.
    pub source: &'static str,
}

/// What a pool said on a day it pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listing {
    /// The day.
    pub as_of: Date,
    /// All coins it pays, by ticker.
    pub coins: &'static [&'static str],
    /// Where it is from.
    pub source: &'static str,
}

/// Coins a pool dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Removal {
    /// The day from which it no longer pays them.
    pub on: Date,
    /// The coins, by ticker.
    pub coins: &'static [&'static str],
    /// Where it is from.
    pub source: &'static str,
}

/// The least amount of a coin that a pool pays out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Minimum {
    /// The coin, by ticker.
    pub coin: &'static str,
    /// The amount.
    pub amount: CoinAmount,
}

/// Whether a pool pays a coin, as far as the rows know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pays {
    /// It is on the newest list.
    Yes {
        /// Day of that list.
        as_of: Date,
    },
    /// It was dropped, or is not on the newest list.
    No {
        /// Day of the removal or the list.
        as_of: Date,
    },
    /// No list on or before the day, and no removal of this coin.
    Unknown,
}

impl Pool {
    /// Whether it pays a coin on a day: the newest fact on or before that day decides.
    #[must_use]
    pub fn pays(&self, ticker: &str, on: Date) -> Pays {
        let named = |coins: &[&str]| coins.iter().any(|coin| coin.eq_ignore_ascii_case(ticker));
        let listing = self.listings.iter().filter(|list| list.as_of <= on).max_by_key(|l| l.as_of);
        let removal = self
            .removals
            .iter()
            .filter(|removal| removal.on <= on && named(removal.coins))
            .max_by_key(|removal| removal.on);
        match (listing, removal) {
            (Some(list), Some(removal)) if removal.on >= list.as_of => {
                Pays::No { as_of: removal.on }
            }
            (None, Some(removal)) => Pays::No { as_of: removal.on },
            (Some(list), _) if named(list.coins) => Pays::Yes { as_of: list.as_of },
            (Some(list), _) => Pays::No { as_of: list.as_of },
            (None, None) => Pays::Unknown,
        }
    }

    /// The least amount of a coin it pays out, where known.
    #[must_use]
    pub fn minimum(&self, ticker: &str) -> Option<CoinAmount> {
        let minimum = self.minima.iter().find(|row| row.coin.eq_ignore_ascii_case(ticker))?;
        Some(minimum.amount)
    }

    /// The endpoints to try, over TLS or not: all of a region, the first to try first; without a
    /// region the first of each, among which the nearest is the best.
    #[must_use]
    pub fn candidates(&self, region: Option<Region>, tls: bool) -> Vec<&'static Endpoint> {
        let fit = |region| self.endpoints_in(region).filter(move |endpoint| endpoint.tls == tls);
        match region {
            Some(region) => fit(region).collect(),
            None => Region::ALL.into_iter().filter_map(|region| fit(region).next()).collect(),
        }
    }

    /// Its endpoints in a region.
    pub fn endpoints_in(&self, region: Region) -> impl Iterator<Item = &'static Endpoint> {
        self.endpoints.iter().filter(move |endpoint| endpoint.region == region)
    }
}

impl fmt::Display for Endpoint {
    /// As miners write it: `stratum+tcp://host:port`, with TLS `stratum+ssl://host:port`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "stratum+ssl" } else { "stratum+tcp" };
        f.pad(&format!("{scheme}://{}:{}", self.host, self.port))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const TODAY: Date = Date::new(2026, 11, 22);

    fn pool(id: &str) -> &'static Pool {
        by_id(id).expect("in the catalogue")
    }

    #[test]
    fn rows_are_distinct_sourced_and_dated() {
        let (mut ids, mut endpoints) = (HashSet::new(), HashSet::new());
        for pool in all() {
            assert!(ids.insert(pool.id), "{} twice", pool.id);
            assert_eq!(pool.id, pool.id.to_lowercase());
            assert!(!pool.source.is_empty() && pool.as_of <= TODAY, "{}", pool.id);
            for endpoint in pool.endpoints {
                assert!(endpoints.insert(endpoint.to_string()), "{endpoint} twice");
                assert!(endpoint.port > 0 && !endpoint.source.is_empty(), "{endpoint}");
                assert!(endpoint.host.ends_with(".com") || endpoint.host.ends_with(".org"));
                assert_eq!(by_host(endpoint.host), Some(pool));
            }
            assert!(pool.listings.is_sorted_by(|a, b| a.as_of < b.as_of), "{}", pool.id);
            assert!(pool.removals.is_sorted_by(|a, b| a.on < b.on), "{}", pool.id);
            for coins in pool
                .listings
                .iter()
                .map(|list| list.coins)
                .chain(pool.removals.iter().map(|removal| removal.coins))
            {
                let distinct: HashSet<_> = coins.iter().collect();
                assert_eq!(distinct.len(), coins.len(), "{}", pool.id);
                assert!(coins.iter().all(|coin| **coin == coin.to_uppercase()));
            }
            let minima: HashSet<_> = pool.minima.iter().map(|minimum| minimum.coin).collect();
            assert_eq!(minima.len(), pool.minima.len(), "{}", pool.id);
            assert!(pool.minima.iter().all(|minimum| minimum.amount.units() > 0));
            for template in pool.user_template.iter().chain(&pool.password_template) {
                assert_eq!(template.matches('{').count(), template.matches('}').count());
                assert!(template.contains('{'), "{template}");
            }
        }
    }

    #[test]
    fn what_a_pool_pays_depends_on_the_day() {
        let (old, new) = (Date::new(2026, 4, 1), Date::new(2026, 10, 4));
        let f2pool = pool("f2pool");
        assert_eq!(f2pool.pays("SHIC", old), Pays::Yes { as_of: old });
        assert_eq!(f2pool.pays("SHIC", TODAY), Pays::No { as_of: new });
        assert_eq!(f2pool.pays("doge", TODAY), Pays::Yes { as_of: new });
        assert_eq!(f2pool.pays("DOGE", Date::new(2020, 1, 1)), Pays::Unknown);
    }

    #[test]
    fn a_removal_holds_until_a_newer_list() {
        let viabtc = pool("viabtc");
        let june = Date::new(2026, 6, 8);
        assert_eq!(viabtc.pays("LKY", june), Pays::No { as_of: june });
        assert_eq!(
            viabtc.pays("LKY", Date::new(2026, 6, 7)),
            Pays::Yes { as_of: Date::new(2026, 1, 1) }
        );
        assert_eq!(viabtc.pays("PEP", june), Pays::Yes { as_of: Date::new(2026, 1, 1) });
        assert_eq!(viabtc.pays("LKY", TODAY), Pays::No { as_of: Date::new(2026, 10, 4) });
        // A pool of which only removals are known says nothing of other coins.
        assert_eq!(pool("antpool").pays("TRMP", TODAY), Pays::No { as_of: Date::new(2026, 7, 10) });
        assert_eq!(pool("antpool").pays("LTC", TODAY), Pays::Unknown);
    }

    #[test]
    fn endpoints_are_found_by_region_and_host() {
        let f2pool = pool("f2pool");
        for region in Region::ALL {
            assert!(f2pool.endpoints_in(region).count() > 0, "{region}");
        }
        let tls: Vec<_> = f2pool.endpoints.iter().filter(|endpoint| endpoint.tls).collect();
        assert_eq!(tls.len(), 1);
        assert_eq!(tls[0].to_string(), "stratum+ssl://ltcssl.f2pool.com:5201");
        assert_eq!(by_host("LTC-NA.f2pool.com"), Some(f2pool));
        let hosts = |region, tls| -> Vec<(&str, u16)> {
            f2pool.candidates(region, tls).iter().map(|it| (it.host, it.port)).collect()
        };
        let nearest = hosts(None, false);
        assert_eq!(nearest.len(), 4);
        assert_eq!(
            (nearest[0], nearest[3]),
            (("ltc.f2pool.com", 3335), ("ltc-asia.f2pool.com", 3335))
        );
        assert_eq!(hosts(Some(Region::Global), false).len(), 3, "three ports of one host");
        assert_eq!(hosts(None, true), [("ltcssl.f2pool.com", 5201)]);
        assert!(hosts(Some(Region::Asia), true).is_empty());
        assert_eq!(by_host("example.com"), None);
    }

    #[test]
    fn minima_are_amounts_of_the_coin() {
        assert_eq!(pool("f2pool").minimum("LTC"), Some(CoinAmount::from_units(2_000_000)));
        assert_eq!(pool("f2pool").minimum("DOGE"), Some(CoinAmount::from_coins(40)));
        assert_eq!(pool("f2pool").minimum("PEP"), None);
        assert_eq!(pool("spiderpool").minimum("lky"), Some(CoinAmount::from_units(10_000_000)));
    }
}
