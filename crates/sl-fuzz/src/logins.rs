use sl_catalog::pools::NameRule;
use sl_gateway::wished_difficulty;
use sl_units::Target;
use sl_upstream::{Endpoint, Login, LoginParts, Wallet};

/// The longest user name that a pool is sent.
const LONGEST: usize = 250;

/// A pool's address: refused without what may be a password, or written again and read as the same.
pub fn pool_address(bytes: &[u8]) {
    match String::from_utf8_lossy(bytes).parse::<Endpoint>() {
        Ok(endpoint) => {
            let text = endpoint.to_string();
            assert_eq!(text.parse().as_ref(), Ok(&endpoint), "{text}");
            assert!(!text.contains(['@', ' ', '\n']) && endpoint.port() > 0, "{text}");
        }
        Err(refused) => {
            assert!(!refused.found.contains('@'), "what stands before an @ is shown");
            assert!(refused.found.chars().count() <= 200, "all of it is shown");
        }
    }
}

/// A pool's user name and, behind a line's end, a machine's: refused, or nothing goes up that a
/// line or a pool's page could trip over. Each of them as a wallet, too.
pub fn pool_login(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (user, machine) = text.split_once('\n').unwrap_or((&text, "rig"));
    let rule = NameRule { longest: bytes.len() % 20, upper_case: bytes.len().is_multiple_of(2) };
    for rule in [None, Some(rule)] {
        let parts = LoginParts { account: Some("account"), rule, ..LoginParts::default() };
        match Login::new(user, &parts) {
            Ok(login) => {
                is_sent(&login.main());
                login.of(machine).iter().for_each(|name| is_sent(name));
            }
            Err(refused) => is_short(&refused.to_string()),
        }
    }
    match user.parse::<Wallet>() {
        Ok(wallet) => assert_eq!(wallet.to_string().parse(), Ok(wallet)),
        Err(refused) => is_short(&refused.to_string()),
    }
}

fn is_sent(name: &str) {
    assert!((1..=LONGEST).contains(&name.len()), "{} bytes: {name:?}", name.len());
    let trips = |c: char| c.is_control() || c.is_whitespace() || c == '{';
    assert!(!name.contains(trips), "{name:?}");
}

fn is_short(text: &str) {
    assert!(text.chars().count() < 1000, "{text}");
}

/// A machine's password: the difficulty that it wishes for is one, and stands in it.
pub fn password_wishes(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Some(wish) = wished_difficulty(&text) {
        assert!(wish.get().is_finite() && wish.get() > 0.0, "{wish:?}");
        assert!(Target::from(wish).expected_hashes() >= 1.0, "{wish:?}");
        assert!(text.contains('='), "{text:?} wishes for nothing");
        let again = format!("x,d={}", wish.get());
        assert_eq!(wished_difficulty(&again), Some(wish), "{again}");
    }
}
