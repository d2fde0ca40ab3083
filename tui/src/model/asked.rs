//! The questions of a screen that are under way.
//!
//! Owns which reply a screen still waits for. A reply reaches a screen only through a ticket kept here: what was asked again,
//! given up, or belongs to an earlier query has no ticket any more, and its reply is dropped.

use std::collections::BTreeMap;

use super::App;
use crate::effect::{Effect, Ticket};
use crate::request::{Request, Slot};

#[derive(Debug, Clone, PartialEq)]
struct Question {
    ticket: Ticket,
    request: Request,
    /// What is loading, for the top line; empty for what is asked again and again by itself.
    what: String,
}

/// At most one question of each kind.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Asked(BTreeMap<Slot, Question>);

impl Asked {
    /// Asks; an earlier question of the same kind is given up.
    pub(crate) fn ask(
        &mut self,
        app: &mut App,
        what: impl Into<String>,
        request: Request,
    ) -> Effect {
        let ticket = app.tickets.draw();
        let question = Question {
            ticket,
            request: request.clone(),
            what: what.into(),
        };
        self.0.insert(request.slot(), question);
        Effect::Ask {
            ticket,
            request: Box::new(request),
        }
    }

    /// Asks, unless this very question is under way.
    pub(crate) fn ask_once(
        &mut self,
        app: &mut App,
        what: impl Into<String>,
        request: Request,
    ) -> Option<Effect> {
        let known = self.0.get(&request.slot());
        if known.is_some_and(|question| question.request == request) {
            return None;
        }
        Some(self.ask(app, what, request))
    }

    /// Whether a question of this kind is under way.
    pub(crate) fn has(&self, slot: Slot) -> bool {
        self.0.contains_key(&slot)
    }

    /// Gives up on a question.
    pub(crate) fn forget(&mut self, slot: Slot) {
        self.0.remove(&slot);
    }

    /// Gives up on all of them.
    pub(crate) fn forget_all(&mut self) {
        self.0.clear();
    }

    /// Takes the question of a ticket off the list, if it is on it.
    pub(crate) fn answered(&mut self, ticket: Ticket) -> Option<Slot> {
        let (&slot, _) = self.0.iter().find(|(_, asked)| asked.ticket == ticket)?;
        self.0.remove(&slot);
        Some(slot)
    }

    /// What is loading, if it is worth a word.
    pub(crate) fn what(&self) -> Option<&str> {
        let mut texts = self.0.values().map(|question| question.what.as_str());
        texts.find(|what| !what.is_empty())
    }

    /// The kinds of question whose loading the user sees.
    pub(crate) fn shown(&self) -> impl Iterator<Item = Slot> {
        let shown = self.0.iter().filter(|(_, asked)| !asked.what.is_empty());
        shown.map(|(&slot, _)| slot)
    }

    pub(crate) fn tickets(&self) -> impl Iterator<Item = Ticket> {
        self.0.values().map(|question| question.ticket)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
