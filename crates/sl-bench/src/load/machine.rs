//! An honest machine: its shares were mined before, everything else is as of a real one.

use std::{collections::VecDeque, io, net::Ipv4Addr, rc::Rc, time::Duration};

use fastrand::Rng;
use serde::Deserialize;
use serde_json::Value;
use tokio::{
    net::TcpStream,
    time::{Instant, sleep, sleep_until},
};

use super::{
    company::Company,
    dial::{dial, drain, proxy_header, write_all},
    work::{Found, Job},
};
use crate::{
    instant::{micros, nanos},
    orders::{Acknowledged, Pace},
    premined::{NTIME, OWN},
};

/// Where a call ends at the latest and the rest of a line begins.
const HEAD: usize = 48;
/// Shares that may wait for their answers; what is found meanwhile is lost, as with most machines.
const MOST_IN_FLIGHT: usize = 32;
const SUBSCRIBE: u64 = 1;
const AUTHORIZE: u64 = 2;

/// Lives until its connection ends for good.
pub(super) async fn live(company: Rc<Company>, at: u32) {
    let number = company.plan().first + at;
    let mut machine = Machine {
        name: format!("bench.m{number}"),
        number,
        at,
        rng: Rng::with_seed(u64::from(number)),
        known: None,
        job: None,
        pace: Pace::Quiet,
        vanished: false,
        company,
        talk: Talk::default(),
    };
    loop {
        let plan = machine.company.plan();
        // The end of a connection is counted; why it ended is the gateway's to tell.
        if let Ok(stream) = dial(plan.gateway, plan.source, machine.number).await {
            let silent = matches!(machine.converse(&stream).await, Ok(End::Silence));
            machine.end(!silent);
            if silent {
                machine.company.keep_open(stream);
            }
        }
        let Some(pause) = machine.company.plan().return_after_ms else { return };
        let jitter = machine.rng.f64() + 0.5;
        sleep(Duration::from_millis(pause).mul_f64(jitter)).await;
    }
}

struct Machine {
    company: Rc<Company>,
    number: u32,
    /// Which one it is among those of its process.
    at: u32,
    name: String,
    rng: Rng,
    /// The session and the slot of its last connection.
    known: Option<(String, u32)>,
    /// What it works on; it goes on where it was when it is given the same again.
    job: Option<Job>,
    pace: Pace,
    /// Whether it has fallen silent once.
    vanished: bool,
    talk: Talk,
}

/// One connection.
#[derive(Default)]
struct Talk {
    slot: Option<u32>,
    /// The difficulty that counts from the next job on; `None` before the first.
    told: Option<f64>,
    has_job: bool,
    /// The beginning of a line that has not come to its end.
    rest: Vec<u8>,
    out: Vec<u8>,
    in_flight: VecDeque<Sent>,
    last_id: u64,
}

/// How a connection came to its end.
enum End {
    /// The other side ended it.
    Closed,
    /// The machine fell silent.
    Silence,
}

struct Sent {
    id: u64,
    at: u64,
    job: String,
    nonce: u32,
}

#[derive(Deserialize)]
struct Reply {
    id: Option<u64>,
    #[serde(default)]
    result: Value,
    #[serde(default)]
    error: Value,
}

impl Machine {
    async fn converse(&mut self, stream: &TcpStream) -> io::Result<End> {
        self.greet();
        let mut will = self.company.will();
        self.pace = will.borrow_and_update().pace;
        let mut due = self.next_share();
        loop {
            if !self.talk.out.is_empty() {
                let out = std::mem::take(&mut self.talk.out);
                write_all(stream, &out).await?;
            }
            if self.at < will.borrow().vanish && !self.vanished && self.is_settled() {
                self.vanished = true;
                return Ok(End::Silence);
            }
            // Every branch is cancel-safe: readiness, a sleep, a change.
            tokio::select! {
                readable = stream.readable() => {
                    readable?;
                    if !drain(stream, |bytes| self.hear(bytes, nanos()))? {
                        return Ok(End::Closed);
                    }
                    // By chance the next share comes when it comes; by hashes another job has others.
                    if matches!(self.pace, Pace::Hashes { .. }) {
                        due = self.next_share();
                    }
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    self.submit();
                    due = self.next_share();
                }
                changed = will.changed() => {
                    if changed.is_err() {
                        return Ok(End::Closed);
                    }
                    self.pace = will.borrow_and_update().pace;
                    if let Some(job) = &mut self.job {
                        job.since = Instant::now();
                    }
                    due = self.next_share();
                }
            }
            if let Pace::Closed { in_flight } = self.pace {
                while self.talk.in_flight.len() < in_flight && self.submit() {}
            }
        }
    }

