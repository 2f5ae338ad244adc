//! A machine introduces itself: its slot, its workers, its first job.

use sl_guard::{
    Offence,
    validate::{Message, MessageValidator, Verdict},
};
use sl_stratum::{ErrorCode, Password, Refusal, Subscribe, server::Welcome};
use sl_work::WorkerName;
use tokio::sync::oneshot;

use super::Connection;
use crate::{
    ledger::{Arrival, Event},
    shard::Report,
    slots::{Origin, Request, SlotCall},
};

impl Connection {
    /// Asks for a slot: the machine's own, if it names the session that had it, or is the only one
    /// that is missed at its address. A connection that still has the session ends for it.
    pub(super) async fn subscribe(&mut self, subscribe: Subscribe) -> Result<Welcome, Refusal> {
        let none = |why: &str| Refusal::new(ErrorCode::Other, why);
        self.machine.user_agent = subscribe.user_agent.map(Into::into);
        let (answer, given) = oneshot::channel();
        let origin = Origin {
            address: self.arrived.address.ip(),
            user_agent: self.machine.user_agent.clone(),
        };
        let request = Request { resume: subscribe.session, origin, answer };
        self.shared
            .slots
            .send(SlotCall::Take(request))
            .await
            .map_err(|_| none("the gateway is stopping"))?;
        let taken = given.await.map_err(|_| none("the gateway is stopping"))?;
        let mut taken = taken.map_err(|all_taken| none(&all_taken.to_string()))?;
        self.notice = std::mem::take(&mut taken.notice);
        let welcome = Welcome {
            session_id: taken.session.to_string(),
            extranonce1: taken.extranonce1,
            extranonce2_len: self.shared.layout.own,
        };
        self.machine.take_slot(taken);
        Ok(welcome)
    }

    /// The machine is subscribed and authorised: it gets its first job.
    pub(super) async fn welcome(&mut self) {
        self.ready = true;
        self.last_share = self.now();
        let user = self.machine.session.users().next().unwrap_or_default().to_owned();
        // Without a slot no machine gets here.
        let Some(taken) = &self.machine.taken else { return };
        let (slot, number) = (taken.extranonce1.to_string(), taken.slot);
        let session = taken.session.clone();
        let (known, rate) = oneshot::channel();
        let arrival = Arrival {
            machine: self.machine.number,
            worker: self.machine.worker(&user),
            address: self.arrived.address,
            user_agent: self.machine.user_agent.clone(),
            slot: slot.into(),
            number,
            session,
            difficulty: self.machine.remembered_difficulty(),
            since: self.since,
            known,
        };
        self.tell(Event::Ready(Box::new(arrival))).await;
        self.conduct.authorized();
        self.report(Report::Authorized(self.machine.number)).await;
        // The accounts wait for nobody, so this does not wait long.
        if let Ok(Some(rate)) = rate.await {
            self.machine.vardiff.knows_rate(rate);
        }
        self.release_answers();
        self.give_job(false).await;
    }

    /// Whether shares of this worker are taken from this machine.
    pub(super) async fn authorize(
        &mut self,
        user: &str,
        password: &Password,
    ) -> Result<(), Refusal> {
        if let Err(refusal) = self.knows(user, password) {
            tracing::debug!(address = %self.arrived.address, %refusal, "a worker is refused");
            self.charge(Offence::WrongCredentials).await;
            return Err(refusal);
        }
        let (answer, fits) = oneshot::channel();
        let worker = WorkerName::from(user);
        self.report(Report::Worker { number: self.machine.number, worker, answer }).await;
        let stopping = || Refusal::new(ErrorCode::Other, "the gateway is stopping");
        fits.await.map_err(|_| stopping())?.map_err(|most| {
            let text =
                format!("{most} connections are authorised for this worker, no more are allowed");
            Refusal::new(ErrorCode::Unauthorized, &text)
        })?;
        self.hear_wishes(password.reveal());
        Ok(())
    }

    fn knows(&mut self, user: &str, password: &Password) -> Result<(), Refusal> {
        self.shared.admission.check(user, password)?;
        let message = Message::line(b"").with_method("mining.authorize").with_worker(user);
        let now = self.now();
        match self.validators.check(&message, now) {
            Verdict::Pass => Ok(()),
            Verdict::Refuse(complaint) => {
                Err(Refusal::new(ErrorCode::Unauthorized, &complaint.to_string()))
            }
        }
    }

    /// A password often carries wishes: `d=65536`, as litecoinpool reads it.
    fn hear_wishes(&mut self, password: &str) {
        if let Some(difficulty) = crate::admission::wished_difficulty(password) {
            let now = self.now();
            self.machine.vardiff.suggest(difficulty, now);
        }
    }
}
