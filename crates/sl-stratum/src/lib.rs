//! Stratum V1 as Scrypt pools and machines speak it, without I/O.
//!
//! For: cutting a stream into lines ([`LineSplitter`]), the typed messages of both directions
//! ([`ServerBound`], [`ClientBound`], [`Reply`]), and both ends of a connection as pure state
//! machines: [`server::Session`] faces a machine, [`client::Session`] faces a pool; and keeping a
//! conversation as text, to be said again ([`transcript`]). The sessions tolerate
//! the dialects recorded in `testdata/stratum`, and bound everything that a peer can make grow.
//!
//! Not for: sockets, clocks, queues, jobs, hashing or verdicts. A session turns lines into what
//! happened and what to send; who owns slots, difficulty and shares decides the rest. Stratum V2
//! is another crate's.
//!
//! One line is one JSON object. A machine's first words and the answers:
//!
//! ```text
//! > {"id":1,"method":"mining.subscribe","params":["cpuminer/2.5.1"]}
//! < {"id":1,"result":[[["mining.set_difficulty","0a"],["mining.notify","0a"]],"964597eb",4],"error":null}
//! > {"id":2,"method":"mining.authorize","params":["LtestAddr.w1","d=0.02"]}
//! < {"id":2,"result":true,"error":null}
//! < {"id":null,"method":"mining.set_difficulty","params":[0.02]}
//! < {"id":null,"method":"mining.notify","params":["1","bc77…","0100…","0000…",[],"20000000","1b00ffff","6b02ea76",true]}
//! > {"id":4,"method":"mining.submit","params":["LtestAddr.w1","1","00000000","6b02ea76","15000000"]}
//! < {"id":4,"result":true,"error":null}
//! ```
//!
//! ```
//! use sl_stratum::{Extranonce, Line, LineSplitter, server};
//!
//! let mut lines = LineSplitter::new(4096);
//! let mut session = server::Session::new(server::Settings::default().into());
//! let mut bytes: &[u8] = b"{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"cpuminer/2.5.1\"]}\n";
//! let mut asked = Vec::new();
//! while let Some(line) = lines.next_line(&mut bytes) {
//!     asked.extend(session.step(server::Input::Line(line)));
//! }
//! let [server::Output::Subscribe(subscribe)] = asked.as_slice() else { panic!("a subscription") };
//! assert_eq!(subscribe.user_agent.as_deref(), Some("cpuminer/2.5.1"));
//!
//! let welcome = server::Welcome {
//!     session_id: "0a".into(),
//!     extranonce1: Extranonce::new(&[0, 0, 0, 7]).expect("at most 32 bytes"),
//!     extranonce2_len: 4,
//! };
//! let answer = session.step(server::Input::Welcome(Ok(welcome)));
//! let [server::Output::Send(line)] = answer.as_slice() else { panic!("one line") };
//! assert!(line.ends_with(b",\"00000007\",4],\"error\":null}\n"));
//! ```
#![forbid(unsafe_code)]

pub mod client;
mod error;
mod extranonce;
mod field;
mod line;
mod message;
pub mod server;
pub mod transcript;

pub use error::{ErrorCode, Refusal};
pub use extranonce::{Extranonce, ExtranonceError};
pub use field::MessageError;
pub use line::{Line, LineSplitter};
pub use message::{
    Authorize, ClientBound, Configure, Id, Incoming, Malformed, Notify, Password, Reconnect, Reply,
    ServerBound, Submit, Subscribe, Subscription,
};
