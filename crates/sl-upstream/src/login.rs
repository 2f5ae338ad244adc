use std::{fmt, str::FromStr};

use sl_catalog::pools::NameRule;
use sl_chain::{
    address::{Address, AddressError},
    coins::{self, Role, Ticker, UnknownCoin},
};
use thiserror::Error;

/// What a machine without a name of its own is called.
pub(crate) const NAMELESS: &str = "silverlode";
/// Shorter parts of a user name are accounts, not addresses: the shortest address of the coin table
/// has 26 characters.
const LEAST_ADDRESS: usize = 26;
/// The longest user name that is sent.
const LONGEST: usize = 250;

/// Under which user name work goes to a pool: the account's own, and those of machines.
///
/// ```text
/// account.rig            one name for all
/// account.{worker}       each machine under its own name
/// {account}.{worker}     the same, the account apart
/// LTC.DOGE.{worker}      wallets: a Litecoin and a Dogecoin address
/// {wallet:LTC}.{worker}  a wallet of the list
/// ```
///
/// ```
/// use sl_upstream::Login;
///
/// let login = Login::parse("account.{worker}").expect("a template");
/// assert_eq!(login.main(), "account.silverlode");
/// assert_eq!(login.of("account.Rig 7").as_deref(), Some("account.Rig_7"));
/// assert_eq!(Login::parse("account.rig").expect("a name").of("rig7"), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The text before and after `{worker}`; one part where there is none.
    before: String,
    after: Option<String>,
    worker: String,
    rule: Option<NameRule>,
}

/// What fills a template's places.
#[derive(Clone, Debug, Default)]
pub struct LoginParts<'a> {
    /// `{account}`
    pub account: Option<&'a str>,
    /// `{worker}` of the connection itself, and of a machine without a name.
    pub worker: Option<&'a str>,
    /// `{wallet}` and `{wallet:TICKER}`
    pub wallets: &'a [Wallet],
    /// What the pool allows as a worker's name.
    pub rule: Option<NameRule>,
}

/// A wallet of the settings: `LTC=ltc1q…`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Wallet {
    /// The coin.
    pub coin: Ticker,
    /// Its address, checked.
    pub address: String,
}

/// Why a user name cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LoginError {
    /// Nothing there.
    #[error("the user name is empty; give the pool's account, as in account.worker")]
    Empty,
    /// Longer than pools take.
    #[error("the user name has {found} bytes, at most {LONGEST} are allowed")]
    TooLong {
        /// Bytes found.
        found: usize,
    },
    /// Control characters or blanks.
    #[error("the user name holds {found:?}, allowed are letters, digits and signs")]
    Character {
        /// The character.
        found: char,
    },
    /// A place that nothing fills.
    #[error("{place} is filled by nothing; give {cure}, or write the name out")]
    Unfilled {
        /// The place, as in `{account}`.
        place: String,
        /// The setting that fills it.
        cure: String,
    },
    /// A place that does not exist.
    #[error(
        "{place} is no place, allowed are {{account}}, {{worker}}, {{wallet}} and {{wallet:TICKER}}"
    )]
    UnknownPlace {
        /// What stands between the braces, cut.
        place: String,
    },
    /// A place for a wallet of a coin that does not exist.
    #[error("{{wallet:TICKER}} names no coin: {0}")]
    Coin(#[from] UnknownCoin),
    /// An address that is none.
    #[error("{part} looks like an address and is none: {wrong}")]
    Address {
        /// The part, cut.
        part: String,
        /// Which check failed.
        wrong: AddressError,
    },
    /// Wallets in the wrong order.
    #[error(
        "the first wallet is a {first} address and the second a {second} address; the parent's stands first, as in LTC.DOGE.worker"
    )]
    Order {
        /// The coin of the first.
        first: Ticker,
        /// The coin of the second.
        second: Ticker,
    },
    /// A wallet without its coin.
    #[error("found {found:?}, allowed is TICKER=ADDRESS, as in LTC=ltc1q…")]
    Wallet {
        /// What was found, cut.
        found: String,
    },
}

impl Login {
    /// A name or a template without further settings.
    ///
    /// # Errors
    /// See [`LoginError`].
    pub fn parse(user: &str) -> Result<Self, LoginError> {
        Self::new(user, &LoginParts::default())
    }

    /// A name or a template, its places filled.
    ///
    /// # Errors
    /// See [`LoginError`].
    pub fn new(user: &str, parts: &LoginParts<'_>) -> Result<Self, LoginError> {
        let filled = fill(user.trim(), parts)?;
        let (before, after) = match filled.split_once("{worker}") {
            Some((before, after)) => (before.to_owned(), Some(after.to_owned())),
            None => (filled, None),
        };
        let worker = parts.worker.filter(|name| !name.is_empty()).unwrap_or(NAMELESS);
        let login = Self { before, after, worker: worker.to_owned(), rule: parts.rule };
        let main = login.main();
        if main.is_empty() {
            return Err(LoginError::Empty);
        }
        if main.len() > LONGEST {
            return Err(LoginError::TooLong { found: main.len() });
        }
        if let Some(found) = main.chars().find(|c| c.is_control() || c.is_whitespace()) {
            return Err(LoginError::Character { found });
        }
        check_wallets(&main)?;
        Ok(login)
    }

