use std::{borrow::Cow, collections::VecDeque, sync::Arc};

use sl_chain::block::{Block, witness_commitment};
use sl_units::{Hash256, Mono};
use tracing::{debug, info};

use super::{Node, REMEMBERED};
use crate::{
    chain::{Entry, Placed},
    offer::has_segwit,
    template::add_witness,
    validate::{Mark, Refused, check_alone, check_in_chain},
};

/// What became of a submitted block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Submitted {
    /// It is the tip.
    Tip,
    /// It is valid and stands beside the best chain.
    Beside,
    /// It was known.
    Known(Known),
    /// It breaks a rule; the daemons' word for it.
    Refused(Cow<'static, str>),
}

/// How a node knows a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// Valid, with its body.
    Valid,
    /// Invalid.
    Invalid,
    /// Only the header, which is valid.
    Header,
}

impl Node {
    /// Takes a block, whichever call it came by.
    pub(crate) fn submit(&mut self, mut block: Block, now: Mono) -> Submitted {
        let hash = block.header.hash();
        match self.knows(&hash) {
            Some(Known::Header) | None => {}
            Some(known) => return Submitted::Known(known),
        }
        self.complete_witness(&mut block);
        match self.check(&block, true, now) {
            Ok(()) => self.place(hash, block, now),
            Err(refused) => self.refuse(hash, refused),
        }
    }

    /// What would become of a block if its work were done (BIP 23 proposals); `None` if all is
    /// well.
    pub(crate) fn propose(&mut self, mut block: Block, now: Mono) -> Option<Cow<'static, str>> {
        match self.knows(&block.header.hash()) {
            Some(Known::Valid) => return Some("duplicate".into()),
            Some(Known::Invalid) => return Some("duplicate-invalid".into()),
            Some(Known::Header) => return Some("duplicate-inconclusive".into()),
            None => {}
        }
        if block.header.prev != self.chain.tip() {
            return Some("inconclusive-not-best-prevblk".into());
        }
        self.complete_witness(&mut block);
        self.check(&block, false, now).err().map(|refused| refused.reason)
    }

    fn check(&mut self, block: &Block, with_work: bool, now: Mono) -> Result<(), Refused> {
        let pow = Arc::clone(&self.pow);
        check_alone(block, self.row, self.chain.pow_limit, with_work.then_some(&*pow))?;
        if self.invalid.contains(&block.header.prev) {
            return Err(Refused {
                reason: "bad-prevblk".into(),
                detail: None,
                mark: Mark::Nothing,
            });
        }
        let offer = self.offer(block.header.prev);
        check_in_chain(block, &self.chain, &offer, self.world.chain_time(now))
    }

    fn knows(&self, hash: &Hash256) -> Option<Known> {
        if self.chain.get(hash).is_some() {
            Some(Known::Valid)
        } else if self.invalid.contains(hash) {
            Some(Known::Invalid)
        } else {
            self.headers.contains(hash).then_some(Known::Header)
        }
    }

    /// A coinbase that commits to witnesses but has none itself is given one, as the daemons do
    /// (`UpdateUncommittedBlockStructures`).
    fn complete_witness(&self, block: &mut Block) {
        if let Some(coinbase) = block.txs.first_mut()
            && has_segwit(self.row)
            && witness_commitment(coinbase).is_some()
            && !coinbase.has_witness()
        {
            add_witness(coinbase);
        }
    }

    fn place(&mut self, hash: Hash256, block: Block, now: Mono) -> Submitted {
        let Some(prev) = self.chain.get(&block.header.prev) else {
            return Submitted::Refused("prev-blk-not-found".into());
        };
        let (height, ticker) = (prev.height.saturating_add(1), self.row.ticker);
        let work = block.header.bits.target().map(|target| target.work()).unwrap_or_default();
        let entry = Entry {
            header: block.header,
            height,
            work: prev.work.plus(work),
            median_time: self
                .chain
                .branch(block.header.prev)
                .map_or(block.header.time, |branch| branch.median_with(block.header.time)),
            hogex: block.txs.last().filter(|last| last.hogex).map_or(prev.hogex, |tx| tx.txid()),
            tx_count: block.txs.len(),
            body: Some(Arc::new(block)),
        };
        self.headers.retain(|header| *header != hash);
        match self.chain.insert(hash, entry) {
            Placed::Tip { left } => {
                self.status.blocks_accepted += 1;
                if left > 0 {
                    info!(%ticker, height, left, "reorganisation to a better tip");
                    self.status.reorgs += 1;
                    self.status.deepest_reorg = self.status.deepest_reorg.max(left as u64);
                }
                debug!(%ticker, height, %hash, "new tip");
                self.note_tip(now);
                Submitted::Tip
            }
            Placed::Side => {
                debug!(%ticker, height, %hash, "valid block beside the best chain");
                self.status.blocks_beside += 1;
                self.revision += 1;
                Submitted::Beside
            }
        }
    }

    pub(super) fn refuse(&mut self, hash: Hash256, refused: Refused) -> Submitted {
        let Refused { reason, detail, mark } = refused;
        info!(
            ticker = %self.row.ticker,
            %hash,
            %reason,
            detail = detail.as_deref().unwrap_or_default(),
            "block refused"
        );
        // Some words carry a value; the count is by the word alone.
        let word = reason.split('(').next().unwrap_or_default().trim_end();
        *self.status.blocks_rejected.entry(word.to_owned()).or_default() += 1;
        self.revision += 1;
        match mark {
            Mark::Nothing => {}
            Mark::Header => remember(&mut self.headers, hash),
            Mark::Invalid => {
                self.headers.retain(|header| *header != hash);
                remember(&mut self.invalid, hash);
            }
        }
        Submitted::Refused(reason)
    }
}

fn remember(list: &mut VecDeque<Hash256>, hash: Hash256) {
    if !list.contains(&hash) {
        list.push_back(hash);
        if list.len() > REMEMBERED {
            list.pop_front();
        }
    }
}
