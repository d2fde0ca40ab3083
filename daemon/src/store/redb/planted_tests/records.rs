//! Records that are not what was written, and what is derived of them and is not.

use redb::ReadableTable as _;
use serde_json::json;
use whodunit_core::api::verify::VerifyCode;
use whodunit_core::command::Outcome;
use whodunit_core::event::{Event, ExpectedRevision};
use whodunit_core::ids::{Position, Revision};
use whodunit_core::json::Json;
use whodunit_core::time::Timestamp;

use super::super::record::{decode_job, encode_job};
use super::super::segments::rewrite;
use super::super::tables;
use super::{
    Building, assert_found, changed, event, found, name, open, planted, sound, sound_files,
    verified,
};
use crate::store::disk::simulated::SimulatedDisk;
use crate::store::engine::testing::wait;
use crate::store::{Snapshot, Store as _};

fn of(events: &mut [Event], position: u64) -> &mut Event {
    let mut events = events.iter_mut();
    events
        .find(|event| event.position == Position(position))
        .unwrap()
}

#[test]
fn an_event_that_was_changed_breaks_the_chain() {
    let out = planted(|tables, store| {
        rewrite::first(
            tables,
            store,
            |events, _| of(events, 3).data = Json::from(json!({"n": 0, "total": 1})),
            |_| {},
        );
    });
    assert_found(&out, VerifyCode::ChainBroken, "");
    assert!(!out.ok);
}

#[test]
fn a_decision_that_was_changed_breaks_the_chain_and_may_not_fit_its_events() {
    let disk = SimulatedDisk::default();
    let mut building = Building::new(&disk);
    building.user("user-1", "ann@example.org");
    let mut suspended = building.planned("user-1", vec![event("UserSuspended", json!({}))]);
    suspended.decision = Some(building.decision("user-1", "command-1"));
    suspended.expected = ExpectedRevision::Exact(Revision(1));
    building.append(suspended);
    building.close();
    let files = disk.files();
    for change in 0..3 {
        let disk = changed(&files, |txn, store| {
            let mut tables = super::OpenTables::new(&txn);
            // The decision is not in the first segment, unless that was sealed again.
            let own = |decision: &mut whodunit_core::command::Decision| match change {
                0 => decision.base_position = Position(99),
                1 => decision.base_revision = Revision(9),
                _ => {
                    decision.result = Outcome::Accepted {
                        revision: Revision(2),
                        position: Position(1),
                        events: 1,
                    };
                }
            };
            rewrite::last(
                &mut tables,
                store,
                |_, decisions| own(&mut decisions[0]),
                |_| {},
            );
        });
        let out = verified(&open(&disk));
        assert_found(&out, VerifyCode::ChainBroken, "");
        assert_found(&out, VerifyCode::DecisionWrong, "");
    }
}

#[test]
fn an_id_that_is_there_twice_is_found() {
    let out = planted(|tables, store| {
        let mut id = String::new();
        rewrite::first(
            tables,
            store,
            |events, _| {
                id = of(events, 3).event_id.clone();
                of(events, 4).event_id.clone_from(&id);
            },
            |_| {},
        );
        let key = rewrite::key_of(&id, 4);
        tables.event_hashes.insert(&key, ()).unwrap();
    });
    assert_found(&out, VerifyCode::DuplicateId, "");
}

#[test]
fn an_order_that_is_wrong_is_found() {
    // Two events of a stream in each other's places.
    let out = planted(|tables, store| {
        rewrite::first(
            tables,
            store,
            |events, _| {
                let (one, other) = (of(events, 4).clone(), of(events, 5).clone());
                (of(events, 4).data, of(events, 5).data) = (other.data, one.data);
                of(events, 4).position = Position(100);
                of(events, 5).position = Position(4);
                of(events, 100).position = Position(5);
                events.sort_by_key(|event| event.position);
            },
            |_| {},
        );
    });
    assert_found(&out, VerifyCode::OrderWrong, "");
}