    /// A name as it is, whatever it holds: for peers that are no pools of the field.
    #[must_use]
    pub fn verbatim(user: &str) -> Self {
        Self { before: user.to_owned(), after: None, worker: NAMELESS.into(), rule: None }
    }

    /// The name that the connection itself is authorised under.
    #[must_use]
    pub fn main(&self) -> String {
        self.filled(&self.worker)
    }

    /// The name for a machine's shares; `None` where they go under the main one: all of a template
    /// without `{worker}`, and those whose name would be longer than pools take.
    #[must_use]
    pub fn of(&self, machine: &str) -> Option<String> {
        self.after.as_ref()?;
        // A machine's own login may carry an account: what counts is the part after it.
        let name = machine.rsplit_once('.').map_or(machine, |(_, name)| name);
        Some(self.filled(name)).filter(|name| name.len() <= LONGEST)
    }

    fn filled(&self, worker: &str) -> String {
        let Some(after) = &self.after else { return self.before.clone() };
        let worker = match &self.rule {
            Some(rule) => ruled(worker, rule),
            None => plain(worker),
        };
        let worker = if worker.is_empty() { NAMELESS } else { &worker };
        format!("{}{worker}{}", self.before, after.replace("{worker}", worker))
    }
}

/// A worker's name without what a name, a JSON line or a pool's page could trip over.
fn plain(name: &str) -> String {
    const MOST: usize = 64;
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    name.chars().take(MOST).map(|c| if good(c) { c } else { '_' }).collect()
}

/// A worker's name as a pool allows it. One that is cut ends with a mark made of the whole, so that
/// two long names stay two.
fn ruled(name: &str, rule: &NameRule) -> String {
    const MARK: usize = 4;
    let kept: String = name
        .chars()
        .map(|c| if rule.upper_case { c } else { c.to_ascii_lowercase() })
        .filter(|c| c.is_ascii_alphanumeric())
        .collect();
    if kept.len() <= rule.longest {
        return kept;
    }
    let mut mark = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let mut cut: String = kept.chars().take(rule.longest.saturating_sub(MARK)).collect();
    for _ in 0..MARK.min(rule.longest) {
        let digit = u32::try_from(mark % 36).ok().and_then(|digit| char::from_digit(digit, 36));
        cut.extend(digit);
        mark /= 36;
    }
    cut
}

/// Fills every place but `{worker}`.
fn fill(user: &str, parts: &LoginParts<'_>) -> Result<String, LoginError> {
    let mut filled = String::new();
    let mut rest = user;
    while let Some((before, after)) = rest.split_once('{') {
        let (place, after) = after.split_once('}').unwrap_or((after, ""));
        filled += before;
        rest = after;
        let unfilled = |cure: &str| LoginError::Unfilled {
            place: format!("{{{}}}", place.chars().take(40).collect::<String>()),
            cure: cure.into(),
        };
        let wallet = |coin: Ticker| {
            let found = parts.wallets.iter().find(|wallet| wallet.coin == coin);
            let cure = format!("the pool's wallets, as in {coin}=ADDRESS");
            found.map(|wallet| wallet.address.clone()).ok_or_else(|| unfilled(&cure))
        };
        match place.split_once(':') {
            None if place == "worker" => filled += "{worker}",
            None if place == "account" => {
                filled += parts.account.ok_or_else(|| unfilled("the pool's account"))?;
            }
            None if place == "wallet" => {
                let parent = coins::all().iter().find(|row| row.role == Role::Parent);
                let parent = parent.map(|row| row.ticker).ok_or_else(|| unfilled("a wallet"))?;
                filled += &wallet(parent)?;
            }
            Some(("wallet", ticker)) => {
                filled += &wallet(ticker.parse()?)?;
            }
            _ => {
                let place = format!("{{{}}}", place.chars().take(40).collect::<String>());
                return Err(LoginError::UnknownPlace { place });
            }
        }
    }
    Ok(filled + rest)
}

/// The wallets in `LTC.DOGE.worker`, each by its checksum: a part long enough to be an address must
/// be one of a coin of the table, or of none that is known here.
fn check_wallets(user: &str) -> Result<(), LoginError> {
    let mut found = Vec::new();
    for part in user.split('.').take(2) {
        let letters = part.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if part.len() < LEAST_ADDRESS || !letters {
            break;
        }
        match coin_of(part) {
            Ok(coin) => found.extend(coin),
            Err(wrong) => {
                let part = part.chars().take(20).chain("…".chars()).collect();
                return Err(LoginError::Address { part, wrong });
            }
        }
    }
    match found.as_slice() {
        [first, second]
            if second.row().role == Role::Parent && first.row().role != Role::Parent =>
        {
            Err(LoginError::Order { first: *first, second: *second })
        }
        _ => Ok(()),
    }
}

