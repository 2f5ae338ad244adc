//! Every rule's verdict from the one judge: it names the first broken rule, that one is mended in a
//! copy, and it is asked again.
//!
//! ```text
//! judge ──ok──────────────▶ the rest holds
//!   ▲  └──refusal─▶ rules before it hold, it is broken ─┬─ mended ──┐
//!   │                                                   └─ no cure ─┼▶ the rest is not reached
//!   └───────────────────────────────────────────────────────────────┘
//! ```
mod hints;
mod spots;

use sl_units::{Bits, Hash256, Target};

use super::{
    Broken, Options, RuleVerdict, Spot, State, Verdict,
    chain::Identity,
    given::{Place, Read},
    script::{find, magics},
};
use crate::{
    Header, Transaction, TxIn,
    auxpow::{AuxPow, AuxRules, Commitment, MAGIC, Refusal, Rule, verify, verify_committed},
    block::Block,
    merkle,
};
use spots::Spots;

const NO_PROOF: &str = "the block has no AuxPoW: it proves itself by its own hash";

/// How much of the header is still judged.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    Whole,
    FlagOnly,
    Passed,
}

/// What the judge is asked about; mended from round to round.
struct Case {
    header: Option<Header>,
    version: Version,
    hash: Hash256,
    bits: Bits,
    proof: AuxPow,
    rules: AuxRules,
    work: Hash256,
}

/// What was not given, so that a refusal by it says nothing.
struct Lacks {
    hash: bool,
    bits: bool,
    id: bool,
}

pub(super) fn judge(
    read: &Read,
    identity: &Identity,
    options: &Options,
    hash: Option<Hash256>,
    bits: Option<Bits>,
    work: Hash256,
) -> (Vec<RuleVerdict>, Verdict) {
    let header = read.header.as_ref().map(|(header, _)| *header);
    let mut missing = Vec::new();
    let mut verdicts = match (&read.proof, header) {
        (Some((proof, place)), _) => {
            let lacks = Lacks {
                hash: hash.is_none(),
                bits: bits.is_none(),
                id: identity.facts.chain_id.is_none(),
            };
            for (lack, what) in [
                (lacks.hash, "the block's header or its hash"),
                (lacks.bits, "its compact target (bits)"),
                (lacks.id, "the coin"),
            ] {
                if lack {
                    missing.push(what);
                }
            }
            let case = Case {
                header,
                version: Version::Whole,
                hash: hash.unwrap_or_default(),
                bits: bits.unwrap_or_else(|| Target::from_u256(ethnum::U256::MAX).to_bits()),
                proof: proof.clone(),
                rules: identity.rules,
                work,
            };
            let spots = Spots::of(proof, *place, read.header.as_ref().map(|(_, place)| *place));
            of_proof(case, &lacks, &spots, identity, options)
        }
        (None, Some(header)) if header.has_auxpow() => {
            missing.push("the proof");
            not_asked("the proof is not given")
        }
        _ => not_asked(NO_PROOF),
    };
    if let (None, Some((header, place))) = (&read.proof, &read.header)
        && !header.has_auxpow()
    {
        verdicts.push(own_work(header, *place, work));
    }
    let proof_holds = !verdicts.iter().any(|verdict| matches!(verdict.state, State::Broken(_)));
    verdicts.extend(transactions(read, proof_holds));
    let first = verdicts.iter().find(|verdict| matches!(verdict.state, State::Broken(_)));
    let verdict = match first {
        Some(broken) => Verdict::Refused { rule: broken.name },
        None if missing.is_empty() => Verdict::Valid,
        None => Verdict::Incomplete { missing: missing.join(", ") },
    };
    (verdicts, verdict)
}

fn not_asked(why: &str) -> Vec<RuleVerdict> {
    Rule::ALL.iter().map(|rule| told(*rule, State::NotAsked { why: why.into() })).collect()
}

