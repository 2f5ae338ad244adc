use std::{fmt, sync::Arc};

use thiserror::Error;

use crate::{Algorithm, Names};

/// Algorithms that differ in numbers only, made when their name is read: `scrypt-n:N=2048`.
///
/// The name of one of them is the family's name, a colon, and its parameters with commas between:
/// each as `name=value`, or by its place as a bare value. What has a default may be left out.
///
/// ```text
/// scrypt-n:2048          scrypt-n:N=2048,p=2          scrypt-jane
/// ```
pub trait AlgorithmFamily: Send + Sync {
    /// The name before the colon.
    fn name(&self) -> &'static str;

    /// A fixed algorithm that this family varies: with parameters behind its name the family is
    /// meant too, as in `scrypt:2048` for `scrypt-n:2048`.
    fn varies(&self) -> Option<&'static str> {
        None
    }

    /// The parameters, in the order in which bare values stand.
    fn parameters(&self) -> &'static [Parameter];

    /// A name of the family that is often meant: errors show it, and the family proves itself by it.
    fn example(&self) -> &'static str;

    /// The algorithm with these values: one for each parameter, in their order, each within its
    /// range.
    ///
    /// # Errors
    /// A rule between the values, or of the machine, that no range can say.
    fn make(&self, values: &[u64]) -> Result<Arc<dyn Algorithm>, Refused>;
}

/// A number in an algorithm's name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parameter {
    /// Its name; upper and lower case are the same.
    pub name: &'static str,
    /// What it is if the name does not say; without one it must be said.
    pub default: Option<u64>,
    /// The smallest value.
    pub least: u64,
    /// The largest value.
    pub most: u64,
    /// What it means, in half a line: `cost, a power of two`.
    pub meaning: &'static str,
}

/// Why a family refuses values that are each within their range: a sentence without an end.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("{0}")]
pub struct Refused(pub String);

/// Why a name gives no algorithm.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum BadAlgorithm {
    /// Neither an algorithm nor a family has this name.
    #[error("found algorithm {found:?}, allowed are: {allowed}{}", Nearest(.nearest.as_deref()))]
    Unknown {
        /// The name that was found, cut to 80 characters.
        found: String,
        /// The names of the registry, families with their parameters.
        allowed: Names,
        /// The name of the registry that is nearest, if one is near.
        nearest: Option<String>,
    },
    /// The family is known, its parameters are wrong.
    #[error("algorithm {family}: {wrong}; an example: {example}")]
    Parameters {
        /// The family.
        family: &'static str,
        /// What is wrong.
        wrong: BadParameter,
        /// A name that is right.
        example: &'static str,
    },
}

/// What is wrong with the parameters in an algorithm's name.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum BadParameter {
    /// There is no such parameter.
    #[error("found parameter {found:?}, allowed are: {allowed}{}", Nearest(.nearest.as_deref()))]
    Unknown {
        /// The name that was found, cut to 80 characters.
        found: String,
        /// The family's parameters.
        allowed: Names,
        /// The one that is nearest, if one is near.
        nearest: Option<String>,
    },
    /// More values than parameters.
    #[error("found value {found:?} too many, the parameters are: {allowed}")]
    TooMany {
        /// The first one too many, cut to 80 characters.
        found: String,
        /// The family's parameters.
        allowed: Names,
    },
    /// A bare value after one with a name.
    #[error("found {found:?} without a name after one with a name; write name=value")]
    BareAfterNamed {
        /// The bare value, cut to 80 characters.
        found: String,
    },
    /// The same parameter twice.
    #[error("found {name} twice, say it once")]
    Twice {
        /// The parameter.
        name: &'static str,
    },
    /// Not said, and without a default.
    #[error("{name} ({meaning}) is missing")]
    Missing {
        /// The parameter.
        name: &'static str,
        /// What it means.
        meaning: &'static str,
    },
    /// No whole number, or one out of range.
    #[error("{name} ({meaning}) is {found:?}, allowed is a whole number from {least} to {most}")]
    Value {
        /// The parameter.
        name: &'static str,
        /// What it means.
        meaning: &'static str,
        /// What was found, cut to 80 characters.
        found: String,
        /// The smallest value.
        least: u64,
        /// The largest value.
        most: u64,
    },
    /// The family's own rule.
    #[error(transparent)]
    Refused(#[from] Refused),
}

