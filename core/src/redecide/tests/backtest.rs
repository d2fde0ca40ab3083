//! A back-test equals brute force: the commands fed to a fresh store, those of the range under the other rules.

use super::boxes::{Planted, models_with};
use super::*;
use crate::api::backtest::{BacktestChange, BacktestKind};
use crate::query::Pattern;

const PLANTED: [Planted; 5] = [
    Planted::Nothing,
    Planted::NoClosing,
    Planted::TakesClosed,
    Planted::Doubles,
    Planted::Renamed,
];

fn base() -> Base {
    Base {
        position: Position(u64::MAX),
        at: time(10_000),
        revision: Revision(u64::MAX),
    }
}

fn scope(random: &mut Random) -> Scope {
    let some = |random: &mut Random, second| random.one_in(3).then(|| time(second));
    let (from, to) = (random.below(15), 15 + random.below(15));
    Scope {
        category: random.one_in(2).then(|| "box".to_owned()),
        actor: random.one_in(3).then(|| Pattern::with_stars("actor1*")),
        since: some(random, from),
        until: some(random, to),
    }
}

fn following_with<'a>(
    models: &'a Models,
    other: (&'a Models, &'a Scope),
    causes: Causes,
    stop: &'a Stop,
) -> Following<'a> {
    Following {
        models,
        causes,
        reach: Reach::Changed,
        password_correct: None,
        all_diffs: false,
        rules: Some(OtherRules {
            models: other.0,
            scope: other.1,
            from: Place::after_position(Position::ZERO),
        }),
        bounds: Bounds::BACKTEST,
        stop,
    }
}

/// The other world, and who it was told of without a look at a state of it.
fn world(log: &Log, following: &Following<'_>) -> Log {
    let stream = box_named(0);
    let nothing = Question::edits(&stream, &[]);
    let mut visited = Vec::new();
    let mut history = log.clone();
    follow(
        &mut history,
        following,
        &nothing.asked(),
        &mut |each: Visited| {
            visited.push(each);
        },
    )
    .unwrap();
    other_log(log, visited)
}

/// What a brute-force world says of each recorded decision.
fn expected(log: &Log, other: &Log) -> Vec<(u64, BacktestKind)> {
    let decided: HashMap<&str, &Decision> = other
        .decisions()
        .map(|decision| (decision.command_id.as_str(), decision))
        .collect();
    // Its own events: a raw one may name it as its cause.
    let said = |log: &Log, id: &str| -> Vec<(String, String)> {
        let is = |entry: &&Entry| entry.decision.as_ref().is_some_and(|d| d.command_id == id);
        let events = log
            .entries
            .iter()
            .filter(is)
            .flat_map(|entry| &entry.events);
        let said = events.map(|event| (event.event_type.clone(), event.data.as_str().to_owned()));
        said.collect()
    };
    let mut changes = Vec::new();
    for decision in log.decisions() {
        let id = decision.command_id.as_str();
        let Some(now) = decided.get(id) else {
            changes.push((decision.sequence, BacktestKind::NotIssued));
            continue;
        };
        let kind = match (&decision.result, &now.result) {
            (Outcome::Accepted { .. }, Outcome::Rejected { .. }) => BacktestKind::AcceptedToRefused,
            (Outcome::Rejected { .. }, Outcome::Accepted { .. }) => BacktestKind::RefusedToAccepted,
            (was, is) if matches!(was, Outcome::Rejected { .. }) && was == is => continue,
            (Outcome::Rejected { .. }, Outcome::Rejected { .. }) => BacktestKind::Changed,
            (Outcome::Accepted { .. }, Outcome::Accepted { .. })
                if said(log, id) == said(other, id) =>
            {
                continue;
            }
            (Outcome::Accepted { .. }, Outcome::Accepted { .. }) => BacktestKind::Changed,
        };
        changes.push((decision.sequence, kind));
    }
    changes
}

/// The streams that are told are those that differ, from where they do.
fn check_streams(log: &Log, world: &Log, came: &Backtested) {
    let divergence =
        |name: &StreamName| first_divergence(log.stream_events(name), world.stream_events(name));
    for stream in &came.streams {
        assert_eq!(divergence(&stream.stream), Some(stream.first_divergence));
    }
    let mut names = log.stream_names();
    names.extend(world.stream_names());
    names.sort();
    names.dedup();
    let diverged = names.iter().filter(|name| divergence(name).is_some());
    assert_eq!(diverged.count(), came.streams.len());
}

