//! What is not on record at its place: added commands and events, and recorded ones that come from elsewhere.

use super::super::ask::{Ruling, Stand};
use super::super::history::History;
use super::super::place::{Place, command_of};
use super::super::plan::{Added, Addition, By};
use super::super::world::in_other_world;
use super::{Judged, Ran, Run};
use crate::admission;
use crate::api::what_if::{StepChange, WhatIfCommand};
use crate::command::Rejection;
use crate::decide::state_and_keys_after;
use crate::event::NewEvent;
use crate::keys::UniqueKey;
use crate::model::Model;
use crate::time::Timestamp;
use crate::what_if::WhatIfError;

impl<H: History> Run<'_, H> {
    /// Something that is not on record at its place.
    pub(super) fn add(&mut self, place: Place, addition: Addition) -> Ran<(), H> {
        let Addition {
            position,
            stream,
            at,
            what,
        } = addition;
        let stand = self.stand_at(&stream, position)?;
        let edited = !matches!(
            what,
            Added::Command { by: By::Do(_), .. } | Added::Event { by: By::Do(_), .. }
        );
        let (type_name, judged) = match what {
            Added::Command { command, by } => {
                let judged = self.add_command(&stand, &command, at, by)?;
                (command.command_type, judged)
            }
            Added::Event { event, by } => {
                let type_name = event.event_type.clone();
                (type_name, self.add_event(&stand, event, at, by)?)
            }
            Added::Moved(entry) => {
                let Some(decision) = &entry.decision else {
                    return Ok(());
                };
                let mut command = command_of(decision);
                command.issued_at = at;
                let recorded = (&**decision, entry.events.as_slice());
                let ruled = self.ask_recorded(&stand, command.clone(), recorded)?;
                let judged = Self::judge_ruled(&entry, &stand, command, ruled);
                self.gone_from(&entry, &judged, place)?;
                (decision.command_type.clone(), judged)
            }
        };
        let change = match judged.change {
            StepChange::Frozen => StepChange::Frozen,
            _ => StepChange::Added,
        };
        let judged = Judged {
            change,
            edited,
            ..judged
        };
        self.apply(place, (&stand, position), &type_name, (None, judged))
    }

    fn add_command(
        &mut self,
        stand: &Stand,
        asked: &WhatIfCommand,
        at: Timestamp,
        by: By,
    ) -> Ran<Judged, H> {
        let model = self.rules_for(&stand.stream, None).clone();
        if !model.has_commands() {
            return Err(WhatIfError::NoModel {
                category: stand.stream.category().to_owned(),
                at: by.prefix(),
            }
            .into());
        }
        let expected = asked.expected_revision.unwrap_or_default();
        if !expected.admits(stand.revision) {
            return Err(WhatIfError::WrongRevision {
                at: by.prefix(),
                expected,
                actual: stand.revision,
            }
            .into());
        }
        let fresh_id = || match by {
            By::Edit(index) => format!("what-if-inserted-command-{}", index + 1),
            By::Do(index) => format!("what-if-command-{}", index + 1),
        };
        let mut judged = Judged {
            asked: true,
            ..Judged::gone(StepChange::Added)
        };
        match self.admitted(stand, asked, at, fresh_id, &by.prefix())? {
            Err(why) => {
                judged.asked = false;
                judged.change = StepChange::Frozen;
                judged.why = Some(format!(
                    "{why}. What follows is as if this command had not been sent"
                ));
            }
            Ok(command) => {
                match self.ask(&model, stand, &command, &[])?.ruling {
                    Ruling::Accepted(events) => judged.events = events,
                    Ruling::Rejected(rejection) => judged.rejection = Some(rejection),
                    Ruling::Unknown(why) => judged.why = Some(why),
                }
                judged.command = Some(command);
            }
        }
        Ok(judged)
    }

    fn add_event(
        &mut self,
        stand: &Stand,
        mut event: NewEvent,
        at: Timestamp,
        by: By,
    ) -> Ran<Judged, H> {
        let model = self.following.models.for_stream(&stand.stream).clone();
        if let By::Do(index) = by {
            let admitted = admission::appended(&model, &mut event, at);
            admitted.map_err(|invalid| {
                WhatIfError::from(invalid.into_problem(&format!("/do/{index}/event")))
            })?;
            let events = std::slice::from_ref(&event);
            if let (Some(rejection), _) = self.refuse_raw(stand, events, false, at)? {
                let key = taken_key(&model, stand, &event, &rejection, at);
                return Err(match key {
                    Some(key) => WhatIfError::KeyTaken { index, key }.into(),
                    None => WhatIfError::Prepare(rejection.message).into(),
                });
            }
        }
        let id = || match by {
            By::Edit(index) => format!("what-if-insert-{}", index + 1),
            By::Do(index) => format!("what-if-event-{}", index + 1),
        };
        let revision = stand.revision.next();
        let event = in_other_world(&model, &stand.stream, revision, &event, at, id);
        Ok(Judged {
            events: vec![event],
            ..Judged::gone(StepChange::Added)
        })
    }
}

/// The key that an event was refused for.
fn taken_key(
    model: &Model,
    stand: &Stand,
    event: &NewEvent,
    rejection: &Rejection,
    at: Timestamp,
) -> Option<UniqueKey> {
    let (_, keys) = state_and_keys_after(
        model,
        &stand.stream,
        &stand.state,
        stand.revision,
        std::slice::from_ref(event),
        at,
    );
    let mut keys = keys.into_iter().map(|change| change.key);
    keys.find(|key| key.rejection() == *rejection)
}
