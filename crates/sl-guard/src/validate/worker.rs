use sl_units::Mono;

use super::{Complaint, Message, MessageValidator, Verdict};

/// What a worker may be called: how long, in how many parts, of which characters.
///
/// ASCII letters and digits are always allowed; so is the dot, which parts the name, as in
/// `account.rig7` and `LTC.DOGE.rig7`. A message without a worker passes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WorkerNames {
    /// Most bytes.
    pub longest: usize,
    /// Most parts between dots.
    pub parts: usize,
    /// Further characters that are allowed.
    pub also: String,
}

impl Default for WorkerNames {
    fn default() -> Self {
        Self { longest: 128, parts: 4, also: "_-+=:/@#".to_owned() }
    }
}

impl WorkerNames {
    fn complaint(&self, name: &str) -> Option<String> {
        let (bytes, most) = (name.len(), self.longest);
        if bytes == 0 || bytes > most {
            return Some(format!("a worker's name of {bytes} bytes, allowed are 1 to {most}"));
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '.' || self.also.contains(c);
        if let Some(found) = name.chars().find(|c| !allowed(*c)) {
            let also = &self.also;
            return Some(format!(
                "a worker's name with {found:?}, allowed are letters, digits, the dot and {also}"
            ));
        }
        let parts = name.split('.').count();
        if parts > self.parts {
            let most = self.parts;
            return Some(format!("a worker's name of {parts} parts, at most {most} are allowed"));
        }
        name.starts_with('.').then(|| "a worker's name that begins with a dot".to_owned())
    }
}

impl MessageValidator for WorkerNames {
    fn name(&self) -> &'static str {
        "worker_names"
    }

    fn check(&mut self, message: &Message<'_>, _now: Mono) -> Verdict {
        match message.worker.and_then(|name| self.complaint(name)) {
            None => Verdict::Pass,
            Some(text) => Verdict::Refuse(Complaint { validator: self.name(), text }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, expect: &str) {
        let mut names = WorkerNames { longest: 20, ..WorkerNames::default() };
        match names.check(&Message::default().with_worker(name), Mono::default()) {
            Verdict::Pass => assert_eq!(expect, "", "{name}"),
            Verdict::Refuse(it) => assert!(it.text.contains(expect) && !expect.is_empty(), "{it}"),
        }
    }

    #[test]
    fn names_have_a_length_an_alphabet_and_parts() {
        check("account.rig_7", "");
        check("LTC.DOGE.rig7", "");
        check("a", "");
        check("", "of 0 bytes, allowed are 1 to 20");
        check("aaaaaaaaaaaaaaaaaaaaa", "of 21 bytes");
        check("rig 7", "with ' '");
        check("rig\u{1b}[31m", "with '\\u{1b}'");
        check("rïg", "with 'ï'");
        check("a.b.c.d", "");
        check("a.b.c.d.e", "5 parts, at most 4");
        check(".rig7", "begins with a dot");
    }

    #[test]
    fn a_message_without_a_worker_passes() {
        let verdict = WorkerNames::default().check(&Message::line(b"{}"), Mono::default());
        assert_eq!(verdict, Verdict::Pass);
    }
}
