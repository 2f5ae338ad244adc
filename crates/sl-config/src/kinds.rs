//! How a text becomes a value: the trait [`Setting`], and what settings have in common.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;

use crate::problem::Wrong;
use crate::reader::Reader;
use crate::tree::{Node, Value};

pub(crate) mod plain;
pub(crate) mod quantity;
pub(crate) mod units;
pub(crate) mod words;

/// A kind of value that one line of a settings file can say.
///
/// A setting is read as its own type ([`Value`](Self::Value) = `Self`) or, because a crate may
/// implement the trait for its own types only, as a type of another crate through a marker: see
/// [`setting_from_str!`](crate::setting_from_str).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no setting",
    note = "implement `sl_config::Setting` for it, or make a marker with `setting_from_str!`"
)]
pub trait Setting {
    /// What it is read into.
    type Value;
    /// For schemas, masks and defaults.
    const KIND: Kind;

    /// What is allowed, as a noun: `a duration, such as 30s, 500ms or 2h`.
    fn allowed() -> Cow<'static, str>;

    /// The value that the text says.
    ///
    /// # Errors
    /// Why it says none, with the cure where one is known. The text itself need not be repeated,
    /// and that of a secret must not.
    fn parse(text: &str) -> Result<Self::Value, Wrong>;

    /// The bounds that the type has by nature, as texts that [`parse`](Self::parse) reads.
    fn bounds() -> Option<(Cow<'static, str>, Cow<'static, str>)> {
        None
    }

    /// The value when nobody gives one and no default is declared; `None`: it is mandatory.
    fn absent() -> Option<Self::Value> {
        None
    }

    /// The value of a node; only optional values and lists read more than a scalar.
    #[doc(hidden)]
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self::Value> {
        reader.scalar::<Self>(node)
    }
}

/// What a value is, for whoever does not know its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// Any text, or a text of a form that `allowed` describes.
    Text,
    /// One of these words.
    Words(&'static [&'static str]),
    /// A reference to a secret, or a secret itself: never shown.
    Secret,
    /// Several of one kind.
    List(&'static Kind),
    /// Or nothing.
    Optional(&'static Kind),
}

impl Kind {
    /// Whether a secret is in it.
    pub fn is_secret(self) -> bool {
        match self {
            Self::Secret => true,
            Self::List(inner) | Self::Optional(inner) => inner.is_secret(),
            _ => false,
        }
    }

    /// Whether it may be nothing.
    pub(crate) fn is_optional(self) -> bool {
        matches!(self, Self::Optional(_))
    }

    /// Whether it is a list, or nothing or a list.
    pub(crate) fn is_list(self) -> bool {
        match self {
            Self::List(_) => true,
            Self::Optional(inner) => inner.is_list(),
            _ => false,
        }
    }
}

/// A setting whose values have an order, so that a declaration can bound it:
/// `shares_per_minute: f64 = 6 in 0.1..=600`.
pub trait Ranged: Setting {
    /// Whether the value lies between the two texts, both included.
    ///
    /// # Errors
    /// Why a bound is no such value, which is a mistake of the declaration.
    fn within(value: &Self::Value, low: &str, high: &str) -> Result<bool, Wrong>;
}

/// A setting that may be left out without a default: `Option` and `Vec`.
#[diagnostic::on_unimplemented(
    message = "a setting of type `{Self}` needs a default",
    note = "write `= …` behind the type, make it an `Option`, or declare the section `without Default`"
)]
pub trait Omittable: Setting {}

impl<S: Setting> Omittable for Option<S> {}
impl<S: Setting> Omittable for Vec<S> {}

impl<S: Setting> Setting for Option<S> {
    type Value = Option<S::Value>;
    const KIND: Kind = Kind::Optional(&S::KIND);

    fn allowed() -> Cow<'static, str> {
        S::allowed()
    }

    fn parse(text: &str) -> Result<Self::Value, Wrong> {
        S::parse(text).map(Some)
    }

    fn bounds() -> Option<(Cow<'static, str>, Cow<'static, str>)> {
        S::bounds()
    }

    fn absent() -> Option<Self::Value> {
        Some(None)
    }

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self::Value> {
        match node.value {
            Value::Null => Some(None),
            _ => S::read(node, reader).map(Some),
        }
    }
}

impl<S: Ranged> Ranged for Option<S> {
    fn within(value: &Self::Value, low: &str, high: &str) -> Result<bool, Wrong> {
        value.as_ref().map_or(Ok(true), |value| S::within(value, low, high))
    }
}

