//! The rules of a block, tried in the daemons' order and refused in their words.
//!
//! Sources: `testdata/litecoin/regtest-e2e/submitblock_results.json` (recorded), the sources named
//! in `testdata/coins/coins.toml` (read).

use std::borrow::Cow;

use sl_chain::{
    auxpow::{self, AuxRules},
    block::{Block, BlockFault},
    coinbase::{MAX_SCRIPT_LEN, push_height},
    coins::{CoinRow, History, Role, VersionLayout},
    sha256d,
};
use sl_units::{Hash256, Target};

use crate::{
    chain::{Chain, KEPT_BLOCKS},
    offer::{Offer, has_mweb, has_segwit},
    template::dev_fund,
};

/// How far a header's time may be ahead of the chains' clock, in chain seconds.
const MAX_AHEAD: u32 = 2 * 60 * 60;
/// Base version that every coin of the table demands at its start height (BIP 65).
const LEAST_VERSION: u32 = 4;

/// Computes the proof-of-work hash of a header.
pub(crate) type Pow = dyn Fn(&[u8; 80]) -> Hash256 + Send + Sync;

/// Why a block is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// The daemons' word for it.
    pub(crate) reason: Cow<'static, str>,
    /// More for the log, where the daemons' word says little.
    pub(crate) detail: Option<String>,
    /// What a node remembers of the block.
    pub(crate) mark: Mark,
}

/// What a node remembers of a refused block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Nothing: its header never came into the tree.
    Nothing,
    /// Its header: another body for it may be right.
    Header,
    /// That it is invalid for ever.
    Invalid,
}

fn refuse<T>(reason: &'static str, mark: Mark) -> Result<T, Refused> {
    Err(Refused { reason: Cow::Borrowed(reason), detail: None, mark })
}

fn fault(fault: BlockFault, mark: Mark) -> Refused {
    Refused { reason: Cow::Owned(fault.to_string()), detail: None, mark }
}

/// The rules that need no chain: proof of work (unless `proven` says that it need not be looked
/// at), merkle root, form of the transactions.
pub(crate) fn check_alone(
    block: &Block,
    row: &CoinRow,
    pow_limit: Target,
    pow: Option<&Pow>,
) -> Result<(), Refused> {
    if let Some(pow) = pow {
        check_work(block, row, pow_limit, pow).map_err(|detail| Refused {
            reason: "high-hash".into(),
            detail,
            mark: Mark::Nothing,
        })?;
    }
    block.check_structure(false).map_err(|wrong| fault(wrong, Mark::Nothing))?;
    for tx in &block.txs {
        if tx.inputs.is_empty() {
            return refuse("bad-txns-vin-empty", Mark::Nothing);
        }
        if tx.outputs.is_empty() {
            return refuse("bad-txns-vout-empty", Mark::Nothing);
        }
        let paid = tx.outputs.iter().try_fold(0u64, |sum, output| sum.checked_add(output.value));
        if paid.is_none_or(|paid| i64::try_from(paid).is_err()) {
            return refuse("bad-txns-txouttotal-toolarge", Mark::Nothing);
        }
    }
    let script = block.txs.first().and_then(|coinbase| coinbase.inputs.first());
    if !script.is_some_and(|input| (2..=MAX_SCRIPT_LEN).contains(&input.script.len())) {
        return refuse("bad-cb-length", Mark::Nothing);
    }
    Ok(())
}

/// `CheckProofOfWork` and `CheckAuxPowProofOfWork`: the daemons answer all of it by `high-hash`,
/// so the rule broken comes as the detail.
fn check_work(
    block: &Block,
    row: &CoinRow,
    pow_limit: Target,
    pow: &Pow,
) -> Result<(), Option<String>> {
    let header = &block.header;
    let target = match header.bits.target() {
        Ok(target) if target <= pow_limit => target,
        Ok(_) => return Err(Some(format!("bits {} are easier than the pow limit", header.bits))),
        Err(wrong) => return Err(Some(wrong.to_string())),
    };
    let Some(rules) = AuxRules::of(row) else {
        return if target.is_met_by(&pow(&header.to_bytes())) { Ok(()) } else { Err(None) };
    };
    match &block.auxpow {
        Some(proof) => {
            auxpow::verify(header, proof, &rules, pow).map_err(|refusal| Some(refusal.to_string()))
        }
        None => {
            let id = rules.layout.chain_id(header.version);
            if rules.strict
                && !is_legacy(header.version)
                && id.is_some_and(|id| id != rules.chain_id)
            {
                return Err(Some(format!(
                    "version {:08x} does not carry chain id {}",
                    header.version, rules.chain_id
                )));
            }
            if target.is_met_by(&pow(&header.to_bytes())) {
                Ok(())
            } else {
                Err(Some("no AuxPoW, and the block's own hash misses its target".into()))
            }
        }
    }
}