    /// Whether it has a job, and nothing that it sent waits for an answer.
    fn is_settled(&self) -> bool {
        self.talk.has_job && self.talk.in_flight.is_empty()
    }

    fn greet(&mut self) {
        let mut words = String::new();
        if self.company.plan().proxied {
            let [_, high, middle, low] = self.number.to_be_bytes();
            words += &proxy_header(Ipv4Addr::new(198, 18 + high, middle, low));
        }
        let session = match &self.known {
            Some((session, _)) => format!(",\"{session}\""),
            None => String::new(),
        };
        let name = &self.name;
        words += &format!(
            "{{\"id\":{SUBSCRIBE},\"method\":\"mining.subscribe\",\"params\":[\"cgminer/4.9.0\"{session}]}}\n\
             {{\"id\":{AUTHORIZE},\"method\":\"mining.authorize\",\"params\":[\"{name}\",\"x\"]}}\n"
        );
        self.talk.out = words.into_bytes();
        self.talk.last_id = AUTHORIZE;
    }

    /// When it has to send a share next; `None`: not by the clock.
    fn next_share(&mut self) -> Option<Instant> {
        match self.pace {
            Pace::Mean { seconds } => {
                let wait = -(1.0 - self.rng.f64()).ln() * seconds;
                Some(Instant::now() + Duration::from_secs_f64(wait))
            }
            Pace::Hashes { per_second } => {
                let found = self.found()?;
                self.job.as_ref().map(|job| job.when_made(found.made, per_second))
            }
            Pace::Quiet | Pace::Closed { .. } => None,
        }
    }

    /// The next share of its job.
    fn found(&self) -> Option<Found> {
        self.job.as_ref()?.next_share(&self.company.shares, self.talk.slot?)
    }

    /// Sends the next share of its job; false where it has none.
    fn submit(&mut self) -> bool {
        let found = if self.talk.has_job { self.found() } else { None };
        let (Some(found), Some(job)) = (found, &mut self.job) else {
            self.company.count(|seen| seen.exhausted += u64::from(self.talk.has_job));
            return false;
        };
        if let Pace::Hashes { per_second } = self.pace {
            job.since = job.when_made(found.made, per_second);
        }
        job.made = found.made;
        if self.talk.in_flight.len() >= MOST_IN_FLIGHT {
            self.company.count(|seen| seen.unsent += 1);
            return true;
        }
        self.talk.last_id += 1;
        let (id, nonce, job) = (self.talk.last_id, found.nonce, job.id.clone());
        self.talk.out.extend_from_slice(submit_line(id, &self.name, &job, nonce).as_bytes());
        self.talk.in_flight.push_back(Sent { id, at: nanos(), job, nonce });
        self.company.sent();
        true
    }

