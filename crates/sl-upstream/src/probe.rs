use std::{net::SocketAddr, time::Duration};

use sl_ports::{
    Clock,
    tls::{FileError, Trust, client::Connector},
};
use sl_stratum::{
    ClientBound, Incoming, Line, LineSplitter, Password,
    client::{Input, Output, Session, Settings},
};
use sl_units::{Mono, ShareDifficulty};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use crate::{
    Endpoint,
    dial::{Wire, dial},
};

/// How to knock at a pool's door.
#[derive(Clone, Debug)]
pub struct Knock {
    /// Whom to believe over TLS.
    pub trust: Trust,
    /// The worker to be let in.
    pub user: String,
    /// Its password.
    pub password: Password,
    /// How long all of it may take.
    pub within: Duration,
}

/// How far a probe came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reached {
    /// Nobody answers.
    Nothing,
    /// The connection stands, and is encrypted where it should be.
    Connection,
    /// The pool speaks Stratum: it has answered the subscription.
    Handshake,
    /// It has given a job.
    Job,
}

/// What a probe of one endpoint found.
#[derive(Clone, Debug)]
pub struct Probe {
    /// Where.
    pub endpoint: Endpoint,
    /// Address that answered.
    pub address: Option<SocketAddr>,
    /// How far it came.
    pub reached: Reached,
    /// The time to connect, the name's look-up included.
    pub connect: Option<Duration>,
    /// The time of the TLS handshake.
    pub tls: Option<Duration>,
    /// From the subscription to its answer.
    pub subscribe: Option<Duration>,
    /// From the subscription to the first job.
    pub job: Option<Duration>,
    /// Whether the worker was let in, with the pool's words if not; `None` without an answer.
    pub authorized: Option<Result<(), String>>,
    /// The difficulty that it asks for.
    pub difficulty: Option<ShareDifficulty>,
    /// Bytes of extranonce: the pool's own, and those left to us.
    pub extranonce: Option<(usize, usize)>,
    /// Whether the session can be resumed.
    pub resumable: bool,
    /// Bytes of the first job's coinbase without the extranonces, and hashes of its branch.
    pub coinbase: Option<(usize, usize)>,
    /// What went wrong, or stayed out.
    pub wrong: Option<String>,
}

/// Knocks at an endpoint: connects, encrypts, subscribes, authorises, and waits for the first job.
/// Sends no share. Ends within the time given, whatever the other side does.
///
/// # Errors
/// The authorities that should be believed cannot be read; what the pool does wrong stands in the
/// [`Probe`].
pub async fn probe(endpoint: &Endpoint, knock: &Knock, clock: &Clock) -> Result<Probe, FileError> {
    let connector = Connector::new(&knock.trust)?;
    let mut probe = Probe {
        endpoint: endpoint.clone(),
        address: None,
        reached: Reached::Nothing,
        connect: None,
        tls: None,
        subscribe: None,
        job: None,
        authorized: None,
        difficulty: None,
        extranonce: None,
        resumable: false,
        coinbase: None,
        wrong: None,
    };
    let began = clock.mono();
    let dialled = match timeout(knock.within, dial(endpoint, &connector, knock.within, clock)).await
    {
        Ok(Ok(dialled)) => dialled,
        Ok(Err(wrong)) => {
            probe.wrong = Some(wrong.to_string());
            return Ok(probe);
        }
        Err(_) => {
            let within = knock.within.as_secs_f64();
            probe.wrong = Some(format!("{endpoint} does not answer within {within} s"));
            return Ok(probe);
        }
    };
    probe.reached = Reached::Connection;
    probe.address = dialled.address;
    probe.connect = Some(dialled.connect);
    probe.tls = dialled.tls;
    let left = knock.within.saturating_sub(clock.mono().since(began));
    let mut talk = Talk::new(&mut probe, knock, clock);
    let ended = timeout(left, talk.run(dialled.wire)).await;
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(wrong)) => probe.wrong = Some(wrong),
        Err(_) => {
            let missing = match probe.reached {
                Reached::Nothing | Reached::Connection => "no answer to the subscription",
                Reached::Handshake => "no job",
                Reached::Job => "no word on the worker",
            };
            probe.wrong = Some(format!("{missing} within {} s", knock.within.as_secs_f64()));
        }
    }
    if let (Some(Err(refusal)), None) = (&probe.authorized, &probe.wrong) {
        probe.wrong = Some(format!("the worker {} is refused: {refusal}", knock.user));
    }
    Ok(probe)
}

