//! Projections over small logs in memory: what the engine keeps, finds, survives and answers.

mod faults;
mod files;
mod following;
mod queries;
mod rebuilding;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use redb::ReadableTable;
use serde_json::json;
use whodunit_core::event::{Event, ExpectedRevision, NewEvent};
use whodunit_core::fold::fold;
use whodunit_core::ids::Revision;
use whodunit_core::json::State;
use whodunit_core::model::Model;
use whodunit_core::shown::redact_state;
use whodunit_core::time::Timestamp;

use super::read_model::file::{APPLY_LOG, DOCUMENTS, INDEX};
use super::read_model::record::{decode_document, decode_entries};
use super::read_model::{Durable, ReadView};
use super::*;
use crate::clock::SystemClock;
use crate::limits::PROJECTION_FOLLOW_MAX;
use crate::passwords::{Argon2id, Cost};
use crate::store::engine::{LoggedStore, StoreOptions};
use crate::store::{Append, Direction, View};

/// How long a test waits for what must happen.
const SOON: Duration = Duration::from_secs(30);
/// In every user's events; must not be in any file.
const SECRET: &str = "$argon2id$v=19$a-hash-that-nobody-may-see";

fn store() -> Arc<dyn Store> {
    Arc::new(LoggedStore::in_memory(StoreOptions::Relaxed).unwrap())
}

fn models() -> Arc<Models> {
    let passwords = Arc::new(Argon2id::new(Cost::Light));
    Arc::new(Models::new([whodunit_core::users::model(passwords).unwrap()]).unwrap())
}

fn both() -> Vec<Arc<dyn Projection>> {
    vec![Arc::new(Users), Arc::new(States)]
}

fn start_with(
    projections: Vec<Arc<dyn Projection>>,
    store: &Arc<dyn Store>,
    data: Option<&Path>,
) -> Arc<Projections> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    Projections::start_with(projections, store, &models(), &clock, data)
}

fn start(store: &Arc<dyn Store>) -> Arc<Projections> {
    start_with(both(), store, None)
}

/// Waits until a read model reflects the whole log.
async fn level(projections: &Projections, store: &Arc<dyn Store>) {
    let head = store.head().borrow().position;
    for name in projections.names() {
        let reached = projections.wait_for(name, head, SOON).await.unwrap();
        assert!(reached >= head, "{name} is at {reached} of {head}");
    }
}

/// A small generator (`SplitMix64`).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

async fn append(store: &Arc<dyn Store>, stream: &str, events: Vec<NewEvent>) -> u64 {
    let at = Timestamp::from_micros(1_741_000_000_000_000);
    let stream = StreamName::new(stream).unwrap();
    let mut request = Append::facts(stream, ExpectedRevision::Any, events, at);
    let head = store.head().borrow().position.0;
    request.fresh_ids = (0..request.events.len())
        .map(|n| format!("{head}-{n}-{}", request.stream))
        .collect();
    store.append(request).await.unwrap().position.0
}

fn created(name: &str) -> NewEvent {
    NewEvent::new(
        "UserCreated",
        json!({"username": name, "email": format!("{name}@Example.com"), "first_name": "Some", "last_name": name,
            "password_hash": SECRET}),
    )
}

async fn user(store: &Arc<dyn Store>, name: &str) -> u64 {
    append(store, &format!("user-{name}"), vec![created(name)]).await
}

/// Some event of a user, not always a sensible one.
fn user_event(random: &mut Random) -> NewEvent {
    let n = random.below(50);
    match random.below(10) {
        0 => created(&format!("again{n}")),
        1 => NewEvent::new("UserNameChanged", json!({"first_name": format!("F{n}")})),
        2 => NewEvent::new("UserEmailChanged", json!({"email": format!("e{n}@x.org")})),
        3 => NewEvent::new("UserPasswordChanged", json!({"password_hash": SECRET})),
        4 => NewEvent::new("UserSuspended", json!({})),
        5 => NewEvent::new("UserReactivated", json!({})),
        6 => NewEvent::new("UserDeleted", json!({})),
        7 => NewEvent::new("UserStatusChanged", json!({"status": "suspended"})),
        8 => NewEvent::new("UserEmailChanged", json!({"email": 7})),
        _ => NewEvent::new("UserDanced", json!({"how": n})),
    }
}

/// Appends a random history of users and of streams without a model.
async fn history(store: &Arc<dyn Store>, random: &mut Random, appends: u64) {
    for _ in 0..appends {
        let who = random.below(6);
        if random.below(3) == 0 {
            let data =
                json!({"n": random.below(5), "inner": {"at": random.below(3)}, "gone": null});
            append(
                store,
                &format!("door-{who}"),
                vec![NewEvent::new("Opened", data)],
            )
            .await;
        } else {
            let count = 1 + random.below(3);
            let events = (0..count).map(|_| user_event(random)).collect();
            append(store, &format!("user-{who}"), events).await;
        }
    }
}