fn check_one(log: &Log, planted: Planted, scope: &Scope, causes: Causes) -> Vec<BacktestChange> {
    let stream = box_named(0);
    let mut oracle = Oracle::new(log, &stream, base());
    oracle.rules = Some((models_with(planted), scope.clone()));
    oracle.run(causes);
    let (stop, other) = (Stop::new(), models_with(planted));
    let models = log.models.clone();
    let following = following_with(&models, (&other, scope), causes, &stop);
    // Commands that were passed stand as they were recorded, under the rules of that day.
    let hashes = |log: &Log| {
        let (of, is) = (
            other.for_category("box").rules_hash(),
            models.for_category("box").rules_hash(),
        );
        log.text().replace(of, is)
    };
    let what = || format!("{planted:?} {scope:?} {causes:?}");
    assert_eq!(
        hashes(&world(log, &following)),
        hashes(&oracle.world),
        "{}",
        what()
    );
    let (mut told, mut history) = (Vec::new(), log.clone());
    let came = backtest(
        &mut history,
        &following,
        &mut |change| told.push(change),
        &mut |_| {},
    )
    .unwrap();
    let commands = told
        .iter()
        .filter_map(|change| Some((change.decision?, change.kind)));
    let commands: Vec<(u64, BacktestKind)> = commands.collect();
    assert_eq!(commands, expected(log, &oracle.world), "{}", what());
    let in_range = log
        .decisions()
        .filter(|decision| scope.holds(decision))
        .count() as u64;
    assert_eq!(came.counts.total(), in_range, "{}", what());
    let raw = came.raw_refused;
    assert_eq!(
        came.counts.changes() + came.outside.changes() + raw,
        told.len() as u64
    );
    for groups in [&came.by_actor, &came.by_type, &came.by_day] {
        let total: u64 = groups.iter().map(|group| group.counts.total()).sum();
        assert_eq!(total, in_range);
    }
    check_streams(log, &oracle.world, &came);
    told
}

#[test]
fn other_rules_equal_the_commands_fed_to_a_fresh_store_under_them() {
    let seed = number(option_env!("REDECIDE_SEED"), SEED);
    let mut kinds = std::collections::BTreeSet::new();
    for nth in 0..number(option_env!("REDECIDE_HISTORIES"), HISTORIES) {
        let seed = seed.wrapping_add(nth);
        println!("REDECIDE_SEED={seed} REDECIDE_HISTORIES=1");
        let random = &mut Random(seed);
        let length = 5 + random.below(50);
        let log = history(random, Log::new(models()), (length, 5, 5));
        for planted in PLANTED {
            let scope = scope(random);
            for causes in [Causes::Follow, Causes::Keep] {
                let told = check_one(&log, planted, &scope, causes);
                assert!(planted != Planted::Nothing || told.is_empty(), "{told:?}");
                kinds.extend(told.iter().map(|change| (change.kind, change.in_range)));
            }
        }
    }
    // Every kind came, within the range and outside.
    for kind in [
        BacktestKind::AcceptedToRefused,
        BacktestKind::RefusedToAccepted,
        BacktestKind::Changed,
        BacktestKind::NotIssued,
    ] {
        assert!(kinds.contains(&(kind, true)), "{kind:?}");
        assert!(kinds.contains(&(kind, false)), "{kind:?} outside");
    }
}

#[test]
fn a_short_way_says_what_the_long_way_says() {
    let mut random = Random(SEED);
    let log = history(&mut random, Log::new(models()), (400, 20, 30));
    let (stop, other, scope) = (Stop::new(), models_with(Planted::Nothing), Scope::default());
    let models = log.models.clone();
    let following = following_with(&models, (&other, &scope), Causes::Follow, &stop);
    let mut looked = 0;
    let came = backtest(
        &mut log.clone(),
        &following,
        &mut |_| panic!("nothing differs"),
        &mut |n| looked = n,
    );
    let came = came.unwrap();
    assert_eq!(came.counts.same, log.decisions().count() as u64);
    assert_eq!((came.counts.changes(), looked), (0, came.counts.same));
    assert!(came.streams.is_empty() && came.raw_frozen > 0);
}

#[test]
fn a_stopped_back_test_ends() {
    let mut random = Random(SEED);
    let log = history(&mut random, Log::new(models()), (40, 5, 5));
    let (stop, other, scope) = (Stop::new(), models_with(Planted::Doubles), Scope::default());
    stop.set();
    let models = log.models.clone();
    let following = following_with(&models, (&other, &scope), Causes::Follow, &stop);
    let mut log = log;
    let came = backtest(&mut log, &following, &mut |_| {}, &mut |_| {});
    assert!(matches!(came, Err(Failed::WhatIf(WhatIfError::Stopped(_)))));
}
