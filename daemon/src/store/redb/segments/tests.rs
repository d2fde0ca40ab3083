//! Sealed records: as they were written, however little is sealed at a time, and never another way when the file is damaged.

use std::path::Path;
use std::sync::Arc;

use redb::{Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition};
use whodunit_core::command::Decision;
use whodunit_core::event::Event;
use whodunit_core::ids::{Position, Revision};

use super::super::sealed::{Mark, SealedFile, SealedRead};
use super::super::{FILE_NAME, HEAD_NAME, NewStore, opening, tables};
use crate::store::chain::Chain;
use crate::store::disk::head::LogEnd;
use crate::store::disk::{Disk, RealDisk};
use crate::store::frame::samples::{History, Random};
use crate::store::wal::Place;
use crate::store::write::Lookup;
use crate::store::{
    Direction, Head, LogFilter, ReadDecisions, ReadEvents, ReadStreams, ReadTimes, StoreError,
    StreamFilter, StreamOrder,
};

fn open(directory: &Path) -> Result<SealedFile, StoreError> {
    // Nothing of a log is looked for, and nothing was acknowledged.
    drop(std::fs::remove_file(directory.join(HEAD_NAME)));
    let nothing = |file: &SealedFile, _, mark: Option<Mark>| {
        if mark.is_none() {
            file.seal([], &[], Some(mark_of(0, Chain::START)))?;
        }
        let end = LogEnd {
            head: Head::default(),
            frame: 0,
            chain: [0; 32],
        };
        Ok(((), end, Vec::new()))
    };
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let new = NewStore::Insist;
    SealedFile::open(&disk, directory, new, true, nothing).map(|(file, ())| file)
}

fn mark_of(frame: u64, chain: Chain) -> Mark {
    let place = Place {
        frame,
        ..Place::START
    };
    Mark { place, chain }
}

/// Seals a history, so many batches at a time, whose number `per` says.
fn seal(file: &SealedFile, history: &History, mut per: impl FnMut() -> usize) {
    let (mut chain, mut rest, mut frame) = (Chain::START, &history.batches[..], 0);
    while !rest.is_empty() {
        let (now, later) = rest.split_at(per().clamp(1, rest.len()));
        chain = now.iter().fold(chain, |chain, batch| chain.after(batch));
        frame += 1;
        let batches = now.iter().map(|batch| &**batch);
        file.seal(batches, &[], Some(mark_of(frame, chain)))
            .unwrap();
        rest = later;
    }
}

/// All events and decisions of a history.
fn records(history: &History) -> (Vec<Event>, Vec<Decision>) {
    let batches = || history.batches.iter();
    let events = batches().flat_map(|batch| &batch.events);
    let decisions = batches().filter_map(|batch| batch.decision.clone());
    (
        events.map(|placed| placed.event.clone()).collect(),
        decisions.collect(),
    )
}

/// What is read, unless that is an error, is what was written.
fn read_all(read: &SealedRead, history: &History, errors: &mut Vec<StoreError>) {
    let (events, decisions) = records(history);
    let view = read.view();
    let mut seen = |error: StoreError| errors.push(error);
    for event in &events {
        match view.event_at(event.position) {
            Ok(found) => assert_eq!(found.as_ref(), Some(event)),
            Err(error) => seen(error),
        }
        match view.event_at_revision(&event.stream, event.revision) {
            Ok(found) => assert_eq!(found.as_ref(), Some(event)),
            Err(error) => seen(error),
        }
        match view.event_by_id(&event.event_id) {
            Ok(found) => assert_eq!(found.as_ref(), Some(event)),
            Err(error) => seen(error),
        }
        let effective = history.batches.iter().flat_map(|batch| &batch.events);
        let effective = effective.map(|placed| (&placed.event, placed.effective_at));
        let wanted = effective.clone().find(|(own, _)| *own == event).unwrap().1;
        match view.effective_at(&event.stream, event.revision) {
            Ok(found) => assert_eq!(found, Some(wanted)),
            Err(error) => seen(error),
        }
    }
    for decision in &decisions {
        match view.decision(decision.sequence) {
            Ok(found) => assert_eq!(found.as_ref(), Some(decision)),
            Err(error) => seen(error),
        }
        match view.decision_by_command(&decision.command_id) {
            Ok(found) => assert_eq!(found.as_ref(), Some(decision)),
            Err(error) => seen(error),
        }
    }
    let all = (LogFilter::default(), Direction::Forward);
    match view.log(&all.0, None, all.1, usize::MAX, u64::MAX) {
        Ok(found) => assert_eq!(found.events, events),
        Err(error) => seen(error),
    }
    let streams = view.streams(&StreamFilter::default(), StreamOrder::Name, None, 100, 100);
    let streams = match streams {
        Ok(page) => page.streams,
        Err(error) => return seen(error),
    };
    for info in streams {
        assert_eq!(
            history.memory.stream(&info.stream).unwrap(),
            Some(info.clone())
        );
        let of_it = events.iter().filter(|event| event.stream == info.stream);
        match view.stream_events(&info.stream, Revision(1), Direction::Forward, 10_000) {
            Ok(found) => assert!(found.iter().eq(of_it)),
            Err(error) => seen(error),
        }
    }
}

