use crate::{
    Header,
    auxpow::{AuxPow, Layout, Part, Refusal, Rule},
    explain::{Spot, given::Place},
};

/// Where the parts of a proof and its header stand in the inputs.
pub(super) struct Spots {
    layout: Layout,
    script_length: usize,
    coinbase_hashes: usize,
    chain_hashes: usize,
    proof: Place,
    header: Option<Place>,
}

impl Spots {
    pub(super) fn of(proof: &AuxPow, place: Place, header: Option<Place>) -> Self {
        Self {
            layout: proof.layout(),
            script_length: proof.committing_script().map_or(0, <[u8]>::len),
            coinbase_hashes: proof.coinbase_branch.len() * 32,
            chain_hashes: proof.chain_branch.len() * 32,
            proof: place,
            header,
        }
    }

    /// The offending bytes of a refusal.
    pub(super) fn of_refusal(&self, refusal: &Refusal) -> Spot {
        let script_left = (self.layout.script + self.script_length).saturating_sub(refusal.offset);
        let (length, what) = match refusal.rule {
            Rule::OwnChainId => (4, "version"),
            Rule::AuxPowFlag => (1, "version's second byte"),
            Rule::CoinbaseIndex => (4, "coinbase index"),
            Rule::ParentChainId => (4, "parent's version"),
            Rule::TreeHeight => (self.chain_hashes, "chain branch"),
            Rule::CoinbaseInParent => (32, "parent's merkle root"),
            Rule::CoinbaseInput => (0, "input count"),
            Rule::RootInCoinbase
            | Rule::MagicBeforeRoot
            | Rule::MagicPresent
            | Rule::RootAmongFirst20 => (script_left.min(32), "root in the coinbase script"),
            Rule::OneMagic => (4, "second magic"),
            Rule::SizeAndNonce => (script_left.min(8), "end of the coinbase script"),
            Rule::TreeSize => (4, "tree size"),
            Rule::Slot => (4, "chain index"),
            Rule::Bits => (4, "bits"),
            // Of another proof with the same work, so the offset is not the refusal's.
            Rule::ProofOfWork => return self.in_proof(self.layout.parent, 80, "parent header"),
        };
        match refusal.part {
            Part::Header => self.in_header(refusal.offset, length, what),
            Part::Proof => self.in_proof(refusal.offset, length, what),
        }
    }

    /// Where the change can be that breaks a rule. A parent header that has its work is as it was
    /// hashed, so nothing in it is suspect.
    pub(super) fn suspects(&self, rule: Rule, work_holds: bool, by_header: bool) -> Vec<Spot> {
        let layout = &self.layout;
        let chain_branch = || {
            [
                self.in_proof(layout.chain_branch, self.chain_hashes, "chain branch"),
                self.in_proof(layout.chain_index, 4, "chain index"),
            ]
        };
        let script = || self.in_proof(layout.script, self.script_length, "coinbase script");
        match rule {
            Rule::OwnChainId | Rule::AuxPowFlag => vec![self.in_header(0, 4, "version")],
            Rule::CoinbaseIndex => vec![self.in_proof(layout.coinbase_index, 4, "coinbase index")],
            Rule::ParentChainId => vec![self.in_proof(layout.parent, 4, "parent's version")],
            Rule::TreeHeight => chain_branch().into(),
            Rule::CoinbaseInParent => {
                let mut spots = vec![
                    self.in_proof(0, layout.hash_field, "parent coinbase"),
                    self.in_proof(layout.coinbase_branch, self.coinbase_hashes, "coinbase branch"),
                    self.in_proof(layout.coinbase_index, 4, "coinbase index"),
                ];
                if !work_holds {
                    spots.push(self.in_proof(layout.parent + 36, 32, "parent's merkle root"));
                }
                spots
            }
            Rule::RootInCoinbase => {
                let mut spots = Vec::new();
                if by_header {
                    spots.push(self.in_header(0, Header::LEN, "block header"));
                }
                spots.extend(chain_branch());
                spots.push(script());
                spots
            }
            Rule::Slot => {
                let index = self.in_proof(layout.chain_index, 4, "chain index");
                vec![index, script()]
            }
            Rule::CoinbaseInput
            | Rule::OneMagic
            | Rule::MagicBeforeRoot
            | Rule::MagicPresent
            | Rule::RootAmongFirst20
            | Rule::SizeAndNonce
            | Rule::TreeSize => vec![script()],
            Rule::Bits => vec![self.in_header(72, 4, "bits")],
            Rule::ProofOfWork => vec![
                self.in_proof(layout.parent, Header::LEN, "parent header"),
                self.in_header(72, 4, "bits"),
            ],
        }
    }

    fn in_proof(&self, offset: usize, length: usize, what: &str) -> Spot {
        let Place { source, offset: base } = self.proof;
        Spot { source, offset: base + offset, length, what: what.into() }
    }

    /// A spot of the header; of no length where there is none, but only its hash and bits.
    fn in_header(&self, offset: usize, length: usize, what: &str) -> Spot {
        match self.header {
            Some(Place { source, offset: base }) => {
                Spot { source, offset: base + offset, length, what: what.into() }
            }
            None => Spot {
                source: self.proof.source,
                offset: 0,
                length: 0,
                what: format!("{what}, given apart"),
            },
        }
    }
}
