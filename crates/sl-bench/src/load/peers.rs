//! Connections without a machine, at the other end of a bare writer.

use std::io;

use tokio::{
    net::TcpStream,
    task::{JoinSet, spawn_local},
};

use super::{
    Stride,
    dial::{dial, drain, write_all},
};
use crate::{BenchError, orders::Peers};

/// Connects all, which then do what they are for until the other side ends them: how many.
pub(super) async fn connect(plan: Peers) -> Result<u64, BenchError> {
    let mut stride = Stride::of(plan.per_second);
    let mut dials = JoinSet::new();
    for number in 0..plan.count {
        stride.next().await;
        dials.spawn_local(dial(plan.to, plan.source, number));
    }
    let mut count = 0;
    while let Some(dialled) = dials.join_next().await {
        let stream = dialled.map_err(BenchError::part)?;
        let stream = stream.map_err(BenchError::io("connecting to a bare writer"))?;
        spawn_local(listen(stream, plan.says.clone().unwrap_or_default()));
        count += 1;
    }
    Ok(count)
}

async fn listen(stream: TcpStream, says: String) -> io::Result<()> {
    write_all(&stream, says.as_bytes()).await?;
    loop {
        stream.readable().await?;
        let mut lines = 0;
        let open = drain(&stream, |bytes| {
            lines += bytes.iter().filter(|byte| **byte == b'\n').count();
        })?;
        if !open {
            return Ok(());
        }
        for _ in 0..lines {
            write_all(&stream, says.as_bytes()).await?;
        }
    }
}
