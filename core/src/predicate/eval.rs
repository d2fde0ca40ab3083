//! Evaluation: what a predicate says of a state.
//!
//! Owns the meaning of each operator, and the bound on the work. Never copies a value: what is looked at stays where it is.

use std::cell::Cell;
use std::rc::Rc;

use super::expr::{Comparison, Expr, Kind, Quantifier, Root, TextTest};
use super::scope::Scope;
use super::value::{Seen, index};
use super::{PREDICATE_STEPS_MAX, TooMuchWork, Truth, Undefined, Why, fields};
use crate::json::State;
use crate::pointer::{self, Pointer};
use crate::same::same;

/// Why an expression has no value.
#[derive(Debug)]
pub(super) enum Fail {
    Undefined(Undefined),
    TooMuchWork,
}

/// What may still be done.
#[derive(Debug)]
pub(super) struct Steps(Cell<u64>);

impl Steps {
    pub(super) fn spend(&self, steps: u64) -> Result<(), Fail> {
        let left = self.0.get().checked_sub(steps).ok_or(Fail::TooMuchWork)?;
        self.0.set(left);
        Ok(())
    }
}

type Evaluated<'a> = Result<Seen<'a>, Fail>;

/// Evaluates a predicate.
pub(super) fn evaluate(expr: &Expr, scope: &Scope<'_>) -> Result<Truth, TooMuchWork> {
    let eval = Eval {
        scope,
        steps: Steps(Cell::new(PREDICATE_STEPS_MAX)),
    };
    match eval.truth(expr, None) {
        Ok(true) => Ok(Truth::True),
        Ok(false) => Ok(Truth::False),
        Err(Fail::Undefined(undefined)) => Ok(Truth::Undefined(undefined)),
        Err(Fail::TooMuchWork) => Err(TooMuchWork),
    }
}

struct Eval<'a> {
    scope: &'a Scope<'a>,
    steps: Steps,
}

/// A variable, and those around it.
struct Bound<'e, 'a> {
    name: &'e str,
    value: Seen<'a>,
    outer: Env<'e, 'a>,
}

type Env<'e, 'a> = Option<&'e Bound<'e, 'a>>;

fn fail<T>(expr: &Expr, why: Why) -> Result<T, Fail> {
    Err(Fail::Undefined(Undefined {
        span: expr.span,
        why,
    }))
}

fn mistyped<T>(expr: &Expr, found: &Seen<'_>, needed: &'static str) -> Result<T, Fail> {
    let found = found.kind();
    fail(expr, Why::Type { found, needed })
}

impl<'a> Eval<'a> {
    fn truth(&self, expr: &'a Expr, env: Env<'_, 'a>) -> Result<bool, Fail> {
        match self.value(expr, env)? {
            Seen::Bool(value) => Ok(value),
            other => mistyped(expr, &other, "true or false"),
        }
    }

