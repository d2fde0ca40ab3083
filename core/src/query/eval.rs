//! What a line says of an event or a decision.

use std::cmp::Ordering;

use super::{Field, Kind, Near, Query, Term, Towards, Within};
use crate::command::{Decision, Outcome};
use crate::event::Event;
use crate::ids::{Revision, StreamName};
use crate::json::State;
use crate::model::Model;
use crate::predicate::{Before, Predicate, Scope, TooMuchWork, Truth, Undefined};
use crate::time::Timestamp;

/// What a line is asked about, as it may be shown.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// An event.
    Event(&'a Event),
    /// A decision.
    Decision(&'a Decision),
}

impl<'a> Subject<'a> {
    /// Its stream.
    pub fn stream(self) -> &'a StreamName {
        match self {
            Self::Event(event) => &event.stream,
            Self::Decision(decision) => &decision.stream,
        }
    }

    /// When it was recorded.
    pub fn at(self) -> Timestamp {
        match self {
            Self::Event(event) => event.recorded_at,
            Self::Decision(decision) => decision.decided_at,
        }
    }

    /// What it belongs to.
    pub fn correlation(self) -> Option<&'a str> {
        match self {
            Self::Event(event) => event.correlation_id.as_deref(),
            Self::Decision(decision) => decision.correlation_id.as_deref(),
        }
    }

    /// The revision that its state stands after: an event's own, the one that a decision was made on.
    pub fn revision(self) -> Revision {
        match self {
            Self::Event(event) => event.revision,
            Self::Decision(decision) => decision.base_revision,
        }
    }

    fn reason(self) -> Option<&'a str> {
        match self {
            Self::Event(event) => event.reason.as_deref(),
            Self::Decision(decision) => decision.reason.as_deref(),
        }
    }

    fn field(self, field: Field) -> Option<&'a str> {
        match (self, field) {
            (_, Field::Category) => Some(self.stream().category()),
            (_, Field::Stream) => Some(self.stream().as_str()),
            (_, Field::Correlation) => self.correlation(),
            (Self::Event(event), Field::Type) => Some(&event.event_type),
            (Self::Event(event), Field::Actor) => event.actor.as_deref(),
            (Self::Event(event), Field::Causation) => event.causation_id.as_deref(),
            (Self::Event(event), Field::Id) => Some(&event.event_id),
            (Self::Event(_), Field::Rule) => None,
            (Self::Decision(decision), Field::Type) => Some(&decision.command_type),
            (Self::Decision(decision), Field::Actor) => decision.actor.as_deref(),
            (Self::Decision(decision), Field::Causation) => decision.causation_id.as_deref(),
            (Self::Decision(decision), Field::Id) => Some(&decision.command_id),
            (Self::Decision(decision), Field::Rule) => match &decision.result {
                Outcome::Rejected { rule, .. } => Some(rule),
                Outcome::Accepted { .. } => None,
            },
        }
    }

    fn is_rejected(self) -> Option<bool> {
        match self {
            Self::Event(_) => None,
            Self::Decision(decision) => Some(matches!(decision.result, Outcome::Rejected { .. })),
        }
    }
}

/// What a line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It matches.
    Yes,
    /// It does not match.
    No,
    /// It says nothing, and so does not match.
    Undecided(Undecided),
}

/// Why a line says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undecided {
    /// A condition asks for what is not there, or is of another type: it is neither true nor false.
    Undefined(Undefined),
    /// A condition takes too much work.
    TooMuchWork(TooMuchWork),
    /// The state could not be loaded.
    NoState,
    /// More events lie around it than are looked at.
    TooManyEvents,
}

impl Undecided {
    /// Whether it would have been decided with more work: otherwise there is nothing to decide.
    pub fn is_a_bound(self) -> bool {
        !matches!(self, Self::Undefined(_))
    }
}

/// An event that stands near another one.
#[derive(Debug, Clone, PartialEq)]
pub enum Neighbour {
    /// It, as it may be shown.
    Event(Box<Event>),
    /// There is none that far away.
    End,
    /// There may be one, further away than is looked.
    TooFar,
}

