//! What the pools' settings must be together.

use std::collections::HashSet;

use sl_chain::{address::Address, coins};
use sl_config::{Check, Layer, Secret, Wrong};
use sl_upstream::{Login, PoolSettings};

use super::Settings;

pub(super) fn check(settings: &Settings, check: &mut Check<'_>) {
    // A flag or a variable for one pool is for this run: it goes before the file's list.
    let for_this_run = check.layer("pool.url").is_some_and(|layer| layer != Layer::File);
    if settings.pool.is_some() && !settings.pools.is_empty() && !for_this_run {
        let wrong = Wrong::value("pool and pools exclude each other");
        check.refuse("pool", wrong.hint("make it one of the list: pools, with its url and user"));
    }
    let mut names = HashSet::new();
    for (at, pool) in settings.pools.iter().enumerate() {
        let key = format!("pools[{at}]");
        if !names.insert(pool.short_name()) {
            let wrong = Wrong::value(format!("{} stands there twice", pool.short_name()));
            check.refuse(&key, wrong.hint("give each a name of its own: name"));
        }
        if let Err(wrong) = pool.endpoints() {
            check.refuse(&key, Wrong::value(wrong.to_string()));
        } else if let Err(wrong) = pool.login() {
            check.refuse(&format!("{key}.user"), Wrong::value(wrong.to_string()));
        }
    }
    let none_works = settings.pools.iter().all(|pool| pool.weight == 0);
    if none_works && !settings.pools.is_empty() {
        let wrong = Wrong::value("every pool has weight 0, so that none is worked for by choice");
        check.refuse("pools[0].weight", wrong.hint("give one of them a weight, such as 100"));
    }
}

/// The passwords with their keys.
pub(super) fn passwords(settings: &Settings) -> impl Iterator<Item = (String, &Secret)> {
    let pool = settings.pool.iter().map(|pool| ("pool.password".to_owned(), &pool.password));
    let pools = settings.pools.iter().enumerate();
    pool.chain(pools.map(|(at, pool)| (format!("pools[{at}].password"), &pool.password)))
}

/// The example addresses among the user names, with their keys.
pub(super) fn examples(settings: &Settings) -> Vec<(String, String)> {
    let pool = settings
        .pool
        .iter()
        .filter_map(|pool| Some(("pool.user".to_owned(), PoolSettings::login(pool).ok()?)));
    let pools = settings.pools.iter().enumerate();
    let pools =
        pools.filter_map(|(at, pool)| Some((format!("pools[{at}].user"), pool.login().ok()?)));
    let named = pool.chain(pools);
    named.filter_map(|(key, login)| Some((key, example(&login)?))).collect()
}

/// The first part of a user name that is an example address.
fn example(login: &Login) -> Option<String> {
    let is_example = |part: &&str| {
        coins::all()
            .iter()
            .filter_map(|row| Address::parse(part, row).ok())
            .any(|address| address.is_example())
    };
    login.main().split('.').find(is_example).map(str::to_owned)
}
