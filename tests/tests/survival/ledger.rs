//! What writers were told is durable, and whether a daemon still has it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use whodunit_tests::Daemon;

/// What a command was answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// At this revision.
    Accepted(u64),
    /// By this rule.
    Rejected(String),
}

/// What was acknowledged.
#[derive(Debug, Default, Clone)]
pub(crate) struct Ledger {
    /// Event id to stream, revision and position.
    pub(crate) events: BTreeMap<String, (String, u64, u64)>,
    /// Command id to its decision.
    pub(crate) decisions: BTreeMap<String, Outcome>,
    /// Ids of imported events, with their streams: an import tells how many there are, not where they are.
    pub(crate) imported: BTreeMap<String, String>,
}

impl Ledger {
    /// Adds what another writer was told.
    pub(crate) fn extend(&mut self, other: Self) {
        self.events.extend(other.events);
        self.decisions.extend(other.decisions);
        self.imported.extend(other.imported);
    }

    /// Reads the whole log and compares: dense positions, dense revisions, nothing acknowledged missing or elsewhere.
    pub(crate) async fn check(&self, daemon: &Daemon) {
        let mut found = BTreeMap::new();
        let mut revisions: BTreeMap<String, u64> = BTreeMap::new();
        let mut position = 0;
        for event in items(daemon, "/v1/events?").await {
            position += 1;
            assert_eq!(event["position"], position, "positions are dense");
            let stream = text(&event["stream"]);
            let revision = revisions.entry(stream.clone()).or_default();
            *revision += 1;
            assert_eq!(
                event["revision"], *revision,
                "revisions of `{stream}` are dense"
            );
            let id = text(&event["event_id"]);
            let repeated = found.insert(id, (stream, *revision, position));
            assert_eq!(repeated, None, "no event is there twice");
        }
        for (id, place) in &self.events {
            assert_eq!(found.get(id), Some(place), "`{id}` was acknowledged");
        }
        for (id, stream) in &self.imported {
            let place = found.get(id).map(|(stream, ..)| stream);
            assert_eq!(place, Some(stream), "`{id}` was imported");
        }
        self.check_decisions(daemon).await;
    }

    async fn check_decisions(&self, daemon: &Daemon) {
        let mut seen = BTreeSet::new();
        let mut found = BTreeMap::new();
        for decision in items(daemon, "/v1/decisions?").await {
            let id = text(&decision["command_id"]);
            assert!(seen.insert(id.clone()), "`{id}` was decided once");
            let outcome = match decision["outcome"].as_str() {
                Some("accepted") => {
                    Outcome::Accepted(decision["revision"].as_u64().unwrap_or_default())
                }
                _ => Outcome::Rejected(text(&decision["rule"])),
            };
            found.insert(id, outcome);
        }
        for (id, outcome) in &self.decisions {
            assert_eq!(found.get(id), Some(outcome), "`{id}` was decided");
        }
    }
}

/// All items of a list, page by page.
async fn items(daemon: &Daemon, path: &str) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = daemon.get(&format!("{path}limit=1000{cursor}")).await;
        let Ok((200, mut page)) = page else {
            unreachable!("a page of {path}: {page:?}")
        };
        if let Value::Array(more) = page["items"].take() {
            items.extend(more);
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return items,
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
