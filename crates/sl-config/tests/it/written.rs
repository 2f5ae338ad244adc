//! What is written from the declaration: the settings in force, templates, the schema. And bytes
//! that nobody wrote on purpose.

use proptest::prelude::*;
use serde_json::json;
use sl_config::{
    Layers, Section, Shape, TemplateKind, declaration_faults, load, read_text, schema, template,
};

use crate::settings::Mine;

const FILE: &str = "mode: production
coins: [\"no\", doge, 'a, b']
spare:
  url: x
  password: hunter2
pools:
  - url: \"a: b\"
    priority: 2
  - url: y
rewards:
  DOGE: {address: \"null\"}
";

#[test]
fn show_has_every_value_with_its_origin_and_no_secret() {
    let layers = Layers::new().file("s.yaml", FILE).flag("--cores", "cores", "1,2");
    let loaded = load(layers).expect("it parses");
    let expect = "\
mode: production  # s.yaml:1:7
claimed: 9.5 GH/s  # default
coins: [\"no\", doge, \"a, b\"]  # s.yaml:2:8
cores: [1, 2]  # flag --cores
gateway:
  listen: 127.0.0.1:3333  # default
  line: 16KiB  # default
  connections: 10000  # default
  vardiff:
    every: 30s  # default
    shares_per_minute: 6  # default
spare:
  url: x  # s.yaml:4:8
  user: silverlode  # default
  password: \"***\"  # s.yaml:5:13
  priority: null  # default
pools:
  - url: \"a: b\"  # s.yaml:7:10
    user: silverlode  # default
    password: env:POOL_PASSWORD  # default
    priority: 2  # s.yaml:8:15
  - url: y  # s.yaml:9:10
    user: silverlode  # default
    password: env:POOL_PASSWORD  # default
    priority: null  # default
rewards:
  DOGE:
    address: \"null\"  # s.yaml:11:19
    enabled: true  # default
";
    assert_eq!(loaded.show::<Mine>(true), expect);
}

#[test]
fn what_is_shown_reads_back() {
    let loaded = load(Layers::new().file("s.yaml", FILE)).expect("it parses");
    let mine: Mine = loaded.read().expect("all right");
    let shown = loaded.show::<Mine>(false);
    let masked: Mine = read_text("shown", &shown).expect("it is YAML");
    let mut without = mine.clone();
    without.spare = masked.spare.clone();
    assert_eq!(masked, without, "all but the secret");
    assert_ne!(masked, mine);
    let nothing = load(Layers::new()).expect("nothing").show::<Mine>(false);
    assert_eq!(read_text::<Mine>("shown", &nothing).expect("it is YAML"), Mine::default());
}

#[test]
fn templates_read_as_the_defaults() {
    for kind in [TemplateKind::Full, TemplateKind::InForce] {
        let text = template::<Mine>(kind);
        assert_eq!(read_text::<Mine>("template", &text).expect(&text), Mine::default());
    }
}

/// Without the mark right before each name, every key is known and the defaults stand.
#[test]
fn an_uncommented_template_names_what_is_mandatory_and_nothing_else() {
    let mut text = String::new();
    for line in template::<Mine>(TemplateKind::Full).lines() {
        let trimmed = line.trim_start();
        let commented = trimmed.strip_prefix('#').filter(|rest| !rest.starts_with(' '));
        let indent = line.len() - trimmed.len();
        text += &format!("{}{}\n", " ".repeat(indent), commented.unwrap_or(trimmed));
    }
    let problems = read_text::<Mine>("template", &text).expect_err("two urls");
    let keys: Vec<&str> = problems.list().iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(keys, ["spare.url", "pools[0].url"], "{text}");
}

#[test]
fn the_template_explains_each_setting() {
    let text = template::<Mine>(TemplateKind::Full);
    let expect = "\
# yaml-language-server: $schema=./silverlode.schema.json
# Settings of the mine.

# How the mine runs.
# Allowed: educational or production. Changes: after a restart.
#mode: educational

# Hash rate claimed for the CPU.
# Allowed: a hash rate in H/s, kH/s, MH/s, GH/s, TH/s, PH/s or EH/s, such as 9.5 GH/s. Changes: after a restart.
#claimed: 9.5 GH/s

# Coins to mine.
# Allowed: a list, each item a text. Changes: while running.
#coins: [ltc, doge]

# CPU cores to mine on.
# Allowed: a list, each item a whole number. Changes: while running.
#cores: []

# The server for machines.
gateway:
  # Address to listen on.
  # Allowed: IP:PORT, such as 127.0.0.1:3333 or [::1]:3333. Changes: while running.
  #listen: 127.0.0.1:3333
";
    assert!(text.starts_with(expect), "{text}");
}

#[test]
fn the_schema_says_what_reading_says() {
    let schema = schema::<Mine>();
    let at = |path: &str| schema.pointer(path).unwrap_or_else(|| panic!("{path} in {schema:#}"));
    assert_eq!(at("/additionalProperties"), &json!(false));
    assert_eq!(at("/properties/mode/enum"), &json!(["educational", "production"]));
    assert_eq!(at("/properties/mode/default"), &json!("educational"));
    assert_eq!(at("/properties/coins/default"), &json!(["ltc", "doge"]));
    let gateway = "/properties/gateway/properties";
    assert_eq!(at(&format!("{gateway}/connections/default")), &json!(10_000));
    let shares = at(&format!("{gateway}/vardiff/properties/shares_per_minute"));
    assert_eq!((&shares["minimum"], &shares["maximum"]), (&json!(0.1), &json!(600)));
    assert_eq!(at("/properties/pools/items/required"), &json!(["url"]));
    assert_eq!(at("/properties/rewards/additionalProperties/type"), &json!(["object", "null"]));
    assert_eq!(at("/properties/spare/properties/priority/anyOf/1/type"), &json!("null"));
}

#[test]
fn fields_tell_what_is_live() {
    let live = |name: &str| {
        let fields = Mine::fields();
        let field = fields.iter().find(|field| field.name == name).expect("a field");
        match &field.shape {
            Shape::Setting(setting) => setting.live,
            _ => panic!("{name} is a section"),
        }
    };
    assert_eq!((live("mode"), live("coins")), (false, true));
    assert_eq!(declaration_faults::<Mine>(), Vec::<String>::new());
}

#[test]
fn a_wrong_declaration_is_found() {
    sl_config::settings! {
        /// A section with mistakes.
        struct Wrong {
            /// Out of its own range.
            live ratio: f64 = 7 in 0.0..=1.0,
            /// No number.
            live count: u8 = "many",
            live undocumented: bool = true,
        }
    }
    assert_eq!(
        declaration_faults::<Wrong>(),
        [
            "ratio: default \"7\" is out of range",
            "count: default \"many\": not a number",
            "undocumented: no doc comment",
        ]
    );
}

/// Letters and marks that YAML makes something of, so that most texts get far into the parser.
#[rustfmt::skip]
const PIECES: [&str; 44] = [
    "\n", "  ", ": ", "- ", "\t", "[", "]", "{", "}", ",", "\"", "'", "#", "&a ", "*a", "!t ", "|\n",
    ">-\n", "? ", "---\n", "...\n", "%YAML 1.2\n", "mode", "gateway", "pools", "rewards", "coins",
    "\r", "\\", "ä", "\u{2028}", "\u{feff}", "~", "null", "5", "<<", "@", "`", "\0", "mode: ",
    "gateway:\n  ", "pools:\n- ", "\n  ", "\n",
];

fn yaml_like() -> impl Strategy<Value = String> {
    proptest::collection::vec(0..PIECES.len(), 0..40)
        .prop_map(|pieces| pieces.into_iter().map(|piece| PIECES[piece]).collect())
}

fn survives(content: &[u8]) {
    let layers = Layers::new().file("any.yaml", content);
    match load(layers) {
        Err(problems) => assert!(!problems.to_string().is_empty()),
        Ok(loaded) => {
            if let Err(problems) = loaded.read::<Mine>() {
                assert!(!problems.to_string().is_empty());
            }
            loaded.show::<Mine>(true);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_bytes_are_read_or_refused(content in proptest::collection::vec(any::<u8>(), 0..200)) {
        survives(&content);
    }

    #[test]
    fn anything_like_yaml_is_read_or_refused(content in yaml_like()) {
        survives(content.as_bytes());
    }

    #[test]
    fn any_variable_is_read_or_refused(name in "[A-Z_]{0,12}", text in yaml_like()) {
        let names = ["POOLS", "COINS", "SPARE", "GATEWAY", name.as_str()];
        let pairs = names.map(|name| (format!("SILVERLODE__{name}"), text.clone()));
        if let Ok(loaded) = load(Layers::new().environment(pairs)) {
            loaded.show::<Mine>(true);
            if let Err(problems) = loaded.read::<Mine>() {
                prop_assert!(!problems.to_string().is_empty());
            }
        }
    }
}
