//! Entries of indexes that are missing, invented or wrong.

use whodunit_core::api::verify::VerifyCode;
use whodunit_core::ids::Position;

use super::super::record::{decode_stream, encode_stream};
use super::super::tables;
use super::{assert_found, changed, name, open, planted, quick, sound_files, verified};
use crate::store::disk::simulated::SimulatedDisk;
use crate::store::redb::open_tables::OpenTables;
use crate::store::{DecisionFilter, Direction, Store as _, StoreError, View};

type Plant = fn(&mut OpenTables<&redb::WriteTransaction>);
type Ask = fn(&dyn View) -> Result<(), StoreError>;

/// Removes the first entry of a table that passes, and adds one that does not belong, in two stores.
macro_rules! misses_and_invents {
    ($test:ident, $table:ident, $code:ident, |$key:ident| $invented:expr, $value:expr) => {
        #[test]
        fn $test() {
            let name = stringify!($table);
            let out = planted(|tables, _| {
                let first = tables.$table.entries().unwrap().next().unwrap().unwrap();
                let key = first.0.value().to_owned();
                drop(first);
                tables.$table.remove(key).unwrap();
            });
            assert_found(&out, VerifyCode::IndexMissing, name);
            let out = planted(|tables, _| {
                let last = tables
                    .$table
                    .entries()
                    .unwrap()
                    .next_back()
                    .unwrap()
                    .unwrap();
                let $key = last.0.value().to_owned();
                drop(last);
                tables.$table.insert($invented, $value).unwrap();
            });
            assert_found(&out, VerifyCode::$code, name);
        }
    };
}

misses_and_invents!(
    segments_by_position,
    segments_by_position,
    IndexInvented,
    |key| (key.0, 999),
    ()
);
misses_and_invents!(
    segments_by_decision,
    segments_by_decision,
    IndexInvented,
    |key| (key.0, 999),
    ()
);
misses_and_invents!(late_events, late_events, IndexInvented, |key| (1, key.1), 7);
misses_and_invents!(streams_by_last, streams_by_last, IndexInvented, |_key| 1, 3);
misses_and_invents!(rejections, rejections, IndexInvented, |key| key - 2, 1);
misses_and_invents!(
    jobs_by_event,
    jobs_by_event,
    IndexInvented,
    |key| (1, key.1),
    ()
);

#[test]
fn a_table_holds_something_else_than_was_written() {
    // As many entries as before, and no record says what they should be.
    let out = planted(|tables, _| {
        let (field, word, segment, count) = {
            let entry = tables.words.entries().unwrap().next();
            let (key, count) = entry.unwrap().unwrap();
            let (field, word, segment) = key.value();
            (field, word.to_owned(), segment, count.value())
        };
        let key = (field, word.as_str(), segment);
        tables.words.insert(key, count + 1).unwrap();
    });
    assert_found(&out, VerifyCode::ContentWrong, "words");
    // A label of the whole file.
    let disk = changed(&sound_files(), |txn, _| {
        let mut meta = txn.open_table(tables::META).unwrap();
        meta.insert("redacted_copy", [1].as_slice()).unwrap();
    });
    assert_found(&verified(&open(&disk)), VerifyCode::ContentWrong, "meta");
}

#[test]
fn an_index_of_ids_misses_or_invents() {
    for last in [false, true] {
        let out = planted(|tables, _| {
            let mut entries = tables.event_hashes.entries().unwrap();
            let entry = if last {
                entries.next_back()
            } else {
                entries.next()
            };
            let key = *entry.unwrap().unwrap().0.value();
            drop(entries);
            tables.event_hashes.remove(&key).unwrap();
        });
        assert_found(&out, VerifyCode::IndexMissing, "event_hashes");
    }
    // One that leads to an event of another id, and one that leads nowhere.
    for number in [3, 99] {
        let out = planted(|tables, _| {
            let mut key = [0xAB; 12];
            key[7..].copy_from_slice(&[0, 0, 0, 0, number]);
            tables.event_hashes.insert(&key, ()).unwrap();
        });
        assert_found(&out, VerifyCode::IndexInvented, "event_hashes");
    }
    // As many as before, so that counts say nothing.
    let out = planted(|tables, _| {
        let key = *tables
            .command_hashes
            .entries()
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .0
            .value();
        tables.command_hashes.remove(&key).unwrap();
        let mut other = key;
        other[0] ^= 1;
        tables.command_hashes.insert(&other, ()).unwrap();
    });
    assert_found(&out, VerifyCode::IndexMissing, "command_hashes");
    assert_found(&out, VerifyCode::IndexInvented, "command_hashes");
}