fn database(directory: &Path) -> Database {
    let storage = opening::storage(&directory.join(FILE_NAME));
    Database::builder().create_with_backend(storage).unwrap()
}

/// Changes the value of an entry of a table.
fn change(
    database: &Database,
    table: TableDefinition<'static, (u64, u64), &[u8]>,
    key: (u64, u64),
    value: &[u8],
) {
    let txn = database.begin_write().unwrap();
    txn.open_table(table).unwrap().insert(key, value).unwrap();
    txn.commit().unwrap();
}

/// The chunks of all segments.
fn chunks(database: &Database) -> Vec<((u64, u64), Vec<u8>)> {
    let txn = database.begin_read().unwrap();
    let table = txn.open_table(tables::SEGMENT_CHUNKS).unwrap();
    let entries = table.iter().unwrap().map(Result::unwrap);
    entries
        .map(|(key, value)| (key.value(), value.value().to_vec()))
        .collect()
}

#[test]
fn however_little_is_sealed_at_a_time_all_of_it_is_read_and_segments_stay_few() {
    for (seed, most) in [(1, 1), (2, 1), (3, 3), (4, 40), (5, 1_000)] {
        println!("seed {seed}");
        let mut random = Random::new(seed);
        let history = History::new(&mut random, 300);
        let directory = tempfile::tempdir().unwrap();
        let file = open(directory.path()).unwrap();
        seal(&file, &history, || 1 + random.below(most));
        for file in [Some(file), None] {
            // Once with what was kept in memory, once without.
            let file = file.unwrap_or_else(|| open(directory.path()).unwrap());
            let read = file.read().unwrap();
            assert_eq!(read.head(), history.memory.head().unwrap());
            let mut errors = Vec::new();
            read_all(&read, &history, &mut errors);
            assert!(errors.is_empty(), "{errors:?}");
            drop(read);
            file.close().unwrap();
        }
        let database = database(directory.path());
        let txn = database.begin_read().unwrap();
        let segments = txn.open_table(tables::SEGMENTS).unwrap().len().unwrap();
        let (events, decisions) = records(&history);
        let records = (events.len() + decisions.len()) as u64;
        assert!(1 << segments <= records * 2, "{segments} of {records}");
        let by_position = txn.open_table(tables::SEGMENTS_BY_POSITION).unwrap();
        let by_decision = txn.open_table(tables::SEGMENTS_BY_DECISION).unwrap();
        assert_eq!(by_position.len().unwrap(), segments);
        assert_eq!(by_decision.len().unwrap(), segments);
        let chunks = txn.open_table(tables::SEGMENT_CHUNKS).unwrap();
        let numbers = chunks.iter().unwrap();
        let mut numbers: Vec<u64> = numbers.map(|entry| entry.unwrap().0.value().0).collect();
        numbers.dedup();
        assert_eq!(numbers.len() as u64, segments);
    }
}

