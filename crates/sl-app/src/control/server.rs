use std::{convert::Infallible, sync::Arc, time::Duration};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::answer::answer;
use crate::view::View;

/// Visitors at once; more wait in the listeners' queues.
const VISITORS: usize = 64;
/// A visitor who takes longer for a request is left.
const HEADERS: Duration = Duration::from_secs(10);
/// A visitor who keeps the connection longer is left: none of the answers takes time.
const VISIT: Duration = Duration::from_secs(120);
/// How long visits may take to end at the stop.
const LAST: Duration = Duration::from_millis(300);

/// Serves both doors until told to stop.
pub(super) async fn run(
    socket: Option<UnixListener>,
    port: Option<TcpListener>,
    view: View,
    stop: CancellationToken,
) {
    let visitors = Arc::new(Semaphore::new(VISITORS));
    let visits = TaskTracker::new();
    loop {
        // Cancel-safe: a token, a permit, two accepts.
        let permit = tokio::select! {
            () = stop.cancelled() => break,
            permit = Arc::clone(&visitors).acquire_owned() => permit,
        };
        let Ok(permit) = permit else { break };
        let (view, stop_visit) = (view.clone(), stop.clone());
        tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept_unix(socket.as_ref()) => match accepted {
                Ok(stream) => drop(visits.spawn(async move {
                    visit(stream, view, stop_visit).await;
                    drop(permit);
                })),
                Err(wrong) => pause(&wrong).await,
            },
            accepted = accept_tcp(port.as_ref()) => match accepted {
                Ok(stream) => drop(visits.spawn(async move {
                    visit(stream, view, stop_visit).await;
                    drop(permit);
                })),
                Err(wrong) => pause(&wrong).await,
            },
        }
    }
    visits.close();
    if timeout(LAST, visits.wait()).await.is_err() {
        tracing::debug!("visitors of the control door were left");
    }
}

async fn accept_unix(listener: Option<&UnixListener>) -> std::io::Result<tokio::net::UnixStream> {
    match listener {
        Some(listener) => listener.accept().await.map(|(stream, _)| stream),
        None => std::future::pending().await,
    }
}

async fn accept_tcp(listener: Option<&TcpListener>) -> std::io::Result<tokio::net::TcpStream> {
    match listener {
        Some(listener) => listener.accept().await.map(|(stream, _)| stream),
        None => std::future::pending().await,
    }
}

async fn pause(wrong: &std::io::Error) {
    tracing::warn!(%wrong, "the control door cannot accept");
    sleep(Duration::from_millis(100)).await;
}

async fn visit<S: AsyncRead + AsyncWrite + Unpin>(stream: S, view: View, stop: CancellationToken) {
    let service = service_fn(move |request| {
        let answer = answer(&request, &view);
        async move { Ok::<_, Infallible>(answer) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        ended = timeout(VISIT, connection.as_mut()) => tracing::trace!(?ended, "a visit ended"),
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let _ended = timeout(LAST, connection).await;
        }
    }
}
