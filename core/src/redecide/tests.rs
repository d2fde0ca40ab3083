//! Re-deciding equals an oracle, on random histories; and what becomes of each kind of fact.
//!
//! `REDECIDE_HISTORIES=10000 cargo test --workspace --lib redecide` runs as many random histories as it says, and
//! `REDECIDE_COMMANDS=10000` as long an empty edit; `REDECIDE_SEED` starts elsewhere. A failure names its seed: with it and one
//! history, it comes again.

mod backtest;
mod boxes;
mod facts;
mod inevitable;
mod memory;
mod oracle;
mod random;

use std::collections::HashMap;

use super::*;
use crate::api::what_if::{Action, Edit, StepSelection};
use crate::command::Outcome;
use crate::ids::{Position, Revision};
use crate::time::Timestamp;
use boxes::models;
use memory::Log;
use oracle::{Base, Oracle, first_divergence};
use place::command_of;
use random::{Random, box_named, edits, history, time};

const HISTORIES: u64 = 400;
const COMMANDS: u64 = 1_000;
const SEED: u64 = 0x5eed_1ab5;

/// A number that is given to the build, or the default.
fn number(given: Option<&str>, default: u64) -> u64 {
    given.map_or(default, |text| text.parse().unwrap())
}

struct Question<'a> {
    stream: &'a StreamName,
    edits: &'a [Edit],
    actions: &'a [Action],
    base: BasePlace,
    causes: Causes,
    reach: Reach,
}

impl<'a> Question<'a> {
    fn edits(stream: &'a StreamName, edits: &'a [Edit]) -> Self {
        Self {
            stream,
            edits,
            actions: &[],
            base: BasePlace {
                place: Place::END,
                position: Position(u64::MAX),
                revision: Revision(u64::MAX),
                at: time(10_000),
            },
            causes: Causes::Follow,
            reach: Reach::Changed,
        }
    }

    fn asked(&self) -> Asked<'a> {
        Asked {
            stream: self.stream,
            edits: self.edits,
            actions: self.actions,
            base: self.base,
        }
    }
}

fn visits(
    log: &Log,
    question: &Question<'_>,
) -> Result<Vec<Visited>, Failed<std::convert::Infallible>> {
    let (mut log, stop) = (log.clone(), Stop::new());
    let models = log.models.clone();
    let following = following(&models, question, &stop);
    let mut visited = Vec::new();
    follow(
        &mut log,
        &following,
        &question.asked(),
        &mut |each: Visited| {
            visited.push(each);
        },
    )?;
    Ok(visited)
}

fn following<'a>(models: &'a Models, question: &Question<'_>, stop: &'a Stop) -> Following<'a> {
    Following {
        models,
        causes: question.causes,
        reach: question.reach,
        password_correct: None,
        all_diffs: false,
        rules: None,
        bounds: Bounds::default(),
        stop,
    }
}

fn out(log: &Log, question: &Question<'_>) -> WhatIfOut {
    let (mut log, stop) = (log.clone(), Stop::new());
    let models = log.models.clone();
    let following = following(&models, question, &stop);
    let base = WhatIfBase {
        revision: question.base.revision,
        position: Some(question.base.position),
        at: question.base.at,
        decision: None,
    };
    let steps = StepsWanted {
        which: StepSelection::All,
        ..StepsWanted::CHANGED
    };
    redecide(&mut log, &following, &question.asked(), base, steps).unwrap()
}

/// The log of the other world: what was visited, and everything else as it was recorded.
fn other_log(log: &Log, visited: Vec<Visited>) -> Log {
    let mut other = Log::new(log.models.clone());
    let mut visited: HashMap<Place, Visited> =
        visited.into_iter().map(|each| (each.place, each)).collect();
    let recorded = log.entries.iter().map(|entry| entry.place);
    let mut places: Vec<Place> = visited.keys().copied().chain(recorded).collect();
    places.sort_unstable();
    places.dedup();
    for place in places {
        match visited.remove(&place) {
            Some(visited) => add_visited(&mut other, visited),
            None => {
                let entry = log.entries.iter().find(|entry| entry.place == place);
                let entry = entry.unwrap();
                let rejection = entry.decision.as_ref().and_then(|d| match &d.result {
                    Outcome::Rejected { rule, message } => Some(Rejection::new(rule, message)),
                    Outcome::Accepted { .. } => None,
                });
                add(
                    &mut other,
                    &entry.stream,
                    entry.decision.as_deref(),
                    (&entry.events, rejection),
                );
            }
        }
    }
    other
}

fn add_visited(other: &mut Log, visited: Visited) {
    let before = other.stream_events(&visited.stream).len() as u64;
    let says = visited.events.first().map(|event| event.revision);
    assert!(
        says.is_none_or(|first| first == Revision(before + 1)),
        "{visited:?}"
    );
    assert_eq!(
        visited.revision.0,
        before + visited.events.len() as u64,
        "{visited:?}"
    );
    if let Some(decision) = &visited.decision {
        assert_eq!(decision.base_revision, Revision(before));
    }
    let events = (visited.events.as_slice(), visited.rejection);
    add(other, &visited.stream, visited.decision.as_ref(), events);
}

fn add(
    other: &mut Log,
    stream: &StreamName,
    decision: Option<&Decision>,
    (events, rejection): (&[Event], Option<Rejection>),
) {
    let (head, base) = (other.head().0, other.stream_events(stream).len() as u64);
    let placed = (1..).zip(events).map(|(n, event)| Event {
        position: Position(head + n),
        revision: Revision(base + n),
        ..event.clone()
    });
    let events: Vec<Event> = placed.collect();
    match decision {
        Some(decision) => {
            let (command, hash) = (command_of(decision), &decision.rules_hash);
            other.record(&command, Revision(base), hash, (events, rejection));
        }
        None => {
            for event in events {
                let new = crate::event::NewEvent {
                    event_type: event.event_type,
                    data: event.data,
                    schema_version: Some(event.schema_version),
                    event_id: Some(event.event_id),
                    recorded_at: Some(event.recorded_at),
                    actor: event.actor,
                    reason: event.reason,
                    correlation_id: event.correlation_id,
                    causation_id: event.causation_id,
                    metadata: event.metadata,
                };
                other.force(stream, &new, Timestamp::MIN);
            }
        }
    }
}