#[test]
fn a_view_reads_segments_that_were_sealed_again_since() {
    let history = History::new(&mut Random::new(8), 60);
    let (first, rest) = history.batches.split_at(30);
    let directory = tempfile::tempdir().unwrap();
    let file = open(directory.path()).unwrap();
    let mut chain = Chain::START;
    for (frame, batch) in (1..).zip(first) {
        chain = chain.after(batch);
        file.seal([&**batch], &[], Some(mark_of(frame, chain)))
            .unwrap();
    }
    let before = file.read().unwrap();
    for (frame, batch) in (31..).zip(rest) {
        chain = chain.after(batch);
        file.seal([&**batch], &[], Some(mark_of(frame, chain)))
            .unwrap();
    }
    let events = || first.iter().flat_map(|batch| &batch.events);
    let view = before.view();
    for placed in events() {
        let found = view.event_at(placed.event.position).unwrap();
        assert_eq!(found.as_ref(), Some(&placed.event));
    }
    let after = Position(events().count() as u64 + 1);
    assert_eq!(view.event_at(after).unwrap(), None);
    assert!(
        file.read()
            .unwrap()
            .view()
            .event_at(after)
            .unwrap()
            .is_some()
    );
}

/// Behind the engine's own checks: chunks that were changed, cut, exchanged for others and of an older moment.
#[test]
fn a_damaged_segment_is_an_error_that_names_it() {
    let mut random = Random::new(4);
    let history = History::new(&mut random, 300);
    let directory = tempfile::tempdir().unwrap();
    let file = open(directory.path()).unwrap();
    let mut steps = [200, 60, 40].into_iter();
    seal(&file, &history, || steps.next().unwrap());
    file.close().unwrap();
    let whole = chunks(&database(directory.path()));
    assert_eq!(whole.len(), 3, "a segment each");
    for round in 0..40 {
        let (key, value) = random.of(&whole).clone();
        let mut damaged = value.clone();
        match random.below(4) {
            0 => damaged.truncate(random.below(value.len())),
            1 => damaged = random.of(&whole).1.clone(),
            _ => damaged[random.below(value.len())] ^= 1 << random.below(8),
        }
        if damaged == value {
            continue;
        }
        change(
            &database(directory.path()),
            tables::SEGMENT_CHUNKS,
            key,
            &damaged,
        );
        let file = open(directory.path()).unwrap();
        let mut errors = Vec::new();
        read_all(&file.read().unwrap(), &history, &mut errors);
        assert!(!errors.is_empty(), "round {round} is not noticed");
        for error in errors {
            let StoreError::Damaged { place, .. } = &error else {
                panic!("{error:?}");
            };
            assert!(place.contains(&format!("segment {}", key.0)), "{error}");
        }
        file.close().unwrap();
        change(
            &database(directory.path()),
            tables::SEGMENT_CHUNKS,
            key,
            &value,
        );
    }
}

#[test]
fn what_does_not_follow_what_is_sealed_is_refused() {
    let history = History::new(&mut Random::new(9), 40);
    let directory = tempfile::tempdir().unwrap();
    let file = open(directory.path()).unwrap();
    let (first, rest) = history.batches.split_at(20);
    let chain = first
        .iter()
        .fold(Chain::START, |chain, batch| chain.after(batch));
    let mark = mark_of(1, chain);
    file.seal(first.iter().map(|batch| &**batch), &[], Some(mark))
        .unwrap();
    let with_event = rest
        .iter()
        .position(|batch| !batch.events.is_empty())
        .unwrap();
    let gap = rest[with_event + 1..].iter().map(|batch| &**batch);
    let refused = file.seal(gap, &[], Some(mark_of(2, chain))).unwrap_err();
    assert!(matches!(refused, StoreError::Damaged { .. }), "{refused:?}");
    // Nothing of it is there.
    let after = rest.iter().fold(chain, |chain, batch| chain.after(batch));
    let mark = mark_of(2, after);
    file.seal(rest.iter().map(|batch| &**batch), &[], Some(mark))
        .unwrap();
    let mut errors = Vec::new();
    read_all(&file.read().unwrap(), &history, &mut errors);
    assert!(errors.is_empty(), "{errors:?}");
}
