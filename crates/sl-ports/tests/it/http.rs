use sl_ports::http::{HttpClient, HttpError, HttpLimits, Request, StatusCode};
use std::future::Future;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// Generous: only a hang meets it.
const GUARD: Duration = Duration::from_secs(60);

/// A server that gives every request, as read, to the test, and answers all with the same bytes;
/// an answer of no bytes closes the connection. Requests carry the number of their connection.
struct Server {
    url: String,
    requests: mpsc::Receiver<(usize, String)>,
}

impl Server {
    async fn answering(answer: &'static [u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/path", listener.local_addr().unwrap());
        let (sender, requests) = mpsc::channel(100);
        tokio::spawn(async move {
            for connection in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, connection, answer, sender.clone()));
            }
        });
        Self { url, requests }
    }
}

async fn serve(
    mut stream: TcpStream,
    connection: usize,
    answer: &'static [u8],
    sender: mpsc::Sender<(usize, String)>,
) {
    let mut read = Vec::new();
    while stream.read_buf(&mut read).await.unwrap_or(0) > 0 {
        let text = String::from_utf8_lossy(&read).to_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().unwrap());
        if body.len() < length {
            continue;
        }
        let _closed = sender.send((connection, text)).await;
        read.clear();
        if answer.is_empty() || stream.write_all(answer).await.is_err() {
            return;
        }
    }
}

async fn guarded<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(GUARD, future).await.expect("the guard time passed")
}

#[tokio::test]
async fn an_answer_is_whole_and_the_connection_is_kept() {
    let answer = b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\n\
                   Content-Length: 11\r\n\r\n{\"error\":1}";
    let mut server = Server::answering(answer).await;
    let client = HttpClient::default();
    for _ in 0..3 {
        let request = Request::post(&server.url, "{\"method\":\"x\"}")
            .header("Authorization", "Basic dTpw")
            .timeout(GUARD);
        let response = guarded(client.request(request)).await.unwrap();
        assert_eq!(response.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.header("content-type"), Some("application/json"));
        assert_eq!(response.body, "{\"error\":1}");
        let (connection, request) = guarded(server.requests.recv()).await.unwrap();
        assert_eq!(connection, 0, "the connection is kept");
        assert!(request.starts_with("post /path http/1.1\r\n"), "{request}");
        assert!(request.contains("authorization: basic dtpw\r\n"), "{request}");
        assert!(request.contains("\r\nhost: 127.0.0.1:"), "{request}");
        assert!(request.ends_with("\r\n\r\n{\"method\":\"x\"}"), "{request}");
    }
}

async fn error_of(
    answer: &'static [u8],
    limits: HttpLimits,
    request: fn(&str) -> Request,
) -> HttpError {
    let server = Server::answering(answer).await;
    guarded(HttpClient::new(limits).request(request(&server.url))).await.unwrap_err()
}

fn limits() -> HttpLimits {
    HttpLimits { timeout: GUARD, ..HttpLimits::default() }
}

#[tokio::test]
async fn answers_out_of_bounds() {
    let get = |url: &str| Request::get(url).max_body(10);
    let told = b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n12345678901";
    let error = error_of(told, limits(), get).await;
    assert!(matches!(error, HttpError::TooLarge { max_body: 10, .. }), "{error}");

    let untold =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n12345678901\r\n0\r\n\r\n";
    let error = error_of(untold, limits(), get).await;
    assert!(matches!(error, HttpError::TooLarge { max_body: 10, .. }), "{error}");

    let server =
        Server::answering(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n1234567890").await;
    let response = guarded(HttpClient::new(limits()).request(get(&server.url))).await.unwrap();
    assert_eq!(response.body.len(), 10, "the bound itself is allowed");
}

#[tokio::test]
async fn broken_answers() {
    let error = error_of(b"{\"id\":1}\n\n", limits(), |url| Request::get(url)).await;
    assert!(matches!(error, HttpError::Malformed { .. }), "{error}");
    assert!(error.may_have_acted());

    let error = error_of(b"", limits(), |url| Request::get(url)).await;
    assert!(matches!(error, HttpError::Closed { .. }), "{error:?}");
}

#[tokio::test]
async fn a_body_cut_short_is_closed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 1024];
        let _request = stream.read(&mut buffer).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345").await.unwrap();
    });
    let client = HttpClient::new(limits());
    let error = guarded(client.request(Request::get(url))).await.unwrap_err();
    assert!(matches!(error, HttpError::Closed { .. }), "{error:?}");
}

#[tokio::test]
async fn the_deadline_covers_the_body() {
    // The head comes at once, the body never does.
    let slow = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345";
    let error = error_of(slow, limits(), |url| {
        Request::get(format!("{url}?key=secret")).timeout(Duration::from_millis(20))
    })
    .await;
    assert!(matches!(error, HttpError::TimedOut { .. }), "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
    assert!(error.to_string().ends_with("/path within 20ms"), "{error}");
}

#[tokio::test]
async fn nobody_listens() {
    // Bound but not listening: the port is refused, and no other test can get it meanwhile.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}/", socket.local_addr().unwrap());
    let error = guarded(HttpClient::default().request(Request::get(&url))).await.unwrap_err();
    assert_eq!(error, HttpError::Refused { url });
    assert!(!error.may_have_acted());
}

#[tokio::test]
async fn a_kept_connection_that_the_server_closed_is_replaced() {
    let answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
    let mut server = Server::answering(answer).await;
    let client = HttpClient::new(limits());
    for expect in 0..3 {
        guarded(client.request(Request::get(&server.url))).await.unwrap();
        let (connection, _) = guarded(server.requests.recv()).await.unwrap();
        assert_eq!(connection, expect);
    }
}