#[test]
fn correlations_and_causes_miss_or_invent() {
    let out = planted(|tables, _| {
        let mut entries = tables.event_correlations.entries().unwrap();
        let key = *entries.next().unwrap().unwrap().0.value();
        drop(entries);
        tables.event_correlations.remove(&key).unwrap();
    });
    assert_found(&out, VerifyCode::IndexMissing, "event_correlations");
    let mut key = [0xAB; 12];
    key[7..].copy_from_slice(&[0, 0, 0, 0, 3]);
    let out = planted(|tables, _| {
        tables.event_correlations.insert(&key, ()).unwrap();
        tables.event_causes.insert(&key, ()).unwrap();
        tables.decision_correlations.insert(&key, ()).unwrap();
        tables.decision_causes.insert(&key, ()).unwrap();
    });
    for table in [
        "event_correlations",
        "event_causes",
        "decision_correlations",
        "decision_causes",
    ] {
        assert_found(&out, VerifyCode::IndexInvented, table);
    }
}

#[test]
fn runs_miss_or_invent() {
    let out = planted(|tables, _| {
        let first = tables.runs.entries().unwrap().next().unwrap().unwrap();
        let key = first.0.value();
        drop(first);
        tables.runs.remove(key).unwrap();
    });
    assert_found(&out, VerifyCode::IndexMissing, "runs");
    let out = planted(|tables, _| {
        // Revision 900 of stream 1 in segment 1: both differences are zigzag numbers.
        tables
            .runs
            .insert((1, 900), [0x88, 0x0e, 2].as_slice())
            .unwrap();
    });
    assert_found(&out, VerifyCode::IndexInvented, "runs");
    let out = planted(|tables, _| {
        tables.runs.insert((1, 900), [0xff].as_slice()).unwrap();
    });
    assert_found(&out, VerifyCode::Unreadable, "runs");
}

#[test]
fn the_decisions_of_a_stream_miss_or_invent_or_say_another_outcome() {
    let out = planted(|tables, _| {
        tables.stream_decisions.remove(("user-1", 1)).unwrap();
    });
    assert_found(&out, VerifyCode::IndexMissing, "stream_decisions");
    let out = planted(|tables, _| {
        tables
            .stream_decisions
            .insert(("user-9", 1), false)
            .unwrap();
    });
    assert_found(&out, VerifyCode::IndexInvented, "stream_decisions");
    let out = planted(|tables, _| {
        tables.stream_decisions.insert(("user-1", 1), true).unwrap();
    });
    assert_found(&out, VerifyCode::IndexWrong, "stream_decisions");
    let out = planted(|tables, _| {
        tables.rejections.insert(2, 999).unwrap();
    });
    assert_found(&out, VerifyCode::IndexWrong, "rejections");
    let out = planted(|tables, _| {
        tables.late_events.insert((5, 2), 5).unwrap();
    });
    assert_found(&out, VerifyCode::IndexWrong, "late_events");
}

#[test]
fn names_miss_or_invent_or_lead_to_another_stream() {
    let out = planted(|tables, _| {
        tables.stream_numbers.remove("order-1").unwrap();
    });
    assert_found(&out, VerifyCode::IndexMissing, "stream_numbers");
    let out = planted(|tables, _| {
        tables.stream_numbers.insert("order-99", 1).unwrap();
    });
    assert_found(&out, VerifyCode::IndexInvented, "stream_numbers");
    let out = planted(|tables, _| {
        tables.stream_numbers.insert("order-1", 1).unwrap();
    });
    assert_found(&out, VerifyCode::IndexWrong, "stream_numbers");
}

#[test]
fn categories_are_counted_again() {
    let out = planted(|tables, _| {
        tables.categories.insert("order", (3, 11)).unwrap();
    });
    assert_found(&out, VerifyCode::CountWrong, "categories");
    let out = planted(|tables, _| {
        tables.categories.remove("user").unwrap();
    });
    assert_found(&out, VerifyCode::IndexMissing, "categories");
    let out = planted(|tables, _| {
        tables.categories.insert("ghost", (1, 1)).unwrap();
    });
    assert_found(&out, VerifyCode::IndexInvented, "categories");
}

#[test]
fn jobs_are_listed_and_counted_again() {
    let out = planted(|tables, _| tables.jobs_open.remove(("crm", "order-2", 3)).unwrap());
    assert_found(&out, VerifyCode::IndexMissing, "jobs_open");
    let out = planted(|tables, _| tables.jobs_open.insert(("crm", "user-2", 1), ()).unwrap());
    assert_found(&out, VerifyCode::IndexInvented, "jobs_open");
    let out = planted(|tables, _| tables.jobs_by_stream.remove(("order-2", 3)).unwrap());
    assert_found(&out, VerifyCode::IndexMissing, "jobs_by_stream");
    let out = planted(|tables, _| tables.jobs_by_stream.insert(("order-1", 3), ()).unwrap());
    assert_found(&out, VerifyCode::IndexInvented, "jobs_by_stream");
    let out = planted(|tables, _| tables.jobs_by_handler.remove(("crm", 0, 3)).unwrap());
    assert_found(&out, VerifyCode::IndexMissing, "jobs_by_handler");
    let out = planted(|tables, _| tables.jobs_by_handler.insert(("crm", 3, 3), ()).unwrap());
    assert_found(&out, VerifyCode::IndexInvented, "jobs_by_handler");
    let out = planted(|tables, _| tables.job_counts.insert(("crm", 0), 9).unwrap());
    assert_found(&out, VerifyCode::CountWrong, "job_counts");
    let out = planted(|tables, _| tables.job_counts.remove(("mail", 0)).unwrap());
    assert_found(&out, VerifyCode::CountWrong, "job_counts");
}

