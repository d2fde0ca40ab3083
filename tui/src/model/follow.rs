//! The follow menu: where one can go from what is under the cursor, with counts.

use whodunit_core::ids::StreamName;
use whodunit_core::query::{Field, Query};

use super::Remote;
use super::causes::Of;
use crate::client::{Count, FollowCounts, Origin, Subject};
use crate::keys::Scope;
use crate::text::counted;

/// An open follow menu.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Follow {
    pub(crate) subject: Subject,
    pub(crate) counts: Remote<FollowCounts>,
    pub(crate) selected: usize,
}

/// Where an entry leads.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Lead {
    /// To what a line finds.
    Find(Query),
    /// To a stream at a revision.
    Stream(StreamName, u64),
    /// To the tree of causes and effects.
    Causes(Of),
    /// To a what-if of the event in front.
    WhatIf,
    /// To the clipboard.
    Copy(String),
}

/// An entry of the menu.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    /// The key that chooses it.
    pub(crate) key: &'static str,
    /// How much there is; empty where it is not counted.
    pub(crate) count: String,
    pub(crate) what: String,
    /// `None` where it leads nowhere: `what` says why.
    pub(crate) lead: Option<Lead>,
}

impl Follow {
    pub(crate) fn new(subject: Subject) -> Self {
        Self {
            subject,
            counts: Remote::Loading(None),
            selected: 0,
        }
    }

    /// What is offered on a screen.
    pub(crate) fn entries(&self, scope: Scope) -> Vec<Entry> {
        let mut out = vec![self.correlation()];
        out.extend(self.cause_batch());
        out.extend(self.actor());
        out.extend(self.event_type());
        out.push(self.cause());
        if scope != Scope::Causes {
            let id = self.subject.id().to_owned();
            let what = "all that led to it and that it led to".to_owned();
            let lead = Some(Lead::Causes(Of::One(id)));
            out.push(entry("right", String::new(), what, lead));
        }
        if scope != Scope::Stream {
            let (stream, revision) = (self.subject.stream(), self.subject.revision());
            out.push(entry(
                "s",
                String::new(),
                format!("stream {stream} at rev {revision}"),
                Some(Lead::Stream(stream.clone(), revision.0)),
            ));
        }
        if scope != Scope::WhatIf {
            let what = "what if this had not happened, or had been different".to_owned();
            out.push(entry("w", String::new(), what, Some(Lead::WhatIf)));
        }
        out.extend(self.copies());
        out
    }

    fn origin(&self) -> Option<&Origin> {
        self.counts.value().map(|counts| &counts.origin)
    }

    /// How much there is, once it is counted.
    fn counted(&self, of: Option<&Count>) -> String {
        match (of, &self.counts) {
            (Some(count), _) => in_words(count),
            (None, Remote::Loading(_)) => "…".to_owned(),
            (None, _) => String::new(),
        }
    }

    fn correlation(&self) -> Entry {
        let Some(id) = self.subject.correlation() else {
            let what = "it has no correlation id".to_owned();
            return entry("c", String::new(), what, None);
        };
        let count = self.origin().and_then(|origin| origin.batch.as_ref());
        let query = Query::everything().and_field(Field::Correlation, id);
        let what = format!("correlation {id}");
        entry("c", self.counted(count), what, Some(Lead::Find(query)))
    }

    /// The batch of the event behind it, where that is another one.
    fn cause_batch(&self) -> Option<Entry> {
        let origin = self.origin()?;
        let id = origin.cause.as_ref()?.correlation_id.as_deref()?;
        if self.subject.correlation() == Some(id) {
            return None;
        }
        let query = Query::everything().and_field(Field::Correlation, id);
        let count = self.counted(origin.cause_batch.as_ref());
        let what = format!("the batch of its cause, {id}");
        Some(entry("b", count, what, Some(Lead::Find(query))))
    }

    fn actor(&self) -> Option<Entry> {
        let actor = self.subject.actor()?;
        let query = Query::everything().and_field(Field::Actor, actor);
        let count = self.counts.value().and_then(|counts| counts.actor.as_ref());
        let what = format!("by {actor}");
        Some(entry(
            "a",
            self.counted(count),
            what,
            Some(Lead::Find(query)),
        ))
    }

    fn event_type(&self) -> Option<Entry> {
        let event_type = self.subject.event_type()?;
        let query = Query::everything().and_field(Field::Type, event_type);
        let counts = self.counts.value();
        let count = counts.and_then(|counts| counts.event_type.as_ref());
        let what = format!("of type {event_type}");
        Some(entry(
            "t",
            self.counted(count),
            what,
            Some(Lead::Find(query)),
        ))
    }

    fn cause(&self) -> Entry {
        let none = |what: String| entry("left", String::new(), what, None);
        let Some(origin) = self.origin() else {
            return none("its cause …".to_owned());
        };
        let command = origin.command.as_ref();
        match (&origin.cause, &origin.missing, command) {
            (Some(cause), ..) => {
                let other = if cause.stream == *self.subject.stream() {
                    String::new()
                } else {
                    format!("{} ", cause.stream)
                };
                let what = format!("cause: {other}rev {} {}", cause.revision, cause.event_type);
                let lead = Lead::Stream(cause.stream.clone(), cause.revision.0);
                entry("left", String::new(), what, Some(lead))
            }
            (None, Some(id), _) => none(format!("its cause `{id}` is not in this log")),
            (None, None, Some(command)) => none(format!("cause: command {}", command.command_type)),
            (None, None, None) => none("no cause is on record".to_owned()),
        }
    }

    fn copies(&self) -> [Entry; 2] {
        let (id, json) = match &self.subject {
            Subject::Event(event) => (event.event_id.clone(), serde_json::to_string(event)),
            Subject::Decision(decision) => {
                (decision.command_id.clone(), serde_json::to_string(decision))
            }
        };
        let copy = |key, what: &str, text: String| {
            entry(key, String::new(), what.to_owned(), Some(Lead::Copy(text)))
        };
        [
            copy("i", "copy its id", id),
            copy("j", "copy it as JSON", json.unwrap_or_default()),
        ]
    }
}

fn entry(key: &'static str, count: String, what: String, lead: Option<Lead>) -> Entry {
    Entry {
        key,
        count,
        what,
        lead,
    }
}

/// `9 events in 9 streams`.
fn in_words(count: &Count) -> String {
    let more = if count.more { "+" } else { "" };
    let events = counted(count.events, "event");
    let events = events.replacen(' ', &format!("{more} "), 1);
    format!("{events} in {}", counted(count.streams, "stream"))
}
