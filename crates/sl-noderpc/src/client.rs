use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use sl_chain::coins::Ticker;
use sl_ports::{HttpClient, http::Request};
use sl_units::Hash256;

use crate::{
    aux::AuxTemplate,
    envelope,
    error::{NodeError, NodeFault, NodeName, Nonsense, excerpt},
    shape,
    template::{BlockTemplate, MAX_TEMPLATE},
};

/// Most bytes of any answer but a template.
const MAX_ANSWER: usize = 1 << 20;

/// How long calls may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timeouts {
    /// Calls that ask.
    pub call: Duration,
    /// Calls that hand in a block, which a node first validates.
    pub submit: Duration,
    /// `getblocktemplate` that waits for news; nodes answer after some 70 s at the latest.
    pub long_poll: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            call: Duration::from_secs(10),
            submit: Duration::from_secs(30),
            long_poll: Duration::from_secs(120),
        }
    }
}

/// Where a node is and how it is spoken to.
#[derive(Clone)]
pub struct Endpoint {
    /// The coin it is a node of.
    pub coin: Ticker,
    /// `http://host:port`, without credentials.
    pub url: String,
    /// `rpcuser` of its configuration.
    pub user: String,
    /// `rpcpassword`; never shown.
    pub password: String,
    /// How long calls may take.
    pub timeouts: Timeouts,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NodeName::new(self.coin, &self.url);
        write!(f, "Endpoint({name}, user {:?})", self.user)
    }
}

/// The client of one node: cheap to clone; clones share connections.
#[derive(Clone)]
pub struct NodeClient {
    shared: Arc<Shared>,
    http: HttpClient,
}

struct Shared {
    name: NodeName,
    url: String,
    user: String,
    authorization: String,
    timeouts: Timeouts,
    next_id: AtomicU64,
}

impl fmt::Debug for NodeClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeClient({})", self.shared.name)
    }
}

/// What a node says of a block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SubmitOutcome {
    /// It took it.
    Accepted,
    /// It did not, for this reason in its own words: `high-hash`, `duplicate`, …
    Refused(String),
}

/// Parts of `getblockchaininfo`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChainInfo {
    /// `main`, `test`, `regtest`, `signet`.
    pub chain: String,
    /// Height of the tip.
    pub blocks: u64,
    /// The tip.
    pub best: Hash256,
    /// Whether the node still downloads the chain; `false` where it does not tell.
    pub downloading: bool,
    /// What the node warns of, at most 500 characters; empty where it does not tell.
    pub warnings: String,
}

/// The body of a call, JSON-RPC 1.0.
#[derive(Serialize)]
struct Call<'a, P> {
    jsonrpc: &'static str,
    id: u64,
    method: &'a str,
    params: P,
}

/// Bounds of one call.
struct Bound {
    timeout: Duration,
    max_body: usize,
}

impl NodeClient {
    /// A client; opens nothing yet.
    #[must_use]
    pub fn new(endpoint: Endpoint, http: HttpClient) -> Self {
        let Endpoint { coin, url, user, password, timeouts } = endpoint;
        let authorization = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        let name = NodeName::new(coin, &url);
        let next_id = AtomicU64::new(1);
        let shared = Arc::new(Shared { name, url, user, authorization, timeouts, next_id });
        Self { shared, http }
    }

    /// Which node it speaks to.
    #[must_use]
    pub fn name(&self) -> &NodeName {
        &self.shared.name
    }

