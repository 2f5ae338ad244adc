use std::{sync::Arc, time::Duration};

use sl_work::{Ask, Lease, SourceStatus, Submitter, Unfit, Verdict, Work, WorkSource};
use tokio::sync::{mpsc, watch};

use super::{MemberNo, book::LeaseNo, member::Standing};

/// A source that takes no lease at this instant is asked again after so long.
const AGAIN: Duration = Duration::from_millis(200);

/// What the tasks beside the group hear from a member.
#[derive(Debug)]
pub(crate) enum News {
    /// How it fares.
    Status(MemberNo, SourceStatus),
    /// How far away it is.
    Latency(MemberNo, Option<Duration>),
    /// It gave a lease.
    Leased(MemberNo, LeaseNo, Submitter),
    /// How it stands to a lease.
    Stands(MemberNo, LeaseNo, Standing),
    /// What became of a share.
    Verdict(MemberNo, LeaseNo, Verdict),
    /// It says nothing any more.
    Gone(MemberNo),
}

/// Tells how a member fares, until it is gone.
pub(crate) async fn status(
    member: MemberNo,
    source: Arc<dyn WorkSource>,
    mut latency: watch::Receiver<Option<Duration>>,
    news: mpsc::Sender<News>,
) {
    let mut status = source.status();
    status.mark_changed();
    latency.mark_changed();
    let mut measured = true;
    loop {
        // Cancel-safe: two changes.
        let told = tokio::select! {
            changed = status.changed() => match changed {
                Ok(()) => News::Status(member, status.borrow_and_update().clone()),
                Err(_) => News::Gone(member),
            },
            changed = latency.changed(), if measured => {
                measured = changed.is_ok();
                News::Latency(member, *latency.borrow_and_update())
            }
        };
        let over = matches!(told, News::Gone(_));
        if news.send(told).await.is_err() || over {
            return;
        }
    }
}

/// Keeps one lease of a member, which may have to wait for it to be wide enough.
pub(crate) async fn lease(
    (member, lease): (MemberNo, LeaseNo),
    source: Arc<dyn WorkSource>,
    ask: Ask,
    news: mpsc::Sender<News>,
) {
    let mut status = source.status();
    loop {
        status.mark_unchanged();
        let standing = match source.lease(ask.clone()) {
            Ok(Lease { work, submitter, verdicts, .. }) => {
                if news.send(News::Leased(member, lease, submitter)).await.is_ok() {
                    let held =
                        Held { at: (member, lease), asked: ask.free, work, verdicts, status };
                    held.tell(&news).await;
                }
                return;
            }
            Err(Unfit::Gone) => return,
            Err(Unfit::Exhausted) => {
                tokio::time::sleep(AGAIN).await;
                continue;
            }
            // It has not been connected yet; its status says so.
            Err(Unfit::TooNarrow { widest: 0, .. }) => None,
            Err(Unfit::TooNarrow { asked, widest }) => Some(Standing::Unfit { asked, widest }),
        };
        if let Some(standing) = standing
            && news.send(News::Stands(member, lease, standing)).await.is_err()
        {
            return;
        }
        if status.changed().await.is_err() {
            return;
        }
    }
}

/// A lease of a member.
struct Held {
    at: (MemberNo, LeaseNo),
    asked: usize,
    work: watch::Receiver<Work>,
    verdicts: mpsc::Receiver<Verdict>,
    status: watch::Receiver<SourceStatus>,
}

impl Held {
    /// Tells what comes, until the source is gone; the verdicts that it still gives are told too.
    async fn tell(mut self, news: &mpsc::Sender<News>) {
        let (member, lease) = self.at;
        let mut working = true;
        loop {
            // Cancel-safe: a receive and two changes.
            let told = tokio::select! {
                verdict = self.verdicts.recv() => match verdict {
                    Some(verdict) => News::Verdict(member, lease, verdict),
                    None => return,
                },
                changed = self.work.changed(), if working => match changed {
                    Ok(()) => {
                        let work = self.work.borrow_and_update().clone();
                        News::Stands(member, lease, self.standing(work))
                    }
                    Err(_) => {
                        working = false;
                        continue;
                    }
                },
            };
            if news.send(told).await.is_err() {
                return;
            }
        }
    }

    /// A source that comes back narrower has no piece for this lease, and says so as idleness.
    fn standing(&self, work: Work) -> Standing {
        let widest = self.status.borrow().widest;
        match work {
            Work::Idle { .. } if (1..self.asked).contains(&widest) => {
                Standing::Unfit { asked: self.asked, widest }
            }
            work => work.into(),
        }
    }
}
