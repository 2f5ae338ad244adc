//! The journal's service, and its lane for whoever has something to be kept.

use sl_ledger::Journal;
use sl_supervise::ServiceSpec;

use crate::changes;

use super::Parts;

/// The service's name.
pub(super) const JOURNAL: &str = "journal";

impl Parts {
    /// The journal of the data folder; `None` where none is kept, or nowhere to keep it.
    pub(super) fn journal(&mut self) -> Option<Journal> {
        if self.lane.is_some() {
            return self.lane.clone();
        }
        let data = self.ports.data.as_ref()?;
        let options = self.settings.journal.options_in(data)?;
        let (journal, writer) = Journal::new(options, self.ports.clock);
        let description = "keeps shares, blocks, jobs and slots";
        self.specs.push(ServiceSpec::new(JOURNAL, description, move |ctx| writer.clone().run(ctx)));
        self.journal = Some(journal.status());
        self.lane = Some(journal);
        self.lane.clone()
    }

    /// What happens to several pools goes into the journal.
    pub(super) fn write_changes(&mut self, journal: &Journal) {
        let Some((pools, _)) = &self.upstream else { return };
        let (pools, journal, clock) = (pools.failover.clone(), journal.clone(), self.ports.clock);
        let description = "writes into the journal what happens to the pools";
        let spec = ServiceSpec::new("changes", description, move |ctx| {
            changes::write(pools.clone(), journal.clone(), clock, ctx)
        });
        self.specs.push(spec.optional().after_all(["pools", JOURNAL]));
    }
}
