//! Yes or no, numbers, texts, paths, socket addresses.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::num::IntErrorKind;
use std::path::PathBuf;

use crate::kinds::{Kind, Ranged, Setting, within};
use crate::problem::Wrong;

impl Setting for bool {
    type Value = Self;
    const KIND: Kind = Kind::Bool;

    fn allowed() -> Cow<'static, str> {
        "true or false".into()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        let hint = |word| Wrong::value("").hint(format!("write {word}"));
        match text {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "y" | "1" => hint("true"),
                "false" | "no" | "off" | "n" | "0" => hint("false"),
                _ => Wrong::value(""),
            }),
        }
    }
}

macro_rules! integers {
    ($($type:ty),*) => {$(
        /// Digits, `_` between them if wanted: `65_536`.
        impl Setting for $type {
            type Value = Self;
            const KIND: Kind = Kind::Integer;

            fn allowed() -> Cow<'static, str> {
                "a whole number".into()
            }

            fn bounds() -> Option<(Cow<'static, str>, Cow<'static, str>)> {
                Some((<$type>::MIN.to_string().into(), <$type>::MAX.to_string().into()))
            }

            fn parse(text: &str) -> Result<Self, Wrong> {
                text.replace('_', "").parse::<$type>().map_err(|error| match error.kind() {
                    IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => Wrong::range(""),
                    _ => not_whole(text),
                })
            }
        }

        impl Ranged for $type {
            fn within(value: &Self, low: &str, high: &str) -> Result<bool, Wrong> {
                within::<$type>(value, low, high)
            }
        }
    )*};
}

integers!(u8, u16, u32, u64, usize, i8, i16, i32, i64);

fn not_whole(text: &str) -> Wrong {
    match text.parse::<f64>() {
        Ok(number) if number < 0.0 => Wrong::range(""),
        Ok(_) => Wrong::value("not a whole number"),
        Err(_) => Wrong::value("not a number"),
    }
}

impl Setting for f64 {
    type Value = Self;
    const KIND: Kind = Kind::Number;

    fn allowed() -> Cow<'static, str> {
        "a number".into()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        match text.replace('_', "").parse::<Self>() {
            Ok(number) if number.is_finite() => Ok(number),
            Ok(_) => Err(Wrong::value("not a finite number")),
            Err(_) if text.contains(',') => {
                Err(Wrong::value("not a number").hint("write a point, not a comma"))
            }
            Err(_) => Err(Wrong::value("not a number")),
        }
    }
}

impl Ranged for f64 {
    fn within(value: &Self, low: &str, high: &str) -> Result<bool, Wrong> {
        within::<Self>(value, low, high)
    }
}

impl Setting for String {
    type Value = Self;
    const KIND: Kind = Kind::Text;

    fn allowed() -> Cow<'static, str> {
        "a text".into()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        Ok(text.to_owned())
    }
}

impl Setting for PathBuf {
    type Value = Self;
    const KIND: Kind = Kind::Text;

    fn allowed() -> Cow<'static, str> {
        "a path".into()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        if text.is_empty() {
            return Err(Wrong::value("no path"));
        }
        if text.starts_with("~/") {
            return Err(Wrong::value("~ is not expanded").hint("write the path from / on"));
        }
        Ok(text.into())
    }
}

impl Setting for SocketAddr {
    type Value = Self;
    const KIND: Kind = Kind::Text;

    fn allowed() -> Cow<'static, str> {
        "IP:PORT, such as 127.0.0.1:3333 or [::1]:3333".into()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        text.parse().map_err(|_| not_a_socket(text))
    }
}

/// Which half of the address is wrong, since the standard library does not say.
fn not_a_socket(text: &str) -> Wrong {
    if text.parse::<std::net::IpAddr>().is_ok() {
        let address = if text.contains(':') { format!("[{text}]") } else { text.to_owned() };
        return Wrong::value("no port").hint(format!("add one: {address}:3333"));
    }
    if text.parse::<u16>().is_ok() {
        return Wrong::value("no address").hint(format!("write 127.0.0.1:{text}"));
    }
    let Some((host, port)) = text.rsplit_once(':') else { return Wrong::value("") };
    match port.parse::<u32>() {
        Err(_) => Wrong::value(format!("{port:?} is no port")),
        Ok(port) if port > u32::from(u16::MAX) => {
            Wrong::range(format!("port {port} is above 65535"))
        }
        Ok(port) => match host {
            "" | "*" => Wrong::value("no address")
                .hint(format!("write 127.0.0.1:{port}, or 0.0.0.0:{port} for every interface")),
            "localhost" => Wrong::value("a name").hint(format!("write 127.0.0.1:{port}")),
            _ => Wrong::value(format!("{host:?} is no IP address")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::tests::check;

    #[test]
    fn truths() {
        check::<bool>("true", "true");
        check::<bool>("Yes", ", hint: write true");
        check::<bool>("off", ", hint: write false");
        check::<bool>("maybe", "");
    }

    #[test]
    fn numbers() {
        check::<u32>("65_536", "65536");
        check::<u8>("300", "");
        check::<u8>("-1", "");
        check::<u8>("1.5", "not a whole number");
        check::<i64>("-5", "-5");
        check::<u8>("x", "not a number");
        check::<f64>("1e3", "1000.0");
        check::<f64>("0,5", "not a number, hint: write a point, not a comma");
        check::<f64>("NaN", "not a finite number");
    }

    #[test]
    fn socket_addresses() {
        check::<SocketAddr>("127.0.0.1:3333", "127.0.0.1:3333");
        check::<SocketAddr>("127.0.0.1", "no port, hint: add one: 127.0.0.1:3333");
        check::<SocketAddr>("::1", "no port, hint: add one: [::1]:3333");
        check::<SocketAddr>("3333", "no address, hint: write 127.0.0.1:3333");
        check::<SocketAddr>("localhost:1", "a name, hint: write 127.0.0.1:1");
        check::<SocketAddr>("1.2.3.4:99999", "port 99999 is above 65535");
        check::<SocketAddr>("1.2.3.4:x", "\"x\" is no port");
        check::<SocketAddr>("1.2.3.400:5", "\"1.2.3.400\" is no IP address");
        check::<SocketAddr>("x", "");
        check::<SocketAddr>(
            ":80",
            "no address, hint: write 127.0.0.1:80, or 0.0.0.0:80 for every interface",
        );
    }

    #[test]
    fn paths() {
        check::<PathBuf>("/var/lib/x", "\"/var/lib/x\"");
        check::<PathBuf>("~/x", "~ is not expanded, hint: write the path from / on");
        check::<PathBuf>("", "no path");
    }
}
