//! Faults that are planted below the seam, each of which a verification finds.

mod indexes;
mod open;
mod records;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use redb::WriteTransaction;
use serde_json::{Value, json};
use whodunit_core::api::verify::{Severity, VerifyCode, VerifyOut};
use whodunit_core::command::{Command, Rejection};
use whodunit_core::decide::state_and_keys_after;
use whodunit_core::event::{Event, ExpectedRevision, NewEvent};
use whodunit_core::fold::Folded;
use whodunit_core::ids::{Revision, StreamName};
use whodunit_core::json::State;
use whodunit_core::model::Models;
use whodunit_core::stop::Stop;
use whodunit_core::time::Timestamp;

use super::open_tables::{OpenTables, WriteTables};
use super::{NewStore, opening};
use crate::builtin::{self, BuiltIn};
use crate::passwords::Cost;
use crate::store::disk::simulated::SimulatedDisk;
use crate::store::engine::LoggedStore;
use crate::store::engine::testing::{self, wait};
use crate::store::{
    Append, AppendResult, JobChange, NewJob, PendingDecision, Scope, Store, StoreId, StreamLabel,
};
use crate::time_travel::snapshots;
use crate::verify::verify;

type Files = BTreeMap<PathBuf, Vec<u8>>;

pub(super) fn models() -> Models {
    builtin::models(&[BuiltIn::Users], Cost::Light).unwrap()
}

pub(super) fn open(disk: &SimulatedDisk) -> LoggedStore {
    testing::open(disk, NewStore::WhereNothingIsLeft, 1).unwrap()
}

/// A store under construction, with the states that its streams are in.
pub(super) struct Building {
    pub(super) store: LoggedStore,
    models: Models,
    states: BTreeMap<StreamName, (Folded, Vec<Event>)>,
    clock: i64,
}

pub(super) fn name(stream: &str) -> StreamName {
    StreamName::new(stream).unwrap()
}

pub(super) fn event(event_type: &str, data: Value) -> NewEvent {
    let mut event = NewEvent::new(event_type, data);
    event.actor = Some("admin:eve".to_owned());
    event.correlation_id = Some("visit-1".to_owned());
    event
}

impl Building {
    pub(super) fn new(disk: &SimulatedDisk) -> Self {
        Self {
            store: open(disk),
            models: models(),
            states: BTreeMap::new(),
            clock: 1_741_000_000_000_000,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.clock)
    }

    /// What an append of these events would be, with keys and label.
    pub(super) fn planned(&mut self, stream: &str, events: Vec<NewEvent>) -> Append {
        self.clock += 60_000_000;
        let (stream, now) = (name(stream), self.now());
        let model = self.models.for_stream(&stream);
        let (state, revision) = self.states.get(&stream).map_or_else(
            || (State::new(), Revision::ZERO),
            |(folded, _)| (folded.state.clone(), folded.revision),
        );
        let (after, keys) = state_and_keys_after(model, &stream, &state, revision, &events, now);
        let mut append = Append::facts(stream, ExpectedRevision::Any, events, now);
        append.fresh_ids = (0..append.events.len())
            .map(|n| format!("{}/{}/{n}", append.stream, self.clock))
            .collect();
        append.keys = keys;
        append.label = Some(StreamLabel {
            title: model.title(&after),
            status: model.status(&after),
        });
        append
    }

    pub(super) fn append(&mut self, append: Append) -> AppendResult {
        let stream = append.stream.clone();
        let model = self.models.for_stream(&stream).clone();
        let appended = wait(self.store.append(append)).unwrap();
        let state = self
            .states
            .entry(stream)
            .or_insert_with(|| (Folded::start(&model), Vec::new()));
        for event in appended.events.iter() {
            state.0.push(&model, event);
            state.1.push(event.clone());
        }
        appended
    }

    pub(super) fn add(&mut self, stream: &str, event_type: &str, data: Value) {
        let append = self.planned(stream, vec![event(event_type, data)]);
        self.append(append);
    }

    pub(super) fn user(&mut self, stream: &str, email: &str) {
        let data = json!({"username": stream, "email": email, "first_name": "A", "last_name": "B"});
        self.add(stream, "UserCreated", data);
    }

    /// A command on a stream, decided now.
    pub(super) fn decision(&self, stream: &str, id: &str) -> PendingDecision {
        let stream = name(stream);
        let revision = self.states.get(&stream);
        PendingDecision {
            command: Command {
                command_id: id.to_owned(),
                command_type: "SuspendUser".to_owned(),
                payload: serde_json::Map::new(),
                actor: Some("admin:eve".to_owned()),
                reason: None,
                correlation_id: None,
                causation_id: None,
                issued_at: self.now(),
                stream,
            },
            base_revision: revision.map_or(Revision::ZERO, |(folded, _)| folded.revision),
            rules_hash: "rules".to_owned(),
            rejection: None,
        }
    }

    pub(super) fn reject(&mut self, stream: &str, id: &str) {
        let mut append = self.planned(stream, Vec::new());
        append.keys.clear();
        let mut decision = self.decision(stream, id);
        decision.rejection = Some(Rejection::new("not.today", "not today"));
        append.decision = Some(decision);
        self.append(append);
    }