    fn hear(&mut self, mut bytes: &[u8], at: u64) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let (line, after) = bytes.split_at(end + 1);
            bytes = after;
            if self.talk.rest.is_empty() {
                self.line(line, at);
            } else {
                let mut whole = std::mem::take(&mut self.talk.rest);
                whole.extend_from_slice(line);
                self.line(&whole, at);
            }
        }
        self.talk.rest.extend_from_slice(bytes);
    }

    fn line(&mut self, line: &[u8], at: u64) {
        let head = line.get(..HEAD).unwrap_or(line);
        let says = |word: &[u8]| head.windows(word.len()).any(|part| part == word);
        if says(b"\"method\":\"mining.notify\"") {
            self.job(line, at);
        } else if says(b"\"method\":\"mining.set_difficulty\"") {
            let told: Option<Value> = serde_json::from_slice(line).ok();
            let Some(told) = told.and_then(|told| told["params"][0].as_f64()) else { return };
            let another = self.talk.told.replace(told).is_some_and(|before| before != told);
            self.company.count(|seen| seen.retargets += u64::from(another));
        } else if let Ok(reply) = serde_json::from_slice::<Reply>(line) {
            self.reply(&reply, at);
        }
    }

    fn job(&mut self, line: &[u8], at: u64) {
        let Some(id) = job_of(line) else { return };
        self.company.job_came(id, at);
        let ntime = format!("\"{NTIME:08x}\"");
        let tail = line.get(line.len().saturating_sub(HEAD)..).unwrap_or(line);
        let again = !tail.windows(ntime.len()).any(|part| part == ntime.as_bytes());
        let (now, difficulty) = (Instant::now(), self.talk.told.unwrap_or_default());
        // A later time in it says that it is the job of before, and its hashes were made as they were.
        let same = |job: &Job| again || job.id == id;
        self.job = Some(match self.job.take().filter(same) {
            Some(job) => job.at(self.pace, now).again(id, difficulty),
            None => Job::new(id, difficulty, self.pace, now, &mut self.rng),
        });
        if !std::mem::replace(&mut self.talk.has_job, true) {
            self.company.has_job();
        }
    }

    fn reply(&mut self, reply: &Reply, at: u64) {
        match reply.id {
            Some(SUBSCRIBE) => self.subscribed(&reply.result),
            Some(AUTHORIZE) | None => {}
            Some(id) => {
                let Some(sent) = self.talk.in_flight.pop_front() else { return };
                if sent.id != id {
                    self.talk.in_flight.push_front(sent);
                    return;
                }
                let accepted = reply.result == Value::Bool(true);
                let code = (!accepted).then(|| reply.error[0].as_i64().unwrap_or(-1));
                self.company.answered(code, micros(sent.at, at));
                if accepted {
                    let slot = self.talk.slot.unwrap_or_default();
                    self.company.acknowledge(|| Acknowledged {
                        job: sent.job,
                        extranonce: hex::encode([slot.to_be_bytes(), OWN].concat()),
                        nonce: sent.nonce,
                    });
                }
            }
        }
    }

    fn subscribed(&mut self, result: &Value) {
        let slot = result[1].as_str().and_then(|text| u32::from_str_radix(text, 16).ok());
        let session = result[0][0][1].as_str().unwrap_or_default().to_owned();
        let Some(slot) = slot else { return };
        if self.known.as_ref().is_some_and(|(_, known)| *known != slot) {
            self.company.count(|seen| seen.strangers += 1);
            self.job = None;
        }
        self.known = Some((session, slot));
        self.talk.slot = Some(slot);
    }

    /// Its connection is over: it was ended, or is left open.
    fn end(&mut self, ended: bool) {
        let talk = std::mem::take(&mut self.talk);
        self.company.left(talk.has_job, ended, talk.in_flight.len() as u64);
    }
}

/// A share as it is sent.
pub(crate) fn submit_line(id: u64, worker: &str, job: &str, nonce: u32) -> String {
    format!(
        "{{\"id\":{id},\"method\":\"mining.submit\",\"params\":[\"{worker}\",\"{job}\",\"{}\",\"{NTIME:08x}\",\"{nonce:08x}\"]}}\n",
        hex::encode(OWN)
    )
}

/// The job's id in a notify, without reading the rest of it.
pub(super) fn job_of(line: &[u8]) -> Option<&str> {
    const BEFORE: &[u8] = b"\"params\":[\"";
    let from = line.windows(BEFORE.len()).position(|part| part == BEFORE)? + BEFORE.len();
    let rest = line.get(from..)?;
    let end = rest.iter().position(|byte| *byte == b'"')?;
    std::str::from_utf8(rest.get(..end)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_job_is_read_without_the_rest() {
        let line = crate::premined::notify("1f".into(), true).to_line();
        assert_eq!(job_of(&line), Some("1f"));
        assert_eq!(job_of(b"{\"params\":[\"open"), None);
        assert!(line.windows(10).any(|part| part == format!("\"{NTIME:08x}\"").as_bytes()));
    }
}
