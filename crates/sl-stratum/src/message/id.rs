use std::fmt;

use serde::{
    Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// The id of a request, given back byte for byte in the reply.
///
/// Machines use numbers; texts, floats and null occur, and minerd uses one number for all shares.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Id(Kind);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Kind {
    Null,
    Number(u64),
    /// Any other number or string, as its JSON stands.
    Json(Box<str>),
}

impl Id {
    /// The id of a notification.
    pub const NULL: Self = Self(Kind::Null);

    /// The most bytes of JSON an id may have: ids are kept while shares are checked.
    const MAX_JSON: usize = 128;

    /// The id that this JSON stands for, if it is a number, a string or null, and short.
    pub(super) fn from_json(json: &str) -> Option<Self> {
        if json.len() > Self::MAX_JSON {
            return None;
        }
        Some(Self(match json.bytes().next()? {
            b'n' => Kind::Null,
            b'"' => Kind::Json(json.into()),
            b'0'..=b'9' => json.parse().map_or_else(|_| Kind::Json(json.into()), Kind::Number),
            b'-' => Kind::Json(json.into()),
            _ => return None,
        }))
    }

    /// The id of a line that is not read further, as far as it can be had; else null. Takes no more
    /// time than the line is long, however odd the rest of it is.
    #[must_use]
    pub fn of_line(line: &[u8]) -> Self {
        let mut id = Self::NULL;
        // What is wrong behind the id does not matter here.
        let _ = serde_json::Deserializer::from_slice(line).deserialize_map(Finder(&mut id));
        id
    }

    /// Whether this is the id of a notification.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.0 == Kind::Null
    }

    /// The number it is, also where the peer has made a text of it.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        match &self.0 {
            Kind::Null => None,
            Kind::Number(number) => Some(*number),
            Kind::Json(json) => json.trim_matches('"').parse().ok(),
        }
    }
}

impl From<u64> for Id {
    fn from(number: u64) -> Self {
        Self(Kind::Number(number))
    }
}

/// Reads an object as far as its id.
struct Finder<'a>(&'a mut Id);

impl<'de> Visitor<'de> for Finder<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with an id")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if key == "id" {
                let json: &RawValue = map.next_value()?;
                *self.0 = Id::from_json(json.get()).unwrap_or(Id::NULL);
                break;
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

/// The JSON of the id.
impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Null => f.write_str("null"),
            Kind::Number(number) => write!(f, "{number}"),
            Kind::Json(json) => f.write_str(json),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_line_is_found_whatever_else_stands_there() {
        let deep = format!("{{\"params\":{}1{},\"id\":7}}", "[".repeat(4000), "]".repeat(4000));
        for (line, expect) in [
            ("{\"id\":7,\"method\":\"m\",\"params\":[[[", "7"),
            ("{\"method\":[{\"id\":1}],\"id\":\"a\"}", "\"a\""),
            (&*deep, "7"),
            ("{\"id\":[1]}", "null"),
            ("{\"id\":", "null"),
            ("{\"method\":\"m\"}", "null"),
            ("[{\"id\":1}]", "null"),
            ("\u{7}", "null"),
            ("", "null"),
        ] {
            assert_eq!(Id::of_line(line.as_bytes()).to_string(), expect, "{line:.60}");
        }
        assert_eq!(Id::of_line(b"{\"a\xff\":1,\"id\":1}"), Id::NULL);
    }

    #[test]
    fn ids_come_back_byte_for_byte() {
        for json in ["null", "0", "4", "18446744073709551616", "-1", "1.50", "1e3", "\"a\\u0041\""]
        {
            assert_eq!(Id::from_json(json).expect("an id").to_string(), json);
        }
        for json in ["[]", "{}", "true", ""] {
            assert_eq!(Id::from_json(json), None);
        }
        assert_eq!(Id::from_json(&format!("\"{}\"", "x".repeat(127))), None);
        assert_eq!(Id::from_json("\"12\"").and_then(|id| id.as_u64()), Some(12));
    }
}
