//! The public contract of `sl-ports`, over real sockets on loopback.

#[cfg(test)]
mod http;
#[cfg(test)]
mod listen;
#[cfg(test)]
mod tls;
