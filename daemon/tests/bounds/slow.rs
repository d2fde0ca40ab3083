//! Clients that send or take too slowly, with time-outs short enough to see them pass.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use whodunit_daemon::config::Timeouts;
use whodunit_daemon::store::engine::{LoggedStore, StoreOptions};
use whodunit_daemon::{Config, Daemon, serve};

use crate::daemon::eventually;

const TIMEOUTS: Timeouts = Timeouts {
    head: Duration::from_millis(400),
    body: Duration::from_millis(800),
    body_grace: Duration::from_millis(300),
    write: Duration::from_millis(500),
};
/// Long enough for a busy machine.
const SOON: Duration = Duration::from_mins(1);

/// A daemon in this process with short time-outs.
struct Impatient {
    address: SocketAddr,
    shutdown: CancellationToken,
    runtime: Option<Runtime>,
    _folder: TempDir,
}

impl Impatient {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = LoggedStore::open(folder.path(), StoreOptions::Relaxed).unwrap();
        let runtime = Runtime::new().unwrap();
        let shutdown = CancellationToken::new();
        let config = Config {
            timeouts: TIMEOUTS,
            ..Config::default()
        };
        let address = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let daemon = Daemon::open(config, Arc::new(store));
            tokio::spawn(serve(listener, daemon, shutdown.clone()));
            address
        });
        Self {
            address,
            shutdown,
            runtime: Some(runtime),
            _folder: folder,
        }
    }

    fn connect(&self) -> TcpStream {
        let socket = TcpStream::connect(self.address).unwrap();
        socket.set_read_timeout(Some(SOON)).unwrap();
        socket
    }

    fn send(&self, request: &str) -> TcpStream {
        let mut socket = self.connect();
        socket.write_all(request.as_bytes()).unwrap();
        socket
    }

    fn get(&self, path: &str) -> String {
        format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", self.address)
    }

    fn post(&self, path: &str, length: usize) -> String {
        format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n",
            self.address
        )
    }

    /// A stream of more bytes than the system's own buffers take.
    fn wide_stream(&self) {
        for n in 0..16 {
            let data = json!({format!("field-{n}"): "x".repeat(1_000_000)});
            let body = json!({"events": [{"event_type": "Grown", "data": data}]}).to_string();
            let head = self.post("/v1/streams/wide-1/events", body.len());
            let mut socket = self.send(&(head + &body));
            let mut status = [0; 12];
            socket.read_exact(&mut status).unwrap();
            assert_eq!(&status, b"HTTP/1.1 200");
        }
    }
}

impl Drop for Impatient {
    fn drop(&mut self) {
        self.shutdown.cancel();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Whether the other side has closed a connection that this side does not read from.
fn is_closed(mut socket: &TcpStream) -> bool {
    match socket.write_all(b"\r\n") {
        Ok(()) => false,
        Err(error) => matches!(
            error.kind(),
            ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
        ),
    }
}

/// What comes until the other side closes.
fn to_its_end(socket: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    match socket.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
    }
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn a_client_that_takes_nothing_is_closed_whatever_it_asked_for() {
    let daemon = Impatient::start();
    daemon.wide_stream();
    for path in [
        "/v1/export",
        "/v1/live?after=0",
        "/v1/events?limit=1000",
        "/v1/streams/wide-1/events?limit=1000",
        "/v1/streams/wide-1/steps?limit=1000",
        "/v1/streams/wide-1/state",
        "/v1/streams/wide-1/diff",
    ] {
        let mut socket = daemon.send(&daemon.get(path));
        let mut status = [0; 12];
        let answered = socket.read_exact(&mut status);
        assert!(answered.is_ok(), "{path}: {answered:?}");
        assert_eq!(&status, b"HTTP/1.1 200", "{path}");
        let begun = Instant::now();
        eventually(&format!("{path}: closed"), SOON, || is_closed(&socket));
        // Never before its time: it may only have been slow.
        assert!(begun.elapsed() >= TIMEOUTS.write / 2, "{path}");
    }
}

#[test]
fn a_head_that_does_not_end_and_a_connection_that_rests_are_closed() {
    let daemon = Impatient::start();
    let begun = format!("GET /v1/health HTTP/1.1\r\nhost: {}\r\nx: ", daemon.address);
    let trickling = daemon.send(&begun);
    eventually("a trickling head is closed", SOON, || {
        match (&trickling).write_all(b"x") {
            Ok(()) => false,
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        }
    });
    to_its_end(&mut daemon.send(&begun));
    to_its_end(&mut daemon.connect());
    let answered = to_its_end(&mut daemon.send(&daemon.get("/v1/health")));
    assert!(answered.starts_with("HTTP/1.1 200"), "{answered}");
}

#[test]
fn a_body_that_does_not_come_is_refused_and_said_so() {
    let daemon = Impatient::start();
    for path in [
        "/v1/what-if",
        "/v1/streams/door-1/events",
        "/v1/streams/user-1/commands",
    ] {
        let mut still = daemon.send(&(daemon.post(path, 5_000) + "{"));
        let mut status = [0; 12];
        still.read_exact(&mut status).unwrap();
        assert_eq!(&status, b"HTTP/1.1 408", "{path}");
        // One that brings something now and then is none the better off.
        let mut trickling = daemon.send(&(daemon.post(path, 500_000) + "{"));
        trickling
            .set_read_timeout(Some(Duration::from_millis(20)))
            .unwrap();
        let (begun, mut answer) = (Instant::now(), [0; 12]);
        while trickling
            .peek(&mut answer)
            .map_or(true, |n| n < answer.len())
        {
            assert!(begun.elapsed() < SOON, "{path}: never refused");
            drop(trickling.write_all(b" "));
        }
        assert_eq!(&answer, b"HTTP/1.1 408", "{path}");
    }
}
