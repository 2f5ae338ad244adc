use sl_config::Plain;
use sl_stratum::{ErrorCode, Password, Refusal};
use sl_units::ShareDifficulty;

/// The longest name of a worker, in characters.
const LONGEST: usize = 128;

/// Whose shares are taken.
#[derive(Clone, Debug, Default)]
pub(crate) struct Admission {
    pub(crate) password: Option<Plain>,
}

impl Admission {
    /// Whether shares of this user are taken: any printable name, and the password if one is set.
    pub(crate) fn check(&self, user: &str, password: &Password) -> Result<(), Refusal> {
        let length = user.chars().count();
        if !(1..=LONGEST).contains(&length) || user.chars().any(char::is_control) {
            let text = format!(
                "the worker's name has {length} characters, allowed are 1 to {LONGEST} printable ones"
            );
            return Err(Refusal::new(ErrorCode::Unauthorized, &text));
        }
        match &self.password {
            Some(asked) if asked.expose() != password.reveal() => {
                Err(Refusal::new(ErrorCode::Unauthorized, "wrong password"))
            }
            _ => Ok(()),
        }
    }
}

/// The difficulty that a machine's password wishes for: `d=65536` or `diff=65536` among its parts.
///
/// ```
/// let wish = sl_gateway::wished_difficulty("x,d=65536");
/// assert_eq!(wish.map(sl_units::ShareDifficulty::get), Some(65_536.0));
/// ```
#[must_use]
pub fn wished_difficulty(password: &str) -> Option<ShareDifficulty> {
    let parts = password.split([',', ';', ' ']);
    let wish = parts
        .filter_map(|part| part.trim().split_once('='))
        .find(|(name, _)| name.eq_ignore_ascii_case("d") || name.eq_ignore_ascii_case("diff"));
    wish.and_then(|(_, value)| ShareDifficulty::new(value.parse().ok()?).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_stand_in_passwords() {
        for (password, expect) in [
            ("d=65536", Some(65536.0)),
            ("x,d=0.5", Some(0.5)),
            ("x; diff=12,d=13", Some(12.0)),
            ("D=7", Some(7.0)),
            ("d=0", None),
            ("d=inf", None),
            ("d=", None),
            ("id=5", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(wished_difficulty(password).map(ShareDifficulty::get), expect, "{password}");
        }
    }
}
