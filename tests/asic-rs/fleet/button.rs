//! The report button: asic-rs listens for who presses it.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use asic_rs::listener::MinerListener;
use tokio::time::timeout;
use tokio_stream::StreamExt;

use crate::kinds::Kind;
use crate::programs::{Folder, Gateway, Twins};
use crate::trial::Trial;

/// Only who never presses meets the end of patience.
const PATIENCE: Duration = Duration::from_secs(60);

/// All machines of a net press it once, and are known for what they are.
pub(crate) async fn trial(
    folder: &Folder,
    kind: &Kind,
    net: usize,
    count: usize,
    pool: &Gateway,
) -> Trial {
    let mut trial = Trial::new("the report button");
    let listener = MinerListener::new();
    let mut heard = BTreeSet::new();
    let mut stream = listener.listen().await;
    let listen = async {
        while heard.len() < count {
            match stream.next().await {
                Some(Ok(Some(machine))) => {
                    let model = machine.get_device_info().model.to_string();
                    heard.insert((machine.get_ip(), model));
                }
                Some(Ok(None)) => {}
                Some(Err(wrong)) => return Err(wrong),
                None => break,
            }
        }
        Ok(())
    };
    // The listener has its port before the first of them is up.
    let press = async { Twins::start(folder, kind, net, count, pool) };
    let (listened, twins) = tokio::join!(timeout(PATIENCE, listen), press);
    let listened = listened.unwrap_or(Ok(())).map(|()| true);
    trial.done("asic-rs listens", listened);
    match twins {
        Ok(twins) => {
            let wanted = |number| (IpAddr::from(twins.address(number)), kind.called.to_owned());
            trial.same("who pressed", heard, (1..=count).map(wanted).collect());
        }
        Err(wrong) => {
            trial.done("machines that press", Err(wrong));
        }
    }
    trial
}
