//! Necessity and the point of no return equal exhaustive search: every command of a small history dropped, every candidate added at every
//! moment, each time with a fresh store.

use super::*;
use crate::api::inevitable::{CommandTried, Necessity};
use crate::api::what_if::{DecisionRef, DropCommandEdit, WhatIfCommand};
use crate::inevitable::{
    Dropped, Question as Asking, candidates, minimal_commands, minimal_events, moments, necessity,
};
use crate::predicate::{Predicate, Scope as PredicateScope};

const PREDICATES: [&str; 5] = [
    "state.open == true",
    "state.open == false",
    "state.n >= 2",
    "size(state.keys) > 0",
    "has(state.keys) && \"k1\" in state.keys",
];

fn holds(log: &Log, stream: &StreamName, predicate: &Predicate) -> bool {
    let state = log.state_at(stream, Revision(u64::MAX));
    let scope = PredicateScope::new(log.models.for_stream(stream), &state);
    predicate.evaluate(&scope).unwrap().holds()
}

/// The log of a fresh store that was never given these commands.
fn without(log: &Log, stream: &StreamName, gone: &[u64]) -> Log {
    let base = Base {
        position: Position(u64::MAX),
        at: time(10_000),
        revision: Revision(u64::MAX),
    };
    let mut oracle = Oracle::new(log, stream, base);
    for (nth, sequence) in gone.iter().enumerate() {
        let decision = DecisionRef::Sequence(*sequence);
        oracle.edit(nth, &Edit::DropCommand(DropCommandEdit { decision }));
    }
    oracle.run(Causes::Follow);
    oracle.world
}

/// What a fresh store says of commands that are gone.
fn searched(log: &Log, stream: &StreamName, predicate: &Predicate, gone: &[u64]) -> Necessity {
    let other = without(log, stream, gone);
    let differs = first_divergence(log.stream_events(stream), other.stream_events(stream));
    match (differs, holds(&other, stream, predicate)) {
        (None, _) => Necessity::WithoutEffect,
        (Some(_), true) => Necessity::Masked,
        (Some(_), false) => Necessity::Necessary,
    }
}

fn command(tried: &CommandTried) -> WhatIfCommand {
    WhatIfCommand {
        command_type: tried.command_type.clone(),
        payload: tried.payload.clone(),
        actor: Some("what-if".to_owned()),
        reason: Some("what-if".to_owned()),
        command_id: None,
        correlation_id: None,
        causation_id: None,
        expected_revision: None,
        password_correct: None,
    }
}

/// Whether a fresh store, given one more command before an entry of the log, accepts it, and whether the outcome comes.
fn with_one_more(
    log: &Log,
    stream: &StreamName,
    predicate: &Predicate,
    (tried, place, at): (&CommandTried, Position, Timestamp),
) -> (bool, bool) {
    let revision = Revision(u64::MAX);
    let base = Base {
        position: place,
        at,
        revision,
    };
    let mut oracle = Oracle::new(log, stream, base);
    oracle.act_before(0, &Action::Command(command(tried)), place);
    oracle.run(Causes::Follow);
    let own = oracle
        .world
        .decisions()
        .find(|decision| decision.command_id == "what-if-command-1");
    let accepted = matches!(own.unwrap().result, Outcome::Accepted { .. });
    (accepted, holds(&oracle.world, stream, predicate))
}

/// A masked command's other one is one, and one without has none.
fn check_pairs(log: &Log, (stream, predicate): (&StreamName, &Predicate), found: &Dropped) {
    let masked = found.of(Necessity::Masked);
    for one in &masked {
        let mut others = masked.iter().filter(|other| other.decision != one.decision);
        let both = |other: u64| searched(log, stream, predicate, &[one.decision, other]);
        match one.masked_by {
            Some(other) => assert_eq!(both(other), Necessity::Necessary),
            None => assert!(others.all(|other| both(other.decision) != Necessity::Necessary)),
        }
    }
}

/// At each moment as many commands are legal, and avoid the outcome, as a fresh store says.
fn check_moments(
    log: &Log,
    (stream, predicate): (&StreamName, &Predicate),
    asking: &mut Asking<'_, Log>,
) {
    let models = &log.models;
    let tried = candidates(models.for_stream(stream), log.decisions());
    let (moments, left_out) = moments(asking, &tried.tried).unwrap();
    assert_eq!(left_out, 0);
    let own = log
        .entries
        .iter()
        .filter(|entry| entry.stream == *stream && !entry.events.is_empty());
    let mut places: Vec<Position> = own.map(|entry| entry.place.position()).collect();
    places.push(Position(u64::MAX));
    assert_eq!(moments.len(), places.len());
    for (moment, place) in moments.iter().zip(places) {
        let (mut legal, mut avoiding) = (0, 0);
        for tried in &tried.tried {
            let (accepted, holds) =
                with_one_more(log, stream, predicate, (tried, place, moment.at));
            legal += u64::from(accepted);
            avoiding += u64::from(accepted && !holds);
        }
        assert_eq!(
            (moment.legal, moment.avoiding),
            (legal, avoiding),
            "{moment:?} {}",
            predicate.text()
        );
        assert_eq!(moment.example.is_some(), avoiding > 0);
    }
}

