//! Asking: a command's turn in the other world.
//!
//! Owns what the rules are asked with: the state there, what preparing made of the command, and who holds the keys there.

use super::Failed;
use super::history::History;
use super::place::command_of;
use super::run::Run;
use super::world::{Key, in_other_world};
use crate::admission;
use crate::api::what_if::{ReplaceCommandEdit, WhatIfCommand};
use crate::command::{Command, Decision, Rejection};
use crate::decide::{DecisionOutcome, decide, state_and_keys_after};
use crate::decider::PrepareError;
use crate::event::{Event, NewEvent};
use crate::ids::{Position, Revision, StreamName};
use crate::json::State;
use crate::model::Model;
use crate::time::Timestamp;
use crate::what_if::WhatIfError;

/// Where a command is asked.
#[derive(Debug, Clone)]
pub(super) struct Stand {
    pub(super) stream: StreamName,
    /// The log's head before it.
    pub(super) position: Position,
    /// The recorded revision of its stream.
    pub(super) recorded_revision: Revision,
    /// The revision in the other world.
    pub(super) revision: Revision,
    /// The state in the other world.
    pub(super) state: State,
}

/// What the rules answer.
#[derive(Debug)]
pub(super) enum Ruling {
    /// These events.
    Accepted(Vec<Event>),
    /// Refused.
    Rejected(Rejection),
    /// It cannot be decided: why.
    Unknown(String),
}

/// A ruling, and whether it depends on a key that is held otherwise.
#[derive(Debug)]
pub(super) struct Ruled {
    pub(super) ruling: Ruling,
    pub(super) reads_changed_key: bool,
}

type Asked<T, H> = Result<T, Failed<<H as History>::Error>>;

