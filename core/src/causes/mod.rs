//! Causes: which event or command led to which, as chains and trees.
//!
//! Owns the walks. A record names at most one cause, by its id: a command's or an event's; where both have the id, the
//! command is taken. So what a record led to is a tree, unless its causes lead back to it. What does not fit is a finding and
//! stops nothing: causes that are not on record, cycles, effects before their causes. Reads records through a trait, and keeps
//! of each what a reader needs to follow it, never a payload.

mod correlation;
mod findings;
mod tree;

pub use self::correlation::{Correlation, correlation, streams};
pub use self::findings::{FINDINGS_MAX, Findings};
pub use self::tree::{Chain, Tree, chain, tree};

use crate::api::causes::CauseNode;

/// Nodes of a tree, or members of a correlation, that are looked at.
pub const NODES_MAX: usize = 20_000;

/// Causes of a chain that are followed.
pub const CHAIN_MAX: usize = 1_000;

/// Records by ids and by the ids that they name, at one moment of a log.
pub trait Records {
    /// Why something could not be read.
    type Error;

    /// The command of this id.
    fn command(&mut self, id: &str) -> Result<Option<CauseNode>, Self::Error>;

    /// The event of this id.
    fn event(&mut self, id: &str) -> Result<Option<CauseNode>, Self::Error>;

    /// Events and commands that name a cause, in the order of their places, at most so many.
    fn effects(&mut self, cause: &str, limit: usize) -> Result<Vec<CauseNode>, Self::Error>;

    /// Whether several records may have the same place, and numbers of commands say nothing of their order: so in a branch.
    fn places_are_shared(&self) -> bool {
        false
    }

    /// The command or event of this id.
    fn record(&mut self, id: &str) -> Result<Option<CauseNode>, Self::Error> {
        match self.command(id)? {
            Some(command) => Ok(Some(command)),
            None => self.event(id),
        }
    }
}

#[cfg(test)]
mod tests;
