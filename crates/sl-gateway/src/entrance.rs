//! Before a machine speaks: for whom it comes, and in what its bytes are wrapped.
//!
//! ```text
//!  from a balancer: PROXY header ─▶ its client's address ─▶ the guard again
//!  by the TLS port:                                         handshake
//! ```

use std::{
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use sl_guard::proxy_protocol::{Expect, Fed, HeaderReader};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::oneshot,
    time::timeout,
};

use crate::{
    ledger::Event,
    shard::{Report, Shared},
    transport::{Arrived, Wire, poll_chunk},
};

/// Whether anything has to be read before the machine's first word.
pub(crate) fn is_wanted(shared: &Shared, arrived: &Arrived) -> bool {
    arrived.tls || expects(shared, arrived.address) != Expect::None
}

/// The machine behind the header and the encryption; `None` when there is none to be served.
pub(crate) async fn enter(shared: &Shared, number: u64, arrived: Arrived) -> Option<Arrived> {
    let within = shared.authorize_within();
    timeout(within, open(shared, number, arrived)).await.ok().flatten()
}

async fn open(shared: &Shared, number: u64, mut arrived: Arrived) -> Option<Arrived> {
    let expect = expects(shared, arrived.address);
    if expect != Expect::None {
        let (client, early) = match header(&mut arrived.wire, expect).await {
            Ok(read) => read,
            Err(why) => {
                tracing::debug!(address = %arrived.address, %why, "no PROXY header that counts");
                if let Why::Header(why) = why {
                    let _ = shared.events.send(Event::Proxy(Err(why))).await;
                }
                return None;
            }
        };
        arrived.wire = Box::new(Begun { early, wire: arrived.wire });
        if let Some(client) = client {
            let _ = shared.events.send(Event::Proxy(Ok(()))).await;
            arrived.address = client;
            let (answer, admitted) = oneshot::channel();
            let report = Report::From { number, address: client.ip(), answer };
            shared.reports.send(report).await.ok()?;
            if !admitted.await.unwrap_or(false) {
                return None;
            }
        }
    }
    if arrived.tls {
        let acceptor = shared.acceptor.as_ref()?;
        match acceptor.accept(arrived.wire).await {
            Ok(wire) => arrived.wire = Box::new(wire),
            Err(wrong) => {
                tracing::debug!(address = %arrived.address, %wrong, "no TLS handshake");
                let _ = shared.events.send(Event::TlsFailed).await;
                return None;
            }
        }
    }
    Some(arrived)
}

fn expects(shared: &Shared, address: SocketAddr) -> Expect {
    shared.live.borrow().trust.expect_of(address.ip())
}

/// Why a header was not read.
#[derive(Debug, thiserror::Error)]
enum Why {
    #[error(transparent)]
    Header(#[from] sl_guard::proxy_protocol::ProxyError),
    #[error("the connection ended: {0}")]
    Wire(#[from] io::Error),
}

/// The client that the header names, and the bytes that came after it.
async fn header(wire: &mut Wire, expect: Expect) -> Result<(Option<SocketAddr>, Vec<u8>), Why> {
    let mut reader = HeaderReader::new(expect);
    loop {
        let chunk = poll_fn(|cx| poll_chunk(wire, cx)).await?;
        if chunk.is_empty() {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        let mut rest = chunk.as_slice();
        match reader.feed(&mut rest)? {
            Fed::More => {}
            Fed::Header(header) => return Ok((header.client(), rest.to_vec())),
            Fed::Absent(held) => return Ok((None, [held.as_slice(), rest].concat())),
        }
    }
}

/// A wire of which some bytes were read already.
struct Begun {
    early: Vec<u8>,
    wire: Wire,
}

impl AsyncRead for Begun {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.early.is_empty() {
            return Pin::new(&mut self.wire).poll_read(cx, into);
        }
        let count = self.early.len().min(into.remaining());
        into.put_slice(self.early.get(..count).unwrap_or_default());
        self.early.drain(..count);
        if self.early.is_empty() {
            self.early = Vec::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Begun {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.wire).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.wire).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.wire.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_shutdown(cx)
    }
}
