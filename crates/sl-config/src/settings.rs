//! The declaration of a section.

/// Declares a section of settings: a struct with public fields, `Clone`, `Debug`, `PartialEq`,
/// `Default` and [`Section`](crate::Section).
///
/// ```
/// use std::net::SocketAddr;
/// use std::time::Duration;
///
/// sl_config::settings! {
///     /// The difficulty of each machine.
///     pub struct Vardiff {
///         /// How often it is looked at.
///         live every: Duration = "30s" in "1s"..="10m",
///     }
/// }
/// sl_config::settings! {
///     /// A node of an auxiliary chain.
///     pub struct Node without Default {
///         /// Where it answers.
///         restart url: String,
///     }
/// }
/// sl_config::settings! {
///     /// The Stratum server for machines.
///     pub struct Gateway {
///         /// Address to listen on.
///         live listen: SocketAddr = "127.0.0.1:3333",
///         /// Shares a minute asked of each machine.
///         live shares_per_minute: f64 = 6 in 0.1..=600,
///         /// Name shown to machines; none shows nothing.
///         restart name: Option<String>,
///         /// The difficulty of each machine.
///         section vardiff: Vardiff,
///         /// The nodes of the auxiliary chains.
///         list nodes: Node,
///     }
/// }
///
/// let gateway = Gateway::default();
/// assert_eq!(gateway.listen.port(), 3333);
/// assert_eq!(gateway.vardiff.every, Duration::from_secs(30));
/// assert!(gateway.nodes.is_empty());
/// assert!(sl_config::declaration_faults::<Gateway>().is_empty());
/// ```
///
/// Each field begins with a word:
///
/// | word | type of the field | meaning |
/// |---|---|---|
/// | `live` | that of the [`Setting`](crate::Setting) | a value; a change takes effect while running |
/// | `restart` | that of the [`Setting`](crate::Setting) | a value; a change takes effect after a restart |
/// | `section` | the [`Section`](crate::Section) | a map; absent: its defaults |
/// | `optional` | `Option` of the [`Section`](crate::Section) | a map; absent: nothing |
/// | `list` | `Vec` of the [`Section`](crate::Section) | a list of maps |
/// | `table` | `BTreeMap<String, …>` of the [`Section`](crate::Section) | maps by name; an overlay changes one of them without repeating the others. A name that only an environment variable gives is in lower case |
///
/// A default is a literal, or `none` behind an `Option`; strings are read as a file would be, and
/// so are the ends of a range. Without a default a value is mandatory unless it is an `Option` or a
/// `Vec`; a section with a mandatory value is declared `without Default`.
#[macro_export]
macro_rules! settings {
    (
        $(#[doc = $doc:literal])* $vis:vis struct $name:ident without Default { $($body:tt)* }
    ) => {
        $crate::__section! { [$($doc)*] $vis $name { $($body)* } }
    };
    ( $(#[doc = $doc:literal])* $vis:vis struct $name:ident { $($body:tt)* } ) => {
        $crate::__section! { [$($doc)*] $vis $name { $($body)* } }
        $crate::__default! { $name { $($body)* } }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __section {
    (
        [$($section_doc:literal)*] $vis:vis $name:ident {
            $(
                $(#[doc = $doc:literal])*
                $word:ident $field:ident : $type:ty
                    $( = $default:tt $( in $low:literal ..= $high:literal )? )?
            ),* $(,)?
        }
    ) => {
        $(#[doc = $section_doc])*
        #[derive(Clone, Debug, PartialEq)]
        $vis struct $name {
            $( $(#[doc = $doc])* pub $field: $crate::__type!($word, $type) ),*
        }

        impl $crate::Section for $name {
            fn doc() -> ::std::string::String {
                $crate::trimmed(concat!($($section_doc, "\n"),*))
            }

            fn fields() -> ::std::vec::Vec<$crate::FieldInfo> {
                ::std::vec![$(
                    $crate::FieldInfo::new(
                        $crate::__name!($field),
                        concat!($($doc, "\n"),*),
                        $crate::__shape!($word, $type, [$($default)?] [$($($low, $high)?)?]),
                    )
                ),*]
            }

            fn read(reader: &mut $crate::Reader<'_>) -> ::std::option::Option<Self> {
                $(
                    let $field = $crate::__read!(
                        reader, $word, $field, $type, [$($default)?] [$($($low, $high)?)?]
                    );
                )*
                // Only now, so that every field has said what is wrong with it.
                ::std::option::Option::Some(Self { $( $field: $field? ),* })
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __default {
    (
        $name:ident {
            $(
                $(#[doc = $doc:literal])*
                $word:ident $field:ident : $type:ty
                    $( = $default:tt $( in $low:literal ..= $high:literal )? )?
            ),* $(,)?
        }
    ) => {
        const _: () = {
            $( $crate::__has_default!($word, $type, [$($default)?]); )*
        };

        impl ::std::default::Default for $name {
            fn default() -> Self {
                $crate::default_of()
            }
        }
    };
}

/// Refuses, at compile time, a field that would leave `Default` without a value.
#[doc(hidden)]
#[macro_export]
macro_rules! __has_default {
    (live, $type:ty, []) => {
        $crate::omittable::<$type>()
    };
    (restart, $type:ty, []) => {
        $crate::omittable::<$type>()
    };
    ($word:ident, $type:ty, [none]) => {
        $crate::omittable::<$type>()
    };
    (section, $type:ty, []) => {
        $crate::has_default::<$type>()
    };
    ($word:ident, $type:ty, [$($default:tt)?]) => {};
}

#[doc(hidden)]
#[macro_export]
macro_rules! __type {
    (live, $type:ty) => { <$type as $crate::Setting>::Value };
    (restart, $type:ty) => { <$type as $crate::Setting>::Value };
    (section, $type:ty) => { $type };
    (optional, $type:ty) => { ::std::option::Option<$type> };
    (list, $type:ty) => { ::std::vec::Vec<$type> };
    (table, $type:ty) => { ::std::collections::BTreeMap<::std::string::String, $type> };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __shape {
    (live, $type:ty, [$($default:tt)?] [$($range:tt)*]) => {
        $crate::Shape::Setting($crate::SettingInfo::of::<$type>(
            true, $crate::__text!($($default)?), $crate::__limit!($type, $($range)*),
        ))
    };
    (restart, $type:ty, [$($default:tt)?] [$($range:tt)*]) => {
        $crate::Shape::Setting($crate::SettingInfo::of::<$type>(
            false, $crate::__text!($($default)?), $crate::__limit!($type, $($range)*),
        ))
    };
    (section, $type:ty, [] []) => {
        $crate::Shape::Section(<$type as $crate::Section>::fields())
    };
    (optional, $type:ty, [] []) => {
        $crate::Shape::Optional(<$type as $crate::Section>::fields())
    };
    (list, $type:ty, [] []) => { $crate::Shape::List(<$type as $crate::Section>::fields()) };
    (table, $type:ty, [] []) => { $crate::Shape::Table(<$type as $crate::Section>::fields()) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __read {
    ($reader:ident, live, $($rest:tt)*) => { $crate::__read!(@setting $reader, $($rest)*) };
    ($reader:ident, restart, $($rest:tt)*) => { $crate::__read!(@setting $reader, $($rest)*) };
    (@setting $reader:ident, $field:ident, $type:ty, [$($default:tt)?] [$($range:tt)*]) => {
        $reader.setting::<$type>(
            $crate::__name!($field),
            $crate::__text!($($default)?),
            $crate::__limit!($type, $($range)*),
        )
    };
    ($reader:ident, section, $field:ident, $type:ty, [] []) => {
        $reader.section::<$type>($crate::__name!($field))
    };
    ($reader:ident, optional, $field:ident, $type:ty, [] []) => {
        $reader.optional::<$type>($crate::__name!($field))
    };
    ($reader:ident, list, $field:ident, $type:ty, [] []) => {
        $reader.list::<$type>($crate::__name!($field))
    };
    ($reader:ident, table, $field:ident, $type:ty, [] []) => {
        $reader.table::<$type>($crate::__name!($field))
    };
}

/// The key of a field; a keyword stands without its `r#`.
#[doc(hidden)]
#[macro_export]
macro_rules! __name {
    ($field:ident) => {
        $crate::key_name(stringify!($field))
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __text {
    () => {
        ::std::option::Option::None
    };
    (none) => {
        ::std::option::Option::None
    };
    ($default:literal) => {
        ::std::option::Option::Some(concat!($default))
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __limit {
    ($type:ty,) => {
        ::std::option::Option::None
    };
    ($type:ty, $low:literal, $high:literal) => {
        ::std::option::Option::Some($crate::Limit::<$type>::new(concat!($low), concat!($high)))
    };
}

#[doc(hidden)]
pub const fn omittable<S: crate::Omittable>() {}

#[doc(hidden)]
pub const fn has_default<S: Default>() {}

#[doc(hidden)]
pub fn key_name(field: &'static str) -> &'static str {
    field.strip_prefix("r#").unwrap_or(field)
}
