//! The query line: which events, decisions and streams are wanted, in one line.
//!
//! Owns the language: what is read, what is wrong with a line and where, how a line is printed, and what it says of an event
//! or a decision. What lies beyond the record itself (the state at it, the events around it) comes from a [`Context`]. Pure:
//! the clock and the zone are arguments, and nothing is looked up. Sees nothing that is not shown: records come in as they
//! may be shown, and a secret field of a state reads as its mark.
//!
//! `docs/QUERY.md` states the grammar.

mod error;
mod eval;
mod parse;
mod pattern;
mod plan;
mod print;
mod scan;
#[cfg(test)]
mod tests;

pub use error::QueryError;
pub use eval::{Answer, Context, Neighbour, Subject, Undecided};
pub use pattern::Pattern;
pub use plan::Words;

use crate::predicate::Predicate;
use crate::search::Search;
use crate::time::Timestamp;

/// Bytes of a query line.
pub const QUERY_BYTES_MAX: usize = 4 << 10;
/// Terms of a query line, those within others too.
pub const QUERY_TERMS_MAX: usize = 64;

/// A query line that was read and checked. All of its terms must hold.
#[derive(Debug, Clone, Default)]
pub struct Query {
    terms: Vec<Term>,
}

/// A term of a line.
#[derive(Debug, Clone)]
struct Term {
    /// Whether it must not hold.
    negated: bool,
    kind: Kind,
}

/// What a term asks.
#[derive(Debug, Clone)]
enum Kind {
    /// A field has one of these values.
    Field(Field, Vec<Pattern>),
    /// One of these texts occurs in the reason.
    Reason(Vec<Text>),
    /// The rules refused it (`true`) or accepted it.
    Rejected(bool),
    /// Recorded at this time or later.
    Since(Timestamp),
    /// Recorded at this time or before.
    Until(Timestamp),
    /// A condition holds after it.
    Where(Box<Predicate>),
    /// A text occurs in what is shown of it.
    Text(Box<Text>),
    /// Another event stands before or after it.
    Near(Box<Near>),
}

/// A text that is sought, and how it was written.
#[derive(Debug, Clone)]
struct Text {
    text: String,
    search: Search,
}

/// Fields with one value, which is matched as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field {
    /// The event's or the command's type.
    Type,
    /// The stream's category.
    Category,
    /// The stream.
    Stream,
    /// The actor.
    Actor,
    /// The correlation id.
    Correlation,
    /// The causation id.
    Causation,
    /// The event's or the command's id.
    Id,
    /// The rule that refused a command.
    Rule,
}

impl Field {
    const ALL: [Self; 8] = [
        Self::Type,
        Self::Category,
        Self::Stream,
        Self::Actor,
        Self::Correlation,
        Self::Causation,
        Self::Id,
        Self::Rule,
    ];

    /// Its key in a line.
    pub fn key(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Category => "category",
            Self::Stream => "stream",
            Self::Actor => "actor",
            Self::Correlation => "correlation",
            Self::Causation => "causation",
            Self::Id => "id",
            Self::Rule => "rule",
        }
    }
}

/// Another event before or after the one that is asked about.
#[derive(Debug, Clone)]
struct Near {
    towards: Towards,
    /// Whether there must be none.
    absent: bool,
    query: Query,
    /// At most so many microseconds away, by the times they were recorded at; `None` for any time.
    window: Option<i64>,
    within: Within,
}

/// Which way from an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Towards {
    /// What stands before it.
    Before,
    /// What stands after it.
    After,
}

/// Among which events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Within {
    /// Those of its stream, in the order of revisions.
    Stream,
    /// Those of its correlation, in the order of their times, and of positions where those are equal.
    Correlation,
}

impl Query {
    /// The line that asks for nothing in particular: everything matches.
    pub fn everything() -> Self {
        Self::default()
    }

    /// Whether every record matches.
    pub fn is_everything(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether decisions are asked for, not events: by their outcome or rule, or by a condition over them.
    pub fn is_of_decisions(&self) -> bool {
        self.terms.iter().any(|term| match &term.kind {
            Kind::Field(Field::Rule, _) | Kind::Rejected(_) => true,
            Kind::Where(predicate) => predicate.needs().decision,
            _ => false,
        })
    }

    /// The same, and this field has this value.
    #[must_use]
    pub fn and_field(mut self, field: Field, value: impl Into<String>) -> Self {
        let kind = Kind::Field(field, vec![Pattern::exact(value)]);
        self.push(kind);
        self
    }

    /// The same, recorded at this time or later.
    #[must_use]
    pub fn and_since(mut self, at: Timestamp) -> Self {
        self.push(Kind::Since(at));
        self
    }

    /// The same, recorded at this time or before.
    #[must_use]
    pub fn and_until(mut self, at: Timestamp) -> Self {
        self.push(Kind::Until(at));
        self
    }

    /// The same, and this text occurs; the empty text occurs in everything.
    #[must_use]
    pub fn and_text(mut self, text: &str) -> Self {
        if let Some(search) = Search::new(text) {
            let text = text.to_owned();
            self.push(Kind::Text(Box::new(Text { text, search })));
        }
        self
    }

    /// The same, and it was rejected, or accepted.
    #[must_use]
    pub fn and_rejected(mut self, rejected: bool) -> Self {
        self.push(Kind::Rejected(rejected));
        self
    }

    fn push(&mut self, kind: Kind) {
        let negated = false;
        self.terms.push(Term { negated, kind });
        self.terms.sort_by_key(Term::cost);
    }
}
