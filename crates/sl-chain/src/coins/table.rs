//! The rows. Source of every value: `testdata/coins/coins.toml`, read from each coin's node source
//! on 2026-11-22; `source` names repository and commit.
use std::time::Duration;

use ethnum::U256;
use sl_units::{Bits, CoinAmount, Hash256, Target};

use super::{
    Bonus, ChainId, CoinRow, DevFund, Ratio, ReferenceFigures, Regtest, Retarget, Role, Schedule,
    Step, Subsidy, Ticker, VersionLayout,
};

const MINUTE: Duration = Duration::from_secs(60);

/// 00000fff…ff, the easiest target of every main network of the table.
const MAIN_LIMIT: Target = Target::from_u256(U256::from_words(u128::MAX >> 20, u128::MAX));
/// 7fff…ff, the easiest target of local test networks.
const REGTEST_LIMIT: Target = Target::from_u256(U256::from_words(u128::MAX >> 1, u128::MAX));
/// Compact form of `MAIN_LIMIT`.
const LIMIT_BITS: Bits = Bits::from_u32(0x1e0f_ffff);
/// Target of the genesis blocks of Litecoin and its descendants.
const LITECOIN_GENESIS_BITS: Bits = Bits::from_u32(0x1e0f_fff0);

/// Luckycoin, Junkcoin, Craftcoin from height 69,360: every so many blocks, 3/4 to 5/4.
const fn narrow(blocks: u64) -> Retarget {
    Retarget::Interval {
        blocks,
        least: Ratio { numerator: 3, denominator: 4 },
        most: Ratio { numerator: 5, denominator: 4 },
    }
}

const fn steps(steps: &'static [Step]) -> Subsidy {
    Subsidy { schedule: Schedule::Steps(steps), bonus: None }
}

/// A reward in whole coins from a height on.
const fn step(from: u64, coins: u64) -> Step {
    Step { from, reward: CoinAmount::from_coins(coins), random: false }
}

/// A reward in smallest units from a height on.
const fn units(from: u64, units: u64) -> Step {
    Step { from, reward: CoinAmount::from_units(units), random: false }
}

/// An expected reward, in thousandths of a coin, from a height on.
const fn expected(from: u64, thousandths: u64) -> Step {
    Step { from, reward: CoinAmount::from_units(thousandths * 100_000), random: true }
}

/// A hash from its 64 hexadecimal digits as people read it; a wrong digit fails the build.
const fn hash(display: &str) -> Hash256 {
    let digits = display.as_bytes();
    assert!(digits.len() == 64, "a hash has 64 digits");
    let mut internal = [0; 32];
    let mut at = 0;
    while at < 32 {
        internal[31 - at] = nibble(digits[2 * at]) << 4 | nibble(digits[2 * at + 1]);
        at += 1;
    }
    Hash256::from_bytes(internal)
}

const fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => panic!("a hexadecimal digit in lower case"),
    }
}

/// Figures of the report `merged-mining` §4 for 26 January 2026, from a pool's public page.
const fn january_2026(price_usd: Option<f64>, node_difficulty: f64) -> Option<ReferenceFigures> {
    Some(ReferenceFigures {
        as_of: "2026-01-26",
        price_usd,
        node_difficulty: Some(node_difficulty),
        source: "viabtc.com, coins per GH/s and day of 2026-01-26; difficulty implied by them",
    })
}

/// 500,000 halved every 100,000 blocks down to 10,000 from 600,000.
const DOGE_STEPS: [Step; 7] = [
    step(0, 500_000),
    step(100_000, 250_000),
    step(200_000, 125_000),
    step(300_000, 62_500),
    step(400_000, 31_250),
    step(500_000, 15_625),
    step(600_000, 10_000),
];

