use std::{collections::BTreeMap, sync::Arc};

use sl_chain::coins::Ticker;
use sl_ports::Clock;
use sl_supervise::Ctx;
use sl_units::{Hash256, Mono, NodeDifficulty};
use sl_work::{JobId, Leased, Outcome, Pending, SourceEnd, SourceId, Work};
use tokio::sync::{mpsc, watch};

use crate::{
    assemble::{Blueprint, Payout, ROLL_ALONE, ROLL_MERGED},
    finds::Finds,
    jobs::{Issued, JobStore, judge},
    nodes::{Find, Report},
    planner::{Action, Event, Plan, Planner},
    settings::Checked,
    status::{BlockEvent, BlockOutcome, ChainStatus, NodeState, SoloStatus},
};

/// All that the source knows, owned by its one task.
#[derive(Debug)]
pub(super) struct Core {
    id: SourceId,
    pub(super) end: SourceEnd,
    clock: Clock,
    planner: Planner,
    payout: Payout,
    jobs: JobStore,
    /// The work of this moment, for leases that come later.
    current: Result<Arc<Issued>, (Arc<str>, Mono)>,
    next_number: u64,
    leases: BTreeMap<u16, Leased>,
    next_prefix: u16,
    finds: Finds<Find>,
    lanes: Vec<(Ticker, mpsc::Sender<Find>)>,
    status: SoloStatus,
    /// The epoch of the last job.
    epoch: u64,
    changed: bool,
    published: watch::Sender<SoloStatus>,
}

impl Core {
    pub(super) fn new(
        id: SourceId,
        checked: &Checked,
        end: SourceEnd,
        clock: Clock,
        published: watch::Sender<SoloStatus>,
    ) -> Self {
        let settings = &checked.settings;
        let rows: Vec<_> = checked.auxiliaries.iter().map(|member| member.row).collect();
        let chains = std::iter::once(checked.parent.row)
            .chain(rows.iter().copied())
            .map(|row| ChainStatus::new(row.ticker))
            .collect();
        let status = SoloStatus { chains, ..SoloStatus::default() };
        published.send_replace(status.clone());
        end.set_widest(settings.free);
        Self {
            id,
            end,
            clock,
            planner: Planner::new(checked.parent.row, &rows, settings.dust_delay),
            payout: Payout {
                script: checked.parent.address.script_pubkey(),
                tag: settings.tag.clone().into_bytes(),
                free: settings.free,
                // Even while no auxiliary works: machines keep the mask they once agreed to.
                roll_mask: if rows.is_empty() { ROLL_ALONE } else { ROLL_MERGED },
            },
            jobs: JobStore::default(),
            current: Err(("not started".into(), Mono::default())),
            next_number: 1,
            leases: BTreeMap::new(),
            next_prefix: 0,
            finds: Finds::default(),
            lanes: Vec::new(),
            status,
            epoch: 0,
            changed: false,
            published,
        }
    }

    /// A run of the service begins, with a lane for the finds of each chain.
    pub(super) fn begin(&mut self, lanes: Vec<(Ticker, mpsc::Sender<Find>)>, ctx: &Ctx) {
        self.lanes = lanes;
        self.finds = Finds::default();
        let parent = self.status.chains.first().map_or("parent", |chain| chain.chain.as_str());
        let why = format!("waiting for the {parent} node");
        // What the run before knew may be old: nothing is mined until the node has spoken again.
        let now = self.clock.mono();
        self.step(Event::ParentDown(why.as_str().into()), now);
        ctx.degraded(why);
    }

    /// From the next job on, the parent's rewards go there.
    pub(super) fn pay_to(&mut self, script: Vec<u8>) {
        self.payout.script = script;
    }

    /// When [`Core::time_is_up`] is wanted.
    pub(super) fn due(&self) -> Option<Mono> {
        self.planner.due()
    }

    pub(super) fn time_is_up(&mut self) {
        let now = self.clock.mono();
        self.step(Event::Due, now);
    }

