use sl_config::Plain;
use sl_stratum::{ErrorCode, Password, Refusal};

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
