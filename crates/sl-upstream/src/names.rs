use std::{collections::HashMap, sync::Arc};

use sl_stratum::{Authorize, Password};
use sl_work::WorkerName;

use crate::Login;

/// Machines whose own names are known on one connection; beyond, shares go under the main name.
const MOST: usize = 20_000;

/// Under which names shares go up over one connection. A machine's own name is asked for with its
/// first share, and used from the pool's consent on: until then, and where the pool says no, its
/// shares go under the account's main name, so that none waits.
#[derive(Debug)]
pub(crate) struct Names {
    login: Arc<Login>,
    main: String,
    password: Password,
    /// By the machine's name; several machines may share one user.
    users: HashMap<WorkerName, Arc<str>>,
    standing: HashMap<Arc<str>, Standing>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Asked,
    Granted,
    Refused,
}

impl Names {
    pub(crate) fn new(login: Arc<Login>, password: Password) -> Self {
        let main = login.main();
        Self { login, main, password, users: HashMap::new(), standing: HashMap::new() }
    }

    /// The name that the connection itself has.
    pub(crate) fn main(&self) -> &str {
        &self.main
    }

    /// The name for a machine's share at this instant.
    pub(crate) fn user(&self, machine: &WorkerName) -> String {
        let user = self.users.get(machine);
        let granted = user.filter(|user| self.standing.get(*user) == Some(&Standing::Granted));
        granted.map_or_else(|| self.main.clone(), |user| user.to_string())
    }

    /// What must be asked of the pool so that this machine gets its own name.
    pub(crate) fn ask(&mut self, machine: &WorkerName) -> Option<Authorize> {
        if self.users.contains_key(machine) || self.users.len() >= MOST {
            return None;
        }
        let user: Arc<str> = self.login.of(machine)?.into();
        self.users.insert(machine.clone(), user.clone());
        if *user == *self.main {
            return None;
        }
        let new = !self.standing.contains_key(&user);
        self.standing.entry(user.clone()).or_insert(Standing::Asked);
        new.then(|| Authorize { user: user.to_string(), password: self.password.clone() })
    }

    /// The pool's word on a name; whether it is a machine's.
    pub(crate) fn answered(&mut self, user: &str, granted: bool) -> bool {
        let Some(standing) = self.standing.get_mut(user) else { return false };
        *standing = if granted { Standing::Granted } else { Standing::Refused };
        true
    }

    /// Names granted and refused.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let count = |which| self.standing.values().filter(|standing| **standing == which).count();
        (count(Standing::Granted) as u64, count(Standing::Refused) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_used_once_it_is_granted() {
        let login = Arc::new(Login::parse("account.{worker}").expect("a template"));
        let mut names = Names::new(login, Password::default());
        let rig: WorkerName = "rig7".into();
        assert_eq!(names.ask(&rig).map(|asked| asked.user).as_deref(), Some("account.rig7"));
        assert_eq!(names.ask(&rig), None, "asked once");
        assert_eq!(names.user(&rig), "account.silverlode");
        assert!(names.answered("account.rig7", true) && !names.answered("account.other", true));
        assert_eq!(names.user(&rig), "account.rig7");
        let other: WorkerName = "rig8".into();
        assert!(names.ask(&other).is_some() && names.answered("account.rig8", false));
        assert_eq!((names.user(&other).as_str(), names.counts()), ("account.silverlode", (1, 1)));
        let twin: WorkerName = "x.rig7".into();
        assert_eq!(names.ask(&twin), None, "the same user as rig7");
        assert_eq!(names.user(&twin), "account.rig7");
    }

    #[test]
    fn one_name_for_all_asks_for_nothing() {
        let login = Arc::new(Login::parse("account.rig").expect("a name"));
        let mut names = Names::new(login, Password::default());
        let rig: WorkerName = "rig7".into();
        assert_eq!((names.ask(&rig), names.user(&rig).as_str()), (None, "account.rig"));
    }
}