    /// A node's task has something to say.
    pub(super) fn report(&mut self, report: Report, ctx: &Ctx) {
        match report {
            Report::Parent { work, learned } => {
                let template = work.template();
                let (height, tip, target) = (template.height, template.prev, template.target);
                self.seen(0, |chain| {
                    chain.height = Some(height.saturating_sub(1));
                    chain.tip = Some(tip);
                    chain.difficulty = Some(NodeDifficulty::from(target));
                });
                self.stands(0, NodeState::Ok);
                self.step(Event::Parent(work), learned);
            }
            Report::Auxiliary { seat, work, learned } => {
                let template = work.template.clone();
                self.seen(seat + 1, |chain| {
                    chain.height = Some(template.height.saturating_sub(1));
                    chain.tip = Some(template.prev);
                    chain.difficulty = Some(NodeDifficulty::from(template.target));
                });
                // One that is left out though its node works stays so until the planner says else.
                let left_out = self
                    .status
                    .chains
                    .get(seat + 1)
                    .is_some_and(|chain| matches!(chain.node, NodeState::LeftOut(_)));
                if !left_out {
                    self.stands(seat + 1, NodeState::Ok);
                }
                self.step(Event::Auxiliary { seat, work }, learned);
            }
            Report::Trouble { seat, state } => {
                let now = self.clock.mono();
                let foreign = matches!(state, NodeState::WrongChain(_));
                let why = state.fault().cloned().unwrap_or_else(|| "no reason is known".into());
                self.stands(seat.map_or(0, |seat| seat + 1), state);
                match seat {
                    None => self.step(Event::ParentDown(why), now),
                    Some(seat) => self.step(Event::AuxiliaryOut { seat, foreign }, now),
                }
            }
            Report::Settled { event, tip, event_lost } => {
                self.settled(&event, event_lost);
                if event.outcome == BlockOutcome::Accepted {
                    self.finds.accepted(event.chain, tip);
                } else if let Some(find) = self.release(event.chain, tip) {
                    self.hand_in(find);
                }
            }
        }
        self.tell_health(ctx);
        self.publish();
    }

    fn step(&mut self, event: Event, learned: Mono) {
        let now = self.clock.mono();
        for action in self.planner.step(event, learned, now) {
            match action {
                Action::Idle(why) => self.idle(&why),
                Action::Issue(plan) => self.issue(plan),
                Action::LeftOut { seat, why } => {
                    self.stands(seat + 1, NodeState::LeftOut(why));
                }
                Action::TakenIn { seat } => self.stands(seat + 1, NodeState::Ok),
            }
        }
    }

    fn issue(&mut self, plan: Plan) {
        let Plan { parent, auxiliaries, epoch, born } = plan;
        let chain = self.status.chains.first().map(|chain| chain.chain.row());
        let Some(row) = chain else { return };
        let blueprint = match Blueprint::assemble(row, parent, auxiliaries, &self.payout) {
            Ok(blueprint) => blueprint,
            Err(error) => {
                tracing::error!(%error, "no job can be made of the nodes' templates");
                return self.idle(&format!("no job can be made of the templates: {error}"));
            }
        };
        let issued = Arc::new(Issued { number: self.next_number, blueprint, epoch, born });
        self.next_number += 1;
        self.jobs.insert(Arc::clone(&issued));
        self.status.jobs += 1;
        self.status.epochs += u64::from(epoch > self.epoch);
        self.epoch = epoch;
        self.current = Ok(issued);
        self.send_work();
        self.end.set_working(self.clock.mono());
        self.changed = true;
    }

    fn idle(&mut self, why: &str) {
        let now = self.clock.mono();
        match &mut self.current {
            Err((known, _)) if **known == *why => return,
            // Idle since the first reason.
            Err((known, _)) => *known = why.into(),
            Ok(_) => self.current = Err((why.into(), now)),
        }
        self.end.set_idle(why, now);
        self.send_work();
    }

    /// Gives every lease its work, and takes back those that were dropped.
    fn send_work(&mut self) {
        self.drop_closed();
        for (prefix, leased) in &self.leases {
            leased.work.send_replace(self.work_of(*prefix, leased.free));
        }
    }

    fn work_of(&self, prefix: u16, free: usize) -> Work {
        match &self.current {
            Ok(issued) => {
                let id =
                    JobId { source: self.id.clone(), sequence: sequence(issued.number, prefix) };
                let job = issued.blueprint.job(id, issued.epoch, issued.born, prefix, free);
                Work::Job(Arc::new(job))
            }
            Err((why, since)) => Work::Idle { why: Arc::clone(why), since: *since },
        }
    }

