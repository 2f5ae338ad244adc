//! Every recorded reply: ours has its keys, in its order, with its types.

use std::fmt;
use std::path::PathBuf;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use sl_twin::Release;

use super::booth::Booth;
use super::client::{ask, get, post};
use super::sample;

/// What a JSON text is made of, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Shape {
    Null,
    Flag,
    Int,
    Real,
    Text,
    List(Vec<Shape>),
    Record(Vec<(String, Shape)>),
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ShapeVisitor)
    }
}

struct ShapeVisitor;

impl<'de> Visitor<'de> for ShapeVisitor {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Shape, E> {
        Ok(Shape::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Shape, E> {
        Ok(Shape::Flag)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Shape, E> {
        Ok(Shape::Int)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Shape, E> {
        Ok(Shape::Int)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Shape, E> {
        Ok(Shape::Real)
    }

    fn visit_str<E>(self, _: &str) -> Result<Shape, E> {
        Ok(Shape::Text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Shape, A::Error> {
        let mut shapes = Vec::new();
        while let Some(shape) = list.next_element()? {
            shapes.push(shape);
        }
        Ok(Shape::List(shapes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shape, A::Error> {
        let mut shapes = Vec::new();
        while let Some(entry) = map.next_entry()? {
            shapes.push(entry);
        }
        Ok(Shape::Record(shapes))
    }
}

fn recorded(name: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/asic-api");
    std::fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn check_shape(name: &str, ours: &str) {
    let shape = |text: &str| -> Shape {
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{name}: {error} in {text}"))
    };
    assert_eq!(shape(ours), shape(&recorded(name)), "{name}");
}

/// Shape and every value.
fn check_values(name: &str, ours: &str) {
    check_shape(name, ours);
    let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
    assert_eq!(value(ours), value(&recorded(name)), "{name}");
}

#[tokio::test(start_paused = true)]
async fn the_l7_prints_the_pages_of_its_firmware() {
    let l7 = Booth::new(sample::l7());
    for page in [
        "summary",
        "stats",
        "chart",
        "get_system_info",
        "miner_type",
        "get_blink_status",
        "get_adjustment_params",
    ] {
        let reply = get(&l7, page).await;
        assert_eq!(reply.status, 200);
        assert!(reply.body.starts_with("\n{"), "{page}: {:?}", reply.body);
        check_values(&format!("antminer-l7/derived/cgi_{page}.json"), &reply.body);
    }
    check_values("antminer-l7/derived/cgi_pools.json", &get(&l7, "pools").await.body);
}

#[tokio::test(start_paused = true)]
async fn the_l7_answers_writes_in_the_words_of_its_firmware() {
    let l7 = Booth::new(sample::l7());
    for (page, body, file) in [
        ("blink", r#"{"blink":true}"#, "cgi_blink_on"),
        ("blink", r#"{"blink": "false"}"#, "cgi_blink_off"),
        ("blink", r#"{"blink":1}"#, "cgi_blink_bad"),
        ("set_miner_conf", "{}", "cgi_set_miner_conf_ok"),
        ("set_miner_conf", "{", "cgi_set_miner_conf_bad"),
        ("set_miner_conf", "", "cgi_set_miner_conf_bad"),
        ("passwd", r#"{"curPwd":"x"}"#, "cgi_passwd_bad"),
    ] {
        let reply = post(&l7, page, body).await;
        assert!(reply.body.starts_with('{'), "{page}: {:?}", reply.body);
        check_values(&format!("antminer-l7/derived/{file}.json"), &reply.body);
    }
}

/// The only figures of an L7 that anybody has published stand in our replies as they stood in its.
#[tokio::test(start_paused = true)]
async fn the_l7_says_what_a_real_one_was_heard_to_say() {
    let l7 = Booth::new(sample::l7());
    let fragments = recorded("antminer-l7/rpc4028_observed_fragments.json");
    let fragments: serde_json::Value = serde_json::from_str(&fragments).expect("JSON");
    for (command, section) in [("stats", "STATS"), ("summary", "SUMMARY")] {
        let ours = ask(&l7, &format!("{{\"command\":\"{command}\"}}")).await;
        let ours: serde_json::Value = serde_json::from_str(&ours).expect("JSON");
        let rows = fragments[command][section].as_array().expect("rows");
        assert!(!rows.is_empty(), "{command}");
        for (place, row) in rows.iter().enumerate() {
            for (key, value) in row.as_object().expect("a row") {
                assert_eq!(&ours[section][place][key], value, "{command} {place} {key}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_l7_answers_on_4028_as_its_firmware() {
    let l7 = Booth::new(sample::l7());
    for (command, file) in [
        ("summary", "rpc4028_summary"),
        ("pools", "rpc4028_pools"),
        ("stats", "rpc4028_stats"),
        ("version", "rpc4028_version"),
        ("devs", "rpc4028_unknown_command"),
    ] {
        let ours = ask(&l7, &format!("{{\"command\":\"{command}\"}}")).await;
        check_shape(&format!("antminer-l7/derived/{file}.json"), &ours);
    }
    let stats = ask(&l7, r#"{"command":"stats"}"#).await;
    check_values("antminer-l7/derived/rpc4028_stats.json", &stats);
}

#[tokio::test(start_paused = true)]
async fn a_factory_fresh_l7_prints_the_factorys_file_byte_by_byte() {
    for release in Release::ALL {
        let l7 = Booth::new(sample::l7_of(release));
        let file = recorded("antminer-l7/cgi_get_miner_conf.factory.json");
        let ours = get(&l7, "get_miner_conf").await.body;
        assert_eq!(ours.trim_end(), format!("\n{}", file.trim_end()));
    }
}

#[tokio::test(start_paused = true)]
async fn each_release_says_when_it_was_built() {
    let table = recorded("antminer-l7/compile_time_by_release.txt");
    for (release, line) in Release::ALL.into_iter().zip(table.lines()) {
        let built = line.split_once(": ").and_then(|(_, it)| it.split('|').next()).unwrap();
        let l7 = Booth::new(sample::l7_of(release));
        assert!(get(&l7, "summary").await.body.contains(built), "{release}");
        assert!(ask(&l7, r#"{"command":"version"}"#).await.contains(built), "{release}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_l9_answers_on_4028_as_recorded() {
    let l9 = Booth::new(sample::l9());
    for command in ["summary", "stats", "version"] {
        let ours = ask(&l9, &format!("{{\"command\":\"{command}\"}}")).await;
        check_shape(&format!("antminer-l9/rpc4028_{command}.json"), &ours);
        // Figures that were recorded to the last digit.
        let expect: &[&str] = match command {
            "summary" => &[
                "\"GHS 5s\":11.48,\"GHS av\":12.85,\"GHS 30m\":11.47",
                "\"Work Utility\":11788317.5352",
                "\"RT HASHRATE\":\"11.49 GH/s\"",
                "\"THEORY HASHRATE\":\"17.04 GH/s\"",
            ],
            "stats" => &[
                "\"total_rateideal\":17.03,\"Mode\":2",
                "\"chain_rate1\":5.659831296",
                "\"CHAIN AVG HASHRATE1\":\"5659.83 MH/s\"",
                "\"temp_out_chip_1\":\"64\"",
                "\"ooooooooo oooooooo oooooooo oooooooo oooooooo oooooooo oooooooo oooooooo \
                 oooooooo oooooooo oooooooo oooooooo oooooooo ooooo\"",
            ],
            _ => &["\"Miner\":\"86.48-2.0.0\""],
        };
        for text in expect {
            assert!(ours.contains(text), "{text} in {ours}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_l3plus_answers_byte_by_byte_with_the_comma_that_it_forgets() {
    let l3 = Booth::new(sample::l3plus());
    let stats = recorded("antminer-l3plus/rpc4028_stats.txt");
    assert!(stats.contains("}{"));
    assert_eq!(ask(&l3, r#"{"command":"stats"}"#).await, stats.trim_end());
    let when = |text: &str| text.replace("1526315222", "1526315384");
    // Two counters that no machine of ours keeps.
    let pools = when(&recorded("antminer-l3plus/rpc4028_pools.json"))
        .replace("\"Get Failures\":1", "\"Get Failures\":0")
        .replace("\"Diff1 Shares\":11805080", "\"Diff1 Shares\":0");
    assert_eq!(ask(&l3, r#"{"command":"pools"}"#).await, pools.trim_end());
    let version = recorded("antminer-l3plus/rpc4028_version.json");
    let ours = ask(&l3, r#"{"command":"version"}"#).await;
    assert_eq!(ours.replace("1526315384", "1526315502"), version.trim_end());
}

#[tokio::test(start_paused = true)]
async fn the_l3plus_tells_of_its_system_as_recorded() {
    let l3 = Booth::new(sample::l3plus());
    let theirs = recorded("antminer-l3plus/cgi_get_system_info.json");
    let ours = get(&l3, "get_system_info").await.body;
    assert_eq!(ours.replace("16:29:44", "16:00:59").trim(), theirs.trim());
}
