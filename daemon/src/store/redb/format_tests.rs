//! The bytes on disk, held against `docs/STORE_FORMAT.md`: a change of either without the other fails here.

use std::collections::BTreeSet;

use redb::{Database, Key, ReadableDatabase, TableHandle, Value};
use serde_json::json;
use whodunit_core::event::{ExpectedRevision, NewEvent};
use whodunit_core::ids::StreamName;

use super::*;
use crate::store::{Append, NewJob, Store};

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
        types(tables::SEGMENTS),
        types(tables::SEGMENT_CHUNKS),
        types(tables::RUNS),
        types(tables::REJECTIONS),
        types(tables::LATE_EVENTS),
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