impl<H: History> Run<'_, H> {
    /// A stream's turn at a place: what its commands see there.
    pub(super) fn stand(
        &mut self,
        stream: &StreamName,
        position: Position,
        recorded_revision: Revision,
    ) -> Asked<Stand, H> {
        let (revision, state) = match self.world.live(stream) {
            Some(live) => (live.other.revision, live.other.state.clone()),
            None => {
                let state = self.recorded_state(stream, recorded_revision)?;
                (self.world.shifted(stream, recorded_revision), state)
            }
        };
        Ok(Stand {
            stream: stream.clone(),
            position,
            recorded_revision,
            revision,
            state,
        })
    }

    /// Asks the rules about a recorded command. What was recorded with it gives its events their names.
    pub(super) fn ask_recorded(
        &mut self,
        stand: &Stand,
        command: Command,
        (decision, events): (&Decision, &[Event]),
    ) -> Asked<Ruled, H> {
        let model = self.rules_for(&stand.stream, Some(decision)).clone();
        let command = match self.reused(&model, stand, command, decision)? {
            Ok(command) => command,
            Err(why) => return Ok(unknown(why)),
        };
        self.ask(&model, stand, &command, events)
    }

    /// What preparing made of a recorded command, for the state that it meets now; the inner error says why that is unknown.
    fn reused(
        &mut self,
        model: &Model,
        stand: &Stand,
        command: Command,
        decision: &Decision,
    ) -> Asked<Result<Command, String>, H> {
        if !model.has_commands() || model.command(&command.command_type).is_none() {
            let category = stand.stream.category();
            return Ok(Err(format!(
                "no model is in use for category `{category}` that knows `{}`",
                crate::text::shown(&command.command_type)
            )));
        }
        let Some(prepare) = model.prepare() else {
            return Ok(Ok(command));
        };
        let live = self.world.live(&stand.stream);
        let reused = match live.filter(|live| live.actual.revision == decision.base_revision) {
            Some(live) => {
                prepare.reuse(&live.actual.state, &stand.state, command, &self.hypothesis)
            }
            None => {
                let recorded = self.recorded_state(&stand.stream, decision.base_revision)?;
                prepare.reuse(&recorded, &stand.state, command, &self.hypothesis)
            }
        };
        match reused {
            Ok(command) => Ok(Ok(command)),
            Err(PrepareError::Unknown(why) | PrepareError::Redacted(why)) => Ok(Err(why)),
            Err(error) => Err(WhatIfError::Prepare(error.to_string()).into()),
        }
    }

    /// A recorded command as an edit has it: what is absent is as it was. Answers it prepared, or why it is unknown.
    pub(super) fn edited(
        &mut self,
        stand: &Stand,
        index: usize,
        edit: &ReplaceCommandEdit,
        decision: &Decision,
    ) -> Asked<Result<Command, String>, H> {
        let mut command = command_of(decision);
        command.issued_at = edit.at.unwrap_or(command.issued_at);
        command.actor = edit.actor.clone().or(command.actor);
        command.reason = edit.reason.clone().or(command.reason);
        if edit.payload.is_none() && edit.command_type.is_none() {
            let model = self.rules_for(&stand.stream, Some(decision)).clone();
            return self.reused(&model, stand, command, decision);
        }
        let asked = WhatIfCommand {
            command_type: edit.command_type.clone().unwrap_or(command.command_type),
            payload: edit.payload.clone().unwrap_or(command.payload),
            actor: command.actor,
            reason: command.reason,
            command_id: Some(command.command_id),
            correlation_id: command.correlation_id,
            causation_id: command.causation_id,
            expected_revision: None,
            password_correct: edit.password_correct,
        };
        let prefix = format!("/edits/{index}/replace_command");
        let at = command.issued_at;
        self.admitted(stand, &asked, at, String::new, &prefix)
    }

    /// A command as the real endpoint takes it, prepared without a look at a secret; the inner error says why what comes of it
    /// is unknown.
    pub(super) fn admitted(
        &mut self,
        stand: &Stand,
        asked: &WhatIfCommand,
        at: Timestamp,
        fresh_id: impl FnOnce() -> String,
        prefix: &str,
    ) -> Asked<Result<Command, String>, H> {
        let model = self.rules_for(&stand.stream, None).clone();
        let admitted = admission::command(
            &model,
            &stand.stream,
            asked.clone().into(),
            at,
            fresh_id,
            prefix,
        );
        let command = admitted.map_err(WhatIfError::from)?.command;
        let Some(prepare) = model.prepare() else {
            return Ok(Ok(command));
        };
        self.hypothesis.password_correct =
            asked.password_correct.or(self.following.password_correct);
        let supposed = prepare.suppose(&stand.state, command, &self.hypothesis);
        self.hypothesis.password_correct = self.following.password_correct;
        match supposed {
            Ok(command) => Ok(Ok(command)),
            Err(PrepareError::Unknown(why)) => Ok(Err(why)),
            Err(PrepareError::Malformed { pointer, message }) => {
                let problem = admission::unprepared(&pointer, message, prefix);
                Err(WhatIfError::from(problem).into())
            }
            Err(PrepareError::Failed(message) | PrepareError::Redacted(message)) => {
                Err(WhatIfError::Prepare(message).into())
            }
        }
    }

    /// Asks the rules about a prepared command, and who holds the keys it takes.
    pub(super) fn ask(
        &mut self,
        model: &Model,
        stand: &Stand,
        command: &Command,
        recorded: &[Event],
    ) -> Asked<Ruled, H> {
        let outcome = match decide(model, &stand.state, stand.revision, command) {
            Ok(outcome) => outcome,
            Err(rejection) => {
                return Ok(Ruled {
                    ruling: Ruling::Rejected(rejection),
                    reads_changed_key: false,
                });
            }
        };
        let DecisionOutcome { events, keys, .. } = outcome;
        let category = stand.stream.category();
        let mut reads_changed_key = false;
        let mut taken = None;
        for change in keys.iter().filter(|change| change.taken) {
            let key: Key = (category.to_owned(), change.key.clone());
            reads_changed_key |= self.world.differs(&key);
            if taken.is_none() && self.is_taken(&key, &stand.stream, stand.position)? {
                taken = Some(change.key.rejection());
            }
        }
        let ruling = match taken {
            Some(rejection) => Ruling::Rejected(rejection),
            None => Ruling::Accepted(named_events(model, stand, command, &events, recorded)),
        };
        Ok(Ruled {
            ruling,
            reads_changed_key,
        })
    }

    /// The rejection of raw events that would take a key which another stream holds in the other world, though none did on
    /// record; and whether they take any key that is held otherwise.
    pub(super) fn refuse_raw(
        &mut self,
        stand: &Stand,
        events: &[NewEvent],
        only_changed: bool,
        at: Timestamp,
    ) -> Asked<(Option<Rejection>, bool), H> {
        let model = self.following.models.for_stream(&stand.stream).clone();
        if !model.has_unique_keys() {
            return Ok((None, false));
        }
        let (stream, state) = (&stand.stream, &stand.state);
        let (_, keys) = state_and_keys_after(&model, stream, state, stand.revision, events, at);
        let mut reads = false;
        for change in keys.into_iter().filter(|change| change.taken) {
            let key: Key = (stream.category().to_owned(), change.key);
            let differs = self.world.differs(&key);
            reads |= differs;
            if (differs || !only_changed) && self.is_taken(&key, stream, stand.position)? {
                return Ok((Some(key.1.rejection()), true));
            }
        }
        Ok((None, reads))
    }

    fn is_taken(&mut self, key: &Key, stream: &StreamName, at: Position) -> Asked<bool, H> {
        let holder = self.history.holder(&key.0, &key.1, at);
        let holder = holder.map_err(Failed::History)?;
        Ok(self.world.is_held(key, holder.as_ref(), stream))
    }

    /// Where an entry or addition of a stream stands that has no revision on record.
    pub(super) fn stand_at(&mut self, stream: &StreamName, position: Position) -> Asked<Stand, H> {
        let revision = self.history.revision(stream, position);
        let revision = revision.map_err(Failed::History)?;
        self.stand(stream, position, revision)
    }
}

fn unknown(why: String) -> Ruled {
    Ruled {
        ruling: Ruling::Unknown(why),
        reads_changed_key: false,
    }
}

/// The events of a command with their semantic names: what is drawn at random on the way into a log (ids) or comes from around
/// a request (metadata) is taken from the recorded event that each stands for.
fn named_events(
    model: &Model,
    stand: &Stand,
    command: &Command,
    events: &[NewEvent],
    recorded: &[Event],
) -> Vec<Event> {
    let mut revision = stand.revision;
    let mut named: Vec<Event> = Vec::with_capacity(events.len());
    for (index, event) in events.iter().enumerate() {
        revision = revision.next();
        let same_type = |other: &&Event| other.event_type == event.event_type;
        let nth = named.iter().filter(same_type).count();
        let stands_for = recorded.iter().filter(same_type).nth(nth);
        let id = || match stands_for {
            Some(recorded) => recorded.event_id.clone(),
            None => format!("{}:event-{}", command.command_id, index + 1),
        };
        let mut event =
            in_other_world(model, &stand.stream, revision, event, command.issued_at, id);
        if event.metadata.is_none() {
            let around = stands_for.or(recorded.first());
            event.metadata = around.and_then(|recorded| recorded.metadata.clone());
        }
        named.push(event);
    }
    named
}