/// The rules that need the chain before the block. `now` is chain time.
pub(crate) fn check_in_chain(
    block: &Block,
    chain: &Chain,
    offer: &Offer,
    now: u32,
) -> Result<(), Refused> {
    let row = chain.row;
    check_header(block, chain, now)?;
    let height = chain.get(&block.header.prev).map_or(0, |prev| prev.height.saturating_add(1));
    let Some((coinbase, others)) = block.txs.split_first() else {
        return refuse("bad-cb-missing", Mark::Nothing);
    };
    let script = coinbase.inputs.first().map_or(&[][..], |input| &input.script);
    if !script.starts_with(&push_height(height)) {
        return refuse("bad-cb-height", Mark::Invalid);
    }
    block.check_structure(has_segwit(row)).map_err(|wrong| fault(wrong, Mark::Header))?;
    if has_mweb(row) {
        check_extension_block(block, offer)?;
    }
    let mut fees = 0;
    let mut seen: Vec<Hash256> = Vec::with_capacity(others.len());
    for tx in others.iter().filter(|tx| !tx.hogex) {
        let txid = tx.txid();
        let Some(known) = offer.txs.iter().find(|known| known.txid == txid) else {
            return refuse("bad-txns-inputs-missingorspent", Mark::Invalid);
        };
        if known.tx != *tx {
            return refuse(
                "mandatory-script-verify-flag-failed (Signature must be zero for failed CHECK(MULTI)SIG operation)",
                Mark::Invalid,
            );
        }
        if seen.contains(&txid) {
            return refuse("bad-txns-inputs-missingorspent", Mark::Invalid);
        }
        seen.push(txid);
        fees += known.fee;
    }
    let paid: u64 = coinbase.outputs.iter().map(|output| output.value).sum();
    let to_fund: u64 = match &dev_fund(row, height) {
        Some(fund) => {
            let theirs = coinbase.outputs.iter().filter(|output| output.script == fund.script);
            theirs.map(|output| output.value).sum()
        }
        None => 0,
    };
    // The miner may leave the fund's part out, but not take it.
    if paid > row.reward_at(height).units().saturating_add(fees)
        || paid - to_fund > row.miner_reward_at(height).units().saturating_add(fees)
    {
        return refuse("bad-cb-amount", Mark::Invalid);
    }
    Ok(())
}

/// `AcceptBlockHeader` and `ContextualCheckBlockHeader`.
fn check_header(block: &Block, chain: &Chain, now: u32) -> Result<(), Refused> {
    let header = &block.header;
    let Some(branch) = chain.branch(header.prev) else {
        return refuse("prev-blk-not-found", Mark::Nothing);
    };
    if header.bits != branch.next_bits() {
        return refuse("bad-diffbits", Mark::Nothing);
    }
    if branch.fork_height() + KEPT_BLOCKS <= chain.tip_entry().height {
        return refuse("bad-fork-prior-to-checkpoint", Mark::Nothing);
    }
    if branch.median_time_past(branch.height()).is_some_and(|median| header.time <= median) {
        return refuse("time-too-old", Mark::Nothing);
    }
    if header.time > now.saturating_add(MAX_AHEAD) {
        return refuse("time-too-new", Mark::Nothing);
    }
    let row = chain.row;
    if row.role == Role::Auxiliary && is_legacy(header.version) {
        return refuse("late-legacy-block", Mark::Nothing);
    }
    let base = match row.version_layout {
        VersionLayout::Plain => header.version,
        // BIP 9 versions stand above any base version.
        VersionLayout::FiveBit if header.version >> 29 == 1 => LEAST_VERSION,
        VersionLayout::FiveBit | VersionLayout::Dogecoin => header.version & 0xff,
    };
    // Versions are signed.
    if base.cast_signed() < LEAST_VERSION.cast_signed() {
        let reason = Cow::Owned(format!("bad-version(0x{base:08x})"));
        return Err(Refused { reason, detail: None, mark: Mark::Nothing });
    }
    Ok(())
}

/// `MWEB::Node::ContextualCheckBlock` as far as opaque bytes allow: HogEx and extension block must
/// be those offered.
fn check_extension_block(block: &Block, offer: &Offer) -> Result<(), Refused> {
    let Some(mweb) = &block.mweb else { return refuse("mweb-missing", Mark::Header) };
    let Some((last, before)) = block.txs.split_last() else {
        return refuse("hogex-missing", Mark::Header);
    };
    if before.iter().any(|tx| tx.hogex) {
        return refuse("bad-hogex-position", Mark::Header);
    }
    let (Some(hogex), Some(offered)) = (&offer.hogex, &offer.mweb) else { return Ok(()) };
    // The address of the extension block: version 8, then the hash of what it commits to.
    let script = last.outputs.first().map_or(&[][..], |output| &output.script);
    let Some(committed) = script.strip_prefix(&[0x58, 0x20]).filter(|hash| hash.len() == 32) else {
        return refuse("bad-hogex", Mark::Invalid);
    };
    if committed != sha256d(mweb).as_bytes() {
        return refuse("mweb-hash-mismatch", Mark::Header);
    }
    if mweb != offered {
        return refuse("bad-blk-mweb", Mark::Header);
    }
    let spends = |tx: &sl_chain::Transaction| {
        tx.inputs.iter().map(|input| (input.prev_id, input.prev_index)).collect::<Vec<_>>()
    };
    if spends(last).first() != spends(hogex).first() {
        return refuse("invalid-hogex-input", Mark::Invalid);
    }
    if spends(last) != spends(hogex) {
        return refuse("extra-hogex-input", Mark::Invalid);
    }
    if last != hogex {
        return refuse("mweb-amount-mismatch", Mark::Header);
    }
    Ok(())
}

/// Versions from before AuxPoW, which carry no chain id (`CPureBlockHeader::IsLegacy`).
const fn is_legacy(version: u32) -> bool {
    version == 1 || version == 2
}
