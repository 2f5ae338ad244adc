use std::collections::{HashMap, VecDeque};

use super::{Direction, Transcript};
use crate::{
    Id, Incoming, Line, ServerBound,
    client::{Input, Output, Session},
};

/// What a session makes of a conversation that somebody had.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Replay {
    /// Everything that came out but lines, in order. A share's ticket is its number in the
    /// transcript, from 0.
    pub outputs: Vec<Output>,
    /// Shares that the machine of the transcript sent.
    pub shares: u64,
    /// Calls of the machine that our session does not make by itself, or not so: they were not
    /// said again.
    pub unsaid: Vec<String>,
}

/// Says a conversation again: what the pool said goes into `session`, and each share that the
/// machine sent is sent by it. The machine of the transcript need not be ours: its ids stand for
/// ours, also where it used one id for all (minerd's shares).
#[must_use]
pub fn replay(transcript: &Transcript, mut session: Session) -> Replay {
    let mut replay = Replay::default();
    let mut ids = Ids::default();
    ids.take(&mut replay, session.step(Input::Connected));
    for entry in &transcript.entries {
        match entry.direction {
            Direction::Down => {
                let line = ids.ours(&entry.line);
                let out = session.step(Input::Line(Line::Complete(&line)));
                ids.take(&mut replay, out);
            }
            Direction::Up => {
                let Ok(Incoming::Call { id, call }) = ServerBound::parse(&entry.line) else {
                    continue;
                };
                let kind = std::mem::discriminant(&call);
                if let ServerBound::Submit(submit) = call {
                    let out = session.step(Input::Submit { ticket: replay.shares, submit });
                    replay.shares += 1;
                    ids.take(&mut replay, out);
                } else if let ServerBound::Authorize(call) = call
                    && session.is_running()
                {
                    // A further worker on the same connection.
                    let out = session.step(Input::Authorize(call));
                    ids.take(&mut replay, out);
                } else if !ids.said.iter().any(|(known, _)| *known == kind) {
                    replay.unsaid.push(String::from_utf8_lossy(&entry.line).into_owned());
                    continue;
                }
                if let Some(at) = ids.said.iter().position(|(known, _)| *known == kind)
                    && let Some((_, ours)) = ids.said.remove(at)
                {
                    ids.theirs.entry(id.to_string()).or_default().push_back(ours);
                }
            }
        }
    }
    let out = session.step(Input::Closed);
    ids.take(&mut replay, out);
    replay
}

/// Whose id is whose.
#[derive(Default)]
struct Ids {
    /// Calls of our session that the machine of the transcript has not made yet.
    said: VecDeque<(std::mem::Discriminant<ServerBound>, Id)>,
    /// Ours under theirs, the oldest first.
    theirs: HashMap<String, VecDeque<Id>>,
}

impl Ids {
    fn take(&mut self, replay: &mut Replay, outputs: Vec<Output>) {
        for output in outputs {
            let Output::Send(line) = &output else {
                replay.outputs.push(output);
                continue;
            };
            if let Ok(Incoming::Call { id, call }) = ServerBound::parse(line) {
                self.said.push_back((std::mem::discriminant(&call), id));
            }
        }
    }

    /// A line of the pool with our id in the place of theirs, where it is a reply.
    fn ours(&mut self, line: &[u8]) -> Vec<u8> {
        let same = || line.to_vec();
        let Ok(serde_json::Value::Object(mut message)) = serde_json::from_slice(line) else {
            return same();
        };
        if message.get("method").is_some_and(|method| !method.is_null()) {
            return same();
        }
        let Some(id) = message.get("id").map(ToString::to_string) else { return same() };
        let Some(ours) = self.theirs.get_mut(&id).and_then(VecDeque::pop_front) else {
            return same();
        };
        message.insert("id".into(), ours.as_u64().into());
        serde_json::Value::Object(message).to_string().into_bytes()
    }
}