/// The coin of an address; `None` where its checksum holds and no coin of the table has its form.
fn coin_of(text: &str) -> Result<Option<Ticker>, AddressError> {
    let mut checksum = None;
    for row in coins::all() {
        match Address::parse(text, row) {
            Ok(_) => return Ok(Some(row.ticker)),
            Err(
                AddressError::OtherCoin { .. }
                | AddressError::VersionByte { .. }
                | AddressError::Prefix { .. },
            ) => {}
            Err(wrong) => checksum = Some(wrong),
        }
    }
    checksum.map_or(Ok(None), Err)
}

impl FromStr for Wallet {
    type Err = LoginError;

    fn from_str(text: &str) -> Result<Self, LoginError> {
        let wrong = || LoginError::Wallet { found: text.chars().take(80).collect() };
        let (coin, address) = text.split_once('=').ok_or_else(wrong)?;
        let coin: Ticker = coin.trim().parse().map_err(|_| wrong())?;
        let address = address.trim();
        Address::parse(address, coin.row()).map_err(|wrong| LoginError::Address {
            part: address.chars().take(20).chain("…".chars()).collect(),
            wrong,
        })?;
        Ok(Self { coin, address: address.to_owned() })
    }
}

impl fmt::Display for Wallet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.coin, self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(ticker: &str) -> String {
        Address::example(coins::by_ticker(ticker).expect("in the table")).to_string()
    }

    fn check(user: &str, parts: &LoginParts<'_>, main: &str, machine: Option<&str>) {
        let login = Login::new(user, parts).expect(user);
        assert_eq!(login.main(), main);
        assert_eq!(login.of("ignored.Row-3 Rig#7").as_deref(), machine);
    }

    #[test]
    fn names_and_templates() {
        let none = LoginParts::default();
        check("account.rig", &none, "account.rig", None);
        check("account.{worker}", &none, "account.silverlode", Some("account.Row-3_Rig_7"));
        check("{worker}.{worker}", &none, "silverlode.silverlode", Some("Row-3_Rig_7.Row-3_Rig_7"));
        let long = "x-".repeat(120);
        check(&format!("{long}{{worker}}"), &none, &format!("{long}silverlode"), None);
        let (ltc, doge) = (example("LTC"), example("DOGE"));
        check(&format!("{ltc}.{doge}.w"), &none, &format!("{ltc}.{doge}.w"), None);
        let wallets =
            [format!("LTC={ltc}"), format!("DOGE={doge}")].map(|w| w.parse().expect("a wallet"));
        let f2pool = Some(NameRule { longest: 15, upper_case: false });
        let all = LoginParts {
            account: Some("me"),
            worker: Some("Gate.1"),
            wallets: &wallets,
            rule: f2pool,
        };
        check("{account}.{worker}", &all, "me.gate1", Some("me.row3rig7"));
        check(
            "{wallet}.{wallet:DOGE}.{worker}",
            &all,
            &format!("{ltc}.{doge}.gate1"),
            Some(&format!("{ltc}.{doge}.row3rig7")),
        );
    }

    #[test]
    fn long_names_are_cut_and_stay_two() {
        let rule = Some(NameRule { longest: 15, upper_case: false });
        let login = Login::new("a.{worker}", &LoginParts { rule, ..LoginParts::default() });
        let login = login.expect("a template");
        let names: Vec<String> = ["antminer-l7-row1-rack2-001", "antminer-l7-row1-rack2-002", "-"]
            .iter()
            .filter_map(|name| login.of(name))
            .collect();
        assert!(names[0].starts_with("a.antminerl7r") && names[0].len() == 17, "{names:?}");
        assert_ne!(names[0], names[1]);
        assert_eq!(names[2], "a.silverlode", "nothing left of it");
    }

    #[test]
    fn what_cannot_be_a_user_is_named() {
        let (ltc, doge) = (example("LTC"), example("DOGE"));
        let mut typo = ltc.clone().into_bytes();
        typo[12] = if typo[12] == b'a' { b'b' } else { b'a' };
        let typo = String::from_utf8(typo).expect("ASCII");
        for (user, words) in [
            (String::new(), "empty"),
            ("a b".into(), "holds ' '"),
            ("x".repeat(300), "300 bytes"),
            ("{account}.w".into(), "{account} is filled by nothing; give the pool's account"),
            ("{wallet:DOGE}.w".into(), "DOGE=ADDRESS"),
            ("{wallet:ABC}.w".into(), "no coin is called \"ABC\", allowed are LTC"),
            ("{rig}.w".into(), "{rig} is no place"),
            ("{rig".into(), "{rig} is no place"),
            (format!("{typo}.w"), "checksum does not match"),
            (format!("{ltc}.{typo}.w"), "checksum does not match"),
            (format!("{doge}.{ltc}.w"), "the parent's stands first"),
        ] {
            let wrong = Login::parse(&user).expect_err(words).to_string();
            assert!(wrong.contains(words), "{wrong}");
        }
        assert!(Login::parse(&format!("{doge}.w")).is_ok(), "a pool of Dogecoin alone");
        for wallet in ["", "LTC", "XYZ=1", &format!("DOGE={ltc}")] {
            assert!(wallet.parse::<Wallet>().is_err(), "{wallet}");
        }
    }
}
