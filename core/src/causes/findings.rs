//! What is wrong with causes: kept up to a bound, and counted.

use crate::api::causes::{CauseFinding, CauseFindingCode, CauseKind, CauseNode};
use crate::counted::{clause, counted};

/// Findings that are named; all are counted.
pub const FINDINGS_MAX: usize = 100;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Findings {
    /// The first of them.
    pub first: Vec<CauseFinding>,
    /// How many there are.
    pub total: u64,
}

impl Findings {
    /// Adds one about a record.
    pub fn add(&mut self, code: CauseFindingCode, node: &CauseNode, detail: String) {
        self.total += 1;
        if self.first.len() < FINDINGS_MAX {
            self.first.push(CauseFinding {
                code,
                detail,
                id: node.id.clone(),
                causation_id: node.causation_id.clone(),
            });
        }
    }

    /// That a record names a cause that is not on record.
    pub(super) fn missing_cause(&mut self, node: &CauseNode) {
        let cause = node.causation_id.as_deref().unwrap_or_default();
        let detail = format!(
            "{} names the cause `{cause}`, which is not on record",
            named(node)
        );
        self.add(CauseFindingCode::MissingCause, node, detail);
    }

    /// That a record's causes lead back to it.
    pub(super) fn cycle(&mut self, node: &CauseNode) {
        let detail = if node.causation_id.as_deref() == Some(&node.id) {
            format!("{} names itself as its cause", named(node))
        } else {
            format!("the causes of {} lead back to itself", named(node))
        };
        self.add(CauseFindingCode::Cycle, node, detail);
    }

    /// That effects of an id are told of under a command, though an event has it, too.
    pub(super) fn ambiguous(&mut self, event: &CauseNode) {
        let detail = format!(
            "`{}` is the id of a command and of {}: what names it is shown as the command's",
            event.id,
            named(event)
        );
        self.add(CauseFindingCode::AmbiguousCause, event, detail);
    }

    /// That a command's events are not all there.
    pub(super) fn events_missing(&mut self, command: &CauseNode, found: u64) {
        let told = command.events.unwrap_or_default();
        let detail = format!(
            "the decision on {} says that it led to {}, but only {} it",
            named(command),
            counted(told, "event"),
            clause(found, "event", "names")
        );
        self.add(CauseFindingCode::EventsMissing, command, detail);
    }

    /// Looks at an effect and its cause; `shared` where several records may have the same place.
    pub(super) fn compare(&mut self, effect: &CauseNode, cause: &CauseNode, shared: bool) {
        let (what, by) = (named(effect), named(cause));
        if effect.at < cause.at {
            let detail = format!(
                "{what} was recorded at {}, before its cause, {by}, at {}",
                effect.at, cause.at
            );
            self.add(CauseFindingCode::RecordedBeforeCause, effect, detail);
        } else if is_before(effect, cause, shared) {
            let detail = format!("{what} comes before its cause, {by}, in the log");
            let code = if effect.at == cause.at {
                CauseFindingCode::RecordedBeforeCause
            } else {
                CauseFindingCode::LoggedBeforeCause
            };
            self.add(code, effect, detail);
        }
    }
}

/// Whether a record stands before another in the log. A command stands behind the event that was last when it was decided,
/// and before the event after that. Where places are shared, only those that differ say anything.
fn is_before(effect: &CauseNode, cause: &CauseNode, shared: bool) -> bool {
    match (effect.kind, cause.kind) {
        (CauseKind::Command, CauseKind::Command) if shared => effect.position < cause.position,
        (CauseKind::Command, CauseKind::Command) => effect.sequence < cause.sequence,
        (CauseKind::Event, CauseKind::Command) if !shared => effect.position <= cause.position,
        (CauseKind::Event, CauseKind::Command) => effect.position < cause.position,
        (_, CauseKind::Event) => effect.position < cause.position,
    }
}

/// A record in a sentence.
pub(super) fn named(node: &CauseNode) -> String {
    let (kind, stream) = (&node.kind_of, &node.stream);
    match node.kind {
        CauseKind::Event => format!("`{kind}` at revision {} of `{stream}`", node.revision),
        CauseKind::Command => format!("command `{kind}` to `{stream}`"),
    }
}
