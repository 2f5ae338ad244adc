//! An explanation of AuxPoW, for people.

mod tree;

use std::fmt::Write as _;

use sl_chain::explain::{
    Broken, Explanation, Field, Rule, RuleVerdict, Source, Spot, State, TargetFacts, Unread,
    Verdict,
};

use super::paint::{Paint, WIDTH, paragraph, short, wrapped};

/// Width of the labels of the summary.
const LABEL: usize = 10;
/// Width of a rule's mark and name.
const RULE: usize = 2 + 11 + 2 + 19 + 1;

pub(crate) fn explanation(told: &Explanation, full: bool, paint: Paint) -> String {
    let mut out = fields(&told.fields, full, paint);
    if !told.coinbase_branch.is_empty() {
        out.push_str(&paint.heading("way of the coinbase to the parent's merkle root"));
        out.push_str(&tree::way(&told.coinbase_branch, paint));
    }
    if let Some(tree) = &told.tree {
        out.push_str(&paint.heading(&format!(
            "auxiliary tree: {} slots, of which one branch shows these",
            tree.size
        )));
        out.push_str(&tree::tree(tree, told, paint));
    }
    out.push_str(&rules(&told.rules, paint));
    out.push_str(&summary(told, paint));
    out.push_str(&verdict(told, paint));
    out
}

pub(crate) fn unread(unread: &Unread, full: bool, paint: Paint) -> String {
    let mut out = String::new();
    if let Some(furthest) = unread.tried.first() {
        out.push_str(&fields(&furthest.fields, full, paint));
    }
    out.push_str(&paint.heading("what the bytes were taken for"));
    for attempt in &unread.tried {
        let _ = writeln!(out, "  {} {}", paint.bad("✗"), paint.strong(&attempt.form.to_string()));
        paragraph(&mut out, "      ", &format!("byte {}: {}", attempt.offset, attempt.error));
    }
    let _ = writeln!(out, "\n{} {unread}", paint.bad("✗ UNREADABLE:"));
    if let Some(furthest) = unread.tried.first() {
        let hint = format!(
            "Read as {}, it came to byte {}; a node fails there too. Look at the field there, and \
             whether the bytes are whole.",
            furthest.form, furthest.offset
        );
        paragraph(&mut out, "  ", &hint);
    }
    out
}

