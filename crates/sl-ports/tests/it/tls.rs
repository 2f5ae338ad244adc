//! Both ends of TLS over loopback, with certificates made here.

use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use sl_ports::tls::{FileError, Fingerprint, TlsError, Trust, client::Connector, server::Acceptor};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

/// A certificate of a server, its key, and the authority that signed it: all PEM.
struct Made {
    chain: String,
    key: String,
    authority: String,
}

/// A certificate for `names`, valid from 2020 to the first day of `until`.
fn make(names: &[&str], until: i32) -> Made {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = KeyPair::generate().expect("a key");
    let authority = CertifiedIssuer::self_signed(params, authority).expect("an authority");
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("good names");
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    let key = KeyPair::generate().expect("a key");
    let chain = params.signed_by(&key, &authority).expect("signed").pem();
    Made { chain, key: key.serialize_pem(), authority: authority.pem() }
}

impl Made {
    fn acceptor(&self) -> Acceptor {
        Acceptor::from_pem(self.chain.as_bytes(), self.key.as_bytes()).expect("a pair")
    }

    fn trusted(&self) -> Trust {
        Trust::Authorities(self.authority.clone().into_bytes())
    }
}

async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(60), what).await.expect("it comes")
}

/// What client and server say of a handshake, and what comes back of a word that is echoed.
async fn meet(
    acceptor: Acceptor,
    trust: &Trust,
    host: &str,
) -> (Result<String, TlsError>, Result<(), TlsError>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection");
        let mut stream = acceptor.accept(stream).await?;
        let mut word = [0; 5];
        stream.read_exact(&mut word).await.expect("a word");
        stream.write_all(&word).await.expect("a listener");
        stream.shutdown().await.expect("closed in order");
        Ok(())
    });
    let stream = soon(TcpStream::connect(address)).await.expect("connected");
    let connector = Connector::new(trust).expect("authorities");
    let client = match soon(connector.connect(host, stream)).await {
        Ok(mut stream) => {
            soon(stream.write_all(b"share")).await.expect("a listener");
            let mut word = String::new();
            soon(stream.read_to_string(&mut word)).await.expect("an echo");
            Ok(word)
        }
        Err(wrong) => Err(wrong),
    };
    (client, soon(server).await.expect("no panic"))
}

#[tokio::test]
async fn who_is_believed() {
    let made = make(&["pool.example", "127.0.0.1"], 2100);
    let own = made.acceptor().fingerprint();
    let other = Fingerprint::of(b"another certificate");
    for (trust, host) in [
        (made.trusted(), "pool.example"),
        (made.trusted(), "127.0.0.1"),
        (Trust::Pinned(own), "pool.example"),
        (Trust::Pinned(own), "whatever.name"),
    ] {
        let (client, server) = meet(made.acceptor(), &trust, host).await;
        assert_eq!((client.as_deref(), server), (Ok("share"), Ok(())), "{host}");
    }
    for (trust, host, expect) in [
        (
            made.trusted(),
            "other.example",
            TlsError::WrongName {
                host: "other.example".into(),
                found: "pool.example, 127.0.0.1".into(),
            },
        ),
        (
            Trust::Public,
            "pool.example",
            TlsError::UnknownIssuer { host: "pool.example".into(), found: own },
        ),
        (
            make(&["pool.example"], 2100).trusted(),
            "pool.example",
            TlsError::UnknownIssuer { host: "pool.example".into(), found: own },
        ),
        (
            Trust::Pinned(other),
            "pool.example",
            TlsError::PinDiffers { host: "pool.example".into(), found: own, wanted: other },
        ),
    ] {
        let (client, server) = meet(made.acceptor(), &trust, host).await;
        assert_eq!(client, Err(expect));
        assert!(matches!(server, Err(TlsError::Alert { .. })), "{server:?}");
    }
}

#[tokio::test]
async fn a_certificate_has_its_days() {
    let made = make(&["pool.example"], 2021);
    let (client, _) = meet(made.acceptor(), &made.trusted(), "pool.example").await;
    let Err(TlsError::Expired { days, .. }) = client else { panic!("{client:?}") };
    assert!(days > 365, "{days}");
    let pinned = Trust::Pinned(made.acceptor().fingerprint());
    let (client, _) = meet(made.acceptor(), &pinned, "pool.example").await;
    assert_eq!(client.as_deref(), Ok("share"), "a pin looks at nothing else");
}

#[tokio::test]
async fn a_pinned_certificate_needs_its_key() {
    let made = make(&["pool.example"], 2100);
    let thief = make(&["pool.example"], 2100);
    let stolen = Acceptor::from_pem(made.chain.as_bytes(), thief.key.as_bytes());
    assert!(matches!(stolen, Err(FileError::Pair { .. })), "{stolen:?}");
}

#[tokio::test]
async fn plain_text_is_told_at_both_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let acceptor = make(&["pool.example"], 2100).acceptor();
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection");
        acceptor.accept(stream).await.map(|_| ())
    });
    let mut machine = soon(TcpStream::connect(address)).await.expect("connected");
    let line = b"{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\n";
    soon(machine.write_all(line)).await.expect("a listener");
    let told = soon(server).await.expect("no panic");
    assert_eq!(told, Err(TlsError::Plain { peer: "the client".into() }));

    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let plain = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        stream.write_all(b"{\"id\":null,\"method\":\"client.show_message\"}\n").await
    });
    let stream = soon(TcpStream::connect(address)).await.expect("connected");
    let connector = Connector::new(&Trust::Public).expect("authorities");
    let wrong = soon(connector.connect("pool.example", stream)).await.expect_err("no TLS");
    assert_eq!(wrong, TlsError::Plain { peer: "pool.example".into() });
    soon(plain).await.expect("no panic").expect("said");
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = make(&["gateway.example"], 2100);
    let path = |name: &str| folder.path().join(name);
    let write = |name: &str, text: &str, mode: u32| {
        fs::write(path(name), text).expect("written");
        fs::set_permissions(path(name), fs::Permissions::from_mode(mode)).expect("its mode");
    };
    write("chain.pem", &made.chain, 0o644);
    write("key.pem", &made.key, 0o600);
    write("open.pem", &made.key, 0o640);
    let load = |chain: &str, key: &str| {
        Acceptor::from_files(&path(chain), &path(key))
            .map(|acceptor| acceptor.fingerprint())
            .map_err(|wrong| wrong.to_string())
    };
    assert_eq!(load("chain.pem", "key.pem"), Ok(made.acceptor().fingerprint()));
    for (chain, key, words) in [
        ("chain.pem", "open.pem", "others may read the key (mode 0640)"),
        ("none.pem", "key.pem", "cannot read"),
        ("key.pem", "key.pem", "no certificate in PEM form"),
        ("chain.pem", "none.pem", "none.pem"),
    ] {
        let wrong = load(chain, key).expect_err(words);
        assert!(wrong.contains(words), "{wrong}");
    }
}
