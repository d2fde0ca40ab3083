//! Plans over lists in memory: what a batch says, and that planning alone changes nothing.

use serde_json::{Map, json};
use whodunit_core::api::pipeline::JobStatus;
use whodunit_core::command::{Command, Outcome, Rejection};
use whodunit_core::decide::KeyChange;
use whodunit_core::event::{ExpectedRevision, NewEvent};
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::keys::UniqueKey;

use super::memory::Memory;
use super::*;
use crate::limits::OUTBOX_COMPLETED_KEPT;
use crate::store::{DecisionPlace, KeyHold, NewJob, NotItsEvents, PendingDecision, StreamLabel};

fn name(stream: &str) -> StreamName {
    StreamName::new(stream).unwrap()
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

/// Facts with these ids, recorded at this time.
fn facts(stream: &str, ids: &[&str], micros: i64) -> Append {
    let events = ids.iter().map(|id| {
        let mut event = NewEvent::new("Happened", json!({ "id": id }));
        event.event_id = Some((*id).to_owned());
        event
    });
    Append::facts(
        name(stream),
        ExpectedRevision::Any,
        events.collect(),
        at(micros),
    )
}

fn decided(mut append: Append, command_id: &str, rejection: Option<Rejection>) -> Append {
    append.decision = Some(PendingDecision {
        command: Command {
            command_id: command_id.to_owned(),
            stream: append.stream.clone(),
            command_type: "DoIt".to_owned(),
            payload: Map::new(),
            actor: None,
            reason: None,
            correlation_id: None,
            causation_id: None,
            issued_at: append.now,
        },
        base_revision: Revision(0),
        rules_hash: "rules".to_owned(),
        rejection,
    });
    append
}

fn email(value: &str) -> UniqueKey {
    UniqueKey::caseless("email", value)
}

fn change(event: usize, value: &str, taken: bool) -> KeyChange {
    let key = email(value);
    KeyChange { event, key, taken }
}

fn planned(memory: &Memory, append: &Append) -> Batch {
    match plan(memory, append).unwrap() {
        Plan::Write(planned) => planned.batch,
        Plan::Repeat(result) => panic!("a repetition of {result:?}"),
    }
}

fn done(memory: &mut Memory, request: &Append) -> AppendResult {
    append(memory, request).unwrap().0.unwrap()
}

#[test]
fn planning_writes_nothing_and_the_same_plan_comes_again() {
    let mut memory = Memory::default();
    done(&mut memory, &facts("a-1", &["1"], 5));
    let before = memory.clone();
    let mut append = decided(facts("a-1", &["2", "3"], 7), "c", None);
    append.keys = vec![change(0, "x", true)];
    append.jobs = vec![NewJob {
        event: 1,
        handler: "mail".to_owned(),
    }];
    let batch = planned(&memory, &append);
    assert_eq!(memory, before);
    assert_eq!(planned(&memory, &append), batch);
}

#[test]
fn a_batch_says_everything_that_is_to_be_written() {
    let mut memory = Memory::default();
    done(&mut memory, &facts("b-1", &["0"], 1));
    done(&mut memory, &facts("a-1", &["1"], 10));
    // The stream's clock goes back, and comes on again.
    let mut append = decided(facts("a-1", &["2", "3"], 20), "c", None);
    append.events[0].recorded_at = Some(at(9));
    append.keys = vec![change(1, "x", true)];
    append.label = Some(StreamLabel {
        title: Some("A".to_owned()),
        status: None,
    });
    append.jobs = vec![NewJob {
        event: 1,
        handler: "mail".to_owned(),
    }];
    let batch = planned(&memory, &append);
    let places: Vec<_> = batch
        .events
        .iter()
        .map(|placed| {
            let event = &placed.event;
            let place = (event.position.0, event.revision.0);
            (place, placed.effective_at, placed.is_late())
        })
        .collect();
    assert_eq!(places, [((3, 2), at(10), true), ((4, 3), at(20), false)]);
    let write = batch.stream.unwrap();
    assert_eq!(write.last_before, Some(Position(2)));
    let info = write.info;
    assert_eq!(
        (info.revision, info.last_position),
        (Revision(3), Position(4))
    );
    assert_eq!((info.first_at, info.last_at), (at(10), at(20)));
    assert_eq!(info.clock_back_at, Some(Revision(2)));
    assert_eq!(info.label.title.as_deref(), Some("A"));
    let hold = KeyHold {
        stream: name("a-1"),
        since: Position(4),
        until: None,
        since_at: at(20),
        until_at: None,
    };
    let key = email("x");
    assert_eq!(batch.keys, [KeyWrite { key, hold }]);
    let decision = batch.decision.unwrap();
    assert_eq!(
        (decision.sequence, decision.base_position),
        (1, Position(2))
    );
    let outcome = Outcome::Accepted {
        revision: Revision(3),
        position: Position(4),
        events: 2,
    };
    assert_eq!(decision.result, outcome);
    let [JobWrite::Made(job)] = &batch.jobs[..] else {
        panic!("{:?}", batch.jobs)
    };
    assert_eq!(
        (job.id, job.position, job.created_at),
        (1, Position(4), at(20))
    );
}

#[test]
fn a_key_may_change_hands_several_times_within_one_batch() {
    let mut memory = Memory::default();
    let mut append = facts("a-1", &["1", "2", "3"], 5);
    append.keys = vec![
        change(0, "x", false),
        change(0, "x", true),
        change(1, "x", true),
        change(1, "x", false),
        change(2, "x", true),
    ];
    done(&mut memory, &append);
    let holds: Vec<_> = memory.holds[&("a".to_owned(), email("x"))]
        .iter()
        .map(|hold| (hold.since.0, hold.until.map(|until| until.0)))
        .collect();
    assert_eq!(holds, [(1, Some(2)), (3, None)]);
}

/// What is refused first says why, and nothing is left of it.
#[test]
fn the_order_of_checks_is_kept_and_a_refusal_leaves_no_trace() {
    let mut memory = Memory::default();
    let mut first = decided(facts("a-1", &["1"], 5), "c", None);
    first.keys = vec![change(0, "x", true)];
    done(&mut memory, &first);
    let before = memory.clone();
    let mut wrong = facts("a-2", &["1"], 5);
    wrong.expected = ExpectedRevision::Exact(Revision(7));
    wrong.keys = vec![change(0, "x", true)];
    let mut refusals = Vec::new();
    // Everything is wrong with it; then one mistake after another is mended.
    let mut everything = decided(wrong.clone(), "c", None);
    everything.keys.push(change(9, "x", true));
    for append in [
        everything.clone(),
        Append {
            keys: wrong.keys.clone(),
            ..everything
        },
        wrong.clone(),
        Append {
            events: facts("a-2", &["2"], 5).events,
            ..wrong.clone()
        },
        Append {
            events: facts("a-2", &["2"], 5).events,
            expected: ExpectedRevision::NoStream,
            ..wrong
        },
    ] {
        refusals.push(plan(&memory, &append).unwrap_err());
        assert!(append_refused(&mut memory, &append));
    }
    assert!(matches!(
        &refusals[..],
        [
            AppendError::Store(_),
            AppendError::CommandIdConflict { .. },
            AppendError::EventIdConflict { .. },
            AppendError::WrongRevision { .. },
            AppendError::KeyTaken { .. },
        ]
    ));
    assert_eq!(memory, before);
}

fn append_refused(memory: &mut Memory, request: &Append) -> bool {
    let (answer, weight) = append(memory, request).unwrap();
    answer.is_err() && weight == Weight::Nothing
}

#[test]
fn a_rejection_writes_its_decision_and_nothing_else() {
    let mut memory = Memory::default();
    let mut holder = facts("a-1", &["1"], 5);
    holder.keys = vec![change(0, "x", true)];
    done(&mut memory, &holder);
    let by_rule = Some(Rejection::new("a.rule", "no"));
    let mut late = decided(facts("a-2", &["2"], 5), "c", None);
    late.keys = vec![change(0, "x", true)];
    for (append, expected) in [
        (late, "email.taken"),
        (decided(facts("a-2", &[], 5), "c", by_rule), "a.rule"),
    ] {
        let batch = planned(&memory, &append);
        let decision = batch.decision.clone().unwrap();
        assert!(matches!(decision.result, Outcome::Rejected { rule, .. } if rule == expected));
        let nothing_else = Batch {
            decision: batch.decision.clone(),
            ..Batch::default()
        };
        assert_eq!(batch, nothing_else);
    }
}

#[test]
fn a_restored_decision_stands_beside_its_events_or_is_refused() {
    let mut memory = Memory::default();
    let mut append = facts("a-1", &["1", "2"], 5);
    for event in &mut append.events {
        event.causation_id = Some("c".to_owned());
    }
    let mut source = Memory::default();
    let decision = done(&mut source, &decided(append.clone(), "c", None)).decision;
    done(&mut memory, &facts("b-1", &["0"], 5));
    let mut restored = RestoredDecision {
        decision: whodunit_core::command::Decision::clone(&decision.unwrap()),
        place: DecisionPlace::Events(vec!["1".to_owned(), "2".to_owned()]),
    };
    assert!(matches!(
        plan_restore(&memory, &restored),
        Err(AppendError::NotItsEvents(NotItsEvents::Missing { .. }))
    ));
    done(&mut memory, &append);
    let (written, weight) = restore_decision(&mut memory, &restored).unwrap();
    assert_eq!((written.unwrap(), weight), (true, Weight::Logged));
    assert_eq!(memory.decisions[0].base_position, Position(1));
    let (written, weight) = restore_decision(&mut memory, &restored).unwrap();
    assert_eq!((written.unwrap(), weight), (false, Weight::Nothing));
    restored.decision.command_type = "Other".to_owned();
    assert!(matches!(
        plan_restore(&memory, &restored),
        Err(AppendError::CommandIdConflict { .. })
    ));
}

#[test]
fn each_change_of_a_job_stands_on_the_one_before_it() {
    let mut memory = Memory::default();
    done(&mut memory, &facts("a-1", &["1"], 5));
    let add = JobChange::Add {
        handler: "mail".to_owned(),
        position: Position(1),
    };
    let (begin, complete) = (JobChange::Begin { id: 1 }, JobChange::Complete { id: 1 });
    let changes = [
        add.clone(),
        add.clone(),
        begin.clone(),
        JobChange::ReleaseAll,
        begin.clone(),
        complete,
        begin,
        add,
    ];
    let (batch, jobs) = plan_jobs(&memory, &changes, at(6)).unwrap();
    let answers: Vec<_> = jobs
        .iter()
        .map(|job| job.as_ref().map(|job| (job.id, job.status, job.attempts)))
        .collect();
    let (pending, processing) = (JobStatus::Pending, JobStatus::Processing);
    assert_eq!(
        answers,
        [
            Some((1, pending, 0)),
            None,
            Some((1, processing, 1)),
            None,
            Some((1, processing, 1)),
            Some((1, JobStatus::Completed, 1)),
            None,
            Some((2, pending, 0)),
        ]
    );
    memory.apply(batch.into()).unwrap();
    assert_eq!(memory.jobs.len(), 2);
}

#[test]
fn completed_jobs_are_pruned_from_the_oldest_on() {
    let mut memory = Memory::default();
    let total = OUTBOX_COMPLETED_KEPT + 3;
    let ids: Vec<_> = (0..total).map(|n| n.to_string()).collect();
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    let mut append = facts("a-1", &ids, 5);
    append.jobs = (0..ids.len())
        .map(|event| NewJob {
            event,
            handler: "mail".to_owned(),
        })
        .collect();
    // The planner alone: a list in memory is no place for ten thousand looks by id.
    for event in &mut append.events {
        event.event_id = None;
    }
    append.fresh_ids = ids.iter().map(|id| (*id).to_owned()).collect();
    let batch = planned(&memory, &append);
    memory.apply(batch.into()).unwrap();
    let complete = |ids: std::ops::RangeInclusive<u64>| -> Vec<_> {
        ids.flat_map(|id| [JobChange::Begin { id }, JobChange::Complete { id }])
            .collect()
    };
    // All but the first two; then those, which are the oldest there are.
    let (rest, _) = change_jobs(&mut memory, &complete(3..=total), at(6)).unwrap();
    assert_eq!(rest.unwrap().len() as u64, 2 * (total - 2));
    assert_eq!(memory.pruned["mail"], 1);
    assert!(!memory.jobs.contains_key(&3));
    let (oldest, _) = change_jobs(&mut memory, &complete(1..=2), at(7)).unwrap();
    assert!(oldest.unwrap().iter().all(Option::is_some));
    assert_eq!(memory.pruned["mail"], 3);
    assert_eq!(memory.jobs.keys().next(), Some(&4));
}
