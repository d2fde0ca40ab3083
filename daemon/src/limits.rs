//! Limits: every bound of the daemon, in one place.
//!
//! Owns the numbers. A request beyond one of them is answered with a problem that names it; nothing is truncated
//! silently.

use std::time::Duration;

pub use whodunit_core::admission::{
    ACTOR_BYTES_MAX, APPEND_AHEAD_MAX, EVENT_BYTES_MAX, EVENT_DEPTH_MAX, PAYLOAD_BYTES_MAX,
    REASON_BYTES_MAX,
};

pub use whodunit_core::branch::{
    BRANCH_BYTES_MAX, BRANCH_LAYERS_MAX, BRANCH_NAME_BYTES_MAX, BRANCH_NOTE_BYTES_MAX,
};
pub use whodunit_core::causes::{CHAIN_MAX as CAUSES_CHAIN_MAX, NODES_MAX as CAUSES_NODES_MAX};
pub use whodunit_core::note::NOTE_TEXT_BYTES_MAX;
pub use whodunit_core::redecide::ASKED_MAX as REDECIDE_ASKED_MAX;
pub use whodunit_core::redecide::BACKTEST_REACHED_MAX as BACKTEST_STREAMS_MAX;
pub use whodunit_core::redecide::LOOKED_AT_MAX as REDECIDE_LOOKED_AT_MAX;
pub use whodunit_core::redecide::REACHED_MAX as REDECIDE_STREAMS_MAX;
pub use whodunit_core::redecide::STATES_WEIGHT_MAX as REDECIDE_STATES_WEIGHT_MAX;
pub use whodunit_core::weight::{DIFF_WEIGHT_MAX, STATE_WEIGHT_MAX};
pub use whodunit_core::what_if::STEPS_BYTES_MAX as WHAT_IF_STEPS_BYTES_MAX;

/// Items of a page when the request does not say.
pub const PAGE_ITEMS_DEFAULT: usize = 100;
/// Items of a page at most (`limit=`).
pub const PAGE_ITEMS_MAX: usize = 1_000;
/// Payload bytes after which a page of events or steps ends early, with a cursor to continue from.
pub const PAGE_BYTES_MAX: usize = 8 << 20;
/// Events or streams that one request reads to fill a page; a page may end early with a cursor to continue from.
pub const SCAN_ENTRIES_MAX: u64 = 50_000;
/// Streams or documents that may change between the first and a later page of a list ordered by their last event. Beyond
/// them the list must be begun again.
pub const MOVED_MAX: usize = 50_000;

/// Body of a request, in bytes. An import is bounded by line instead.
pub const BODY_BYTES_MAX: usize = 8 << 20;
/// Bytes of a body, or of a line of an import, from which on it is read where that holds up no other request.
pub const READ_ASIDE_FROM_BYTES: usize = 64 << 10;
/// Bytes of a refused body that are read and thrown away, so that a client that is still sending sees the answer.
pub const BODY_DISCARD_BYTES_MAX: usize = 64 << 20;
/// Time for that.
pub const BODY_DISCARD_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of bodies that are held at a time, beyond the first [`BODY_UNCOUNTED_BYTES`] of each.
pub const BODIES_BYTES_MAX: usize = 128 << 20;
/// Bytes of each body that are not counted: small requests get through whatever large ones are under way.
pub const BODY_UNCOUNTED_BYTES: usize = 64 << 10;
/// Bytes of a request's head (its first line and headers).
pub const HEAD_BYTES_MAX: usize = 64 << 10;
/// Bytes of a request's path and query.
pub const URI_BYTES_MAX: usize = 16 << 10;
/// Time for a request's headers to arrive; also how long a connection may rest between two requests.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// Time for a request's body to arrive; for an import the time between two pieces of it.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes that a body must bring each second, on average.
pub const BODY_BYTES_PER_SECOND_MIN: usize = 1 << 10;
/// Time before that is asked of it.
pub const BODY_GRACE: Duration = Duration::from_secs(5);
/// Time in which a client must take at least a part of an answer that waits for it; else the connection is closed.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// Time to answer a request, its body included. Imports, exports and live feeds are not bounded by it.
pub const HANDLER_TIMEOUT: Duration = Duration::from_mins(1);
/// Time that requests under way get to finish when the daemon stops.
pub const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(20);

