use std::{convert::Infallible, sync::Arc};

use sl_chain::address::Network;
use sl_noderpc::{BlockTemplate, NodeError, NodeFault};
use sl_units::Mono;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::{Ended, Report, Waiting, Watcher, says_simulated, steady};
use crate::assemble::ParentWork;

/// The rules that a miner of Litecoin must know.
const RULES: [&str; 2] = ["mweb", "segwit"];

/// Watches the parent's node for ever: identity, templates on long poll, on a timer and on demand.
pub(crate) async fn watch_parent(mut watcher: Watcher) {
    loop {
        let Err(ended) = session(&mut watcher).await;
        watcher.trouble(None, ended.state()).await;
    }
}

async fn session(watcher: &mut Watcher) -> Result<Infallible, Ended> {
    identify(watcher).await?;
    let client = watcher.client.clone();
    let fresh = || client.block_template(&RULES, None);
    let mut template = steady(fresh).await?;
    watcher.backoff.reset();
    let mut poll = long_poll(watcher, &template, false);
    let mut asked = watcher.clock.mono();
    report(watcher, template.clone(), asked).await;

    let mut refresh = interval(watcher.refresh);
    refresh.set_missed_tick_behavior(MissedTickBehavior::Delay);
    refresh.reset();
    // For nodes without long polls, and while one is between two.
    let mut tips = interval(watcher.tip_poll);
    tips.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        // Cancel safety: intervals and the notification lose nothing; the long poll is kept over
        // the turns of the loop and only ever dropped when it is done.
        tokio::select! {
            answer = waiting(&mut poll) => {
                let learned = watcher.clock.mono();
                let idle = learned.since(asked) < watcher.tip_poll;
                match answer {
                    Ok(new) => {
                        let same = new.prev == template.prev;
                        template = new;
                        // A node that answers at once without news must not be asked in a circle.
                        poll = long_poll(watcher, &template, idle && same);
                        report(watcher, template.clone(), learned).await;
                    }
                    // The refresh says whether the node is well.
                    Err(NodeError { fault: NodeFault::Slow { .. }, .. }) => {
                        poll = long_poll(watcher, &template, false);
                        refresh.reset_immediately();
                    }
                    Err(_) => {
                        poll = None;
                        refresh.reset_immediately();
                    }
                }
                asked = learned;
            }
            _ = tips.tick(), if poll.is_none() => {
                if steady(|| client.best_block_hash()).await? != template.prev {
                    let learned = watcher.clock.mono();
                    template = steady(fresh).await?;
                    report(watcher, template.clone(), learned).await;
                }
            }
            () = watcher.poke.notified() => {
                let learned = watcher.clock.mono();
                template = steady(fresh).await?;
                report(watcher, template.clone(), learned).await;
            }
            _ = refresh.tick() => {
                let learned = watcher.clock.mono();
                template = steady(fresh).await?;
                if poll.is_none() {
                    poll = long_poll(watcher, &template, true);
                    asked = learned;
                }
                report(watcher, template.clone(), learned).await;
            }
        }
    }
}

/// Whether it is a node of the coin, and one that may be paid to this address.
async fn identify(watcher: &Watcher) -> Result<(), Ended> {
    let client = &watcher.client;
    let info = steady(|| client.blockchain_info()).await?;
    let row = watcher.member.row;
    let genesis = steady(|| client.block_hash(0)).await?;
    let regtest = row.regtest.as_ref().and_then(|regtest| regtest.genesis);
    let network = if genesis == row.genesis {
        Network::Main
    } else if Some(genesis) == regtest {
        Network::Regtest
    } else {
        return Err(Ended::WrongChain(format!(
            "{}: it is on the chain {:?} that begins with {genesis}, {} begins with {}{}; hint: \
             point the setting at a node of {}",
            client.name(),
            info.chain,
            row.name,
            row.genesis,
            regtest.map(|hash| format!(" (regtest: {hash})")).unwrap_or_default(),
            row.name,
        )));
    };
    match watcher.member.address_fault(network, says_simulated(&info)) {
        Some(fault) => Err(Ended::WrongChain(format!("{}: {fault}", client.name()))),
        None => Ok(()),
    }
}

fn long_poll(
    watcher: &Watcher,
    template: &BlockTemplate,
    later: bool,
) -> Option<Waiting<BlockTemplate>> {
    let id = template.long_poll_id.clone()?;
    let (client, pause) = (watcher.client.clone(), watcher.tip_poll);
    Some(Box::pin(async move {
        if later {
            sleep(pause).await;
        }
        client.block_template(&RULES, Some(&id)).await
    }))
}

async fn report(watcher: &Watcher, template: BlockTemplate, learned: Mono) {
    let work = Arc::new(ParentWork::new(template));
    let _ = watcher.reports.send(Report::Parent { work, learned }).await;
}

/// The answer of a call under way; never, if there is none. Cancel-safe: the call stays.
async fn waiting<T>(call: &mut Option<Waiting<T>>) -> Result<T, NodeError> {
    match call {
        Some(call) => call.await,
        None => std::future::pending().await,
    }
}
