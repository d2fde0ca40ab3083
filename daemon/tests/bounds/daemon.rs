//! A daemon in a process of its own, what it uses, and how quickly it says that it is well.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::full;

/// A running daemon on an empty store.
pub(crate) struct Daemon {
    child: Child,
    pub(crate) address: String,
    pub(crate) folder: TempDir,
}

impl Daemon {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // With a umask that takes nothing away: what it makes is private by its own doing.
        let mut child = Command::new("sh")
            .args(["-c", "umask 000; exec \"$0\" \"$@\""])
            .arg(env!("CARGO_BIN_EXE_whodunitd"))
            .arg("--data")
            .arg(folder.path())
            .args(["--model", "users", "--listen", "127.0.0.1:0"])
            .env("WHODUNIT_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.as_mut().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let address = line
            .trim_end()
            .strip_prefix("listening on http://")
            .unwrap();
        Self {
            address: address.to_owned(),
            child,
            folder,
        }
    }

    /// Bytes of memory that are its own at this moment.
    pub(crate) fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kib: u64 = line
            .unwrap()
            .split_whitespace()
            .nth(1)
            .unwrap()
            .parse()
            .unwrap();
        kib << 10
    }

    /// Time that it has computed so far.
    pub(crate) fn computed(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        let ticks = fields.split(' ').skip(11).take(2);
        let ticks: u64 = ticks.map(|ticks| ticks.parse::<u64>().unwrap()).sum();
        Duration::from_millis(ticks * 10)
    }

    /// A connection to it.
    pub(crate) fn connect(&self) -> TcpStream {
        let socket = TcpStream::connect(&self.address).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_mins(3)))
            .unwrap();
        socket
    }

    /// Sends a request as it is, and gives the whole answer back.
    pub(crate) fn raw(&self, request: &[u8]) -> String {
        let mut socket = self.connect();
        socket.write_all(request).unwrap();
        let mut answer = Vec::new();
        // An end by force is an end: what came before it counts.
        drop(socket.read_to_end(&mut answer));
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Sends a command or the like over a connection of its own.
    pub(crate) fn post(&self, path: &str, body: &Value) -> String {
        let body = body.to_string();
        self.raw(
            format!(
                "POST {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                self.address,
                body.len()
            )
            .as_bytes(),
        )
    }

    /// Appends an event.
    pub(crate) fn append(&self, stream: &str, event: &Value) {
        let path = format!("/v1/streams/{stream}/events");
        let answer = self.post(&path, &json!({"events": [event]}));
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer:.300}");
    }

    /// A stream whose state weighs about so many bytes, in many fields.
    pub(crate) fn wide_stream(&self, stream: &str, bytes: usize) {
        let per_event = 800 << 10;
        for piece in 0..bytes.div_ceil(per_event) {
            let fields =
                (0..per_event / 100).map(|n| (format!("field-{piece}-{n}"), json!("x".repeat(80))));
            let data: serde_json::Map<String, Value> = fields.collect();
            self.append(stream, &json!({"event_type": "Grown", "data": data}));
        }
    }

    /// Begins to ask how it is, every few milliseconds, over one connection.
    pub(crate) fn watch(&self) -> Watch {
        let (stop, peak) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let mut socket = self.connect();
        socket.set_nodelay(true).unwrap();
        let request = format!("GET /v1/health HTTP/1.1\r\nhost: {}\r\n\r\n", self.address);
        let status = format!("/proc/{}/status", self.child.id());
        let (ended, highest) = (Arc::clone(&stop), Arc::clone(&peak));
        let asking = std::thread::spawn(move || {
            let mut took = Vec::new();
            let mut answer = vec![0; 4_096];
            let mut next = Instant::now();
            while !ended.load(Ordering::Relaxed) {
                let started = Instant::now();
                socket.write_all(request.as_bytes()).unwrap();
                let n = socket.read(&mut answer).unwrap();
                assert!(
                    answer[..n].starts_with(b"HTTP/1.1 200"),
                    "health did not answer"
                );
                took.push(started.elapsed());
                let status = std::fs::read_to_string(&status).unwrap();
                let line = status
                    .lines()
                    .find(|line| line.starts_with("VmRSS:"))
                    .unwrap();
                let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
                highest.fetch_max(kib << 10, Ordering::Relaxed);
                next += Duration::from_millis(5);
                // Not a wait for something to happen, but the pace of the questions.
                std::thread::park_timeout(next.saturating_duration_since(Instant::now()));
            }
            took
        });
        Watch { stop, peak, asking }
    }

    /// Ends it with a signal, and says whether it ended well.
    pub(crate) fn end(&mut self, signal: &str) -> bool {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &id])
                .status()
                .unwrap()
                .success()
        );
        self.child.wait().unwrap().success()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Answers of `/v1/health` under some load.
pub(crate) struct Watch {
    stop: Arc<AtomicBool>,
    peak: Arc<AtomicU64>,
    asking: JoinHandle<Vec<Duration>>,
}

impl Watch {
    /// Ends it, prints and checks what was seen, and gives the peak of the memory.
    pub(crate) fn end(self, what: &str) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        let mut took = self.asking.join().unwrap();
        took.sort();
        let p99 = took[(took.len() * 99 / 100).min(took.len() - 1)];
        let peak = self.peak.load(Ordering::Relaxed);
        println!(
            "{what}: health {} answers, median {:?}, p99 {p99:?}, longest {:?}; peak RSS {} MiB",
            took.len(),
            took[took.len() / 2],
            took[took.len() - 1],
            peak >> 20,
        );
        // Unoptimised, and beside other tests, it may be slower; but never wait for the load to end.
        let bound = if full() { 50 } else { 1_000 };
        assert!(p99 < Duration::from_millis(bound), "{what}: p99 {p99:?}");
        peak
    }
}

/// Waits until something holds.
#[track_caller]
pub(crate) fn eventually(what: &str, within: Duration, holds: impl Fn() -> bool) {
    let until = Instant::now() + within;
    while !holds() {
        assert!(Instant::now() < until, "not within {within:?}: {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}
