//! The promises of the seam, as tests that any [`Store`] must pass.
//!
//! Owns one function per promise, each given an empty store. Knows nothing of an implementation: what is particular to
//! a file or an engine is tested beside it. `suite!` makes the tests of one implementation.

mod appends;
mod causes;
mod decisions;
mod jobs;
mod keys;
mod pages;
mod races;
mod restore;
mod streams;
mod times;

use std::sync::Arc;

use serde_json::{Map, Value, json};
use whodunit_core::command::{Command, Rejection};
use whodunit_core::decide::KeyChange;
use whodunit_core::event::{Event, ExpectedRevision, NewEvent};
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::keys::UniqueKey;
use whodunit_core::time::Timestamp;

use super::{
    Append, AppendError, AppendResult, DecisionFilter, DecisionPlace, Direction, Head, LogFilter,
    NotItsEvents, PendingDecision, RestoredDecision, Store, StreamLabel, View,
};

/// Makes a test of each promise, for one kind of fixture.
macro_rules! suite {
    ($empty:path: $($part:ident { $($promise:ident),+ $(,)? })+) => {
        $(mod $part {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $promise() {
                    let (store, _kept) = $empty();
                    crate::store::conformance::$part::$promise(&store).await;
                }
            )+
        })+
    };
}

/// Makes a test of every promise, for one kind of fixture.
macro_rules! every_promise {
    ($empty:path) => {
        suite! { $empty:
            appends {
                every_expectation_admits_what_it_says,
                an_append_is_all_or_nothing,
                the_same_events_again_get_the_first_answer,
                an_event_id_with_other_content_is_a_conflict,
                events_partly_on_record_are_a_conflict,
                an_event_id_twice_in_one_append_is_a_conflict,
                a_generated_id_that_is_on_record_is_a_conflict,
                a_malformed_append_harms_nobody_else,
                what_was_given_is_what_is_read,
                the_head_is_announced,
                after_closing_writes_are_refused,
            }
            decisions {
                an_accepted_command_is_recorded_with_its_events,
                an_accepted_command_may_have_no_events,
                a_rejected_command_is_recorded_and_changes_nothing_else,
                the_same_command_again_gets_the_recorded_decision,
                a_command_id_of_another_command_is_a_conflict,
                a_new_command_cannot_have_led_to_old_events,
                a_command_decided_on_an_old_base_leaves_no_decision,
                pages_of_decisions_go_on_where_they_ended,
                the_rejections_before_a_position_are_found_whatever_was_restored,
            }
            causes {
                effects_are_those_that_looking_at_everything_finds,
                correlations_are_those_that_looking_at_everything_finds,
                the_events_of_a_restored_decision_are_found_once,
            }
            jobs {
                jobs_come_with_their_events_or_not_at_all,
                a_job_lives_through_its_statuses,
                the_first_open_job_of_a_stream_holds_back_the_others,
                jobs_are_found_by_handler_status_and_stream,
                a_crash_gives_back_what_was_under_way,
                work_can_be_asked_for_again,
                all_jobs_of_an_event_are_found,
                only_the_newest_completed_jobs_are_kept_and_all_are_counted,
            }
            keys {
                a_key_is_held_by_one_stream_of_a_category,
                a_taken_key_rejects_a_decided_append,
                keys_change_hands_with_their_events,
                the_history_of_a_key_is_kept,
                at_a_time_a_key_is_its_holders_by_their_own_times,
                of_racing_claims_one_wins,
            }
            races {
                racers_with_exact_expectations_share_the_revisions,
                racers_without_expectation_all_get_a_revision_of_their_own,
                racers_with_the_same_event_store_it_once,
                what_is_submitted_first_stands_first,
                a_view_stays_as_it_was_while_writes_go_on,
            }
            times {
                every_event_keeps_the_time_that_its_clock_said,
                a_moment_is_resolved_to_the_last_revision_not_after_it,
                any_clock_is_resolved_as_a_naive_reader_would,
                density_spans_days_and_counts_every_event,
            }
            pages {
                any_filter_finds_what_looking_at_every_event_finds,
                each_filter_alone_finds_its_events,
                a_time_range_over_many_days_is_whole,
            }
            streams {
                lists_of_streams_are_filtered_ordered_and_paged,
                a_page_of_no_streams_moves_nowhere,
                pages_by_last_event_have_every_stream_once_whatever_is_written_meanwhile,
                categories_are_counted,
                a_stream_is_read_from_anywhere_in_both_directions,
                a_reader_that_fails_says_why,
                single_events_are_found_by_their_places,
                the_nearest_snapshot_of_the_same_rules_is_found,
            }
            restore {
                decisions_are_restored_as_they_were,
                a_decision_moves_along_with_its_events,
                a_decision_without_its_events_is_refused,
                a_decision_without_events_stands_after_what_it_stood_after,
                a_decision_that_differs_is_refused,
            }
        }
    };
}

