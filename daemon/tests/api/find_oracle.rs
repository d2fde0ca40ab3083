//! What a query line finds in a store, page by page and line by line, against what its terms mean in plain words.

use axum::body::Body;
use serde_json::{Value, json};
use whodunit_core::event::Event;
use whodunit_core::time::Timestamp;
use whodunit_core::time::input::{Clock, Zone};

use crate::find::encoded;
use crate::query_log::{Random, history};
use crate::query_terms::{Meaning, all, simple_term};
use crate::support::{Api, request};

const HISTORIES: u64 = 12;
const LINES: usize = 25;
const SEED: u64 = 0x5eed_0043;

/// Appends a history as it is.
async fn append(api: &Api, events: &[Event]) {
    for event in events {
        let new = json!({
            "event_type": event.event_type, "event_id": event.event_id, "recorded_at": event.recorded_at,
            "actor": event.actor, "reason": event.reason, "correlation_id": event.correlation_id, "data": event.data
        });
        let body = json!({"events": [new]});
        let appended = api.append(event.stream.as_str(), &body).await.ok();
        assert_eq!(appended["position"], json!(event.position));
    }
}

/// All pages of a line: positions, and how many were undecided.
async fn pages(api: &Api, line: &str, limit: u64, order: &str) -> (Vec<u64>, u64) {
    let (mut found, mut undecided, mut more) = (Vec::new(), 0, String::new());
    loop {
        let path = format!(
            "/v1/events?q={}&limit={limit}&order={order}{more}",
            encoded(line)
        );
        let page = api.get(&path).await.ok();
        let items = page["items"].as_array().unwrap();
        assert!(items.len() as u64 <= limit);
        found.extend(items.iter().map(|item| item["position"].as_u64().unwrap()));
        undecided += page["undecided"]["undefined"].as_u64().unwrap_or_default();
        match page["next_cursor"].as_str() {
            Some(next) => more = format!("&cursor={next}"),
            None => return (found, undecided),
        }
    }
}

/// The same as lines.
async fn lines(api: &Api, line: &str) -> (Vec<u64>, u64) {
    let path = format!("/v1/events?q={}", encoded(line));
    let asked = request("GET", &path).header("accept", "application/x-ndjson");
    let reply = api.send(asked.body(Body::empty()).unwrap()).await;
    let lines: Vec<Value> = reply
        .text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let end = &lines.last().unwrap()["end"];
    assert_eq!(end["complete"], true);
    let found = lines
        .iter()
        .filter_map(|line| line["event"]["position"].as_u64())
        .collect();
    (
        found,
        end["undecided"]["undefined"].as_u64().unwrap_or_default(),
    )
}

#[tokio::test]
async fn every_way_of_asking_finds_what_the_words_mean() {
    for number in 0..HISTORIES {
        println!("history {number} of seed {SEED}");
        let mut random = Random(SEED + number);
        let events = history(&mut random);
        let api = Api::start();
        append(&api, &events).await;
        for _ in 0..LINES {
            let terms: Vec<Meaning> = (0..=random.below(2))
                .map(|_| simple_term(&mut random, false))
                .collect();
            let texts: Vec<_> = terms.iter().map(|term| term.text.clone()).collect();
            let line = texts.join(" ");
            let clock = Clock {
                now: Timestamp::MIN,
                zone: Zone::Unknown,
            };
            if whodunit_core::query::Query::parse(&line, &clock).is_err() {
                continue;
            }
            let answers = events
                .iter()
                .map(|event| (event.position.0, all(&terms, &events, event)));
            let answers: Vec<_> = answers.collect();
            let expected: Vec<u64> = answers
                .iter()
                .filter(|(_, said)| *said == Some(true))
                .map(|(at, _)| *at)
                .collect();
            let undecided = answers.iter().filter(|(_, said)| said.is_none()).count() as u64;
            let newest_first: Vec<u64> = expected.iter().rev().copied().collect();
            let limit = 1 + random.below(5);
            assert_eq!(
                pages(&api, &line, limit, "forward").await,
                (expected, undecided),
                "{line}"
            );
            assert_eq!(
                pages(&api, &line, limit, "backward").await,
                (newest_first.clone(), undecided),
                "{line}"
            );
            assert_eq!(
                lines(&api, &line).await,
                (newest_first, undecided),
                "{line}"
            );
        }
    }
}
