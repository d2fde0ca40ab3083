//! Every table of the store's file, with its keys and values. `docs/STORE_FORMAT.md` says the same byte by byte.
//!
//! `SEGMENTS` and `SEGMENT_CHUNKS` are the log; every other table is an index that could be made again from them, except
//! `SNAPSHOTS`, which is derived by the time-travel layer, `META`, and the outbox (`JOBS` and what begins with `JOB`).

use redb::TableDefinition;
use whodunit_core::api::pipeline::JobStatus;

/// Format number of the file. A file of another number is refused.
pub(crate) const FORMAT: u32 = 10;

/// `format` → [`FORMAT`] as four bytes, little endian.
pub(super) const META: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("meta");
/// Stream name → stream number, from 1. Also the list of streams by name.
pub(super) const STREAM_NUMBERS: TableDefinition<'static, &str, u64> =
    TableDefinition::new("stream_numbers");
/// Stream number → stream record.
pub(super) const STREAMS: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("streams");
/// Segment number, from 1 → the frame of its manifest.
pub(super) const SEGMENTS: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("segments");
/// (Segment number, chunk) → bytes of its other parts.
pub(super) const SEGMENT_CHUNKS: TableDefinition<'static, (u64, u64), &[u8]> =
    TableDefinition::new("segment_chunks");
/// (First position, segment number).
pub(super) const SEGMENTS_BY_POSITION: TableDefinition<'static, (u64, u64), ()> =
    TableDefinition::new("segments_by_position");
/// (First sequence, segment number).
pub(super) const SEGMENTS_BY_DECISION: TableDefinition<'static, (u64, u64), ()> =
    TableDefinition::new("segments_by_decision");
/// (Stream number, first revision) → runs of a stream.
pub(super) const RUNS: TableDefinition<'static, (u64, u64), &[u8]> = TableDefinition::new("runs");
/// Hash of an event id and position.
pub(super) const EVENT_HASHES: TableDefinition<'static, &[u8; 12], ()> =
    TableDefinition::new("event_hashes");
/// Hash of a command id and sequence of its decision.
pub(super) const COMMAND_HASHES: TableDefinition<'static, &[u8; 12], ()> =
    TableDefinition::new("command_hashes");
/// (Field, word, segment number) → how many of the segment's events have that word.
pub(super) const WORDS: TableDefinition<'static, (u8, &str, u64), u64> =
    TableDefinition::new("words");
/// Hash of an event's correlation id and its position.
pub(super) const EVENT_CORRELATIONS: TableDefinition<'static, &[u8; 12], ()> =
    TableDefinition::new("event_correlations");
/// Hash of an event's causation id and its position, of events that were not written with the decision on that command.
pub(super) const EVENT_CAUSES: TableDefinition<'static, &[u8; 12], ()> =
    TableDefinition::new("event_causes");
/// Hash of a decision's correlation id and its sequence.
pub(super) const DECISION_CORRELATIONS: TableDefinition<'static, &[u8; 12], ()> =
    TableDefinition::new("decision_correlations");
/// Hash of a decision's causation id and its sequence.
pub(super) const DECISION_CAUSES: TableDefinition<'static, &[u8; 12], ()> =
    TableDefinition::new("decision_causes");
/// Sequence of a rejection → the furthest place of any up to it.
pub(super) const REJECTIONS: TableDefinition<'static, u64, u64> =
    TableDefinition::new("rejections");
/// (Stream number, revision) → `recorded_at` in microseconds, of the events that are earlier than their effective time: where
/// the stream's clock went back.
pub(super) const LATE_EVENTS: TableDefinition<'static, (u64, u64), i64> =
    TableDefinition::new("late_events");
/// Position of a stream's last event → stream number.
pub(super) const STREAMS_BY_LAST: TableDefinition<'static, u64, u64> =
    TableDefinition::new("streams_by_last");
/// Category → (streams, events).
pub(super) const CATEGORIES: TableDefinition<'static, &str, (u64, u64)> =
    TableDefinition::new("categories");
/// (Stream name, decision sequence) → whether it was rejected. By name: a stream may have decisions and no event.
pub(super) const STREAM_DECISIONS: TableDefinition<'static, (&str, u64), bool> =
    TableDefinition::new("stream_decisions");