/// What the states of a category's streams (or all) are, up to a position, by the way that states are shown.
fn expected(
    view: &dyn View,
    category: Option<&str>,
    up_to: u64,
) -> BTreeMap<String, (Revision, Position, State)> {
    let models = models();
    let page = view.log(
        &crate::store::LogFilter::default(),
        None,
        Direction::Forward,
        usize::MAX,
        u64::MAX,
    );
    let mut streams: BTreeMap<String, Vec<Event>> = BTreeMap::new();
    for event in page.unwrap().events {
        let wanted = category.is_none_or(|category| category == event.stream.category());
        if wanted && event.position.0 <= up_to {
            let stream = event.stream.as_str().to_owned();
            streams.entry(stream).or_default().push(event);
        }
    }
    let shown = streams.into_iter().map(|(stream, events)| {
        let last = events.last().unwrap();
        let model = models.for_stream(&last.stream);
        let mut state = fold(model, &events).state;
        redact_state(model, &mut state);
        if category.is_some() {
            state.shift_remove("password_hash");
        }
        (stream, (last.revision, last.position, state))
    });
    shown.collect()
}

fn documents(read_view: &ReadView) -> BTreeMap<String, Document> {
    let table = read_view.txn.open_table(DOCUMENTS).unwrap();
    let entries = table.iter().unwrap().map(|entry| {
        let (key, record) = entry.unwrap();
        let document = decode_document(key.value(), record.value()).unwrap();
        (key.value().to_owned(), document)
    });
    entries.collect()
}

/// Documents without their numbers, which depend on the order in which streams came up.
fn contents(read_view: &ReadView) -> BTreeMap<String, (Revision, Position, State)> {
    let documents = documents(read_view).into_iter();
    documents
        .map(|(key, document)| (key, (document.revision, document.position, document.state)))
        .collect()
}

fn index(read_view: &ReadView) -> Vec<(String, Vec<u8>, String)> {
    let table = read_view.txn.open_table(INDEX).unwrap();
    let entries = table.iter().unwrap().map(|entry| {
        let (place, _) = entry.unwrap();
        let (sort, value, key) = place.value();
        (sort.to_owned(), value.to_owned(), key.to_owned())
    });
    entries.collect()
}

/// The positions on the apply log, in the order they were applied.
fn log(read_view: &ReadView) -> Vec<u64> {
    let table = read_view.txn.open_table(APPLY_LOG).unwrap();
    let mut positions = Vec::new();
    for row in table.iter().unwrap() {
        let (_, row) = row.unwrap();
        decode_entries(row.value(), |_, entry| positions.push(entry.position.0)).unwrap();
    }
    positions
}

fn read_view(projections: &Projections, name: &str) -> ReadView {
    projections.runner(name).unwrap().model().read().unwrap()
}

/// A projection that can be made to fail, panic, wait, or do something else.
struct Odd {
    inner: Users,
    version: &'static str,
    /// The position at which it does not succeed; 0 for none.
    fails_at: AtomicU64,
    panics: bool,
    /// What it adds to every state.
    adds: Option<&'static str>,
    /// Whether it waits at every event.
    held: AtomicBool,
    applied: AtomicU64,
}

impl Odd {
    fn new() -> Self {
        Self {
            inner: Users,
            version: "odd-1",
            fails_at: AtomicU64::new(0),
            panics: false,
            adds: None,
            held: AtomicBool::new(false),
            applied: AtomicU64::new(0),
        }
    }

    fn hold(&self, held: bool) {
        self.held.store(held, Ordering::SeqCst);
    }
}

impl Projection for Odd {
    fn name(&self) -> &'static str {
        "users"
    }

    fn description(&self) -> &'static str {
        "users, oddly"
    }

    fn version(&self) -> &'static str {
        self.version
    }

    fn category(&self) -> Option<&str> {
        self.inner.category()
    }

    fn keep(&self, model: &Model, state: &mut State) {
        self.inner.keep(model, state);
    }

    fn apply(&self, model: &Model, state: &mut State, event: &Event) -> Result<(), String> {
        while self.held.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        if self.fails_at.load(Ordering::SeqCst) == event.position.0 {
            assert!(!self.panics, "as it was told");
            return Err("as it was told".to_owned());
        }
        self.inner.apply(model, state, event)?;
        if let Some(adds) = self.adds {
            state.insert(adds.to_owned(), json!(event.revision));
        }
        self.applied.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn sorts(&self) -> &'static [Sort] {
        self.inner.sorts()
    }

    fn fields(&self) -> &'static [Field] {
        self.inner.fields()
    }
}
