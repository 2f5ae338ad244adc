//! Whether one byte alone explains a broken rule: what hashes commit to, one byte can be tried out.

use serde::Serialize;
use sl_units::Hash256;

use super::{
    Source, Spot,
    given::{Place, Read},
    script::{find, magics},
};
use crate::{
    Header,
    auxpow::{AuxPow, MAGIC, Rule},
    merkle, sha256d,
};

/// Longest text that is tried byte by byte, times the hashes of one trial: some hundred thousand
/// trials of 255 values, well below a second.
const MOST_WORK: usize = 4_000;

/// One byte that was changed: with another value the rule holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Repair {
    /// The byte.
    pub spot: Spot,
    /// What stands there.
    pub found: u8,
    /// What makes the rule hold.
    pub wanted: u8,
}

/// Looks for the one byte that breaks a rule.
pub(super) fn of(rule: Rule, read: &Read, hash: Option<Hash256>) -> Option<Repair> {
    let (proof, place) = read.proof.as_ref()?;
    match rule {
        Rule::CoinbaseInParent => coinbase(proof, *place),
        Rule::RootInCoinbase => root(proof, *place, read.header.as_ref(), hash?),
        Rule::ProofOfWork => parent(proof, *place),
        _ => None,
    }
}

fn coinbase(proof: &AuxPow, place: Place) -> Option<Repair> {
    let layout = proof.layout();
    let wanted = proof.parent.merkle_root;
    let folded = merkle::fold(proof.coinbase.txid(), &proof.coinbase_branch, 0);
    let in_root = || difference(&wanted, &folded).map(|(at, byte)| (layout.parent + 36 + at, byte));
    let plain = proof.coinbase.encode_stripped();
    // In the extended form the plain bytes stand elsewhere.
    let is_plain = plain.len() == layout.hash_field;
    let in_coinbase = || {
        let cost = 2 + plain.len() / 64 + proof.coinbase_branch.len();
        let leads =
            |bytes: &[u8]| merkle::fold(sha256d(bytes), &proof.coinbase_branch, 0) == wanted;
        is_plain.then(|| trial(&plain, cost, leads)).flatten()
    };
    let in_branch = || {
        let leads = |branch: &[Hash256]| merkle::fold(proof.coinbase.txid(), branch, 0) == wanted;
        trial_branch(&proof.coinbase_branch, leads)
            .map(|(at, byte)| (layout.coinbase_branch + at, byte))
    };
    let found = in_root().or_else(in_coinbase).or_else(in_branch)?;
    told(proof, place, found)
}

fn root(
    proof: &AuxPow,
    place: Place,
    header: Option<&(Header, Place)>,
    hash: Hash256,
) -> Option<Repair> {
    let layout = proof.layout();
    let script = proof.coinbase.inputs.first()?.script.as_slice();
    let computed = proof.chain_root(hash);
    let at = magics(script).first().map(|at| at + MAGIC.len())?;
    let committed: [u8; 32] = script.get(at..at + 32)?.try_into().ok()?;
    let committed = Hash256::from_display_bytes(committed);
    // A root that stands elsewhere is whole; nothing is to be repaired in it.
    if find(script, &computed.to_display_bytes()).is_some() {
        return None;
    }
    if let Some((byte, value)) = difference(&committed, &computed) {
        return told(proof, place, (layout.script + at + 31 - byte, value));
    }
    let branch = &proof.chain_branch;
    let index = proof.chain_index;
    if let Some((header, at_header)) = header {
        let raw = header.to_bytes();
        let leads = |bytes: &[u8]| merkle::fold(sha256d(bytes), branch, index) == committed;
        if let Some((at, wanted)) = trial(&raw, 2 + branch.len(), leads) {
            let found = raw.get(at).copied()?;
            return Some(Repair { spot: spot(*at_header, at), found, wanted });
        }
    }
    let in_index = || {
        let leads = |bytes: &[u8]| {
            let index = bytes.try_into().map_or(0, u32::from_le_bytes);
            merkle::fold(hash, branch, index) == committed
        };
        trial(&index.to_le_bytes(), 1 + branch.len(), leads)
            .map(|(at, byte)| (layout.chain_index + at, byte))
    };
    let in_branch = || {
        let leads = |branch: &[Hash256]| merkle::fold(hash, branch, index) == committed;
        trial_branch(branch, leads).map(|(at, byte)| (layout.chain_branch + at, byte))
    };
    told(proof, place, in_index().or_else(in_branch)?)
}

/// Some pools write the parent's hash into the field that no node reads; it tells what the parent
/// header was.
fn parent(proof: &AuxPow, place: Place) -> Option<Repair> {
    let raw = proof.parent.to_bytes();
    let (at, byte) = trial(&raw, 2, |bytes| sha256d(bytes) == proof.hash_field)?;
    told(proof, place, (proof.layout().parent + at, byte))
}

/// A byte of the serialised proof, and what it should be.
fn told(proof: &AuxPow, place: Place, (at, wanted): (usize, u8)) -> Option<Repair> {
    let found = proof.encode().get(at).copied()?;
    Some(Repair { spot: spot(place, at), found, wanted })
}

fn spot(place: Place, at: usize) -> Spot {
    let Place { source, offset } = place;
    let source: Source = source;
    Spot { source, offset: offset + at, length: 1, what: "the one byte".into() }
}

/// The only byte, in internal order, in which `found` differs from `wanted`, and its value there.
fn difference(found: &Hash256, wanted: &Hash256) -> Option<(usize, u8)> {
    let both = found.as_bytes().iter().zip(wanted.as_bytes()).enumerate();
    let mut differing = both.filter(|(_, (found, wanted))| found != wanted);
    let (at, (_, wanted)) = differing.next()?;
    differing.next().is_none().then_some((at, *wanted))
}

/// The first byte that, with another value, makes the bytes acceptable.
fn trial(bytes: &[u8], cost: usize, accepts: impl Fn(&[u8]) -> bool) -> Option<(usize, u8)> {
    if bytes.len().saturating_mul(cost) > MOST_WORK {
        return None;
    }
    let mut changed = bytes.to_vec();
    for (at, original) in bytes.iter().enumerate() {
        for value in 0..=u8::MAX {
            *changed.get_mut(at)? = value;
            if value != *original && accepts(&changed) {
                return Some((at, value));
            }
        }
        *changed.get_mut(at)? = *original;
    }
    None
}

fn trial_branch(branch: &[Hash256], leads: impl Fn(&[Hash256]) -> bool) -> Option<(usize, u8)> {
    let bytes: Vec<u8> = branch.iter().flat_map(|hash| *hash.as_bytes()).collect();
    trial(&bytes, branch.len(), |bytes| {
        let hashes = bytes.as_chunks::<32>().0.iter().map(|hash| Hash256::from_bytes(*hash));
        leads(&hashes.collect::<Vec<_>>())
    })
}