/// Category, key name, key value, position it is held since.
pub(super) type HoldKey = (&'static str, &'static str, &'static str, u64);
/// Holder, position it was given up at, effective time it is held since, effective time it was given up at.
pub(super) type Hold = (&'static str, u64, i64, i64);
/// (Category, key name, key value, position it is held since) → (holder, position it was given up at; 0 while held,
/// effective time it is held since, effective time it was given up at; 0 while held).
pub(super) const KEYS: TableDefinition<'static, HoldKey, Hold> = TableDefinition::new("keys");
/// (Stream number, rules hash, revision) → encoded state.
pub(super) const SNAPSHOTS: TableDefinition<'static, (u64, &str, u64), &[u8]> =
    TableDefinition::new("snapshots");

/// Job id → job record.
pub(super) const JOBS: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("jobs");
/// (Handler, status, job id).
pub(super) const JOBS_BY_HANDLER: TableDefinition<'static, (&str, u8, u64), ()> =
    TableDefinition::new("jobs_by_handler");
/// (Stream name, job id).
pub(super) const JOBS_BY_STREAM: TableDefinition<'static, (&str, u64), ()> =
    TableDefinition::new("jobs_by_stream");
/// (Handler, stream name, job id) of jobs that are not completed: the first of a handler and stream may be worked on.
pub(super) const JOBS_OPEN: TableDefinition<'static, (&str, &str, u64), ()> =
    TableDefinition::new("jobs_open");
/// (Position, job id).
pub(super) const JOBS_BY_EVENT: TableDefinition<'static, (u64, u64), ()> =
    TableDefinition::new("jobs_by_event");
/// (Handler, status or [`PRUNED`]) → how many.
pub(super) const JOB_COUNTS: TableDefinition<'static, (&str, u8), u64> =
    TableDefinition::new("job_counts");
/// Table → how many entries were put into it and not taken out, and the sum of their hashes.
pub(super) const ENTRY_COUNTS: TableDefinition<'static, &str, (u64, u128)> =
    TableDefinition::new("entry_counts");

/// Stands for a status where completed jobs that were pruned are counted.
pub(super) const PRUNED: u8 = 255;

/// A status as it is stored.
pub(super) fn status_code(status: JobStatus) -> u8 {
    match status {
        JobStatus::Pending => 0,
        JobStatus::Processing => 1,
        JobStatus::Completed => 2,
        JobStatus::Failed => 3,
    }
}

/// The status of a code.
pub(super) fn status_of(code: u8) -> Option<JobStatus> {
    JobStatus::ALL
        .into_iter()
        .find(|status| status_code(*status) == code)
}

/// Opens every table once, which makes those that are absent.
pub(super) fn open_all(txn: &redb::WriteTransaction) -> Result<(), redb::TableError> {
    txn.open_table(STREAM_NUMBERS)?;
    txn.open_table(STREAMS)?;
    txn.open_table(SEGMENTS)?;
    txn.open_table(SEGMENT_CHUNKS)?;
    txn.open_table(SEGMENTS_BY_POSITION)?;
    txn.open_table(SEGMENTS_BY_DECISION)?;
    txn.open_table(RUNS)?;
    txn.open_table(EVENT_HASHES)?;
    txn.open_table(COMMAND_HASHES)?;
    txn.open_table(WORDS)?;
    txn.open_table(EVENT_CORRELATIONS)?;
    txn.open_table(EVENT_CAUSES)?;
    txn.open_table(DECISION_CORRELATIONS)?;
    txn.open_table(DECISION_CAUSES)?;
    txn.open_table(REJECTIONS)?;
    txn.open_table(LATE_EVENTS)?;
    txn.open_table(STREAMS_BY_LAST)?;
    txn.open_table(CATEGORIES)?;
    txn.open_table(STREAM_DECISIONS)?;
    txn.open_table(KEYS)?;
    txn.open_table(SNAPSHOTS)?;
    txn.open_table(JOBS)?;
    txn.open_table(JOBS_BY_HANDLER)?;
    txn.open_table(JOBS_BY_STREAM)?;
    txn.open_table(JOBS_OPEN)?;
    txn.open_table(JOBS_BY_EVENT)?;
    txn.open_table(JOB_COUNTS)?;
    txn.open_table(ENTRY_COUNTS)?;
    Ok(())
}
