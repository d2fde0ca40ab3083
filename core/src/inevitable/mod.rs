//! How inevitable was it? Which recorded commands an outcome depended on, and until when a single command would have avoided it.
//!
//! Owns the search: each command that may reach a stream is dropped, one at a time and then in pairs, and at each moment of the stream each
//! of a few commands is added; every time the rules are asked again. Exact within its bounds, and says where they were.

mod candidates;
mod moments;
mod necessity;
mod parts;

use crate::api::inevitable::{MomentOut, NecessityOut};
use crate::api::what_if::{Action, Causes, Edit, WhatIfCommand};
use crate::counted::counted;
use crate::ids::{Position, Revision, StreamName};
use crate::json::State;
use crate::model::{Model, Models};
use crate::predicate::{Predicate, Scope, TooMuchWork};
use crate::redecide::{
    Asked, BasePlace, Bounds, Failed, Following, History, Place, Reach, StreamEnd, stream_end,
};
use crate::stop::Stop;
use crate::time::Timestamp;
use crate::what_if::WhatIfError;

pub(crate) use candidates::has_secret;
pub use candidates::{Candidates, candidates};
pub use moments::moments;
pub use necessity::{Dropped, necessity};
pub use parts::{MinimalFound, minimal_commands, minimal_events, undo_plan};

/// Commands of a log that are all dropped; of a larger log only those of the stream, and of the streams of their causes.
pub const WHOLE_LOG_MAX: usize = 2_000;
/// Commands that are dropped at most.
pub const DROPPED_MAX: usize = 2_000;
/// Pairs of masked commands that are tried.
pub const PAIRS_MAX: usize = 2_000;
/// Moments that are looked at: the last ones.
pub const MOMENTS_MAX: usize = 500;
/// Commands that are tried at each moment.
pub const TRIED_MAX: usize = 20;

/// Why it was not found out.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Unfound<E> {
    /// The history could not be followed.
    #[error("the history could not be followed")]
    Failed(Failed<E>),
    /// The predicate is too much work on a state.
    #[error(transparent)]
    TooMuchWork(#[from] TooMuchWork),
}

impl<E> From<Failed<E>> for Unfound<E> {
    fn from(failed: Failed<E>) -> Self {
        Self::Failed(failed)
    }
}

/// What is asked: how a stream ends, with something dropped or added.
pub struct Question<'a, H: History> {
    /// The log.
    pub history: &'a mut H,
    /// The rules.
    pub models: &'a Models,
    /// The stream.
    pub stream: &'a StreamName,
    /// The outcome: a condition on its state at the end.
    pub predicate: &'a Predicate,
    /// What becomes of commands whose direct cause is gone.
    pub causes: Causes,
    /// Whether passwords are right, where that was not found out.
    pub password_correct: Option<bool>,
    /// Ends it early.
    pub stop: &'a Stop,
    /// How often the log was decided again.
    pub runs: u64,
    /// Commands that were decided again.
    pub asked: u64,
    /// Is told how often, of how many times as far as is known.
    pub progress: &'a mut dyn FnMut(u64, u64),
    /// How many times as far as is known.
    pub runs_expected: u64,
}

/// How an attempt ends.
pub(crate) struct Ended {
    pub(crate) end: StreamEnd,
    /// Whether the outcome comes; `None` where that cannot be told.
    pub(crate) holds: Option<bool>,
}

