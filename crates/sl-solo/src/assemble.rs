//! Bytes: from templates to what a job needs, and from a share to the blocks it wins. Pure.

use std::sync::Arc;

use bytes::Bytes;
use sl_chain::{
    Header, Transaction, TxOut,
    auxpow::{
        AuxPow, AuxRules, AuxTree, ChainIdLayout, Commitment, PlanError, Refusal, verify_committed,
    },
    block::{Block, BlockFault},
    codec::{DecodeError, put_compact_size},
    coinbase::{CoinbaseParts, CoinbasePlan, ScriptLength, with_witness},
    coins::{CoinRow, Ticker},
    merkle,
};
use sl_noderpc::{AuxCall, AuxTemplate, BlockTemplate};
use sl_units::{Hash256, Mono, Target};
use sl_work::{CoinbaseTemplate, Goal, HeaderTemplate, Job, JobId, NtimeRange, Proven};
use thiserror::Error;

use crate::value::{Stake, weights};

/// Bytes of the extranonce that tell leases apart.
pub const LEASE_PREFIX: usize = 2;
/// Version bits that may be rolled where nothing is merge-mined (BIP 320).
pub const ROLL_ALONE: u32 = 0x1fff_e000;
/// Version bits that may be rolled on merged work: auxiliary nodes read bits 16 and up as a chain id.
pub const ROLL_MERGED: u32 = 0x0000_e000;
/// How far a header time may run ahead of the node's, in seconds; nodes refuse from 7200 on.
const TIME_AHEAD: u32 = 7000;

/// A parent's template with what every job on it shares.
#[derive(Debug)]
pub struct ParentWork {
    template: BlockTemplate,
    branch: Vec<Hash256>,
    bytes: usize,
}

impl ParentWork {
    /// A template, its merkle branch computed once.
    #[must_use]
    pub fn new(template: BlockTemplate) -> Self {
        // The ids are the template's: a HogEx has one that cannot be computed as others are.
        let leaves: Vec<Hash256> = std::iter::once(Hash256::ZERO)
            .chain(template.transactions.iter().map(|tx| tx.txid))
            .collect();
        let branch = merkle::branch(&leaves, 0);
        let bytes = template.transactions.iter().map(|tx| tx.data.len() + 128).sum::<usize>()
            + template.mweb.as_ref().map_or(0, Bytes::len);
        Self { template, branch, bytes }
    }

    /// The node's template.
    #[must_use]
    pub const fn template(&self) -> &BlockTemplate {
        &self.template
    }

    /// Memory that its transactions take, about.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether a job on `other` would be no better: the same block but for some seconds.
    #[must_use]
    pub fn is_as_good_as(&self, other: &Self) -> bool {
        let (own, new) = (&self.template, &other.template);
        own.prev == new.prev
            && self.branch == other.branch
            && own.transactions.len() == new.transactions.len()
            && own.coinbase_value == new.coinbase_value
            && (own.version, own.bits) == (new.version, new.bits)
            && new.current_time.abs_diff(own.current_time) < 5
    }
}

/// An auxiliary block to be won.
#[derive(Clone, Debug)]
pub struct AuxWork {
    /// Its chain.
    pub row: &'static CoinRow,
    /// What the node gave.
    pub template: AuxTemplate,
    /// How the proof is handed in.
    pub call: AuxCall,
}

/// What the coinbase says beside what the chains demand.
#[derive(Clone, Debug)]
pub struct Payout {
    /// Script of the output that takes the parent's reward.
    pub script: Vec<u8>,
    /// A text that names the miner.
    pub tag: Vec<u8>,
    /// Free bytes of the widest lease.
    pub free: usize,
    /// Version bits that miners may roll.
    pub roll_mask: u32,
}

/// Everything about a job but the lease it goes to.
#[derive(Debug)]
pub struct Blueprint {
    parent_row: &'static CoinRow,
    parent: Arc<ParentWork>,
    auxiliaries: Vec<Placed>,
    coinbase: CoinbaseParts,
    free: usize,
    header: HeaderTemplate,
    wanted: Target,
    goals: Vec<Goal>,
}

/// An auxiliary block in its slot.
#[derive(Debug)]
struct Placed {
    work: AuxWork,
    slot: u32,
    branch: Vec<Hash256>,
}

