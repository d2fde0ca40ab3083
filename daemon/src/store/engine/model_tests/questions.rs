//! What may be asked of a store, and what the answer must be, by going through all that it was told.

use std::collections::BTreeMap;

use super::steps::{HANDLERS, TYPES, World};
use super::*;
use crate::store::disk::simulated::Random;
use crate::store::{JobFilter, LateRange, StreamInfo, WordField};
use whodunit_core::api::pipeline::JobStatus;
use whodunit_core::event::Event;

const ALL: usize = usize::MAX;
const BUDGET: u64 = u64::MAX;

/// What is drawn from, and what is true.
type Truth<'w> = (&'w mut Random, &'w Memory);

/// Asks one thing, and compares the answer.
pub(super) fn ask(world: &mut World) {
    let view = world.store().view().unwrap();
    let view = &*view;
    let World {
        random,
        model,
        reference,
        ..
    } = world;
    let kind = random.below(14);
    let name = stream(u8::try_from(random.below(5)).unwrap());
    let direction = match random.below(2) {
        0 => Direction::Forward,
        _ => Direction::Backward,
    };
    let events: Vec<&Event> = reference.events.iter().map(|own| &own.event).collect();
    let at = Position(random.below(events.len() as u64 + 2));
    match kind {
        0 => {
            let found = view.event_at(at).unwrap();
            let expected = events.iter().find(|event| event.position == at);
            assert_eq!(found.as_ref(), expected.copied(), "at {at}");
        }
        1 => {
            let id = events.get(usize::try_from(at.0).unwrap());
            let id = id.map_or_else(|| "id-none".to_owned(), |event| event.event_id.clone());
            let found = view.event_by_id(&id).unwrap();
            let expected = events.iter().find(|event| event.event_id == id);
            assert_eq!(found.as_ref(), expected.copied(), "{id}");
        }
        2 => of_stream(view, &events, &name, (direction, at.0)),
        3 => log(view, &events, (direction, at), random.below(64)),
        4 => caused(view, (random, reference), at),
        5 => decisions(view, (random, reference), &name, direction),
        6 => times(view, (random, reference), &name, at),
        7 | 8 => streams(view, (random, reference)),
        9 => words(view, &events),
        10 => all_jobs(reference, view),
        11 => {
            let category = ["user", "users"][random.index(2)];
            let key = email(u8::try_from(random.below(3)).unwrap());
            let found = view.key_holder(category, &key, Some(at)).unwrap();
            let expected = model.holder(category, &key.value, at.0);
            assert_eq!(found.as_ref().map(|hold| &hold.stream), expected);
        }
        12 => {
            let expected = naive_rejection_before(&reference.decisions, at);
            assert_eq!(view.rejection_before(at).unwrap(), expected, "before {at}");
        }
        _ => {
            let sequence = random.below(reference.decisions.len() as u64 + 2);
            let mut decisions = reference.decisions.iter();
            let expected = decisions.find(|decision| decision.sequence == sequence);
            assert_eq!(view.decision(sequence).unwrap().as_ref(), expected);
        }
    }
}

fn of_stream(
    view: &dyn View,
    events: &[&Event],
    name: &StreamName,
    (direction, from): (Direction, u64),
) {
    let limit = usize::try_from(from % 5).unwrap();
    let from = Revision(from / 4);
    let found = view.stream_events(name, from, direction, limit).unwrap();
    let own = events.iter().filter(|event| event.stream == *name).copied();
    let expected: Vec<&Event> = match direction {
        Direction::Forward => own
            .filter(|event| event.revision >= from)
            .take(limit)
            .collect(),
        Direction::Backward => {
            let own = own.rev().filter(|event| event.revision <= from);
            own.take(limit).collect()
        }
    };
    assert!(found.iter().eq(expected), "{name} from {from}");
}

