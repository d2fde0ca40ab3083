//! Expressions: a predicate as a tree.

use regex::Regex;
use serde_json::Value;

use crate::pointer::Pointer;
use crate::time::Timestamp;

/// An expression and where it stands in its text.
#[derive(Debug, Clone)]
pub(super) struct Expr {
    pub(super) kind: Kind,
    /// First byte and the one after its last.
    pub(super) span: (usize, usize),
}

/// By what they say, wherever they stand.
impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// A value that is written out: `null`, a boolean, a number, a text, a list of such.
    Constant(Value),
    /// `timestamp("…")` of a text that is written out.
    Moment(Timestamp),
    /// A list with elements that are not written out.
    List(Vec<Expr>),
    Root(Root),
    /// The variable of an `exists` or `all` around it.
    Variable(String),
    /// `/a/b`: a path of the state.
    Pointer(Pointer),
    Field(Box<Expr>, String),
    Index(Box<Expr>, Box<Expr>),
    /// `has(…)` of a field or pointer.
    Has(Box<Expr>),
    Not(Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Compare(Comparison, Box<Expr>, Box<Expr>),
    In(Box<Expr>, Box<Expr>),
    /// `a ? b : c`.
    If(Box<Expr>, Box<Expr>, Box<Expr>),
    /// `x.startsWith(y)` and its like.
    TextTest(TextTest, Box<Expr>, Box<Expr>),
    Matches(Box<Expr>, Pattern),
    Size(Box<Expr>),
    Timestamp(Box<Expr>),
    /// `x.exists(v, …)` and its like.
    Quantified(Quantifier, Box<Expr>, String, Box<Expr>),
    /// `changed("/p")`.
    Changed(Pointer),
    /// `was("/p")`.
    Was(Pointer),
}

/// What can be asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Root {
    State,
    Before,
    Event,
    Decision,
}

impl Root {
    pub(super) const ALL: [Self; 4] = [Self::State, Self::Before, Self::Event, Self::Decision];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Before => "before",
            Self::Event => "event",
            Self::Decision => "decision",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextTest {
    StartsWith,
    EndsWith,
    Contains,
}

impl TextTest {
    pub(super) const ALL: [Self; 3] = [Self::StartsWith, Self::EndsWith, Self::Contains];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::StartsWith => "startsWith",
            Self::EndsWith => "endsWith",
            Self::Contains => "contains",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quantifier {
    Exists,
    ExistsOne,
    All,
}

impl Quantifier {
    pub(super) const ALL: [Self; 3] = [Self::Exists, Self::ExistsOne, Self::All];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Exists => "exists",
            Self::ExistsOne => "exists_one",
            Self::All => "all",
        }
    }
}

/// A regular expression; two are equal when they are spelt alike.
#[derive(Debug, Clone)]
pub(super) struct Pattern(pub(super) Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}
