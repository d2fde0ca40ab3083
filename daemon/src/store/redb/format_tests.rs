//! The bytes on disk, held against `docs/STORE_FORMAT.md`: a change of either without the other fails here.

use std::collections::BTreeSet;
use whodunit_core::command::Decision;

use redb::{Database, Key, ReadableDatabase, TableHandle, Value};
use serde_json::json;
use whodunit_core::command::Outcome;
use whodunit_core::event::{Event, ExpectedRevision, NewEvent};
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::json::Json;

use super::*;
use crate::store::{Append, NewJob, Store};
use whodunit_core::time::Timestamp;

const PAGE: &str = include_str!("../../../../docs/STORE_FORMAT.md");

/// The bytes of the page's example with this name: the hexadecimal pairs that its lines begin with.
fn example(name: &str) -> Vec<u8> {
    let (_, rest) = PAGE.split_once(&format!("```text\n{name}\n")).unwrap();
    let (block, _) = rest.split_once("```").unwrap();
    block
        .lines()
        .flat_map(|line| {
            let (bytes, _) = line.split_once("  ").unwrap();
            bytes
                .split(' ')
                .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        })
        .collect()
}

/// The rows of the page's list of tables: name, key type, value type.
fn rows() -> Vec<[String; 3]> {
    let (_, rest) = PAGE.split_once("<!-- tables:begin -->\n").unwrap();
    let (list, _) = rest.split_once("<!-- tables:end -->").unwrap();
    list.lines()
        .skip(2)
        .map(|row| {
            let mut cells = row.trim_matches('|').split('|').map(|cell| {
                let (_, rest) = cell.split_once('`').unwrap();
                rest.split_once('`').unwrap().0.to_owned()
            });
            std::array::from_fn(|_| cells.next().unwrap())
        })
        .collect()
}

fn fact() -> Append {
    let mut event = NewEvent::new("OrderPlaced", json!({"total": 3}));
    event.event_id = Some("e1".to_owned());
    event.actor = Some("shop".to_owned());
    let mut append = Append::facts(
        StreamName::new("order-1").unwrap(),
        ExpectedRevision::NoStream,
        vec![event],
        "2025-03-04T09:12:04Z".parse().unwrap(),
    );
    append.jobs = vec![NewJob {
        event: 0,
        handler: "crm".to_owned(),
    }];
    append
}

/// A closed store with one event, opened as plain redb on its pages.
async fn one_event() -> (tempfile::TempDir, Database) {
    let directory = tempfile::tempdir().unwrap();
    let store = super::tests::sealing(directory.path());
    store.append(fact()).await.unwrap();
    store.close().await.unwrap();
    let storage = opening::storage(&directory.path().join(FILE_NAME));
    let database = Database::builder().create_with_backend(storage).unwrap();
    (directory, database)
}

/// How the page names the types of a table.
fn types<K: Key + 'static, V: Value + 'static>(
    table: redb::TableDefinition<'_, K, V>,
) -> [String; 3] {
    let tidy = |name: redb::TypeName| {
        let name = name.name().replace("&[u8]", "bytes");
        name.replace('&', "").replace(',', ", ")
    };
    [
        table.name().to_owned(),
        tidy(K::type_name()),
        tidy(V::type_name()),
    ]
}

#[tokio::test]
async fn the_page_lists_every_table_with_its_types() {
    let (_directory, database) = one_event().await;
    let txn = database.begin_read().unwrap();
    let in_file: BTreeSet<String> = txn
        .list_tables()
        .unwrap()
        .map(|table| table.name().to_owned())
        .collect();
    let rows = rows();
    let on_page: BTreeSet<String> = rows.iter().map(|[name, ..]| name.clone()).collect();
    assert_eq!(on_page, in_file);
    for row in [
        types(tables::META),
        types(tables::EVENTS),
        types(tables::STREAM_EVENTS),
        types(tables::LATE_EVENTS),
        types(tables::BY_ACTOR),
        types(tables::BY_TIME),
        types(tables::STREAM_DECISIONS),
        types(tables::KEYS),
        types(tables::SNAPSHOTS),
        types(tables::JOBS),
        types(tables::JOBS_BY_HANDLER),
        types(tables::JOBS_BY_STREAM),
        types(tables::JOBS_OPEN),
        types(tables::JOBS_BY_EVENT),
        types(tables::JOB_COUNTS),
    ] {
        assert!(rows.contains(&row), "{row:?} is not on the page");
    }
}

