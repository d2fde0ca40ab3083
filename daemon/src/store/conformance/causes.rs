//! What a cause led to, and what belongs to a correlation.

use whodunit_core::command::{Decision, Outcome};

use super::*;

/// Ids that are named as causes: of events, of commands, of both, and of nothing.
const CAUSES: [&str; 7] = ["e-0", "e-7", "c-1", "c-5", "both", "nothing", ""];

/// A log in which every few records name one of few causes and correlations, before and after these are on record.
async fn history(store: &Arc<dyn Store>) {
    let mut revisions = [0u64; 3];
    for n in 0..60usize {
        let stream = n % 3;
        let (name, base) = (format!("a-{stream}"), revisions[stream]);
        let pick = |every: usize| CAUSES[(n * 5 + every) % CAUSES.len()].to_owned();
        let event = |id: &str, cause: Option<String>| {
            let mut event = fact(id);
            event.causation_id = cause.filter(|cause| !cause.is_empty());
            event.correlation_id = (n % 4 != 0).then(|| format!("work-{}", n % 5));
            event
        };
        let mut append = match n % 5 {
            0 => refused(&name, &format!("c-{n}"), base),
            1 => accepted(&name, &format!("c-{n}"), base, &["x", "y"]),
            _ => facts(&name, &["x"]),
        };
        if let Some(decided) = &mut append.decision {
            if n == 15 {
                decided.command.command_id = "both".to_owned();
            }
            decided.command.causation_id = Some(pick(1)).filter(|cause| !cause.is_empty());
            decided.command.correlation_id = (n % 2 == 0).then(|| format!("work-{}", n % 5));
        }
        let command = append
            .decision
            .as_ref()
            .map(|decided| decided.command.command_id.clone());
        let count = append.events.len();
        append.events = (0..count)
            .map(|at| {
                let id = match (n, at) {
                    (16, 0) => "both".to_owned(),
                    (_, 0) => format!("e-{n}"),
                    _ => format!("e-{n}-{at}"),
                };
                // The second event of a command names another cause.
                event(
                    &id,
                    command
                        .clone()
                        .filter(|_| at == 0)
                        .or_else(|| Some(pick(at))),
                )
            })
            .collect();
        revisions[stream] += append.events.len() as u64;
        ok(store, append).await;
    }
}

fn decisions(view: &dyn View) -> Vec<Decision> {
    let all = DecisionFilter::default();
    view.decisions(&all, None, Direction::Forward, 10_000)
        .unwrap()
        .decisions
}

pub(super) async fn effects_are_those_that_looking_at_everything_finds(store: &Arc<dyn Store>) {
    history(store).await;
    let read_view = view(store);
    let (events, decisions) = (all(read_view.as_ref()), decisions(read_view.as_ref()));
    let commands = decisions
        .iter()
        .map(|decision| decision.command_id.as_str());
    for cause in CAUSES.into_iter().chain(commands) {
        let names = |id: &Option<String>| id.as_deref() == Some(cause);
        for from in [0, 1, 30, 61, 1_000] {
            for limit in [0, 1, 3, 100] {
                let of_events = events.iter().filter(|event| names(&event.causation_id));
                let expected: Vec<_> = of_events
                    .filter(|event| event.position.0 >= from)
                    .take(limit)
                    .cloned()
                    .collect();
                let found = read_view
                    .caused_events(cause, Position(from), limit)
                    .unwrap();
                assert_eq!(found, expected, "{cause} from {from}, {limit}");
                let of_decisions = decisions.iter().filter(|found| names(&found.causation_id));
                let expected: Vec<_> = of_decisions
                    .filter(|found| found.sequence >= from)
                    .take(limit)
                    .cloned()
                    .collect();
                let found = read_view.caused_decisions(cause, from, limit).unwrap();
                assert_eq!(found, expected, "{cause} from {from}, {limit}");
            }
        }
    }
}

pub(super) async fn correlations_are_those_that_looking_at_everything_finds(
    store: &Arc<dyn Store>,
) {
    history(store).await;
    let read_view = view(store);
    let (events, decisions) = (all(read_view.as_ref()), decisions(read_view.as_ref()));
    for id in ["work-0", "work-1", "work-4", "work-9", ""] {
        for direction in [Direction::Forward, Direction::Backward] {
            for limit in [1, 4, 100] {
                let filter = LogFilter {
                    correlation_id: Some(id.to_owned()),
                    ..LogFilter::default()
                };
                let (mut found, mut from) = (Vec::new(), None);
                loop {
                    let page = read_view.log(&filter, from, direction, limit, 3).unwrap();
                    found.extend(page.events);
                    match page.next {
                        Some(next) => from = Some(next),
                        None => break,
                    }
                }
                let has = |own: &Option<String>| own.as_deref() == Some(id);
                let mut expected: Vec<_> = events
                    .iter()
                    .filter(|event| has(&event.correlation_id))
                    .cloned()
                    .collect();
                if direction == Direction::Backward {
                    expected.reverse();
                }
                assert_eq!(found, expected, "{id} {direction:?} {limit}");
                for rejected in [None, Some(true)] {
                    let filter = DecisionFilter {
                        correlation_id: Some(id.to_owned()),
                        rejected,
                        stream: None,
                    };
                    let (mut found, mut from) = (Vec::new(), None);
                    loop {
                        let page = read_view
                            .decisions(&filter, from, direction, limit)
                            .unwrap();
                        found.extend(page.decisions);
                        match page.next {
                            Some(next) => from = Some(next),
                            None => break,
                        }
                    }
                    let mut expected: Vec<_> = decisions
                        .iter()
                        .filter(|own| filter.is_met_by(own))
                        .cloned()
                        .collect();
                    if direction == Direction::Backward {
                        expected.reverse();
                    }
                    assert_eq!(found, expected, "{filter:?} {direction:?} {limit}");
                }
            }
        }
    }
}

/// Its events stood there before it did, each with an entry of its own.
pub(super) async fn the_events_of_a_restored_decision_are_found_once(store: &Arc<dyn Store>) {
    let mut append = facts("a-1", &["1", "2", "3"]);
    for event in append.events.iter_mut().take(2) {
        event.causation_id = Some("c-1".to_owned());
    }
    ok(store, append).await;
    ok(store, accepted("b-1", "c-0", 0, &["4"])).await;
    let mut decision = view(store).decision_by_command("c-0").unwrap().unwrap();
    decision.command_id = "c-1".to_owned();
    decision.stream = name("a-1");
    decision.result = Outcome::Accepted {
        revision: Revision(2),
        position: Position(2),
        events: 2,
    };
    let events = vec!["1".to_owned(), "2".to_owned()];
    let place = DecisionPlace::Events(events);
    let restored = RestoredDecision { decision, place };
    assert!(store.restore_decision(restored).await.unwrap());
    let found = view(store).caused_events("c-1", Position(1), 10).unwrap();
    let ids: Vec<_> = found.iter().map(|event| &*event.event_id).collect();
    assert_eq!(ids, ["1", "2"]);
}
