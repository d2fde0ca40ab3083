//! Every question that can be asked of a store's view, and its answers.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::ops::ControlFlow;

use whodunit_core::api::pipeline::JobStatus;
use whodunit_core::ids::{Position, Revision};
use whodunit_core::stop::Stop;
use whodunit_core::time::Timestamp;

use super::work::{HANDLER, KEYS, RULES, STREAMS, command_id, event_id, key, stream};
use crate::store::{
    DecisionFilter, Direction, Head, JobFilter, LateRange, LogFilter, Store, StoreError,
    StreamFilter, StreamOrder, View, WordField,
};

/// What a store answers: the answer, or what it says instead.
pub(super) type Answers = BTreeMap<String, Result<String, String>>;

const ALL: usize = 1_000;
const BUDGET: u64 = 100_000;

struct Asking(Answers);

impl Asking {
    fn ask<T: Debug>(&mut self, question: String, answer: Result<T, StoreError>) {
        let answer = answer
            .map(|answer| format!("{answer:?}"))
            .map_err(|error| error.with_cause());
        self.0.insert(question, answer);
    }
}

/// Asks everything of a store after `appends` appends, whose head was `head`.
pub(super) fn ask(store: &dyn Store, appends: u64, head: Head) -> Answers {
    let mut asking = Asking(Answers::new());
    let view = match store.view() {
        Ok(view) => view,
        Err(error) => {
            asking.ask::<()>("view".to_owned(), Err(error));
            return asking.0;
        }
    };
    let view = view.as_ref();
    asking.ask("head".to_owned(), Ok(view.head()));
    asking.ask("announced".to_owned(), Ok(*store.head().borrow()));
    asking.ask(
        "counts".to_owned(),
        store.stats().map(|stats| (stats.streams, stats.snapshots)),
    );
    asking.ask("stopped".to_owned(), Ok(Stop::is_set(view.stop())));
    streams(&mut asking, view);
    lists(&mut asking, view);
    for position in 0..=head.position.0 + 1 {
        asking.ask(
            format!("event {position}"),
            view.event_at(Position(position)),
        );
        asking.ask(
            format!("jobs of {position}"),
            view.jobs_of_event(Position(position)),
        );
        asking.ask(
            format!("rejection before {position}"),
            view.rejection_before(Position(position)),
        );
    }
    for sequence in 0..=head.decision + 1 {
        asking.ask(format!("decision {sequence}"), view.decision(sequence));
    }
    for append in 0..appends {
        asking.ask(
            format!("command {append}"),
            view.decision_by_command(&command_id(append)),
        );
        asking.ask(
            format!("id {append}"),
            view.event_by_id(&event_id(append, 0)),
        );
        asking.ask(format!("job {append}"), view.job(append));
        for cause in [command_id(append), event_id(append, 0)] {
            let events = view.caused_events(&cause, Position(1), ALL);
            asking.ask(format!("caused by {cause}"), events);
            let decisions = view.caused_decisions(&cause, 1, ALL);
            asking.ask(format!("decided because of {cause}"), decisions);
        }
    }
    keys(&mut asking, view, head);
    asking.0
}

fn streams(asking: &mut Asking, view: &dyn View) {
    let moment = Timestamp::from_micros(1_741_003_000_000_000);
    for n in 0..STREAMS {
        let name = stream(n);
        asking.ask(format!("stream {n}"), view.stream(&name));
        for direction in [Direction::Forward, Direction::Backward] {
            let from = match direction {
                Direction::Forward => Revision(1),
                Direction::Backward => Revision(u64::MAX),
            };
            asking.ask(
                format!("events {n} {direction:?}"),
                view.stream_events(&name, from, direction, ALL),
            );
        }
        let mut each = Vec::new();
        let walked = view.for_each_event(&name, Revision(1), Revision(u64::MAX), &mut |event| {
            each.push(event);
            Ok(ControlFlow::Continue(()))
        });
        asking.ask(format!("each {n}"), walked.map(|()| each));
        asking.ask(format!("as of {n}"), view.revision_as_of(&name, moment));
        asking.ask(format!("at {n}"), view.revision_at(&name, Position(40)));
        asking.ask(
            format!("event of {n}"),
            view.event_at_revision(&name, Revision(2)),
        );
        asking.ask(
            format!("effective {n}"),
            view.effective_at(&name, Revision(5)),
        );
        let late = LateRange {
            after: Revision(0),
            to: Revision(u64::MAX),
            recorded_by: None,
        };
        asking.ask(
            format!("late {n}"),
            view.late_events(&name, late, ALL, BUDGET),
        );
        asking.ask(
            format!("snapshot {n}"),
            view.snapshot(&name, RULES, Revision(u64::MAX)),
        );
        asking.ask(format!("density {n}"), view.density(Some(&name), 8));
        asking.ask(format!("open job {n}"), view.first_open_job(HANDLER, &name));
        decisions_and_jobs(asking, view, n);
    }
    for category in [None, Some("user".to_owned())] {
        for order in [StreamOrder::Name, StreamOrder::Recent] {
            let filter = StreamFilter {
                category: category.clone(),
                ..StreamFilter::default()
            };
            asking.ask(
                format!("streams {category:?} {order:?}"),
                view.streams(&filter, order, None, ALL, BUDGET)
                    .map(|page| (page.streams, page.next)),
            );
        }
    }
}

