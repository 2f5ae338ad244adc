//! Texts as YAML scalars that read back as the same text.

use crate::parse::parse;
use crate::problem::Drafts;
use crate::source::{Layer, Source};
use crate::tree::{Node, Value};

/// A text behind a colon or a dash: bare when it reads back, else in quotes.
pub(crate) fn standing(text: &str, quoted: bool) -> String {
    match !quoted && reads_back(text, &format!("k: {text}\n"), |node| Some(node.entry("k")?.1)) {
        true => text.to_owned(),
        false => in_quotes(text),
    }
}

/// A text between brackets and commas.
pub(crate) fn in_list(text: &str, quoted: bool) -> String {
    let first = |node: &Node| match &node.entry("k")?.1.value {
        Value::Seq(items) if items.len() == 2 => items.first().cloned(),
        _ => None,
    };
    let document = format!("k: [{text}, x]\n");
    match !quoted && parsed(&document).and_then(|tree| first(&tree)).is_some_and(is(text)) {
        true => text.to_owned(),
        false => in_quotes(text),
    }
}

fn reads_back(text: &str, document: &str, pick: impl Fn(&Node) -> Option<&Node>) -> bool {
    parsed(document).as_ref().and_then(pick).cloned().is_some_and(is(text))
}

fn is(text: &str) -> impl Fn(Node) -> bool {
    move |node| matches!(node.value, Value::Scalar(scalar) if scalar.text == text)
}

fn parsed(document: &str) -> Option<Node> {
    let mut drafts = Drafts::default();
    let tree = parse(&Source::new(Layer::File, "", document), 0, &mut drafts).ok()?;
    drafts.list.is_empty().then_some(tree)
}

/// A double-quoted scalar (YAML 1.2.2, section 7.3.1).
fn in_quotes(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' => quoted += "\\\"",
            '\\' => quoted += "\\\\",
            '\n' => quoted += "\\n",
            '\t' => quoted += "\\t",
            '\r' => quoted += "\\r",
            _ if is_printable(letter) => quoted.push(letter),
            _ => quoted += &format!("\\U{:08x}", u32::from(letter)),
        }
    }
    quoted.push('"');
    quoted
}

fn is_printable(letter: char) -> bool {
    !letter.is_control()
        && !matches!(letter, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bare_where_possible() {
        for (text, expect) in [
            ("127.0.0.1:3333", "127.0.0.1:3333"),
            ("true", "true"),
            ("null", "\"null\""),
            ("", "\"\""),
            ("a: b", "\"a: b\""),
            ("a #b", "\"a #b\""),
            (" a", "\" a\""),
            ("*a", "\"*a\""),
            ("a\nb", "\"a\\nb\""),
            ("ä\u{7}", "\"ä\\U00000007\""),
        ] {
            assert_eq!(standing(text, false), expect);
        }
        assert_eq!(in_list("a,b", false), "\"a,b\"");
        assert_eq!(in_list("a b", false), "a b");
        assert_eq!(standing("5", true), "\"5\"");
    }

    proptest! {
        #[test]
        fn any_text_reads_back(text in any::<String>()) {
            let document = format!("k: {}\n", standing(&text, false));
            prop_assert!(reads_back(&text, &document, |node| Some(node.entry("k")?.1)), "{}", document);
            let document = format!("k: [{}, x]\n", in_list(&text, false));
            let tree = parsed(&document).expect("a list");
            let (_, list) = tree.entry("k").expect("the key");
            let Value::Seq(items) = &list.value else { panic!("{document}") };
            prop_assert!(is(&text)(items[0].clone()), "{}", document);
        }
    }
}