/// Open connections. For a further one the connection is closed that has rested longest.
pub const CONNECTIONS_MAX: usize = 1_024;
/// Requests worked on at a time. Further ones are answered with 503.
pub const REQUESTS_MAX: usize = 256;
/// Requests' blocking reads that run at a time, for each processor. Further ones wait.
pub const READS_PER_PROCESSOR: usize = 4;
/// Heavy work (states, steps, differences, what-ifs) that runs at a time: as many as there are processors, at most this:
/// each may hold several copies of a large state.
pub const HEAVY_AT_A_TIME_MAX: usize = 2;
/// Heavy work that waits for its turn. More is answered with 503.
pub const HEAVY_QUEUE_MAX: usize = 64;
/// Weight in memory of the steps of a page, after which it ends early, with a cursor to continue from.
pub const STEPS_WEIGHT_MAX: usize = 32 << 20;
/// Bytes of one reply. A larger one is refused.
pub const REPLY_BYTES_MAX: usize = 64 << 20;
/// Bytes of large replies that wait for their clients to take them. Further ones are answered with 503.
pub const REPLIES_BYTES_MAX: usize = 192 << 20;
/// Live feeds at a time.
pub const LIVE_FEEDS_MAX: usize = 64;
/// Back-tests, and other computations over many decisions, at a time.
pub const BACKTESTS_MAX: usize = 1;
/// Parts of a history that are re-folded for a minimal one.
pub const MINIMAL_EVENTS_TESTS_MAX: u64 = 10_000;
/// Times that the log is decided again for a minimal one.
pub const MINIMAL_COMMANDS_TESTS_MAX: u64 = 5_000;
/// Fields of an undo plan.
pub const UNDO_FIELDS_MAX: usize = 20;
/// Bisects over categories or the log at a time.
pub const BISECTS_MAX: usize = 4;
/// Searches that answer line by line at a time.
pub const FINDS_MAX: usize = 8;
/// Time after which a page of what a query line finds ends early, with a cursor to continue from.
pub const FIND_PAGE_TIME: Duration = Duration::from_secs(2);
/// Events of a stream or a correlation that are checked for one term about the events around another.
pub const FIND_AROUND_MAX: u64 = 10_000;
/// Streams that a search reads one beside the other where the index of field values names them; with more, the log is read.
pub const FIND_HOLDERS_MAX: usize = 256;
/// Events behind the index of field values that a search looks through for streams that it does not know yet.
pub const FIND_BEHIND_MAX: u64 = 20_000;
/// Fields whose values are indexed.
pub const INDEXED_FIELDS_MAX: usize = 32;
/// Values of a field that are kept for a stream; one with more counts as having had any.
pub const INDEXED_VALUES_MAX: usize = 64;
/// Time for the figures of what a query line finds. Beyond it they are of the newest events only, and say so.
pub const SUMMARY_TIME: Duration = Duration::from_secs(5);
/// Values of a field that those figures keep apart.
pub const FACET_VALUES_MAX: usize = 100_000;
/// Events that those figures count.
pub const SUMMARY_EVENTS_MAX: u64 = 5_000_000;
/// Values of a field that are named: default and most (`top=`).
pub const FACET_VALUES_DEFAULT: usize = 10;
/// Values of a field that are named at most.
pub const FACET_VALUES_NAMED_MAX: usize = 1_000;
/// Newest events among which correlation ids are looked for by their beginning.
pub const NAMES_LOOKED_AT: u64 = 10_000;
/// Streams, those that changed last, in whose states the names of fields are looked for.
pub const FIELD_NAMES_STREAMS: usize = 64;
/// Newest events in which they are looked for.
pub const FIELD_NAMES_EVENTS: usize = 500;
/// Time after which no further state is folded for them.
pub const FIELD_NAMES_TIME: Duration = Duration::from_millis(250);
/// Names that are compared with one that is not known, to say which one was meant.
pub const NAMES_COMPARED_MAX: usize = 10_000;
/// Time for each half of a comparison of a selection with the rest: finding it, and looking at the rest.
pub const DIFFERS_TIME: Duration = Duration::from_secs(8);
/// Streams of a selection that are compared with the rest.
pub const DIFFERS_STREAMS_MAX: usize = 20_000;
/// Streams or events that are looked at for a comparison.
pub const DIFFERS_EVENTS_MAX: u64 = 200_000;
/// Differences that are told: default and most (`limit=`).
pub const DIFFERENCES_DEFAULT: usize = 20;
/// Differences that are listed at most.
pub const DIFFERENCES_MAX: usize = 1_000;
/// Notes of a store.
pub const NOTES_MAX: usize = 10_000;
/// Bytes of their file.
pub const NOTES_FILE_BYTES_MAX: u64 = 256 << 20;
/// Events of an incident file, and decisions. A stream that does not fit is left out, and said.
pub const BUNDLE_EVENTS_MAX: usize = 20_000;
/// Bytes of the events of an incident file.
pub const BUNDLE_BYTES_MAX: usize = 16 << 20;
/// Streams of an incident file.
pub const BUNDLE_STREAMS_MAX: usize = 500;
/// Branches of an incident file.
pub const BUNDLE_BRANCHES_MAX: usize = 20;
/// Events of the chain of causes and effects whose changes an incident file tells one by one.
pub const BUNDLE_CHANGES_MAX: usize = 100;
/// Exports at a time.
pub const EXPORTS_MAX: usize = 8;
/// Backups at a time. Each keeps the pages of its moment from being used again until it ends.
pub const BACKUPS_MAX: usize = 2;
/// Imports at a time.
pub const IMPORTS_MAX: usize = 2;

