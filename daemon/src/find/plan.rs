//! Plans: what of a query line an index answers.
//!
//! Whatever a plan leaves out, the line itself is asked of each record that is read: a plan only saves reading.

use whodunit_core::api::find::IndexUse;
use whodunit_core::ids::StreamName;
use whodunit_core::query::{Field, Query, Words};

use super::fields::{self, ByField};
use crate::limits::SCAN_ENTRIES_MAX;
use crate::projections::Projections;
use crate::store::{
    DecisionFilter, LogFilter, StoreError, StreamCursor, StreamFilter, StreamOrder, View,
};

/// Streams that are read one beside the other at most; with more, the log is read.
const STREAMS_MAX: usize = 64;

/// Where events are read from.
#[derive(Debug, Clone)]
pub(super) enum Plan {
    /// The log, by what its indexes know.
    Log(Box<LogFilter>),
    /// These streams, and no others.
    Streams(Vec<StreamName>),
}

/// The plan for events, and which indexes it uses.
pub(super) fn of_query(
    view: &dyn View,
    query: &Query,
    projections: Option<&Projections>,
) -> Result<(Plan, IndexUse), StoreError> {
    let plan = by_names(view, query)?;
    let Plan::Log(filter) = &plan else {
        let used = vec!["stream".to_owned()];
        return Ok((
            plan,
            IndexUse {
                used,
                not_used: None,
            },
        ));
    };
    let mut index = IndexUse {
        used: of_log(filter),
        not_used: None,
    };
    let by_field = projections.map(|own| fields::streams(view, own, query));
    Ok(match by_field.transpose()? {
        Some(ByField::Streams { streams, field }) => {
            index.used = vec![field];
            (Plan::Streams(streams), index)
        }
        Some(ByField::Not(why)) => {
            index.not_used = Some(why);
            (plan, index)
        }
        Some(ByField::NotAsked) | None => (plan, index),
    })
}

/// What the log's indexes answer of a filter, by the keys of its terms.
fn of_log(filter: &LogFilter) -> Vec<String> {
    let has = |field: Field| filter.words.iter().any(|own| own.field == field);
    let fields = [Field::Type, Field::Category, Field::Actor];
    let mut used: Vec<&str> = fields
        .into_iter()
        .filter(|field| has(*field) || *field == Field::Category && filter.category.is_some())
        .map(Field::key)
        .collect();
    if filter.correlation_id.is_some() {
        used.push(Field::Correlation.key());
    }
    used.extend(filter.since.map(|_| "since"));
    used.extend(filter.until.map(|_| "until"));
    used.into_iter().map(str::to_owned).collect()
}

/// The plan by what the log itself knows.
fn by_names(view: &dyn View, query: &Query) -> Result<Plan, StoreError> {
    let words: Vec<Words> = query.words().collect();
    for own in words
        .iter()
        .filter(|own| own.field == Field::Stream && !own.negated)
    {
        if let Some(streams) = streams(view, own)? {
            return Ok(Plan::Streams(streams));
        }
    }
    let exact = |field: Field| {
        let mut own = words
            .iter()
            .filter(|own| own.field == field && !own.negated);
        own.find_map(|own| match own.patterns.as_slice() {
            [pattern] => pattern.as_exact().map(str::to_owned),
            _ => None,
        })
    };
    // A stream's category stands in its name.
    let of_stream = || {
        let mut own = words
            .iter()
            .filter(|own| own.field == Field::Stream && !own.negated);
        own.find_map(|own| match own.patterns.as_slice() {
            [pattern] => pattern
                .prefix()
                .split_once('-')
                .map(|(category, _)| category.to_owned()),
            _ => None,
        })
    };
    Ok(Plan::Log(Box::new(LogFilter {
        category: exact(Field::Category).or_else(of_stream),
        event_type: exact(Field::Type),
        actor: exact(Field::Actor),
        correlation_id: exact(Field::Correlation),
        since: query.since(),
        until: query.until(),
        words,
    })))
}

/// The streams of these names and beginnings; `None` when there are too many.
fn streams(view: &dyn View, words: &Words) -> Result<Option<Vec<StreamName>>, StoreError> {
    let mut found = Vec::new();
    for pattern in &words.patterns {
        if let Some(name) = pattern.as_exact() {
            found.extend(StreamName::new(name).ok());
            continue;
        }
        let prefix = pattern.prefix();
        if prefix.is_empty() {
            return Ok(None);
        }
        found.extend(
            StreamName::new(prefix)
                .ok()
                .filter(|name| pattern.matches(name.as_str())),
        );
        let after = StreamCursor::AfterName(prefix.to_owned());
        let page = view.streams(
            &StreamFilter::default(),
            StreamOrder::Name,
            Some(after),
            STREAMS_MAX + 1,
            SCAN_ENTRIES_MAX,
        )?;
        let is_cut = page.next.is_some();
        let listed = page.streams.len();
        let of_prefix: Vec<StreamName> = page
            .streams
            .into_iter()
            .map(|info| info.stream)
            .take_while(|name| name.as_str().starts_with(prefix))
            .collect();
        if is_cut && of_prefix.len() == listed {
            return Ok(None);
        }
        found.extend(
            of_prefix
                .into_iter()
                .filter(|name| pattern.matches(name.as_str())),
        );
    }
    found.sort();
    found.dedup();
    Ok((found.len() <= STREAMS_MAX).then_some(found))
}

/// What an index of decisions answers.
pub(super) fn of_decisions(query: &Query) -> DecisionFilter {
    let exact = |field: Field| {
        let mut words = query
            .words()
            .filter(|own| own.field == field && !own.negated);
        words.find_map(|own| match own.patterns.as_slice() {
            [pattern] => pattern.as_exact().map(str::to_owned),
            _ => None,
        })
    };
    DecisionFilter {
        stream: exact(Field::Stream).and_then(|name| StreamName::new(name).ok()),
        rejected: query.rejected(),
        correlation_id: exact(Field::Correlation),
    }
}
