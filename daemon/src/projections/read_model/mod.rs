//! Read models as they are kept: files of the embedded engine, apart from the event store.
//!
//! Owns everything of the projections that knows the engine; the rest speaks of documents, checkpoints and pictures. A read
//! model is derived data: it can be thrown away and made again from the log.

pub(crate) mod apply;
pub(crate) mod file;
pub(crate) mod index;
mod picture;
pub(crate) mod query;
pub(crate) mod record;

pub(crate) use apply::{Bounds, Rules, advance, proof, rederive};
pub(crate) use file::{Durable, ReadModel, Stamp, Unusable};
pub(crate) use picture::Picture;
pub(crate) use record::Document;
