//! The journal for people: what a verification found, what a backup holds.

use std::{fmt::Write as _, path::Path};

use sl_ledger::{BackedUp, Verified};

use super::paint::Paint;

pub(crate) fn verified(told: &Verified, paint: Paint) -> String {
    let mut out = String::new();
    for file in &told.files {
        let shares = &file.shares;
        let _ = writeln!(
            out,
            "{}  {:>10} accepted {:>8} stale {:>8} refused  {:>10} rows in {} commits  {}",
            paint.strong(&file.day),
            shares.accepted,
            shares.stale,
            shares.rejected,
            file.rows,
            file.commits,
            paint.dim(&file.chain)
        );
        if file.rows_to_roll_up > 0 {
            let _ =
                writeln!(out, "            {} rows wait for the roll-ups", file.rows_to_roll_up);
        }
    }
    let proofs = &told.proofs;
    let _ = writeln!(
        out,
        "roll-ups    {} sums agree with the rows\nproofs      {} hashed again and right, {} wrong, \
         {} without their job",
        told.rollup_points, proofs.right, proofs.wrong, proofs.without_job
    );
    for why in &told.unread {
        let _ = writeln!(out, "{} {why}", paint.bad("unread"));
    }
    for name in &told.set_aside {
        let _ = writeln!(out, "{} {name} was set aside as damaged", paint.bad("lost"));
    }
    for finding in &told.findings {
        let (kind, place) = (paint.bad(finding.kind), &finding.place);
        let _ = writeln!(out, "{kind} {place}: {}", finding.text);
    }
    if told.more_findings > 0 {
        let _ = writeln!(out, "and {} more", told.more_findings);
    }
    let last = if told.ok { paint.good("all is right") } else { paint.bad("something is wrong") };
    let _ = writeln!(out, "{last}");
    out
}

pub(crate) fn backed_up(done: &BackedUp, to: &Path) -> String {
    let mut out = String::new();
    for name in &done.files {
        let _ = writeln!(out, "{}", to.join(name).display());
    }
    for why in &done.failed {
        let _ = writeln!(out, "not copied: {why}");
    }
    let (files, mib) = (done.files.len(), done.bytes as f64 / f64::from(1 << 20));
    let _ = writeln!(out, "{files} files, {mib:.1} MiB");
    out
}