/// The logged store, which seals only what is much.
mod logged_store {
    use std::sync::Arc;

    use crate::store::Store;
    use crate::store::engine::{LoggedStore, StoreOptions};

    /// An empty store, and what must live as long as it does.
    fn empty() -> (Arc<dyn Store>, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let store = LoggedStore::open(directory.path(), StoreOptions::Durable).unwrap();
        (Arc::new(store), directory)
    }

    every_promise!(super::empty);
}

/// The logged store, which seals whatever there is as soon as it is there.
mod eagerly_sealed_store {
    use std::sync::Arc;

    use crate::store::Store;
    use crate::store::disk::{Disk, RealDisk};
    use crate::store::engine::testing::tuning;
    use crate::store::engine::{LoggedStore, NewStore, Sealing, StoreOptions, Tuning};

    fn empty() -> (Arc<dyn Store>, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let sealing = Sealing {
            events: 1,
            bytes: 1,
            behind: 10_000,
        };
        let tuning = Tuning {
            sealing,
            threads: true,
            ..tuning(1)
        };
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let how = (StoreOptions::Durable, NewStore::WhereNothingIsLeft);
        let store = LoggedStore::open_with(&disk, directory.path(), how, tuning);
        (Arc::new(store.unwrap()), directory)
    }

    every_promise!(super::empty);
}

/// One way to change a value, and what it changes.
type Change<T> = (&'static str, fn(&mut T));

fn name(stream: &str) -> StreamName {
    StreamName::new(stream).unwrap()
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

/// A fact with an id of its own.
fn fact(event_id: &str) -> NewEvent {
    let mut event = NewEvent::new("Happened", json!({ "id": event_id }));
    event.event_id = Some(event_id.to_owned());
    event
}

/// An append of facts with these ids, whatever the stream's head is.
fn facts(stream: &str, event_ids: &[&str]) -> Append {
    let events = event_ids.iter().map(|id| fact(id)).collect();
    Append::facts(name(stream), ExpectedRevision::Any, events, at(1_000))
}

fn expecting(mut append: Append, expected: ExpectedRevision) -> Append {
    append.expected = expected;
    append
}

fn exactly(revision: u64) -> ExpectedRevision {
    ExpectedRevision::Exact(Revision(revision))
}

fn command(stream: &str, command_id: &str) -> Command {
    let mut payload = Map::new();
    payload.insert("asked".to_owned(), Value::from(command_id));
    Command {
        command_id: command_id.to_owned(),
        stream: name(stream),
        command_type: "DoIt".to_owned(),
        payload,
        actor: Some("admin:eve".to_owned()),
        reason: Some("because".to_owned()),
        correlation_id: Some(format!("{command_id}/correlation")),
        causation_id: None,
        issued_at: at(5_000),
    }
}

/// An append that a command's rules accepted at this revision.
fn accepted(stream: &str, command_id: &str, base: u64, event_ids: &[&str]) -> Append {
    let mut append = expecting(facts(stream, event_ids), exactly(base));
    append.decision = Some(PendingDecision {
        command: command(stream, command_id),
        base_revision: Revision(base),
        rules_hash: "rules-1".to_owned(),
        rejection: None,
    });
    append
}

/// An append of nothing but the decision that a rule refused.
fn refused(stream: &str, command_id: &str, base: u64) -> Append {
    let mut append = accepted(stream, command_id, base, &[]);
    if let Some(decided) = &mut append.decision {
        decided.rejection = Some(Rejection::new("a.rule", "it may not be"));
    }
    append
}

fn key(value: &str) -> UniqueKey {
    UniqueKey::caseless("email", value)
}

/// A key that changes hands with the event of this index.
fn key_change(event: usize, value: &str, taken: bool) -> KeyChange {
    KeyChange {
        event,
        key: key(value),
        taken,
    }
}

async fn ok(store: &Arc<dyn Store>, append: Append) -> AppendResult {
    store.append(append).await.unwrap()
}

async fn refusal(store: &Arc<dyn Store>, append: Append) -> AppendError {
    store.append(append).await.unwrap_err()
}

fn view(store: &Arc<dyn Store>) -> Box<dyn View> {
    store.view().unwrap()
}

/// The whole log, forward.
fn all(view: &dyn View) -> Vec<Event> {
    let page = view
        .log(
            &LogFilter::default(),
            None,
            Direction::Forward,
            usize::MAX,
            u64::MAX,
        )
        .unwrap();
    assert_eq!(page.next, None);
    page.events
}

fn head(position: u64, decision: u64) -> Head {
    Head {
        position: Position(position),
        decision,
    }
}

fn label(title: &str, status: &str) -> StreamLabel {
    StreamLabel {
        title: Some(title.to_owned()),
        status: Some(status.to_owned()),
    }
}