/// A hint at the end of a sentence.
struct Nearest<'a>(Option<&'a str>);

impl fmt::Display for Nearest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(name) => write!(f, "; did you mean {name}?"),
            None => Ok(()),
        }
    }
}

/// Makes the algorithm of `family` with the parameters that stand behind its name.
pub(crate) fn make(
    family: &dyn AlgorithmFamily,
    parameters: &str,
) -> Result<Arc<dyn Algorithm>, BadAlgorithm> {
    values(family.parameters(), parameters).and_then(|values| Ok(family.make(&values)?)).map_err(
        |wrong| BadAlgorithm::Parameters {
            family: family.name(),
            wrong,
            example: family.example(),
        },
    )
}

/// How a family is named, for lists: `scrypt-n:N,r=1,p=1`.
pub(crate) fn usage(family: &dyn AlgorithmFamily) -> String {
    let parameters: Vec<String> = family
        .parameters()
        .iter()
        .map(|it| match it.default {
            Some(value) => format!("{}={value}", it.name),
            None => it.name.to_owned(),
        })
        .collect();
    format!("{}:{}", family.name(), parameters.join(","))
}

/// The nearest of some names, if it is near enough to be meant.
pub(crate) fn nearest<'a>(found: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    let found = cut(found).to_lowercase();
    names
        .map(|name| (strsim::jaro_winkler(&found, &name.to_lowercase()), name))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name.to_owned())
}

/// Foreign text as errors show it.
pub(crate) fn cut(text: &str) -> String {
    text.chars().take(80).collect()
}

fn values(parameters: &'static [Parameter], text: &str) -> Result<Vec<u64>, BadParameter> {
    let names = || Names(parameters.iter().map(|it| it.name.to_owned()).collect());
    let mut values: Vec<Option<u64>> = vec![None; parameters.len()];
    let mut named = false;
    for (place, piece) in text.split(',').filter(|_| !text.is_empty()).enumerate() {
        let (at, value) = match piece.split_once('=') {
            Some((name, value)) => {
                named = true;
                let name = name.trim();
                let at = parameters.iter().position(|it| it.name.eq_ignore_ascii_case(name));
                let at = at.ok_or_else(|| BadParameter::Unknown {
                    found: cut(name),
                    allowed: names(),
                    nearest: nearest(name, parameters.iter().map(|it| it.name)),
                })?;
                (at, value)
            }
            None if named => return Err(BadParameter::BareAfterNamed { found: cut(piece) }),
            None => (place, piece),
        };
        let (Some(parameter), Some(slot)) = (parameters.get(at), values.get_mut(at)) else {
            return Err(BadParameter::TooMany { found: cut(piece), allowed: names() });
        };
        let value = value.trim();
        let range = parameter.least..=parameter.most;
        let number = value.parse().ok().filter(|number| range.contains(number));
        let number = number.ok_or_else(|| BadParameter::Value {
            name: parameter.name,
            meaning: parameter.meaning,
            found: cut(value),
            least: parameter.least,
            most: parameter.most,
        })?;
        if slot.replace(number).is_some() {
            return Err(BadParameter::Twice { name: parameter.name });
        }
    }
    let said_or_default = values.into_iter().zip(parameters).map(|(value, it)| {
        let missing = BadParameter::Missing { name: it.name, meaning: it.meaning };
        value.or(it.default).ok_or(missing)
    });
    said_or_default.collect()
}
