use std::net::Ipv4Addr;

use sl_scenario::Span;
use tokio::net::UdpSocket;

use super::*;
use crate::{Fault, Model, Release, Spec};

/// A farm of warm machines without pools, at these addresses.
pub(crate) fn farm(addresses: impl IntoIterator<Item = Ipv4Addr>) -> (Farm, Ends) {
    farm_of(addresses.into_iter().map(spec).collect())
}

fn spec(ip: Ipv4Addr) -> Spec {
    let model = Model::by_id("antminer-l7").expect("in the table");
    let on = Duration::from_secs(300);
    Spec { already_on: on, ..Spec::new(model, Release::R202405, 7, ip) }
}

fn farm_of(specs: Vec<Spec>) -> (Farm, Ends) {
    let clock = Clock::real();
    let machines = specs.into_iter().map(|spec| Machine::new(spec, clock.mono())).collect();
    let (_, engine) = watch::channel(EngineStatus::default());
    let (status, _) = watch::channel(FarmStatus::default());
    Farm::new(machines, clock, 1.0, engine, status, None)
}

#[tokio::test]
async fn the_report_button_is_heard_whoever_presses_it() {
    let hall = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await.expect("a free port");
    let [by_scenario, by_hand] = [3, 4].map(|last| Ipv4Addr::new(127, 77, 2, last));
    let pressed = Span::new(Duration::ZERO, Some(Duration::ZERO), 0, Fault::ReportPressed);
    let (mut farm, ends) =
        farm_of(vec![Spec { faults: vec![pressed], ..spec(by_scenario) }, spec(by_hand)]);
    farm.report_port = hall.local_addr().expect("bound").port();
    let stop = CancellationToken::new();
    let running = tokio::spawn(farm.run(stop.clone()));
    let hears = async |from: Ipv4Addr| {
        let mut buffer = [0; 128];
        let (count, sender) = hall.recv_from(&mut buffer).await.expect("it arrives");
        let text = String::from_utf8_lossy(&buffer[..count]).into_owned();
        assert!(text.starts_with(&format!("{from},02:")), "{text}");
        assert_eq!(sender.ip(), from);
    };
    hears(by_scenario).await;
    let applied = ends.handles[1].command(Command::PressReport).await;
    assert_eq!(applied, Ok(Applied::Report));
    hears(by_hand).await;
    stop.cancel();
    running.await.expect("it ends");
}

#[tokio::test]
async fn every_machine_presses_its_button_once_it_is_up() {
    let hall = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await.expect("a free port");
    let addresses = [5, 6].map(|last| Ipv4Addr::new(127, 77, 2, last));
    let (mut farm, ends) = farm(addresses);
    farm.report_port = hall.local_addr().expect("bound").port();
    let stop = CancellationToken::new();
    let running = tokio::spawn(farm.run(stop.clone()));
    crate::service::tell::reports(&ends.handles).await;
    let mut heard = BTreeSet::new();
    while heard.len() < addresses.len() {
        let (_, sender) = hall.recv_from(&mut [0; 128]).await.expect("it arrives");
        heard.insert(sender.ip());
    }
    assert_eq!(heard, addresses.map(Into::into).into());
    stop.cancel();
    running.await.expect("it ends");
}

#[tokio::test]
async fn what_cannot_be_kept_is_tried_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("machines");
    std::fs::write(&place, "in the way").expect("it is written");
    let address = Ipv4Addr::new(127, 77, 2, 7);
    let (mut farm, ends) = farm([address]);
    let keeper = Keeper::new(&place);
    farm.keeper = Some(keeper.clone());
    let (done, _) = oneshot::channel();
    farm.order(Order::Command { machine: 0, command: Command::Blink(true), done });
    farm.keep().await;
    farm.kept().await;
    assert_eq!(farm.written, BTreeSet::from([0]), "not forgotten");
    farm.keep().await;
    assert!(farm.keeping.is_none(), "not at once again");

    std::fs::remove_file(&place).expect("it is away");
    farm.keep_from = Mono::default();
    farm.keep().await;
    farm.kept().await;
    assert!(farm.written.is_empty());
    assert!(keeper.read(address).is_ok_and(|kept| kept.is_some_and(|kept| kept.light)));

    // The last batch waits for nothing.
    let (done, _) = oneshot::channel();
    farm.order(Order::Command { machine: 0, command: Command::Blink(false), done });
    farm.keep_from = farm.clock.mono() + Duration::from_secs(3600);
    let stop = CancellationToken::new();
    stop.cancel();
    farm.run(stop).await;
    assert!(keeper.read(address).is_ok_and(|kept| kept.is_some_and(|kept| !kept.light)));
    drop(ends);
}
