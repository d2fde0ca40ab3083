//! The daemon in process: its API by way of the router, and by way of real sockets where sockets are the point.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, helpers of tests too"
)]
#![expect(
    clippy::too_many_lines,
    clippy::format_collect,
    clippy::format_push_string,
    reason = "tables of cases are long, and a test may build its text the plain way"
)]

mod backfill;
mod backtest;
mod backup;
mod blame_paths;
mod branches;
mod branches_oracle;
mod browse;
mod bundle;
mod causes;
mod doors;
mod field_index;
mod find;
mod find_oracle;
mod forms;
mod hygiene;
mod import;
mod inevitable;
mod investigate;
mod limits;
mod live;
mod models;
mod name_lists;
mod names;
mod notes;
mod openapi;
mod origins;
mod outbox;
mod partial;
mod program;
mod projections;
#[path = "../../../core/tests/query/log.rs"]
mod query_log;
#[path = "../../../core/tests/query/terms.rs"]
mod query_terms;
mod races;
mod raw_events;
mod read_models;
mod redacted;
mod redecide;
mod restore;
mod secrets;
#[path = "../../../tests/shared/seeded.rs"]
mod seeded;
mod state_paths;
mod store_failures;
mod support;
mod times;
mod transfer;
mod transfer_refusals;
mod travel;
mod values;
mod verify;
mod what_if;
mod what_if_base;
mod what_if_oracle;
mod what_if_refusals;
mod whole_files;
mod why;
mod world;
mod write;
