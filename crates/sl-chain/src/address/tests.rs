use bech32::{Bech32, Bech32m};
use proptest::prelude::*;

use super::*;
use crate::coins;

const BECH32: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const BASE58: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

fn coin(ticker: &str) -> &'static CoinRow {
    coins::by_ticker(ticker).expect("in the table")
}

fn check(text: &str, ticker: &str, network: Network, script: &str) {
    let address = Address::parse(text, coin(ticker)).expect(text);
    assert_eq!(address.network(), network, "{text}");
    assert_eq!(address.coin().as_str(), ticker);
    assert_eq!(hex::encode(address.script_pubkey()), script, "{text}");
    assert_eq!(Address::parse(&address.to_string(), coin(ticker)), Ok(address));
}

fn refused(text: &str, ticker: &str) -> AddressError {
    Address::parse(text, coin(ticker)).expect_err(text)
}

#[test]
fn recorded_addresses_pay_the_recorded_scripts() {
    // `testdata/litecoin/regtest-e2e/rpc_http_recordings.txt`, validateaddress.
    check(
        "rltc1qmhp5cy5mgf2vgywce6d6etkl428qd3js7cgqh5",
        "LTC",
        Network::Regtest,
        "0014ddc34c129b4254c411d8ce9bacaedfaa8e06c650",
    );
    // `testdata/auxpow/regtest-e2e/aux_rpc_recordings.json`, taken by createauxblock.
    check(
        "mh5CE8Nbj38iND267s4XnvhSmhDW7yWc6Q",
        "PEP",
        Network::Regtest,
        "76a914111111111111111111111111111111111111111188ac",
    );
}

#[test]
fn well_known_addresses() {
    // Dogeparty's burn address; a donation address of Dogecoin; two kinds of Litecoin's.
    for (text, ticker, script) in [
        (
            "DDogepartyxxxxxxxxxxxxxxxxxxw1dfzr",
            "DOGE",
            "76a9145f0d49feb9842f4ef958d1a2f69a776ce17f280888ac",
        ),
        (
            "DH5yaieqoZN36fDVciNyRueRGvGLR3mr7L",
            "DOGE",
            "76a914830a7420e63d76244ff7cbd1c248e94c1446325988ac",
        ),
        (
            "LVg2kJoFNg45Nbpy53h7Fe1wKyeXVRhMH9",
            "LTC",
            "76a914729fd0f4200e2e4e0064d2422c6fe462279fc77388ac",
        ),
        (
            "MGxNPPB7eBoWPUaprtX9v9CXJZoD2465zN",
            "LTC",
            "a914635486a0aae9f8c9a93c1253f67ce0ff763c588f87",
        ),
    ] {
        check(text, ticker, Network::Main, script);
        let parsed = Address::parse(text, coin(ticker)).expect(text);
        assert_eq!(parsed.to_string(), text);
    }
}

#[test]
fn the_program_of_bip_173_under_litecoins_and_bells_prefix() {
    let script = "0014751e76e8199196d454941c45d1b3a323f1433bd6";
    check("ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4n9", "LTC", Network::Main, script);
    check("LTC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KGMN4N9", "LTC", Network::Main, script);
    let program = hex::decode(&script[4..]).expect("hex");
    let bells = bech32::segwit::encode_v0(Hrp::parse("bel").expect("prefix"), &program);
    check(&bells.expect("encodes"), "BELLS", Network::Main, script);
}

#[test]
fn a_legacy_script_address_is_printed_in_the_present_form() {
    let hash = [7; 20];
    let old = bs58::encode(hash).with_check_version(5).into_string();
    let address = Address::parse(&old, coin("LTC")).expect("allowed");
    assert_eq!(address.payload(), &Payload::P2sh(hash));
    assert!(old.starts_with('3') && address.to_string().starts_with('M'));
    assert!(Address::parse(&old, coin("LKY")).is_ok());
}