/// Writes that share one durable commit.
pub const GROUP_REQUESTS_MAX: usize = 512;
/// Bytes of the writes that share one durable commit: the write that reaches them is the group's last. Bounds what a commit
/// holds in memory, and how long those behind it wait.
pub const GROUP_BYTES_MAX: usize = 8 << 20;
/// Findings of one code that a verification keeps; it counts them all.
pub const FINDINGS_OF_A_CODE_MAX: usize = 50;
/// Memory for what a verification has read of sealed segments, in bytes.
pub const VERIFY_CACHE_BYTES: usize = 32 << 20;
/// How many verifications run at a time.
pub const VERIFICATIONS_MAX: usize = 1;
/// Memory for what was read of sealed segments and may be asked for again, in bytes.
pub const SEALED_CACHE_BYTES: usize = 64 << 20;
/// Bytes of disk that a store keeps in reserve, so that it stops to take writes before one fails for want of room.
pub const RESERVE_BYTES: u64 = 64 << 20;

/// Events of one raw append.
pub const APPEND_EVENTS_MAX: usize = 1_000;
/// How often a command or append without an expected revision starts again because its stream has grown meanwhile.
pub const ATTEMPTS_MAX: usize = 16;

/// Passwords that are hashed at a time: as many as there are processors, at most this. Each takes its memory (19 MiB),
/// which is kept for the next one.
pub const HASHES_AT_A_TIME_MAX: usize = 2;
/// Memory of a stored hash that is verified, in KiB. A hash that takes more is an error, not a wrong password.
pub const HASH_MEMORY_KIB_MAX: u32 = 64 << 10;
/// Memory times passes of a stored hash that is verified, in KiB.
pub const HASH_WORK_KIB_MAX: u32 = 1 << 20;