    /// Saves the state that a stream is in, with its rules or with others.
    pub(super) fn snapshot(&self, stream: &str) {
        let (folded, events) = &self.states[&name(stream)];
        let rules = self.models.for_stream(&name(stream)).rules_hash();
        let last = events.last().unwrap();
        let snapshot = snapshots::encode(rules, last, folded).unwrap();
        wait(self.store.save_snapshot(snapshot)).unwrap();
    }

    pub(super) fn close(self) {
        wait(self.store.close()).unwrap();
    }
}

/// A log with something of everything, all of it as it should be.
pub(super) fn sound(building: &mut Building) {
    building.user("user-1", "ann@example.org");
    building.user("user-2", "bob@example.org");
    for n in 0..9 {
        building.add("order-1", "Changed", json!({"n": n, "total": n * 3}));
    }
    building.snapshot("order-1");
    let mut suspended = building.planned("user-1", vec![event("UserSuspended", json!({}))]);
    suspended.decision = Some(building.decision("user-1", "command-1"));
    suspended.expected = ExpectedRevision::Exact(Revision(1));
    suspended.jobs = vec![job("crm"), job("mail")];
    building.append(suspended);
    building.reject("user-2", "command-2");
    let mail = json!({"email": "anna@example.org"});
    building.add("user-1", "UserEmailChanged", mail);
    building.add("user-2", "UserDeleted", json!({}));
    building.user("user-3", "bob@example.org");
    let mut late = building.planned("order-2", vec![event("Changed", json!({"n": 1}))]);
    late.jobs = vec![job("crm")];
    building.append(late);
    let mut late = event("Changed", json!({"n": 2}));
    late.recorded_at = Some(Timestamp::from_micros(1_740_000_000_000_000));
    let late = building.planned("order-2", vec![late]);
    building.append(late);
    building.add("order", "Changed", json!({"bare": true}));
    building.reject("user-3", "command-3");
    let changes = [JobChange::Begin { id: 1 }, JobChange::Complete { id: 1 }];
    let changed = building.store.change_jobs(changes.into(), building.now());
    wait(changed).unwrap();
}

fn job(handler: &str) -> NewJob {
    NewJob {
        event: 0,
        handler: handler.to_owned(),
    }
}

/// The files of such a store, closed.
pub(super) fn sound_files() -> Files {
    let disk = SimulatedDisk::default();
    let mut building = Building::new(&disk);
    sound(&mut building);
    building.close();
    disk.files()
}

pub(super) fn verified(store: &dyn Store) -> VerifyOut {
    verify(store, &models(), Scope::All, &Stop::new(), &mut |_| {}).unwrap()
}

pub(super) fn quick(store: &dyn Store) -> VerifyOut {
    verify(store, &models(), Scope::Quick, &Stop::new(), &mut |_| {}).unwrap()
}

/// Changes the database of a store that is closed.
pub(super) fn changed(
    files: &Files,
    change: impl FnOnce(&WriteTransaction, StoreId),
) -> SimulatedDisk {
    let mut files = files.clone();
    // What was acknowledged is not what is tried here.
    files.remove(Path::new("/data/events.head"));
    let disk = SimulatedDisk::with_files(&files);
    let path = Path::new("/data/events.redb");
    let (database, pages) = opening::open_file(&disk, path).unwrap();
    let txn = database.begin_write().unwrap();
    change(&txn, pages.header().store);
    txn.commit().unwrap();
    drop(database);
    disk
}

/// Plants something in the tables of a sound store, and verifies what became of it.
pub(super) fn planted(change: impl FnOnce(&mut WriteTables<'_>, StoreId)) -> VerifyOut {
    let disk = changed(&sound_files(), |txn, store| {
        change(&mut OpenTables::new(&txn), store);
    });
    verified(&open(&disk))
}

/// The codes that were found, and the tables that they were found in.
pub(super) fn found(out: &VerifyOut) -> BTreeSet<(VerifyCode, String)> {
    let findings = out.findings.iter();
    findings
        .map(|one| (one.code, one.place.table.clone().unwrap_or_default()))
        .collect()
}

#[track_caller]
pub(super) fn assert_found(out: &VerifyOut, code: VerifyCode, table: &str) {
    let found = found(out);
    assert!(
        found.contains(&(code, table.to_owned())),
        "{code} in `{table}` is not among {:#?}",
        out.findings
    );
    assert_eq!(out.ok, out.errors == 0);
    assert!(out.ok || code.severity() != Severity::Info);
}

#[test]
fn a_sound_store_is_sound() {
    let out = verified(&open(&SimulatedDisk::with_files(&sound_files())));
    let codes: Vec<_> = out.counts.iter().map(|count| count.code).collect();
    assert_eq!(codes, [VerifyCode::ClockBack], "{:#?}", out.findings);
    let checked = out.checked;
    assert_eq!((checked.events, checked.decisions), (18, 3));
    assert_eq!((checked.streams, checked.jobs), (6, 3));
    assert_eq!((checked.snapshots, checked.snapshots_compared), (1, 1));
    assert_eq!(checked.keys, 7);
    assert!(out.ok && checked.segments > 1 && checked.pages > 0);
    let out = quick(&open(&SimulatedDisk::with_files(&sound_files())));
    assert_eq!((out.findings_total, out.quick), (0, true));
}