#[test]
fn what_lists_say_of_a_stream_is_compared_with_its_events() {
    for change in 0..5 {
        let out = planted(|tables, _| {
            let record = tables.streams.get(1).unwrap().unwrap();
            let mut info = decode_stream(1, record.value()).unwrap();
            drop(record);
            match change {
                0 => info.revision.0 -= 1,
                1 => info.last_actor = Some("somebody else".to_owned()),
                2 => info.clock_back_at = Some(info.revision),
                3 => info.first_position.0 += 1,
                _ => info.last_event_type = "Other".to_owned(),
            }
            tables
                .streams
                .insert(1, encode_stream(&info).as_slice())
                .unwrap();
        });
        assert_found(&out, VerifyCode::StreamWrong, "");
        assert!(!out.ok);
    }
    let out = planted(|tables, _| tables.streams.insert(1, [9].as_slice()).unwrap());
    assert_found(&out, VerifyCode::Unreadable, "streams");
}

#[test]
fn counts_are_looked_at_quickly() {
    let files = sound_files();
    let plants: [(&str, Plant); 4] = [
        ("event_hashes", |tables| {
            tables.event_hashes.insert(&[1; 12], ()).unwrap();
        }),
        ("stream_numbers", |tables| {
            tables.stream_numbers.remove("order-1").unwrap();
        }),
        ("jobs_by_event", |tables| {
            tables.jobs_by_event.insert((1, 1), ()).unwrap();
        }),
        ("stream_decisions", |tables| {
            tables.stream_decisions.remove(("user-1", 1)).unwrap();
        }),
    ];
    for (table, plant) in plants {
        let disk = changed(&files, |txn, _| plant(&mut OpenTables::new(&txn)));
        let out = quick(&open(&disk));
        assert_found(&out, VerifyCode::CountWrong, table);
    }
    // A chunk that no segment has.
    let disk = changed(&files, |txn, _| {
        let mut chunks = txn.open_table(tables::SEGMENT_CHUNKS).unwrap();
        chunks.insert((999, 0), [1].as_slice()).unwrap();
    });
    let out = super::verified(&open(&disk));
    assert_found(&out, VerifyCode::Leftover, "segment_chunks");
    assert!(out.ok, "nothing refers to it");
}

/// What an index does not have may be there all the same: "there is none" is answered only where the index has as many entries as
/// there are records.
#[test]
fn an_index_that_misses_an_entry_is_no_answer() {
    let files = sound_files();
    let cases: [(&str, Plant, Ask); 6] = [
        (
            "an event by its id",
            |tables| {
                let mut entries = tables.event_hashes.entries().unwrap();
                let key = *entries.next().unwrap().unwrap().0.value();
                drop(entries);
                tables.event_hashes.remove(&key).unwrap();
            },
            |view| view.event_by_id("of no event").map(drop),
        ),
        (
            "a decision by its command",
            |tables| {
                let mut entries = tables.command_hashes.entries().unwrap();
                let key = *entries.next().unwrap().unwrap().0.value();
                drop(entries);
                tables.command_hashes.remove(&key).unwrap();
            },
            |view| view.decision_by_command("command-1").map(drop),
        ),
        (
            "a stream by its name",
            |tables| tables.stream_numbers.remove("order-1").unwrap(),
            |view| view.stream(&name("order-1")).map(drop),
        ),
        (
            "the decisions of a stream",
            |tables| tables.stream_decisions.remove(("user-1", 1)).unwrap(),
            |view| {
                let filter = DecisionFilter {
                    stream: Some(name("user-1")),
                    ..DecisionFilter::default()
                };
                let page = view.decisions(&filter, None, Direction::Forward, 10);
                page.map(drop)
            },
        ),
        (
            "the jobs of an event",
            |tables| tables.jobs_by_event.remove((16, 3)).unwrap(),
            |view| view.jobs_of_event(Position(16)).map(drop),
        ),
        (
            "the categories",
            |tables| tables.categories.remove("user").unwrap(),
            |view| view.categories().map(drop),
        ),
    ];
    for (what, plant, ask) in cases {
        let whole = open(&SimulatedDisk::with_files(&files));
        ask(whole.view().unwrap().as_ref()).unwrap();
        let disk = changed(&files, |txn, _| plant(&mut OpenTables::new(&txn)));
        let store = open(&disk);
        let answer = ask(store.view().unwrap().as_ref());
        assert!(
            matches!(&answer, Err(StoreError::Damaged { .. })),
            "{what}: {answer:?}"
        );
    }
}
