//! Wrong files: the message alone must tell a stranger what to type.

use sl_config::{Fault, Layers, MAX_NODES, MAX_PROBLEMS, Problems, load, read_text};

use crate::settings::{Gateway, Mine};

/// What is said of a file.
fn said(content: &[u8]) -> String {
    let layers = Layers::new().file("silverlode.yaml", content);
    match load(layers).and_then(|loaded| loaded.read::<Mine>()) {
        Ok(_) => "fine".to_owned(),
        Err(problems) => problems.to_string(),
    }
}

fn check(content: impl AsRef<[u8]>, expect: &str) {
    assert_eq!(said(content.as_ref()), expect);
}

/// Every case of `wrong.md`: heading, file, message.
#[test]
fn the_table_of_wrong_files() {
    let table = include_str!("wrong.md");
    let (mut page, mut cases) = (String::new(), 0);
    for (at, case) in table.split("\n## ").enumerate() {
        if at == 0 {
            page += case;
            continue;
        }
        let (name, rest) = case.split_once("\n```yaml\n").expect("a file");
        let (file, _) = rest.split_once("```\n").expect("the end of the file");
        let message = said(file.as_bytes());
        page += &format!("\n## {name}\n```yaml\n{file}```\n```text\n{message}\n```\n");
        cases += 1;
    }
    assert!(cases >= 60, "{cases} cases");
    assert!(page == table, "wrong.md is stale; it must read:\n{page}");
}

#[test]
fn files_that_are_fine() {
    for file in [
        "",
        "\n\n",
        "# only a comment\n",
        "---\n",
        "---\nmode: production\n...\n",
        "gateway:\n",
        "null\n",
        "\u{feff}mode: production\n",
        "mode: production\r\ngateway:\r\n  line: 1KiB\r\n",
        "mode: production\rgateway: {}\r",
        "spare: null\ncoins: []\npools: []\nrewards: {}\n",
        "mode: &unused production\n",
    ] {
        check(file, "fine");
    }
}

#[test]
fn line_ends_and_a_byte_order_mark_do_not_move_places() {
    let message = "silverlode.yaml:2:3: gateway.listn: unknown key, hint: did you mean \"listen\"?\n  \
                   2 |   listn: *\n    \
                     |   ^^^^^";
    check("gateway:\r\n  listn: 1\r\n", message);
    check("\u{feff}gateway:\n  listn: 1\n", message);
    check("gateway:\r  listn: 1\r", message);
    check(
        "gateway:\r\n\tlisten: x\r\n",
        "silverlode.yaml:2:1: a tab indents this line, allowed: spaces, hint: replace each tab by two spaces\n  \
         2 |  listen: x\n    \
           | ^",
    );
}

#[test]
fn bytes_that_are_no_text() {
    check(
        b"mode: production\ncoins: [\xff]\n",
        "silverlode.yaml:2:9: the file is not UTF-8 from byte 25 on, allowed: text in UTF-8, hint: save the file as UTF-8\n  \
         2 | coins: [\u{fffd}]\n    \
           |         ^",
    );
    check(
        "mode: a\0b\n",
        "silverlode.yaml:1:8: the file holds the control character \\u{0}, allowed: text, hint: save the file as UTF-8 text\n  \
         1 | mode: a b\n    \
           |        ^",
    );
}

#[test]
fn bounds() {
    check(
        format!("# {}", " ".repeat(sl_config::MAX_BYTES - 1)),
        "silverlode.yaml:1:1: the file is too large: 1048577 bytes, allowed: at most 1 MiB, hint: check that this is the settings file\n  \
         1 | #\n    \
           | ^",
    );
    let problems = read_text::<Mine>("x.yaml", &format!("cores: [{}]", "0,".repeat(MAX_NODES)));
    assert_eq!(problems.expect_err("too many").list()[0].fault, Fault::TooLarge);
    let many: String = (0..=MAX_PROBLEMS).map(|number| format!("wrong{number}: 1\n")).collect();
    let problems = read_text::<Mine>("x.yaml", &many).expect_err("many");
    assert_eq!((problems.list().len(), problems.untold()), (MAX_PROBLEMS, 1));
    assert!(problems.to_string().ends_with("\nand 1 more problems"));
    // Ten thousand levels cost neither stack nor time.
    assert!(said("[".repeat(100_000).as_bytes()).contains("the nesting is too deep"));
}

#[test]
fn a_long_line_is_cut_around_the_mistake() {
    let file = format!("{{mode: production, {} oops: 1}}", " ".repeat(300));
    let message = said(file.as_bytes());
    let longest = message.lines().skip(1).map(|line| line.chars().count()).max();
    assert!(longest.is_some_and(|longest| longest < 120), "{message}");
    assert!(message.contains("oops: *"), "{message}");
}

#[test]
fn a_renderer_gets_all_it_needs() {
    let file = "spare:\n  url: x\n  password: hunter2\n  priority: 12\n";
    let problems: Problems = read_text::<Mine>("s.yaml", file).expect_err("a range");
    let problem = &problems.list()[0];
    let source = problem.source.as_ref().expect("a source");
    assert_eq!(problem.fault, Fault::OutOfRange);
    assert_eq!((problem.source_name(), problem.line, problem.column), ("s.yaml", 4, 13));
    assert_eq!(source.text().get(problem.span.clone()), Some("12"));
    assert_eq!(problem.title(), "spare.priority: found \"12\"");
    assert_eq!(problem.help().as_deref(), Some("allowed: a whole number from 1 to 9"));
    assert_eq!(source.text(), file.replace("hunter2", "*******"));
    assert!(!format!("{problems:?}").contains("hunter2"));
}

#[test]
fn a_mandatory_value_that_no_file_speaks_of() {
    sl_config::settings! {
        /// A root with a mandatory value.
        struct Root without Default {
            /// Who pays.
            restart payer: String,
            /// The server.
            section gateway: Gateway,
        }
    }
    let problems = read_text::<Root>("s.yaml", "").expect_err("missing");
    assert_eq!(
        problems.to_string(),
        "settings: payer: missing, allowed: a text, hint: add the line \"payer: …\""
    );
}
