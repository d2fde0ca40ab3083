//! Looking values up in the index of fields.
//!
//! Owns when the index may be used: only one that was made by the fields and rules of now, and its answer says up to which
//! position it is good.

use std::collections::BTreeSet;

use whodunit_core::ids::Position;
use whodunit_core::predicate::Demand;

use super::error::{ProjectionError, RequestError};
use super::field_index::{FIELD_INDEX, IndexedField, places_of};
use super::{ProjectionRunner, Projections};

/// Streams that had a value, as far as the log was at a position.
#[derive(Debug)]
pub(crate) struct Holders {
    /// Which of the demands it is that names the fewest.
    pub(crate) demand: usize,
    /// The streams, by name.
    pub(crate) streams: BTreeSet<String>,
    /// The last position that the index reflects: streams that got the value later are not among them.
    pub(crate) checkpoint: Position,
}

/// What the index says.
#[derive(Debug)]
pub(crate) enum Looked {
    /// The streams of the demand that names the fewest.
    Holders(Holders),
    /// Each demand names more streams than were asked for.
    TooMany,
    /// It cannot answer: why, as a clause.
    Not(String),
}

impl Projections {
    /// The fields whose values are indexed.
    pub(crate) fn indexed_fields(&self) -> &[IndexedField] {
        &self.indexed
    }

    /// The streams that had a value that is demanded: of the demand that names the fewest, at most `max`. Blocking.
    pub(crate) fn holders(&self, demands: &[Demand], max: usize) -> Looked {
        let runner = match self.answering(FIELD_INDEX) {
            Ok(runner) => runner,
            Err(RequestError::NotBuilt(_)) => return Looked::Not("it is being built".to_owned()),
            Err(error) => return Looked::Not(error.to_string()),
        };
        look(&runner, demands, max).unwrap_or_else(|error| Looked::Not(error.to_string()))
    }
}

fn look(
    runner: &ProjectionRunner,
    demands: &[Demand],
    max: usize,
) -> Result<Looked, ProjectionError> {
    runner.read(|read_view| {
        let meta = &read_view.meta;
        if meta.rules != runner.rules.hash || !meta.indexed {
            return Ok(Looked::Not("it is being built".to_owned()));
        }
        let mut fewest: Option<(usize, BTreeSet<String>)> = None;
        for (index, demand) in demands.iter().enumerate() {
            let most = fewest.as_ref().map_or(max, |(_, streams)| streams.len());
            let places = places_of(&demand.field, demand.words.iter());
            if let Some(streams) = read_view.placed(&places, most)? {
                fewest = Some((index, streams));
            }
        }
        Ok(match fewest {
            Some((demand, streams)) => Looked::Holders(Holders {
                demand,
                streams,
                checkpoint: meta.checkpoint,
            }),
            None => Looked::TooMany,
        })
    })
}
