//! The journal's service, and its lane for the gateway.

use sl_ledger::Journal;
use sl_supervise::ServiceSpec;

use super::Parts;

/// The service's name.
pub(super) const JOURNAL: &str = "journal";

impl Parts {
    /// The journal of the data folder; `None` where none is kept, or nowhere to keep it.
    pub(super) fn journal(&mut self) -> Option<Journal> {
        let data = self.ports.data.as_ref()?;
        let options = self.settings.journal.options_in(data)?;
        let (journal, writer) = Journal::new(options, self.ports.clock);
        let description = "keeps shares, blocks, jobs and slots";
        self.specs.push(ServiceSpec::new(JOURNAL, description, move |ctx| writer.clone().run(ctx)));
        self.journal = Some(journal.status());
        Some(journal)
    }
}
