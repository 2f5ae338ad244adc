//! The gateway on real sockets, over a source that the test holds in its hands.

mod handshake;
mod harness;
mod hostile;
mod journal;
mod life;
mod live;
mod plug;
mod replay;
mod shares;
mod work;