fn told(rule: Rule, state: State) -> RuleVerdict {
    RuleVerdict { name: rule.name(), wording: rule.wording(), state }
}

fn of_proof(
    mut case: Case,
    lacks: &Lacks,
    spots: &Spots,
    identity: &Identity,
    options: &Options,
) -> Vec<RuleVerdict> {
    let original = case.proof.clone();
    let mut states: Vec<Option<State>> = vec![None; Rule::ALL.len()];
    let work_holds =
        !lacks.bits && case.bits.target().is_ok_and(|target| target.is_met_by(&case.work));
    let broken = |refusal: Refusal, case: &Case| {
        State::Broken(Broken {
            hint: hints::of(&refusal, &original, case, identity, work_holds),
            spot: spots.of_refusal(&refusal),
            suspects: spots.suspects(refusal.rule, work_holds, case.header.is_some()),
            found: refusal.found,
            wanted: refusal.wanted,
            repair: None,
        })
    };
    loop {
        let Err(refusal) = case.judge() else {
            settle(&mut states, Rule::ALL.len(), &State::Held);
            break;
        };
        let rule = refusal.rule;
        settle(&mut states, rule as usize, &State::Held);
        let Some(state) = states.get_mut(rule as usize).filter(|state| state.is_none()) else {
            break;
        };
        *state = Some(match unjudged(rule, lacks) {
            Some(why) => State::NotAsked { why: why.into() },
            None => broken(refusal, &case),
        });
        if !case.mend(rule) {
            break;
        }
    }
    // Where the judge could not go on, the work is still judged, on a proof that is right otherwise.
    if states.get(Rule::Bits as usize).is_some_and(Option::is_none) {
        let of_work = match case.judge_work() {
            Ok(()) => [State::Held, State::Held],
            Err(refusal) if refusal.rule == Rule::Bits => {
                [broken(refusal, &case), State::NotReached]
            }
            Err(refusal) => [State::Held, broken(refusal, &case)],
        };
        states.splice(Rule::Bits as usize.., of_work.map(Some));
    }
    settle(&mut states, Rule::ALL.len(), &State::NotReached);
    let has_magic = original.committing_script().is_some_and(|script| !magics(script).is_empty());
    let states = states.into_iter().flatten();
    Rule::ALL
        .iter()
        .zip(states)
        .map(|(rule, state)| {
            let why = match state {
                State::Held => vacuous(*rule, lacks, identity, options, has_magic, case.header),
                _ => None,
            };
            told(*rule, why.map_or(state, |why| State::NotAsked { why: why.into() }))
        })
        .collect()
}

fn settle(states: &mut [Option<State>], before: usize, as_state: &State) {
    for state in states.iter_mut().take(before) {
        state.get_or_insert_with(|| as_state.clone());
    }
}

/// Why a refusal by this rule says nothing.
const fn unjudged(rule: Rule, lacks: &Lacks) -> Option<&'static str> {
    match rule {
        Rule::RootInCoinbase if lacks.hash => {
            Some("neither the block's header nor its hash is given")
        }
        Rule::Slot if lacks.id => Some("the chain id is not known: name the coin"),
        _ => None,
    }
}

/// Why a rule that holds says nothing.
fn vacuous(
    rule: Rule,
    lacks: &Lacks,
    identity: &Identity,
    options: &Options,
    has_magic: bool,
    header: Option<Header>,
) -> Option<&'static str> {
    match rule {
        Rule::OwnChainId | Rule::AuxPowFlag if header.is_none() => {
            Some("the block's header is not given")
        }
        Rule::ParentChainId if lacks.id => Some("the chain id is not known: name the coin"),
        Rule::OwnChainId | Rule::ParentChainId if !identity.rules.strict => {
            Some(if options.testnet {
                "test networks do not enforce chain ids"
            } else {
                "not enforced for a chain that the coin table does not know"
            })
        }
        Rule::OneMagic | Rule::MagicBeforeRoot if !has_magic => Some("there is no magic"),
        Rule::MagicPresent if !has_magic && !identity.rules.magic_required => {
            Some("this chain also takes a root without magic")
        }
        Rule::RootAmongFirst20 if has_magic => Some("there is a magic"),
        Rule::Bits | Rule::ProofOfWork if lacks.bits => Some("the block's bits are not given"),
        _ => None,
    }
}

