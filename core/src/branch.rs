//! Branches: named what-ifs that are kept, and can be built upon.
//!
//! Owns what a branch is, how large it may be, and how it is written as a file. What it names (revisions, decisions, positions) is
//! what the log has, also where it is built on another branch: its layers are the edits and actions of that branch, then its own.
//! So a branch of a branch is one with the edits of both.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::admission::ACTOR_BYTES_MAX;
use crate::api::what_if::{Action, Causes, Edit};
use crate::ids::{Position, Revision, StreamName};
use crate::time::Timestamp;

/// Bytes of a branch's name.
pub const BRANCH_NAME_BYTES_MAX: usize = 64;
/// Bytes of a branch's note.
pub const BRANCH_NOTE_BYTES_MAX: usize = 1_024;
/// Bytes of a branch as it is kept, with its edits and actions.
pub const BRANCH_BYTES_MAX: usize = 256 << 10;
/// Branches that one is built on, one on the other, itself included.
pub const BRANCH_LAYERS_MAX: usize = 16;
/// What happened, where a branch could be named.
pub const LOG: &str = "log";
/// Names that no branch has: they stand for something else.
const RESERVED: [&str; 2] = [LOG, "import"];
/// Format of a branch's file.
const FORMAT: u32 = 1;

/// A named what-if.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Branch {
    /// Its name.
    pub name: String,
    /// How often it was changed: 1 when it is new.
    pub revision: u64,
    /// The stream of its own edits and actions.
    #[schema(value_type = String)]
    pub stream: StreamName,
    /// What it is for.
    #[schema(required)]
    pub note: Option<String>,
    /// Who made it.
    #[schema(required)]
    pub actor: Option<String>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub changed_at: Timestamp,
    /// The branch that it is built on, as it was then.
    #[schema(required)]
    pub on: Option<BuiltOn>,
    /// Edits and actions: those of the branch that it is built on, then its own.
    pub layers: Vec<Layer>,
    /// Whether a recorded command is asked again when its direct cause is gone.
    #[serde(default)]
    pub causes: Causes,
    /// Whether passwords that commands give for recorded ones are right.
    #[serde(default)]
    pub password_correct: Option<bool>,
    /// The log that it was made on.
    pub log: LogPoint,
    /// Content hash of the rules that it was made with, by the name of the model.
    pub rules: BTreeMap<String, String>,
}

/// A branch that another one is built on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BuiltOn {
    /// Its name.
    pub name: String,
    /// How often it had been changed.
    pub revision: u64,
}

/// Edits and actions that were given at once. What they name is what the log has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// The stream.
    #[schema(value_type = String)]
    pub stream: StreamName,
    /// Where actions happen.
    pub base: LayerBase,
    /// Changes to what is recorded.
    #[serde(default)]
    pub edits: Vec<Edit>,
    /// What happens at the base.
    #[serde(default, rename = "do")]
    pub actions: Vec<Action>,
}

/// A moment of the log, for good: whatever is logged later comes after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LayerBase {
    /// The stream's revision.
    #[schema(value_type = u64)]
    pub revision: Revision,
    /// The log's position.
    #[schema(value_type = u64)]
    pub position: Position,
    /// The time.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The decision that it is just before.
    #[serde(default)]
    pub before_decision: Option<u64>,
    /// The last decision of the log before it, where it is the end of the log.
    #[serde(default)]
    pub after_decision: Option<u64>,
}

/// What tells one log from another: which store it is of, and what it was up to a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogPoint {
    /// Which store.
    pub store_id: String,
    /// The last event's position.
    #[schema(value_type = u64)]
    pub position: Position,
    /// The last decision's sequence.
    pub decision: u64,
    /// The head's hash there; absent where the log was still growing.
    #[serde(default)]
    pub head_hash: Option<String>,
    /// Hash of the last event there.
    #[serde(default)]
    pub event_hash: Option<String>,
    /// Hash of the last decision there.
    #[serde(default)]
    pub decision_hash: Option<String>,
}

/// A branch as a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BranchFile {
    /// Format of the file.
    pub whodunit_branch: u32,
    /// The branch.
    pub branch: Branch,
}

/// Why a branch is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{pointer}` {said}")]
pub struct BadBranch {
    /// The field.
    pub pointer: String,
    /// What is wrong with it. Never quotes a value.
    pub said: String,
}

impl BadBranch {
    fn new(pointer: impl Into<String>, said: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            said: said.into(),
        }
    }
}