fn decisions_and_jobs(asking: &mut Asking, view: &dyn View, n: u64) {
    let name = stream(n);
    let of_stream = DecisionFilter {
        stream: Some(name.clone()),
        ..DecisionFilter::default()
    };
    asking.ask(
        format!("decisions {n}"),
        view.decisions(&of_stream, None, Direction::Forward, ALL),
    );
    let rejected = DecisionFilter {
        rejected: Some(true),
        ..of_stream
    };
    asking.ask(
        format!("rejections {n}"),
        view.decisions(&rejected, None, Direction::Forward, ALL),
    );
    let of_stream = JobFilter {
        stream: Some(name),
        ..JobFilter::default()
    };
    asking.ask(
        format!("jobs of stream {n}"),
        view.jobs(&of_stream, None, Direction::Forward, ALL, BUDGET)
            .map(|page| (page.jobs, page.next)),
    );
}

fn lists(asking: &mut Asking, view: &dyn View) {
    let since = Timestamp::from_micros(1_741_001_000_000_000);
    let filters = [
        LogFilter::default(),
        LogFilter {
            category: Some("user".to_owned()),
            ..LogFilter::default()
        },
        LogFilter {
            event_type: Some("Paid".to_owned()),
            ..LogFilter::default()
        },
        LogFilter {
            actor: Some("actor-1".to_owned()),
            ..LogFilter::default()
        },
        LogFilter {
            correlation_id: Some("correlation-3".to_owned()),
            ..LogFilter::default()
        },
        LogFilter {
            since: Some(since),
            ..LogFilter::default()
        },
    ];
    for (n, filter) in filters.iter().enumerate() {
        for direction in [Direction::Forward, Direction::Backward] {
            asking.ask(
                format!("log {n} {direction:?}"),
                // How much was looked at depends on what is sealed.
                view.log(filter, None, direction, ALL, BUDGET)
                    .map(|page| (page.events, page.next)),
            );
        }
    }
    let correlated = DecisionFilter {
        correlation_id: Some("correlation-3".to_owned()),
        ..DecisionFilter::default()
    };
    asking.ask(
        "decisions of a correlation".to_owned(),
        view.decisions(&correlated, None, Direction::Forward, ALL),
    );
    words(asking, view);
    asking.ask("categories".to_owned(), view.categories());
    asking.ask("density".to_owned(), view.density(None, 16));
    for rejected in [None, Some(true), Some(false)] {
        let filter = DecisionFilter {
            rejected,
            ..DecisionFilter::default()
        };
        asking.ask(
            format!("decisions {rejected:?}"),
            view.decisions(&filter, None, Direction::Backward, ALL),
        );
    }
    asking.ask("job counts".to_owned(), view.job_counts());
    for status in [None, Some(JobStatus::Pending)] {
        let filter = JobFilter {
            status,
            ..JobFilter::default()
        };
        asking.ask(
            format!("jobs {status:?}"),
            view.jobs(&filter, None, Direction::Forward, ALL, BUDGET)
                .map(|page| (page.jobs, page.next)),
        );
    }
}

fn words(asking: &mut Asking, view: &dyn View) {
    for (field, word) in [
        (WordField::Type, "Paid"),
        (WordField::Actor, "actor-1"),
        (WordField::Category, "user"),
    ] {
        let events = view.word_events(field, word);
        asking.ask(format!("events of {field:?} {word}"), events);
        let words = view.words(field, "", None, ALL);
        let words = words.map(|page| (page.words, page.has_more));
        asking.ask(format!("words of {field:?}"), words);
    }
}

fn keys(asking: &mut Asking, view: &dyn View, head: Head) {
    for n in 0..KEYS {
        for category in ["order", "user"] {
            for at in [None, Some(Position(head.position.0 / 2))] {
                asking.ask(
                    format!("key {n} {category} {at:?}"),
                    view.key_holder(category, &key(n), at),
                );
            }
            let moment = Timestamp::from_micros(1_741_002_000_000_000);
            asking.ask(
                format!("key {n} {category} then"),
                view.key_holder_as_of(category, &key(n), moment, &stream(0)),
            );
        }
    }
}