/// Events out of order by time that are looked at for a warning. Beyond them the warning says that it counted no further.
pub const LATE_EVENTS_MAX: u64 = 100_000;

/// Streams that an answer on a correlation names; all are counted.
pub const CORRELATION_STREAMS_MAX: usize = 1_000;
/// Streams of a correlation that are compared when the request does not say.
pub const IMPACTS_DEFAULT: usize = 20;
/// Streams of a correlation that are compared at most, for one page.
pub const IMPACTS_MAX: usize = 100;

/// Refused commands of a stream, the newest first, among which attempts to change a field are looked for.
pub const REFUSALS_MAX: usize = 2_000;
/// Bytes of their payloads.
pub const REFUSALS_BYTES_MAX: usize = 8 << 20;

/// Recorded events that a what-if goes through.
pub const WHAT_IF_EVENTS_MAX: u64 = 10_000;
/// Bytes of those events' data.
pub const WHAT_IF_BYTES_MAX: usize = 32 << 20;
/// Edits of a what-if.
pub const WHAT_IF_EDITS_MAX: usize = 100;
/// Actions (`do`) of a what-if.
pub const WHAT_IF_ACTIONS_MAX: usize = 100;

/// Branches of a store.
pub const BRANCHES_MAX: usize = 500;
/// Bytes of their file.
pub const BRANCHES_FILE_BYTES_MAX: u64 = 256 << 20;
/// Bytes of what differs in a branch: the events and decisions that are not on record.
pub const BRANCH_WEIGHT_MAX: usize = 64 << 20;
/// Events of all streams that differ in a branch, from the first one on that may differ.
pub const BRANCH_SLOTS_MAX: u64 = 2_000_000;
/// Bytes of the worlds of branches that are kept after they were computed.
pub const BRANCHES_CACHE_WEIGHT_MAX: usize = 128 << 20;
/// Commands of a comparison of two worlds that are named.
pub const BRANCH_FLIPS_MAX: usize = 100;

/// Bytes of an import's line.
pub const IMPORT_LINE_BYTES_MAX: usize = 4 << 20;
/// Bytes of an import's mapping.
pub const IMPORT_MAPPING_BYTES_MAX: usize = 1 << 20;
/// Bytes of records that come before their mapping; they wait for it in a temporary file.
pub const IMPORT_SPOOL_BYTES_MAX: u64 = 1 << 30;
/// Events that a dry run shows.
pub const IMPORT_PREVIEW_EVENTS: usize = 5;
/// Streams that a dry run keeps apart. Further ones are taken for new ones each time.
pub const IMPORT_PREVIEW_STREAMS_MAX: usize = 100_000;
/// Ids that a dry run remembers, to tell what a file has twice. Further ones are taken for new ones each time.
pub const IMPORT_PREVIEW_IDS_MAX: usize = 1_000_000;
/// States at the heads of streams that are kept for the next command.
pub const HEAD_STATES_KEPT: usize = 1_024;
/// Weight in memory up to which one is kept.
pub const HEAD_STATE_WEIGHT_MAX: usize = 16 << 10;
/// Records of an import that share a commit. While they are committed, as many are read.
pub const IMPORT_IN_FLIGHT_MAX: usize = 1_024;
/// Bytes of those records.
pub const IMPORT_IN_FLIGHT_BYTES_MAX: usize = 4 << 20;
/// Different reasons for bad records that an import's report names.
pub const IMPORT_ERRORS_MAX: usize = 100;
/// Lines that an import's report names for each of them.
pub const IMPORT_ERROR_LINES_MAX: usize = 10;
/// Streams that an import's report names for each thing it tells of them.
pub const IMPORT_STREAMS_NAMED_MAX: usize = 20;
/// Streams that it counts for each such thing.
pub const IMPORT_STREAMS_COUNTED_MAX: usize = 10_000;
/// Fields of records that no rule uses and that an import's report names.
pub const IMPORT_FIELDS_NAMED_MAX: usize = 20;
/// Such fields that it counts.
pub const IMPORT_FIELDS_COUNTED_MAX: usize = 1_000;
/// Events whose ids an import keeps to place decisions of exports that do not name them.
pub const IMPORT_EVENTS_REMEMBERED: usize = 10_000;

