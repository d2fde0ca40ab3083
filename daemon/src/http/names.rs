//! Names over HTTP: what begins with a text, for completions.

use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use whodunit_core::api::names::{NameKind, NameOut, NamesOut};
use whodunit_core::api::problem::Problem;
use whodunit_core::ids::StreamName;

use super::common::page_limit;
use super::error::ApiError;
use super::extract::Query;
use super::field_names::fields;
use super::reply::{Written, answer, answer_heavy};
use crate::daemon::Parts;
use crate::limits::NAMES_LOOKED_AT;
use crate::store::{
    Direction, LogFilter, StoreError, StreamCursor, StreamFilter, StreamOrder, View, WordField,
};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct NamesParams {
    /// What is named: `type`, `actor`, `category`, `stream`, `correlation` or `field`.
    #[param(inline)]
    kind: NameKind,
    /// How the names begin; all of them when absent.
    prefix: Option<String>,
    /// Items at most: 1 to 1000, 100 when absent.
    limit: Option<usize>,
}

/// Names that begin with a text, with how many events have each: of event types, actors and categories by their index, of streams by
/// their names, of correlation ids among the newest 10,000 events. Of `field`, the fields as conditions write them: those of the states of the
/// 64 streams that changed last (`state.email`, `before.email`, `/email`, each with how many of these streams have it), and of the newest
/// 500 events (`event.data.email`).
#[utoipa::path(get, path = "/v1/names", tag = "browse", params(NamesParams),
    responses((status = 200, body = NamesOut),
        (status = 400, body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn list_names(
    State(parts): State<Arc<Parts>>,
    Query(params): Query<NamesParams>,
) -> Result<Written, ApiError> {
    let limit = page_limit(params.limit)?;
    let prefix = params.prefix.unwrap_or_default();
    if params.kind == NameKind::Field {
        let looked_in = Arc::clone(&parts);
        let work = move |view: &dyn View| Ok(fields(&looked_in, view, &prefix, limit)?);
        return answer_heavy(&parts, work).await;
    }
    answer(&parts, move |view| {
        let found = match params.kind {
            NameKind::Type => words(view, WordField::Type, &prefix, limit),
            NameKind::Actor => words(view, WordField::Actor, &prefix, limit),
            NameKind::Category => words(view, WordField::Category, &prefix, limit),
            NameKind::Stream => streams(view, &prefix, limit),
            NameKind::Correlation => correlations(view, &prefix, limit),
            // Answered above.
            NameKind::Field => Ok(NamesOut::default()),
        };
        Ok(found?)
    })
    .await
}

fn words(
    view: &dyn View,
    field: WordField,
    prefix: &str,
    limit: usize,
) -> Result<NamesOut, StoreError> {
    let page = view.words(field, prefix, None, limit)?;
    let items = page.words.into_iter();
    Ok(NamesOut {
        items: items
            .map(|(name, events)| NameOut { name, events })
            .collect(),
        more: page.has_more,
        complete: true,
    })
}

fn streams(view: &dyn View, prefix: &str, limit: usize) -> Result<NamesOut, StoreError> {
    let mut found = NamesOut {
        complete: true,
        ..NamesOut::default()
    };
    // A list by name begins behind a name: the one that is the prefix itself is looked up.
    if let Ok(exact) = StreamName::new(prefix)
        && let Some(info) = view.stream(&exact)?
    {
        found.items.push(NameOut {
            name: prefix.to_owned(),
            events: info.revision.0,
        });
    }
    let after = (!prefix.is_empty()).then(|| StreamCursor::AfterName(prefix.to_owned()));
    let filter = StreamFilter::default();
    let page = view.streams(
        &filter,
        StreamOrder::Name,
        after,
        limit + 1,
        limit as u64 + 2,
    )?;
    let streams = page.streams.into_iter();
    let names = streams
        .take_while(|info| info.stream.as_str().starts_with(prefix))
        .map(|info| NameOut {
            name: info.stream.to_string(),
            events: info.revision.0,
        });
    found.items.extend(names);
    found.more = found.items.len() > limit;
    found.items.truncate(limit);
    Ok(found)
}

/// Correlation ids of the newest events, the newest first.
fn correlations(view: &dyn View, prefix: &str, limit: usize) -> Result<NamesOut, StoreError> {
    let mut found = NamesOut::default();
    let mut next = None;
    let mut left = NAMES_LOOKED_AT;
    loop {
        let page = view.log(&LogFilter::default(), next, Direction::Backward, 500, left)?;
        for event in &page.events {
            let Some(id) = event
                .correlation_id
                .as_deref()
                .filter(|id| id.starts_with(prefix))
            else {
                continue;
            };
            let is_full = found.items.len() == limit;
            match found.items.iter_mut().find(|known| known.name == id) {
                Some(known) => known.events += 1,
                None if is_full => found.more = true,
                None => found.items.push(NameOut {
                    name: id.to_owned(),
                    events: 1,
                }),
            }
        }
        left = left.saturating_sub(page.scanned);
        next = page.next;
        found.complete = next.is_none();
        if found.complete || left == 0 || page.scanned == 0 {
            return Ok(found);
        }
        view.stop().check()?;
    }
}