#[test]
fn an_empty_edit_decides_every_command_to_exactly_the_recorded_log() {
    let commands = usize::try_from(number(option_env!("REDECIDE_COMMANDS"), COMMANDS)).unwrap();
    let mut random = Random(number(option_env!("REDECIDE_SEED"), SEED));
    let log = history(
        &mut random,
        Log::new(models()),
        (commands, commands / 25, 40),
    );
    let stream = box_named(0);
    let nothing = Question::edits(&stream, &[]);
    assert!(
        visits(&log, &nothing).unwrap().is_empty(),
        "nothing is asked"
    );
    let everything = Question {
        reach: Reach::Everything,
        ..nothing
    };
    let visited = visits(&log, &everything).unwrap();
    let asked = visited.iter().filter(|each| each.asked).count();
    assert_eq!(asked, log.decisions().count());
    assert!(
        other_log(&log, visited).text() == log.text(),
        "not the recorded log"
    );
}

#[test]
fn any_edit_equals_the_edited_list_fed_to_a_fresh_store() {
    let seed = number(option_env!("REDECIDE_SEED"), SEED);
    let mut edited = 0;
    for history in 0..number(option_env!("REDECIDE_HISTORIES"), HISTORIES) {
        let seed = seed.wrapping_add(history);
        println!("REDECIDE_SEED={seed} REDECIDE_HISTORIES=1");
        edited += check(&mut Random(seed));
    }
    assert!(edited > 0);
}

/// Checks a few edits of one history.
fn check(random: &mut Random) -> u32 {
    let length = 5 + random.below(50);
    let log = history(random, Log::new(models()), (length, 5, 5));
    for _ in 0..4 {
        let stream = box_named(random.below(5));
        if log.stream_events(&stream).is_empty() {
            continue;
        }
        let (edits, actions) = edits(random, &log, &stream, 5);
        // Between entries: a command's events are written at once.
        let position = random.pick(&log.entries).end_position();
        let until = log.stream_events(&stream).iter();
        let revision = until.filter(|event| event.position <= position).count();
        let base = BasePlace {
            place: Place::after_position(position),
            position,
            revision: Revision(revision as u64),
            at: time(30),
        };
        for causes in [Causes::Follow, Causes::Keep] {
            let question = Question {
                stream: &stream,
                edits: &edits,
                actions: &actions,
                base,
                causes,
                reach: Reach::Changed,
            };
            check_question(&log, &question);
        }
    }
    4
}

fn check_question(log: &Log, question: &Question<'_>) {
    let base = Base {
        position: question.base.position,
        at: question.base.at,
        revision: question.base.revision,
    };
    let mut oracle = Oracle::new(log, question.stream, base);
    for (nth, edit) in question.edits.iter().enumerate() {
        oracle.edit(nth, edit);
    }
    for (nth, action) in question.actions.iter().enumerate() {
        oracle.act(nth, action);
    }
    oracle.run(question.causes);
    let world = oracle.world;
    let what = || {
        format!(
            "{:?} {:?} {:?}",
            question.edits, question.actions, question.causes
        )
    };
    let visited = visits(log, question).unwrap_or_else(|error| panic!("{error:?} {}", what()));
    let other = other_log(log, visited);
    assert_eq!(other.text(), world.text(), "{}", what());
    let everything = Question {
        reach: Reach::Everything,
        ..*question
    };
    let all = other_log(log, visits(log, &everything).unwrap());
    assert_eq!(all.text(), world.text(), "everything {}", what());
    check_out(log, question, &world);
}

/// The reply says of each stream what the fresh store has.
fn check_out(log: &Log, question: &Question<'_>, world: &Log) {
    let out = out(log, question);
    let redecided = out.redecided.clone().unwrap();
    let end = Revision(u64::MAX);
    for stream in &redecided.streams {
        let (actual, other) = (
            log.stream_events(&stream.stream),
            world.stream_events(&stream.stream),
        );
        assert_eq!(
            stream.first_divergence,
            first_divergence(actual, other),
            "{stream:?}"
        );
        assert_eq!(stream.revision.0, other.len() as u64);
        assert_eq!(stream.actual_revision.0, actual.len() as u64);
        let states = (
            log.state_at(&stream.stream, end),
            world.state_at(&stream.stream, end),
        );
        assert_eq!(stream.diff, crate::diff::diff(&states.0, &states.1));
        if !stream.diff.is_empty() {
            assert_eq!((&stream.actual, &stream.state), (&states.0, &states.1));
        }
    }
    let reached = |name: &StreamName| redecided.streams.iter().any(|s| s.stream == *name);
    for name in log.stream_names().iter().filter(|name| !reached(name)) {
        let text = |log: &Log| {
            let events = log.stream_events(name).iter();
            let plain = events.map(|event| Event {
                position: Position::ZERO,
                ..event.clone()
            });
            format!("{:?}", plain.collect::<Vec<_>>())
        };
        assert_eq!(text(log), text(world), "untouched, and not as recorded");
    }
    assert_eq!(out.state, world.state_at(question.stream, end));
    assert_eq!(out.actual.state, log.state_at(question.stream, end));
    assert!(redecided.asked <= redecided.later, "{redecided:?}");
}
