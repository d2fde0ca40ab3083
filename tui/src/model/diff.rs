//! The diff screen: two points of streams side by side, with what set each value.

use serde_json::{Value, json};
use whodunit_core::api::time_travel::{DiffBlame, DiffOut, DiffSetBy};
use whodunit_core::diff::DiffEntry;
use whodunit_core::ids::{Revision, StreamName};
use whodunit_core::time::Timestamp;

use super::fields::leaves;
use super::quote::quote;
use super::{App, Asked, Remote};
use crate::client::{At, DiffQuery, Sides};
use crate::time_input::{Here, Target, parse};

/// One side: a point of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) stream: StreamName,
    pub(crate) at: At,
}

impl End {
    pub(crate) fn revision(stream: &StreamName, revision: u64) -> Self {
        Self {
            stream: stream.clone(),
            at: At::Revision(Revision(revision)),
        }
    }

    /// As commands write it.
    fn word(&self) -> String {
        match self.at {
            At::Head => "head".to_owned(),
            At::Revision(revision) => revision.to_string(),
            At::AsOf(time) => time.to_string(),
        }
    }

    /// Reads `3`, `head`, a time, each also as `STREAM@…`, or a stream at its head.
    pub(crate) fn read(
        &self,
        app: &App,
        text: &str,
        near: Option<Timestamp>,
    ) -> Result<Self, String> {
        let text = text.trim();
        let (stream, at) = match text.split_once('@') {
            Some((name, at)) => (stream(name)?, at.trim()),
            None => (self.stream.clone(), text),
        };
        if at.is_empty() || at == "head" || at == "now" {
            let at = At::Head;
            return Ok(Self { stream, at });
        }
        let here = Here {
            zone: app.zone,
            cursor: near.or(app.as_of).unwrap_or(app.now),
            now: app.now,
        };
        match parse(at, here) {
            Ok(Target::Revision(revision)) => Ok(Self {
                stream,
                at: At::Revision(Revision(revision)),
            }),
            Ok(Target::Time(time)) => Ok(Self {
                stream,
                at: At::AsOf(time),
            }),
            Ok(Target::Now) => Ok(Self {
                stream,
                at: At::Head,
            }),
            // What is neither may be another stream.
            Err(error) if text.contains('@') => Err(error),
            Err(_) => Ok(Self {
                stream: stream_or(text)?,
                at: At::Head,
            }),
        }
    }
}

fn stream(name: &str) -> Result<StreamName, String> {
    StreamName::new(name.trim()).map_err(|error| error.to_string())
}

fn stream_or(text: &str) -> Result<StreamName, String> {
    if !text.contains('-') {
        return Err(format!(
            "`{text}` is not a revision, time or stream; try `3`, `2025-03-24 15:46`, `user-7f3@4` or `head`"
        ));
    }
    stream(text)
}

#[derive(Debug, Clone)]
pub(crate) struct DiffScreen {
    pub(crate) asked: Asked,
    pub(crate) from: End,
    pub(crate) to: End,
    pub(crate) diff: Remote<DiffOut>,
    /// Both states with the events that led to them.
    pub(crate) sides: Remote<Sides>,
    /// Whether what is the same on both sides is listed too.
    pub(crate) unchanged: bool,
    pub(crate) selected: usize,
}

/// A row of the comparison.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Row<'a> {
    Differs(&'a DiffEntry, Option<&'a DiffBlame>),
    /// The same on both sides: its path and value.
    Same(String, &'a Value),
}

impl DiffScreen {
    pub(crate) fn new(from: End, to: End) -> Self {
        Self {
            asked: Asked::default(),
            from,
            to,
            diff: Remote::Loading(None),
            sides: Remote::Loading(None),
            unchanged: false,
            selected: 0,
        }
    }

    pub(crate) fn query(&self) -> DiffQuery {
        DiffQuery {
            from: self.from.at,
            to: self.to.at,
            to_stream: (self.to.stream != self.from.stream).then(|| self.to.stream.clone()),
            to_branch: None,
            path: None,
            blame: true,
            reveal: false,
        }
    }

    pub(crate) fn rows(&self) -> Vec<Row<'_>> {
        let Some(diff) = self.diff.value() else {
            return Vec::new();
        };
        let blame = diff.blame.as_deref().unwrap_or_default();
        let mut out: Vec<Row<'_>> = diff
            .diff
            .iter()
            .enumerate()
            .map(|(index, entry)| Row::Differs(entry, blame.get(index)))
            .collect();
        let state = self.sides.value().map(|sides| &sides.to.0.state);
        if let Some(state) = state.filter(|_| self.unchanged) {
            let same = leaves(state).rows.into_iter().filter(|field| {
                let differs = |entry: &DiffEntry| {
                    let (a, b) = (field.path.as_str(), entry.path.as_str());
                    is_at_or_below(a, b) || is_at_or_below(b, a)
                };
                !diff.diff.iter().any(differs)
            });
            out.extend(same.filter_map(|field| Some(Row::Same(field.path, field.value?))));
        }
        out
    }

    /// The value under the cursor on both sides.
    pub(crate) fn whole(&self) -> Value {
        match self.rows().get(self.selected) {
            Some(Row::Differs(entry, _)) => match (&entry.before, &entry.after) {
                (Some(before), Some(after)) => json!({"before": before, "after": after}),
                (Some(before), None) => json!({ "before": before }),
                (None, Some(after)) => json!({ "after": after }),
                (None, None) => Value::Null,
            },
            Some(Row::Same(_, value)) => (*value).clone(),
            None => Value::Null,
        }
    }

    /// Which event set the value under the cursor, and of which stream.
    pub(crate) fn set_by(&self) -> Option<(StreamName, u64)> {
        let Some(Row::Differs(entry, Some(blame))) = self.rows().into_iter().nth(self.selected)
        else {
            return None;
        };
        let (side, set_by): (&End, &DiffSetBy) = match (&entry.after, &blame.after, &blame.before) {
            (_, Some(after), _) => (&self.to, after),
            (_, None, Some(before)) => (&self.from, before),
            (_, None, None) => return None,
        };
        Some((side.stream.clone(), set_by.revision.0))
    }

    /// When the later side was.
    pub(crate) fn time(&self) -> Option<Timestamp> {
        let sides = self.sides.value()?;
        sides.to.0.recorded_at.or(sides.from.0.recorded_at)
    }

    /// The command that gives the same answer.
    pub(crate) fn call(&self) -> String {
        let (from, to) = (self.from.word(), self.to.word());
        let name = quote(self.from.stream.as_str());
        let mut call = format!("whodunit diff {name} {} {}", quote(&from), quote(&to));
        if self.to.stream != self.from.stream {
            call.push_str(" --to-stream ");
            call.push_str(&quote(self.to.stream.as_str()));
        }
        call.push_str(" --blame");
        call
    }
}

fn is_at_or_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