/// A list of scalars: `[a, b]` in a file, `a,b` in a variable or a flag.
impl<S: Setting> Setting for Vec<S> {
    type Value = Vec<S::Value>;
    const KIND: Kind = Kind::List(&S::KIND);

    fn allowed() -> Cow<'static, str> {
        Cow::Owned(format!("a list, each item {}", S::allowed()))
    }

    fn parse(text: &str) -> Result<Self::Value, Wrong> {
        pieces(text).map(S::parse).collect()
    }

    fn absent() -> Option<Self::Value> {
        Some(Vec::new())
    }

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self::Value> {
        reader.items::<S>(node)
    }
}

impl<S: Ranged> Ranged for Vec<S> {
    fn within(value: &Self::Value, low: &str, high: &str) -> Result<bool, Wrong> {
        for value in value {
            if !S::within(value, low, high)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The items of a list in one text, divided by commas.
pub(crate) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|piece| !piece.is_empty())
}

/// [`Ranged::within`] of a type that compares.
#[doc(hidden)]
pub fn within<S: Setting>(value: &S::Value, low: &str, high: &str) -> Result<bool, Wrong>
where
    S::Value: PartialOrd,
{
    Ok(*value >= S::parse(low)? && *value <= S::parse(high)?)
}

/// A text through `FromStr`, its error as the reason. One that names what is allowed says it all, as
/// errors of types do that are read elsewhere too, and nothing is added to it.
#[doc(hidden)]
pub fn from_str<T: FromStr<Err: Display>>(text: &str) -> Result<T, Wrong> {
    text.parse::<T>().map_err(|error| {
        let wrong = Wrong::value(error.to_string());
        Wrong { whole: wrong.why.contains("allowed"), ..wrong }
    })
}

/// A marker through which a setting is read as a type of another crate that has `FromStr`.
///
/// Because of the orphan rule, a section cannot implement [`Setting`] for a foreign type; it
/// declares the marker, and the field has the foreign type:
///
/// ```
/// use std::net::Ipv4Addr;
///
/// sl_config::setting_from_str! {
///     /// An address of the fourth version.
///     pub struct Ipv4Text => Ipv4Addr, "an address such as 192.168.1.20";
/// }
/// sl_config::settings! {
///     /// Where the machines live.
///     pub struct Site {
///         /// The first address of the range.
///         restart first: Ipv4Text = "10.0.0.1",
///         /// Another one.
///         restart spare: Option<Ipv4Text>,
///     }
/// }
/// let site = Site::default();
/// assert_eq!((site.first, site.spare), (Ipv4Addr::new(10, 0, 0, 1), None));
/// ```
#[macro_export]
macro_rules! setting_from_str {
    ($(#[$meta:meta])* $vis:vis struct $marker:ident => $type:ty, $allowed:literal;) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug)]
        $vis struct $marker;

        impl $crate::Setting for $marker {
            type Value = $type;
            const KIND: $crate::Kind = $crate::Kind::Text;

            fn allowed() -> ::std::borrow::Cow<'static, str> {
                ::std::borrow::Cow::Borrowed($allowed)
            }

            fn parse(text: &str) -> ::std::result::Result<Self::Value, $crate::Wrong> {
                $crate::from_str(text)
            }
        }
    };
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// What a text is read as: the value's `Debug`, or the reason and the cure.
    pub(crate) fn check<S: Setting<Value: std::fmt::Debug>>(text: &str, expect: &str) {
        let found = match S::parse(text) {
            Ok(value) => format!("{value:?}"),
            Err(wrong) => wrong.to_string(),
        };
        assert_eq!(found, expect, "reading {text:?}, allowed: {}", S::allowed());
    }

    #[test]
    fn lists_and_options() {
        check::<Vec<u8>>("1, 2,3", "[1, 2, 3]");
        check::<Vec<u8>>("", "[]");
        check::<Vec<u8>>("1,x", "not a number");
        check::<Option<u8>>("7", "Some(7)");
        assert_eq!(<Vec<u8>>::within(&vec![1, 9], "1", "9"), Ok(true));
        assert_eq!(<Vec<u8>>::within(&vec![1, 10], "1", "9"), Ok(false));
        assert!(Kind::Optional(&Kind::List(&Kind::Secret)).is_secret());
    }
}
