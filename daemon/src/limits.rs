//! Every bound of the daemon, in one place.
//!
//! Owns the numbers. A request beyond one of them is answered with a problem that names it; nothing is cut short in
//! silence.

use std::time::Duration;

/// Items of a page when the request does not say.
pub const PAGE_ITEMS_DEFAULT: usize = 100;
/// Items of a page at most (`limit=`).
pub const PAGE_ITEMS_MAX: usize = 1_000;
/// Payload bytes after which a page of events or steps ends early, with a cursor to go on from.
pub const PAGE_BYTES_MAX: usize = 8 << 20;
/// Events or streams that one request looks at to fill a page; a page may end early with a cursor to go on from.
pub const SCAN_ENTRIES_MAX: u64 = 50_000;

/// Body of a request, in bytes. An import is bounded by line instead.
pub const BODY_BYTES_MAX: usize = 8 << 20;
/// Bytes of a body beyond its bound that are read and thrown away, so that a client that is still sending sees the answer.
pub const BODY_DISCARD_BYTES_MAX: usize = 64 << 20;
/// Time for a request's headers to arrive; also how long a connection may rest between two requests.
pub const HEADER_TIMEOUT: Duration = Duration::from_mins(1);
/// Time for a request's body to arrive; for an import the time between two pieces of it.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Time to answer a request, its body included. Imports, exports and live feeds are not bounded by it.
pub const HANDLER_TIMEOUT: Duration = Duration::from_mins(1);
/// Time that requests under way get to finish when the daemon stops.
pub const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(20);

/// Open connections. Further ones wait in the system's queue.
pub const CONNECTIONS_MAX: usize = 1_024;
/// Requests worked on at a time. Further ones are answered with 503.
pub const REQUESTS_MAX: usize = 256;
/// Live feeds at a time.
pub const LIVE_FEEDS_MAX: usize = 64;
/// Exports at a time.
pub const EXPORTS_MAX: usize = 8;
/// Imports at a time.
pub const IMPORTS_MAX: usize = 2;

/// Events of one raw append.
pub const APPEND_EVENTS_MAX: usize = 1_000;
/// Bytes of one event's data or metadata.
pub const EVENT_BYTES_MAX: usize = 1 << 20;
/// Levels of objects and arrays in one event's data or metadata. What is read back, wrapped in a reply, must still be
/// within what JSON readers accept (often 128).
pub const EVENT_DEPTH_MAX: usize = 100;
/// Bytes of a command's payload.
pub const PAYLOAD_BYTES_MAX: usize = 1 << 20;
/// Bytes of an actor.
pub const ACTOR_BYTES_MAX: usize = 200;
/// Bytes of a reason.
pub const REASON_BYTES_MAX: usize = 4_096;
/// How often a command or append without an expected revision starts again because its stream has grown meanwhile.
pub const ATTEMPTS_MAX: usize = 16;

/// Recorded events that a what-if goes through.
pub const WHAT_IF_EVENTS_MAX: u64 = 10_000;
/// Bytes of those events' data.
pub const WHAT_IF_BYTES_MAX: usize = 32 << 20;
/// Edits of a what-if.
pub const WHAT_IF_EDITS_MAX: usize = 100;
/// Actions (`do`) of a what-if.
pub const WHAT_IF_ACTIONS_MAX: usize = 100;

/// Bytes of an import's line.
pub const IMPORT_LINE_BYTES_MAX: usize = 4 << 20;
/// Bytes of an import's mapping.
pub const IMPORT_MAPPING_BYTES_MAX: usize = 1 << 20;
/// Records of an import whose commit is awaited at a time.
pub const IMPORT_IN_FLIGHT_MAX: usize = 256;
/// Bytes of those records.
pub const IMPORT_IN_FLIGHT_BYTES_MAX: usize = 16 << 20;
/// Bad records that an import's report names.
pub const IMPORT_ERRORS_MAX: usize = 100;

/// Parts of a density's time axis when the request does not say.
pub const DENSITY_BUCKETS_DEFAULT: usize = 100;
/// Parts of a density's time axis at most.
pub const DENSITY_BUCKETS_MAX: usize = 1_000;

/// Events that a live feed reads at a time.
pub const LIVE_BATCH: usize = 256;
/// Time between two heads of an idle live feed.
pub const LIVE_HEARTBEAT: Duration = Duration::from_secs(10);

/// Snapshots waiting to be saved. Further ones are not saved now but by a later read.
pub const SNAPSHOTS_QUEUED_MAX: usize = 1_024;

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
