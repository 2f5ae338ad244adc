//! One virtual machine on an address of its own, without anything that mines: for trying its face.
//!
//! `cargo run -p sl-twin --example one_machine -- 127.7.0.1 antminer-l7 2024-05`, then
//! `curl --digest -u root:root http://127.7.0.1/cgi-bin/stats.cgi`.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use sl_ports::Clock;
use sl_twin::face::{Host, Limits, Look, Want, serve_http, serve_rpc};
use sl_twin::{Command, Machine, Model, Release, Spec};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

/// What a connection asks the task that owns the machine.
enum Ask {
    Look(Want, oneshot::Sender<Look>),
    Tell(Command, oneshot::Sender<()>),
}

/// The machine, as its connections have it.
#[derive(Clone)]
struct Handle(mpsc::Sender<Ask>);

impl Host for Handle {
    async fn look(&self, want: Want) -> Option<Look> {
        let (reply, answer) = oneshot::channel();
        self.0.send(Ask::Look(want, reply)).await.ok()?;
        answer.await.ok()
    }

    async fn tell(&self, command: Command) {
        let (done, wait) = oneshot::channel();
        if self.0.send(Ask::Tell(command, done)).await.is_ok() {
            let _ = wait.await;
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let ip: Ipv4Addr = words.next().as_deref().unwrap_or("127.7.0.1").parse()?;
    let model = words.next().unwrap_or_else(|| "antminer-l7".to_owned());
    let model = Model::by_id(&model).ok_or("no such model")?;
    let release: Release = words.next().as_deref().unwrap_or("2024-05").parse()?;

    let (asks, inbox) = mpsc::channel(64);
    let handle = Handle(asks);
    let web = TcpListener::bind((ip, 80)).await?;
    let rpc = TcpListener::bind((ip, 4028)).await?;
    tokio::spawn(own(Machine::new(Spec::new(model, release, 7, ip), Clock::real().mono()), inbox));
    let mut seed = 0;
    loop {
        // Both are cancel-safe.
        tokio::select! {
            accepted = web.accept() => {
                let (stream, host) = (accepted?.0, handle.clone());
                seed += 1;
                tokio::spawn(async move {
                    let rng = fastrand::Rng::with_seed(seed);
                    let _ = serve_http(stream, &host, &Limits::default(), rng).await;
                });
            }
            accepted = rpc.accept() => {
                let (stream, host) = (accepted?.0, handle.clone());
                tokio::spawn(async move {
                    let _ = serve_rpc(stream, &host, &Limits::default()).await;
                });
            }
        }
    }
}

/// Owns the machine: lets its time pass, answers for it.
async fn own(mut machine: Machine, mut inbox: mpsc::Receiver<Ask>) {
    let clock = Clock::real();
    let mut second = tokio::time::interval(Duration::from_secs(1));
    loop {
        // Both are cancel-safe.
        let ask = tokio::select! {
            _ = second.tick() => None,
            ask = inbox.recv() => match ask {
                Some(ask) => Some(ask),
                None => return,
            },
        };
        let now = clock.mono();
        machine.step(now);
        match ask {
            Some(Ask::Look(want, reply)) => {
                let readings = Arc::new(machine.readings(now));
                let look = Look::of(&machine, want, readings, clock.wall());
                let _ = reply.send(look);
            }
            Some(Ask::Tell(command, done)) => {
                machine.command(command, now);
                let _ = done.send(());
            }
            None => {}
        }
    }
}
