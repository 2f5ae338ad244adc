//! A pair of real `litecoind` daemons on regtest, for a test. Two, because a node without a peer
//! gives no template.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::Message;

/// How long a daemon may take for anything; only a broken one needs it.
const GUARD: Duration = Duration::from_secs(120);
const USER: &str = "silverlode";
const PASSWORD: &str = "regtest only";
/// Blocks before the first that may hold an extension block.
const BEFORE_MWEB: u64 = 431;

/// Where `litecoind` is, or why a test that needs it has to be skipped, in words to be printed.
///
/// # Errors
/// It is not installed.
pub fn find() -> Result<PathBuf, String> {
    std::env::var_os("PATH")
        .iter()
        .flat_map(std::env::split_paths)
        .chain([PathBuf::from("/usr/bin"), PathBuf::from("/usr/local/bin")])
        .map(|folder| folder.join("litecoind"))
        .find(|path| path.is_file())
        .ok_or_else(|| {
            "SKIPPED: litecoind is not installed, so nothing was tried against a real node; \
             cure: apt-get install litecoind"
                .to_owned()
        })
}

/// Two daemons that are each other's peer, the first with a wallet. Killed when dropped.
pub struct Pair {
    first: Daemon,
    _second: Daemon,
    // After the daemons, which write into it.
    _folder: TempDir,
}

struct Daemon {
    child: Child,
    rpc_port: u16,
}

impl Pair {
    /// Starts the pair; both are connected, at height 0.
    ///
    /// # Errors
    /// What stands in the way.
    pub fn start() -> Result<Self, String> {
        let program = find()?;
        let folder = tempfile::tempdir().map_err(|error| format!("no folder: {error}"))?;
        let p2p = free_port()?;
        let first = Daemon::start(
            &program,
            &folder.path().join("first"),
            &["-listen=1".to_owned(), format!("-bind=127.0.0.1:{p2p}")],
        )?;
        let second = Daemon::start(
            &program,
            &folder.path().join("second"),
            &["-listen=0".to_owned(), format!("-connect=127.0.0.1:{p2p}")],
        )?;
        let pair = Self { first, _second: second, _folder: folder };
        pair.call("createwallet", &json!(["test"]))?;
        let mut patience = GUARD.as_millis() / 50;
        while pair.call("getconnectioncount", &json!([]))? == json!(0) {
            patience = patience.checked_sub(1).ok_or("the two daemons do not connect")?;
            thread::sleep(Duration::from_millis(50));
        }
        Ok(pair)
    }

    /// A pair whose next block can hold an extension block, with a peg-in waiting for it.
    ///
    /// # Errors
    /// As [`Pair::start`].
    pub fn start_with_mweb() -> Result<Self, String> {
        let pair = Self::start()?;
        pair.mine(BEFORE_MWEB)?;
        pair.peg_in()?;
        Ok(pair)
    }

    /// Where the first daemon answers.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.first.rpc_port)
    }

    /// Its `rpcuser`.
    #[must_use]
    pub fn user(&self) -> &'static str {
        USER
    }

    /// Its `rpcpassword`.
    #[must_use]
    pub fn password(&self) -> &'static str {
        PASSWORD
    }

    /// Calls the first daemon.
    ///
    /// # Errors
    /// Its error, or that it does not answer.
    pub fn call(&self, method: &str, params: &Value) -> Result<Value, String> {
        self.first.call(method, params)
    }

    /// A fresh address of its wallet.
    ///
    /// # Errors
    /// As [`Pair::call`].
    pub fn address(&self) -> Result<String, String> {
        let address = self.call("getnewaddress", &json!([]))?;
        address.as_str().map(str::to_owned).ok_or_else(|| format!("no address: {address}"))
    }

    /// Mines blocks to its wallet.
    ///
    /// # Errors
    /// As [`Pair::call`].
    pub fn mine(&self, blocks: u64) -> Result<(), String> {
        self.call("generatetoaddress", &json!([blocks, self.address()?])).map(drop)
    }

    /// Pays into the extension block: without one such payment the first template with an
    /// extension block fails.
    ///
    /// # Errors
    /// As [`Pair::call`].
    pub fn peg_in(&self) -> Result<(), String> {
        let address = self.call("getnewaddress", &json!(["", "mweb"]))?;
        self.call("sendtoaddress", &json!([address, 10])).map(drop)
    }
}

impl Daemon {
    fn start(program: &Path, folder: &Path, more: &[String]) -> Result<Self, String> {
        std::fs::create_dir_all(folder).map_err(|error| format!("no folder: {error}"))?;
        let rpc_port = free_port()?;
        let child = Command::new(program)
            .arg(format!("-datadir={}", folder.display()))
            .arg(format!("-rpcport={rpc_port}"))
            .arg(format!("-rpcuser={USER}"))
            .arg(format!("-rpcpassword={PASSWORD}"))
            .args(["-regtest", "-server=1", "-printtoconsole=1", "-dnsseed=0", "-listenonion=0"])
            .args(["-discover=0", "-upnp=0", "-fallbackfee=0.0001", "-rpcbind=127.0.0.1"])
            .args(["-rpcallowip=127.0.0.1", "-dbcache=16", "-par=1"])
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{} does not start: {error}", program.display()))?;
        let mut daemon = Self { child, rpc_port };
        let output = daemon.child.stdout.take().expect("it is piped");
        let (ready, is_ready) = mpsc::channel();
        // Reads to the end, so that the daemon never waits for its log to be read.
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if line.contains("init message: Done loading") {
                    let _ = ready.send(());
                }
            }
        });
        is_ready
            .recv_timeout(GUARD)
            .map_err(|_| "litecoind ended, or did not finish loading, before it was ready")?;
        Ok(daemon)
    }

    fn call(&self, method: &str, params: &Value) -> Result<Value, String> {
        let body = json!({"jsonrpc": "1.0", "id": 1, "method": method, "params": params});
        let body = body.to_string();
        let exchange = || -> std::io::Result<Message> {
            let mut stream = TcpStream::connect(("127.0.0.1", self.rpc_port))?;
            stream.set_read_timeout(Some(GUARD))?;
            write!(
                stream,
                "POST / HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Basic {}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                base64(format!("{USER}:{PASSWORD}").as_bytes()),
                body.len()
            )?;
            Message::read(&mut BufReader::new(stream))?
                .ok_or_else(|| std::io::ErrorKind::UnexpectedEof.into())
        };
        let message = exchange().map_err(|error| format!("{method}: {error}"))?;
        let reply: Value = serde_json::from_slice(&message.body)
            .map_err(|error| format!("{method}: {error} ({})", message.start))?;
        if reply["error"].is_null() {
            Ok(reply["result"].clone())
        } else {
            Err(format!("{method}: {}", reply["error"]))
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // By its id: no other daemon of this machine is touched.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> Result<u16, String> {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| format!("no free port: {error}"))
}

/// RFC 4648, for one header of a test.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte));
        let word = word << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            if digit > chunk.len() {
                out.push('=');
            } else {
                out.push(char::from(DIGITS[(word >> (18 - 6 * digit)) as usize & 63]));
            }
        }
    }
    out
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pair(litecoind at {})", self.url())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_as_the_rfc_has_it() {
        for (plain, coded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }
}
