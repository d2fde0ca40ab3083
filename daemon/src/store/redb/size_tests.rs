//! How many bytes of the file a decision takes beyond its events.

use redb::{Database, ReadableDatabase, ReadableTableMetadata};
use serde_json::json;
use whodunit_core::command::Command;
use whodunit_core::event::{ExpectedRevision, NewEvent};
use whodunit_core::ids::{Revision, StreamName};

use super::tests::sealing;
use super::*;
use crate::store::{Append, PendingDecision, Store};
use whodunit_core::time::Timestamp;

/// Decisions of this test.
const DECISIONS: u64 = 4_000;
/// Bytes that one may take, its indexes and the free space of their pages included.
const BYTES_MAX: u64 = 512;

/// The `n`-th command of an application whose ids are UUIDs.
fn command(n: u64) -> Append {
    let id = |kind: u64| format!("0195d3a1-7c2e-7{kind:03}-8000-{:012x}", n * 2_654_435_761);
    let stream = StreamName::new(format!("user-{}", id(1))).unwrap();
    let data = json!({"email": format!("someone.{n}@example.org"), "name": "Some One"});
    let now = Timestamp::from_micros(1_741_000_000_000_000);
    let mut event = NewEvent::new("UserRegistered", data.clone());
    event.event_id = Some(id(2));
    let mut append = Append::facts(stream.clone(), ExpectedRevision::Any, vec![event], now);
    append.decision = Some(PendingDecision {
        command: Command {
            command_id: id(3),
            stream,
            command_type: "RegisterUser".to_owned(),
            payload: data.as_object().cloned().unwrap(),
            actor: Some("user:sarah".to_owned()),
            reason: Some("signed up on the website".to_owned()),
            correlation_id: Some(id(4)),
            causation_id: None,
            issued_at: now,
        },
        base_revision: Revision(0),
        rules_hash: "0123456789abcdef".to_owned(),
        rejection: None,
    });
    append
}

/// Bytes that a store with these appends takes in all tables, the free space of their pages included.
async fn bytes(appends: impl Iterator<Item = Append>) -> u64 {
    let directory = tempfile::tempdir().unwrap();
    let store = sealing(directory.path());
    let mut waiting = Vec::new();
    for append in appends {
        waiting.push(store.append(append));
        if waiting.len() == 100 {
            for append in waiting.drain(..) {
                append.await.unwrap();
            }
        }
    }
    store.close().await.unwrap();
    let storage = opening::storage(&directory.path().join(FILE_NAME));
    let database = Database::builder().create_with_backend(storage).unwrap();
    let txn = database.begin_read().unwrap();
    let tables: Vec<_> = txn.list_tables().unwrap().collect();
    let each = tables.into_iter().map(|table| {
        let stats = txn.open_untyped_table(table).unwrap().stats().unwrap();
        stats.stored_bytes() + stats.metadata_bytes() + stats.fragmented_bytes()
    });
    each.sum()
}

#[tokio::test]
async fn a_decision_takes_at_most_half_a_kilobyte_beyond_its_events() {
    let with = bytes((0..DECISIONS).map(command)).await;
    let without = bytes((0..DECISIONS).map(|n| Append {
        decision: None,
        ..command(n)
    }))
    .await;
    let each = with.saturating_sub(without) / DECISIONS;
    println!("{each} bytes a decision");
    assert!(each <= BYTES_MAX, "{each} bytes a decision");
}
