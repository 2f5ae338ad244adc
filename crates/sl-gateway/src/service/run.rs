//! One run of the service: the parts, what each of them is given, and their end.

use std::{sync::Arc, time::Duration};

use sl_guard::{
    Guard,
    proof::{Requirement, ShortfallRules},
};
use sl_ports::{machine::limits::open_files, seed::Unguessable, tls::server::Acceptor};
use sl_stratum::server;
use sl_supervise::{Ctx, ServiceError};
use sl_work::Lease;
use tokio::{
    net::TcpListener,
    sync::{Notify, OwnedMutexGuard, mpsc, watch},
    task::JoinSet,
    time::timeout,
};

use super::{ARRIVALS, Gateway};
use crate::{
    GatewayError, GatewaySettings, SlotCounts,
    accounts::Accounts,
    board::Board,
    door::{Door, DoorCounts, Guests, Hours, Width},
    forward::Forward,
    ledger::{Event, Standards},
    recall::Recall,
    recorder::Recorder,
    shard::{Shard, Shared},
    share::Judged,
    slots::{Keeper, Layout, Moment, SlotCall, Slots},
    standing::Standing,
    verifier::Verifier,
};

/// What connections have told and the accounts have not yet counted; beyond, connections wait.
const EVENTS: usize = 4096;
/// Calls for slots, and reports to the door, that wait.
const CALLS: usize = 256;
/// How long the parts of the gateway may take to end, more than each of them asks for.
const PARTS_END: Duration = Duration::from_millis(1500);

/// One run of the service, from its lease on.
pub(super) struct Run<'a> {
    pub(super) gateway: &'a Gateway,
    pub(super) ctx: &'a Ctx,
    pub(super) judged: mpsc::Receiver<Vec<Judged>>,
}

impl Run<'_> {
    pub(super) async fn serve(
        self,
        (listener, tls): (TcpListener, Option<TcpListener>),
        lease: Lease,
        verifiers: Vec<Verifier>,
    ) -> Result<(), ServiceError> {
        let Self { gateway, ctx, judged } = self;
        let mut rng = gateway.rng.clone();
        let layout = layout(&lease);
        let mut home = gateway.home.threshold.clone().lock_owned().await;
        let mut ledger = gateway.home.ledger.clone().lock_owned().await;
        let mut slots = gateway.home.slots.clone().lock_owned().await;
        if slots.layout() != layout {
            *slots = Slots::new(layout);
        }
        let numbers = match home.recalled {
            Some(numbers) => numbers,
            None => {
                let recall =
                    Recall { clock: gateway.clock, resume_within: gateway.resume_within() };
                let board = &mut home.board;
                recall.all(gateway.journal.as_ref(), board, &mut slots, &mut ledger).await?
            }
        };
        home.recalled = Some(numbers);
        // Without a journal, ids of an earlier run are unlikely to be taken for those of this one.
        let first_sequence =
            numbers.first_sequence.unwrap_or_else(|| u64::from(rng.u32(1..0x1000_0000)));
        let (board_in, board) = watch::channel(Arc::new(home.board.idle()));
        let mut parts = JoinSet::new();
        let (events, events_out) = mpsc::channel(EVENTS);
        let (slot_counts_in, slot_counts) = watch::channel(SlotCounts::default());
        let shortfall = shortfall_rules(gateway.live.live.borrow().settings.shares_per_minute)?;
        ledger.all_left(&shortfall, gateway.clock.mono());
        let journal = gateway.journal.clone();
        let source = gateway.source.id();
        let accounts = Accounts {
            judged,
            events: events_out,
            verdicts: lease.verdicts,
            forward: Forward::new(lease.submitter),
            recorder: Recorder::new(journal, gateway.clock, source, numbers.last_ticket),
            ledger,
            standards: Standards { live: gateway.live.live.subscribe(), shortfall },
            slots: slot_counts,
            status: gateway.status.clone(),
            clock: gateway.clock,
        };
        parts.spawn(accounts.run());
        let slots = keep_slots(gateway, slots, board.clone(), &events, slot_counts_in, &mut parts);

        let live = gateway.live.live.subscribe();
        let (reports, reports_out) = mpsc::channel(CALLS);
        let (banned_in, banned) = watch::channel(Arc::default());
        let renew = Arc::new(Notify::new());
        let session: Arc<server::Settings> = server::Settings::default().into();
        let acceptor = acceptor(&live.borrow().settings)?;
        let mut shards = Vec::new();
        for verifier in &verifiers {
            let shared = Shared {
                live: live.clone(),
                session: session.clone(),
                admission: gateway.admission.clone(),
                acceptor: acceptor.clone(),
                layout,
                clock: gateway.clock,
                board: board.clone(),
                verifier: verifier.clone(),
                slots: slots.clone(),
                events: events.clone(),
                reports: reports.clone(),
                banned: banned.clone(),
                renew: renew.clone(),
            };
            let (admitted, arrivals) = mpsc::channel(ARRIVALS);
            parts.spawn(Shard { shared: Arc::new(shared), arrivals }.run());
            shards.push(admitted);
        }
        // From here on only connections hold what ends the parts when they are gone.
        drop((slots, reports, banned));
        let guard = Guard::new(live.borrow().guard.clone());
        let home = &mut *home;
        let door = Door {
            ctx,
            clock: gateway.clock,
            source: gateway.source.id(),
            live,
            listener,
            tls,
            listeners: &mut home.listeners,
            side: &mut home.side,
            shards,
            verifiers,
            guard,
            guests: Guests::new(most_sockets(gateway.live.live.borrow().settings.max_connections)),
            reports: reports_out,
            banned: banned_in,
            board: board_in,
            work: lease.work,
            width: Width {
                leased: lease.free,
                source: gateway.source.status(),
                narrow_since: None,
            },
            renew,
            events,
            status: gateway.status.clone(),
            first_sequence,
            hours: Hours::begin(),
            connections: 0,
            counts: DoorCounts::default(),
        };
        let (outcome, last_board) = door.keep(&mut parts).await;
        home.board = last_board;
        // The door took everything with it that the parts listen to: they end when they have
        // counted what is left.
        let ended = timeout(PARTS_END, async { while parts.join_next().await.is_some() {} }).await;
        if ended.is_err() {
            tracing::warn!("verdicts of the last shares were not waited for");
        }
        outcome.map_err(Into::into)
    }
}

