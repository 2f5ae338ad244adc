use std::{convert::Infallible, time::Duration};

use sl_chain::address::Network;
use sl_noderpc::{AuxCall, AuxTemplate, NodeError, NodeFault};
use sl_units::{Hash256, Mono};
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::{Ended, Report, Waiting, Watcher, says_simulated, steady};
use crate::assemble::AuxWork;

/// How long a node may hold `waitfornewblock`.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a node that waits for us is asked for its tip all the same: a block between two waits
/// goes unseen otherwise.
const GUARD: Duration = Duration::from_secs(1);

/// Watches an auxiliary node for ever: identity, tip by tip, on demand and on a timer.
pub(crate) async fn watch_auxiliary(seat: usize, mut watcher: Watcher) {
    loop {
        let Err(ended) = session(seat, &mut watcher).await;
        watcher.trouble(Some(seat), ended.state()).await;
    }
}

async fn session(seat: usize, watcher: &mut Watcher) -> Result<Infallible, Ended> {
    let client = watcher.client.clone();
    let (mut template, call) = first(watcher).await?;
    identify(watcher, &template)?;
    check_address(watcher).await?;
    watcher.backoff.reset();
    let mut asked = watcher.clock.mono();
    report(seat, watcher, &template, call, asked).await;

    let mut refresh = interval(watcher.refresh);
    refresh.set_missed_tick_behavior(MissedTickBehavior::Delay);
    refresh.reset();
    let mut tips = interval(GUARD);
    tips.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut wait = Some(next_block(watcher, false));
    loop {
        // Cancel safety: as for the parent. `learned` is set where the template may have fallen.
        let learned = tokio::select! {
            biased;
            answer = waiting(&mut wait) => {
                let now = watcher.clock.mono();
                match answer {
                    Ok(tip) => {
                        let idle = tip == template.prev && now.since(asked) < watcher.tip_poll;
                        wait = Some(next_block(watcher, idle));
                        // A block may have come before the node began to wait again.
                        tips.reset_immediately();
                        asked = now;
                        (tip != template.prev).then_some(now)
                    }
                    Err(NodeError { fault: NodeFault::NoSuchMethod { .. }, .. }) => {
                        wait = None;
                        tips = interval(watcher.tip_poll);
                        tips.set_missed_tick_behavior(MissedTickBehavior::Delay);
                        None
                    }
                    Err(_) => {
                        // The question for the tip says whether the node is well.
                        wait = Some(next_block(watcher, true));
                        tips.reset_immediately();
                        asked = now;
                        None
                    }
                }
            }
            _ = tips.tick() => {
                let tip = steady(|| client.best_block_hash()).await?;
                (tip != template.prev).then(|| watcher.clock.mono())
            }
            () = watcher.poke.notified() => Some(watcher.clock.mono()),
            _ = refresh.tick() => Some(watcher.clock.mono()),
        };
        if let Some(learned) = learned {
            template = ask(watcher, call).await?;
            identify(watcher, &template)?;
            report(seat, watcher, &template, call, learned).await;
        }
    }
}

/// The first template, and with which call: old daemons have `getauxblock` alone.
async fn first(watcher: &Watcher) -> Result<(AuxTemplate, AuxCall), Ended> {
    match ask(watcher, AuxCall::Create).await {
        Ok(template) => Ok((template, AuxCall::Create)),
        Err(NodeError { fault: NodeFault::NoSuchMethod { .. }, .. }) => {
            Ok((ask(watcher, AuxCall::Get).await?, AuxCall::Get))
        }
        Err(error) => Err(error.into()),
    }
}

async fn ask(watcher: &Watcher, call: AuxCall) -> Result<AuxTemplate, NodeError> {
    let (client, address) = (&watcher.client, &watcher.member.node.address);
    match call {
        AuxCall::Create => steady(|| client.create_aux_block(address)).await,
        AuxCall::Get => steady(|| client.get_aux_block()).await,
    }
}

fn identify(watcher: &Watcher, template: &AuxTemplate) -> Result<(), Ended> {
    let row = watcher.member.row;
    match row.chain_id {
        Some(id) if id.get() != template.chain_id => Err(Ended::WrongChain(format!(
            "{}: it gives blocks with the chain id {}, {} has {id}; hint: point the setting at a \
             node of {}",
            watcher.client.name(),
            template.chain_id,
            row.name,
            row.name,
        ))),
        _ => Ok(()),
    }
}

/// A node that may be paid to this address. Networks are told by name here: auxiliary chains share
/// genesis blocks.
async fn check_address(watcher: &Watcher) -> Result<(), Ended> {
    let client = &watcher.client;
    let info = steady(|| client.blockchain_info()).await?;
    let network = if info.chain == "main" { Network::Main } else { Network::Regtest };
    match watcher.member.address_fault(network, says_simulated(&info)) {
        Some(fault) => Err(Ended::WrongChain(format!("{}: {fault}", client.name()))),
        None => Ok(()),
    }
}

fn next_block(watcher: &Watcher, later: bool) -> Waiting<Hash256> {
    let (client, pause) = (watcher.client.clone(), watcher.tip_poll);
    Box::pin(async move {
        if later {
            sleep(pause).await;
        }
        client.wait_for_new_block(PATIENCE).await
    })
}

async fn report(
    seat: usize,
    watcher: &Watcher,
    template: &AuxTemplate,
    call: AuxCall,
    learned: Mono,
) {
    let work = AuxWork { row: watcher.member.row, template: template.clone(), call };
    let _ = watcher.reports.send(Report::Auxiliary { seat, work, learned }).await;
}

/// The answer of a call under way; never, if there is none. Cancel-safe: the call stays.
async fn waiting<T>(call: &mut Option<Waiting<T>>) -> Result<T, NodeError> {
    match call {
        Some(call) => call.await,
        None => std::future::pending().await,
    }
}
