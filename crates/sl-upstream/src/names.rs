use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use sl_stratum::{Authorize, Password};
use sl_units::Mono;
use sl_work::WorkerName;

use crate::Login;

/// Machines whose own names are known on one connection; beyond, shares go under the main name.
const MOST: usize = 20_000;
/// Names that may wait for the pool's word at once.
const MOST_ASKED: usize = 16;
/// How long that word may take; some pools say nothing to a second name.
const WORD: Duration = Duration::from_secs(10);
/// A pool that has taken none of so many is asked for no further one.
const LESSON: u64 = 8;

/// Under which names shares go up over one connection. A machine's own name is asked for with its
/// first share, and used from the pool's consent on: until then, and where the pool says no, its
/// shares go under the account's main name, so that none waits. Few wait for consent at once, and
/// a pool that takes none of the first ones is left in peace.
#[derive(Debug)]
pub(crate) struct Names {
    login: Arc<Login>,
    main: String,
    password: Password,
    /// By the machine's name; several machines may share one user.
    users: HashMap<WorkerName, Arc<str>>,
    standing: HashMap<Arc<str>, Standing>,
    /// Whose consent is waited for, and since when.
    asked: VecDeque<(Mono, Arc<str>)>,
    granted: u64,
    refused: u64,
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
        Self {
            login,
            main,
            password,
            users: HashMap::new(),
            standing: HashMap::new(),
            asked: VecDeque::new(),
            granted: 0,
            refused: 0,
        }
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
    pub(crate) fn ask(&mut self, machine: &WorkerName, now: Mono) -> Option<Authorize> {
        if self.users.contains_key(machine) || self.users.len() >= MOST {
            return None;
        }
        while let Some((_, user)) = self.asked.pop_front_if(|(at, _)| now.since(*at) >= WORD) {
            self.answered(&user, false);
        }
        let taught = self.granted == 0 && self.refused >= LESSON;
        if taught || self.asked.len() >= MOST_ASKED {
            return None;
        }
        let user: Arc<str> = self.login.of(machine)?.into();
        self.users.insert(machine.clone(), user.clone());
        if *user == *self.main {
            return None;
        }
        let new = !self.standing.contains_key(&user);
        if new {
            self.standing.insert(user.clone(), Standing::Asked);
            self.asked.push_back((now, user.clone()));
        }
        new.then(|| Authorize { user: user.to_string(), password: self.password.clone() })
    }

    /// The pool's word on a name, the last one counts; whether it is a machine's.
    pub(crate) fn answered(&mut self, user: &str, granted: bool) -> bool {
        use Standing::{Asked, Granted, Refused};
        let Some(standing) = self.standing.get_mut(user) else { return false };
        match std::mem::replace(standing, if granted { Granted } else { Refused }) {
            Asked => self.asked.retain(|(_, asked)| **asked != *user),
            Granted => self.granted -= 1,
            Refused => self.refused -= 1,
        }
        *(if granted { &mut self.granted } else { &mut self.refused }) += 1;
        true
    }

    /// Names granted, and refused or left without a word.
    pub(crate) const fn counts(&self) -> (u64, u64) {
        (self.granted, self.refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Mono {
        Mono::from_start(Duration::from_secs(seconds))
    }

    fn names() -> Names {
        let login = Arc::new(Login::parse("account.{worker}").expect("a template"));
        Names::new(login, Password::default())
    }

    /// How many of so many machines are asked for.
    fn asked(names: &mut Names, machines: std::ops::Range<usize>, now: Mono) -> usize {
        machines.filter(|n| names.ask(&format!("rig{n}").into(), now).is_some()).count()
    }

    #[test]
    fn a_name_is_used_once_it_is_granted() {
        let mut names = names();
        let rig: WorkerName = "rig7".into();
        assert_eq!(names.ask(&rig, at(0)).map(|asked| asked.user).as_deref(), Some("account.rig7"));
        assert_eq!(names.ask(&rig, at(0)), None, "asked once");
        assert_eq!(names.user(&rig), "account.silverlode");
        assert!(names.answered("account.rig7", true) && !names.answered("account.other", true));
        assert_eq!(names.user(&rig), "account.rig7");
        let other: WorkerName = "rig8".into();
        assert!(names.ask(&other, at(0)).is_some() && names.answered("account.rig8", false));
        assert_eq!((names.user(&other).as_str(), names.counts()), ("account.silverlode", (1, 1)));
        let twin: WorkerName = "x.rig7".into();
        assert_eq!(names.ask(&twin, at(0)), None, "the same user as rig7");
        assert_eq!(names.user(&twin), "account.rig7");
    }

    #[test]
    fn one_name_for_all_asks_for_nothing() {
        let login = Arc::new(Login::parse("account.rig").expect("a name"));
        let mut names = Names::new(login, Password::default());
        let rig: WorkerName = "rig7".into();
        assert_eq!((names.ask(&rig, at(0)), names.user(&rig).as_str()), (None, "account.rig"));
    }

    #[test]
    fn few_wait_at_once_and_all_have_their_turn() {
        let mut names = names();
        assert_eq!(asked(&mut names, 0..1000, at(0)), 16);
        assert!(names.answered("account.rig3", true));
        assert_eq!(asked(&mut names, 0..1000, at(1)), 1);
        // The others are silent: some pools hear one name only, this one heard one of ours.
        assert_eq!((asked(&mut names, 0..1000, at(10)), names.counts()), (15, (1, 15)));
        assert!(names.answered("account.rig4", true), "late");
        assert_eq!(
            (names.user(&"rig4".into()).as_str(), names.counts()),
            ("account.rig4", (2, 14))
        );
        // What it takes back is taken back.
        assert!(names.answered("account.rig4", false));
        assert_eq!(names.user(&"rig4".into()), "account.silverlode");
        assert_eq!(names.counts(), (1, 15));
    }

    #[test]
    fn a_pool_that_takes_none_is_left_in_peace() {
        let mut silent = names();
        assert_eq!(asked(&mut silent, 0..1000, at(0)), 16);
        assert_eq!(asked(&mut silent, 0..1000, at(10)), 0);
        let mut strict = names();
        assert_eq!(asked(&mut strict, 0..8, at(0)), 8);
        assert!((0..8).all(|n| strict.answered(&format!("account.rig{n}"), false)));
        assert_eq!(asked(&mut strict, 0..1000, at(0)), 0);
    }
}
