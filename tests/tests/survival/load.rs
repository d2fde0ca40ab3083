//! Writers of every kind and a taker of backups, each until its daemon is gone, with what it was told.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::ledger::{Ledger, Outcome};

const APPENDERS: u64 = 6;
const COMMANDERS: u64 = 2;
const IMPORT_LINES: u64 = 40;
const IMPORT: &str = "/v1/import";
const BACKUP: &str = "/v1/backup";

/// A backup that came to its end, and what was acknowledged before it was begun.
pub(crate) struct Backup {
    pub(crate) bytes: Vec<u8>,
    pub(crate) told: Ledger,
}

/// One writer's share of a round.
#[derive(Clone)]
struct Writer {
    client: reqwest::Client,
    url: String,
    round: u64,
    number: u64,
    stop: Arc<AtomicBool>,
    count: Arc<AtomicU64>,
}

/// The load on a daemon: appends, commands, imports, rebuilds and backups, all at once.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    /// Acknowledgements so far.
    pub(crate) count: Arc<AtomicU64>,
    writers: Vec<JoinHandle<Ledger>>,
    backups: JoinHandle<(Ledger, Option<Backup>)>,
}

impl Load {
    pub(crate) fn start(url: &str, round: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let count = Arc::new(AtomicU64::new(0));
        let writer = |writer| Writer {
            client: reqwest::Client::new(),
            url: url.to_owned(),
            round,
            number: writer,
            stop: Arc::clone(&stop),
            count: Arc::clone(&count),
        };
        let appenders = (0..APPENDERS).map(|n| tokio::spawn(writer(n).append()));
        let commanders = (0..COMMANDERS).map(|n| tokio::spawn(writer(n).command()));
        let others = [
            tokio::spawn(writer(0).import()),
            tokio::spawn(writer(0).rebuild()),
        ];
        let writers = appenders.chain(commanders).chain(others).collect();
        let backups = tokio::spawn(writer(APPENDERS).back_up());
        Self {
            stop,
            count,
            writers,
            backups,
        }
    }

    /// Ends the load. Returns what its writers were told, and the last backup that came to its end.
    pub(crate) async fn end(self) -> (Ledger, Option<Backup>) {
        self.stop.store(true, Ordering::SeqCst);
        let mut ledger = Ledger::default();
        for writer in self.writers {
            match writer.await {
                Ok(told) => ledger.extend(told),
                Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
            }
        }
        match self.backups.await {
            Ok((told, backup)) => {
                ledger.extend(told);
                (ledger, backup)
            }
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        }
    }
}