/// The table of fields: 6 + 4 + 22 + 19 columns, and the meaning.
fn fields(fields: &[Field], full: bool, paint: Paint) -> String {
    const INDENT: usize = 2 + 6 + 1 + 4 + 2;
    const NAME: usize = 23;
    const VALUE: usize = 19;
    let mut out = String::new();
    let mut section = None;
    for field in fields {
        if section != Some((field.section, field.source)) {
            let apart = match field.source {
                Source::Bytes => "",
                Source::Header => " (from --header)",
                Source::Proof => " (from --proof)",
            };
            out.push_str(&paint.heading(&format!("{}{apart}", field.section.title())));
            if section.is_none() {
                let head = format!(
                    "  {:>6} {:>4}  {:<NAME$} {:<VALUE$} meaning",
                    "byte", "len", "field", "value"
                );
                let _ = writeln!(out, "{}", paint.dim(&head));
            }
            section = Some((field.section, field.source));
        }
        let value = short(&field.value);
        let _ = write!(
            out,
            "  {:>6} {:>4}  {:<NAME$} {value:<VALUE$}",
            field.offset, field.length, field.name
        );
        let margin = INDENT + NAME + 1 + VALUE + 1;
        let lines = wrapped(&field.meaning, WIDTH - margin);
        for (at, line) in lines.iter().enumerate() {
            if at > 0 {
                let _ = write!(out, "{:<width$}", "", width = margin - 1);
            }
            let _ = writeln!(out, " {}", paint.dim(line));
        }
        if full && value != field.value {
            let margin = " ".repeat(INDENT);
            paragraph(&mut out, &margin, &field.value);
        }
    }
    // A line without meaning must not end in blanks.
    out.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

fn rules(rules: &[RuleVerdict], paint: Paint) -> String {
    let mut out = paint.heading("rules, in the order a node tries them");
    let mut rules = rules;
    // Without a proof nothing is asked of it, and one line says so.
    let of_proof = rules.get(..Rule::ALL.len()).unwrap_or_default();
    if let Some(RuleVerdict { state: State::NotAsked { why }, .. }) = of_proof.first()
        && of_proof
            .iter()
            .all(|rule| matches!(&rule.state, State::NotAsked { why: other } if other == why))
    {
        let mark = paint.dim("· not asked");
        let _ = writeln!(out, "  {mark}  the {} rules of AuxPoW: {why}", of_proof.len());
        rules = rules.get(of_proof.len()..).unwrap_or_default();
    }
    for rule in rules {
        let (mark, text) = match &rule.state {
            State::Held => (paint.good("✓ held     "), rule.wording.to_owned()),
            State::Broken(_) => (paint.bad("✗ BROKEN   "), rule.wording.to_owned()),
            State::NotReached => (
                paint.dim("? not reached"),
                format!("{}: the rules before it decide", rule.wording),
            ),
            State::NotAsked { why } => (paint.dim("· not asked"), why.clone()),
        };
        for (at, line) in wrapped(&text, WIDTH - RULE).iter().enumerate() {
            let _ = match at {
                0 => writeln!(out, "  {mark}  {:<19} {line}", rule.name),
                _ => writeln!(out, "{:<RULE$}{line}", ""),
            };
        }
    }
    out
}

fn summary(told: &Explanation, paint: Paint) -> String {
    let mut out = paint.heading("in short");
    let mut line = |label: &str, text: &str| {
        for (at, part) in wrapped(text, WIDTH - LABEL - 3).iter().enumerate() {
            let label = if at == 0 { label } else { "" };
            let _ = writeln!(out, "  {} {part}", paint.dim(&format!("{label:<LABEL$}")));
        }
    };
    line("given", &told.form.to_string());
    if let Some(hash) = told.hash {
        line("block", &hash.to_string());
    }
    let chain = &told.chain;
    let mut named = match (chain.name, chain.ticker) {
        (Some(name), Some(ticker)) => format!("{name} ({ticker})"),
        (Some(name), None) => name.to_owned(),
        _ => "unknown".to_owned(),
    };
    if let Some(id) = chain.chain_id {
        let _ = write!(named, ", chain id {id}");
    }
    line("chain", &format!("{named}: {}", chain.reading));
    if let Some(reward) = &told.reward {
        let mut text = match reward.height {
            Some(height) => format!("height {height}, pays {} coins", reward.paid),
            None => format!("pays {} coins", reward.paid),
        };
        match (&reward.subsidy, &reward.beyond) {
            (Some(subsidy), _) if reward.expected => {
                let _ = write!(text, "; the reward is random here, {subsidy} on average");
            }
            (Some(subsidy), Some(fees)) => {
                let _ = write!(text, ": {subsidy} of reward and {fees} beyond it (fees)");
            }
            (Some(subsidy), None) => {
                let _ = write!(text, ", less than the reward of {subsidy}");
            }
            _ => {}
        }
        line("reward", &text);
    }
    if let Some(parent) = &told.parent {
        line("parent", &format!("{} {}", parent.chain, parent.hash));
        let mut text = String::new();
        if let Some(height) = parent.height {
            let _ = write!(text, "height {height}, ");
        }
        let _ = write!(text, "{}", parent.time);
        if let Some(miner) = &parent.miner {
            let _ = write!(text, ", by \"{miner}\"");
        }
        let _ = write!(text, "; version {:08x} reads as id {}", parent.version, parent.reads_as);
        line("", &text);
    }
    if let Some(tree) = &told.tree {
        let mut text = format!("{} slots, this chain in slot {}", tree.size, tree.slot);
        if let Some(nonce) = tree.committed.as_ref().and_then(|committed| committed.nonce) {
            let _ = write!(text, ", nonce {nonce}");
        }
        line("tree", &text);
    }
    if let Some(work) = &told.work {
        line("work", &format!("{} {}", work.algorithm, work.hash));
        line("", &format!("has difficulty {} (node scale)", number(work.difficulty)));
        if let Some(target) = &work.auxiliary {
            line("", &against(target, "the block"));
        }
        if let Some(target) = &work.parent {
            line("", &against(target, "the parent itself"));
        }
    }
    out
}

fn against(target: &TargetFacts, who: &str) -> String {
    match target.difficulty {
        Some(difficulty) => {
            let met = if target.met { "✓ met" } else { "✗ not met" };
            format!("{met}: {who} needs {} (bits {})", number(difficulty), target.bits)
        }
        None => format!("✗ {who}'s bits {} are no target", target.bits),
    }
}

/// A difficulty for people.
fn number(value: f64) -> String {
    if value >= 0.01 { format!("{value:.2}") } else { format!("{value:.2e}") }
}

fn verdict(told: &Explanation, paint: Paint) -> String {
    let node = told.chain.name.map_or("a node".into(), |name| format!("a node of {name}"));
    match &told.verdict {
        Verdict::Valid if told.tree.is_none() => {
            format!("\n{} {node} takes this work\n", paint.good("✓ VALID:"))
        }
        Verdict::Valid => {
            format!("\n{} {node} takes this proof\n", paint.good("✓ VALID:"))
        }
        Verdict::Incomplete { missing } => {
            let mark = paint.strong("? INCOMPLETE:");
            let mut out = format!("\n{mark} nothing is wrong in what is given\n");
            paragraph(&mut out, "  ", &format!("not given: {missing}"));
            let cure = "hint: --header, --proof, --hash, --bits, --coin; \
                        silverlode auxpow explain --help";
            paragraph(&mut out, "  ", cure);
            out
        }
        Verdict::Refused { rule } => {
            let mut out = format!("\n{} by rule {}\n", paint.bad("✗ REFUSED"), paint.strong(rule));
            for (at, (rule, broken)) in told.broken().enumerate() {
                if at == 1 {
                    out.push_str("\nalso broken, which a node would find next:\n");
                }
                out.push_str(&told_broken(rule, broken, paint));
            }
            out
        }
    }
}

fn told_broken(rule: &RuleVerdict, broken: &Broken, paint: Paint) -> String {
    let mut out = String::new();
    paragraph(&mut out, "  ", &format!("{}: {}", rule.name, rule.wording));
    let suspects: Vec<String> =
        broken.suspects.iter().filter(|spot| spot.length > 0).map(place).collect();
    let one_byte = broken.repair.as_ref().map(|repair| {
        let (found, wanted) = (repair.found, repair.wanted);
        let byte = place(&Spot { what: format!("{found:02x}"), ..repair.spot.clone() });
        format!("{byte} is what is wrong: with {wanted:02x} there the rule holds")
    });
    for (label, text) in [
        ("byte", place(&broken.spot)),
        ("found", broken.found.clone()),
        ("wanted", broken.wanted.clone()),
        ("look at", if one_byte.is_none() { suspects.join("; ") } else { String::new() }),
        ("hint", if one_byte.is_none() { broken.hint.clone() } else { String::new() }),
        ("one byte", one_byte.unwrap_or_default()),
    ] {
        if text.is_empty() {
            continue;
        }
        for (at, line) in wrapped(&text, WIDTH - LABEL - 5).iter().enumerate() {
            let label = if at == 0 { label } else { "" };
            let _ = writeln!(out, "    {} {line}", paint.dim(&format!("{label:<LABEL$}")));
        }
    }
    out
}

/// Bytes as `120 to 151 (merkle root)`.
fn place(spot: &Spot) -> String {
    let apart = match spot.source {
        Source::Bytes => "",
        Source::Header => " of --header",
        Source::Proof => " of --proof",
    };
    match spot.length {
        0 => spot.what.clone(),
        1 => format!("{}{apart} ({})", spot.offset, spot.what),
        _ => format!("{} to {}{apart} ({})", spot.offset, spot.offset + spot.length - 1, spot.what),
    }
}
