//! Judging: what a recorded entry comes to in the other world.
//!
//! A command is asked; a raw event stays, unless the store would refuse it; what an edit is about is as the edit has it.

use super::super::ask::{Ruled, Ruling, Stand};
use super::super::history::History;
use super::super::place::{Entry, command_of};
use super::super::plan::Change;
use super::{Judged, Ran, Run, too_far};
use crate::api::what_if::StepChange;
use crate::command::{Command, Outcome, Rejection};
use crate::event::{Event, NewEvent};
use crate::ids::{Position, Revision};
use crate::time::Timestamp;

impl<H: History> Run<'_, H> {
    /// A recorded entry that no edit is about; `None` where nothing that it read differs.
    pub(super) fn judge(&mut self, entry: &Entry, is_reached: bool) -> Ran<Option<Judged>, H> {
        let base = entry.base_revision();
        let stand = self.stand(&entry.stream, entry.place.position(), base)?;
        let Some(decision) = &entry.decision else {
            return self.judge_raw(entry, &stand, is_reached);
        };
        let command = command_of(decision);
        let recorded = (&**decision, entry.events.as_slice());
        let ruled = self.ask_recorded(&stand, command.clone(), recorded)?;
        if !is_reached && !ruled.reads_changed_key {
            return Ok(None);
        }
        if !matches!(ruled.ruling, Ruling::Unknown(_)) {
            self.count_asked()?;
        }
        Ok(Some(Self::judge_ruled(entry, &stand, command, ruled)))
    }

    pub(super) fn count_asked(&mut self) -> Ran<(), H> {
        self.asked += 1;
        let max = self.following.bounds.asked;
        if self.asked > max && !self.everything() {
            return Err(too_far("commands", max));
        }
        Ok(())
    }

    pub(super) fn judge_ruled(
        entry: &Entry,
        stand: &Stand,
        command: Command,
        ruled: Ruled,
    ) -> Judged {
        let mut judged = Judged {
            command: Some(command),
            asked: true,
            ..Judged::gone(StepChange::Same)
        };
        match ruled.ruling {
            Ruling::Unknown(why) => {
                judged.asked = false;
                judged.change = StepChange::Frozen;
                judged.why = Some(why);
                judged.events = as_recorded(&entry.events, stand.revision);
                judged.rejection = recorded_rejection(entry);
            }
            Ruling::Accepted(events) => judged.events = events,
            Ruling::Rejected(rejection) => judged.rejection = Some(rejection),
        }
        if judged.change == StepChange::Same {
            judged.change = compared(entry, &judged.events, judged.rejection.as_ref());
        }
        judged
    }

    /// A raw event stays as it was recorded, unless the store would refuse it.
    fn judge_raw(
        &mut self,
        entry: &Entry,
        stand: &Stand,
        is_reached: bool,
    ) -> Ran<Option<Judged>, H> {
        let events: Vec<NewEvent> = entry.events.iter().map(new_event).collect();
        let at = entry
            .events
            .first()
            .map_or(Timestamp::MIN, |event| event.recorded_at);
        let (rejection, reads) = self.refuse_raw(stand, &events, true, at)?;
        if !is_reached && !reads {
            return Ok(None);
        }
        Ok(Some(match rejection {
            Some(rejection) => Judged {
                rejection: Some(rejection),
                ..Judged::gone(StepChange::Refused)
            },
            None => Judged {
                events: as_recorded(&entry.events, stand.revision),
                why: Some("no command on record led to it".to_owned()),
                ..Judged::gone(StepChange::Frozen)
            },
        }))
    }

    pub(super) fn judge_edited(&mut self, entry: &Entry, change: Change) -> Ran<Judged, H> {
        let judged = match change {
            Change::Dropped => Judged::gone(StepChange::Dropped),
            Change::Moved => {
                let decision = entry.decision.iter();
                let ids = decision.map(|decision| decision.command_id.clone());
                let events = entry.events.iter().map(|event| event.event_id.clone());
                Judged {
                    elsewhere: ids.chain(events).collect(),
                    ..Judged::gone(StepChange::Dropped)
                }
            }
            Change::Fixed { events, moved } => {
                let base = entry.base_revision();
                let stand = self.stand(&entry.stream, entry.place.position(), base)?;
                let change = if events.is_empty() {
                    StepChange::Dropped
                } else {
                    StepChange::Edited
                };
                let mut events = as_recorded(&events, stand.revision);
                name_inserted(entry, &mut events);
                Judged {
                    events,
                    elsewhere: moved,
                    command: entry.decision.as_deref().map(command_of),
                    ..Judged::gone(change)
                }
            }
            Change::Command(edit) => {
                let (index, edit) = *edit;
                let Some(decision) = &entry.decision else {
                    return Ok(Judged::gone(StepChange::Dropped));
                };
                let base = entry.base_revision();
                let stand = self.stand(&entry.stream, entry.place.position(), base)?;
                let command = self.edited(&stand, index, &edit, decision)?;
                self.judge_command(entry, &stand, command)?
            }
        };
        Ok(Judged {
            edited: true,
            ..judged
        })
    }

    /// A command that was prepared, or why that cannot be done, in place of a recorded one.
    fn judge_command(
        &mut self,
        entry: &Entry,
        stand: &Stand,
        command: Result<Command, String>,
    ) -> Ran<Judged, H> {
        let model = self
            .rules_for(&stand.stream, entry.decision.as_deref())
            .clone();
        let (command, ruled) = match command {
            Ok(command) => {
                let ruled = self.ask(&model, stand, &command, &entry.events)?;
                (Some(command), ruled)
            }
            Err(why) => {
                let ruled = Ruled {
                    ruling: Ruling::Unknown(why),
                    reads_changed_key: false,
                };
                (entry.decision.as_deref().map(command_of), ruled)
            }
        };
        let Some(command) = command else {
            return Ok(Judged::gone(StepChange::Frozen));
        };
        Ok(Self::judge_ruled(entry, stand, command, ruled))
    }
}