    fn text(&self, expr: &'a Expr, env: Env<'_, 'a>) -> Result<&'a str, Fail> {
        match self.value(expr, env)? {
            Seen::Text(text) => Ok(text),
            other => mistyped(expr, &other, "a text"),
        }
    }

    fn value(&self, expr: &'a Expr, env: Env<'_, 'a>) -> Evaluated<'a> {
        self.steps.spend(1)?;
        let truth = match &expr.kind {
            Kind::Constant(value) => return Ok(Seen::from_value(value)),
            Kind::Moment(at) => return Ok(Seen::Time(*at)),
            Kind::List(items) => return self.items(items, env),
            Kind::Root(root) => return self.root(expr, *root),
            Kind::Variable(name) => return variable(expr, name, env),
            Kind::Pointer(path) => return self.at_path(expr, self.scope.state, path),
            Kind::Was(path) => {
                let before = self.before(expr)?;
                return self.at_path(expr, before, path);
            }
            Kind::Field(inner, name) => return self.field(expr, (inner, name), env),
            Kind::Index(inner, key) => return self.element(expr, (inner, key), env),
            Kind::If(condition, yes, no) => {
                let chosen = if self.truth(condition, env)? { yes } else { no };
                return self.value(chosen, env);
            }
            Kind::Size(inner) => return self.size(inner, env),
            Kind::Timestamp(inner) => return self.time(inner, env),
            Kind::Has(field) => self.has(field, env)?,
            Kind::Not(inner) => !self.truth(inner, env)?,
            Kind::And(parts) => !self.any(parts, false, env)?,
            Kind::Or(parts) => self.any(parts, true, env)?,
            Kind::Compare(comparison, left, right) => {
                self.compare(*comparison, left, right, env)?
            }
            Kind::In(item, list) => self.is_in(item, list, env)?,
            Kind::TextTest(test, text, part) => self.text_test(*test, text, part, env)?,
            Kind::Matches(text, pattern) => {
                let text = self.text(text, env)?;
                self.steps.spend(text.len() as u64)?;
                pattern.0.is_match(text)
            }
            Kind::Quantified(quantifier, list, name, body) => {
                self.quantified(*quantifier, list, (name, body), env)?
            }
            Kind::Changed(path) => self.changed(self.before(expr)?, path),
        };
        Ok(Seen::Bool(truth))
    }

    fn items(&self, items: &'a [Expr], env: Env<'_, 'a>) -> Evaluated<'a> {
        let items: Result<Rc<[Seen<'a>]>, Fail> =
            items.iter().map(|item| self.value(item, env)).collect();
        items.map(Seen::Items)
    }

    fn root(&self, expr: &Expr, root: Root) -> Evaluated<'a> {
        let seen = match root {
            Root::State => Some(Seen::Map(self.scope.state)),
            Root::Before => self.scope.before.map(Seen::Map),
            Root::Event => self.scope.event.map(Seen::Event),
            Root::Decision => self.scope.decision.map(Seen::Decision),
        };
        let what = match root {
            Root::Before => "state before",
            other => other.name(),
        };
        seen.map_or_else(|| fail(expr, Why::NotHere(what)), Ok)
    }

    fn before(&self, expr: &Expr) -> Result<&'a State, Fail> {
        let before = self.scope.before;
        before.map_or_else(|| fail(expr, Why::NotHere("state before")), Ok)
    }

    /// The value at a path of a state, as it is shown.
    fn at_path(&self, expr: &Expr, state: &'a State, path: &Pointer) -> Evaluated<'a> {
        let mut seen = Seen::Map(state);
        for token in path.tokens() {
            let next = match &seen {
                Seen::Map(map) => map
                    .get(token)
                    .map(|value| Seen::from_field(token, value, self.scope)),
                Seen::List(_) => pointer::index(token).and_then(|index| seen.element(index)),
                _ => None,
            };
            seen = next.map_or_else(|| fail(expr, Why::Absent), Ok)?;
        }
        Ok(seen)
    }

    /// A field; `None` where it is not there.
    fn lookup(
        &self,
        inner: &'a Expr,
        name: &str,
        env: Env<'_, 'a>,
    ) -> Result<Option<Seen<'a>>, Fail> {
        Ok(match self.value(inner, env)? {
            Seen::Map(map) => map
                .get(name)
                .map(|value| Seen::from_field(name, value, self.scope)),
            Seen::Event(event) => fields::of_event(event, name, self.scope),
            Seen::Decision(decision) => fields::of_decision(decision, name, self.scope),
            other => return mistyped(inner, &other, "an object"),
        })
    }

    fn field(
        &self,
        expr: &Expr,
        (inner, name): (&'a Expr, &str),
        env: Env<'_, 'a>,
    ) -> Evaluated<'a> {
        let found = self.lookup(inner, name, env)?;
        found.map_or_else(|| fail(expr, Why::Absent), Ok)
    }

    fn element(
        &self,
        expr: &Expr,
        (inner, key): (&'a Expr, &'a Expr),
        env: Env<'_, 'a>,
    ) -> Evaluated<'a> {
        let (list, key_seen) = (self.value(inner, env)?, self.value(key, env)?);
        let found = match (&list, &key_seen) {
            (Seen::Map(map), Seen::Text(name)) => map
                .get(*name)
                .map(|value| Seen::from_field(name, value, self.scope)),
            (Seen::Map(_), other) => return mistyped(key, other, "a text"),
            (Seen::List(_) | Seen::Items(_), other) => match other.number() {
                Some(number) => index(number).and_then(|index| list.element(index)),
                None => return mistyped(key, other, "a number"),
            },
            (other, _) => return mistyped(inner, other, "a list or an object"),
        };
        found.map_or_else(|| fail(expr, Why::Absent), Ok)
    }

    fn size(&self, inner: &'a Expr, env: Env<'_, 'a>) -> Evaluated<'a> {
        let seen = self.value(inner, env)?;
        let size = match &seen {
            Seen::Text(text) => {
                self.steps.spend(text.len() as u64 / 16)?;
                text.chars().count()
            }
            Seen::Map(map) => map.len(),
            other => match other.elements() {
                Some(elements) => elements,
                None => return mistyped(inner, other, "a text, a list or an object"),
            },
        };
        Ok(Seen::Owned(size.into()))
    }

    fn time(&self, inner: &'a Expr, env: Env<'_, 'a>) -> Evaluated<'a> {
        match self.value(inner, env)? {
            Seen::Time(at) => Ok(Seen::Time(at)),
            Seen::Text(text) => match text.parse() {
                Ok(at) => Ok(Seen::Time(at)),
                Err(_) => fail(inner, Why::NoTime),
            },
            other => mistyped(inner, &other, "a text"),
        }
    }

    fn has(&self, field: &'a Expr, env: Env<'_, 'a>) -> Result<bool, Fail> {
        match &field.kind {
            Kind::Field(inner, name) => Ok(self.lookup(inner, name, env)?.is_some()),
            Kind::Pointer(path) => self.has_path(field, path),
            _ => Ok(false),
        }
    }

    /// As for a field: what holds it must be there.
    fn has_path(&self, expr: &Expr, path: &Pointer) -> Result<bool, Fail> {
        let Some((last, inner)) = path.tokens().split_last() else {
            return Ok(true);
        };
        let inner = self.at_path(expr, self.scope.state, &Pointer::new(inner.to_vec()))?;
        match &inner {
            Seen::Map(map) => Ok(map.contains_key(last)),
            // A key on a list is no more a question than `has(state.list.key)`.
            Seen::List(items) if pointer::index(last).is_some() => {
                Ok(pointer::index(last).is_some_and(|index| index < items.len()))
            }
            other => mistyped(expr, other, "an object"),
        }
    }

    /// Whether any of them is this; with neither a yes nor a no from all of them, why.
    fn any(&self, parts: &'a [Expr], wanted: bool, env: Env<'_, 'a>) -> Result<bool, Fail> {
        let mut undefined = None;
        for part in parts {
            match self.truth(part, env) {
                Ok(truth) if truth == wanted => return Ok(true),
                Ok(_) => {}
                Err(Fail::Undefined(why)) => undefined = undefined.or(Some(why)),
                Err(Fail::TooMuchWork) => return Err(Fail::TooMuchWork),
            }
        }
        undefined.map_or(Ok(false), |why| Err(Fail::Undefined(why)))
    }

    fn compare(
        &self,
        comparison: Comparison,
        left: &'a Expr,
        right: &'a Expr,
        env: Env<'_, 'a>,
    ) -> Result<bool, Fail> {
        let (a, b) = (self.value(left, env)?, self.value(right, env)?);
        match comparison {
            Comparison::Equal => return a.same(&b, self.scope, &self.steps),
            Comparison::NotEqual => return Ok(!a.same(&b, self.scope, &self.steps)?),
            _ => {}
        }
        let Some(order) = a.order(&b) else {
            return not_comparable((left, &a), (right, &b));
        };
        Ok(match comparison {
            Comparison::Less => order.is_lt(),
            Comparison::LessOrEqual => order.is_le(),
            Comparison::Greater => order.is_gt(),
            _ => order.is_ge(),
        })
    }

    fn is_in(&self, item: &'a Expr, list: &'a Expr, env: Env<'_, 'a>) -> Result<bool, Fail> {
        let (seen, within) = (self.value(item, env)?, self.value(list, env)?);
        match (&seen, &within) {
            (Seen::Text(key), Seen::Map(map)) => return Ok(map.contains_key(*key)),
            (other, Seen::Map(_)) => return mistyped(item, other, "a text"),
            _ => {}
        }
        let Some(elements) = within.elements() else {
            return mistyped(list, &within, "a list or an object");
        };
        for index in 0..elements {
            if let Some(element) = within.element(index)
                && seen.same(&element, self.scope, &self.steps)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn text_test(
        &self,
        test: TextTest,
        text: &'a Expr,
        part: &'a Expr,
        env: Env<'_, 'a>,
    ) -> Result<bool, Fail> {
        let (text, part) = (self.text(text, env)?, self.text(part, env)?);
        Ok(match test {
            TextTest::StartsWith => text.starts_with(part),
            TextTest::EndsWith => text.ends_with(part),
            TextTest::Contains => {
                self.steps.spend(text.len() as u64 / 16)?;
                text.contains(part)
            }
        })
    }

    fn quantified(
        &self,
        quantifier: Quantifier,
        list: &'a Expr,
        (name, body): (&'a str, &'a Expr),
        outer: Env<'_, 'a>,
    ) -> Result<bool, Fail> {
        let over = self.value(list, outer)?;
        let keys: Vec<Seen<'a>> = match &over {
            Seen::Map(map) => {
                self.steps.spend(map.len() as u64)?;
                map.keys().map(|key| Seen::Text(key)).collect()
            }
            _ => Vec::new(),
        };
        let elements = match (&over, over.elements()) {
            (Seen::Map(_), _) => keys.len(),
            (_, Some(elements)) => elements,
            (other, None) => return mistyped(list, other, "a list or an object"),
        };
        let (mut held, mut undefined) = (0_u64, None);
        for index in 0..elements {
            let value = match keys.get(index) {
                Some(key) => Some(key.clone()),
                None => over.element(index),
            };
            let Some(value) = value else { continue };
            let bound = Bound { name, value, outer };
            match (self.truth(body, Some(&bound)), quantifier) {
                (Ok(true), Quantifier::Exists) => return Ok(true),
                (Ok(false), Quantifier::All) => return Ok(false),
                (Ok(true), Quantifier::ExistsOne) => held += 1,
                (Ok(_), _) => {}
                (Err(Fail::Undefined(why)), _) => undefined = undefined.or(Some(why)),
                (Err(Fail::TooMuchWork), _) => return Err(Fail::TooMuchWork),
            }
        }
        match (undefined, quantifier) {
            (Some(why), _) => Err(Fail::Undefined(why)),
            (None, Quantifier::Exists) => Ok(false),
            (None, Quantifier::All) => Ok(true),
            (None, Quantifier::ExistsOne) => Ok(held == 1),
        }
    }

    /// Whether what is at a path differs from what was there before: for a secret too, as a diff shows that it changed.
    fn changed(&self, before: &State, path: &Pointer) -> bool {
        if path.is_root() {
            return !crate::same::same_object(before, self.scope.state);
        }
        match (path.lookup(before), path.lookup(self.scope.state)) {
            (Some(before), Some(after)) => !same(before, after),
            (None, None) => false,
            _ => true,
        }
    }
}

fn variable<'a>(expr: &Expr, name: &str, env: Env<'_, 'a>) -> Evaluated<'a> {
    let mut env = env;
    while let Some(bound) = env {
        if bound.name == name {
            return Ok(bound.value.clone());
        }
        env = bound.outer;
    }
    fail(expr, Why::Absent)
}

fn not_comparable(
    (left, a): (&Expr, &Seen<'_>),
    (right, b): (&Expr, &Seen<'_>),
) -> Result<bool, Fail> {
    // The side that is written out says what was meant.
    let constant = |expr: &Expr| matches!(expr.kind, Kind::Constant(_) | Kind::Moment(_));
    if a.order(a).is_none() || (constant(right) && !constant(left)) {
        return mistyped(left, a, b.kind());
    }
    mistyped(right, b, a.kind())
}