impl Writer {
    fn is_over(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// Sends a request. `None` when the daemon is gone, or its answer broke off: then nothing was acknowledged.
    async fn send(&self, path: &str, body: String) -> Option<(u16, Value)> {
        let kind = if path == IMPORT {
            "application/x-ndjson"
        } else {
            "application/json"
        };
        let sent = self
            .client
            .post(format!("{}{path}", self.url))
            .header("content-type", kind)
            .body(body);
        let response = sent.send().await.ok()?;
        let status = response.status().as_u16();
        Some((status, response.json().await.ok()?))
    }

    fn acknowledged(&self) {
        self.count.fetch_add(1, Ordering::SeqCst);
    }

    /// Single events; half of the writers share one stream.
    async fn append(self) -> Ledger {
        let (round, writer) = (self.round, self.number);
        let mut ledger = Ledger::default();
        for n in 0.. {
            let stream = if writer.is_multiple_of(2) {
                "load-shared".to_owned()
            } else {
                format!("load-{writer}")
            };
            let id = format!("{round}-{writer}-{n}");
            let body =
                json!({"events": [{"event_type": "Counted", "event_id": id, "data": {"n": n}}]});
            let path = format!("/v1/streams/{stream}/events");
            let Some((200, answer)) = self.send(&path, body.to_string()).await else {
                break;
            };
            let number = |name: &str| answer[name].as_u64().unwrap_or_default();
            let place = (stream, number("revision"), number("position"));
            ledger.events.insert(id, place);
            self.acknowledged();
            if self.is_over() {
                break;
            }
        }
        ledger
    }

    /// Commands on a user of its own, every third of them refused.
    async fn command(self) -> Ledger {
        let (round, writer) = (self.round, self.number);
        let path = format!("/v1/streams/user-{writer}/commands");
        let mut ledger = Ledger::default();
        for n in 0_u64.. {
            let id = format!("command-{round}-{writer}-{n}");
            let (kind, payload) = match n {
                0 => (
                    "CreateUser",
                    json!({"username": format!("writer{writer}"), "email": format!("w{writer}@example.com"),
                        "first_name": "Wanda", "last_name": "Writer", "password": "long enough"}),
                ),
                // The same name once more is no change.
                n => (
                    "ChangeName",
                    json!({"first_name": format!("{round} {}", n - u64::from(n % 3 == 2))}),
                ),
            };
            let body = json!({"command_id": id, "type": kind, "payload": payload, "actor": "writer", "reason": "load"});
            let Some((status, answer)) = self.send(&path, body.to_string()).await else {
                break;
            };
            let outcome = match status {
                200 => Outcome::Accepted(answer["revision"].as_u64().unwrap_or_default()),
                422 => Outcome::Rejected(answer["rule"].as_str().unwrap_or_default().to_owned()),
                _ => break,
            };
            ledger.decisions.insert(id, outcome);
            self.acknowledged();
            if self.is_over() {
                break;
            }
        }
        ledger
    }

    /// Files of a few lines.
    async fn import(self) -> Ledger {
        let round = self.round;
        let mut ledger = Ledger::default();
        for n in 0_u64.. {
            let (mut body, mut ids) = (String::new(), Vec::new());
            for line in 0..IMPORT_LINES {
                let (stream, id) = (
                    format!("file-{round}-{}", line % 3),
                    format!("file-{round}-{n}-{line}"),
                );
                let event = json!({"stream": stream, "event_type": "Imported", "event_id": id, "data": {"n": n}});
                let _ = writeln!(body, "{event}");
                ids.push((id, stream));
            }
            let Some((200, answer)) = self.send(IMPORT, body).await else {
                break;
            };
            assert_eq!(answer["added"], IMPORT_LINES, "{answer}");
            ledger.imported.extend(ids);
            self.acknowledged();
            if self.is_over() {
                break;
            }
        }
        ledger
    }

    /// Backups, one after the other, each behind an event of its own. One that breaks off is none.
    async fn back_up(self) -> (Ledger, Option<Backup>) {
        let (round, mut ledger, mut last) = (self.round, Ledger::default(), None);
        for n in 0_u64.. {
            let (stream, id) = ("load-backups".to_owned(), format!("backup-{round}-{n}"));
            let body =
                json!({"events": [{"event_type": "Counted", "event_id": id, "data": {"n": n}}]});
            let path = format!("/v1/streams/{stream}/events");
            let Some((200, answer)) = self.send(&path, body.to_string()).await else {
                break;
            };
            let number = |name: &str| answer[name].as_u64().unwrap_or_default();
            let place = (stream, number("revision"), number("position"));
            ledger.events.insert(id, place);
            let told = ledger.clone();
            let taken = self.client.post(format!("{}{BACKUP}", self.url)).send();
            let Ok(taken) = taken.await else { break };
            let is_one = taken.status().as_u16() == 200;
            match taken.bytes().await {
                Ok(bytes) if is_one => {
                    let bytes = bytes.to_vec();
                    last = Some(Backup { bytes, told });
                }
                Ok(_refused) => {}
                Err(_broken_off) => break,
            }
            if self.is_over() {
                break;
            }
        }
        (ledger, last)
    }

    /// Rebuilds of a read model, one after the other.
    async fn rebuild(self) -> Ledger {
        while !self.is_over() {
            let begun = self
                .send("/v1/projections/users/rebuild", String::new())
                .await;
            if begun.is_none() {
                break;
            }
            // While one is under way, the next is refused: a moment for the others.
            tokio::task::yield_now().await;
        }
        Ledger::default()
    }
}
