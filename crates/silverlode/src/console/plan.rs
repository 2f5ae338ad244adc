//! The plan of an auxiliary tree, for people.

use std::fmt::Write as _;

use sl_chain::explain::{PlanExplained, PlannedPair};

use super::paint::{Paint, paragraph};

/// Pairs that are shown; the rest is easier to part.
const PAIRS: usize = 10;

pub(crate) fn plan(plan: &PlanExplained, paint: Paint) -> String {
    let mut out = String::new();
    let count = plan.coins.len();
    let chains = if count == 1 { "chain" } else { "chains" };
    let _ = match (plan.height, plan.slots) {
        (Some(height), Some(slots)) => {
            let slots = format!("{slots} slot{}", if slots == 1 { "" } else { "s" });
            writeln!(
                out,
                "{}: one tree of {} (height {height}, nonce 0)",
                paint.strong(&format!("{count} {chains}")),
                paint.good(&slots)
            )
        }
        _ => writeln!(out, "{} {count} {chains} fit into no tree", paint.bad("✗ REFUSED:")),
    };
    for word in &plan.ignored {
        let _ = writeln!(out, "{word} is left out: the parent carries the tree and has no slot");
    }
    out.push_str(&table(plan, paint));
    if let Some(pair) = &plan.forced_by {
        out.push_str(&pairs(plan, paint));
        out.push_str(&why(plan, pair, paint));
    }
    out
}

fn table(plan: &PlanExplained, paint: Paint) -> String {
    let mut out = paint.heading("chains");
    let bits = plan.height.unwrap_or(0);
    let _ = writeln!(out, "  coin         chain id         hex   id in bits            slot");
    for coin in &plan.coins {
        let slot = coin.slot.map_or("-".into(), |slot| slot.to_string());
        let _ = writeln!(
            out,
            "  {:<12} {:>8}  {:>10}   {:<18} {slot:>7}{}",
            coin.name,
            coin.chain_id,
            format!("{:#06x}", coin.chain_id),
            in_bits(coin.chain_id, bits),
            coin.coin.map_or(String::new(), |name| paint.dim(&format!("   {name}"))),
        );
    }
    if bits > 0 {
        let bits = if bits == 1 { "bit".into() } else { format!("{bits} bits") };
        let note = format!("behind │ the low {bits}, in which all ids must differ");
        let _ = writeln!(out, "  {}", paint.dim(&note));
    }
    out
}

/// Sixteen bits of an id (32 of a larger one), those that the tree looks at behind a stroke.
fn in_bits(id: u32, low: u32) -> String {
    let width = if id > 0xffff || low > 16 { 32 } else { 16 };
    let digits = format!("{id:0width$b}");
    let (high, low) = digits.split_at(digits.len().saturating_sub(low as usize));
    format!("{high}│{low}")
}

fn pairs(plan: &PlanExplained, paint: Paint) -> String {
    let mut out = paint.heading("pairs, the hardest to part first");
    let _ = writeln!(out, "  {:<26} {:<17} parted by", "pair", "equal low bits");
    for pair in plan.pairs.iter().take(PAIRS) {
        let name = format!("{} · {}", pair.first, pair.second);
        let equal = match pair.equal_bits {
            0 => "none".to_owned(),
            32 => "all".to_owned(),
            // An id has 32 bits at most, so the shift is one less than that at most.
            bits => format!(
                "{bits}  ({:0width$b})",
                pair.first_id & ((1 << bits) - 1),
                width = bits as usize
            ),
        };
        let parted = match pair.height {
            Some(height) => format!("{} slots", 1u64 << height),
            None => "no tree".into(),
        };
        let hardest = plan.forced_by.as_ref().map(|hardest| hardest.equal_bits);
        let forces = if hardest == Some(pair.equal_bits) { "  ← forces it" } else { "" };
        let _ = writeln!(out, "  {name:<26} {equal:<17} {parted}{}", paint.strong(forces));
    }
    if plan.pairs.len() > PAIRS {
        let _ = writeln!(out, "  and {} pairs that are no harder", plan.pairs.len() - PAIRS);
    }
    out
}

fn why(plan: &PlanExplained, pair: &PlannedPair, paint: Paint) -> String {
    let mut out = paint.heading("why");
    let PlannedPair { first, first_id, second, second_id, equal_bits, .. } = pair;
    // The larger id first, so that the difference is none below zero.
    let (first, first_id, second, second_id) = if first_id < second_id {
        (second, second_id, first, first_id)
    } else {
        (first, first_id, second, second_id)
    };
    let difference = i64::from(*first_id) - i64::from(*second_id);
    let size = pair.height.map_or(32, |height| 1u64 << (height - 1));
    let law = "A chain's slot is (((nonce × a + c + id) × a + c) mod slots), with a = 1103515245 and \
               c = 12345: the nodes compute it and refuse any other.";
    paragraph(&mut out, "  ", law);
    out.push('\n');
    let reason = match pair.height {
        Some(height) if *equal_bits > 0 => format!(
            "{first} {first_id} and {second} {second_id} are equal in their low {equal_bits} bits: \
             {first_id} − {second_id} = {difference} is a multiple of 2^{equal_bits} = {size}. In any \
             tree of {size} slots or fewer they want the same slot. A tree of 2^{height} = {} slots \
             is the least that parts them, and all other pairs with them.",
            1u64 << height
        ),
        Some(_) => format!(
            "{first} {first_id} and {second} {second_id} differ in their lowest bit: two slots part \
             them. A single slot is for one chain."
        ),
        None => format!(
            "{first} {first_id} and {second} {second_id} do not differ in the 30 bits that the \
             highest tree looks at. Leave one of the two out, or mine it under another parent."
        ),
    };
    paragraph(&mut out, "  ", &reason);
    out.push('\n');
    if pair.equal_bits == 0 {
        return out;
    }
    let nonce = match pair.height {
        Some(_) => format!(
            "No nonce helps: it adds the same to both, so their slots differ by a × {difference} \
             whatever it is; a is odd, so that is 0 modulo 2^h exactly when 2^h divides \
             {difference}. In a tree of {size} slots:"
        ),
        None => format!(
            "No nonce helps: it adds the same to both. In a tree of {size} slots, and likewise in \
             any other:"
        ),
    };
    paragraph(&mut out, "  ", &nonce);
    for trial in &plan.trials {
        let _ = writeln!(
            out,
            "    nonce {:>10}   {} in slot {:>2}, {} in slot {:>2}",
            trial.nonce, pair.first, trial.first, pair.second, trial.second
        );
    }
    out
}
