//! Random changes of the outbox, with the store closed and opened again in between, against a list in memory and against the
//! same plans applied to lists in memory: the records and every index of them agree.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;
use whodunit_core::api::pipeline::{JobCounts, JobStatus};
use whodunit_core::event::{ExpectedRevision, NewEvent};
use whodunit_core::ids::{Position, StreamName};

use super::testing::wait;
use super::*;
use crate::store::write::{self, memory::Memory};
use crate::store::{Direction, JobFilter, NewJob};

const HANDLERS: [&str; 2] = ["mail", "mail/2"];
const STREAMS: u8 = 3;

#[derive(Debug, Clone)]
enum Op {
    /// An event of this stream, with a job for those handlers whose bit is set.
    Append(u8, u8),
    /// A change of the job that this number names, modulo those there are.
    Change(u8, How),
    ReleaseAll,
    Add(usize, u8),
    Reopen,
}

#[derive(Debug, Clone, Copy)]
enum How {
    Begin,
    Complete,
    TryAgain,
    Fail,
    Release,
    Retry,
}

fn op() -> impl Strategy<Value = Op> {
    let how = prop_oneof![
        4 => Just(How::Begin),
        3 => Just(How::Complete),
        1 => Just(How::TryAgain),
        1 => Just(How::Fail),
        1 => Just(How::Release),
        1 => Just(How::Retry),
    ];
    prop_oneof![
        3 => (0..STREAMS, 0..4u8).prop_map(|(stream, bits)| Op::Append(stream, bits)),
        8 => (any::<u8>(), how).prop_map(|(job, how)| Op::Change(job, how)),
        1 => Just(Op::ReleaseAll),
        1 => (0..2usize, any::<u8>()).prop_map(|(handler, event)| Op::Add(handler, event)),
        1 => Just(Op::Reopen),
    ]
}

fn name(stream: u8) -> StreamName {
    StreamName::new(format!("a-{stream}")).unwrap()
}