#[test]
fn a_position_and_a_revision_that_are_missing_are_found() {
    let out = planted(|tables, store| {
        rewrite::first(
            tables,
            store,
            |events, _| of(events, 4).position = Position(77),
            |_| {},
        );
    });
    assert_found(&out, VerifyCode::PositionMissing, "");
    let out = planted(|tables, store| {
        rewrite::last(
            tables,
            store,
            |events, _| events.iter_mut().for_each(|event| event.revision.0 += 2),
            |_| {},
        );
    });
    assert_found(&out, VerifyCode::RevisionMissing, "");
}

#[test]
fn a_segment_that_says_what_it_does_not_hold_is_found() {
    let out = planted(|tables, store| {
        rewrite::first(tables, store, |_, _| {}, |manifest| manifest.events += 1);
    });
    assert_found(&out, VerifyCode::SegmentWrong, "");
    let out = planted(|tables, store| {
        rewrite::first(
            tables,
            store,
            |_, _| {},
            |manifest| {
                manifest.recorded.1 = manifest.recorded.0;
            },
        );
    });
    assert_found(&out, VerifyCode::SegmentWrong, "");
    let out = planted(|tables, store| {
        rewrite::first(
            tables,
            store,
            |_, _| {},
            |manifest| manifest.chain_before.0[3] ^= 1,
        );
    });
    assert_found(&out, VerifyCode::ChainBroken, "");
    // The last segment claims a decision more than it has: its number is that of the log's head.
    let out = planted(|tables, store| {
        rewrite::last(tables, store, |_, _| {}, |manifest| manifest.decisions += 1);
    });
    assert_found(&out, VerifyCode::DecisionMissing, "");
}

#[test]
fn a_chunk_that_was_changed_or_lost_is_found() {
    let out = planted(|tables, _| {
        let first = tables.segment_chunks.entries().unwrap().next();
        let first = first.unwrap().unwrap();
        let (key, mut bytes) = (first.0.value(), first.1.value().to_vec());
        drop(first);
        bytes[40] ^= 4;
        tables.segment_chunks.insert(key, bytes.as_slice()).unwrap();
    });
    assert_found(&out, VerifyCode::Unreadable, "");
    let out = planted(|tables, _| {
        let first = tables
            .segment_chunks
            .entries()
            .unwrap()
            .next()
            .unwrap()
            .unwrap();
        let key = first.0.value();
        drop(first);
        tables.segment_chunks.remove(key).unwrap();
    });
    assert_found(&out, VerifyCode::Unreadable, "");
    assert_found(&out, VerifyCode::SegmentWrong, "segment_chunks");
}

#[test]
fn a_mark_that_is_wrong_is_found() {
    let disk = SimulatedDisk::default();
    let mut building = Building::new(&disk);
    building.user("user-1", "ann@example.org");
    building.close();
    let disk = changed(&disk.files(), |txn, _| {
        let mut meta = txn.open_table(tables::META).unwrap();
        let mut mark = meta.get("sealed").unwrap().unwrap().value().to_vec();
        mark[50] ^= 1;
        meta.insert("sealed", mark.as_slice()).unwrap();
    });
    assert_found(&verified(&open(&disk)), VerifyCode::MarkWrong, "meta");
}

#[test]
fn keys_are_compared_with_the_states() {
    let out = planted(|tables, _| {
        let place = ("user", "email", "anna@example.org", 13);
        tables.keys.remove(place).unwrap();
    });
    assert_found(&out, VerifyCode::KeyMissing, "keys");
    let out = planted(|tables, _| {
        let place = ("user", "email", "zoe@example.org", 13);
        tables.keys.insert(place, ("user-1", 0, 0, 0)).unwrap();
    });
    assert_found(&out, VerifyCode::KeyInvented, "keys");
    for change in 0..3 {
        let out = planted(|tables, _| {
            let place = ("user", "email", "anna@example.org", 13);
            let hold = tables.keys.get(place).unwrap().unwrap();
            let (holder, until, since_at, until_at) = hold.value();
            let holder = holder.to_owned();
            drop(hold);
            let hold = match change {
                0 => ("user-3", until, since_at, until_at),
                1 => (holder.as_str(), 15, since_at, since_at),
                _ => (holder.as_str(), until, since_at + 1, until_at),
            };
            tables.keys.insert(place, hold).unwrap();
        });
        assert_found(&out, VerifyCode::KeyWrong, "keys");
    }
    // Given up in the state, and still on record.
    let out = planted(|tables, _| {
        let place = ("user", "email", "bob@example.org", 2);
        let since_at = tables.keys.get(place).unwrap().unwrap().value().2;
        tables
            .keys
            .insert(place, ("user-2", 0, since_at, 0))
            .unwrap();
    });
    assert_found(&out, VerifyCode::KeyWrong, "keys");
}

