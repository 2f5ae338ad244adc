//! The client against recorded answers, and against peers that misbehave.

mod hostile;
mod recorded;

use std::time::Duration;

use sl_chain::coins;
use sl_noderpc::{Endpoint, NodeClient, Timeouts};
use sl_ports::HttpClient;

/// A client of a DOGE node at a URL, with patience for a slow machine.
fn client(url: String) -> NodeClient {
    client_within(url, Duration::from_secs(60))
}

fn client_within(url: String, call: Duration) -> NodeClient {
    let endpoint = Endpoint {
        coin: coins::by_ticker("DOGE").expect("in the table").ticker,
        url,
        user: "farm".into(),
        password: "pass word".into(),
        timeouts: Timeouts { call, submit: call, long_poll: call },
    };
    NodeClient::new(endpoint, HttpClient::default())
}