/// Parts of a density's time axis when the request does not say.
pub const DENSITY_BUCKETS_DEFAULT: usize = 100;
/// Parts of a density's time axis at most.
pub const DENSITY_BUCKETS_MAX: usize = 1_000;

/// Events that a live feed reads at a time.
pub const LIVE_BATCH: usize = 256;
/// Bytes of payloads after which a feed or an export reads no more before those were sent.
pub const BATCH_BYTES_MAX: usize = 1 << 20;
/// Bytes of a request's id (`x-request-id`).
pub const REQUEST_ID_BYTES_MAX: usize = 128;
/// Time after which a client of a live feed that lost its connection comes back (`retry:`).
pub const LIVE_RETRY: Duration = Duration::from_secs(2);
/// Answers of fewer bytes are not compressed.
pub const COMPRESSED_BYTES_MIN: u16 = 1_024;
/// Time between two heads of an idle live feed.
pub const LIVE_HEARTBEAT: Duration = Duration::from_secs(10);

/// Snapshots waiting to be saved. Further ones are not saved now but by a later read.
pub const SNAPSHOTS_QUEUED_MAX: usize = 1_024;

/// Completed jobs that the outbox keeps for each handler; older ones are pruned, and stay counted. Failed ones are never
/// pruned.
pub const OUTBOX_COMPLETED_KEPT: u64 = 10_000;
/// Jobs of one handler that are worked on at a time.
pub const OUTBOX_JOBS_AT_A_TIME: usize = 16;
/// Time that one attempt at a job may take: more than a handler allows itself, whose own words say better what was slow.
pub const JOB_TIMEOUT: Duration = Duration::from_secs(90);
/// Characters of a failed attempt's error that are kept.
pub const JOB_ERROR_CHARS_MAX: usize = 1_000;
/// Jobs that a worker looks at in one read.
pub const OUTBOX_SCAN_JOBS: usize = 256;
/// Jobs of one handler that wait for their next attempt, after which its worker takes no new ones until some of them ended.
pub const OUTBOX_WAITING_MAX: usize = 100_000;
/// Wake-ups queued for a worker.
pub const OUTBOX_WAKE_UPS_MAX: usize = 1_024;
/// Failed jobs that are made pending in one transaction.
pub const OUTBOX_RETRY_BATCH: usize = 1_000;
/// Pause before the outbox tries again what the store refused.
pub const OUTBOX_PAUSE: Duration = Duration::from_millis(500);
/// Time that attempts under way get to finish when the daemon stops.
pub const OUTBOX_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);

/// Events that a backfill reads at a time.
pub const BACKFILL_PAGE_EVENTS: usize = 1_000;
/// Backfills that are listed after they have ended.
pub const BACKFILLS_KEPT: usize = 20;
/// Bytes of the pipeline's configuration file.
pub const PIPELINE_CONFIG_BYTES_MAX: u64 = 1 << 20;
/// Webhooks of a daemon.
pub const WEBHOOKS_MAX: usize = 64;
/// Event patterns of a webhook, and entries of the webhooks' allow-list.
pub const WEBHOOK_LIST_MAX: usize = 256;
/// Time for one attempt at a mail when the configuration does not say.
pub const MAIL_TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);
/// Time for one attempt at a webhook when the configuration does not say.
pub const WEBHOOK_TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);
/// Time for one attempt at a mail or webhook at most.
pub const ATTEMPT_TIMEOUT_SECONDS_MAX: u64 = 60;
/// Time to connect to one of the addresses of a name, before the next one is tried.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Addresses of a name that are looked at.
pub const ADDRESSES_MAX: usize = 16;
/// Bytes of a webhook's body.
pub const WEBHOOK_BODY_BYTES_MAX: usize = 8 << 20;
/// Bytes of a webhook's answer that are read, when it is not a success.
pub const WEBHOOK_ANSWER_BYTES_MAX: usize = 4 << 10;
/// Characters of a server's answer that a failed attempt's error quotes.
pub const ANSWER_CHARS_MAX: usize = 300;
/// Characters of a person's name that a mail says.
pub const MAIL_NAME_CHARS_MAX: usize = 60;