#[test]
fn a_job_of_another_event_is_found() {
    for change in 0..2 {
        let out = planted(|tables, _| {
            let record = tables.jobs.get(2).unwrap().unwrap();
            let mut job = decode_job(2, record.value()).unwrap();
            drop(record);
            match change {
                0 => job.event_id = "another".to_owned(),
                _ => job.position = Position(999),
            }
            tables.jobs.insert(2, encode_job(&job).as_slice()).unwrap();
        });
        assert_found(&out, VerifyCode::JobWrong, "");
    }
}

#[test]
fn saved_states_are_compared_with_the_events() {
    let out = planted(|tables, _| {
        let first = tables.snapshots.entries().unwrap().next().unwrap().unwrap();
        let (number, hash, revision) = first.0.value();
        let (place, mut bytes) = (
            (number, hash.to_owned(), revision),
            first.1.value().to_vec(),
        );
        drop(first);
        bytes[20] ^= 1;
        let key = (place.0, place.1.as_str(), place.2);
        tables.snapshots.insert(key, bytes.as_slice()).unwrap();
    });
    assert_found(&out, VerifyCode::SnapshotUnusable, "snapshots");
    assert!(out.ok);
    let out = planted(|tables, _| {
        tables
            .snapshots
            .insert((3, "rules", 99), [2].as_slice())
            .unwrap();
    });
    assert_found(&out, VerifyCode::SnapshotUnusable, "snapshots");
    // One that is whole, and of another state.
    let disk = SimulatedDisk::default();
    let mut building = Building::new(&disk);
    sound(&mut building);
    let (folded, events) = &building.states[&name("order-1")];
    let mut other = folded.clone();
    other.state.insert("n".to_owned(), json!(99));
    let model = building.models.for_stream(&name("order-1"));
    let last = events.last().unwrap();
    let snapshot = crate::time_travel::snapshots::encode(model.rules_hash(), last, &other).unwrap();
    wait(building.store.save_snapshot(snapshot)).unwrap();
    let out = verified(&building.store);
    assert_found(&out, VerifyCode::SnapshotWrong, "snapshots");
    // One that stands after another event is not used.
    let other = Snapshot {
        revision: Revision(2),
        ..crate::time_travel::snapshots::encode(model.rules_hash(), last, folded).unwrap()
    };
    wait(building.store.save_snapshot(other)).unwrap();
    let out = verified(&building.store);
    assert_found(&out, VerifyCode::SnapshotUnusable, "snapshots");
}

#[test]
fn events_that_states_leave_out_are_warnings() {
    let disk = SimulatedDisk::default();
    let mut building = Building::new(&disk);
    building.user("user-1", "ann@example.org");
    building.add("user-1", "UserEmailChanged", json!({"email": 7}));
    building.add("user-1", "UserStatusChanged", json!({"nothing": "known"}));
    building.add("user-1", "UserSuspended", json!([1]));
    let out = verified(&building.store);
    assert!(out.ok, "{:#?}", out.findings);
    assert_found(&out, VerifyCode::EventNotApplied, "");
    assert_found(&out, VerifyCode::UpcastFailed, "");
    assert_found(&out, VerifyCode::PayloadUndecodable, "");
    let mut labelled = building.planned("user-1", vec![event("UserReactivated", json!({}))]);
    labelled.label = None;
    building.add("user-1", "UserSuspended", json!({}));
    building.append(labelled);
    let out = verified(&building.store);
    assert_found(&out, VerifyCode::LabelWrong, "");
    assert!(out.ok);
}

