//! Settings that are one of a few words.

use crate::nearest::nearest;
use crate::problem::Wrong;

/// The value of a word in a table; the error proposes the nearest word.
#[doc(hidden)]
pub fn parse_word<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, Wrong> {
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
        return Ok(*value);
    }
    let wrong = Wrong::value("");
    Err(match nearest(text, words.iter().map(|(word, _)| *word)) {
        Some(word) => wrong.hint(format!("did you mean {word}?")),
        None => wrong,
    })
}

/// An enum whose variants are words in settings: declares it with `Clone`, `Copy`, `Debug`,
/// `PartialEq`, `Eq`, `Display` and [`Setting`](crate::Setting).
///
/// ```
/// sl_config::setting_enum! {
///     /// How loud the log is.
///     pub enum Level {
///         /// Mistakes only.
///         Quiet = "quiet",
///         /// Everything.
///         Loud = "loud",
///     }
/// }
/// use sl_config::Setting;
/// assert_eq!(Level::parse("loud"), Ok(Level::Loud));
/// assert_eq!(Level::Quiet.to_string(), "quiet");
/// assert_eq!(Level::allowed(), "quiet or loud");
/// ```
#[macro_export]
macro_rules! setting_enum {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident {
            $($(#[$variant_meta:meta])* $variant:ident = $word:literal),* $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $vis enum $name {
            $($(#[$variant_meta])* $variant),*
        }

        impl $name {
            /// The word that stands for it in settings.
            $vis fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),*
                }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.pad(self.word())
            }
        }

        impl $crate::Setting for $name {
            type Value = Self;
            const KIND: $crate::Kind = $crate::Kind::Words(&[$($word),*]);

            fn allowed() -> ::std::borrow::Cow<'static, str> {
                ::std::borrow::Cow::Owned($crate::either(&[$($word),*]))
            }

            fn parse(text: &str) -> ::std::result::Result<Self, $crate::Wrong> {
                $crate::parse_word(text, &[$(($word, Self::$variant)),*])
            }
        }
    };
}

/// `a, b or c`.
#[doc(hidden)]
pub fn either(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [rest @ .., last] => format!("{} or {last}", rest.join(", ")),
    }
}
