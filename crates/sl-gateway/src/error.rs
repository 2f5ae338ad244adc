use std::net::SocketAddr;

use sl_ports::bind::BindError;
use sl_pow::NoProver;
use sl_work::Unfit;
use thiserror::Error;

/// Why the gateway cannot serve.
#[derive(Debug, Error)]
pub enum GatewayError {
    /// Other computers would be served without a word from the operator.
    #[error(
        "gateway.listen is {listen}, which other computers can reach, allowed are loopback \
         addresses; set gateway.allow_lan to true to serve them, with gateway.password"
    )]
    Wide {
        /// The address.
        listen: SocketAddr,
    },
    /// The password is a reference that nobody has followed.
    #[error("gateway.password is set but was not looked up; give it with Gateway::with_password")]
    Password,
    /// Nobody can connect.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// No engine of the algorithm is right on this machine.
    #[error(transparent)]
    NoEngine(#[from] NoProver),
    /// The operating system gives no thread.
    #[error("cannot start a thread that checks shares: {0}")]
    Thread(#[from] std::io::Error),
    /// A thread that checks shares has died.
    #[error("a thread that checks shares has died; its engine cannot be trusted further")]
    VerifierDied,
    /// The source gives no lease any more.
    #[error("source {source_id} gives no lease: {why}")]
    Unfit {
        /// The source.
        source_id: String,
        /// Its reason.
        why: Unfit,
    },
    /// A task of the gateway has died.
    #[error("a part of the gateway has died: {0}")]
    Died(&'static str),
}