#[tokio::test]
async fn the_bytes_are_those_of_the_page() {
    let (_directory, database) = one_event().await;
    let txn = database.begin_read().unwrap();
    let meta = txn.open_table(tables::META).unwrap();
    assert_eq!(
        meta.get("format").unwrap().unwrap().value(),
        tables::FORMAT.to_le_bytes()
    );
    assert!(PAGE.contains(&format!(
        "This page describes **format {}**",
        tables::FORMAT
    )));
    let streams = txn.open_table(tables::STREAMS).unwrap();
    assert_eq!(streams.get(1).unwrap().unwrap().value(), example("stream"));
    let jobs = txn.open_table(tables::JOBS).unwrap();
    assert_eq!(jobs.get(1).unwrap().unwrap().value(), example("job"));
}

fn decision() -> Decision {
    Decision {
        sequence: 7,
        command_id: "c".to_owned(),
        stream: StreamName::new("user-1").unwrap(),
        command_type: "Suspend".to_owned(),
        payload: Json::empty_object(),
        actor: Some("anna".to_owned()),
        reason: None,
        correlation_id: None,
        causation_id: None,
        base_revision: Revision(2),
        base_position: Position(9),
        rules_hash: "rules".to_owned(),
        decided_at: Timestamp::from_micros(1_741_079_524_000_000),
        result: Outcome::Accepted {
            revision: Revision(3),
            position: Position(10),
            events: 1,
        },
    }
}

#[test]
fn a_decision_has_the_bytes_that_the_page_says_and_is_read_no_other_way() {
    let mut decision = decision();
    let rejections = record::Rejections {
        furthest: Position(4),
        last: 5,
    };
    assert_eq!(rejections.and(&decision), rejections);
    let bytes = record::encode_decision(&decision, rejections);
    assert_eq!(bytes, example("decision"));
    assert_eq!(record::decode_decision(7, &bytes).unwrap(), decision);
    decision.result = Outcome::Rejected {
        rule: "r".to_owned(),
        message: String::new(),
    };
    decision.correlation_id = Some("correlation".to_owned());
    decision.payload = Json::parse(r#"{"b":1.50,"a":[1e2,"\u00fc"]}"#).unwrap();
    let rejections = rejections.and(&decision);
    assert_eq!((rejections.furthest, rejections.last), (Position(9), 7));
    let bytes = record::encode_decision(&decision, rejections);
    assert_eq!(record::decode_decision(7, &bytes).unwrap(), decision);
    assert_eq!(record::decode_rejections(7, &bytes).unwrap(), rejections);
    for length in 0..bytes.len() {
        assert!(
            record::decode_decision(7, &bytes[..length]).is_err(),
            "cut at {length}"
        );
    }
    let longer = [&bytes[..], &[0]].concat();
    let other = [&bytes[..41], &[9], &bytes[42..]].concat();
    for (bytes, word) in [(longer, "too many"), (other, "outcome 9")] {
        let error = record::decode_decision(7, &bytes).unwrap_err().to_string();
        assert!(
            error.contains("decision 7") && error.contains(word),
            "{error}"
        );
    }
}

/// Everything that an event may have, and the difference between absent and empty, comes back as it went in.
#[test]
fn a_record_is_read_as_it_was_written_and_no_other_way() {
    let event = Event {
        position: Position(5),
        stream: StreamName::new("a-ü/漢").unwrap(),
        revision: Revision(u64::MAX),
        event_id: "id".to_owned(),
        event_type: "T".to_owned(),
        schema_version: u32::MAX,
        recorded_at: Timestamp::from_micros(-1),
        actor: Some(String::new()),
        reason: None,
        correlation_id: Some("c".to_owned()),
        causation_id: None,
        data: Json::parse(r#"{"b":1.50,"a":[1e2,"\u00fc"]}"#).unwrap(),
        metadata: Some(Json::parse("null").unwrap()),
    };
    let bytes = record::encode_event(&event);
    assert_eq!(record::decode_event(5, &bytes).unwrap(), event);
    for length in 0..bytes.len() {
        assert!(
            record::decode_event(5, &bytes[..length]).is_err(),
            "cut at {length}"
        );
    }
    let longer = [&bytes[..], &[0]].concat();
    let other = [&[2], &bytes[1..]].concat();
    for (bytes, word) in [(longer, "too many"), (other, "version 2")] {
        let error = record::decode_event(5, &bytes).unwrap_err().to_string();
        assert!(
            error.contains("position 5") && error.contains(word),
            "{error}"
        );
    }
}
