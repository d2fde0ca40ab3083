//! Evaluation: from a branch to the world that it leads to.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use whodunit_core::api::problem::{Code, Problem};
use whodunit_core::branch::Branch;
use whodunit_core::model::Models;
use whodunit_core::redecide::Visited;

use super::cache::{Cache, Key};
use super::overlay::{Builder, Overlay, Unbuilt, build};
use super::standing::rules;
use crate::store::View;
use crate::time_travel::TimeTravel;
use crate::what_if::{WhatIfFailure, layers};

/// What branches are evaluated with.
#[derive(Clone, Copy)]
pub(crate) struct Deciding<'a> {
    pub(crate) travel: &'a Arc<TimeTravel>,
    pub(crate) models: &'a Models,
    pub(crate) cache: &'a Cache,
}

impl Deciding<'_> {
    /// The world of a branch over a view of the log, as it was computed before, or computed now.
    pub(crate) fn world(
        self,
        view: &dyn View,
        branch: &Branch,
    ) -> Result<Arc<Overlay>, WhatIfFailure> {
        let key = Key {
            of: self.digest(branch),
            head: view.head(),
        };
        if let Some(known) = self.cache.get(&key) {
            return Ok(known);
        }
        let mut builder = Builder::default();
        let log_head = view.head().position;
        let ends = layers::follow(
            view,
            self.travel,
            self.models,
            branch,
            &mut |visited: Visited| {
                builder.add(visited, log_head);
            },
        )?;
        let built = build(view, self.models, builder, ends);
        let overlay = Arc::new(built.map_err(|unbuilt| match unbuilt {
            Unbuilt::Store(error) => WhatIfFailure::from(error),
            Unbuilt::TooLarge(detail) => {
                let problem = Problem::new(Code::LimitExceeded, detail);
                let hint = "change something later, or something that reaches fewer streams";
                WhatIfFailure::Refused(Box::new(problem.hint(hint)))
            }
        })?);
        self.cache.put(key, &overlay);
        Ok(overlay)
    }

    /// What tells worlds apart over one log.
    fn digest(self, branch: &Branch) -> [u8; 32] {
        let says = (&branch.layers, branch.causes, branch.password_correct);
        let told = serde_json::to_vec(&(says, rules(self.models)));
        Sha256::digest(told.unwrap_or_default()).into()
    }
}