impl Case {
    fn judge(&self) -> Result<(), Refusal> {
        let committed =
            || verify_committed(self.hash, self.bits, &self.proof, &self.rules, |_| self.work);
        let Some(header) = &self.header else { return committed() };
        match self.version {
            Version::Whole => verify(header, &self.proof, &self.rules, |_| self.work),
            Version::FlagOnly => {
                let lenient = AuxRules { strict: false, ..self.rules };
                match verify(header, &self.proof, &lenient, |_| self.work) {
                    Err(refusal) if refusal.rule == Rule::AuxPowFlag => Err(refusal),
                    _ => committed(),
                }
            }
            Version::Passed => committed(),
        }
    }

    /// The rules about the work alone: the judge is shown the smallest proof that commits rightly,
    /// with this one's work.
    fn judge_work(&self) -> Result<(), Refusal> {
        let commitment = Commitment { root: self.hash, size: 1, nonce: 0 };
        let coinbase = Transaction {
            version: 1,
            inputs: vec![TxIn {
                prev_id: Hash256::ZERO,
                prev_index: u32::MAX,
                script: commitment.to_bytes().to_vec(),
                sequence: u32::MAX,
                witness: Vec::new(),
            }],
            outputs: Vec::new(),
            hogex: false,
            lock_time: 0,
        };
        let proof = AuxPow {
            hash_field: Hash256::ZERO,
            coinbase_branch: Vec::new(),
            coinbase_index: 0,
            chain_branch: Vec::new(),
            chain_index: 0,
            parent: Header { merkle_root: coinbase.txid(), ..self.proof.parent },
            coinbase,
        };
        let lenient = AuxRules { strict: false, ..self.rules };
        verify_committed(self.hash, self.bits, &proof, &lenient, |_| self.work)
    }

    /// Mends what breaks a rule, so that the judge goes on to the next. False where there is no
    /// cure that leaves the rest as it is.
    fn mend(&mut self, rule: Rule) -> bool {
        match rule {
            Rule::OwnChainId => self.version = Version::FlagOnly,
            Rule::AuxPowFlag => self.version = Version::Passed,
            Rule::CoinbaseIndex => self.proof.coinbase_index = 0,
            Rule::ParentChainId => {
                // The block's own version has been judged by now.
                self.version = Version::Passed;
                self.rules.strict = false;
            }
            Rule::CoinbaseInParent => self.reroot(),
            Rule::RootInCoinbase => return self.mend_root(),
            Rule::OneMagic => return self.mend_magics(),
            Rule::MagicPresent => self.rules.magic_required = false,
            Rule::TreeSize => return self.mend_size(),
            _ => return false,
        }
        true
    }

    /// Makes the parent's merkle root that of the coinbase as it is now.
    fn reroot(&mut self) {
        let leaf = self.proof.coinbase.txid();
        self.proof.parent.merkle_root =
            merkle::fold(leaf, &self.proof.coinbase_branch, self.proof.coinbase_index);
    }

    /// Writes into the script; false if it does not reach so far.
    fn write(&mut self, at: usize, bytes: &[u8]) -> bool {
        let script = self.proof.coinbase.inputs.first_mut().map(|input| &mut input.script);
        let Some(place) = script.and_then(|script| script.get_mut(at..at + bytes.len())) else {
            return false;
        };
        place.copy_from_slice(bytes);
        self.reroot();
        true
    }

    fn mend_root(&mut self) -> bool {
        let root = self.proof.chain_root(self.hash).to_display_bytes();
        let magic =
            self.proof.committing_script().and_then(|script| magics(script).first().copied());
        magic.is_some_and(|magic| self.write(magic + MAGIC.len(), &root))
    }

