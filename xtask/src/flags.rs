//! The flags of a command: switches, values, and places (arguments without a dash).

/// A parsed command line.
#[derive(Debug, Default)]
pub(crate) struct Flags {
    switches: Vec<String>,
    values: Vec<(String, String)>,
    places: Vec<String>,
}

impl Flags {
    /// Reads `args`: the `switches` and `values` a command knows, and at most `places` arguments without a dash.
    pub(crate) fn parse(
        args: impl Iterator<Item = String>,
        switches: &[&str],
        values: &[&str],
        places: usize,
    ) -> Result<Self, String> {
        let mut flags = Self::default();
        let mut args = args;
        while let Some(arg) = args.next() {
            let (name, inline) = match arg.split_once('=') {
                Some((name, value)) if name.starts_with("--") => {
                    (name.to_owned(), Some(value.to_owned()))
                }
                _ => (arg.clone(), None),
            };
            if switches.contains(&arg.as_str()) {
                flags.switches.push(arg);
            } else if values.contains(&name.as_str()) {
                let value = inline
                    .or_else(|| args.next())
                    .ok_or_else(|| format!("`{name}` needs a value"))?;
                flags.values.push((name, value));
            } else if !arg.starts_with('-') && flags.places.len() < places {
                flags.places.push(arg);
            } else {
                return Err(format!("`{arg}` is not understood"));
            }
        }
        Ok(flags)
    }

    /// Whether a switch was given.
    pub(crate) fn has(&self, switch: &str) -> bool {
        self.switches.iter().any(|s| s == switch)
    }

    /// The last value given for a flag.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.values.iter().rev().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// All arguments without a dash.
    pub(crate) fn places(&self) -> &[String] {
        &self.places
    }

    /// The first argument without a dash.
    pub(crate) fn place(&self) -> Option<&str> {
        self.places.first().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Flags, String> {
        Flags::parse(line.split_whitespace().map(str::to_owned), &["--quiet"], &["--db"], 1)
    }

    #[test]
    fn reads_what_it_knows_and_refuses_the_rest() {
        let flags = parse("--db=a crates --quiet --db b").unwrap();
        assert!(flags.has("--quiet"));
        assert_eq!(flags.value("--db"), Some("b"));
        assert_eq!(flags.place(), Some("crates"));
        assert_eq!(parse("--loud").unwrap_err(), "`--loud` is not understood");
        assert_eq!(parse("a b").unwrap_err(), "`b` is not understood");
        assert_eq!(parse("--db").unwrap_err(), "`--db` needs a value");
    }
}