/// Pages of the log, by a filter.
fn log(view: &dyn View, events: &[&Event], (direction, from): (Direction, Position), kind: u64) {
    let some = |bit: u64, value: &str| (kind & bit != 0).then(|| value.to_owned());
    let filter = LogFilter {
        category: some(1, "user"),
        event_type: some(2, TYPES[0]),
        actor: some(4, "eve"),
        correlation_id: some(8, "visit-1"),
        since: (kind & 16 != 0).then(|| Timestamp::from_micros(8)),
        until: (kind & 32 != 0).then(|| Timestamp::from_micros(25)),
        words: Vec::new(),
    };
    let (mut found, mut next) = (Vec::new(), Some(from));
    let (limit, budget) = (1 + usize::try_from(kind % 7).unwrap(), 1 + kind % 11);
    while let Some(from) = next {
        let page = view
            .log(&filter, Some(from), direction, limit, budget)
            .unwrap();
        assert!(page.events.len() <= limit);
        found.extend(page.events);
        assert_ne!(page.next, Some(from), "it goes on");
        next = page.next;
    }
    let mut expected: Vec<Event> = events
        .iter()
        .filter(|event| match direction {
            Direction::Forward => event.position >= from,
            Direction::Backward => event.position <= from,
        })
        .filter(|event| crate::store::redb::passes(&filter, event))
        .map(|event| (*event).clone())
        .collect();
    if direction == Direction::Backward {
        expected.reverse();
    }
    assert_eq!(found, expected, "{filter:?} {direction:?} from {from}");
}

fn caused(view: &dyn View, (random, reference): Truth<'_>, from: Position) {
    let command = format!("command-{}", random.below(120));
    for cause in [command.as_str(), "id-1"] {
        let events = reference.events.iter().map(|own| &own.event);
        let events = events.filter(|event| event.causation_id.as_deref() == Some(cause));
        let expected = events.filter(|event| event.position >= from);
        let found = view.caused_events(cause, from, ALL).unwrap();
        assert!(found.iter().eq(expected), "caused by {cause}: {found:?}");
        let decisions = reference.decisions.iter();
        let expected = decisions.filter(|own| own.causation_id.as_deref() == Some(cause));
        let found = view.caused_decisions(cause, 1, ALL).unwrap();
        assert!(found.iter().eq(expected), "decided because of {cause}");
    }
    let mut decisions = reference.decisions.iter();
    let expected = decisions.find(|decision| decision.command_id == command);
    assert_eq!(
        view.decision_by_command(&command).unwrap().as_ref(),
        expected
    );
}

