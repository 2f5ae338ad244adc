//! The auxiliary tree, drawn from its root down, left before right.

use std::fmt::Write as _;

use sl_chain::explain::{BranchLevel, Explanation, Side, Tree};

use crate::console::paint::{Paint, WIDTH, short, wrapped};

/// Trees higher than this are drawn with narrower branches.
const WIDE: usize = 12;

pub(super) fn tree(tree: &Tree, told: &Explanation, paint: Paint) -> String {
    let mut out = String::new();
    let root = tree.root.map_or("unknown".into(), |root| short(&root.to_string()));
    let committed = tree.committed.as_ref();
    let stands = match (committed, tree.root) {
        (Some(committed), Some(root)) if committed.root == root => paint
            .good(&format!("✓ stands in the parent's coinbase at byte {}", committed.spot.offset)),
        (Some(committed), Some(_)) => paint.bad(&format!(
            "✗ in the coinbase stands {} at byte {}",
            short(&committed.root.to_string()),
            committed.spot.offset
        )),
        (Some(committed), None) => {
            format!("in the coinbase stands {}", short(&committed.root.to_string()))
        }
        (None, _) => paint.bad("✗ not in the parent's coinbase"),
    };
    let _ = writeln!(out, "  ● {root}  root, {stands}");
    let mut drawing = Drawing { out, tree, name: whose(told), paint };
    drawing.below(tree.branch.len(), "  ");
    let mut out = drawing.out;
    out.push_str(&legend(
        tree,
        told.work.as_ref().is_some_and(|work| work.algorithm == "scrypt"),
        paint,
    ));
    out
}

fn whose(told: &Explanation) -> String {
    let name = told.chain.name.unwrap_or("this block");
    told.hash.map_or_else(|| name.to_owned(), |hash| format!("{name} {}", short(&hash.to_string())))
}

struct Drawing<'a> {
    out: String,
    tree: &'a Tree,
    name: String,
    paint: Paint,
}

impl Drawing<'_> {
    /// The two nodes under the path's node at `height`, left before right.
    fn below(&mut self, height: usize, margin: &str) {
        let Some(at) = height.checked_sub(1) else { return };
        let Some(level) = self.tree.branch.get(at) else { return };
        let (fork, last, line, gap) = if self.tree.branch.len() <= WIDE {
            ("├─ ", "└─ ", "│  ", "   ")
        } else {
            ("├", "└", "│", " ")
        };
        let sibling = self.sibling(level);
        match level.side {
            Side::Left => {
                self.ours(level, &format!("{margin}{fork}"));
                self.below(at, &format!("{margin}{line}"));
                let _ = writeln!(self.out, "{margin}{last}{sibling}");
            }
            Side::Right => {
                let _ = writeln!(self.out, "{margin}{fork}{sibling}");
                self.ours(level, &format!("{margin}{last}"));
                self.below(at, &format!("{margin}{gap}"));
            }
        }
    }

    fn ours(&mut self, level: &BranchLevel, lead: &str) {
        let text = if level.level == 0 {
            let slot = format!("slot {}", self.tree.slot);
            self.paint.good(&format!("● {slot}  {}", self.name))
        } else {
            // The sibling's range turned round at its own width is that of the path's node.
            let width = level.to - level.from + 1;
            let from = level.from ^ width;
            let node = level.node.map_or("…".into(), |node| short(&node.to_string()));
            format!("● {node}  slots {from}–{}", from + width - 1)
        };
        let _ = writeln!(self.out, "{lead}{text}");
    }

    fn sibling(&self, level: &BranchLevel) -> String {
        let hash = short(&level.sibling.to_string());
        let slots = if level.from == level.to {
            format!("slot {}", level.from)
        } else {
            format!("slots {}–{}", level.from, level.to)
        };
        if level.empty {
            return self.paint.dim(&format!("○ {slots}  empty"));
        }
        let what = if level.level == 0 { "another chain's block" } else { "not shown" };
        self.paint.dim(&format!("○ {hash}  {slots}  {what}"))
    }
}

/// What is known, and, where the tree is one of Scrypt coins, where others would stand.
fn legend(tree: &Tree, scrypt: bool, paint: Paint) -> String {
    let mut out = String::new();
    let hidden: u64 = tree
        .branch
        .iter()
        .filter(|level| level.level > 0 && !level.empty)
        .map(|level| (level.to - level.from).saturating_add(1))
        .fold(0, u64::saturating_add);
    let mut text = "● on this block's way, ○ beside it".to_owned();
    if hidden > 0 {
        let _ = write!(text, "; {hidden} slots are under hashes, who is in them no byte says");
    }
    let _ = writeln!(out, "  {}", paint.dim(&text));
    if scrypt && tree.size > 1 && !tree.coins.is_empty() {
        let coins: Vec<String> =
            tree.coins.iter().map(|coin| format!("{} {}", coin.ticker, coin.slot)).collect();
        let text = format!("slots of today's coins at this size and nonce: {}", coins.join(", "));
        for line in wrapped(&text, WIDTH - 2) {
            let _ = writeln!(out, "  {}", paint.dim(&line));
        }
    }
    out
}

/// The way from a leaf to its root, one level a line.
pub(super) fn way(branch: &[BranchLevel], paint: Paint) -> String {
    let mut out = String::new();
    for level in branch {
        let node = level.node.map_or("…".into(), |node| short(&node.to_string()));
        let sibling = short(&level.sibling.to_string());
        let (left, right) = match level.side {
            Side::Left => (format!("● {node}"), format!("○ {sibling}")),
            Side::Right => (format!("○ {sibling}"), format!("● {node}")),
        };
        let bend = if level.level == 0 { "  " } else { "└▶" };
        let _ = writeln!(out, "  level {:>2}  {bend} {left} + {}", level.level, paint.dim(&right));
    }
    out
}
