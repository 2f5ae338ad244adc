//! The face on the network, met as those who ask meet it: bytes in, bytes out.

mod booth;
mod client;
mod hostile;
mod living;
mod recorded;
mod replies;
mod sample;
mod writes;
