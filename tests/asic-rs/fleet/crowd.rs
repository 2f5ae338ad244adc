//! Many machines of one process, found by one scan of their net.

use tokio::time::Instant;

use crate::kinds::Kind;
use crate::programs::Twins;
use crate::reading;
use crate::trial::Trial;

/// More than have a socket of their own.
pub(crate) const MACHINES: usize = 300;

/// All are found by one scan, and each is read.
pub(crate) async fn trial(kind: &Kind, twins: &Twins) -> Trial {
    let mut trial = Trial::new("a crowd");
    let Some(machines) = reading::found(&mut trial, twins).await else { return trial };
    let start = Instant::now();
    let mut whole = 0;
    for machine in &machines {
        let data = machine.get_data().await;
        whole += usize::from(data.total_chips == Some(kind.boards.iter().sum()));
    }
    let spent = start.elapsed().as_secs_f64();
    trial.same("machines with all chips", whole, twins.count);
    trial.tell(format!(
        "{whole} of {} machines read one after the other in {spent:.1} s",
        twins.count
    ));
    trial
}
