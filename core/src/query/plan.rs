//! What of a line an index can answer.

use super::{Field, Kind, Pattern, Query, Towards};
use crate::time::Timestamp;

/// What a term asks of a field: one of these values, or none of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// The field.
    pub field: Field,
    /// The values.
    pub patterns: Vec<Pattern>,
    /// Whether it must have none of them. A field that is absent has none.
    pub negated: bool,
}

impl Words {
    /// Whether a value is wanted; `None` for a field that is absent.
    pub fn admits(&self, value: Option<&str>) -> bool {
        let has = value.is_some_and(|value| self.patterns.iter().any(|own| own.matches(value)));
        has != self.negated
    }
}

impl Query {
    /// What its terms ask of fields: all of it must hold.
    pub fn words(&self) -> impl Iterator<Item = Words> + '_ {
        self.terms.iter().filter_map(|term| match &term.kind {
            Kind::Field(field, patterns) => Some(Words {
                field: *field,
                patterns: patterns.clone(),
                negated: term.negated,
            }),
            _ => None,
        })
    }

    /// The names that its terms say in full for a field, those in terms about other events too: for hints when one of them is
    /// not known.
    pub fn names(&self, field: Field) -> Vec<&str> {
        let mut names = Vec::new();
        for term in &self.terms {
            match &term.kind {
                Kind::Field(own, patterns) if *own == field => {
                    names.extend(patterns.iter().filter_map(Pattern::as_exact));
                }
                Kind::Near(near) => names.extend(near.query.names(field)),
                _ => {}
            }
        }
        names
    }

    /// The time before which nothing is wanted.
    pub fn since(&self) -> Option<Timestamp> {
        let times = self.terms.iter().filter_map(|term| match term.kind {
            Kind::Since(at) if !term.negated => Some(at),
            Kind::Until(at) if term.negated => Some(at.plus_micros(1)),
            _ => None,
        });
        times.max()
    }

    /// The time after which nothing is wanted.
    pub fn until(&self) -> Option<Timestamp> {
        let times = self.terms.iter().filter_map(|term| match term.kind {
            Kind::Until(at) if !term.negated => Some(at),
            Kind::Since(at) if term.negated => Some(at.plus_micros(-1)),
            _ => None,
        });
        times.min()
    }

    /// Whether more than the fields and the time of an event is asked for.
    pub fn asks_for_more_than_fields(&self) -> bool {
        let in_fields =
            |kind: &Kind| matches!(kind, Kind::Field(..) | Kind::Since(_) | Kind::Until(_));
        !self.terms.iter().all(|term| in_fields(&term.kind))
    }

    /// Whether states or other events must be looked at.
    pub fn needs_context(&self) -> bool {
        self.terms.iter().any(super::Term::needs_context)
    }

    /// Whether what comes after an event is asked about.
    pub fn asks_for_later(&self) -> bool {
        let later =
            |kind: &Kind| matches!(kind, Kind::Near(near) if near.towards == Towards::After);
        self.terms.iter().any(|term| later(&term.kind))
    }

    /// Whether only rejected (`Some(true)`) or only accepted decisions are wanted.
    pub fn rejected(&self) -> Option<bool> {
        self.terms.iter().find_map(|term| match term.kind {
            Kind::Rejected(rejected) => Some(rejected != term.negated),
            _ => None,
        })
    }

    /// The values of fields that its own conditions demand: where one of these is not met, the line does not match.
    pub fn demands(&self) -> impl Iterator<Item = crate::predicate::Demand> + '_ {
        let conditions = self.terms.iter().filter_map(|term| match &term.kind {
            Kind::Where(predicate) if !term.negated => Some(predicate),
            _ => None,
        });
        conditions.flat_map(|predicate| predicate.demands())
    }

    /// The conditions over the state that its own terms have.
    pub fn conditions_on_state(&self) -> impl Iterator<Item = &crate::predicate::Predicate> {
        self.terms.iter().filter_map(|term| match &term.kind {
            Kind::Where(predicate) if super::eval::needs_state(predicate) => Some(&**predicate),
            _ => None,
        })
    }
}