impl<H: History> Question<'_, H> {
    pub(crate) fn model(&self) -> &Model {
        self.models.for_stream(self.stream)
    }

    /// Whether the outcome comes with a state.
    pub fn holds(&self, state: &State) -> Result<bool, TooMuchWork> {
        let scope = Scope::new(self.model(), state);
        Ok(self.predicate.evaluate(&scope)?.holds())
    }

    /// The recorded end.
    pub fn recorded(&mut self) -> Result<(State, Revision), Unfound<H::Error>> {
        let end = self.history.revision(self.stream, Position(u64::MAX));
        let end = end.map_err(Failed::History)?;
        let state = self.history.state(self.stream, end);
        Ok((state.map_err(Failed::History)?, end))
    }

    /// Decides again with these edits, or with an action at a place.
    pub(crate) fn attempt(
        &mut self,
        edits: &[Edit],
        action: Option<(&[Action], BasePlace)>,
    ) -> Result<Ended, Unfound<H::Error>> {
        (self.progress)(self.runs, self.runs_expected.max(self.runs));
        let following = Following {
            models: self.models,
            causes: self.causes,
            reach: Reach::Changed,
            password_correct: self.password_correct,
            all_diffs: false,
            rules: None,
            bounds: Bounds::default(),
            stop: self.stop,
        };
        let base = action.map_or(NOWHERE, |(_, base)| base);
        let actions = action.map_or(&[][..], |(actions, _)| actions);
        let asked = Asked {
            stream: self.stream,
            edits,
            actions,
            base,
        };
        let end = stream_end(self.history, &following, &asked)?;
        self.runs += 1;
        self.asked += end.asked;
        let holds = self.holds(&end.state)?;
        Ok(Ended {
            holds: (end.frozen == 0).then_some(holds),
            end,
        })
    }
}

/// Where there is no action.
const NOWHERE: BasePlace = BasePlace {
    place: Place::END,
    position: Position(u64::MAX),
    revision: Revision(u64::MAX),
    at: Timestamp::MIN,
};

/// Whether an attempt was beyond a bound, or refused as it stands: then nothing is known of it.
fn is_unknown<E>(error: &Unfound<E>) -> bool {
    matches!(
        error,
        Unfound::Failed(Failed::WhatIf(
            WhatIfError::TooFar { .. }
                | WhatIfError::TooLarge(_)
                | WhatIfError::Refused(_)
                | WhatIfError::Prepare(_)
        ))
    )
}

/// The answer in a sentence or two.
pub fn answer(
    predicate: &str,
    holds: bool,
    dropped: &Dropped,
    moments: &[MomentOut],
    point_of_no_return: Option<&MomentOut>,
) -> String {
    if !holds {
        return format!("`{predicate}` does not hold at the end: there is nothing to explain.");
    }
    let necessary = dropped.of(crate::api::inevitable::Necessity::Necessary);
    let first = match necessary.as_slice() {
        [] if dropped.dropped == 0 => {
            "No command that could have led to it is on record".to_owned()
        }
        [] => "No single command was necessary".to_owned(),
        [one] => format!("1 command was necessary: {}", named(one)),
        [all @ .., last] => format!(
            "{} were necessary, the last of them {}",
            counted(all.len() + 1, "command"),
            named(last)
        ),
    };
    let head = moments.last().map(|moment| moment.revision);
    let second = match point_of_no_return {
        None => {
            "at no moment would a single command on this stream, of those tried, have avoided it"
                .to_owned()
        }
        Some(moment) if Some(moment.revision) == head => {
            format!("a single command can still undo it: {}", example(moment))
        }
        Some(moment) => format!(
            "until revision {} a single command would have avoided it ({}); after that none of those tried",
            moment.revision,
            example(moment)
        ),
    };
    format!("{first}; {second}.")
}

fn named(command: &NecessityOut) -> String {
    let by = command.actor.as_deref().map_or_else(String::new, |actor| {
        format!(" by {}", crate::text::shown(actor))
    });
    let kind = crate::text::shown(&command.command_type);
    format!("{kind}{by} at {}", command.decided_at)
}

fn example(moment: &MomentOut) -> String {
    moment
        .example
        .as_ref()
        .map_or_else(String::new, |tried| tried.command_type.clone())
}

/// A command that is tried, as the real endpoint takes it.
fn tried(command_type: &str, payload: &State) -> WhatIfCommand {
    WhatIfCommand {
        command_type: command_type.to_owned(),
        payload: payload.clone(),
        actor: Some("what-if".to_owned()),
        reason: Some("what-if".to_owned()),
        command_id: None,
        correlation_id: None,
        causation_id: None,
        expected_revision: None,
        password_correct: None,
    }
}
