//! Decoders of stored bytes: segments, frames of the write-ahead log, records, saved states, backups, headers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use whodunit_core::fold::Folded;
use whodunit_core::ids::{Position, Revision};
use whodunit_core::merge;
use whodunit_core::time::Timestamp;

use super::Decoder;
use crate::store::backup;
use crate::store::campaigns::damaged_stores;
use crate::store::disk::head::HeadFile;
use crate::store::disk::pages::PageFile;
use crate::store::frame as wal_frame;
use crate::store::redb::decoders as tables;
use crate::store::segment::decisions::DecisionBlock;
use crate::store::segment::events::EventBlock;
use crate::store::segment::frame::{self, Part, Place};
use crate::store::segment::manifest::Manifest;
use crate::store::segment::positions::{Positions, Wanted};
use crate::store::wal::salvage_file;
use crate::store::{Snapshot, Store as _};
use crate::time_travel::snapshots;

type Files = BTreeMap<PathBuf, Vec<u8>>;

/// The parts of segments, each with its place.
fn parts(stored: &tables::Stored) -> Vec<(Place, Vec<u8>)> {
    let mut parts = Vec::new();
    for (number, manifest_frame, body) in &stored.segments {
        let place = |part| Place {
            store: stored.store,
            segment: *number,
            part,
        };
        parts.push((place(Part::Manifest), manifest_frame.clone()));
        let manifest = frame::unwrap(place(Part::Manifest), manifest_frame).unwrap();
        let manifest = Manifest::decode(&manifest).unwrap();
        let events = (0..).take(manifest.blocks.len()).map(Part::Events);
        let decisions = (0..).take(manifest.decision_blocks.len());
        let decisions = decisions.map(Part::Decisions);
        for part in [Part::Columns].into_iter().chain(events).chain(decisions) {
            let (start, entry) = manifest.extent(part).unwrap();
            parts.push((place(part), body[start..start + entry.length].to_vec()));
        }
    }
    parts
}

fn manifest(bytes: &[u8]) -> Option<String> {
    let manifest = Manifest::decode(bytes).ok()?;
    let extents = [
        Part::Manifest,
        Part::Columns,
        Part::Events(1),
        Part::Decisions(1),
    ];
    let _ = extents.map(|part| manifest.extent(part));
    let _ = (manifest.block_of(3), manifest.block_of_decision(3));
    let _ = manifest.block_of_revision(1, Revision(2));
    Some(format!("{:?} {}", manifest.head(), manifest.bytes()))
}

fn events(bytes: &[u8]) -> Option<String> {
    let block = EventBlock::decode(bytes).ok()?;
    let mut events = Vec::new();
    for index in 0..=block.len() {
        events.push(block.checked_event(index).ok());
        let _ = (block.event(index), block.effective_at(index));
        let _ = (block.stream(index), block.has_id(index, "event-1-0"));
        if let Some((stream, revision)) = block.key(index) {
            let _ = block.find(stream, revision);
        }
    }
    Some(format!("{events:?} {}", block.bytes()))
}

fn decisions(bytes: &[u8]) -> Option<String> {
    let block = DecisionBlock::decode(bytes).ok()?;
    let mut decisions = Vec::new();
    for sequence in block.first()..block.first().saturating_add(block.len() as u64 + 1) {
        decisions.push(block.decision(sequence).ok());
        let _ = (
            block.behind(sequence),
            block.has_command(sequence, "command-1"),
        );
    }
    Some(format!("{decisions:?} {}", block.bytes()))
}

fn columns(bytes: &[u8]) -> Option<String> {
    let columns = Positions::decode(bytes).ok()?;
    let test = columns.test(&Wanted {
        event_type: Some("Paid"),
        actor: None,
        category: Some("user"),
        since: None,
        until: None,
        words: &[],
    });
    let passes = |index| {
        test.as_ref()
            .is_some_and(|test| columns.passes(test, index))
    };
    let rows = 0..columns.len() + 1;
    let rows: Vec<_> = rows
        .map(|index| {
            (
                columns.rank(index),
                columns.recorded_at(index),
                passes(index),
            )
        })
        .collect();
    Some(format!("{rows:?} {}", columns.bytes()))
}

