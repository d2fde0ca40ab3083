//! Handlers: effects outside the daemon, such as mails and webhooks, after an event is committed.
//!
//! Owns the trait and what a handler is given. A handler is idempotent per (handler, event): the same delivery may come
//! again after a crash. It decides nothing and writes nothing to the log.

use std::fmt;
use std::sync::Arc;

use whodunit_core::event::Event;
use whodunit_core::json::State;

use crate::store::BoxFuture;

/// A handler of events.
pub trait Handler: Send + Sync + 'static {
    /// Its name: what its jobs are kept under. Never changes while there are jobs.
    fn name(&self) -> &str;

    /// `mail`, `webhook`, ….
    fn kind(&self) -> &'static str;

    /// Where its effects go, for people: a folder, a mail server, a URL. Never a credential.
    fn target(&self) -> String;

    /// The event types it takes.
    fn takes(&self) -> &[EventPattern];

    /// Does its work on one event. Dropping the future ends the attempt, as a time-out does. A panic is a failed attempt.
    fn handle(&self, delivery: Delivery) -> BoxFuture<Result<(), HandlerError>>;
}

/// Handlers, as a daemon's configuration has them.
#[derive(Clone, Default)]
pub struct Handlers(pub Vec<Arc<dyn Handler>>);

impl fmt::Debug for Handlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|handler| handler.name()))
            .finish()
    }
}

/// Which events a handler takes: `category/EventType`, where either may be `*`, or `EventType` alone for any category.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPattern {
    category: Option<String>,
    event_type: Option<String>,
}

impl EventPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// A sentence, for an empty part.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (category, event_type) = text.split_once('/').unwrap_or(("*", text));
        let part = |part: &str| match part.trim() {
            "" => Err(format!(
                "`{text}` is not an event pattern; use `EventType`, `category/EventType` or `category/*`"
            )),
            "*" => Ok(None),
            name => Ok(Some(name.to_owned())),
        };
        Ok(Self {
            category: part(category)?,
            event_type: part(event_type)?,
        })
    }

    /// Exactly this type of exactly this category.
    pub fn exactly(category: &str, event_type: &str) -> Self {
        Self {
            category: Some(category.to_owned()),
            event_type: Some(event_type.to_owned()),
        }
    }

    /// Whether it takes such an event.
    pub fn fits(&self, category: &str, event_type: &str) -> bool {
        self.category.as_deref().is_none_or(|own| own == category)
            && self
                .event_type
                .as_deref()
                .is_none_or(|own| own == event_type)
    }
}

impl fmt::Display for EventPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |part: &Option<String>| part.clone().unwrap_or_else(|| "*".to_owned());
        write!(f, "{}/{}", part(&self.category), part(&self.event_type))
    }
}

/// An event on its way to a handler.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The event, without its secrets.
    pub event: Event,
    /// The stream's state after it, without its secrets.
    pub state: State,
    /// Which attempt this is, from 1.
    pub attempt: u32,
}

/// Why an attempt failed: a sentence that may be stored and shown. Never holds a secret or a credential.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct HandlerError(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_what_they_say() {
        let fits = |pattern: &str, category, event_type| {
            EventPattern::parse(pattern)
                .unwrap()
                .fits(category, event_type)
        };
        assert!(fits("UserCreated", "user", "UserCreated"));
        assert!(fits("user/*", "user", "UserDeleted"));
        assert!(!fits("user/*", "order", "UserDeleted"));
        assert!(!fits("user/UserCreated", "user", "UserDeleted"));
        assert!(EventPattern::parse("user/").is_err() && EventPattern::parse(" ").is_err());
        assert_eq!(EventPattern::parse("X").unwrap().to_string(), "*/X");
    }
}
