//! The plan of a backfill: what a request selects, checked, and how many jobs it would make.
//!
//! Owns what makes a request valid, and the counts. Changes nothing: making a plan has no effects.

use std::collections::BTreeMap;
use std::sync::Arc;

use whodunit_core::api::pipeline::{BackfillIn, BackfillPlan, EventCount, HandlerPlan};
use whodunit_core::event::Event;
use whodunit_core::ids::Position;

use super::{BackfillError, Dependencies};
use crate::limits::{BACKFILL_PAGE_EVENTS, SCAN_ENTRIES_MAX};
use crate::outbox::{Handler, takes};
use crate::reading::read;
use crate::store::{Direction, LogFilter, Store, StoreError};

/// What a backfill goes through, checked.
pub(super) struct Selection {
    /// Handlers with effects beyond the daemon.
    pub(super) handlers: Vec<Arc<dyn Handler>>,
    /// Projections.
    pub(super) projections: Vec<String>,
    filter: LogFilter,
    event_types: Vec<String>,
    pub(super) from: u64,
    pub(super) to: u64,
    head: u64,
}

/// A page of selected events.
pub(super) struct SelectedPage {
    pub(super) events: Vec<Event>,
    /// The position to go on from; `None` at the end.
    pub(super) next: Option<u64>,
}

impl Selection {
    /// Checks a request against what is set up and what the log holds now.
    pub(super) fn new(
        dependencies: &Dependencies,
        asked: &BackfillIn,
    ) -> Result<Self, BackfillError> {
        let mut names = asked.handlers.clone();
        names.sort();
        names.dedup();
        if names.is_empty() {
            return Err(BackfillError::NoHandlers);
        }
        let (mut handlers, mut projections) = (Vec::new(), Vec::new());
        for name in names {
            if let Some(handler) = dependencies.outbox.handler(&name) {
                handlers.push(Arc::clone(handler));
            } else if dependencies.projections.names().contains(&name.as_str()) {
                projections.push(name);
            } else {
                return Err(BackfillError::NoSuchHandler(name));
            }
        }
        let bounded = asked.from_position.is_some()
            || asked.to_position.is_some()
            || asked.since.is_some()
            || asked.until.is_some();
        if bounded && asked.all_history {
            return Err(BackfillError::RangeAndAllHistory);
        }
        if !bounded && !asked.all_history && !handlers.is_empty() {
            return Err(BackfillError::NoRange);
        }
        let head = dependencies.store.head().borrow().position.0;
        let from = asked.from_position.unwrap_or(1).max(1);
        if let Some(to) = asked.to_position
            && to < from
        {
            return Err(BackfillError::EmptyRange { from, to });
        }
        Ok(Self {
            handlers,
            projections,
            filter: LogFilter {
                category: asked.category.clone(),
                // One type is looked up; of several, each event is compared.
                event_type: match asked.event_types.as_slice() {
                    [only] => Some(only.clone()),
                    _ => None,
                },
                since: asked.since,
                until: asked.until,
                ..LogFilter::default()
            },
            event_types: asked.event_types.clone(),
            from,
            to: asked.to_position.unwrap_or(head).min(head),
            head,
        })
    }

    /// Names of the handlers and projections.
    pub(super) fn names(&self) -> String {
        let handlers = self.handlers.iter().map(|handler| handler.name());
        let projections = self.projections.iter().map(String::as_str);
        let names: Vec<_> = handlers.chain(projections).collect();
        names.join(", ")
    }

    /// How many positions it spans.
    pub(super) fn total(&self) -> u64 {
        (self.to + 1).saturating_sub(self.from)
    }

    /// The next selected events from a position on.
    pub(super) async fn next_page(
        &self,
        store: &Arc<dyn Store>,
        from: u64,
    ) -> Result<SelectedPage, StoreError> {
        let (filter, from) = (self.filter.clone(), Position(from));
        let page = read(store, move |view| -> Result<_, StoreError> {
            let (limit, budget) = (BACKFILL_PAGE_EVENTS, SCAN_ENTRIES_MAX);
            view.log(&filter, Some(from), Direction::Forward, limit, budget)
        })
        .await?;
        let is_selected = |event: &Event| {
            event.position.0 <= self.to
                && (self.event_types.is_empty() || self.event_types.contains(&event.event_type))
        };
        Ok(SelectedPage {
            events: page.events.into_iter().filter(is_selected).collect(),
            next: page.next.map(|next| next.0).filter(|next| *next <= self.to),
        })
    }

    /// Counts what it would do. Dropping the future ends the count.
    pub(super) async fn plan(&self, store: &Arc<dyn Store>) -> Result<BackfillPlan, StoreError> {
        let mut events = 0;
        let mut counts = vec![BTreeMap::<String, u64>::new(); self.handlers.len()];
        let mut next = Some(self.from).filter(|from| *from <= self.to);
        while let Some(from) = next {
            let page = self.next_page(store, from).await?;
            events += page.events.len() as u64;
            for event in &page.events {
                for (handler, counts) in self.handlers.iter().zip(&mut counts) {
                    if takes_event(handler.as_ref(), event) {
                        match counts.get_mut(&event.event_type) {
                            Some(count) => *count += 1,
                            None => drop(counts.insert(event.event_type.clone(), 1)),
                        }
                    }
                }
            }
            next = page.next;
        }
        let handlers: Vec<_> = self
            .handlers
            .iter()
            .zip(counts)
            .map(|(handler, counts)| HandlerPlan {
                handler: handler.name().to_owned(),
                kind: handler.kind().to_owned(),
                target: handler.target(),
                jobs: counts.values().sum(),
                event_types: counts
                    .into_iter()
                    .map(|(event_type, events)| EventCount { event_type, events })
                    .collect(),
            })
            .collect();
        Ok(BackfillPlan {
            from_position: self.from,
            to_position: self.to,
            head: self.head,
            events,
            jobs: handlers.iter().map(|handler| handler.jobs).sum(),
            handlers,
            projections: self.projections.clone(),
        })
    }
}

/// Whether a handler takes an event.
pub(super) fn takes_event(handler: &dyn Handler, event: &Event) -> bool {
    takes(handler.takes(), event.stream.category(), &event.event_type)
}