    fn mend_magics(&mut self) -> bool {
        let Some(script) = self.proof.committing_script() else { return false };
        let root = find(script, &self.proof.chain_root(self.hash).to_display_bytes());
        let all = magics(script);
        let right = all.iter().copied().find(|at| Some(at + MAGIC.len()) == root);
        let keep = right.or_else(|| all.first().copied());
        all.into_iter().filter(|at| Some(*at) != keep).all(|at| self.write(at, &[0; 4]))
    }

    fn mend_size(&mut self) -> bool {
        let root = self.proof.chain_root(self.hash).to_display_bytes();
        let at = self.proof.committing_script().and_then(|script| find(script, &root));
        let height = self.proof.chain_branch.len() as u32;
        let size = 1u32.checked_shl(height).unwrap_or(0);
        at.is_some_and(|at| self.write(at + 32, &size.to_le_bytes()))
    }
}

impl AuxPow {
    /// The script that commits.
    fn committing_script(&self) -> Option<&[u8]> {
        self.coinbase.inputs.first().map(|input| input.script.as_slice())
    }
}

/// A block without AuxPoW proves itself.
fn own_work(header: &Header, place: Place, work: Hash256) -> RuleVerdict {
    let spot = |from, length, what: &str| Spot {
        source: place.source,
        offset: place.offset + from,
        length,
        what: what.into(),
    };
    let broken = |spot: Spot, found, wanted, hint: &str| {
        let suspects = vec![spot.clone()];
        State::Broken(Broken { spot, found, wanted, hint: hint.into(), suspects, repair: None })
    };
    let state = match header.bits.target() {
        Ok(target) if target.is_met_by(&work) => State::Held,
        Ok(target) => broken(
            spot(0, Header::LEN, "block header"),
            work.to_string(),
            format!("at most {target}"),
            "the header is not the one that was hashed, or its version lost the AuxPoW flag 0x100",
        ),
        Err(wrong) => broken(
            spot(72, 4, "bits"),
            wrong.to_string(),
            "a positive 256-bit target".into(),
            "the compact target is no target; take the one of the node",
        ),
    };
    RuleVerdict {
        name: "own-work",
        wording: "without AuxPoW, the block's own hash must meet its target",
        state,
    }
}

/// Whether the transactions are those of the header; only of whole blocks.
fn transactions(read: &Read, proof_holds: bool) -> Option<RuleVerdict> {
    let (txs, place) = read.txs.as_ref()?;
    let (header, header_place) = read.header.as_ref()?;
    let block = Block { header: *header, auxpow: None, txs: txs.clone(), mweb: None };
    let length = txs.iter().map(|tx| tx.encode().len()).sum::<usize>();
    let state = match block.check_structure(false) {
        Ok(()) => State::Held,
        Err(fault) => {
            let ids: Vec<Hash256> = txs.iter().map(Transaction::txid).collect();
            let root = merkle::root(&ids);
            let of_header = Spot {
                source: header_place.source,
                offset: header_place.offset + 36,
                length: 32,
                what: "merkle root".into(),
            };
            let of_txs = Spot {
                source: place.source,
                offset: place.offset,
                length: length + 1,
                what: "transactions".into(),
            };
            let hint = if proof_holds {
                "the header has its work, so the transactions were changed after it"
            } else {
                "transactions and header are not of one block"
            };
            State::Broken(Broken {
                spot: if proof_holds { of_txs.clone() } else { of_header.clone() },
                found: format!("{fault}: root {root}"),
                wanted: format!("root {}", header.merkle_root),
                hint: hint.into(),
                suspects: vec![of_txs, of_header],
                repair: None,
            })
        }
    };
    Some(RuleVerdict {
        name: "transactions",
        wording: "the transactions must lead to the header's merkle root",
        state,
    })
}