fn decisions(
    view: &dyn View,
    (random, reference): Truth<'_>,
    name: &StreamName,
    direction: Direction,
) {
    let filter = DecisionFilter {
        stream: (random.below(2) == 0).then(|| name.clone()),
        rejected: [None, Some(true), Some(false)][random.index(3)],
        correlation_id: (random.below(3) == 0).then(|| "visit-1".to_owned()),
    };
    let mut expected: Vec<&Decision> = reference.decisions.iter().collect();
    expected.retain(|decision| filter.is_met_by(decision));
    if direction == Direction::Backward {
        expected.reverse();
    }
    let (mut found, mut next) = (Vec::new(), None);
    loop {
        let page = view.decisions(&filter, next, direction, 3).unwrap();
        found.extend(page.decisions);
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    assert!(found.iter().eq(expected), "{filter:?}: {found:?}");
}

fn times(view: &dyn View, (random, reference): Truth<'_>, name: &StreamName, at: Position) {
    let moment = Timestamp::from_micros(i64::try_from(random.below(32)).unwrap());
    let own: Vec<_> = reference.stream_events(name).collect();
    let last = |count: usize| (!own.is_empty()).then_some(Revision(count as u64));
    let expected = own.iter().filter(|own| own.effective_at <= moment).count();
    let found = view.revision_as_of(name, moment).unwrap();
    assert_eq!(found, last(expected), "{name} as of {moment}");
    let expected = own.iter().filter(|own| own.event.position <= at).count();
    let found = view.revision_at(name, at).unwrap();
    assert_eq!(found, last(expected), "{name} at {at}");
    let late = LateRange {
        after: Revision(at.0 / 8),
        to: Revision(at.0),
        recorded_by: Some(moment),
    };
    let expected: Vec<Revision> = own
        .iter()
        .filter(|own| own.event.recorded_at < own.effective_at && own.event.recorded_at <= moment)
        .map(|own| own.event.revision)
        .filter(|revision| *revision > late.after && *revision <= late.to)
        .collect();
    let found = view.late_events(name, late, ALL, BUDGET).unwrap();
    assert_eq!(
        (found.revisions, found.unseen_from),
        (expected, None),
        "{name} late"
    );
    for stream in [None, Some(name)] {
        let density = view.density(stream, 5).unwrap();
        let expected = stream.map_or(reference.events.len(), |_| own.len());
        assert_eq!(density.counts.iter().sum::<u64>(), expected as u64);
    }
}

fn streams(view: &dyn View, (random, reference): Truth<'_>) {
    let order = [StreamOrder::Name, StreamOrder::Recent][random.index(2)];
    let filter = StreamFilter {
        category: [None, Some("user".to_owned())][random.index(2)].clone(),
        ..StreamFilter::default()
    };
    let all = reference.streams.values();
    let is_wanted = |info: &&StreamInfo| {
        let category = filter.category.as_deref();
        category.is_none_or(|category| info.stream.category() == category)
    };
    let mut expected: Vec<&StreamInfo> = all.filter(is_wanted).collect();
    if order == StreamOrder::Recent {
        expected.sort_by_key(|info| std::cmp::Reverse(info.last_position));
    }
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = view.streams(&filter, order, after, 2, BUDGET).unwrap();
        found.extend(page.streams);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert!(found.iter().eq(expected), "{filter:?} {order:?}");
    let mut counts: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for info in reference.streams.values() {
        let count = counts.entry(info.stream.category()).or_default();
        *count = (count.0 + 1, count.1 + info.revision.0);
    }
    let found = view.categories().unwrap();
    let found = found
        .iter()
        .map(|own| (own.category.as_str(), (own.streams, own.events)));
    assert!(found.eq(counts));
}

fn words(view: &dyn View, events: &[&Event]) {
    for field in [WordField::Type, WordField::Actor, WordField::Category] {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for (own, word) in events
            .iter()
            .flat_map(|event| crate::store::redb::words_of(event))
        {
            if own == field {
                *counts.entry(word.to_owned()).or_default() += 1;
            }
        }
        for (word, count) in &counts {
            assert_eq!(view.word_events(field, word).unwrap(), *count, "{word}");
        }
        let page = view.words(field, "", None, ALL).unwrap();
        assert!(page.words.into_iter().eq(counts) && !page.has_more);
    }
}

/// Every way to ask for jobs.
pub(super) fn all_jobs(reference: &Memory, view: &dyn View) {
    let unblocked = |job: Job| Job {
        blocked_by: None,
        ..job
    };
    let jobs: Vec<&Job> = reference.jobs.values().collect();
    for handler in [None, Some(HANDLERS[0])] {
        for status in [None, Some(JobStatus::Pending), Some(JobStatus::Completed)] {
            for stream in [None, Some(stream(1))] {
                let expected = jobs.iter().filter(|job| {
                    handler.is_none_or(|handler| job.handler == handler)
                        && status.is_none_or(|status| job.status == status)
                        && stream.as_ref().is_none_or(|stream| job.stream == *stream)
                });
                let filter = JobFilter {
                    handler: handler.map(str::to_owned),
                    status,
                    stream: stream.clone(),
                };
                let page = view.jobs(&filter, None, Direction::Forward, ALL, BUDGET);
                let found: Vec<Job> = page.unwrap().jobs.into_iter().map(unblocked).collect();
                assert!(found.iter().eq(expected.copied()), "{filter:?}: {found:?}");
            }
        }
    }
    for handler in HANDLERS {
        for stream in (0..4).map(stream) {
            let mut own = jobs.iter();
            let first =
                own.find(|job| job.handler == handler && job.stream == stream && job.is_open());
            let found = view.first_open_job(handler, &stream).unwrap();
            assert_eq!(found.map(|job| job.id), first.map(|job| job.id));
        }
        let counts = view.job_counts().unwrap();
        let counts = counts.iter().find(|own| own.handler == handler);
        let kept = jobs.iter().filter(|job| job.handler == handler);
        let completed = kept
            .filter(|job| job.status == JobStatus::Completed)
            .count() as u64;
        let pruned = reference.pruned.get(handler).copied().unwrap_or_default();
        let counted = counts.map_or(0, |own| own.counts.completed);
        assert_eq!(counted, completed + pruned);
    }
    for event in reference.events.iter().rev().take(5) {
        let at = event.event.position;
        let expected = jobs
            .iter()
            .filter(|job| job.position == at)
            .map(|job| job.id);
        let found = view.jobs_of_event(at).unwrap();
        assert!(found.iter().map(|job| job.id).eq(expected));
    }
}
