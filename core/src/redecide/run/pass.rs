//! The short way, where a log is gone through under other rules: an entry whose stream is as recorded, and whose command the other
//! rules decide as it was recorded, is passed without building the other world.

use super::super::History;
use super::super::place::{Entry, command_of};
use super::{Ran, Run};
use crate::command::{Command, Decision, Outcome, Rejection};
use crate::decide::state_and_keys_after;
use crate::event::{Event, NewEvent};
use crate::ids::{Revision, StreamName};
use crate::json::State;
use crate::model::Model;
use crate::redecide::Failed;

impl<'a, H: History> Run<'a, H> {
    /// The other rules, where they are asked about a command at this place; without a decision, about an added one.
    pub(super) fn other_rules_for(
        &self,
        decision: Option<&Decision>,
    ) -> Option<&'a crate::model::Models> {
        let rules = self.following.rules.filter(|rules| self.at >= rules.from)?;
        let asked = decision.is_none_or(|decision| rules.scope.holds(decision));
        asked.then_some(rules.models)
    }

    /// The rules that decide a command at this place.
    pub(in crate::redecide) fn rules_for(
        &self,
        stream: &StreamName,
        decision: Option<&Decision>,
    ) -> &'a Model {
        let other = self.other_rules_for(decision);
        other.unwrap_or(self.following.models).for_stream(stream)
    }

    /// The recorded state of a stream that is not live.
    pub(in crate::redecide) fn recorded_state(
        &mut self,
        stream: &StreamName,
        at: Revision,
    ) -> Ran<State, H> {
        if self.goes_through_log()
            && let Some(state) = self.states.get(stream, at)
        {
            return Ok(state.clone());
        }
        self.history.state(stream, at).map_err(Failed::History)
    }

    /// Whether an entry, no edit is about it and its cause is there, is as recorded and can be passed.
    pub(super) fn passes(&mut self, entry: &mut Entry) -> Ran<bool, H> {
        if self.following.rules.is_none() || self.everything() {
            return Ok(false);
        }
        if self.world.live(&entry.stream).is_some() {
            return Ok(false);
        }
        let keys_differ = self.world.any_key_differs(entry.stream.category());
        let command = entry.ahead.as_mut().and_then(|ahead| ahead.command.take());
        let decision = entry.decision.as_deref();
        let asked = decision.is_some() && self.other_rules_for(decision).is_some();
        match decision {
            Some(decision)
                if (asked || keys_differ)
                    && !self.decides_as_recorded(entry, (decision, command), keys_differ)? =>
            {
                return Ok(false);
            }
            None if keys_differ => return Ok(false),
            _ => {}
        }
        if asked {
            self.count_asked()?;
        }
        let model = self.following.models.for_stream(&entry.stream);
        self.states.pass(model, entry);
        self.each.as_recorded(entry, asked);
        Ok(true)
    }

    /// Whether a command is decided as it was recorded, to the byte, on its recorded state, and takes no key that is held otherwise.
    /// `false` where that takes more to tell.
    fn decides_as_recorded(
        &mut self,
        entry: &Entry,
        (decision, command): (&Decision, Option<Command>),
        keys_differ: bool,
    ) -> Ran<bool, H> {
        let (stream, base) = (&entry.stream, entry.base_revision());
        let model = self.rules_for(stream, Some(decision));
        if model.command(&decision.command_type).is_none() || decision.base_revision != base {
            return Ok(false);
        }
        if self.states.get(stream, base).is_none() {
            let state = self.history.state(stream, base).map_err(Failed::History)?;
            self.states.put(stream, base, state);
        }
        let Some(state) = self.states.get(stream, base) else {
            return Ok(false);
        };
        let command = command.unwrap_or_else(|| command_of(decision));
        let command = match model.prepare() {
            None => command,
            Some(prepare) => match prepare.reuse(state, state, command, &self.hypothesis) {
                Ok(command) => command,
                Err(_) => return Ok(false),
            },
        };
        let events = match (model.decider().decide(state, &command), &decision.result) {
            (Ok(events), Outcome::Accepted { .. }) => events,
            (
                Err(Rejection { rule, message }),
                Outcome::Rejected {
                    rule: was,
                    message: said,
                },
            ) => {
                return Ok(rule == *was && message == *said);
            }
            _ => return Ok(false),
        };
        if !is_as_recorded(model, &command, &entry.events, &events) {
            return Ok(false);
        }
        if !keys_differ {
            // It takes the keys that it took, and those are held as they were.
            return Ok(true);
        }
        let at = command.issued_at;
        let (_, keys) = state_and_keys_after(model, stream, state, base, &events, at);
        let category = stream.category();
        let mut taken = keys.into_iter().filter(|change| change.taken);
        Ok(!taken.any(|change| self.world.differs(&(category.to_owned(), change.key))))
    }
}

/// Whether the events that a command leads to are the recorded ones, ids and surroundings aside, which come with them.
fn is_as_recorded(model: &Model, command: &Command, was: &[Event], is: &[NewEvent]) -> bool {
    let same = |(was, is): (&Event, &NewEvent)| {
        let version = is.schema_version;
        was.event_type == is.event_type
            && was.data == is.data
            && was.schema_version == version.unwrap_or_else(|| model.schema_version(&is.event_type))
            && was.recorded_at == is.recorded_at.unwrap_or(command.issued_at)
            && was.actor.as_ref() == is.actor.as_ref().or(command.actor.as_ref())
            && was.reason.as_ref() == is.reason.as_ref().or(command.reason.as_ref())
            && was.correlation_id.as_ref()
                == is
                    .correlation_id
                    .as_ref()
                    .or(command.correlation_id.as_ref())
            && was.causation_id.as_ref() == Some(&command.command_id)
            && is.event_id.as_ref().is_none_or(|id| *id == was.event_id)
            && (is.metadata.is_none() || is.metadata == was.metadata)
    };
    was.len() == is.len() && was.iter().zip(is).all(same)
}
