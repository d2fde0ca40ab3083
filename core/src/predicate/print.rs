//! Printing: the shortest spelling of a predicate, which parses as the same tree.

use std::fmt::{self, Display, Formatter, Write as _};

use serde_json::Value;

use super::expr::{Expr, Kind};
use crate::text::is_unsafe;

/// How tightly an expression holds together: the looser one stands in parentheses within the tighter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Tie {
    If,
    Or,
    And,
    Relation,
    Unary,
    Member,
}

fn tie(expr: &Expr) -> Tie {
    match &expr.kind {
        Kind::If(..) => Tie::If,
        Kind::Or(_) => Tie::Or,
        Kind::And(_) => Tie::And,
        Kind::Compare(..) | Kind::In(..) => Tie::Relation,
        Kind::Not(_) => Tie::Unary,
        Kind::Constant(Value::Number(number)) if number.as_str().starts_with('-') => Tie::Unary,
        // `1.size()` would read as a number that goes on.
        Kind::Constant(Value::Number(_)) => Tie::Unary,
        _ => Tie::Member,
    }
}

/// An expression within one that ties this tightly.
struct Within<'a>(Tie, &'a Expr);

impl Display for Within<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if tie(self.1) < self.0 {
            write!(f, "({})", self.1)
        } else {
            self.1.fmt(f)
        }
    }
}

/// A text in quotes.
struct Quoted<'a>(&'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                '\n' => f.write_str("\\n")?,
                '\t' => f.write_str("\\t")?,
                c if is_unsafe(c) && u32::from(c) > 0xffff => write!(f, "\\U{:08x}", u32::from(c))?,
                c if is_unsafe(c) => write!(f, "\\u{:04x}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

/// A value that is written out.
struct Constant<'a>(&'a Value);

impl Display for Constant<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::String(text) => Quoted(text).fmt(f),
            Value::Array(items) => {
                f.write_char('[')?;
                listed(f, items.iter().map(Constant))?;
                f.write_char(']')
            }
            plain => plain.fmt(f),
        }
    }
}

fn listed(f: &mut Formatter<'_>, items: impl Iterator<Item = impl Display>) -> fmt::Result {
    for (index, item) in items.enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        item.fmt(f)?;
    }
    Ok(())
}

fn joined(f: &mut Formatter<'_>, parts: &[Expr], sign: &str, tie: Tie) -> fmt::Result {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            write!(f, " {sign} ")?;
        }
        Within(tie, part).fmt(f)?;
    }
    Ok(())
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let member = |expr| Within(Tie::Member, expr);
        // Parts of a relation or a conjunction are never of its own kind without parentheses.
        let operand = |expr| Within(Tie::Unary, expr);
        match &self.kind {
            Kind::Constant(value) => Constant(value).fmt(f),
            Kind::Moment(at) => write!(f, "timestamp(\"{at}\")"),
            Kind::List(items) => {
                f.write_char('[')?;
                listed(f, items.iter())?;
                f.write_char(']')
            }
            Kind::Root(root) => f.write_str(root.name()),
            Kind::Variable(name) => f.write_str(name),
            Kind::Pointer(path) => path.fmt(f),
            Kind::Field(inner, name) => write!(f, "{}.{name}", member(inner)),
            Kind::Index(inner, key) => write!(f, "{}[{key}]", member(inner)),
            Kind::Has(field) => write!(f, "has({field})"),
            Kind::Not(inner) => write!(f, "!{}", operand(inner)),
            Kind::And(parts) => joined(f, parts, "&&", Tie::Relation),
            Kind::Or(parts) => joined(f, parts, "||", Tie::And),
            Kind::Compare(comparison, left, right) => {
                write!(
                    f,
                    "{} {} {}",
                    operand(left),
                    comparison.sign(),
                    operand(right)
                )
            }
            Kind::In(item, list) => write!(f, "{} in {}", operand(item), operand(list)),
            Kind::If(condition, yes, no) => write!(
                f,
                "{} ? {} : {no}",
                Within(Tie::Or, condition),
                Within(Tie::Or, yes)
            ),
            Kind::TextTest(test, text, part) => {
                write!(f, "{}.{}({part})", member(text), test.name())
            }
            Kind::Matches(text, pattern) => {
                write!(
                    f,
                    "{}.matches({})",
                    member(text),
                    Quoted(pattern.0.as_str())
                )
            }
            Kind::Size(inner) => write!(f, "size({inner})"),
            Kind::Timestamp(inner) => write!(f, "timestamp({inner})"),
            Kind::Quantified(quantifier, list, name, body) => {
                write!(f, "{}.{}({name}, {body})", member(list), quantifier.name())
            }
            Kind::Changed(path) => write!(f, "changed({})", Quoted(&path.to_string())),
            Kind::Was(path) => write!(f, "was({})", Quoted(&path.to_string())),
        }
    }
}