/// What a line asks about that is not in the record itself.
pub trait Context {
    /// Why it cannot be told.
    type Error;

    /// The model of a stream: whose secrets are hidden from conditions.
    fn model(&self, stream: &StreamName) -> Model;

    /// What a condition over the state says at an event or a decision.
    ///
    /// # Errors
    /// When the log cannot be read.
    fn condition(&mut self, predicate: &Predicate, at: Subject<'_>) -> Result<Answer, Self::Error>;

    /// The event so many steps from this one, from 1.
    ///
    /// # Errors
    /// When the log cannot be read.
    fn neighbour(
        &mut self,
        of: Subject<'_>,
        within: Within,
        towards: Towards,
        steps: u64,
    ) -> Result<Neighbour, Self::Error>;

    /// Whether the neighbours of this one are known to be recorded in their order: then what is further away is later too.
    ///
    /// # Errors
    /// When the log cannot be read.
    fn is_in_time_order(&mut self, of: Subject<'_>, within: Within) -> Result<bool, Self::Error>;
}

impl Term {
    /// What asking it costs, as a rank.
    pub(super) fn cost(&self) -> u8 {
        match &self.kind {
            Kind::Field(..) | Kind::Rejected(_) | Kind::Since(_) | Kind::Until(_) => 0,
            Kind::Reason(_) => 1,
            Kind::Text(_) => 2,
            Kind::Where(predicate) if !needs_state(predicate) => 3,
            Kind::Where(_) => 4,
            Kind::Near(_) => 5,
        }
    }

    pub(super) fn needs_context(&self) -> bool {
        self.cost() >= 4
    }
}

/// Whether a condition asks about the state, or the one before.
pub(super) fn needs_state(predicate: &Predicate) -> bool {
    let needs = predicate.needs();
    needs.before != Before::Nothing
        || needs
            .state_keys
            .as_ref()
            .is_none_or(|keys| !keys.is_empty())
}

impl Answer {
    /// An answer of a condition.
    pub fn of_condition(truth: Result<Truth, TooMuchWork>) -> Self {
        match truth {
            Ok(Truth::True) => Self::Yes,
            Ok(Truth::False) => Self::No,
            Ok(Truth::Undefined(why)) => Self::Undecided(Undecided::Undefined(why)),
            Err(why) => Self::Undecided(Undecided::TooMuchWork(why)),
        }
    }

    fn plain(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }

    fn negated(self, negated: bool) -> Self {
        match self {
            Self::Yes if negated => Self::No,
            Self::No if negated => Self::Yes,
            other => other,
        }
    }
}

impl Query {
    /// What the terms say that need nothing but the record: `None` when that does not decide it. The model is the one of its
    /// category.
    pub fn glance(&self, of: Subject<'_>, model: &Model) -> Option<Answer> {
        let mut undecided = None;
        let mut is_whole = true;
        for term in &self.terms {
            if term.needs_context() {
                is_whole = false;
                continue;
            }
            match term.answer_alone(of, model) {
                Answer::Yes => {}
                Answer::No => return Some(Answer::No),
                Answer::Undecided(why) => undecided = undecided.or(Some(why)),
            }
        }
        let answer = undecided.map_or(Answer::Yes, Answer::Undecided);
        is_whole.then_some(answer)
    }

    /// What it says of an event or a decision.
    ///
    /// # Errors
    /// When the context cannot tell.
    pub fn answer<C: Context + ?Sized>(
        &self,
        of: Subject<'_>,
        context: &mut C,
    ) -> Result<Answer, C::Error> {
        let model = context.model(of.stream());
        let mut undecided = None;
        for term in &self.terms {
            match term.answer(of, &model, context)? {
                Answer::Yes => {}
                Answer::No => return Ok(Answer::No),
                Answer::Undecided(why) => undecided = undecided.or(Some(why)),
            }
        }
        Ok(undecided.map_or(Answer::Yes, Answer::Undecided))
    }

    /// Why it was undecided, as a sentence without its full stop.
    pub fn describe(&self, why: Undecided) -> String {
        match why {
            Undecided::Undefined(why) => {
                let predicates = self.terms.iter().filter_map(|term| match &term.kind {
                    Kind::Where(predicate) => Some(predicate),
                    _ => None,
                });
                // With several conditions it is not known which one it was.
                let mut predicates = predicates.take(2);
                match (predicates.next(), predicates.next()) {
                    (Some(predicate), None) => predicate.describe(why),
                    _ => {
                        "the condition needs a value that is missing or of another type".to_owned()
                    }
                }
            }
            Undecided::TooMuchWork(why) => why.to_string(),
            Undecided::NoState => "the state could not be loaded".to_owned(),
            Undecided::TooManyEvents => "too many events lie around it to check".to_owned(),
        }
    }
}

impl Term {
    fn answer<C: Context + ?Sized>(
        &self,
        of: Subject<'_>,
        model: &Model,
        context: &mut C,
    ) -> Result<Answer, C::Error> {
        let answer = match &self.kind {
            Kind::Where(predicate) if needs_state(predicate) => context.condition(predicate, of)?,
            Kind::Near(near) => near.answer(of, context)?,
            _ => return Ok(self.answer_alone(of, model)),
        };
        Ok(answer.negated(self.negated))
    }

    /// The answer of a term that needs nothing but the record.
    fn answer_alone(&self, of: Subject<'_>, model: &Model) -> Answer {
        let answer = match &self.kind {
            Kind::Field(field, patterns) => {
                let value = of.field(*field);
                Answer::plain(
                    value
                        .is_some_and(|value| patterns.iter().any(|pattern| pattern.matches(value))),
                )
            }
            Kind::Reason(texts) => Answer::plain(
                of.reason()
                    .is_some_and(|reason| texts.iter().any(|text| text.search.in_text(reason))),
            ),
            Kind::Rejected(wanted) => Answer::plain(of.is_rejected() == Some(*wanted)),
            Kind::Since(at) => Answer::plain(of.at() >= *at),
            Kind::Until(at) => Answer::plain(of.at() <= *at),
            Kind::Text(text) => Answer::plain(match of {
                Subject::Event(event) => text.search.in_event(event),
                Subject::Decision(decision) => text.search.in_decision(decision),
            }),
            Kind::Where(predicate) => {
                let state = State::new();
                let scope = Scope::new(model, &state);
                Answer::of_condition(predicate.evaluate(&match of {
                    Subject::Event(event) => scope.with_event(Some(event)),
                    Subject::Decision(decision) => scope.with_decision(Some(decision)),
                }))
            }
            Kind::Near(_) => Answer::Undecided(Undecided::NoState),
        };
        answer.negated(self.negated)
    }
}

impl Near {
    fn answer<C: Context + ?Sized>(
        &self,
        of: Subject<'_>,
        context: &mut C,
    ) -> Result<Answer, C::Error> {
        let found = self.find(of, context)?;
        Ok(found.negated(self.absent))
    }

    fn find<C: Context + ?Sized>(
        &self,
        of: Subject<'_>,
        context: &mut C,
    ) -> Result<Answer, C::Error> {
        let ordered = self.window.is_some() && context.is_in_time_order(of, self.within)?;
        let mut undecided = None;
        for steps in 1.. {
            let event = match context.neighbour(of, self.within, self.towards, steps)? {
                Neighbour::Event(event) => event,
                Neighbour::End => break,
                Neighbour::TooFar => {
                    return Ok(Answer::Undecided(Undecided::TooManyEvents));
                }
            };
            let away = of.at().as_micros().abs_diff(event.recorded_at.as_micros());
            let window = self.window.map_or(u64::MAX, i64::unsigned_abs);
            match (away.cmp(&window), ordered) {
                (Ordering::Greater, true) => break,
                (Ordering::Greater, false) => continue,
                _ => {}
            }
            match self.query.answer(Subject::Event(&event), context)? {
                Answer::Yes => return Ok(Answer::Yes),
                Answer::No => {}
                Answer::Undecided(why) => undecided = undecided.or(Some(why)),
            }
        }
        Ok(undecided.map_or(Answer::No, Answer::Undecided))
    }
}
