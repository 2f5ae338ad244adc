use sl_units::{Bits, CoinAmount, Hash256, NodeDifficulty};

use super::{Field, Section, Source, given::Place};
use crate::{
    AUXPOW_FLAG, Header, Transaction,
    auxpow::AuxPow,
    codec::{DecodeError, Reader},
};

/// The name of a whole script, by which it is found again to be split.
pub(super) const SCRIPT: &str = "script";

/// Reads like the decoders, and writes down each field on the way, so that what was read before a
/// fault can be shown.
pub(super) struct Walk<'a> {
    reader: Reader<'a>,
    source: Source,
    section: Section,
    pub(super) fields: Vec<Field>,
}

impl<'a> Walk<'a> {
    pub(super) const fn new(bytes: &'a [u8], source: Source) -> Self {
        Self { reader: Reader::new(bytes), source, section: Section::Header, fields: Vec::new() }
    }

    pub(super) const fn place(&self) -> Place {
        Place { source: self.source, offset: self.reader.offset() }
    }

    pub(super) fn finish(&mut self, what: &'static str) -> Result<(), DecodeError> {
        self.reader.clone().finish(what)
    }

    /// Reads one field and tells its value and meaning.
    fn field<T>(
        &mut self,
        name: impl Into<String>,
        read: impl FnOnce(&mut Reader<'a>) -> Result<T, DecodeError>,
        tell: impl FnOnce(&T) -> (String, String),
    ) -> Result<T, DecodeError> {
        let offset = self.reader.offset();
        let read = read(&mut self.reader)?;
        let (value, meaning) = tell(&read);
        self.fields.push(Field {
            section: self.section,
            source: self.source,
            offset,
            length: self.reader.offset() - offset,
            name: name.into(),
            value,
            meaning,
        });
        Ok(read)
    }

    fn hash(
        &mut self,
        name: impl Into<String>,
        what: &'static str,
        meaning: &str,
    ) -> Result<Hash256, DecodeError> {
        self.field(name, |reader| reader.hash(what), |hash| (hash.to_string(), meaning.into()))
    }

    fn count(&mut self, least: usize, name: &'static str) -> Result<usize, DecodeError> {
        self.field(
            name,
            |reader| reader.count(least, name),
            |count| (count.to_string(), String::new()),
        )
    }

    /// The auxiliary block's header.
    pub(super) fn header(&mut self) -> Result<Header, DecodeError> {
        self.section = Section::Header;
        self.header_fields(|version| {
            let flag =
                if version & AUXPOW_FLAG != 0 { "AuxPoW flag set" } else { "no AuxPoW flag" };
            format!("chain id {}, {flag}, base {}", version >> 16, version & 0xff)
        })
    }

    fn header_fields(&mut self, version: impl Fn(u32) -> String) -> Result<Header, DecodeError> {
        let mut whole = self.reader.clone();
        self.field(
            "version",
            |reader| reader.u32("header version"),
            |&raw| (format!("{raw:08x}"), version(raw)),
        )?;
        self.hash("previous block", "previous block hash", "hash of the block before")?;
        self.hash("merkle root", "merkle root", "root over the block's transactions")?;
        self.field(
            "time",
            |reader| reader.u32("header time"),
            |&time| (time.to_string(), civil(time)),
        )?;
        self.field(
            "bits",
            |reader| reader.u32("header bits"),
            |&raw| {
                let bits = Bits::from_u32(raw);
                let meaning = match bits.target() {
                    Ok(target) => {
                        format!("difficulty {}", difficulty(NodeDifficulty::from(target).get()))
                    }
                    Err(wrong) => wrong.to_string(),
                };
                (bits.to_string(), meaning)
            },
        )?;
        self.field(
            "nonce",
            |reader| reader.u32("header nonce"),
            |&nonce| (nonce.to_string(), String::new()),
        )?;
        Header::read(&mut whole)
    }

    pub(super) fn proof(&mut self) -> Result<AuxPow, DecodeError> {
        let mut whole = self.reader.clone();
        self.section = Section::Coinbase;
        self.coinbase()?;
        self.section = Section::CoinbaseBranch;
        self.hash("hash field", "parent hash field", "once the parent's hash; no node reads it")?;
        self.branch("coinbase branch", "coinbase branch count")?;
        self.field(
            "coinbase index",
            |reader| reader.u32("coinbase index"),
            |&index| (index.to_string(), "of the coinbase in the parent; must be 0".into()),
        )?;
        self.section = Section::ChainBranch;
        self.branch("chain branch", "chain branch count")?;
        self.field(
            "chain index",
            |reader| reader.u32("chain index"),
            |&index| (index.to_string(), "the chain's slot in the auxiliary tree".into()),
        )?;
        self.section = Section::ParentHeader;
        self.header_fields(|version| {
            format!("reads as chain id {} to strict nodes", version >> 16)
        })?;
        AuxPow::read(&mut whole)
    }

    fn branch(&mut self, what: &'static str, name: &'static str) -> Result<(), DecodeError> {
        let count = self.count(32, name)?;
        if let Some(field) = self.fields.last_mut() {
            field.meaning = match count {
                0 => "the leaf is the root".into(),
                1 => "a tree 1 high".into(),
                _ => format!("a tree {count} high"),
            };
        }
        for level in 0..count {
            let hash = self.hash(format!("{what} {level}"), what, "")?;
            let zero = hash == Hash256::ZERO;
            if let Some(field) = self.fields.last_mut() {
                field.meaning = if zero {
                    "sibling: zero, an empty slot".into()
                } else {
                    format!("sibling at level {level}")
                };
            }
        }
        Ok(())
    }

    /// The parent's coinbase, field by field.
    fn coinbase(&mut self) -> Result<(), DecodeError> {
        let mut whole = self.reader.clone();
        self.field(
            "version",
            |reader| reader.u32("transaction version"),
            |version| (version.to_string(), "of the transaction".into()),
        )?;
        if let [0, flag, ..] = self.reader.rest() {
            let flag = *flag;
            self.field(
                "marker and flags",
                |reader| reader.take(2, "transaction marker and flags"),
                |_| (format!("00 {flag:02x}"), "extended form: a witness follows (BIP144)".into()),
            )?;
        }
        let inputs = self.count(41, "input count")?;
        for input in 0..inputs {
            self.coinbase_input(input)?;
        }
        let outputs = self.count(9, "output count")?;
        for output in 0..outputs {
            self.field(
                format!("output {output} value"),
                |reader| reader.u64("output value"),
                |&units| (CoinAmount::from_units(units).to_string(), "coins".into()),
            )?;
            self.field(
                format!("output {output} script"),
                |reader| reader.bytes("output script"),
                |script| (hex::encode(script), script_kind(script).into()),
            )?;
        }
        // The decoder knows the rest: what is left of the transaction is witness and lock time.
        Transaction::read(&mut whole)?;
        let witness = whole.offset() - self.reader.offset() - 4;
        if witness > 0 {
            self.field(
                "witness",
                |reader| reader.take(witness, "witness"),
                |_| (format!("{witness} bytes"), "not part of the id, so of no effect".into()),
            )?;
        }
        self.field(
            "lock time",
            |reader| reader.u32("lock time"),
            |time| (time.to_string(), String::new()),
        )?;
        Ok(())
    }

    fn coinbase_input(&mut self, input: usize) -> Result<(), DecodeError> {
        self.hash(
            format!("input {input} spends"),
            "input transaction id",
            "zero: a coinbase spends nothing",
        )?;
        self.field(
            format!("input {input} index"),
            |reader| reader.u32("input index"),
            |index| (format!("{index:08x}"), "ffffffff in a coinbase".into()),
        )?;
        let length = self.count(1, "script length")?;
        if let Some(field) = self.fields.last_mut() {
            field.meaning = "bytes; nodes allow 2 to 100".into();
        }
        if length > 0 {
            self.field(
                SCRIPT,
                |reader| reader.take(length, "input script"),
                |script| (hex::encode(script), "the miner's bytes".into()),
            )?;
        }
        self.field(
            format!("input {input} sequence"),
            |reader| reader.u32("input sequence"),
            |sequence| (format!("{sequence:08x}"), String::new()),
        )?;
        Ok(())
    }

    /// The block's own transactions, one field each.
    pub(super) fn transactions(&mut self) -> Result<Vec<Transaction>, DecodeError> {
        self.section = Section::Transactions;
        let count = self.count(10, "transaction count")?;
        (0..count)
            .map(|index| {
                let name =
                    if index == 0 { "coinbase".into() } else { format!("transaction {index}") };
                self.field(name, Transaction::read, |tx| {
                    let value = tx.outputs.iter().fold(CoinAmount::default(), |sum, output| {
                        sum.plus(CoinAmount::from_units(output.value))
                    });
                    let (inputs, outputs) = (tx.inputs.len(), tx.outputs.len());
                    (tx.txid().to_string(), format!("{inputs} in, {outputs} out, {value} coins"))
                })
            })
            .collect()
    }
}

/// What kind of output a script is, by its length and first bytes.
fn script_kind(script: &[u8]) -> &'static str {
    match script {
        [0x76, 0xa9, 20, ..] if script.len() == 25 => "pays to a key hash",
        [0xa9, 20, ..] if script.len() == 23 => "pays to a script hash",
        [0, 20, ..] if script.len() == 22 => "pays to a witness key hash",
        [0, 32, ..] if script.len() == 34 => "pays to a witness script hash",
        [0x51, 32, ..] if script.len() == 34 => "pays to a taproot key",
        [33 | 65, .., 0xac] => "pays to a key",
        [0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed, ..] => "witness commitment (BIP141)",
        [0x6a, ..] => "carries data",
        [] => "empty",
        _ => "another script",
    }
}

/// A difficulty for people: two decimals, or three digits of a small one.
pub(super) fn difficulty(value: f64) -> String {
    if value >= 0.01 { format!("{value:.2}") } else { format!("{value:.2e}") }
}

/// Seconds since 1970 as a date and a time in UTC (days to civil, proleptic Gregorian).
pub(super) fn civil(seconds: u32) -> String {
    let (days, rest) = (i64::from(seconds) / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::civil;

    #[test]
    fn dates_of_known_seconds() {
        for (seconds, expect) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_410_464_569, "2014-09-11 19:42:49 UTC"),
            (u32::MAX, "2106-02-07 06:28:15 UTC"),
        ] {
            assert_eq!(civil(seconds), expect);
        }
    }
}
