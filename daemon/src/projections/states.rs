//! The read model `states`: the current state of every stream of every category, as it is shown.

use whodunit_core::json::State;
use whodunit_core::model::Model;
use whodunit_core::shown::redact_state;

use super::projection::{Field, Projection, Sort};
use super::users::POSITION;

/// Keeps states.
#[derive(Debug, Clone, Copy, Default)]
pub struct States;

impl Projection for States {
    fn name(&self) -> &'static str {
        "states"
    }

    fn description(&self) -> &'static str {
        "the current state of every stream of every category, secrets marked"
    }

    fn version(&self) -> &'static str {
        "states-1"
    }

    fn category(&self) -> Option<&str> {
        None
    }

    fn keep(&self, model: &Model, state: &mut State) {
        redact_state(model, state);
    }

    fn sorts(&self) -> &'static [Sort] {
        const SORTS: &[Sort] = &[POSITION];
        SORTS
    }

    fn fields(&self) -> &'static [Field] {
        &[]
    }
}