/// What the model knows of a job: handler, stream, position, status, attempts.
type Known = (&'static str, StreamName, u64, JobStatus, u32);

#[derive(Debug, Default)]
struct Model {
    jobs: Vec<Known>,
    /// The stream of each event.
    events: Vec<StreamName>,
    reference: Memory,
}

impl Model {
    /// Applies a change; whether it did anything.
    fn change(&mut self, index: usize, how: How) -> bool {
        use JobStatus::{Completed, Failed, Pending, Processing};
        let (.., status, attempts) = &mut self.jobs[index];
        let (from, to) = match how {
            How::Begin => (Pending, Processing),
            How::Complete => (Processing, Completed),
            How::TryAgain | How::Release => (Processing, Pending),
            How::Fail => (Processing, Failed),
            How::Retry => (Failed, Pending),
        };
        if *status != from {
            return false;
        }
        *status = to;
        match how {
            How::Begin => *attempts += 1,
            How::Release => *attempts -= 1,
            How::Retry => *attempts = 0,
            How::Complete | How::TryAgain | How::Fail => {}
        }
        true
    }

    fn first_open(&self, handler: &str, stream: &StreamName) -> Option<u64> {
        let open = self.jobs.iter().position(|(own, of, _, status, _)| {
            *own == handler && of == stream && *status != JobStatus::Completed
        });
        open.map(|index| index as u64 + 1)
    }
}

fn change_of(id: u64, how: How) -> JobChange {
    match how {
        How::Begin => JobChange::Begin { id },
        How::Complete => JobChange::Complete { id },
        How::TryAgain => JobChange::TryAgain {
            id,
            next_attempt_at: Timestamp::from_micros(9),
            error: "again".to_owned(),
        },
        How::Fail => JobChange::Fail {
            id,
            error: "failed".to_owned(),
        },
        How::Release => JobChange::Release { id },
        How::Retry => JobChange::Retry { id },
    }
}

fn apply(store: &LoggedStore, model: &mut Model, op: &Op) -> Result<(), TestCaseError> {
    let now = Timestamp::from_micros(1);
    let change = |reference: &mut Memory, change: JobChange| {
        let changes = vec![change];
        let (planned, _) = write::change_jobs(reference, &changes, now).unwrap();
        let changed = wait(store.change_jobs(changes, now)).unwrap();
        assert_eq!(changed, planned.unwrap());
        changed
    };
    match op {
        Op::Append(stream, bits) => {
            let event = NewEvent::new("Happened", json!({}));
            let mut append = Append::facts(name(*stream), ExpectedRevision::Any, vec![event], now);
            append.fresh_ids = vec![format!("e{}", model.events.len())];
            model.events.push(name(*stream));
            for (index, handler) in HANDLERS.into_iter().enumerate() {
                if bits & (1 << index) != 0 {
                    append.jobs.push(NewJob {
                        event: 0,
                        handler: handler.to_owned(),
                    });
                    let position = model.events.len() as u64;
                    model
                        .jobs
                        .push((handler, name(*stream), position, JobStatus::Pending, 0));
                }
            }
            let (planned, _) = write::append(&mut model.reference, &append).unwrap();
            let appended = wait(store.append(append)).unwrap();
            prop_assert_eq!(planned.unwrap(), appended);
        }
        Op::Change(job, how) if !model.jobs.is_empty() => {
            let index = usize::from(*job) % model.jobs.len();
            let changed = change(&mut model.reference, change_of(index as u64 + 1, *how));
            prop_assert_eq!(changed[0].is_some(), model.change(index, *how));
        }
        Op::Change(..) => {}
        Op::ReleaseAll => {
            change(&mut model.reference, JobChange::ReleaseAll);
            for index in 0..model.jobs.len() {
                model.change(index, How::Release);
            }
        }
        Op::Add(handler, event) if !model.events.is_empty() => {
            let index = usize::from(*event) % model.events.len();
            let (handler, position) = (HANDLERS[*handler], index as u64 + 1);
            let open = model.jobs.iter().any(|(own, _, at, status, _)| {
                *own == handler && *at == position && *status != JobStatus::Completed
            });
            let made = change(
                &mut model.reference,
                JobChange::Add {
                    handler: handler.to_owned(),
                    position: Position(position),
                },
            );
            prop_assert_eq!(made[0].is_some(), !open);
            if !open {
                let stream = model.events[index].clone();
                model
                    .jobs
                    .push((handler, stream, position, JobStatus::Pending, 0));
            }
        }
        Op::Add(..) | Op::Reopen => {}
    }
    Ok(())
}

/// The jobs are those of the same plans in memory.
fn compare_reference(view: &dyn View, model: &Model) -> Result<(), TestCaseError> {
    for (id, job) in &model.reference.jobs {
        let found = view.job(*id).unwrap().map(|found| Job {
            blocked_by: None,
            ..found
        });
        prop_assert_eq!(found.as_ref(), Some(job));
    }
    for position in 1..=model.events.len() as u64 {
        let found = view.jobs_of_event(Position(position)).unwrap();
        let expected = model.reference.jobs.values();
        let expected = expected.filter(|job| job.position.0 == position);
        prop_assert!(
            found
                .iter()
                .map(|job| job.id)
                .eq(expected.map(|job| job.id))
        );
    }
    Ok(())
}

/// Every way to ask gives what the model knows.
fn compare(store: &LoggedStore, model: &Model) -> Result<(), TestCaseError> {
    let view = store.view().unwrap();
    for (index, (handler, stream, position, status, attempts)) in model.jobs.iter().enumerate() {
        let id = index as u64 + 1;
        let job = view.job(id).unwrap().unwrap();
        let found = (job.handler.as_str(), &job.stream, job.position.0);
        prop_assert_eq!(found, (*handler, stream, *position));
        prop_assert_eq!((job.status, job.attempts), (*status, *attempts));
        let first = model.first_open(handler, stream);
        let held = (*status == JobStatus::Pending)
            .then_some(first)
            .flatten()
            .filter(|first| *first < id);
        prop_assert_eq!(job.blocked_by, held);
    }
    prop_assert_eq!(view.job(model.jobs.len() as u64 + 1).unwrap(), None);
    compare_reference(&*view, model)?;
    let mut counts: BTreeMap<&str, JobCounts> = BTreeMap::new();
    for (handler, _, _, status, _) in &model.jobs {
        let counts = counts.entry(handler).or_default();
        match status {
            JobStatus::Pending => counts.pending += 1,
            JobStatus::Processing => counts.processing += 1,
            JobStatus::Completed => counts.completed += 1,
            JobStatus::Failed => counts.failed += 1,
        }
    }
    let counted = view.job_counts().unwrap();
    let counted: BTreeMap<&str, JobCounts> = counted
        .iter()
        .map(|own| (own.handler.as_str(), own.counts))
        .collect();
    prop_assert_eq!(counted, counts);
    for handler in [None, Some(HANDLERS[0]), Some(HANDLERS[1])] {
        for status in [None, Some(JobStatus::Pending), Some(JobStatus::Failed)] {
            for stream in [None, Some(name(0))] {
                let filter = JobFilter {
                    handler: handler.map(str::to_owned),
                    status,
                    stream: stream.clone(),
                };
                let expected: Vec<u64> = (1..)
                    .zip(&model.jobs)
                    .filter(|(_, (own, of, _, at, _))| {
                        handler.is_none_or(|handler| handler == *own)
                            && status.is_none_or(|status| status == *at)
                            && stream.as_ref().is_none_or(|stream| stream == of)
                    })
                    .map(|(id, _)| id)
                    .collect();
                let page = view
                    .jobs(&filter, None, Direction::Forward, usize::MAX, u64::MAX)
                    .unwrap();
                let found: Vec<u64> = page.jobs.iter().map(|job| job.id).collect();
                prop_assert_eq!(found, expected);
            }
        }
    }
    for handler in HANDLERS {
        for stream in (0..STREAMS).map(name) {
            let first = view.first_open_job(handler, &stream).unwrap();
            let expected = model.first_open(handler, &stream);
            prop_assert_eq!(first.map(|job| job.id), expected);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(crate::seeded::seeded(96))]

    #[test]
    fn an_outbox_does_what_the_model_does(ops in prop::collection::vec(op(), 1..60)) {
        let disk = MemoryDisk::default();
        let open = || testing::open(&disk, NewStore::WhereNothingIsLeft, 3).unwrap();
        let (mut store, mut model) = (Some(open()), Model::default());
        for op in &ops {
            if matches!(op, Op::Reopen) {
                // Dropped first: only one may have it open.
                store = None;
            }
            let store = store.get_or_insert_with(open);
            apply(store, &mut model, op)?;
        }
        compare(store.get_or_insert_with(open), &model)?;
    }
}
