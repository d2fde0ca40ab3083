//! The index of field values, as a plan uses it: the streams that an event which matches must be in.
//!
//! Owns when it may be used: the conditions of the line demand a value of a field that is indexed for every category that the
//! line is about. The index may lag behind the log, so the events behind it are looked through for streams; one that does
//! not fit, or names too many, is not used, and why is told.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use whodunit_core::ids::{Position, StreamName};
use whodunit_core::predicate::Demand;
use whodunit_core::query::{Field, Query, Words};

use crate::limits::{FIND_BEHIND_MAX, FIND_HOLDERS_MAX};
use crate::projections::{Holders, IndexedField, Looked, Projections};
use crate::store::{StoreError, View};

/// What the index does for a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ByField {
    /// The line demands no value of an indexed field.
    NotAsked,
    /// Only these streams have events that match.
    Streams {
        streams: Vec<StreamName>,
        /// The field, as it was declared.
        field: String,
    },
    /// It could not be used: why.
    Not(String),
}

/// The streams that the events a line matches are in.
pub(super) fn streams(
    view: &dyn View,
    projections: &Projections,
    query: &Query,
) -> Result<ByField, StoreError> {
    let indexed = projections.indexed_fields();
    let is_indexed = |demand: &Demand| indexed.iter().any(|own| own.field == demand.field);
    let demands: Vec<Demand> = query.demands().filter(is_indexed).collect();
    let Some(first) = demands.first() else {
        return Ok(ByField::NotAsked);
    };
    if view.places_are_shared() {
        return Ok(ByField::Not(
            "the index of field values is of the log, not of a branch".to_owned(),
        ));
    }
    let categories = categories(view, query)?;
    let of_all = |demand: &Demand| {
        let mut categories = categories.iter();
        categories.all(|category| is_of(indexed, demand, category))
    };
    let (demands, others): (Vec<Demand>, Vec<Demand>) = demands.iter().cloned().partition(of_all);
    if categories.is_empty() {
        return Ok(ByField::NotAsked);
    }
    if demands.is_empty() {
        return Ok(ByField::Not(not_of_all(
            indexed,
            others.first().unwrap_or(first),
        )));
    }
    let holders = match projections.holders(&demands, FIND_HOLDERS_MAX) {
        Looked::Holders(holders) => holders,
        Looked::TooMany => {
            return Ok(ByField::Not(format!(
                "more than {FIND_HOLDERS_MAX} streams had that value of `{}`",
                first.field
            )));
        }
        Looked::Not(why) => return Ok(ByField::Not(format!("the index of field values: {why}"))),
    };
    let field = demands
        .get(holders.demand)
        .unwrap_or(first)
        .field
        .to_string();
    Ok(match up_to_now(view, holders, &categories)? {
        Some(streams) => ByField::Streams { streams, field },
        None => ByField::Not(format!(
            "the index of field values is more than {FIND_BEHIND_MAX} events behind the log, or too many streams have changed since"
        )),
    })
}

/// The categories that events which match may be of.
fn categories(view: &dyn View, query: &Query) -> Result<Vec<String>, StoreError> {
    let words: Vec<Words> = query.words().collect();
    let admits = |category: &str| {
        words.iter().all(|own| match own.field {
            Field::Category => own.admits(Some(category)),
            Field::Stream if !own.negated => own.patterns.iter().any(|pattern| {
                let begins = pattern.prefix();
                match begins.split_once('-') {
                    Some((known, _)) => known == category,
                    None => category.starts_with(begins) || pattern.as_exact() == Some(category),
                }
            }),
            _ => true,
        })
    };
    let all = view.categories()?.into_iter().map(|info| info.category);
    Ok(all.filter(|category| admits(category)).collect())
}

fn is_of(indexed: &[IndexedField], demand: &Demand, category: &str) -> bool {
    indexed
        .iter()
        .any(|own| own.field == demand.field && own.is_of(category))
}

fn not_of_all(indexed: &[IndexedField], demand: &Demand) -> String {
    let mut names = indexed.iter().filter(|own| own.field == demand.field);
    let category = names.find_map(|own| own.category.as_deref()).unwrap_or("*");
    format!(
        "`{}` is not indexed for every category that the line is about: add `category:{category}`",
        demand.field
    )
}

/// The streams, with those of these categories that have events which the index does not reflect yet; `None` where that is too
/// much.
fn up_to_now(
    view: &dyn View,
    holders: Holders,
    categories: &[String],
) -> Result<Option<Vec<StreamName>>, StoreError> {
    let mut streams: BTreeSet<StreamName> = holders
        .streams
        .into_iter()
        .filter_map(|name| StreamName::new(name).ok())
        .filter(|name| {
            categories
                .iter()
                .any(|category| category == name.category())
        })
        .collect();
    let (checkpoint, head) = (holders.checkpoint, view.head().position);
    if head.0.saturating_sub(checkpoint.0) > FIND_BEHIND_MAX {
        return Ok(None);
    }
    if checkpoint < head {
        view.walk_log(Position(checkpoint.0 + 1), &mut |event| {
            let is_wanted = categories
                .iter()
                .any(|category| category == event.stream.category());
            if is_wanted && !streams.contains(event.stream) {
                streams.insert(event.stream.clone());
            }
            Ok(if streams.len() > FIND_HOLDERS_MAX {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            })
        })?;
    }
    Ok((streams.len() <= FIND_HOLDERS_MAX).then(|| streams.into_iter().collect()))
}