    /// A lease was asked for. Prefixes go round, so that one that was given back rests as long as
    /// can be.
    pub(super) fn admit(&mut self, leased: Leased) {
        self.drop_closed();
        let free_prefix = (0..=u16::MAX)
            .map(|step| self.next_prefix.wrapping_add(step))
            .find(|prefix| !self.leases.contains_key(prefix));
        let Some(prefix) = free_prefix else {
            // Dropping it closes the lease, which its consumer sees.
            tracing::warn!(consumer = %leased.consumer, "all 65536 pieces are leased");
            return;
        };
        self.next_prefix = prefix.wrapping_add(1);
        leased.work.send_replace(self.work_of(prefix, leased.free));
        tracing::debug!(consumer = %leased.consumer, prefix, "lease given");
        self.leases.insert(prefix, leased);
        self.status.leases = self.leases.len();
        self.changed = true;
    }

    fn drop_closed(&mut self) {
        self.leases.retain(|_, leased| !leased.work.is_closed());
        self.changed |= self.status.leases != self.leases.len();
        self.status.leases = self.leases.len();
    }

    /// A share came.
    pub(super) fn judge(&mut self, pending: Pending) {
        self.changed = true;
        let share = pending.share();
        let number = share.job().id.sequence >> 16;
        let ours = share.job().id.source == self.id;
        let Some(issued) = self.jobs.get(number).filter(|_| ours).map(Arc::clone) else {
            self.status.shares_stale += 1;
            let kept = crate::jobs::LEAST;
            let reason = format!("job forgotten: at least the last {kept} are kept");
            return pending.settle(Outcome::Stale { reason });
        };
        let outcome = judge(issued.blueprint.goals(), |chain| self.planner.tip(chain));
        self.count(&issued, &outcome);
        let wins: Vec<_> = share.goals_met().cloned().collect();
        let kept =
            (!wins.is_empty()).then(|| (Arc::new(share.clone()), Arc::clone(pending.worker())));
        pending.settle(outcome);
        let Some((share, worker)) = kept else { return };
        for goal in wins {
            if self.planner.tip(goal.chain) != Some(goal.tip) {
                self.seen_of(goal.chain, |chain| chain.late += 1);
                continue;
            }
            let (chain, tip) = (goal.chain, goal.tip);
            let (issued, share) = (Arc::clone(&issued), Arc::clone(&share));
            let find = Find { issued, share, goal, worker: Arc::clone(&worker) };
            match self.finds.found(chain, tip, find) {
                Some(find) => {
                    self.seen_of(chain, |chain| chain.blocks_found += 1);
                    self.hand_in(find);
                }
                None => self.seen_of(chain, |chain| chain.spare += 1),
            }
        }
    }

    fn count(&mut self, issued: &Issued, outcome: &Outcome) {
        let none = [];
        let (credited, missed): (&[Ticker], &[Ticker]) = match outcome {
            Outcome::Accepted { credited, missed } => (credited, missed),
            _ => (&none, &none),
        };
        if credited.is_empty() {
            self.status.shares_stale += 1;
            for goal in issued.blueprint.goals() {
                self.seen_of(goal.chain, |chain| chain.shares_missed += 1);
            }
            return;
        }
        self.status.shares_accepted += 1;
        for chain in credited {
            self.seen_of(*chain, |chain| chain.shares_credited += 1);
        }
        for chain in missed {
            self.seen_of(*chain, |chain| chain.shares_missed += 1);
        }
    }

    fn hand_in(&mut self, find: Find) {
        let (chain, tip) = (find.goal.chain, find.goal.tip);
        let lane = self.lanes.iter().find(|(ticker, _)| *ticker == chain);
        let Some(lane) = lane.map(|(_, lane)| lane.clone()) else {
            return tracing::warn!(%chain, "a block is not handed in: the source stops");
        };
        let mut next = Some(find);
        while let Some(find) = next {
            let Err(refused) = lane.try_send(find) else { return };
            // One find a tip is under way: a full lane is a node that answers nothing.
            let (find, why) =
                (refused.into_inner(), "the blocks before it still wait for an answer");
            let event = find.event(BlockOutcome::Unreachable(why.into()), &self.clock);
            self.settled(&event, true);
            next = self.release(chain, tip);
        }
    }

