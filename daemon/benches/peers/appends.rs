//! Durable single-event appends over the network, each with the revision it expects, from 1, 10 and 64 writers; commands
//! beside them.

use serde_json::json;
use whodunit_core::event::{ExpectedRevision, NewEvent};
use whodunit_core::ids::{Revision, StreamName};
use whodunit_core::time::Timestamp;
use whodunit_daemon::store::Append;

use crate::figures::{Figures, Table, measured};
use crate::postgres::Postgres;
use crate::umadb::{self, Umadb};
use crate::wire::{Daemon, Http};
use crate::{Extent, peer};

/// The `n`-th event of a caller, as an application would send it.
pub(crate) fn event(category: &str, caller: usize, n: u64) -> Append {
    let data = json!({"order": n, "customer": format!("customer-{}", n % 997), "total": n * 7 % 10_000, "currency": "EUR",
        "note": "a few words of text, as there are in every event of a real system"});
    let mut event = NewEvent::new("OrderPlaced", data);
    event.event_id = Some(format!("0195d3a1-7c2e-7000-{caller:04}-{n:012}"));
    event.actor = Some("shop".to_owned());
    event.correlation_id = Some(format!("checkout-{caller}-{n}"));
    let stream = StreamName::new(format!("{category}-{caller}")).unwrap();
    let at = Timestamp::from_micros(1_741_000_000_000_000);
    let expected = ExpectedRevision::Exact(Revision(n));
    Append::facts(stream, expected, vec![event], at)
}

/// A stream that no round before has written to, and its events' ids.
fn fresh(round: usize, caller: usize, n: u64) -> Append {
    let mut append = event(&format!("order{round}"), caller, n);
    for event in &mut append.events {
        event.event_id = Some(format!("0195d3a1-{round:04}-7000-{caller:04}-{n:012}"));
    }
    append
}

/// The body of the same append over HTTP.
pub(crate) fn body(append: &Append) -> Vec<u8> {
    let event = &append.events[0];
    let ExpectedRevision::Exact(expected) = append.expected else {
        panic!("an append without a revision");
    };
    serde_json::to_vec(&json!({"expected_revision": expected, "events": [{
        "event_id": event.event_id, "event_type": event.event_type, "actor": event.actor,
        "correlation_id": event.correlation_id, "data": event.data,
    }]}))
    .unwrap()
}

async fn whodunit(address: &str, writers: usize, round: usize, extent: Extent) -> Figures {
    let mut callers = Vec::new();
    for caller in 0..writers {
        callers.push((caller, Http::connect(address).await));
    }
    let call = move |(caller, mut http): (usize, Http), n| async move {
        let append = fresh(round, caller, n);
        let path = format!("/v1/streams/{}/events", append.stream);
        http.post(&path, &body(&append)).await;
        (caller, http)
    };
    measured(callers, extent.slice, call).await
}

async fn postgres(address: &str, writers: usize, round: usize, extent: Extent) -> Figures {
    let mut callers = Vec::new();
    for caller in 0..writers {
        callers.push((caller, Postgres::connect(address).await));
    }
    let run = std::process::id();
    let call = move |(caller, mut connection): (usize, Postgres), n: u64| async move {
        let append = fresh(round, caller, n);
        let event = &append.events[0];
        let (stream, revision) = (format!("{}-{run}", append.stream), (n + 1).to_string());
        let id = event.event_id.as_deref().unwrap_or_default();
        let actor = event.actor.as_deref().unwrap_or_default();
        let correlation = event.correlation_id.as_deref().unwrap_or_default();
        let data = event.data.as_str();
        let kind = &event.event_type;
        let values = [&stream, &revision, id, kind, actor, correlation, data];
        connection.append(values).await;
        (caller, connection)
    };
    measured(callers, extent.slice, call).await
}

async fn umadb(address: &str, writers: usize, round: usize, extent: Extent) -> Figures {
    let mut callers = Vec::new();
    for caller in 0..writers {
        callers.push((caller, Umadb::connect(address).await));
    }
    let run = std::process::id();
    let call = move |(caller, mut connection): (usize, Umadb), n: u64| async move {
        let append = fresh(round, caller, n);
        let event = &append.events[0];
        let tag = format!("{}-{run}", append.stream);
        // Its events have no other place for these two.
        let data = format!(
            r#"{{"actor":"{}","correlation_id":"{}","data":{}}}"#,
            event.actor.as_deref().unwrap_or_default(),
            event.correlation_id.as_deref().unwrap_or_default(),
            event.data.as_str()
        );
        let event = umadb::Event {
            kind: &event.event_type,
            id: event.event_id.as_deref().unwrap_or_default(),
            tag: &tag,
            data: &data,
        };
        connection.append(&[event]).await;
        (caller, connection)
    };
    measured(callers, extent.slice, call).await
}

pub(crate) async fn over_http(extent: Extent) {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path());
    let (pg, uma) = (peer("PEERS_POSTGRES"), peer("PEERS_UMADB"));
    for writers in [1, 10, 64] {
        let mut table = Table::default();
        for round in 0..extent.rounds {
            let round = round + 10 * writers;
            let found = whodunit(&daemon.address, writers, round, extent).await;
            table.add("whodunit over HTTP", found);
            if let Some(address) = &pg {
                let found = postgres(address, writers, round, extent).await;
                table.add("PostgreSQL", found);
            }
            if let Some(address) = &uma {
                table.add("UmaDB", umadb(address, writers, round, extent).await);
            }
        }
        let title = format!("over the network, {writers} writers");
        table.print(&title, &["PostgreSQL", "UmaDB"]);
    }
    println!("memory of the daemon: {} MiB", daemon.memory() >> 20);
}

/// Users that commands are sent to: made by raw appends, as a password takes its time to hash.
async fn users(address: &str, count: usize, round: usize) -> Vec<(usize, Http)> {
    let mut callers = Vec::new();
    for caller in 0..count {
        let mut http = Http::connect(address).await;
        let name = format!("name{round}x{caller}");
        let event = json!({"event_type": "UserCreated", "actor": "bench", "data": {"username": name,
            "email": format!("{name}@example.com"), "first_name": "First", "last_name": "Last",
            "password_hash": format!("$argon2id$v=19$m=19456,t=2,p=1${caller:040}${caller:040}")}});
        let body = json!({"expected_revision": 0, "events": [event]});
        let path = format!("/v1/streams/user-{round}-{caller}/events");
        http.post(&path, body.to_string().as_bytes()).await;
        callers.push((caller, http));
    }
    callers
}

pub(crate) async fn commands(extent: Extent) {
    const WRITERS: usize = 64;
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path());
    let mut table = Table::default();
    for round in 0..extent.rounds {
        let found = whodunit(&daemon.address, WRITERS, round, extent).await;
        table.add("raw appends", found);
        let callers = users(&daemon.address, WRITERS, round).await;
        let call = move |(caller, mut http): (usize, Http), n: u64| async move {
            let body = json!({"type": "ChangeName", "actor": "bench", "expected_revision": n + 1,
                "payload": {"first_name": format!("First{n}")}});
            let path = format!("/v1/streams/user-{round}-{caller}/commands");
            http.post(&path, body.to_string().as_bytes()).await;
            (caller, http)
        };
        table.add("commands", measured(callers, extent.slice, call).await);
    }
    table.print("over HTTP, 64 clients", &["raw appends"]);
}
