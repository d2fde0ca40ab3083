//! The scenario of a what-if as it is edited, and the request that it comes to.

use serde_json::{Map, Value};
use whodunit_core::api::what_if::{
    Action, Causes, ChangeEdit, CommandPlace, Continuation, DecisionRef, DropCommandEdit, DropEdit,
    Edit, InsertCommandEdit, InsertEdit, ReplaceCommandEdit, ReplaceEdit, WhatIfCommand, WhatIfIn,
};
use whodunit_core::event::NewEvent;
use whodunit_core::ids::{Revision, StreamName};
use whodunit_core::json::Json;
use whodunit_core::time::Timestamp;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Scenario {
    pub(crate) changes: Vec<Change>,
    /// Whether the later events are taken as they were recorded, and no rule is asked.
    pub(crate) as_recorded: bool,
    /// What becomes of commands whose direct cause is gone.
    pub(crate) causes: Causes,
    /// What is supposed of the passwords that commands give for recorded ones, which a what-if never looks at.
    pub(crate) password_correct: Option<bool>,
    /// The branch that it is asked upon: its edits come first.
    pub(crate) on: Option<String>,
}

/// A change to what was recorded. Revisions are those of the what-if's stream; decisions are named by their sequence.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    /// The event had not happened.
    DropEvent(u64),
    /// The command had not been given.
    DropCommand(u64),
    /// The event had been otherwise.
    Event(EventEdit),
    /// The command had been another one.
    Command(CommandEdit),
    /// Something more had come.
    Add(Place, Added),
    /// An edit of a branch that no form makes: kept as it is.
    Kept(Box<Edit>),
}

/// What an event would have said, and what would have surrounded it; `None` is as it was.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct EventEdit {
    pub(crate) revision: u64,
    pub(crate) data: Option<Json>,
    pub(crate) around: Around,
}

/// What would have been asked for, and by whom; `None` is as it was.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct CommandEdit {
    pub(crate) decision: u64,
    pub(crate) payload: Option<Map<String, Value>>,
    pub(crate) around: Around,
}

/// Who, why and when.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Around {
    pub(crate) actor: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) at: Option<Timestamp>,
}

impl Around {
    pub(crate) fn is_as_it_was(&self) -> bool {
        *self == Self::default()
    }
}

/// What is added.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Added {
    /// A command: the rules decide.
    Command(WhatIfCommand),
    /// A raw event: no rules run.
    Event(NewEvent),
}

impl Added {
    pub(crate) fn type_name(&self) -> &str {
        match self {
            Self::Command(command) => &command.command_type,
            Self::Event(event) => &event.event_type,
        }
    }
}

/// Where something is added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Right after this revision.
    After(u64),
    /// Just before this decision, which stands at a revision.
    Before { decision: u64, revision: u64 },
    /// At the end of the log.
    Now,
}

impl Place {
    /// The order of places in a stream.
    pub(crate) fn order(self) -> (u64, u64) {
        match self {
            Self::After(revision) => (revision, 0),
            Self::Before { decision, revision } => (revision, decision.max(1)),
            Self::Now => (u64::MAX, u64::MAX),
        }
    }

    fn revision(self) -> u64 {
        match self {
            Self::After(revision) | Self::Before { revision, .. } => revision,
            Self::Now => u64::MAX,
        }
    }
}

impl Scenario {
    /// The index of the change of a recorded event.
    pub(crate) fn of_event(&self, revision: u64) -> Option<usize> {
        self.changes.iter().position(|change| match change {
            Change::DropEvent(of) => *of == revision,
            Change::Event(edit) => edit.revision == revision,
            _ => false,
        })
    }

    /// The index of the change of a recorded command.
    pub(crate) fn of_decision(&self, sequence: u64) -> Option<usize> {
        self.changes.iter().position(|change| match change {
            Change::DropCommand(of) => *of == sequence,
            Change::Command(edit) => edit.decision == sequence,
            _ => false,
        })
    }

