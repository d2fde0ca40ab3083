//! Sentences: what happened in words, for a person who asks who, when and why.
//!
//! Owns how an event, a refused command and the cause behind an event are put into words, for the command line and the screens
//! alike. It states only what is on record: a type whose words leave room for doubt stands there by its name. All text from
//! the log is made safe to print.

mod moment;
mod verbs;

use std::fmt;

use crate::command::{Decision, Outcome};
use crate::counted::counted;
use crate::event::Event;
use crate::text::shown;
use crate::time::Timestamp;

pub use moment::{day, moment};
pub use verbs::{Deed, deed};

/// What a part of a sentence is, so that a terminal can set off the word that matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The words between the others.
    Plain,
    /// The person, job or service.
    Actor,
    /// What was done: a verb in capitals, or an event's type.
    Verb,
    /// When.
    Time,
    /// Why, in quotes; or the rule that refused.
    Reason,
}

/// A piece of a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What it is.
    pub role: Role,
    /// Its text, safe to print.
    pub text: String,
}

/// A sentence in its parts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sentence(Vec<Part>);

impl Sentence {
    /// Its parts, in order.
    pub fn parts(&self) -> &[Part] {
        &self.0
    }

    fn add(&mut self, role: Role, text: impl Into<String>) -> &mut Self {
        self.0.push(Part {
            role,
            text: text.into(),
        });
        self
    }

    fn quoted(&mut self, text: &str) -> &mut Self {
        self.add(Role::Reason, format!("\"{}\"", shown(text)))
    }
}

impl fmt::Display for Sentence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| f.write_str(&part.text))
    }
}

/// Events that share a correlation with one: a batch, where they are of several streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// How many streams they are of.
    pub streams: u64,
    /// Whether there may be more than were counted.
    pub more: bool,
}

impl Batch {
    fn words(self) -> Option<String> {
        let least = if self.more { "at least " } else { "" };
        let streams = counted(self.streams, "stream");
        (self.streams > 1).then(|| format!(", one of a batch of {least}{streams}"))
    }
}

/// How a moment is written: the offset of a zone at that moment in seconds; `None` is UTC.
pub type OffsetAt<'a> = &'a dyn Fn(Timestamp) -> Option<i32>;

/// Whether an imported event stands for a call that was refused where it came from.
pub fn is_refused(event: &Event) -> bool {
    let metadata = event.metadata.as_ref();
    metadata.is_some_and(|metadata| metadata.to_value()["outcome"] == "refused")
}

/// An event in words: `job:cleanup DELETED this on Mon 24 Mar 2025 15:47:23 UTC: "inactive for 90 days"`. `subject` is what its
/// stream is called; `this` where the reader is looking at it.
///
/// ```
/// use whodunit_core::sentence::{deed, Deed};
/// assert_eq!(deed("UserDeleted", "user"), Some(Deed { verb: "DELETED".to_owned(), object: None }));
/// assert_eq!(deed("PaymentFailed", "user"), None, "it does not say that the actor did it");
/// ```
pub fn of_event(
    event: &Event,
    subject: Option<&str>,
    batch: Option<Batch>,
    offset_at: OffsetAt<'_>,
) -> Sentence {
    let mut out = Sentence::default();
    let when = moment(event.recorded_at, offset_at(event.recorded_at));
    if is_refused(event) {
        actor(&mut out, event.actor.as_deref());
        out.add(Role::Plain, " tried ")
            .add(Role::Verb, shown(&event.event_type))
            .add(Role::Plain, " on ")
            .add(Role::Time, when)
            .add(Role::Plain, " and was ")
            .add(Role::Verb, "REFUSED");
        reason(&mut out, event.reason.as_deref());
        return out;
    }
    match deed(&event.event_type, event.stream.category()) {
        Some(deed) => {
            actor(&mut out, event.actor.as_deref());
            out.add(Role::Plain, " ")
                .add(Role::Verb, deed.verb)
                .add(Role::Plain, object(deed.object.as_deref(), subject));
        }
        None => {
            out.add(Role::Verb, shown(&event.event_type))
                .add(Role::Plain, " by ");
            actor(&mut out, event.actor.as_deref());
        }
    }
    out.add(Role::Plain, " on ").add(Role::Time, when);
    reason(&mut out, event.reason.as_deref());
    if let Some(batch) = batch.and_then(Batch::words) {
        out.add(Role::Plain, batch);
    }
    out
}

/// A refused command in words: `sarah tried ChangeEmail on … and was REFUSED by user.suspended: "this user is suspended"`.
pub fn of_decision(decision: &Decision, offset_at: OffsetAt<'_>) -> Sentence {
    let mut out = Sentence::default();
    let when = moment(decision.decided_at, offset_at(decision.decided_at));
    actor(&mut out, decision.actor.as_deref());
    match &decision.result {
        Outcome::Accepted { .. } => {
            out.add(Role::Plain, " sent ")
                .add(Role::Verb, shown(&decision.command_type))
                .add(Role::Plain, " on ")
                .add(Role::Time, when);
            reason(&mut out, decision.reason.as_deref());
        }
        Outcome::Rejected { rule, message } => {
            out.add(Role::Plain, " tried ")
                .add(Role::Verb, shown(&decision.command_type))
                .add(Role::Plain, " on ")
                .add(Role::Time, when)
                .add(Role::Plain, " and was ")
                .add(Role::Verb, "REFUSED")
                .add(Role::Plain, " by ")
                .add(Role::Reason, shown(rule))
                .add(Role::Plain, ": ")
                .quoted(message);
        }
    }
    out
}

/// What an event was caused by: `because of rev 3 UserSuspended by fraud-scan on …, "fraud_detected", one of a batch of 9
/// streams`. The stream is named where it is another one than the effect's.
pub fn because(
    cause: &Event,
    of: &Event,
    batch: Option<Batch>,
    offset_at: OffsetAt<'_>,
) -> Sentence {
    let mut out = Sentence::default();
    out.add(Role::Plain, "because of ");
    if cause.stream != of.stream {
        out.add(Role::Plain, format!("{} ", shown(cause.stream.as_str())));
    }
    out.add(Role::Plain, format!("rev {} ", cause.revision))
        .add(Role::Verb, shown(&cause.event_type))
        .add(Role::Plain, " by ");
    actor(&mut out, cause.actor.as_deref());
    let when = moment(cause.recorded_at, offset_at(cause.recorded_at));
    out.add(Role::Plain, " on ").add(Role::Time, when);
    if let Some(reason) = cause.reason.as_deref() {
        out.add(Role::Plain, ", ").quoted(reason);
    }
    if let Some(batch) = batch.and_then(Batch::words) {
        out.add(Role::Plain, batch);
    }
    out
}

fn actor(out: &mut Sentence, actor: Option<&str>) {
    match actor {
        Some(actor) => out.add(Role::Actor, shown(actor)),
        None => out.add(Role::Actor, "an actor not on record"),
    };
}

fn reason(out: &mut Sentence, reason: Option<&str>) {
    match reason {
        Some(reason) => out.add(Role::Plain, ": ").quoted(reason),
        None => out.add(Role::Plain, ", no reason given"),
    };
}

/// What a verb is about: the stream itself, or a part of it.
fn object(part: Option<&str>, subject: Option<&str>) -> String {
    let subject = subject.map(shown);
    match (part, subject) {
        (None, None) => " this".to_owned(),
        (None, Some(subject)) => format!(" {subject}"),
        (Some(part), None) => format!(" the {}", shown(part)),
        (Some(part), Some(subject)) => format!(" the {} of {subject}", shown(part)),
    }
}

#[cfg(test)]
mod tests;
