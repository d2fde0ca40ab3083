//! A query line as text.

use std::fmt;

use super::pattern::write_text;
use super::{Kind, Near, Query, Term, Text, Towards, Within};
use crate::time::input::print_duration;

/// Writes it so that it is read as the same line whatever the clock and the zone: times in full.
impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, term) in self.terms.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            term.fmt(f)?;
        }
        Ok(())
    }
}

impl Query {
    /// Its terms, each as it is written in a line.
    pub fn terms(&self) -> Vec<String> {
        self.terms.iter().map(Term::to_string).collect()
    }
}

/// Two are equal when they ask for the same in the same way.
impl PartialEq for Query {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.negated {
            f.write_str("-")?;
        }
        match &self.kind {
            Kind::Field(field, patterns) => {
                write!(f, "{}:", field.key())?;
                separated(f, patterns, |f, pattern| pattern.fmt(f))
            }
            Kind::Reason(texts) => {
                f.write_str("reason:")?;
                separated(f, texts, |f, text| write_text(f, &text.text, true))
            }
            Kind::Rejected(true) => f.write_str("outcome:rejected"),
            Kind::Rejected(false) => f.write_str("outcome:accepted"),
            Kind::Since(at) => write!(f, "since:{at}"),
            Kind::Until(at) => write!(f, "until:{at}"),
            Kind::Where(predicate) => write!(f, "where:({predicate})"),
            Kind::Text(text) => text.fmt(f),
            Kind::Near(near) => near.fmt(f),
        }
    }
}

fn separated<T>(
    f: &mut fmt::Formatter<'_>,
    items: &[T],
    write: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            f.write_str("|")?;
        }
        write(f, item)?;
    }
    Ok(())
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_text(f, &self.text, true)
    }
}

impl fmt::Display for Near {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.absent {
            f.write_str("not-")?;
        }
        f.write_str(match self.towards {
            Towards::Before => "preceded-by(",
            Towards::After => "followed-by(",
        })?;
        self.query.fmt(f)?;
        if let Some(micros) = self.window {
            write!(f, ", {}", print_duration(micros))?;
        }
        if self.within == Within::Correlation {
            f.write_str(", correlation")?;
        }
        f.write_str(")")
    }
}
