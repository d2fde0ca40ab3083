//! Wire type of warnings: what a time-travel reply says about its own answer.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::Revision;

/// How many revisions a warning names at most; its `detail` counts them all.
pub const WARNING_REVISIONS_MAX: usize = 20;

/// Kinds of warnings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WarningCode {
    /// An *as of* leaves out events that were recorded by then: they follow an event with a later time.
    LeftOut,
    /// Within the history shown, events have earlier times than events before them.
    ClockWentBack,
    /// Events could not be applied; the last good state is carried on.
    Faults,
    /// The log is a redacted copy: some of what its events say is not what was recorded.
    RedactedCopy,
    /// A stream has more refused commands than are looked at: attempts to change a field may be missing.
    RefusalsCut,
    /// A recorded decision does not stand where the log says it should.
    MisplacedDecision,
    /// The base stands among the events of one command, which are written at once: it was moved behind the last of them.
    BaseMoved,
    /// Commands that were decided again were recorded under other rules than those in use, or a branch was made with others.
    OtherRules,
    /// A branch was made on another log than this one, or on another history of it.
    OtherLog,
}

/// A reason to be careful with an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Warning {
    /// The kind of warning.
    pub code: WarningCode,
    /// The same in a sentence, with how many events it concerns.
    pub detail: String,
    /// The revisions it concerns, the first twenty of them.
    #[schema(value_type = Vec<u64>)]
    pub revisions: Vec<Revision>,
}

impl Warning {
    /// A warning about these revisions. Names the first ones only; `detail` says how many there are.
    pub fn new(
        code: WarningCode,
        detail: impl Into<String>,
        revisions: impl IntoIterator<Item = Revision>,
    ) -> Self {
        Self {
            code,
            detail: detail.into(),
            revisions: revisions.into_iter().take(WARNING_REVISIONS_MAX).collect(),
        }
    }
}
