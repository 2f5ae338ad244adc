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
            Some(asked) if !holds(password.reveal(), asked.expose()) => {
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
    let parts = password.split(SEPARATORS);
    let (_, value) = parts.filter_map(|part| part.split_once('=')).find(is_wish)?;
    ShareDifficulty::new(value.parse().ok()?).ok()
}

const SEPARATORS: [char; 3] = [',', ';', ' '];

fn is_wish((name, _): &(&str, &str)) -> bool {
    name.eq_ignore_ascii_case("d") || name.eq_ignore_ascii_case("diff")
}

/// Whether a text is the secret: as it stands, or without its wish for a difficulty, or without all
/// that rented machines and those of other pools say beside it (`c=LTC,d=65536`).
fn holds(text: &str, secret: &str) -> bool {
    let without = |is_beside: fn(&(&str, &str)) -> bool| {
        let parts = text.split_inclusive(SEPARATORS).filter(|part| {
            let name_and_value = part.trim_end_matches(SEPARATORS).split_once('=');
            !name_and_value.as_ref().is_some_and(is_beside)
        });
        let rest: String = parts.collect();
        rest.trim_matches(SEPARATORS) == secret
    };
    text == secret || without(is_wish) || without(|_| true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_with_wishes_is_the_password() {
        for (text, secret, expect) in [
            ("s3cret", "s3cret", true),
            ("s3cret,d=65536", "s3cret", true),
            ("d=65536;s3cret", "s3cret", true),
            ("s3cret, c=LTC, d=0.5, ", "s3cret", true),
            ("open sesame d=7", "open sesame", true),
            ("a,b==,Diff=7", "a,b==", true),
            ("d=5", "d=5", true),
            ("d=65536", "s3cret", false),
            ("s3cret,x", "s3cret", false),
            ("s3cre,t", "s3cret", false),
            ("pass=s3cret", "s3cret", false),
            ("", "s3cret", false),
        ] {
            assert_eq!(holds(text, secret), expect, "{text}");
        }
    }

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