    /// The spare find that takes the place of one that its node did not take.
    fn release(&mut self, chain: Ticker, tip: Hash256) -> Option<Find> {
        let spare = self.finds.failed(chain, tip)?;
        self.seen_of(chain, |chain| {
            chain.blocks_found += 1;
            chain.spare = chain.spare.saturating_sub(1);
        });
        Some(spare)
    }

    fn settled(&mut self, event: &BlockEvent, event_lost: bool) {
        let BlockEvent { chain, height, hash, worker, .. } = event;
        self.status.events_lost += u64::from(event_lost);
        let error = match &event.outcome {
            BlockOutcome::Accepted => {
                tracing::debug!(%chain, height, %hash, %worker, "block accepted");
                None
            }
            BlockOutcome::Refused(why) => {
                tracing::warn!(%chain, height, %hash, %worker, %why, "block refused");
                Some(why)
            }
            BlockOutcome::Unreachable(why) => {
                tracing::error!(%chain, height, %hash, %worker, %why, "block not handed in");
                Some(why)
            }
        };
        self.seen_of(*chain, |chain| {
            match event.outcome {
                BlockOutcome::Accepted => chain.blocks_accepted += 1,
                BlockOutcome::Refused(_) => chain.blocks_rejected += 1,
                BlockOutcome::Unreachable(_) => chain.blocks_unreachable += 1,
            }
            if let Some(why) = error {
                chain.last_error = Some(Arc::clone(why));
            }
        });
    }

    /// Notes how a node stands, and says so when that is new.
    fn stands(&mut self, at: usize, state: NodeState) {
        let now = self.clock.mono();
        let Some(chain) = self.status.chains.get_mut(at) else { return };
        if chain.node == state {
            return;
        }
        match &state {
            NodeState::Ok => tracing::info!(chain = %chain.chain, "node gives work"),
            NodeState::Connecting => {}
            NodeState::Down(why) | NodeState::WrongChain(why) | NodeState::LeftOut(why) => {
                tracing::warn!(chain = %chain.chain, %why, "node gives no work, the others go on");
                chain.last_error = Some(Arc::clone(why));
            }
        }
        chain.node = state;
        chain.since = now;
        self.changed = true;
    }

    fn tell_health(&self, ctx: &Ctx) {
        if let Err((why, _)) = &self.current {
            return ctx.degraded(why.to_string());
        }
        let faults: Vec<String> = self
            .status
            .chains
            .iter()
            .filter_map(|chain| Some(format!("{}: {}", chain.chain, chain.node.fault()?)))
            .collect();
        if faults.is_empty() { ctx.ready() } else { ctx.degraded(faults.join("; ")) }
    }

    fn seen(&mut self, at: usize, change: impl FnOnce(&mut ChainStatus)) {
        if let Some(chain) = self.status.chains.get_mut(at) {
            change(chain);
            self.changed = true;
        }
    }

    fn seen_of(&mut self, chain: Ticker, change: impl FnOnce(&mut ChainStatus)) {
        let at = self.status.chains.iter().position(|status| status.chain == chain);
        if let Some(at) = at {
            self.seen(at, change);
        }
    }

    /// What need not be done at once.
    pub(super) fn keep_house(&mut self) {
        self.drop_closed();
        self.publish();
    }

    /// Publishes the status if it changed.
    pub(super) fn publish(&mut self) {
        if std::mem::take(&mut self.changed) {
            self.published.send_replace(self.status.clone());
        }
    }

    /// Judges the shares that came before the stop.
    pub(super) async fn drain(&mut self) {
        loop {
            tokio::select! {
                biased;
                Some(pending) = self.end.intake.next() => self.judge(pending),
                () = std::future::ready(()) => return,
            }
        }
    }

    /// Lets the submitters end once they have handed in what they hold.
    pub(super) fn close_lanes(&mut self) {
        self.lanes.clear();
    }
}

/// A job's sequence: its number and the lease it went to, so that no two jobs have one name.
const fn sequence(number: u64, prefix: u16) -> u64 {
    number << 16 | prefix as u64
}