/// Memory for pages of one read model, in bytes.
pub const READ_MODEL_CACHE_BYTES: usize = 64 << 20;
/// Bytes that must find room beside a read model's file before it is opened again after a failed write.
pub const READ_MODEL_ROOM_BYTES: usize = 1 << 20;
/// Events that a projection reads from the log at a time, at most.
pub const PROJECTION_PAGE_EVENTS: usize = 1_024;
/// Bytes of those events that it aims at.
pub const PROJECTION_PAGE_BYTES: usize = 1 << 20;
/// Events of a projection's transaction.
pub const PROJECTION_BATCH_EVENTS: usize = 4_096;
/// Bytes of those events and of the documents they concern, after which a transaction ends early.
pub const PROJECTION_BATCH_BYTES: usize = 16 << 20;
/// Events of a rebuild's transaction.
pub const PROJECTION_REBUILD_EVENTS: usize = 100_000;
/// Bytes of those events and of the documents they concern, after which a rebuild's transaction ends early.
pub const PROJECTION_REBUILD_BYTES: usize = 64 << 20;
/// Events that a new read model catches up on by following the log; beyond them it is built beside an empty one.
pub const PROJECTION_FOLLOW_MAX: u64 = 50_000;
/// Time after which what a projection has applied survives a power cut. What is lost is applied again.
pub const PROJECTION_DURABLE_EVERY: Duration = Duration::from_secs(1);
/// Pause after a projection's first failure; doubled after each further one in a row.
pub const PROJECTION_RETRY_FIRST: Duration = Duration::from_millis(100);
/// Pause between a projection's failures at most.
pub const PROJECTION_RETRY_LAST: Duration = Duration::from_secs(10);
/// Time without progress after which a projection that is behind is called stalled.
pub const PROJECTION_STALLED_AFTER: Duration = Duration::from_secs(5);
/// Pause of what follows the log's head after each look at it: what is appended meanwhile is looked at together.
pub const FOLLOW_PAUSE: Duration = Duration::from_millis(5);
/// Time for which an import holds projections back after it has handed records to the store. They catch up when it ends or pauses.
pub const IMPORT_HOLD: Duration = Duration::from_millis(500);
/// Commands queued for a projection's thread.
pub const PROJECTION_COMMANDS_MAX: usize = 64;
/// Documents re-folded in one transaction by a backfill.
pub const REFOLD_STREAMS_MAX: usize = 1_000;

/// Entries of the apply log that a consistency check holds in memory; those of one stream are held together.
pub const CHECK_ENTRIES: u64 = 1_000_000;
/// Streams that a consistency check goes through at a time.
pub const CHECK_STREAMS: usize = 100_000;
/// Findings that a consistency check names.
pub const CHECK_FINDINGS_MAX: usize = 1_000;

/// Conditions `filter=` of a query.
pub const QUERY_FILTERS_MAX: usize = 16;
/// Milliseconds that a query waits for `min_position=` when it does not say.
pub const WAIT_MS_DEFAULT: u64 = 5_000;
/// Milliseconds that a query waits for `min_position=` at most (`wait_ms=`).
pub const WAIT_MS_MAX: u64 = 30_000;