pub(super) static TABLE: [CoinRow; 10] = [
    CoinRow {
        ticker: Ticker("LTC"),
        alias: None,
        name: "Litecoin",
        algorithm: "scrypt",
        role: Role::Parent,
        chain_id: None,
        version_layout: VersionLayout::Plain,
        strict_chain_id: false,
        magic_required: false,
        auxpow_from: None,
        pow_limit: MAIN_LIMIT,
        // Header of block 1 (`testdata/litecoin/block_1.hex`), in the genesis block's interval.
        genesis_bits: LITECOIN_GENESIS_BITS,
        genesis_bits_known: true,
        genesis: hash("12a765e31ffd4059bada1e25190f6e98c99d9714d334efa41a195a7e7e04bfe2"),
        block_spacing: Duration::from_secs(150),
        retarget: Retarget::Interval {
            blocks: 2016,
            least: Ratio { numerator: 1, denominator: 4 },
            most: Ratio { numerator: 4, denominator: 1 },
        },
        subsidy: Subsidy {
            schedule: Schedule::Halving { initial: CoinAmount::from_coins(50), interval: 840_000 },
            bonus: None,
        },
        dev_fund: None,
        coinbase_maturity: 100,
        p2pkh: &[48],
        p2sh: &[50, 5],
        wif: Some(176),
        bech32_hrp: Some("ltc"),
        mweb_hrp: Some("ltcmweb"),
        p2p_port: 9333,
        rpc_port: 9332,
        magic: Some([0xfb, 0xc0, 0xb6, 0xdb]),
        regtest: Some(Regtest {
            genesis: Some(hash("530827f38f93b43ed12af0b3ad25a288dc02ed74d6d7857862df51fc56c416f9")),
            pow_limit: REGTEST_LIMIT,
            p2pkh: &[111],
            p2sh: &[58, 196],
            bech32_hrp: Some("rltc"),
            auxpow_from: None,
            mweb_from: Some(432),
            rpc_port: 19443,
            p2p_port: 19444,
        }),
        // Block 2,520,000 (the halving) came on 2023-08-02; 1,208 days at 576 blocks a day.
        start_height: 3_215_800,
        // 0.0898 USD for 0.001326 LTC.
        reference: january_2026(Some(67.72), 95_050_000.0),
        coingecko: Some("litecoin"),
        rpc_target_field: None,
        source: "litecoin-project/litecoin src/chainparams.cpp, src/validation.cpp, src/pow.cpp @ d8c8adc0b4 (v0.21.5.5)",
    },
    CoinRow {
        ticker: Ticker("DOGE"),
        alias: None,
        name: "Dogecoin",
        algorithm: "scrypt",
        role: Role::Auxiliary,
        chain_id: Some(ChainId(98)),
        version_layout: VersionLayout::Dogecoin,
        strict_chain_id: true,
        magic_required: false,
        auxpow_from: Some(371_337),
        pow_limit: MAIN_LIMIT,
        // Header of block 1 (`testdata/auxpow/dogecoin_block_1.hex`).
        genesis_bits: LITECOIN_GENESIS_BITS,
        genesis_bits_known: true,
        genesis: hash("1a91e3dace36e2be3bf030a65679fe821aa1d6ef92e7c9902eb318182c355691"),
        block_spacing: MINUTE,
        retarget: Retarget::DigiShield,
        // Before 145,000 drawn from the previous hash, uniform up to twice the value here.
        subsidy: steps(&[
            expected(0, 500_000_000),
            expected(100_000, 250_000_000),
            step(145_000, 250_000),
            step(200_000, 125_000),
            step(300_000, 62_500),
            step(400_000, 31_250),
            step(500_000, 15_625),
            step(600_000, 10_000),
        ]),
        dev_fund: None,
        coinbase_maturity: 240,
        p2pkh: &[30],
        p2sh: &[22],
        wif: Some(158),
        bech32_hrp: None,
        mweb_hrp: None,
        p2p_port: 22556,
        rpc_port: 22555,
        magic: Some([0xc0, 0xc0, 0xc0, 0xc0]),
        regtest: None,
        // Recorded headers 371,337 (2014-09-11) and 894,863 (2015-09-28) are 62.99 s a block
        // apart: 894,863 + 351,865,900 s / 62.99 s.
        start_height: 6_481_000,
        // What the same page's total leaves per DOGE: an implied price.
        reference: january_2026(Some(0.1213), 33_900_000.0),
        coingecko: Some("dogecoin"),
        rpc_target_field: Some("target"),
        source: "dogecoin/dogecoin src/chainparams.cpp @ d090279885 (1.14), src/dogecoin.cpp @ 11b10408d05e",
    },
    CoinRow {
        ticker: Ticker("BELLS"),
        alias: Some("BEL"),
        name: "Bellscoin",
        algorithm: "scrypt",
        role: Role::Auxiliary,
        chain_id: Some(ChainId(16)),
        version_layout: VersionLayout::FiveBit,
        strict_chain_id: true,
        magic_required: true,
        auxpow_from: Some(144_000),
        pow_limit: MAIN_LIMIT,
        genesis_bits: LITECOIN_GENESIS_BITS,
        genesis_bits_known: true,
        genesis: hash("e5be24df57c43a82d15c2f06bda961296948f8f8eb48501bed1efb929afe0698"),
        block_spacing: MINUTE,
        retarget: Retarget::Averaged {
            window: 17,
            damping: 4,
            max_down_percent: 32,
            max_up_percent: 16,
        },
        // Before 518,400 drawn by height from a table: the means of the tables.
        subsidy: steps(&[
            step(0, 2),
            expected(101, 289_950),
            expected(129_600, 144_975),
            step(144_000, 2),
            expected(145_000, 144_975),
            expected(259_200, 16_395),
            step(518_400, 2),
        ]),
        dev_fund: None,
        // Not stated in the source file read; the family's oldest value.
        coinbase_maturity: 100,
        p2pkh: &[25],
        p2sh: &[30],
        wif: Some(153),
        bech32_hrp: Some("bel"),
        mweb_hrp: None,
        p2p_port: 19919,
        rpc_port: 8332,
        magic: Some([0xc0, 0xc0, 0xc0, 0xc0]),
        regtest: None,
        // Estimate: past 518,400, where the reward is 2 for ever.
        start_height: 1_010_000,
        reference: january_2026(None, 35_000_000.0),
        coingecko: Some("bellscoin"),
        rpc_target_field: Some("_target"),
        source: "Nintondo/bellscoinV3 src/kernel/chainparams.cpp, src/validation.cpp, src/pow.cpp, src/auxpow.cpp @ 65f965793",
    },
    CoinRow {
        ticker: Ticker("PEP"),
        alias: None,
        name: "Pepecoin",
        algorithm: "scrypt",
        role: Role::Auxiliary,
        chain_id: Some(ChainId(63)),
        version_layout: VersionLayout::Dogecoin,
        strict_chain_id: true,
        magic_required: false,
        auxpow_from: Some(42_000),
        pow_limit: MAIN_LIMIT,
        genesis_bits: LIMIT_BITS,
        genesis_bits_known: false,
        genesis: hash("37981c0c48b8d48965376c8a42ece9a0838daadb93ff975cb091f57f8c2a5faa"),
        block_spacing: MINUTE,
        retarget: Retarget::DigiShield,
        subsidy: steps(&DOGE_STEPS),
        dev_fund: None,
        coinbase_maturity: 240,
        p2pkh: &[56],
        p2sh: &[22],
        wif: Some(158),
        bech32_hrp: None,
        mweb_hrp: None,
        p2p_port: 33874,
        rpc_port: 33873,
        magic: Some([0xc0, 0xa0, 0xf0, 0xe0]),
        regtest: Some(Regtest {
            genesis: None,
            pow_limit: REGTEST_LIMIT,
            p2pkh: &[111],
            p2sh: &[196],
            bech32_hrp: None,
            auxpow_from: Some(20),
            mweb_from: None,
            rpc_port: 18332,
            p2p_port: 18444,
        }),
        // Estimate: past 600,000, where the reward is 10,000 for ever.
        start_height: 1_400_000,
        reference: january_2026(None, 30_800_000.0),
        coingecko: Some("pepecoin-network"),
        rpc_target_field: Some("target"),
        source: "pepecoinppc/pepecoin src/chainparams.cpp, src/pepecoin.cpp @ 4fb5a0cd9 (1.1.0)",
    },
    CoinRow {
        ticker: Ticker("LKY"),
        alias: None,
        name: "Luckycoin",
        algorithm: "scrypt",
        role: Role::Auxiliary,
        // Sits in the BIP 9 range of a parent's version.
        chain_id: Some(ChainId(8211)),
        version_layout: VersionLayout::Dogecoin,
        strict_chain_id: true,
        magic_required: false,
        auxpow_from: Some(176_000),
        pow_limit: MAIN_LIMIT,
        genesis_bits: LITECOIN_GENESIS_BITS,
        genesis_bits_known: true,
        genesis: hash("9b7bce58999062b63bfb18586813c42491fa32f4591d8d3043cb4fa9e551541b"),
        block_spacing: MINUTE,
        retarget: narrow(20),
        // Drawn from the previous hash: 5 % ×2, 1 % ×5, 0.01 % ×58; mean 1.0957.
        subsidy: Subsidy {
            schedule: Schedule::Halving { initial: CoinAmount::from_coins(88), interval: 100_000 },
            bonus: Some(Bonus { multiplier_ppm: 1_095_700, plus: CoinAmount::from_units(0) }),
        },
        dev_fund: None,
        coinbase_maturity: 90,
        p2pkh: &[47],
        p2sh: &[5],
        wif: Some(176),
        bech32_hrp: None,
        mweb_hrp: None,
        p2p_port: 9917,
        rpc_port: 19918,
        magic: Some([0xfb, 0xc0, 0xb6, 0xdb]),
        regtest: None,
        // Estimate: 176,000 (AuxPoW) in late 2024, when the client was released, and 1,440 a day.
        start_height: 1_220_000,
        reference: None,
        coingecko: Some("luckycoin"),
        rpc_target_field: Some("target"),
        source: "LuckyCoinProj/luckycoinV3 src/chainparams.cpp, src/luckycoin.cpp, src/pow.cpp @ 9bebc8d10 (3.0.3)",
    },
    CoinRow {
        ticker: Ticker("JKC"),
        alias: None,
        name: "Junkcoin",
        algorithm: "scrypt",
        role: Role::Auxiliary,
        // Equals version >> 16 of a parent that signals BIP 9 bit 21.
        chain_id: Some(ChainId(8224)),
        version_layout: VersionLayout::Dogecoin,
        strict_chain_id: true,
        magic_required: false,
        auxpow_from: Some(173_000),
        pow_limit: MAIN_LIMIT,
        genesis_bits: LITECOIN_GENESIS_BITS,
        genesis_bits_known: true,
        genesis: hash("a2effa738145e377e08a61d76179c21703e13e48910b30a2a87f0dfe794b64c6"),
        block_spacing: MINUTE,
        retarget: narrow(1440),
        // Drawn by height from 1..100,000: above 99,990 the reward is 1,000 coins, below 1,001 it
        // is threefold; mean 1.0199 × reward + 0.1.
        subsidy: Subsidy {
            schedule: Schedule::Steps(&[
                step(0, 1000),
                step(101, 500),
                step(1541, 200),
                step(2981, 100),
                step(5861, 50),
                step(262_800, 25),
                units(394_200, 1_250_000_000),
                units(657_000, 625_000_000),
                units(1_182_600, 312_500_000),
                units(1_971_000, 156_250_000),
                units(2_759_400, 78_125_000),
                units(3_547_800, 39_062_500),
            ]),
            bonus: Some(Bonus {
                multiplier_ppm: 1_019_900,
                plus: CoinAmount::from_units(10_000_000),
            }),
        },
        dev_fund: Some(DevFund { percent: 20, from_height: 365_000, to_height: 3_547_800 }),
        coinbase_maturity: 70,
        p2pkh: &[16],
        p2sh: &[5],
        wif: Some(144),
        bech32_hrp: None,
        mweb_hrp: None,
        p2p_port: 9771,
        rpc_port: 9771,
        magic: Some([0xfb, 0xc0, 0xb6, 0xdb]),
        regtest: None,
        // Estimate: within the era of 12.5 that the sources name as the present one.
        start_height: 520_000,
        reference: None,
        coingecko: Some("junkcoin"),
        rpc_target_field: Some("target"),
        source: "Junkcoin-Foundation/junkcoin-core src/chainparams.cpp, src/junkcoin.cpp @ 9e3f24f",
    },
    CoinRow {
        ticker: Ticker("DINGO"),
        alias: None,
        name: "Dingocoin",
        algorithm: "scrypt",
        role: Role::Auxiliary,
        // 98 before height 265,000.
        chain_id: Some(ChainId(50)),
        version_layout: VersionLayout::Dogecoin,
        strict_chain_id: true,
        magic_required: false,
        auxpow_from: Some(7_500),
        pow_limit: MAIN_LIMIT,
        // The genesis block is Dogecoin's.
        genesis_bits: LITECOIN_GENESIS_BITS,
        genesis_bits_known: true,
        genesis: hash("1a91e3dace36e2be3bf030a65679fe821aa1d6ef92e7c9902eb318182c355691"),
        block_spacing: MINUTE,
        retarget: Retarget::DigiShield,
        subsidy: steps(&[
            step(5_000, 500_000),
            step(100_000, 250_000),
            step(200_000, 125_000),
            step(300_000, 62_500),
            step(400_000, 31_250),
            step(500_000, 15_625),
            step(600_000, 10_000),
        ]),
        dev_fund: None,
        coinbase_maturity: 240,
        p2pkh: &[30],
        p2sh: &[22],
        wif: Some(158),
        bech32_hrp: None,
        mweb_hrp: None,
        p2p_port: 33117,
        rpc_port: 34646,
        magic: Some([0xc1, 0xc1, 0xc1, 0xc1]),
        regtest: None,
        // Estimate: past 600,000, where the reward is 10,000 for ever.
        start_height: 2_600_000,
        reference: None,
        coingecko: Some("dingocoin"),
        rpc_target_field: Some("target"),
        source: "dingocoin/dingocoin src/chainparams.cpp, src/dingocoin.cpp @ ed0dadf62",
    },
    CoinRow {
        ticker: Ticker("SHIC"),
        alias: None,
        name: "Shibacoin",
        algorithm: "scrypt",
        role: Role::Auxiliary,
        chain_id: Some(ChainId(74)),
        version_layout: VersionLayout::Dogecoin,
        strict_chain_id: true,
        magic_required: false,
        auxpow_from: Some(24_000),
        pow_limit: MAIN_LIMIT,
        genesis_bits: LITECOIN_GENESIS_BITS,
        genesis_bits_known: true,
        genesis: hash("ff271edcc83f7d71e7a4e4b0a43b386a188e1470a28671cdbdc47e900118ac7f"),
        block_spacing: MINUTE,
        retarget: Retarget::DigiShield,
        subsidy: steps(&DOGE_STEPS),
        dev_fund: None,
        coinbase_maturity: 240,
        p2pkh: &[63],
        p2sh: &[22],
        wif: Some(158),
        bech32_hrp: None,
        mweb_hrp: None,
        p2p_port: 33864,
        rpc_port: 33863,
        magic: Some([0xb0, 0xc0, 0xe0, 0xf0]),
        regtest: None,
        // Estimate: genesis of 2024-12-16, 706 days at 1,440 blocks.
        start_height: 1_016_000,
        reference: None,
        coingecko: None,
        rpc_target_field: Some("target"),
        source: "shibacoinppc/shibacoin src/chainparams.cpp, src/shibacoin.cpp @ 9cde97e",
    },
    CoinRow {
        ticker: Ticker("CRC"),
        alias: None,
        name: "Craftcoin",
        algorithm: "scrypt",
        role: Role::Auxiliary,
        // Sits in the BIP 9 range of a parent's version.
        chain_id: Some(ChainId(8228)),
        version_layout: VersionLayout::Dogecoin,
        strict_chain_id: true,
        magic_required: false,
        auxpow_from: Some(150_000),
        pow_limit: MAIN_LIMIT,
        genesis_bits: LIMIT_BITS,
        genesis_bits_known: false,
        genesis: hash("64a9141746cbbe06c7e1a4b7f2abb968ccdeba66cd67c1add1091b29db00578e"),
        block_spacing: MINUTE,
        retarget: narrow(1440),
        subsidy: steps(&[step(0, 10), step(32_000, 2)]),
        dev_fund: None,
        coinbase_maturity: 70,
        p2pkh: &[57],
        p2sh: &[5],
        wif: Some(185),
        bech32_hrp: None,
        mweb_hrp: None,
        p2p_port: 12123,
        rpc_port: 12124,
        magic: Some([0xfc, 0xd9, 0xb7, 0xdd]),
        regtest: None,
        // Estimate: 150,000 (AuxPoW) soon after the client of December 2024, and 1,440 a day.
        start_height: 1_100_000,
        reference: None,
        coingecko: None,
        rpc_target_field: Some("target"),
        source: "craftcoin2013/craftcoinV3 src/chainparams.cpp, src/craftcoin.cpp @ 8abe9f2",
    },
    CoinRow {
        ticker: Ticker("TRMP"),
        alias: None,
        name: "TrumPOW",
        algorithm: "scrypt",
        role: Role::Auxiliary,
        chain_id: Some(ChainId(168)),
        version_layout: VersionLayout::Dogecoin,
        strict_chain_id: true,
        magic_required: false,
        auxpow_from: Some(60_000),
        pow_limit: MAIN_LIMIT,
        genesis_bits: LIMIT_BITS,
        genesis_bits_known: false,
        genesis: hash("e81c430d51410470bcefcd8ecd4661bde27fb2ef14df54d48fb6c2cdaa0c1fde"),
        block_spacing: MINUTE,
        retarget: Retarget::DigiShield,
        subsidy: steps(&[
            step(0, 1_000_000),
            step(100_000, 500_000),
            step(200_000, 250_000),
            step(300_000, 125_000),
            step(400_000, 62_500),
            step(500_000, 31_250),
            step(600_000, 15_625),
            step(700_000, 10_000),
        ]),
        dev_fund: None,
        coinbase_maturity: 240,
        p2pkh: &[65],
        p2sh: &[28],
        wif: Some(151),
        bech32_hrp: None,
        mweb_hrp: None,
        p2p_port: 33884,
        rpc_port: 33883,
        magic: Some([0x54, 0x52, 0x4d, 0x50]),
        regtest: None,
        // Estimate: launched in July 2025, some 497 days at 1,440 blocks.
        start_height: 715_000,
        reference: None,
        coingecko: None,
        rpc_target_field: Some("target"),
        source: "trumpowppc/trumpow src/chainparams.cpp, src/trumpow.cpp @ a9c8bb1",
    },
];
