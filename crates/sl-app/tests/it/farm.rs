use std::time::Duration;

use sl_app::{Composition, Settings};
use sl_units::HashRate;

use crate::{free_ports, start};

/// Blocks that cost a few dozen hashes, so that a test sees many; the rules are those of any world.
pub(crate) fn quick_world() -> Settings {
    let ports = free_ports(11);
    let mut settings = Settings::default();
    settings.simulation.engine_rate = Some(HashRate::from_hs(200.0));
    settings.simulation.min_hashes_per_block = 32.0;
    settings.simulation.rpc_port = ports;
    settings.gateway.listen = ([127, 0, 0, 1], ports + 10).into();
    settings.mine.threads = sl_hasher::Threads::Number(1);
    settings.mine.priority = sl_hasher::Priority::Normal;
    settings.machines.count = 0;
    settings
}

#[tokio::test(flavor = "multi_thread")]
async fn one_command_mines_ten_chains() {
    let running = start(quick_world(), Composition::Up);
    let everywhere = |least: u64| {
        move |summary: &sl_view::Summary| {
            summary.chains.len() == 10
                && summary.chains.values().all(|chain| chain.blocks_accepted >= least)
        }
    };
    running.until(everywhere(3)).await;
    let summary = running.stop().await;
    for (ticker, chain) in &summary.chains {
        assert_eq!(chain.blocks_rejected, 0, "{ticker}: {:?}", chain.last_error);
        assert!(chain.coins > 0.0, "{ticker} pays");
    }
    assert!(
        summary.chains.values().any(|chain| chain.blocks_below_parent > 0),
        "auxiliary blocks need no parent's"
    );
    assert_eq!(summary.shares.rejected, 0, "{:?}", summary.shares.rejected_by_reason);
    assert!(summary.shares.accepted > 0);
    assert!(summary.gateway.expect("it runs").job_latency.count > 0);
    assert!(summary.services.values().all(|state| state == "stopped"), "{:?}", summary.services);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_in_the_first_instant_is_a_stop() {
    let running = start(quick_world(), Composition::Up);
    tokio::time::sleep(Duration::ZERO).await;
    running.stop().await;
}
