//! The tasks of a run.

use std::{sync::Arc, time::Duration};

use sl_scenario::Timeline;
use sl_supervise::ServiceError;
use sl_units::Mono;
use tokio::{
    sync::{Semaphore, mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Twins, tell};
use crate::{
    MachineHandle,
    farm::{Ends, Farm, Order},
    machine::Machine,
    net::{Door, Port, Reception},
    work::{
        Answering, Client, Engine, EngineStatus, FOUND, Found, Patience, PoolPlan, Prober,
        WorkOrder, orders,
    },
};

/// Names that are looked up at once for all machines.
const LOOKUPS: usize = 8;
/// How long pool connections have to end.
const FAREWELL: Duration = Duration::from_millis(800);

/// Pool connections, and what they need to end well: the farm, the engine, the faces.
pub(super) struct Crew {
    clients: JoinSet<()>,
    /// Ends the clients.
    first: CancellationToken,
    rest: JoinSet<Result<(), ServiceError>>,
    /// Ends the rest.
    last: CancellationToken,
    _in_any_case: DropGuard,
}

/// Where the shares of each machine go.
type Lanes = Vec<mpsc::Sender<Found>>;

impl Crew {
    /// Has everybody begin, with machines that were made at an instant. Pool connections end with `stop`.
    pub(super) fn of(
        twins: &Twins,
        made: Mono,
        machines: Vec<Machine>,
        doors: Vec<Door>,
        stop: CancellationToken,
    ) -> Self {
        let last = CancellationToken::new();
        let mut crew = Self {
            clients: JoinSet::new(),
            first: stop,
            rest: JoinSet::new(),
            _in_any_case: last.clone().drop_guard(),
            last,
        };
        let (engine_in, engine) = watch::channel(EngineStatus::default());
        let (scale, keeper) = (twins.plan.scale(), twins.keeper());
        let status = twins.status.clone();
        let (farm, ends) = Farm::new(machines, twins.clock, scale, engine, status, keeper);
        let Ends { plans, handles, orders: events, rates } = ends;
        twins.handles.send_replace(handles.clone());
        let (work_in, work) = orders();
        let found = crew.connect(twins, &handles, plans, &events, &work_in);
        let engine = Engine {
            registry: twins.registry.clone(),
            algorithm: twins.algorithm,
            threads: twins.plan.threads,
            clock: twins.clock,
            rates,
            found,
            status: engine_in,
        };
        crew.spawn(|stop| async move { Ok(engine.run(work, stop).await?) });
        crew.spawn(|stop| async move {
            farm.run(stop).await;
            Ok(())
        });
        let handles: Arc<[MachineHandle]> = handles.into();
        crew.answer(twins, doors, &handles);
        crew.tell(twins, made, handles);
        crew
    }

    /// The first of the rest that ended without being told to, and why.
    pub(super) async fn failed(&mut self) -> ServiceError {
        match self.rest.join_next().await {
            Some(Ok(Err(wrong))) => wrong,
            Some(Ok(Ok(()))) | None => "a part of the virtual machines ended".into(),
            Some(Err(died)) => died.into(),
        }
    }

    /// Has the pool connections end, then the rest. Who is late is ended.
    pub(super) async fn leave(mut self) {
        self.first.cancel();
        let all = async { while self.clients.join_next().await.is_some() {} };
        let _late_ones_are_ended = tokio::time::timeout(FAREWELL, all).await;
        self.last.cancel();
        let rest = async { while self.rest.join_next().await.is_some() {} };
        let _late_ones_are_ended = tokio::time::timeout(FAREWELL, rest).await;
    }

    /// A task of the rest, with its word to stop.
    fn spawn<F>(&mut self, task: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = Result<(), ServiceError>> + Send + 'static,
    {
        self.rest.spawn(task(self.last.clone()));
    }

    /// The pool connection of each machine, and who asks pools in reserve for all of them.
    fn connect(
        &mut self,
        twins: &Twins,
        handles: &[MachineHandle],
        plans: Vec<watch::Receiver<Arc<PoolPlan>>>,
        events: &mpsc::Sender<Order>,
        work: &mpsc::Sender<WorkOrder>,
    ) -> Lanes {
        let lookups = Arc::new(Semaphore::new(LOOKUPS));
        let mut found = Vec::with_capacity(handles.len());
        let (answering, heard) = watch::channel(Answering::default());
        let machines = handles.iter().map(MachineHandle::ip).zip(plans.iter().cloned()).collect();
        let (clock, patience) = (twins.clock, Patience::REAL);
        let prober = Prober { machines, clock, patience, lookups: lookups.clone(), answering };
        self.clients.spawn(prober.run(self.first.clone()));
        for (handle, plan) in handles.iter().zip(plans) {
            let (found_in, found_out) = mpsc::channel(FOUND);
            found.push(found_in);
            let client = Client {
                machine: handle.place(),
                ip: handle.ip(),
                plan,
                generation: 0,
                answering: heard.clone(),
                farm: events.clone(),
                engine: work.clone(),
                found: found_out,
                clock,
                patience,
                lookups: lookups.clone(),
                scale: twins.plan.scale(),
                bad: 0.0,
                links: 0,
                works: false,
                shunned: Default::default(),
                session: None,
            };
            self.clients.spawn(client.run(self.first.clone()));
        }
        found
    }

    /// The faces of all machines, behind the doors that there are.
    fn answer(&mut self, twins: &Twins, doors: Vec<Door>, machines: &Arc<[MachineHandle]>) {
        for (door, port) in doors.into_iter().zip([Port::Web, Port::Program]) {
            let reception = Reception {
                port,
                machines: machines.clone(),
                clock: twins.clock,
                randomness: twins.randomness,
            };
            self.spawn(|stop| async move {
                reception.run(door, stop).await;
                Ok(())
            });
        }
    }

    /// What the machines say of themselves: what goes wrong, that nobody gives them work, where they
    /// are.
    fn tell(&mut self, twins: &Twins, made: Mono, handles: Arc<[MachineHandle]>) {
        let plan = &twins.plan;
        let faults = Timeline::new(plan.faults.clone());
        let faults = tell::faults(faults, plan.settings.net, twins.clock, made);
        let jobs = tell::jobs(twins.status.subscribe(), handles.clone());
        let report = plan.settings.report;
        self.spawn(|stop| async move {
            let all = async {
                let reports = async {
                    if report {
                        tell::reports(&handles).await;
                    }
                };
                tokio::join!(faults, jobs, reports);
            };
            // Cancel-safe: nothing is lost with what would have been told.
            stop.run_until_cancelled(all).await;
            stop.cancelled().await;
            Ok(())
        });
    }
}