#[test]
fn each_failed_check_is_named() {
    let doge = "DH5yaieqoZN36fDVciNyRueRGvGLR3mr7L";
    assert_eq!(refused(" ", "DOGE"), AddressError::Empty { wanted: coin("DOGE").ticker });
    assert_eq!(
        refused(&"D".repeat(300), "DOGE"),
        AddressError::TooLong { found: 300, allowed: 256 }
    );
    assert_eq!(
        refused(&doge.replace("ya", "y0"), "DOGE"),
        AddressError::Alphabet { character: '0', position: 5, format: "base58" }
    );
    assert_eq!(
        refused("DH5yaïeqoZN36fDVciNyRueRGvGLR3mr7L", "DOGE"),
        AddressError::Alphabet { character: 'ï', position: 6, format: "base58" }
    );
    assert_eq!(refused(&doge[..20], "DOGE"), AddressError::Length { found: 15 });
    assert_eq!(
        refused(&doge.replace("ya", "yb"), "DOGE"),
        AddressError::Checksum { format: "base58" }
    );
    assert!(matches!(
        refused("ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4n8", "LTC"),
        AddressError::Checksum { format: "bech32" }
    ));
    assert_eq!(
        refused("ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4nb", "LTC"),
        AddressError::Alphabet { character: 'b', position: 43, format: "bech32" }
    );
    assert_eq!(
        refused("ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kg1n4n9", "LTC"),
        AddressError::Alphabet { character: '1', position: 39, format: "bech32" }
    );
    assert_eq!(
        refused("ltc1Qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4n9", "LTC"),
        AddressError::MixedCase
    );
    assert_eq!(
        refused(&format!("ltc1{}", "q".repeat(100)), "LTC"),
        AddressError::TooLong { found: 104, allowed: 90 }
    );
    assert!(matches!(
        refused("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "LTC"),
        AddressError::Prefix { found, .. } if found == "bc"
    ));
    // Bitcoin's first address: version byte 0.
    assert!(matches!(
        refused("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "LTC"),
        AddressError::VersionByte { found: 0, .. }
    ));
}

#[test]
fn segwit_rules_are_told_apart() {
    let ltc = Hrp::parse("ltc").expect("prefix");
    let text = |version: u8, program: &[u8], m: bool| {
        let version = Fe32::try_from(version).expect("below 32");
        let data: Vec<Fe32> = {
            use bech32::primitives::iter::ByteIterExt;
            program.iter().copied().bytes_to_fes().collect()
        };
        use bech32::primitives::iter::Fe32IterExt;
        let chars = data.into_iter();
        if m {
            chars.with_checksum::<Bech32m>(&ltc).with_witness_version(version).chars().collect()
        } else {
            chars.with_checksum::<Bech32>(&ltc).with_witness_version(version).chars().collect()
        }
    };
    let good: String = text(1, &[9; 32], true);
    check(&good, "LTC", Network::Main, &format!("5120{}", "09".repeat(32)));
    let wide: String = text(16, &[9; 2], true);
    check(&wide, "LTC", Network::Main, "60020909");
    let script: String = text(0, &[9; 32], false);
    check(&script, "LTC", Network::Main, &format!("0020{}", "09".repeat(32)));
    let wrong: String = text(1, &[9; 32], false);
    assert_eq!(
        refused(&wrong, "LTC"),
        AddressError::ChecksumKind { version: 1, found: "bech32", needed: "bech32m" }
    );
    let wrong: String = text(0, &[9; 20], true);
    assert_eq!(
        refused(&wrong, "LTC"),
        AddressError::ChecksumKind { version: 0, found: "bech32m", needed: "bech32" }
    );
    let wrong: String = text(17, &[9; 20], true);
    assert_eq!(refused(&wrong, "LTC"), AddressError::WitnessVersion { found: 17 });
    let wrong: String = text(0, &[9; 21], false);
    assert_eq!(
        refused(&wrong, "LTC"),
        AddressError::WitnessLength { version: 0, found: 21, allowed: "20 or 32" }
    );
    let wrong: String = text(2, &[9; 41], true);
    assert_eq!(
        refused(&wrong, "LTC"),
        AddressError::WitnessLength { version: 2, found: 41, allowed: "2 to 40" }
    );
    assert_eq!(refused("ltc1", "LTC"), AddressError::Checksum { format: "bech32" });
    assert!(matches!(
        refused(&bech32::encode::<Bech32>(ltc, &[]).expect("encodes"), "LTC"),
        AddressError::NoProgram { .. }
    ));
}

#[test]
fn an_extension_block_address_is_refused_with_the_reason() {
    let mweb = "ltcmweb1qq20e2arnhvxw97katjkmsd35agw3capxjkrkh7dk8d30rczm8ypxuq329nwh2twmchhqn3jqh7ua4ps539f6aazh79jy76urqht4qa59ts3at6gf";
    for ticker in ["LTC", "DOGE"] {
        let error = refused(mweb, ticker);
        assert!(matches!(error, AddressError::ExtensionBlock { .. }), "{error:?}");
        assert!(error.to_string().contains("a coinbase cannot pay"), "{error}");
    }
    assert!(matches!(refused("tmweb1qqqq", "LTC"), AddressError::ExtensionBlock { .. }));
}

#[test]
fn the_wrong_coin_is_named() {
    let error = refused("DH5yaieqoZN36fDVciNyRueRGvGLR3mr7L", "BELLS").to_string();
    assert_eq!(
        error,
        "this is a DOGE or DINGO address (version byte 30; a BELLS script address looks the \
         same and is refused too), BELLS is wanted; BELLS addresses are base58 with version \
         byte 25, or bech32 beginning with bel1"
    );
    let error = refused("LVg2kJoFNg45Nbpy53h7Fe1wKyeXVRhMH9", "PEP").to_string();
    assert_eq!(
        error,
        "this is a LTC address (version byte 48), PEP is wanted; PEP addresses are base58 \
         with version byte 56, 22"
    );
    let error = refused("ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4n9", "DOGE").to_string();
    assert!(error.starts_with("this is a LTC address (prefix ltc1), DOGE is wanted"), "{error}");
}

#[test]
fn the_example_is_known_everywhere() {
    for row in coins::all() {
        let example = Address::example(row);
        let again = Address::parse(&example.to_string(), row).expect("valid");
        assert!(again.is_example(), "{}", row.ticker);
        assert_eq!(again, example);
    }
    assert!(!Address::p2pkh(coin("LTC"), [1; 20]).is_example());
}

proptest! {
    #[test]
    fn every_kind_survives_its_text(row in 0..10usize, hash: [u8; 20], long: [u8; 32]) {
        let row = &coins::all()[row];
        let mut payloads = vec![Payload::P2pkh(hash)];
        if row.ticker.as_str() != "BELLS" {
            payloads.push(Payload::P2sh(hash));
        }
        if row.bech32_hrp.is_some() {
            payloads.push(Payload::Witness { version: 0, program: hash.to_vec() });
            payloads.push(Payload::Witness { version: 0, program: long.to_vec() });
            payloads.push(Payload::Witness { version: 1, program: long.to_vec() });
        }
        for payload in payloads {
            let address = Address { coin: row.ticker, network: Network::Main, payload };
            prop_assert_eq!(Address::parse(&address.to_string(), row), Ok(address));
        }
    }

    #[test]
    fn one_changed_character_is_refused(
        hash: [u8; 20], kind in 0..3usize, at: prop::sample::Index, with: prop::sample::Index,
    ) {
        let row = coin("LTC");
        let payload = match kind {
            0 => Payload::P2pkh(hash),
            1 => Payload::Witness { version: 0, program: hash.to_vec() },
            _ => Payload::Witness { version: 1, program: [hash, hash].concat()[..32].to_vec() },
        };
        let text = Address { coin: row.ticker, network: Network::Main, payload }.to_string();
        let alphabet = if kind == 0 { BASE58 } else { BECH32 };
        let mut bytes = text.clone().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = alphabet[with.index(alphabet.len())];
        let changed = String::from_utf8(bytes).expect("ASCII");
        prop_assume!(changed != text);
        prop_assert!(Address::parse(&changed, row).is_err(), "{}", changed);
    }

    #[test]
    fn any_text_is_answered(text in ".{0,120}") {
        for row in coins::all() {
            let _ = Address::parse(&text, row);
        }
    }

    #[test]
    fn any_bech32_like_text_is_answered(text in "(ltc|bel|rltc|LTC)1[a-z0-9A-Z1]{0,90}") {
        for row in coins::all() {
            let _ = Address::parse(&text, row);
        }
    }
}