/// The test of claims, for the pace that machines are asked for.
fn shortfall_rules(shares_per_minute: f64) -> Result<ShortfallRules, GatewayError> {
    let requirement = Requirement { shares_per_minute, ..Requirement::default() };
    Ok(ShortfallRules::design(requirement)?)
}

/// What machines that speak TLS are answered by.
fn acceptor(settings: &GatewaySettings) -> Result<Option<Acceptor>, GatewayError> {
    match (settings.tls_listen, &settings.tls_certificate, &settings.tls_key) {
        (Some(_), Some(chain), Some(key)) => Ok(Some(Acceptor::from_files(chain, key)?)),
        _ => Ok(None),
    }
}

/// How many sockets machines may have: what the system allows, less what the journal, the pools and
/// the screens need, which must not want for a file while machines have them all.
fn most_sockets(asked: u32) -> usize {
    /// As many as `silverlode doctor` counts for them.
    const OWN_FILES: u64 = 200;
    let Some(limit) = open_files().and_then(|limit| limit.soft) else { return usize::MAX };
    let most = limit.saturating_sub(OWN_FILES).max(1);
    let need = u64::from(asked) + OWN_FILES;
    if most < u64::from(asked) {
        tracing::warn!(
            limit,
            machines = most,
            "gateway.max_connections {asked} needs {need} open files, the limit is {limit}, so that \
             {most} machines can connect; raise it with ulimit -n {need}, or LimitNOFILE={need} in \
             a systemd unit"
        );
    }
    usize::try_from(most).unwrap_or(usize::MAX)
}

/// How the lease's bytes are divided; machines that get few are warned of.
fn layout(lease: &Lease) -> Layout {
    let layout = Layout::of(lease.free);
    if layout.own < Layout::COMFORTABLE {
        tracing::warn!(
            bytes = layout.own,
            "machines get fewer than {} bytes of extranonce2: rented hash rate and old firmware \
             may refuse that; a source with a wider extranonce has more",
            Layout::COMFORTABLE
        );
    }
    layout
}

/// Starts the task that owns the slots.
fn keep_slots(
    gateway: &Gateway,
    mut slots: OwnedMutexGuard<Slots<Standing>>,
    board: watch::Receiver<Arc<Board>>,
    events: &mpsc::Sender<Event>,
    counts: watch::Sender<SlotCounts>,
    parts: &mut JoinSet<()>,
) -> mpsc::Sender<SlotCall> {
    let (clock, live) = (gateway.clock, gateway.live.live.subscribe());
    let moment = move || Moment {
        now: clock.mono(),
        jobs: board.borrow().known(),
        resume_within: live.borrow().settings.resume_within,
    };
    slots.all_left(moment());
    counts.send_replace(slots.counts());
    let (calls, calls_out) = mpsc::channel(CALLS);
    let keeper = Keeper::new(slots, moment, Unguessable::from_os(), events.clone());
    parts.spawn(keeper.run(calls_out, counts));
    calls
}
