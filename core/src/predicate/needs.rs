//! Needs: what a predicate asks about, so that no more than that is brought to it.

use serde_json::Value;

use super::expr::{Expr, Kind, Root};
use crate::json::State;
use crate::pointer::{Pointer, index};

/// What a predicate must be given to say anything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Needs {
    /// The state before the event, or a part of it.
    pub before: Before,
    /// The keys of the state; `None` for all of it.
    pub state_keys: Option<Vec<String>>,
    /// The event.
    pub event: bool,
    /// The decision.
    pub decision: bool,
}

impl Needs {
    fn add_key(&mut self, path: &[String]) {
        match (path.first(), &mut self.state_keys) {
            (Some(key), Some(keys)) if keys.contains(key) => {}
            (Some(key), Some(keys)) => keys.push(key.clone()),
            (None, keys) => *keys = None,
            (_, None) => {}
        }
    }
}

/// What a predicate asks of the state before the event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Before {
    /// Nothing.
    #[default]
    Nothing,
    /// What is at these paths: none leads into another.
    Paths(Vec<Pointer>),
    /// All of it.
    Whole,
}

impl Before {
    /// The part of a state that is asked for; `None` for nothing. To the predicate it is as good as the whole state.
    pub fn part(&self, state: &State) -> Option<State> {
        match self {
            Self::Nothing => None,
            Self::Whole => Some(state.clone()),
            Self::Paths(paths) => {
                let mut part = State::new();
                for path in paths {
                    copy(state, path.tokens(), &mut part);
                }
                Some(part)
            }
        }
    }

    fn add(&mut self, path: Pointer) {
        if path.is_root() {
            *self = Self::Whole;
        }
        match self {
            Self::Whole => {}
            Self::Nothing => *self = Self::Paths(vec![path]),
            Self::Paths(paths) => {
                if !paths.iter().any(|known| known.covers(&path)) {
                    paths.retain(|known| !path.covers(known));
                    paths.push(path);
                }
            }
        }
    }
}

/// Copies what is at a path, and of what holds it no more than that it is there.
fn copy(from: &State, path: &[String], to: &mut State) {
    let Some((first, rest)) = path.split_first() else {
        return;
    };
    match from.get(first) {
        None => {}
        Some(Value::Object(inner)) if !rest.is_empty() => {
            let slot = to
                .entry(first.clone())
                .or_insert_with(|| State::new().into());
            if let Value::Object(part) = slot {
                copy(inner, rest, part);
            }
        }
        Some(value) => {
            to.insert(first.clone(), value.clone());
        }
    }
}

/// What an expression needs.
pub(super) fn find(expr: &Expr) -> Needs {
    let mut needs = Needs {
        state_keys: Some(Vec::new()),
        ..Needs::default()
    };
    walk(expr, &mut needs);
    needs
}

fn walk(expr: &Expr, needs: &mut Needs) {
    if let Some((root, path)) = path_of(expr) {
        match root {
            Root::State => needs.add_key(path.tokens()),
            Root::Before => needs.before.add(path),
            Root::Event => needs.event = true,
            Root::Decision => needs.decision = true,
        }
        return;
    }
    match &expr.kind {
        Kind::Constant(_) | Kind::Moment(_) | Kind::Variable(_) | Kind::Root(_) => {}
        Kind::Pointer(path) => needs.add_key(path.tokens()),
        Kind::Changed(path) => {
            needs.add_key(path.tokens());
            needs.before.add(up_to_list(path.tokens()));
        }
        Kind::Was(path) => needs.before.add(up_to_list(path.tokens())),
        Kind::Field(inner, _)
        | Kind::Has(inner)
        | Kind::Not(inner)
        | Kind::Matches(inner, _)
        | Kind::Size(inner)
        | Kind::Timestamp(inner) => walk(inner, needs),
        Kind::Index(a, b)
        | Kind::Compare(_, a, b)
        | Kind::In(a, b)
        | Kind::TextTest(_, a, b)
        | Kind::Quantified(_, a, _, b) => {
            walk(a, needs);
            walk(b, needs);
        }
        Kind::If(a, b, c) => {
            for part in [a, b, c] {
                walk(part, needs);
            }
        }
        Kind::And(parts) | Kind::Or(parts) | Kind::List(parts) => {
            for part in parts {
                walk(part, needs);
            }
        }
    }
}

/// The path of an expression that is a root and fields of it by name.
pub(super) fn path_of(expr: &Expr) -> Option<(Root, Pointer)> {
    fn tokens(expr: &Expr) -> Option<(Root, Vec<String>)> {
        let (inner, name) = match &expr.kind {
            Kind::Root(root) => return Some((*root, Vec::new())),
            Kind::Field(inner, name) => (inner, name),
            Kind::Index(inner, key) => match &key.kind {
                Kind::Constant(Value::String(name)) => (inner, name),
                _ => return None,
            },
            _ => return None,
        };
        let (root, mut path) = tokens(inner)?;
        path.push(name.clone());
        Some((root, path))
    }
    tokens(expr).map(|(root, path)| (root, Pointer::new(path)))
}

/// A path up to the first token that may be an index: lists are taken whole.
fn up_to_list(tokens: &[String]) -> Pointer {
    let keys = tokens.iter().take_while(|token| index(token).is_none());
    Pointer::new(keys.cloned().collect())
}
