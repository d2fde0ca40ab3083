//! Read models as they are kept: files of the embedded engine, apart from the event store.
//!
//! Owns everything of the projections that knows the engine; the rest speaks of documents, checkpoints and read views. A read
//! model is derived data: it can be thrown away and made again from the log.

pub(crate) mod apply;
pub(crate) mod file;
pub(crate) mod index;
mod moved;
pub(crate) mod query;
mod read_view;
pub(crate) mod record;

pub(crate) use apply::{Bounds, Rules, advance, anchor_event, refold};
pub(crate) use file::{CheckpointMeta, Durable, ReadModel, Unusable};
pub(crate) use read_view::ReadView;
pub(crate) use record::Document;
