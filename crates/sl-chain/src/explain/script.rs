use sl_units::Hash256;

use super::{Field, Section, fields::SCRIPT, given::Place};
use crate::auxpow::{AuxPow, MAGIC};

/// Puts the parts of the coinbase's script in the place of the whole.
pub(super) fn split(fields: &mut Vec<Field>, proof: &AuxPow, hash: Option<Hash256>, place: Place) {
    let Some(script) = proof.coinbase.inputs.first().map(|input| input.script.as_slice()) else {
        return;
    };
    let at = fields.iter().position(|field| {
        field.section == Section::Coinbase && field.source == place.source && field.name == SCRIPT
    });
    let Some(at) = at else { return };
    let offset = fields.get(at).map_or(0, |field| field.offset);
    let root = hash.map(|hash| proof.chain_root(hash));
    let parts = parts(script, root).into_iter().map(|part| Field {
        section: Section::Coinbase,
        source: place.source,
        offset: offset + part.at,
        length: part.length,
        name: format!("· {}", part.name),
        value: part.value,
        meaning: part.meaning,
    });
    fields.splice(at..=at, parts);
}

struct ScriptPart {
    at: usize,
    length: usize,
    name: &'static str,
    value: String,
    meaning: String,
}

fn parts(script: &[u8], root: Option<Hash256>) -> Vec<ScriptPart> {
    let mut known = Vec::new();
    if let Some((height, length)) = height_push(script) {
        known.push(ScriptPart {
            at: 0,
            length,
            name: "height push",
            value: height.to_string(),
            meaning: "the parent block's height (BIP34)".into(),
        });
    }
    let magics = magics(script);
    for magic in &magics {
        known.push(ScriptPart {
            at: *magic,
            length: MAGIC.len(),
            name: "magic",
            value: hex::encode(MAGIC),
            meaning: "merged mining: the root follows".into(),
        });
    }
    let display = root.map(Hash256::to_display_bytes);
    let computed_at = display.and_then(|root| find(script, &root));
    let root_at = magics.first().map(|magic| magic + MAGIC.len()).or(computed_at);
    if let Some(at) = root_at {
        known.extend(commitment(script, at, display));
    }
    known.sort_by_key(|part| part.at);
    with_gaps(script, known)
}

/// Root, size and nonce from `at` on, as far as the script goes.
fn commitment(script: &[u8], at: usize, computed: Option<[u8; 32]>) -> Vec<ScriptPart> {
    let mut parts = Vec::new();
    let Some(root) = script.get(at..at + 32) else { return parts };
    let meaning = match computed {
        Some(computed) if computed == root => "where block and branch lead",
        Some(_) => "NOT where block and branch lead",
        None => "the committed root",
    };
    parts.push(ScriptPart {
        at,
        length: 32,
        name: "auxiliary root",
        value: hex::encode(root),
        meaning: meaning.into(),
    });
    let word = |at: usize| {
        let bytes = script.get(at..at + 4)?.try_into().ok()?;
        Some(u32::from_le_bytes(bytes))
    };
    for (at, name, meaning) in [
        (at + 32, "tree size", "slots in the auxiliary tree"),
        (at + 36, "tree nonce", "seed of the slot formula"),
    ] {
        if let Some(value) = word(at) {
            let (value, meaning) = (value.to_string(), meaning.into());
            parts.push(ScriptPart { at, length: 4, name, value, meaning });
        }
    }
    parts
}

/// The parts without overlaps, and what stands between them.
fn with_gaps(script: &[u8], known: Vec<ScriptPart>) -> Vec<ScriptPart> {
    let mut all: Vec<ScriptPart> = Vec::new();
    let mut at = 0;
    let fill = |all: &mut Vec<ScriptPart>, from: usize, to: usize| {
        let bytes = script.get(from..to).unwrap_or_default();
        let (name, meaning) = match bytes {
            [] => return,
            [count @ 1..=75] if to < script.len() => ("push", format!("the next {count} bytes")),
            _ => ("miner's bytes", readable(bytes)),
        };
        let value = hex::encode(bytes);
        all.push(ScriptPart { at: from, length: bytes.len(), name, value, meaning });
    };
    for part in known {
        if part.at < at {
            continue;
        }
        fill(&mut all, at, part.at);
        at = part.at + part.length;
        all.push(part);
    }
    fill(&mut all, at, script.len());
    all
}

/// The readable letters of the miner's bytes, if there are any worth reading.
fn readable(bytes: &[u8]) -> String {
    match miner_text(bytes) {
        Some(text) => format!("extranonce, tag: \"{text}\""),
        None => "extranonce or other".into(),
    }
}

/// The longest run of at least four letters, in any script: pools write their names in UTF-8. Only
/// what is safe to print counts as a letter.
pub(super) fn miner_text(script: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(script);
    let longest = text
        .split(|letter: char| {
            !letter.is_alphanumeric() && !letter.is_ascii_graphic() && letter != ' '
        })
        .map(str::trim)
        .max_by_key(|run| run.chars().count())
        .filter(|run| run.chars().count() >= 4)?;
    Some(longest.to_owned())
}

/// Every place where the magic stands.
pub(super) fn magics(script: &[u8]) -> Vec<usize> {
    let windows = script.windows(MAGIC.len()).enumerate();
    windows.filter(|(_, window)| *window == MAGIC).map(|(at, _)| at).collect()
}

pub(super) fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// The height that a coinbase script begins with (BIP34), and the length of its push. Old blocks
/// push other numbers there, so what no chain has reached is none.
pub(super) fn height_push(script: &[u8]) -> Option<(u64, usize)> {
    const HIGHEST: u64 = 100_000_000;
    let (&first, rest) = script.split_first()?;
    match first {
        0x51..=0x60 => Some((u64::from(first - 0x50), 1)),
        1..=5 => {
            let count = usize::from(first);
            let bytes = rest.get(..count)?;
            if bytes.last().is_none_or(|top| top & 0x80 != 0) {
                return None;
            }
            let height = bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
            (height < HIGHEST && height > 0).then_some((height, 1 + count))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coinbase::push_height;

    #[test]
    fn heights_read_back() {
        for height in [1, 16, 17, 127, 128, 432, 32_768, 3_215_800] {
            let script = [&push_height(height)[..], b"tag"].concat();
            let length = script.len() - 3;
            assert_eq!(height_push(&script), Some((height, length)), "height {height}");
        }
        assert_eq!(height_push(&[4, 0xff, 0xff, 0, 0x1d]), None, "bits of Bitcoin's old blocks");
        assert_eq!(height_push(&[]), None);
    }
}