    /// What is added, in the order in which it comes, each with the index of its change.
    pub(crate) fn added(&self) -> Vec<(usize, Place, &Added)> {
        let mut all: Vec<_> = self
            .changes
            .iter()
            .enumerate()
            .filter_map(|(index, change)| match change {
                Change::Add(place, added) => Some((index, *place, added)),
                _ => None,
            })
            .collect();
        all.sort_by_key(|(_, place, _)| place.order());
        all
    }

    /// Where commands and events of `do` happen: what is added last.
    fn base(&self) -> Option<Place> {
        self.added().last().map(|(_, place, _)| *place)
    }

    /// Whether it has changes that only the rules can tell about.
    pub(crate) fn needs_rules(&self, stream: &StreamName) -> bool {
        let asked = self.request(stream);
        asked.edits.iter().any(Edit::needs_rules)
    }

    pub(crate) fn request(&self, stream: &StreamName) -> WhatIfIn {
        let mut asked = WhatIfIn::new(stream.clone());
        asked.password_correct = self.password_correct;
        if self.as_recorded {
            asked.continuation = Continuation::Refold;
        } else {
            // Upon a branch nothing else is asked.
            asked.continuation = match self.on {
                Some(_) => Continuation::Redecide,
                None => Continuation::Auto,
            };
            asked.causes = self.causes;
        }
        let base = self.base();
        match base {
            Some(Place::After(revision)) => asked.at_revision = Some(Revision(revision)),
            Some(Place::Before { decision, .. }) => {
                asked.at_decision = Some(DecisionRef::Sequence(decision));
            }
            Some(Place::Now) | None => {}
        }
        for change in &self.changes {
            match change {
                Change::Add(place, added) if Some(*place) == base => {
                    asked.actions.push(match added {
                        Added::Command(command) => Action::Command(command.clone()),
                        Added::Event(event) => Action::Event(event.clone()),
                    });
                }
                change => asked.edits.extend(edits(change)),
            }
        }
        asked
    }
}

/// The edits that a change comes to.
fn edits(change: &Change) -> Vec<Edit> {
    let decision = |sequence: u64| DecisionRef::Sequence(sequence);
    match change {
        Change::DropEvent(revision) => vec![Edit::Drop(DropEdit {
            revision: Revision(*revision),
        })],
        Change::DropCommand(sequence) => vec![Edit::DropCommand(DropCommandEdit {
            decision: decision(*sequence),
        })],
        Change::Event(edit) => {
            let revision = Revision(edit.revision);
            let data = edit.data.clone();
            let replaced = data.map(|data| Edit::Replace(ReplaceEdit { revision, data }));
            let Around { actor, reason, at } = edit.around.clone();
            let changed = (!edit.around.is_as_it_was()).then_some(Edit::Change(ChangeEdit {
                revision,
                actor,
                reason,
                recorded_at: at,
            }));
            replaced.into_iter().chain(changed).collect()
        }
        Change::Command(edit) => {
            let Around { actor, reason, at } = edit.around.clone();
            vec![Edit::ReplaceCommand(ReplaceCommandEdit {
                decision: decision(edit.decision),
                command_type: None,
                payload: edit.payload.clone(),
                actor,
                reason,
                at,
                password_correct: None,
            })]
        }
        Change::Kept(edit) => vec![(**edit).clone()],
        Change::Add(place, Added::Command(command)) => {
            let place = match place {
                Place::Before { decision: at, .. } => CommandPlace::Before(decision(*at)),
                place => CommandPlace::AfterRevision(Revision(place.revision())),
            };
            vec![Edit::InsertCommand(InsertCommandEdit {
                place,
                stream: None,
                command: command.clone(),
                at: None,
            })]
        }
        Change::Add(place, Added::Event(event)) => vec![Edit::Insert(InsertEdit {
            after_revision: Revision(place.revision()),
            event_type: event.event_type.clone(),
            data: event.data.clone(),
        })],
    }
}
