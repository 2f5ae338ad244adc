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
        "{listen} can be reached by other computers, allowed are loopback addresses; set \
         gateway.allow_lan to true to serve them, and gateway.password"
    )]
    Wide {
        /// The address.
        listen: SocketAddr,
    },
    /// Other computers would be served without a password.
    #[error(
        "{listen} can be reached by other computers, and no password is asked of them; set \
         gateway.password, as in env:GATEWAY_PASSWORD, and give it to the machines"
    )]
    Open {
        /// The address.
        listen: SocketAddr,
    },
    /// The password is a reference that nobody has followed.
    #[error("gateway.password is set but was not looked up; give it with Gateway::with_password")]
    Password,
    /// Nobody can connect.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// A changed address cannot be had; the gateway listens where it did.
    #[error("{0}; the gateway listens where it did")]
    Move(#[source] BindError),
    /// The gateway is busy with an address that was changed just before.
    #[error("the address was changed just before; try again in a second")]
    Busy,
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
    /// The source has fewer bytes than the machines were promised, for good.
    #[error(
        "source {source_id} leaves {widest} bytes of extranonce now, machines were promised \
         {leased}; the gateway starts again with fewer, and machines connect again"
    )]
    Narrower {
        /// The source.
        source_id: String,
        /// Free bytes that were leased.
        leased: usize,
        /// Free bytes that there are.
        widest: usize,
    },
    /// The journal cannot be read, so that machines would lose their slots.
    #[error("what machines were given before cannot be read: {0}")]
    Recall(#[from] sl_ledger::LedgerError),
    /// No test of claims can be made for these settings.
    #[error("claims of machines cannot be tested: {0}; set gateway.shares_per_minute")]
    Claims(#[from] sl_guard::proof::RequirementError),
    /// TLS is asked for, and a file for it is not named.
    #[error("gateway.tls_listen is set, and {0} is not; name the PEM file")]
    TlsFiles(&'static str),
    /// A file for TLS is of no use.
    #[error(transparent)]
    Tls(#[from] sl_ports::tls::FileError),
    /// A task of the gateway has died.
    #[error("a part of the gateway has died: {0}")]
    Died(&'static str),
}
