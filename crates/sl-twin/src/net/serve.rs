use std::sync::Arc;

use sl_ports::{Clock, Randomness};
use tokio::{net::TcpStream, sync::Semaphore, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::door::{Door, calls};
use crate::{
    MachineHandle,
    conf::Command,
    face::{Host, Limits, Look, Want, serve_http, serve_rpc},
};

/// Connections served at once on one port of all machines. When there is no place left, a call to
/// a machine that has none waits, and with it the system's queue.
const MOST: usize = 4096;
/// Connections served at once on one port of one machine; more are closed.
const MOST_EACH: usize = 64;

/// A port of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Port {
    /// Its pages.
    Web,
    /// Its mining program.
    Program,
}

/// Who answers at a port of each machine.
#[derive(Debug, Clone)]
pub(crate) struct Reception {
    pub(crate) port: Port,
    pub(crate) machines: Arc<[MachineHandle]>,
    pub(crate) clock: Clock,
    pub(crate) randomness: Randomness,
}

impl Reception {
    /// Answers calls until told to stop; then connections are closed.
    pub(crate) async fn run(self, door: Door, stop: CancellationToken) {
        self.run_within(MOST, door, stop).await;
    }

    /// The same with so many places for the connections of all machines.
    async fn run_within(self, most: usize, door: Door, stop: CancellationToken) {
        let (calls_in, mut calls) = calls();
        let mut rng = self.randomness.rng("face nonces");
        let all = Arc::new(Semaphore::new(most));
        let each: Vec<Arc<Semaphore>> =
            self.machines.iter().map(|_| Arc::new(Semaphore::new(MOST_EACH))).collect();
        let mut tasks = JoinSet::new();
        tasks.spawn(door.run(calls_in, stop.clone()));
        loop {
            // Cancel-safe: a token, a receive, a join; the permit is asked for afterwards.
            let (machine, stream) = tokio::select! {
                () = stop.cancelled() => break,
                Some(_) = tasks.join_next() => continue,
                call = calls.recv() => match call {
                    Some(call) => call,
                    None => break,
                },
            };
            let (Some(own), Some(handle)) = (each.get(machine), self.machines.get(machine)) else {
                continue;
            };
            if !handle.readings().manners.reachable {
                // Where nobody is, nothing is said: not even that the connection ends well.
                let _as_it_likes = stream.set_zero_linger();
                continue;
            }
            // No machine holds more places than are left for the others: however many of them are
            // crowded, there is one for a machine that has none.
            let held = MOST_EACH.saturating_sub(own.available_permits());
            if held > 0 && held >= all.available_permits() {
                continue;
            }
            let Ok(own) = own.clone().try_acquire_owned() else { continue };
            let waits = all.clone().acquire_owned();
            let Some(Ok(place)) = stop.run_until_cancelled(waits).await else { break };
            let host = Called { handle: handle.clone(), clock: self.clock };
            let (port, rng) = (self.port, rng.fork());
            tasks.spawn(async move {
                let _held = (place, own);
                answer(port, stream, &host, rng).await;
            });
        }
        tasks.shutdown().await;
    }
}

async fn answer(port: Port, stream: TcpStream, host: &Called, rng: fastrand::Rng) {
    let limits = Limits::default();
    let outcome = match port {
        Port::Web => serve_http(stream, host, &limits, rng).await,
        Port::Program => serve_rpc(stream, host, &limits).await,
    };
    if let Err(wrong) = outcome {
        tracing::trace!(%wrong, machine = %host.handle.ip(), "a caller left");
    }
}

/// The machine that was called.
struct Called {
    handle: MachineHandle,
    clock: Clock,
}

impl Host for Called {
    async fn look(&self, want: Want) -> Option<Look> {
        let readings = self.handle.readings();
        let now = self.clock.wall();
        self.handle.look(move |machine| Look::of(machine, want, readings, now)).await.ok()
    }

    async fn tell(&self, command: Command) {
        let _the_farm_is_gone = self.handle.command(command).await;
    }
}

#[cfg(test)]
mod tests;