/// Why templates make no job.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AssembleError {
    /// The coinbase is too long.
    #[error(transparent)]
    Coinbase(#[from] ScriptLength),
    /// The auxiliary chains share no tree.
    #[error(transparent)]
    Tree(#[from] PlanError),
}

/// Why a share's block is not handed in: what a node would refuse, found here.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unsolved {
    /// The bytes are no block.
    #[error("the assembled block does not decode: {0}")]
    Decode(#[from] DecodeError),
    /// The block breaks a rule of its own.
    #[error("the assembled block is refused by our own check: {0}")]
    Structure(#[from] BlockFault),
    /// The proof breaks a rule.
    #[error("the assembled proof is refused by our own check: {0}")]
    Proof(#[from] Refusal),
    /// The share's job has no such goal.
    #[error("the job does not mine {0}")]
    NotMined(Ticker),
    /// The hash misses the chain's target.
    #[error("hash {hash} is above the target {target}")]
    HighHash {
        /// The share's hash.
        hash: Hash256,
        /// What it had to meet.
        target: Target,
    },
}

impl Blueprint {
    /// A blueprint for a parent's block that commits to the auxiliary blocks, if there are any.
    ///
    /// # Errors
    /// A coinbase that is too long, or chain ids that collide in every tree.
    pub fn assemble(
        parent_row: &'static CoinRow,
        parent: Arc<ParentWork>,
        auxiliaries: Vec<AuxWork>,
        payout: &Payout,
    ) -> Result<Self, AssembleError> {
        let template = parent.template();
        let leaves: Vec<(u32, Hash256)> =
            auxiliaries.iter().map(|work| (work.template.chain_id, work.template.hash)).collect();
        let tree = if leaves.is_empty() { None } else { Some(AuxTree::build(&leaves)?) };
        let mut outputs =
            vec![TxOut { value: template.coinbase_value.units(), script: payout.script.clone() }];
        outputs.extend(
            template
                .witness_commitment
                .as_ref()
                .map(|script| TxOut { value: 0, script: script.clone() }),
        );
        let coinbase = CoinbasePlan {
            height: template.height,
            commitment: tree.as_ref().map(AuxTree::commitment).map(|it| Commitment::to_bytes(&it)),
            extranonce_len: LEASE_PREFIX + payout.free,
            tag: &payout.tag,
            outputs: &outputs,
        }
        .build()?;
        let goals = goals(parent_row, template, &auxiliaries);
        let wanted =
            goals.iter().fold(template.target, |easiest, goal| easiest.easier(goal.target));
        let header = HeaderTemplate {
            version: template.version,
            roll_mask: payout.roll_mask,
            prev: template.prev,
            bits: template.bits,
            ntime: NtimeRange {
                earliest: template.min_time,
                start: template.current_time.max(template.min_time),
                latest: template.current_time.max(template.min_time).saturating_add(TIME_AHEAD),
            },
        };
        let auxiliaries = auxiliaries
            .into_iter()
            .map(|work| {
                let (slot, branch) = tree
                    .as_ref()
                    .map(|tree| tree.branch(work.template.chain_id))
                    .unwrap_or_default();
                Placed { work, slot, branch }
            })
            .collect();
        let free = payout.free;
        Ok(Self { parent_row, parent, auxiliaries, coinbase, free, header, wanted, goals })
    }

    /// The job of one lease: the extranonce is its prefix, zeros up to its width, its free bytes.
    #[must_use]
    pub fn job(&self, id: JobId, epoch: u64, born: Mono, lease: u16, free: usize) -> Job {
        let free = free.min(self.free);
        let mut prefix = Vec::with_capacity(self.coinbase.prefix.len() + LEASE_PREFIX + self.free);
        prefix.extend_from_slice(&self.coinbase.prefix);
        prefix.extend_from_slice(&lease.to_be_bytes());
        prefix.resize(prefix.len() + self.free - free, 0);
        Job {
            id,
            epoch,
            born,
            header: self.header.clone(),
            coinbase: CoinbaseTemplate {
                prefix: prefix.into(),
                free,
                suffix: self.coinbase.suffix.clone(),
            },
            branch: self.parent.branch.clone(),
            wanted: self.wanted,
            goals: self.goals.clone(),
        }
    }

    /// The chains that a share may win, the parent first.
    #[must_use]
    pub fn goals(&self) -> &[Goal] {
        &self.goals
    }

    /// The parent's template.
    #[must_use]
    pub const fn parent(&self) -> &Arc<ParentWork> {
        &self.parent
    }

    /// The auxiliary block of a chain.
    #[must_use]
    pub fn auxiliary(&self, chain: Ticker) -> Option<&AuxWork> {
        self.placed(chain).map(|placed| &placed.work)
    }

    /// Whether a share misses the parent's own target.
    #[must_use]
    pub fn misses_parent(&self, share: &Proven) -> bool {
        !self.parent.template.target.is_met_by(&share.hash())
    }

    /// The parent's block that a share wins, checked as a node would.
    ///
    /// # Errors
    /// What a node would refuse it for.
    pub fn solve_parent(&self, share: &Proven) -> Result<Vec<u8>, Unsolved> {
        let template = self.parent.template();
        if self.misses_parent(share) {
            return Err(Unsolved::HighHash { hash: share.hash(), target: template.target });
        }
        let plain = share.job().coinbase_bytes(share.extranonce());
        let segwit = template.witness_commitment.is_some();
        let coinbase = if segwit { with_witness(&plain)? } else { plain };
        let mut block = Vec::with_capacity(self.parent.bytes + coinbase.len() + 100);
        block.extend_from_slice(share.header());
        put_compact_size(&mut block, template.transactions.len() as u64 + 1);
        block.extend_from_slice(&coinbase);
        for tx in &template.transactions {
            block.extend_from_slice(&tx.data);
        }
        if let Some(mweb) = &template.mweb {
            block.push(1);
            block.extend_from_slice(mweb);
        }
        Block::decode(&block, false)?.check_structure(true)?;
        Ok(block)
    }

    /// The proof for an auxiliary block that a share wins, checked as a node would.
    ///
    /// # Errors
    /// What a node would refuse it for, by rule and byte.
    pub fn solve_aux(&self, share: &Proven, chain: Ticker) -> Result<Vec<u8>, Unsolved> {
        let placed = self.placed(chain).ok_or(Unsolved::NotMined(chain))?;
        let job = share.job();
        let parent = Header::from_bytes(share.header());
        let proof = AuxPow {
            coinbase: Transaction::decode(&job.coinbase_bytes(share.extranonce()))?,
            hash_field: parent.hash(),
            coinbase_branch: job.branch.clone(),
            coinbase_index: 0,
            chain_branch: placed.branch.clone(),
            chain_index: placed.slot,
            parent,
        };
        let AuxTemplate { hash, bits, chain_id, .. } = placed.work.template;
        let rules = rules(placed.work.row, chain_id);
        // The share's hash is proved: nothing is hashed twice.
        verify_committed(hash, bits, &proof, &rules, |_| share.hash())?;
        Ok(proof.encode())
    }

    fn placed(&self, chain: Ticker) -> Option<&Placed> {
        self.auxiliaries.iter().find(|placed| placed.work.row.ticker == chain)
    }

    /// The chain whose headers are hashed.
    #[must_use]
    pub const fn parent_chain(&self) -> Ticker {
        self.parent_row.ticker
    }
}

/// What an auxiliary chain's nodes demand, by its row and the id that its node gave.
#[must_use]
pub fn rules(row: &CoinRow, chain_id: u32) -> AuxRules {
    let of_row = AuxRules::of(row).unwrap_or(AuxRules {
        chain_id,
        layout: ChainIdLayout::Upper16,
        strict: row.strict_chain_id,
        magic_required: row.magic_required,
    });
    // What the node says wins over the table: a chain may change its id.
    AuxRules { chain_id, ..of_row }
}

fn goals(parent_row: &'static CoinRow, parent: &BlockTemplate, aux: &[AuxWork]) -> Vec<Goal> {
    let parent_stake =
        Stake { row: parent_row, reward: parent.coinbase_value, target: parent.target };
    let stakes: Vec<Stake> = std::iter::once(parent_stake)
        .chain(aux.iter().map(|work| Stake {
            row: work.row,
            reward: work.template.coinbase_value,
            target: work.template.target,
        }))
        .collect();
    let places = std::iter::once((parent.height, parent.prev))
        .chain(aux.iter().map(|work| (work.template.height, work.template.prev)));
    stakes
        .iter()
        .zip(places)
        .zip(weights(&stakes))
        .map(|((stake, (height, tip)), weight)| Goal {
            chain: stake.row.ticker,
            height,
            tip,
            target: stake.target,
            reward: stake.reward,
            weight,
        })
        .collect()
}