#[test]
fn a_state_that_is_too_large_is_said() {
    let disk = SimulatedDisk::default();
    let mut building = Building::new(&disk);
    for n in 0..4 {
        let list = vec![1; 400_000];
        let mut data = serde_json::Map::new();
        data.insert(format!("list-{n}"), list.into());
        building.add("order-1", "Filled", data.into());
    }
    let out = verified(&building.store);
    assert_found(&out, VerifyCode::StateTooLarge, "");
    assert!(out.ok);
}

#[test]
fn a_clock_that_went_back_is_worth_knowing() {
    let disk = SimulatedDisk::default();
    let mut building = Building::new(&disk);
    building.add("order-1", "Changed", json!({"n": 1}));
    let mut late = event("Changed", json!({"n": 2}));
    late.recorded_at = Some(Timestamp::from_micros(5));
    let late = building.planned("order-1", vec![late]);
    building.append(late);
    let out = verified(&building.store);
    assert_eq!(found(&out).len(), 1);
    assert_eq!(out.findings[0].code, VerifyCode::ClockBack);
    assert_eq!(out.findings[0].place.revision, Some(Revision(2)));
    assert!(out.ok && out.warnings == 0 && out.infos == 1);
}

/// Records, runs and saved states of any bytes are an error or a value, never a panic, and say no more than they have bytes for.
#[test]
fn nonsense_in_records_is_an_error() {
    let files = sound_files();
    let mut samples: Vec<Vec<u8>> = Vec::new();
    changed(&files, |txn, _| {
        let tables = super::OpenTables::new(&txn);
        let mut keep = |bytes: &[u8]| samples.push(bytes.to_vec());
        for entry in tables.streams.entries().unwrap() {
            keep(entry.unwrap().1.value());
        }
        for entry in tables.jobs.entries().unwrap() {
            keep(entry.unwrap().1.value());
        }
        for entry in tables.runs.entries().unwrap() {
            keep(entry.unwrap().1.value());
        }
        for entry in tables.snapshots.entries().unwrap() {
            keep(entry.unwrap().1.value());
        }
    });
    assert!(samples.len() > 10);
    let model = super::models();
    let model = model.for_stream(&name("order-1"));
    for seed in 0..20_000 {
        let mut random = crate::store::disk::simulated::Random::new(seed);
        let mut bytes = if random.below(4) == 0 {
            let length = random.index(120);
            random.bytes(length)
        } else {
            samples[random.index(samples.len())].clone()
        };
        for _ in 0..=random.below(3) {
            if !bytes.is_empty() {
                let at = random.index(bytes.len());
                bytes[at] = u8::try_from(random.below(256)).unwrap();
            }
        }
        bytes.truncate(bytes.len() - random.index(bytes.len().min(9) + 1));
        if let Ok(info) = super::super::record::decode_stream(1, &bytes) {
            assert!(info.stream.as_str().len() <= bytes.len(), "seed {seed}");
        }
        if let Ok(job) = decode_job(1, &bytes) {
            assert!(job.handler.len() <= bytes.len(), "seed {seed}");
        }
        assert!(rewrite::runs(&bytes) <= bytes.len(), "seed {seed}");
        let snapshot = Snapshot {
            stream: name("order-1"),
            revision: Revision(3),
            rules_hash: model.rules_hash().to_owned(),
            state: bytes,
        };
        let event = Event {
            revision: Revision(3),
            ..sample_event()
        };
        let folded = whodunit_core::fold::Folded::start(model);
        let stop = whodunit_core::stop::Stop::new();
        let compared =
            crate::time_travel::snapshots::compare(&snapshot, &event, (&folded, None), &stop);
        assert!(compared.is_ok(), "seed {seed}");
    }
}

fn sample_event() -> Event {
    Event {
        position: Position(3),
        stream: name("order-1"),
        revision: Revision(3),
        event_id: "e".to_owned(),
        event_type: "Changed".to_owned(),
        schema_version: 1,
        recorded_at: Timestamp::from_micros(5),
        actor: None,
        reason: None,
        correlation_id: None,
        causation_id: None,
        data: Json::from(json!({})),
        metadata: None,
    }
}