/// What a command that was decided again is beside the recorded one.
fn compared(entry: &Entry, events: &[Event], rejection: Option<&Rejection>) -> StepChange {
    match (recorded_rejection(entry), rejection) {
        (Some(_), None) | (None, Some(_)) => StepChange::Flip,
        (Some(was), Some(is)) if was == *is => StepChange::Same,
        (Some(_), Some(_)) => StepChange::Changed,
        (None, None) => {
            let same = entry.events.len() == events.len()
                && entry.events.iter().zip(events).all(|(was, is)| {
                    let moved = Event {
                        position: is.position,
                        revision: is.revision,
                        ..was.clone()
                    };
                    moved == *is
                });
            if same {
                StepChange::Same
            } else {
                StepChange::Changed
            }
        }
    }
}

fn recorded_rejection(entry: &Entry) -> Option<Rejection> {
    match &entry.decision.as_ref()?.result {
        Outcome::Rejected { rule, message } => Some(Rejection::new(rule, message)),
        Outcome::Accepted { .. } => None,
    }
}

/// Recorded events as they stand in the other world.
fn as_recorded(events: &[Event], after: Revision) -> Vec<Event> {
    let mut revision = after;
    let placed = |event: &Event| {
        revision = revision.next();
        Event {
            position: Position::ZERO,
            revision,
            ..event.clone()
        }
    };
    events.iter().map(placed).collect()
}

/// What an edit put among a command's events is one of them.
fn name_inserted(entry: &Entry, events: &mut [Event]) {
    let Some(decision) = &entry.decision else {
        return;
    };
    for event in events {
        let is_recorded = entry
            .events
            .iter()
            .any(|recorded| recorded.event_id == event.event_id);
        if !is_recorded && event.causation_id.is_none() {
            event.causation_id = Some(decision.command_id.clone());
        }
    }
}

fn new_event(event: &Event) -> NewEvent {
    NewEvent {
        event_type: event.event_type.clone(),
        data: event.data.clone(),
        schema_version: Some(event.schema_version),
        event_id: Some(event.event_id.clone()),
        recorded_at: Some(event.recorded_at),
        actor: event.actor.clone(),
        reason: event.reason.clone(),
        correlation_id: event.correlation_id.clone(),
        causation_id: event.causation_id.clone(),
        metadata: event.metadata.clone(),
    }
}
