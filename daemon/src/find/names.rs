//! Names in a query line that the log does not know, and which ones may have been meant.

use std::collections::BTreeSet;

use whodunit_core::api::find::UnknownName;
use whodunit_core::command::Outcome;
use whodunit_core::ids::StreamName;
use whodunit_core::model::Models;
use whodunit_core::nearest::nearest;
use whodunit_core::query::{Field, Query};

use crate::limits::{NAMES_COMPARED_MAX, SCAN_ENTRIES_MAX};
use crate::store::{
    DecisionFilter, Direction, LogFilter, StoreError, StreamFilter, StreamOrder, View, WordField,
};

/// Decisions that are looked at for names at most, and at a time.
const DECISIONS_LOOKED_AT: usize = 10_000;
const PAGE: usize = 500;
/// Newest events from which correlation ids are suggested.
const SAMPLE: usize = 1_000;
/// Streams that are suggested at most.
const STREAMS_MAX: usize = 3;

/// Names that a line says in full and that the log does not know: that no event has, or, where the line asks for decisions, no
/// command and no rule.
pub(crate) fn unknown_names(
    view: &dyn View,
    models: &Models,
    query: &Query,
    of_decisions: bool,
) -> Result<Vec<UnknownName>, StoreError> {
    let mut unknown = correlations(view, query, of_decisions)?;
    if of_decisions {
        unknown.extend(of_commands(view, models, query)?);
    }
    for (field, words) in [
        (Field::Type, WordField::Type),
        (Field::Actor, WordField::Actor),
        (Field::Category, WordField::Category),
    ] {
        if of_decisions {
            continue;
        }
        for name in query.names(field) {
            if view.word_events(words, name)? > 0 {
                continue;
            }
            let page = view.words(words, "", None, NAMES_COMPARED_MAX)?;
            let known = page.words.iter().map(|(word, _)| word.as_str());
            let meant = nearest(name, known).into_iter().map(str::to_owned);
            unknown.push(named(field, name, meant.collect()));
        }
    }
    for name in query.names(Field::Stream) {
        let stream = StreamName::new(name).ok();
        let is_known = match &stream {
            Some(stream) => {
                view.stream(stream)?.is_some() || of_decisions && has_decisions(view, stream)?
            }
            None => false,
        };
        if !is_known {
            let filter = StreamFilter {
                text: Some(name.to_owned()),
                ..StreamFilter::default()
            };
            let (order, budget) = (StreamOrder::Recent, SCAN_ENTRIES_MAX);
            let page = view.streams(&filter, order, None, STREAMS_MAX, budget)?;
            let meant = page
                .streams
                .iter()
                .map(|info| info.stream.as_str().to_owned());
            unknown.push(named(Field::Stream, name, meant.collect()));
        }
    }
    Ok(unknown)
}

/// Correlation ids: that of an event at least, or of a decision.
fn correlations(
    view: &dyn View,
    query: &Query,
    of_decisions: bool,
) -> Result<Vec<UnknownName>, StoreError> {
    let mut unknown = Vec::new();
    for name in query.names(Field::Correlation) {
        let filter = LogFilter {
            correlation_id: Some(name.to_owned()),
            ..LogFilter::default()
        };
        let found = view.log(&filter, None, Direction::Forward, 1, SCAN_ENTRIES_MAX)?;
        let mut is_known = !found.events.is_empty() || found.next.is_some();
        if !is_known && of_decisions {
            let filter = DecisionFilter {
                correlation_id: Some(name.to_owned()),
                ..DecisionFilter::default()
            };
            let found = view.decisions(&filter, None, Direction::Forward, 1)?;
            is_known = !found.decisions.is_empty() || found.next.is_some();
        }
        if is_known {
            continue;
        }
        let filter = LogFilter::default();
        let (limit, budget) = (SAMPLE, SAMPLE as u64);
        let sample = view.log(&filter, None, Direction::Backward, limit, budget)?;
        let known = sample.events.iter();
        let known = known.filter_map(|event| event.correlation_id.as_deref());
        let meant = nearest(name, known).into_iter().map(str::to_owned);
        unknown.push(named(Field::Correlation, name, meant.collect()));
    }
    Ok(unknown)
}

/// Types of commands, actors and rules of decisions. They have no index: where there are more decisions than are looked at, nothing is
/// said of a name that was not met.
fn of_commands(
    view: &dyn View,
    models: &Models,
    query: &Query,
) -> Result<Vec<UnknownName>, StoreError> {
    let fields = [Field::Type, Field::Actor, Field::Rule];
    let wanted: Vec<(Field, &str)> = fields
        .into_iter()
        .flat_map(|field| {
            query
                .names(field)
                .into_iter()
                .map(move |name| (field, name))
        })
        .collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let mut known: BTreeSet<(Field, String)> = BTreeSet::new();
    for model in models.all() {
        let commands = model.spec().commands.iter();
        known.extend(commands.map(|command| (Field::Type, command.name.clone())));
    }
    let mut left = DECISIONS_LOOKED_AT;
    let mut next = None;
    while left > 0 {
        let filter = DecisionFilter::default();
        let page = view.decisions(&filter, next, Direction::Backward, PAGE.min(left))?;
        left = left.saturating_sub(page.decisions.len().max(1));
        for decision in page.decisions {
            if let Outcome::Rejected { rule, .. } = decision.result {
                known.insert((Field::Rule, rule));
            }
            known.extend(decision.actor.map(|actor| (Field::Actor, actor)));
            known.insert((Field::Type, decision.command_type));
        }
        next = page.next;
        if next.is_none() {
            break;
        }
        view.stop().check()?;
    }
    let is_whole = next.is_none();
    let is_known = |field: Field, name: &str| known.contains(&(field, name.to_owned()));
    let missing = wanted
        .into_iter()
        .filter(|(field, name)| is_whole && !is_known(*field, name));
    let unknown = missing.map(|(field, name)| {
        let others = known.iter().filter(|(own, _)| *own == field);
        let others = others.map(|(_, other)| other.as_str());
        let meant = nearest(name, others).into_iter().map(str::to_owned);
        named(field, name, meant.collect())
    });
    Ok(unknown.collect())
}

fn has_decisions(view: &dyn View, stream: &StreamName) -> Result<bool, StoreError> {
    let filter = DecisionFilter {
        stream: Some(stream.clone()),
        ..DecisionFilter::default()
    };
    let direction = Direction::Forward;
    Ok(!view
        .decisions(&filter, None, direction, 1)?
        .decisions
        .is_empty())
}

fn named(field: Field, name: &str, did_you_mean: Vec<String>) -> UnknownName {
    UnknownName {
        key: field.key().to_owned(),
        name: name.to_owned(),
        did_you_mean,
    }
}
