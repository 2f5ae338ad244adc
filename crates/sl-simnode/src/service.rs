//! A node as a service: it listens, owns the state, and tells how it stands.

use std::{fmt, net::SocketAddr, sync::Arc};

use sl_chain::coins::{CoinRow, Ticker};
use sl_ports::{
    Clock,
    bind::{self, BindError},
};
use sl_supervise::ServiceSpec;
use thiserror::Error;
use tokio::{
    net::TcpListener,
    sync::{Mutex, mpsc, watch},
};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::{
    node::{Node, NodeStatus, PowHash},
    server::{Call, Server},
    world::World,
};

/// Calls that wait for the node; more wait in their connections.
const QUEUED_CALLS: usize = 64;

/// How a node is reached.
#[derive(Clone, PartialEq, Eq)]
pub struct NodeSettings {
    /// Where the RPC listens: a loopback address; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// User of the basic authentication; without a colon.
    pub user: String,
    /// Its password.
    pub password: String,
}

impl fmt::Debug for NodeSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeSettings")
            .field("listen", &self.listen)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// Why a node cannot serve.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The address is reachable from other machines.
    #[error(
        "the simulated {ticker} node may not listen on {addr}: its coins are play coins and its \
         password no secret; use 127.0.0.1:{} or [::1]:{}", addr.port(), addr.port()
    )]
    NotLoopback {
        /// The coin.
        ticker: Ticker,
        /// The address that was given.
        addr: SocketAddr,
    },
    /// The user's name cannot be told from the password.
    #[error("the RPC user {user:?} of the simulated {ticker} node holds a colon; leave it out")]
    ColonInUser {
        /// The coin.
        ticker: Ticker,
        /// The name that was given.
        user: String,
    },
    /// The address cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
}

/// A node that can be served. Its chain outlives each run.
#[derive(Debug)]
pub struct SimNode {
    node: Node,
    settings: NodeSettings,
    clock: Clock,
    status: watch::Sender<NodeStatus>,
}

/// How others see a node from inside the program; all else goes by RPC. Cheap to clone.
#[derive(Clone, Debug)]
pub struct NodeHandle {
    ticker: Ticker,
    status: watch::Receiver<NodeStatus>,
}

impl NodeHandle {
    /// The coin.
    #[must_use]
    pub const fn ticker(&self) -> Ticker {
        self.ticker
    }

    /// How the node stands, as it changes.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<NodeStatus> {
        self.status.clone()
    }

    /// Waits until the node listens, and says where; `None` when it is gone for good.
    /// Cancel-safe.
    pub async fn listening(&mut self) -> Option<SocketAddr> {
        self.status.wait_for(|status| status.listen.is_some()).await.ok()?.listen
    }
}

impl SimNode {
    /// A node of a coin in a world. Binds nothing yet.
    #[must_use]
    pub fn new(
        row: &'static CoinRow,
        settings: NodeSettings,
        world: World,
        clock: Clock,
        pow: PowHash,
    ) -> (Self, NodeHandle) {
        let node = Node::new(row, world, pow);
        let (status, seen) = watch::channel(node.status().clone());
        let handle = NodeHandle { ticker: row.ticker, status: seen };
        (Self { node, settings, clock, status }, handle)
    }

    /// The node as a supervised service, `node.ltc` for Litecoin's; ready when it listens.
    #[must_use]
    pub fn spec(self) -> ServiceSpec {
        let row = self.node.row;
        let id = format!("node.{}", row.ticker.as_str().to_lowercase());
        let description = format!("simulated {} node", row.name);
        // One run at a time holds it; the next one goes on with the same chain.
        let shared = Arc::new(Mutex::new(self));
        ServiceSpec::new(id, description, move |ctx| {
            let shared = Arc::clone(&shared);
            async move {
                let mut node = shared.lock_owned().await;
                let listener = node.bind().await?;
                ctx.ready();
                node.serve(listener, ctx.stop_token()).await?;
                Ok(())
            }
        })
    }

    /// Listens where the settings say.
    ///
    /// # Errors
    /// An address that is not loopback, or in use.
    pub async fn bind(&self) -> Result<TcpListener, ServeError> {
        self.allow(self.settings.listen)?;
        Ok(bind::listen(self.settings.listen).await?)
    }

    /// Serves until told to stop. The state is owned here: calls come in one by one.
    ///
    /// # Errors
    /// A listener that is not on loopback, or settings that cannot be served.
    pub async fn serve(
        &mut self,
        listener: TcpListener,
        stop: CancellationToken,
    ) -> Result<(), ServeError> {
        let ticker = self.node.row.ticker;
        let addr = listener.local_addr().unwrap_or(self.settings.listen);
        self.allow(addr)?;
        if self.settings.user.contains(':') {
            let user = self.settings.user.clone();
            return Err(ServeError::ColonInUser { ticker, user });
        }
        let (calls, mut asked) = mpsc::channel(QUEUED_CALLS);
        let server = Server {
            ticker,
            credentials: format!("{}:{}", self.settings.user, self.settings.password),
            calls,
            status: self.status.subscribe(),
            stop,
        };
        info!(%ticker, %addr, "simulated node listens");
        self.publish(Some(addr));
        // The channel closes when the server and its connections are gone.
        let answer = async {
            while let Some(call) = asked.recv().await {
                self.answer(call, addr);
            }
        };
        tokio::join!(server.run(listener), answer);
        self.publish(None);
        Ok(())
    }

    fn answer(&mut self, call: Call, addr: SocketAddr) {
        let Call { method, params, waited, reply } = call;
        let before = self.node.revision();
        let answer = self.node.call(&method, &params, self.clock.mono(), waited);
        if self.node.revision() != before {
            self.publish(Some(addr));
        }
        // Who asked may be gone.
        let _gone = reply.send(answer);
    }

    fn publish(&self, listen: Option<SocketAddr>) {
        let status = NodeStatus { listen, ..self.node.status().clone() };
        self.status.send_replace(status);
    }

    fn allow(&self, addr: SocketAddr) -> Result<(), ServeError> {
        if addr.ip().is_loopback() {
            Ok(())
        } else {
            Err(ServeError::NotLoopback { ticker: self.node.row.ticker, addr })
        }
    }
}
