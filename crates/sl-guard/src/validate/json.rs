use sl_units::Mono;

use super::{Complaint, Message, MessageValidator, Verdict};

/// How deep and how wide a JSON text may be, checked in one pass without building anything.
///
/// It looks at brackets, commas, colons and quotes alone. What it passes need not be JSON; the
/// protocol's parser says. What it refuses would have cost that parser memory or stack.
///
/// The default bounds are those of Spiral Pool 2.7: depth 32, array 100, keys 50.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct JsonShape {
    /// Most arrays and objects within one another; at most 64 are counted.
    pub depth: usize,
    /// Most elements of one array.
    pub elements: usize,
    /// Most keys of one object.
    pub keys: usize,
    /// Most bytes of one string, as written.
    pub string: usize,
}

impl Default for JsonShape {
    fn default() -> Self {
        Self { depth: 32, elements: 100, keys: 50, string: 4096 }
    }
}

/// An array or object that is open.
#[derive(Clone, Copy, Default)]
struct Open {
    object: bool,
    /// Commas so far.
    commas: usize,
}

impl JsonShape {
    const DEEPEST: usize = 64;

    /// Says what is out of bounds.
    fn complaint(&self, bytes: &[u8]) -> Option<String> {
        let mut open = [Open::default(); Self::DEEPEST];
        let mut depth = 0;
        let mut rest = bytes.iter().copied();
        while let Some(byte) = rest.next() {
            match byte {
                b'"' => {
                    let len = skip_string(&mut rest);
                    if len > self.string {
                        return Some(format!(
                            "a string of {len} bytes, at most {} are allowed",
                            self.string
                        ));
                    }
                }
                b'[' | b'{' => {
                    let most = self.depth.min(Self::DEEPEST);
                    match open.get_mut(depth) {
                        Some(slot) if depth < most => {
                            *slot = Open { object: byte == b'{', commas: 0 };
                        }
                        _ => {
                            let found = depth + 1;
                            return Some(format!(
                                "nested {found} deep, at most {most} are allowed"
                            ));
                        }
                    }
                    depth += 1;
                }
                b']' | b'}' => match depth.checked_sub(1) {
                    Some(outer) => depth = outer,
                    None => return Some("a bracket closes that was not opened".to_owned()),
                },
                b',' => {
                    let Some(inner) = depth.checked_sub(1).and_then(|at| open.get_mut(at)) else {
                        continue;
                    };
                    inner.commas += 1;
                    let (most, what) = if inner.object {
                        (self.keys, "keys")
                    } else {
                        (self.elements, "elements")
                    };
                    if inner.commas >= most {
                        let found = inner.commas + 1;
                        return Some(format!("{found} {what} or more, at most {most} are allowed"));
                    }
                }
                _ => {}
            }
        }
        None
    }
}

/// Goes to the end of a string, or of the text; how many bytes it has.
fn skip_string(rest: &mut impl Iterator<Item = u8>) -> usize {
    let mut len = 0;
    while let Some(byte) = rest.next() {
        match byte {
            b'"' => break,
            b'\\' => len += 1 + usize::from(rest.next().is_some()),
            _ => len += 1,
        }
    }
    len
}

impl MessageValidator for JsonShape {
    fn name(&self) -> &'static str {
        "json_shape"
    }

    fn check(&mut self, message: &Message<'_>, _now: Mono) -> Verdict {
        match self.complaint(message.bytes) {
            None => Verdict::Pass,
            Some(text) => Verdict::Refuse(Complaint { validator: self.name(), text }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expect: &str) {
        let mut shape = JsonShape { depth: 3, elements: 4, keys: 2, string: 6 };
        let verdict = shape.check(&Message::line(text.as_bytes()), Mono::default());
        match verdict {
            Verdict::Pass => assert_eq!(expect, "", "{text}"),
            Verdict::Refuse(it) => assert_eq!(it.text, expect, "{text}"),
        }
    }

    #[test]
    fn depth_and_width_are_bounded() {
        check(r#"{"id":1,"p":[1,2,3,4]}"#, "");
        check("[[[]]]", "");
        check("[[[[]]]]", "nested 4 deep, at most 3 are allowed");
        check("[1,2,3,4,5,6]", "5 elements or more, at most 4 are allowed");
        check(r#"{"a":1,"b":2,"c":3}"#, "3 keys or more, at most 2 are allowed");
        check(r#"[[1,2,3,4],[1,2,3,4],{"a":[1],"b":[1]}]"#, "");
        check(r#"["123456"]"#, "");
        check(r#"["1234567"]"#, "a string of 7 bytes, at most 6 are allowed");
        check("[]]", "a bracket closes that was not opened");
    }

    #[test]
    fn brackets_and_commas_in_strings_do_not_count() {
        check(r#"["[[[[",",,,,,","]]]"]"#, "");
        check(r#"["\"[[[","a"]"#, "");
        check(r#"["\\",[[[["#, "nested 4 deep, at most 3 are allowed");
        check(r#"["open [[[["#, "a string of 9 bytes, at most 6 are allowed");
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged(bytes in proptest::collection::vec(
            prop_oneof![proptest::sample::select(b"[]{},:\"\\".to_vec()), any::<u8>()], 0..300)) {
            let verdict = JsonShape::default().check(&Message::line(&bytes), Mono::default());
            let opened = bytes.iter().filter(|byte| matches!(byte, b'[' | b'{')).count();
            let commas = bytes.iter().filter(|byte| **byte == b',').count();
            let closed = bytes.iter().filter(|byte| matches!(byte, b']' | b'}')).count();
            if opened <= 32 && commas < 50 && closed == 0 {
                prop_assert_eq!(verdict, Verdict::Pass);
            }
        }
    }
}