/// The conversation of a probe.
struct Talk<'a> {
    probe: &'a mut Probe,
    session: Session,
    clock: &'a Clock,
    began: Mono,
}

impl<'a> Talk<'a> {
    fn new(probe: &'a mut Probe, knock: &Knock, clock: &'a Clock) -> Self {
        let settings = Settings {
            user: knock.user.clone(),
            password: knock.password.clone(),
            ..Settings::default()
        };
        Self { probe, session: Session::new(settings), clock, began: clock.mono() }
    }

    /// Until there is a job and a word on the worker, or the worker is refused.
    async fn run(&mut self, mut wire: Box<dyn Wire>) -> Result<(), String> {
        let broke = |wrong: std::io::Error| format!("the connection broke: {wrong}");
        let outputs = self.session.step(Input::Connected);
        self.act(outputs, &mut wire).await?;
        let mut lines = LineSplitter::new(Session::LINE_LIMIT);
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let count = wire.read(&mut buffer).await.map_err(broke)?;
            if count == 0 {
                return Err("the pool closed the connection".into());
            }
            let mut bytes = buffer.get(..count).unwrap_or_default();
            while let Some(line) = lines.next_line(&mut bytes) {
                self.look(&line);
                let outputs = self.session.step(Input::Line(line));
                self.act(outputs, &mut wire).await?;
            }
            match &self.probe.authorized {
                Some(Err(_)) => return Ok(()),
                Some(Ok(())) if self.probe.job.is_some() => return Ok(()),
                _ => {}
            }
        }
    }

    /// Sees work as it comes: the session keeps it until the worker is let in.
    fn look(&mut self, line: &Line<'_>) {
        let Line::Complete(line) = line else { return };
        match ClientBound::parse(line) {
            Ok(Incoming::Call { call: ClientBound::SetDifficulty(difficulty), .. }) => {
                self.probe.difficulty = Some(difficulty);
            }
            Ok(Incoming::Call { call: ClientBound::Notify(notify), .. })
                if self.probe.job.is_none() && self.probe.reached >= Reached::Handshake =>
            {
                self.probe.job = Some(self.clock.mono().since(self.began));
                self.probe.reached = Reached::Job;
                let bytes = notify.coinbase1.len() + notify.coinbase2.len();
                self.probe.coinbase = Some((bytes, notify.branch.len()));
            }
            _ => {}
        }
    }

    async fn act(&mut self, outputs: Vec<Output>, wire: &mut Box<dyn Wire>) -> Result<(), String> {
        for output in outputs {
            match output {
                Output::Send(line) => {
                    let written = async {
                        wire.write_all(&line).await?;
                        wire.flush().await
                    };
                    written.await.map_err(|wrong| format!("the connection broke: {wrong}"))?;
                }
                Output::Subscribed(subscription) => {
                    self.probe.subscribe = Some(self.clock.mono().since(self.began));
                    self.probe.reached = self.probe.reached.max(Reached::Handshake);
                    self.probe.resumable = subscription.session.is_some();
                    self.probe.extranonce = Some((
                        subscription.extranonce1.as_bytes().len(),
                        subscription.extranonce2_len,
                    ));
                }
                Output::Authorized { verdict, .. } => {
                    self.probe.authorized = Some(verdict.map_err(|refusal| refusal.to_string()));
                }
                Output::Close(why) => return Err(why.to_string()),
                _ => {}
            }
        }
        Ok(())
    }
}
