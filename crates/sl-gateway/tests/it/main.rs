//! The gateway on real sockets, over a source that the test holds in its hands.

mod handshake;
mod harness;
mod hostile;
mod life;
mod replay;
mod shares;
mod work;