    /// The next block as the node would make it (`getblocktemplate`). With the id of the template
    /// before, the call waits until there is news.
    ///
    /// # Errors
    /// As every call: see [`NodeFault`].
    pub async fn block_template(
        &self,
        rules: &[&str],
        long_poll: Option<&str>,
    ) -> Result<BlockTemplate, NodeError> {
        #[derive(Serialize)]
        struct Asked<'a> {
            rules: &'a [&'a str],
            #[serde(skip_serializing_if = "Option::is_none")]
            longpollid: Option<&'a str>,
        }
        let timeouts = self.shared.timeouts;
        let timeout = if long_poll.is_some() { timeouts.long_poll } else { timeouts.call };
        let bound = Bound { timeout, max_body: MAX_TEMPLATE };
        let asked = [Asked { rules, longpollid: long_poll }];
        self.call("getblocktemplate", asked, bound, BlockTemplate::from_json).await
    }

    /// Hands in a block (`submitblock`).
    ///
    /// # Errors
    /// See [`NodeFault`]. The node's refusal is no error but an outcome; that bytes are no block
    /// (−22) counts as one.
    pub async fn submit_block(&self, block: &[u8]) -> Result<SubmitOutcome, NodeError> {
        let outcome = self
            .call("submitblock", [hex::encode(block)], self.submitting(), |json| {
                let reason: Option<String> = shape::json(json)?;
                Ok(reason.map_or(SubmitOutcome::Accepted, |reason| {
                    SubmitOutcome::Refused(excerpt(&reason, 300))
                }))
            })
            .await;
        match outcome {
            Err(NodeError { fault: NodeFault::Rpc { code: -22, message, .. }, .. }) => {
                Ok(SubmitOutcome::Refused(message))
            }
            other => other,
        }
    }

    /// An auxiliary block that pays `address` (`createauxblock`).
    ///
    /// # Errors
    /// See [`NodeFault`]; daemons without the call answer [`NodeFault::NoSuchMethod`].
    pub async fn create_aux_block(&self, address: &str) -> Result<AuxTemplate, NodeError> {
        self.call("createauxblock", [address], self.asking(), AuxTemplate::from_json).await
    }

    /// Hands in the proof for an auxiliary block (`submitauxblock`); `false` is a refusal, whose
    /// reason only the node's log has.
    ///
    /// # Errors
    /// See [`NodeFault`]; −8 is a block that the node does not know.
    pub async fn submit_aux_block(&self, hash: Hash256, proof: &[u8]) -> Result<bool, NodeError> {
        let params = [hash.to_string(), hex::encode(proof)];
        self.call("submitauxblock", params, self.submitting(), shape::json).await
    }

    /// An auxiliary block that pays the node's own wallet (`getauxblock`), for daemons without
    /// `createauxblock`.
    ///
    /// # Errors
    /// See [`NodeFault`].
    pub async fn get_aux_block(&self) -> Result<AuxTemplate, NodeError> {
        self.call("getauxblock", [(); 0], self.asking(), AuxTemplate::from_json).await
    }

    /// Hands in the proof for a block of [`NodeClient::get_aux_block`].
    ///
    /// # Errors
    /// See [`NodeFault`].
    pub async fn submit_get_aux_block(
        &self,
        hash: Hash256,
        proof: &[u8],
    ) -> Result<bool, NodeError> {
        let params = [hash.to_string(), hex::encode(proof)];
        self.call("getauxblock", params, self.submitting(), shape::json).await
    }

    /// Waits for another tip, `patience` at most, and gives the tip then (`waitfornewblock`, a
    /// hidden call of daemons since Bitcoin Core 0.14). A block between two calls goes unseen.
    ///
    /// # Errors
    /// See [`NodeFault`].
    pub async fn wait_for_new_block(&self, patience: Duration) -> Result<Hash256, NodeError> {
        #[derive(Deserialize)]
        struct Raw {
            hash: String,
        }
        let millis = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
        let timeout = patience.saturating_add(self.shared.timeouts.call);
        let bound = Bound { timeout, max_body: MAX_ANSWER };
        self.call("waitfornewblock", [millis], bound, |json| {
            shape::hash("hash", &shape::json::<Raw>(json)?.hash)
        })
        .await
    }

    /// The tip (`getbestblockhash`).
    ///
    /// # Errors
    /// See [`NodeFault`].
    pub async fn best_block_hash(&self) -> Result<Hash256, NodeError> {
        self.call("getbestblockhash", [(); 0], self.asking(), |json| {
            shape::hash("result", &shape::json::<String>(json)?)
        })
        .await
    }

    /// Height of the tip (`getblockcount`).
    ///
    /// # Errors
    /// See [`NodeFault`].
    pub async fn block_count(&self) -> Result<u64, NodeError> {
        let parse = |json: &str| shape::height(shape::json(json)?);
        self.call("getblockcount", [(); 0], self.asking(), parse).await
    }

    /// The block at a height (`getblockhash`).
    ///
    /// # Errors
    /// See [`NodeFault`].
    pub async fn block_hash(&self, height: u64) -> Result<Hash256, NodeError> {
        self.call("getblockhash", [height], self.asking(), |json| {
            shape::hash("result", &shape::json::<String>(json)?)
        })
        .await
    }

    /// Which chain, and how far (`getblockchaininfo`).
    ///
    /// # Errors
    /// See [`NodeFault`].
    pub async fn blockchain_info(&self) -> Result<ChainInfo, NodeError> {
        #[derive(Deserialize)]
        struct Raw {
            chain: String,
            blocks: i64,
            bestblockhash: String,
            #[serde(default)]
            initialblockdownload: bool,
            // A text, in later nodes a list of texts.
            #[serde(default)]
            warnings: serde_json::Value,
        }
        self.call("getblockchaininfo", [(); 0], self.asking(), |json| {
            let raw: Raw = shape::json(json)?;
            Ok(ChainInfo {
                chain: shape::text("chain", raw.chain, 32)?,
                blocks: shape::height(raw.blocks)?,
                best: shape::hash("bestblockhash", &raw.bestblockhash)?,
                downloading: raw.initialblockdownload,
                warnings: raw.warnings.to_string().chars().take(500).collect(),
            })
        })
        .await
    }

    fn asking(&self) -> Bound {
        Bound { timeout: self.shared.timeouts.call, max_body: MAX_ANSWER }
    }

    fn submitting(&self) -> Bound {
        Bound { timeout: self.shared.timeouts.submit, max_body: MAX_ANSWER }
    }

    async fn call<T>(
        &self,
        method: &'static str,
        params: impl Serialize,
        bound: Bound,
        parse: impl FnOnce(&str) -> Result<T, Nonsense>,
    ) -> Result<T, NodeError> {
        let shared = &*self.shared;
        let fail = |fault| NodeError { node: shared.name.clone(), fault };
        let id = shared.next_id.fetch_add(1, Ordering::Relaxed);
        let call = Call { jsonrpc: "1.0", id, method, params };
        let body = serde_json::to_vec(&call).map_err(|error| {
            fail(NodeFault::BadUrl(format!("the call cannot be written: {error}")))
        })?;
        let request = Request::post(&shared.url, body)
            .header("content-type", "application/json")
            .header("authorization", &shared.authorization)
            .timeout(bound.timeout)
            .max_body(bound.max_body);
        let response = self
            .http
            .request(request)
            .await
            .map_err(|error| fail(NodeFault::from_http(&error, method)))?;
        let json = envelope::result(&response, method, &shared.user, id).map_err(fail)?;
        parse(&json).map_err(|nonsense| fail(NodeFault::Nonsense { method, nonsense }))
    }
}
