//! The questions of a screen that are under way.
//!
//! Owns which reply a screen still waits for. A reply reaches a screen only through a ticket kept here: what was asked again,
//! given up, or belongs to an earlier query has no ticket any more, and its reply is dropped.

use std::collections::BTreeMap;

use whodunit_core::time::Timestamp;

use super::App;
use crate::effect::{Effect, Ticket};
use crate::request::{Request, Slot};

#[derive(Debug, Clone, PartialEq)]
struct Question {
    ticket: Ticket,
    request: Request,
    /// What is loading, for the top line; empty for what is asked again and again by itself.
    what: String,
    since: Timestamp,
}

/// How long a wait is before `Esc` ends it, whatever it is for.
const LONG_MICROS: i64 = 1_000_000;

/// At most one question of each kind.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Asked {
    questions: BTreeMap<Slot, Question>,
    /// The branch that the screen reads in place of the log.
    branch: Option<String>,
}

impl Asked {
    /// Of a screen that reads a branch, or the log.
    pub(crate) fn of_branch(branch: Option<String>) -> Self {
        Self {
            questions: BTreeMap::new(),
            branch,
        }
    }

    /// The branch that the screen reads in place of the log.
    pub(crate) fn branch(&self) -> Option<&str> {
        self.branch.as_deref()
    }

    /// Asks; an earlier question of the same kind is given up.
    pub(crate) fn ask(
        &mut self,
        app: &mut App,
        what: impl Into<String>,
        request: Request,
    ) -> Effect {
        let branch = self.branch.clone();
        self.ask_in(app, what, request, branch)
    }

    /// Asks about a branch, whatever the screen reads.
    pub(crate) fn ask_in(
        &mut self,
        app: &mut App,
        what: impl Into<String>,
        request: Request,
        branch: Option<String>,
    ) -> Effect {
        let ticket = app.tickets.draw();
        let question = Question {
            ticket,
            request: request.clone(),
            what: what.into(),
            since: app.now,
        };
        self.questions.insert(request.slot(), question);
        Effect::Ask {
            ticket,
            request: Box::new(request),
            branch,
        }
    }

    /// Asks, unless this very question is under way.
    pub(crate) fn ask_once(
        &mut self,
        app: &mut App,
        what: impl Into<String>,
        request: Request,
    ) -> Option<Effect> {
        let known = self.questions.get(&request.slot());
        if known.is_some_and(|question| question.request == request) {
            return None;
        }
        Some(self.ask(app, what, request))
    }

    /// Whether a question of this kind is under way.
    pub(crate) fn has(&self, slot: Slot) -> bool {
        self.questions.contains_key(&slot)
    }

    /// Since when a question of this kind is under way.
    pub(crate) fn since(&self, slot: Slot) -> Option<Timestamp> {
        self.questions.get(&slot).map(|question| question.since)
    }

    /// Gives up on a question.
    pub(crate) fn forget(&mut self, slot: Slot) {
        self.questions.remove(&slot);
    }

    /// Gives up on all of them.
    pub(crate) fn forget_all(&mut self) {
        self.questions.clear();
    }

    /// Gives up on all of them but one.
    pub(crate) fn forget_all_but(&mut self, kept: Slot) {
        self.questions.retain(|slot, _| *slot == kept);
    }

    /// Which question a ticket is of.
    pub(crate) fn slot_of(&self, ticket: Ticket) -> Option<Slot> {
        let (&slot, _) = self
            .questions
            .iter()
            .find(|(_, asked)| asked.ticket == ticket)?;
        Some(slot)
    }

    /// Takes the question of a ticket off the list, if it is on it.
    pub(crate) fn answered(&mut self, ticket: Ticket) -> Option<Slot> {
        let (&slot, _) = self
            .questions
            .iter()
            .find(|(_, asked)| asked.ticket == ticket)?;
        self.questions.remove(&slot);
        Some(slot)
    }

    /// What is loading for longest, if it is worth a word, and since when.
    pub(crate) fn what(&self) -> Option<(&str, Timestamp)> {
        let oldest = self.shown().min_by_key(|(_, question)| question.since)?;
        Some((&oldest.1.what, oldest.1.since))
    }

    /// The kinds of question whose loading the user sees.
    pub(crate) fn shown_slots(&self) -> impl Iterator<Item = Slot> {
        self.shown().map(|(slot, _)| slot)
    }

    /// The kinds of question that the user has waited for long enough to want to end that.
    pub(crate) fn long_slots(&self, now: Timestamp) -> impl Iterator<Item = Slot> {
        let long = self.shown().filter(move |(_, question)| {
            now.as_micros() - question.since.as_micros() >= LONG_MICROS
        });
        long.map(|(slot, _)| slot)
    }

    fn shown(&self) -> impl Iterator<Item = (Slot, &Question)> {
        let all = self
            .questions
            .iter()
            .map(|(&slot, question)| (slot, question));
        all.filter(|(_, question)| !question.what.is_empty())
    }

    pub(crate) fn tickets(&self) -> impl Iterator<Item = Ticket> {
        self.questions.values().map(|question| question.ticket)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.questions.is_empty()
    }
}
