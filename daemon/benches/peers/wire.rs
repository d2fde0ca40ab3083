//! Our daemon as a process of its own, and an HTTP client that does no more than it must.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A daemon on a data directory; killed when dropped.
pub(crate) struct Daemon {
    child: Child,
    pub(crate) address: String,
}

impl Daemon {
    /// Starts one, and waits until it listens.
    pub(crate) fn start(data: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_whodunitd"))
            .args(["--listen", "127.0.0.1:0", "--model", "users"])
            .args(["--log-level", "error", "--data"])
            .arg(data)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let address = line.trim().rsplit("http://").next().unwrap().to_owned();
        Self { child, address }
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and how long it takes to end.
    pub(crate) fn stop(mut self) -> Duration {
        let before = Instant::now();
        let asked = std::process::Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        assert!(asked.unwrap().success());
        assert!(self.child.wait().unwrap().success());
        before.elapsed()
    }

    /// Its resident memory in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmRSS"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
        kib.unwrap_or(0_u64) << 10
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A connection that is kept.
pub(crate) struct Http {
    stream: TcpStream,
    host: String,
    request: Vec<u8>,
    reply: Vec<u8>,
    /// Where the body begins in `reply`.
    body: usize,
}

impl Http {
    pub(crate) async fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            host: address.to_owned(),
            request: Vec::new(),
            reply: Vec::new(),
            body: 0,
        }
    }

    /// Sends a request and reads its whole answer, which must be a success.
    pub(crate) async fn send(
        &mut self,
        method: &str,
        path: &str,
        kind: &str,
        body: &[u8],
    ) -> &[u8] {
        self.request.clear();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\naccept: {kind}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
            self.host,
            body.len()
        );
        self.request.extend_from_slice(head.as_bytes());
        self.request.extend_from_slice(body);
        self.stream.write_all(&self.request).await.unwrap();
        self.reply.clear();
        let end = loop {
            let read = self.stream.read_buf(&mut self.reply).await.unwrap();
            assert!(read > 0, "the daemon hung up");
            if let Some(at) = self.reply.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
        };
        let head = String::from_utf8_lossy(&self.reply[..end]).to_ascii_lowercase();
        self.body = end;
        match head.split("content-length: ").nth(1) {
            Some(rest) => {
                let length: usize = rest.split("\r\n").next().unwrap().parse().unwrap();
                while self.reply.len() < end + length {
                    self.stream.read_buf(&mut self.reply).await.unwrap();
                }
            }
            // In chunks: the last one is empty.
            None => {
                while !self.reply.ends_with(b"\r\n0\r\n\r\n") {
                    let read = self.stream.read_buf(&mut self.reply).await.unwrap();
                    assert!(read > 0, "the answer was cut short");
                }
            }
        }
        assert!(
            head.starts_with("http/1.1 200"),
            "{head}{}",
            String::from_utf8_lossy(&self.reply[end..])
        );
        &self.reply[self.body..]
    }

    pub(crate) async fn get(&mut self, path: &str) -> &[u8] {
        self.send("GET", path, "application/json", b"").await
    }

    pub(crate) async fn post(&mut self, path: &str, body: &[u8]) -> &[u8] {
        self.send("POST", path, "application/json", body).await
    }
}

/// How long a daemon takes from its start until it answers that it is ready.
pub(crate) async fn ready(data: &Path) -> (Daemon, Duration) {
    let started = Instant::now();
    let daemon = Daemon::start(data);
    let mut http = Http::connect(&daemon.address).await;
    http.get("/v1/ready").await;
    (daemon, started.elapsed())
}