/// Decoders of the parts of segments, under their checksums and without them.
fn of_segments(closed: &Files, stored: &tables::Stored) -> Vec<Decoder> {
    let all = parts(stored);
    let of = |wanted: fn(Part) -> bool| -> Vec<Vec<u8>> {
        let own = all.iter().filter(|(place, _)| wanted(place.part)).take(12);
        own.map(|(place, bytes)| frame::unwrap(*place, bytes).unwrap())
            .collect()
    };
    let (place, framed) = all
        .iter()
        .find(|(place, _)| place.part == Part::Events(0))
        .cloned()
        .unwrap();
    let header = closed[Path::new("/data/events.redb")][..4096].to_vec();
    vec![
        Decoder::new("frame of a segment", vec![framed], move |bytes| {
            frame::unwrap(place, bytes)
                .ok()
                .map(|part| format!("{part:?}"))
        })
        .checked(),
        Decoder::new("manifest", of(|part| part == Part::Manifest), manifest),
        Decoder::new("columns", of(|part| part == Part::Columns), columns),
        Decoder::new(
            "block of events",
            of(|part| matches!(part, Part::Events(_))),
            events,
        ),
        Decoder::new(
            "block of decisions",
            of(|part| matches!(part, Part::Decisions(_))),
            decisions,
        ),
        Decoder::new("header of a file", vec![header], |bytes| {
            PageFile::said(bytes).map(|said| format!("{said:?}"))
        })
        .checked(),
    ]
}

/// Decoders of the write-ahead log and of what was acknowledged.
fn of_the_log(killed: &Files) -> Vec<Decoder> {
    let logs = || {
        let logs = killed
            .iter()
            .filter(|(path, _)| path.starts_with("/data/log"));
        let logs: Vec<Vec<u8>> = logs.map(|(_, bytes)| bytes.clone()).collect();
        logs
    };
    let frames: Vec<Vec<u8>> = logs()
        .iter()
        .flat_map(|bytes| salvage_file(bytes).frames)
        .map(|frame| frame.payload)
        .collect();
    // All frames of all samples; a file that was changed has some of them.
    let known: Vec<Vec<u8>> = frames.clone();
    let head = killed[Path::new("/data/events.head")].clone();
    vec![
        Decoder::new("payload of a frame", frames, |bytes| {
            let (batches, chain) = wal_frame::read(bytes).ok()?;
            Some(format!("{batches:?} {chain:?}"))
        }),
        Decoder::new("file of the log", logs(), move |bytes| {
            let found = salvage_file(bytes);
            let is_known = |payload: &Vec<u8>| known.contains(payload);
            assert!(found.frames.iter().all(|frame| is_known(&frame.payload)));
            Some(found.frames.len().to_string())
        }),
        Decoder::new("acknowledged head", vec![head], |bytes| {
            HeadFile::said(bytes).map(|said| format!("{said:?}"))
        }),
    ]
}

fn of_records(stored: &tables::Stored) -> Vec<Decoder> {
    let few = |samples: &[Vec<u8>]| samples.iter().take(20).cloned().collect();
    let mut decoders = vec![
        Decoder::new("record of a stream", few(&stored.streams), tables::stream),
        Decoder::new("record of a job", few(&stored.jobs), tables::job),
        Decoder::new("runs", few(&stored.runs), tables::runs),
    ];
    for (name, rows) in &stored.rows {
        if !rows.is_empty() {
            let put = |bytes: &[u8]| tables::put_rows(name, bytes);
            decoders.push(Decoder::new(name, vec![rows.clone()], put));
        }
    }
    decoders
}

fn of_backups() -> Decoder {
    let store = damaged_stores::store();
    let mut source = store.backup(Timestamp::from_micros(1)).unwrap();
    let mut bytes = Vec::new();
    while let Some(piece) = source.next().unwrap() {
        bytes.extend(piece);
    }
    Decoder::new("backup", vec![bytes], |bytes| {
        let checked = backup::check(bytes, &mut |_| {}).ok()?;
        Some(format!("{:?}", checked.end))
    })
    .checked()
}

fn of_snapshots() -> Decoder {
    let store = damaged_stores::store();
    let event = store
        .view()
        .unwrap()
        .event_at(Position(1))
        .unwrap()
        .unwrap();
    let model = merge::model();
    let mut folded = Folded::start(&model);
    folded.push(&model, &event);
    let snapshot = snapshots::encode(model.rules_hash(), &event, &folded).unwrap();
    let (stream, rules) = (snapshot.stream.clone(), snapshot.rules_hash.clone());
    let revision = snapshot.revision;
    Decoder::new("saved state", vec![snapshot.state], move |bytes| {
        snapshots::decoded(&Snapshot {
            stream: stream.clone(),
            rules_hash: rules.clone(),
            revision,
            state: bytes.to_vec(),
        })
    })
    .checked()
}

pub(super) fn decoders() -> Vec<Decoder> {
    let (closed, killed) = (damaged_stores::files(true), damaged_stores::files(false));
    let stored = tables::stored(&closed);
    let mut decoders = of_segments(&closed, &stored);
    decoders.extend(of_the_log(&killed));
    decoders.extend(of_records(&stored));
    decoders.push(of_backups());
    decoders.push(of_snapshots());
    decoders
}