/// Checks a branch's name.
///
/// # Errors
/// What does not fit.
pub fn check_name(name: &str) -> Result<(), BadBranch> {
    let bad = |said: String| Err(BadBranch::new("/name", said));
    if name.is_empty() || name.len() > BRANCH_NAME_BYTES_MAX {
        return bad(format!("must have 1 to {BRANCH_NAME_BYTES_MAX} characters"));
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if !name.chars().all(fits) || !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return bad(
            "must be letters, digits, `.`, `_` and `-`, and begin with a letter or a digit"
                .to_owned(),
        );
    }
    if RESERVED.contains(&name) {
        return bad("stands for something else; choose another one".to_owned());
    }
    Ok(())
}

/// The most edits, and actions, of all layers together.
#[derive(Debug, Clone, Copy)]
pub struct Counts {
    /// Of edits.
    pub edits: usize,
    /// Of actions.
    pub actions: usize,
}

impl Branch {
    /// Checks the branch by itself; whether there is what it names is not known here.
    ///
    /// # Errors
    /// What does not fit.
    pub fn check(&self, max: Counts) -> Result<(), BadBranch> {
        check_name(&self.name)?;
        if self.revision == 0 {
            return Err(BadBranch::new("/revision", "must be 1 or more"));
        }
        if let Some(note) = &self.note
            && (note.trim().is_empty() || note.len() > BRANCH_NOTE_BYTES_MAX)
        {
            let said = format!("must have 1 to {BRANCH_NOTE_BYTES_MAX} bytes, or be absent");
            return Err(BadBranch::new("/note", said));
        }
        if let Some(actor) = &self.actor
            && (actor.trim().is_empty() || actor.len() > ACTOR_BYTES_MAX)
        {
            let said = format!("must have 1 to {ACTOR_BYTES_MAX} bytes, or be absent");
            return Err(BadBranch::new("/actor", said));
        }
        self.check_layers(max)?;
        let bytes = serde_json::to_vec(self).map_or(usize::MAX, |bytes| bytes.len());
        if bytes > BRANCH_BYTES_MAX {
            let said = format!("take {bytes} bytes, at most {BRANCH_BYTES_MAX} are allowed");
            return Err(BadBranch::new("/layers", said));
        }
        Ok(())
    }

    fn check_layers(&self, max: Counts) -> Result<(), BadBranch> {
        let layers = self.layers.len();
        if layers == 0 || layers > BRANCH_LAYERS_MAX {
            let said = format!("are {layers}: a branch has 1 to {BRANCH_LAYERS_MAX} of them");
            return Err(BadBranch::new("/layers", said));
        }
        if self.layers.last().map(|own| &own.stream) != Some(&self.stream) {
            let said = "is not the stream of the last layer, which is the branch's own";
            return Err(BadBranch::new("/stream", said));
        }
        let edits: usize = self.layers.iter().map(|layer| layer.edits.len()).sum();
        let actions: usize = self.layers.iter().map(|layer| layer.actions.len()).sum();
        for (what, count, max) in [("edits", edits, max.edits), ("do", actions, max.actions)] {
            if count > max {
                let said = format!(
                    "has {count} entries, with those of the branches below; at most {max} are allowed"
                );
                return Err(BadBranch::new(format!("/{what}"), said));
            }
        }
        for (index, layer) in self.layers.iter().enumerate() {
            let base = layer.base;
            if base.before_decision.is_some() && base.after_decision.is_some() {
                let pointer = format!("/layers/{index}/base");
                return Err(BadBranch::new(
                    pointer,
                    "is before a decision and after one",
                ));
            }
            if base.position > self.log.position || base.revision.0 > base.position.0 {
                let pointer = format!("/layers/{index}/base");
                return Err(BadBranch::new(
                    pointer,
                    "is not in the log that the branch names",
                ));
            }
        }
        Ok(())
    }
}

impl BranchFile {
    /// The file of a branch.
    pub fn of(branch: Branch) -> Self {
        Self {
            whodunit_branch: FORMAT,
            branch,
        }
    }

    /// The branch of a file.
    ///
    /// # Errors
    /// That it is of another format, or what does not fit.
    pub fn read(self, max: Counts) -> Result<Branch, BadBranch> {
        if self.whodunit_branch != FORMAT {
            let said = format!(
                "is {}, and this version reads format {FORMAT}",
                self.whodunit_branch
            );
            return Err(BadBranch::new("/whodunit_branch", said));
        }
        let below = |bad: BadBranch| BadBranch {
            pointer: format!("/branch{}", bad.pointer),
            ..bad
        };
        self.branch.check(max).map_err(below)?;
        Ok(self.branch)
    }
}

impl fmt::Display for BuiltOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.revision)
    }
}

#[cfg(test)]
mod tests;
