//! Back-test over a store: the decision log decided again under other rules, on one read view.

use std::sync::Arc;
use std::thread;

use whodunit_core::api::backtest::{BacktestChange, BacktestIn};
use whodunit_core::api::problem::{Code, Problem};
use whodunit_core::ids::Position;
use whodunit_core::model::{Model, Models, RulesError};
use whodunit_core::query::Pattern;
use whodunit_core::redecide::{
    Backtested, Bounds, Failed, Following, OtherRules, Place, Reach, Scope, backtest,
};

use super::ahead::ahead;
use super::{WhatIfFailure, refused};
use crate::store::{StoreError, View};
use crate::time_travel::TimeTravel;
use crate::what_if::history::StoreHistory;

/// What is asked, read and checked.
pub(crate) struct Backtest {
    request: BacktestIn,
    in_use: Models,
    models: Models,
    model: Model,
    scope: Scope,
}

impl Backtest {
    /// Reads a request; which parameter does not fit.
    pub(crate) fn new(request: BacktestIn, in_use: &Models) -> Result<Self, WhatIfFailure> {
        let (models, model) = with_rules(in_use, &request.rules, "/rules")?;
        let bad = |field: &str, detail: String| {
            Err(refused(Problem::new(Code::Malformed, detail).field(field)))
        };
        let own = model.spec().category.as_deref();
        if let Some(category) = request.category.as_deref()
            && own.is_some_and(|own| own != category)
        {
            let own = own.unwrap_or_default();
            let detail = format!("`/category` is not `{own}`, which these rules are for");
            return bad("/category", detail);
        }
        if request.since.is_some() && request.until.is_some() && request.since > request.until {
            return bad("/since", "`/since` is after `/until`".to_owned());
        }
        Ok(Self {
            scope: Scope {
                category: request.category.clone().or_else(|| own.map(str::to_owned)),
                actor: request.actor.as_deref().map(Pattern::with_stars),
                since: request.since,
                until: request.until,
            },
            in_use: in_use.clone(),
            models,
            model,
            request,
        })
    }

    /// The model with the other rules.
    pub(crate) fn model(&self) -> &Model {
        &self.model
    }

    /// The model in use of the same category.
    pub(crate) fn in_use(&self) -> &Model {
        let category = self.model.spec().category.as_deref();
        self.in_use.for_category(category.unwrap_or_default())
    }

    /// Decides the log again: `log` is read on a thread of its own, `view`, which is not older, tells states and keys. Blocks. `told`
    /// gets each command with another outcome, `looked_at` how many were looked at.
    pub(crate) fn run(
        &self,
        (log, view): (Box<dyn View>, &dyn View),
        travel: &Arc<TimeTravel>,
        told: &mut dyn FnMut(BacktestChange),
        looked_at: &mut dyn FnMut(u64),
    ) -> Result<Backtested, WhatIfFailure> {
        let (reader, ahead) = ahead();
        thread::scope(|scope| {
            let read = move || {
                reader.read(&mut StoreHistory {
                    view: log.as_ref(),
                    travel,
                    models: &self.in_use,
                    ahead: None,
                });
            };
            let reading = thread::Builder::new().name("read-ahead".to_owned());
            reading
                .spawn_scoped(scope, read)
                .map_err(|source| StoreError::Engine {
                    doing: "starting a thread that reads the log",
                    source: source.into(),
                })?;
            let history = StoreHistory {
                view,
                travel,
                models: &self.in_use,
                ahead: Some(ahead),
            };
            self.decide(history, told, looked_at)
        })
    }

    fn decide(
        &self,
        mut history: StoreHistory<'_>,
        told: &mut dyn FnMut(BacktestChange),
        looked_at: &mut dyn FnMut(u64),
    ) -> Result<Backtested, WhatIfFailure> {
        let following = Following {
            models: &self.in_use,
            causes: self.request.causes,
            reach: Reach::Changed,
            password_correct: self.request.password_correct,
            all_diffs: false,
            rules: Some(OtherRules {
                models: &self.models,
                scope: &self.scope,
                from: Place::after_position(Position::ZERO),
            }),
            bounds: Bounds::BACKTEST,
            stop: history.view.stop(),
        };
        backtest(&mut history, &following, told, looked_at).map_err(|failed| match failed {
            Failed::History(failure) => failure,
            Failed::WhatIf(error) => super::failure(error),
        })
    }
}

/// The models with other rules; of parameters that do not fit, where they stand in the body of the request.
pub(super) fn with_rules(
    models: &Models,
    rules: &whodunit_core::json::State,
    prefix: &str,
) -> Result<(Models, Model), WhatIfFailure> {
    models.with_rules(rules).map_err(|error| {
        let RulesError {
            pointer,
            message,
            hint,
        } = error;
        let pointer = format!("{prefix}{pointer}");
        let problem = Problem::new(Code::Malformed, format!("`{pointer}` {message}"));
        let problem = problem.field(pointer);
        refused(match hint {
            Some(hint) => problem.hint(hint),
            None => problem,
        })
    })
}