fn check_one(log: &Log, stream: &StreamName, predicate: &Predicate) -> (usize, usize) {
    let (stop, models) = (Stop::new(), log.models.clone());
    let mut history = log.clone();
    let mut asking = Asking {
        history: &mut history,
        models: &models,
        stream,
        predicate,
        causes: Causes::Follow,
        password_correct: None,
        stop: &stop,
        runs: 0,
        asked: 0,
        progress: &mut |_, _| {},
        runs_expected: 0,
    };
    let found = necessity(&mut asking).unwrap();
    assert!(found.all_dropped && found.all_pairs);
    let mut told: HashMap<u64, Necessity> = HashMap::new();
    told.extend(
        found
            .commands
            .iter()
            .map(|command| (command.decision, command.necessity)),
    );
    for decision in log.decisions() {
        let is = told
            .get(&decision.sequence)
            .copied()
            .unwrap_or(Necessity::WithoutEffect);
        let searched = searched(log, stream, predicate, &[decision.sequence]);
        assert_eq!(
            is,
            searched,
            "decision {} {}",
            decision.sequence,
            predicate.text()
        );
    }
    check_pairs(log, (stream, predicate), &found);
    check_moments(log, (stream, predicate), &mut asking);
    (
        found.of(Necessity::Necessary).len(),
        found.of(Necessity::Masked).len(),
    )
}

#[test]
fn necessity_and_the_point_of_no_return_equal_exhaustive_search() {
    let seed = number(option_env!("REDECIDE_SEED"), SEED);
    let (mut outcomes, mut necessary, mut masked) = (0, 0, 0);
    for nth in 0..number(option_env!("REDECIDE_HISTORIES"), HISTORIES) / 4 {
        let seed = seed.wrapping_add(nth);
        println!("REDECIDE_SEED={seed} REDECIDE_HISTORIES=4");
        let random = &mut Random(seed);
        let length = 4 + random.below(14);
        let log = history(random, Log::new(models()), (length, 3, 3));
        let stream = box_named(random.below(3));
        let predicate: Predicate = random.pick(&PREDICATES).parse().unwrap();
        if holds(&log, &stream, &predicate) {
            let found = check_one(&log, &stream, &predicate);
            outcomes += 1;
            necessary += found.0;
            masked += found.1;
        }
    }
    assert!(
        outcomes > 0 && necessary > 0 && masked > 0,
        "{outcomes} {necessary} {masked}"
    );
}

#[test]
fn minimal_histories_lead_there_and_nothing_with_one_less_does() {
    let seed = number(option_env!("REDECIDE_SEED"), SEED);
    let (mut outcomes, mut smaller) = (0, 0);
    for nth in 0..number(option_env!("REDECIDE_HISTORIES"), HISTORIES) / 4 {
        let seed = seed.wrapping_add(nth);
        println!("REDECIDE_SEED={seed} REDECIDE_HISTORIES=4");
        let random = &mut Random(seed);
        let length = 10 + random.below(30);
        let log = history(random, Log::new(models()), (length, 3, 3));
        let stream = box_named(random.below(3));
        let predicate: Predicate = random.pick(&PREDICATES).parse().unwrap();
        if !holds(&log, &stream, &predicate) {
            continue;
        }
        outcomes += 1;
        let (stop, models, mut history) = (Stop::new(), log.models.clone(), log.clone());
        let mut asking = Asking {
            history: &mut history,
            models: &models,
            stream: &stream,
            predicate: &predicate,
            causes: Causes::Follow,
            password_correct: None,
            stop: &stop,
            runs: 0,
            asked: 0,
            progress: &mut |_, _| {},
            runs_expected: 0,
        };
        let events = log.stream_events(&stream).to_vec();
        let found = minimal_events(&mut asking, &events, 10_000).unwrap();
        let folds_to = |left: &[Revision]| {
            let model = models.for_stream(&stream);
            let kept = events.iter().filter(|event| left.contains(&event.revision));
            let state = crate::fold::fold(model, kept).state;
            predicate
                .evaluate(&PredicateScope::new(model, &state))
                .unwrap()
                .holds()
        };
        let kept: Vec<Revision> = found.kept.iter().filter_map(|item| item.revision).collect();
        assert!(folds_to(&kept));
        for one in &kept {
            let rest: Vec<Revision> = kept.iter().copied().filter(|other| other != one).collect();
            assert!(!folds_to(&rest), "{kept:?} without {one}");
        }
        smaller += u32::from(kept.len() < events.len());
        let found = minimal_commands(&mut asking, 10_000).unwrap();
        let kept: Vec<u64> = found.kept.iter().filter_map(|item| item.decision).collect();
        let given = |left: &[u64]| {
            let all = log.decisions().map(|decision| decision.sequence);
            let gone: Vec<u64> = all.filter(|sequence| !left.contains(sequence)).collect();
            holds(&without(&log, &stream, &gone), &stream, &predicate)
        };
        // What brought and caused nothing stands beside them, and changes nothing.
        assert!(given(&kept), "{kept:?}");
        for one in &kept {
            let rest: Vec<u64> = kept.iter().copied().filter(|other| other != one).collect();
            assert!(!given(&rest), "{kept:?} without {one}");
        }
    }
    assert!(outcomes > 0 && smaller > 0, "{outcomes} {smaller}");
}
