//! Read models: queries, single documents, and waiting for a position.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;
use whodunit_core::api::Page;
use whodunit_core::api::pipeline::{DocumentOut, DocumentPage, NotYetOut, ReadModelOut};
use whodunit_core::api::problem::{Code, Problem, echo};
use whodunit_core::ids::Position;
use whodunit_core::json;
use whodunit_core::search::Search;

use super::common::{Order, bad_cursor, page_limit};
use super::error::ApiError;
use super::extract::{Pairs, PathText, PathTexts, Query};
use super::reply::Reply;
use super::streams::NoParams;
use crate::daemon::Parts;
use crate::limits::{QUERY_FILTERS_MAX, WAIT_MS_DEFAULT, WAIT_MS_MAX};
use crate::projections::{DocumentQuery, Filter, Projection};

/// All read models, with the parameters of their queries.
#[utoipa::path(get, path = "/v1/read-models", tag = "queries", responses((status = 200, body = Page<ReadModelOut>)))]
pub(crate) async fn list_read_models(
    State(parts): State<Arc<Parts>>,
    Query(NoParams {}): Query<NoParams>,
) -> Result<Reply<Page<ReadModelOut>>, ApiError> {
    let items = parts.projections.read_models().await?;
    Ok(Reply(Page {
        next_cursor: None,
        redacted_copy: parts.store.is_redacted_copy(),
        head: parts.store.head().borrow().position.0,
        scanned: items.len() as u64,
        items,
    }))
}

/// What a query may say. Read name by name, as every read model has fields of its own.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "it describes the parameters; they are read by `ParsedQuery::read`"
)]
pub(crate) struct QueryParams {
    /// Occurs in a text of the document or in its key, without regard to case.
    r#match: Option<String>,
    /// `users` only: exactly this username, compared as the domain does.
    username: Option<String>,
    /// `users` only: exactly this email, compared as the domain does.
    email: Option<String>,
    /// `users` only: first and last name, without regard to case.
    name: Option<String>,
    /// `users` only: exactly this status, such as `active`.
    status: Option<String>,
    /// Exactly this category; for read models of more than one.
    category: Option<String>,
    /// `/pointer=value`: a JSON Pointer and a JSON literal, or a text as it is; `null` also holds where there is nothing.
    /// The first `=` ends the pointer. May be given several times.
    filter: Option<Vec<String>>,
    /// The order: one of the read model's `sorts`; by key when absent. It is the order at the first page: documents that
    /// change between two pages are neither skipped nor repeated, and are shown as they are now; new ones are not among
    /// them.
    sort: Option<String>,
    /// Which way the order runs; `forward` when absent.
    #[param(inline)]
    order: Option<Order>,
    /// The `next_cursor` of the previous page.
    cursor: Option<String>,
    /// Items at most: 1 to 1000, 100 when absent.
    limit: Option<usize>,
    /// Answer only once the read model reflects this position, such as that of the client's own write.
    min_position: Option<u64>,
    /// Milliseconds to wait for that, 5000 when absent, 30000 at most.
    wait_ms: Option<u64>,
}

/// Documents of a read model. With `min_position` the answer may be a 202: not yet there.
#[utoipa::path(get, path = "/v1/read-models/{name}", tag = "queries",
    params(("name" = String, Path, description = "the read model's name"), QueryParams),
    responses((status = 200, body = DocumentPage),
        (status = 202, body = NotYetOut, description = "the read model did not reach that position in time"),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn query_read_model(
    State(parts): State<Arc<Parts>>,
    PathText(name): PathText,
    Pairs(pairs): Pairs,
) -> Result<Response, ApiError> {
    let projection = parts
        .projections
        .projection(&name)
        .ok_or_else(|| parts.projections.no_such_projection(&name))?;
    let (query, wait) = read_query(projection.as_ref(), pairs)?;
    if let Some(not_yet) = reach(&parts, &name, wait).await? {
        return Ok(not_yet);
    }
    Ok(Reply(parts.projections.query(&name, query).await?).into_response())
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WaitParams {
    /// Answer only once the read model reflects this position, such as that of the client's own write.
    min_position: Option<u64>,
    /// Milliseconds to wait for that, 5000 when absent, 30000 at most.
    wait_ms: Option<u64>,
}

/// One document of a read model. With `min_position` the answer may be a 202: not yet.
#[utoipa::path(get, path = "/v1/read-models/{name}/{key}", tag = "queries",
    params(("name" = String, Path, description = "the read model's name"),
        ("key" = String, Path, description = "the document's key: the stream it is made from"), WaitParams),
    responses((status = 200, body = DocumentOut),
        (status = 202, body = NotYetOut, description = "the read model did not reach that position in time"),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "no such read model, or no such document")))]
pub(crate) async fn get_document(
    State(parts): State<Arc<Parts>>,
    PathTexts([name, key]): PathTexts<2>,
    Query(params): Query<WaitParams>,
) -> Result<Response, ApiError> {
    let wait = Wait::from_params(&params)?;
    if let Some(not_yet) = reach(&parts, &name, wait).await? {
        return Ok(not_yet);
    }
    match parts.projections.document(&name, &key).await? {
        (Some(document), _) => Ok(Reply(document).into_response()),
        (None, checkpoint) => {
            let detail = format!(
                "`{}` has no document `{}` as of position {checkpoint}",
                echo(&name),
                echo(&key)
            );
            Err(Problem::new(Code::NoSuchDocument, detail)
                .hint("to read your own write, pass its position as `min_position=`")
                .into())
        }
    }
}

/// What a reader waits for.
#[derive(Debug, Clone, Copy, Default)]
struct Wait {
    min_position: Option<u64>,
    at_most: Duration,
}

impl Wait {
    fn from_params(params: &WaitParams) -> Result<Self, ApiError> {
        let wait_ms = params.wait_ms.unwrap_or(WAIT_MS_DEFAULT);
        if wait_ms > WAIT_MS_MAX {
            let detail = format!("`wait_ms` is {wait_ms}, at most {WAIT_MS_MAX} is allowed");
            return Err(Problem::new(Code::LimitExceeded, detail)
                .field("wait_ms")
                .into());
        }
        Ok(Self {
            min_position: params.min_position,
            at_most: Duration::from_millis(wait_ms),
        })
    }
}

/// Waits until the read model is as new as asked for; the answer to give if that takes too long.
async fn reach(parts: &Parts, name: &str, wait: Wait) -> Result<Option<Response>, ApiError> {
    let Some(min_position) = wait.min_position else {
        return Ok(None);
    };
    let position = Position(min_position);
    let reached = parts
        .projections
        .wait_for(name, position, wait.at_most)
        .await?;
    if reached >= position {
        return Ok(None);
    }
    let head = parts.store.head().borrow().position.0.max(reached.0);
    let hint = if min_position > head {
        "the log has no such position yet; command replies carry the position to wait for"
    } else {
        "ask again, with a larger `wait_ms` if necessary; `GET /v1/projections` shows the lag of the projection"
    };
    let not_yet = NotYetOut {
        status: "not_yet".to_owned(),
        min_position,
        checkpoint: reached.0,
        head,
        hint: hint.to_owned(),
    };
    Ok(Some((StatusCode::ACCEPTED, Reply(not_yet)).into_response()))
}

/// Reads a query's parameters, of which each but `filter` may be given once.
fn read_query(
    projection: &dyn Projection,
    pairs: Vec<(String, String)>,
) -> Result<(DocumentQuery, Wait), ApiError> {
    let mut asked = ParsedQuery::default();
    let mut seen: Vec<String> = Vec::new();
    for (name, value) in pairs {
        if name != "filter" && seen.contains(&name) {
            let detail = format!("`{}` is given twice", echo(&name));
            return Err(Problem::new(Code::BadParameter, detail).field(name).into());
        }
        asked.read(projection, &name, value)?;
        seen.push(name);
    }
    asked.query.limit = page_limit(asked.limit)?;
    if let Some(cursor) = &asked.cursor {
        let cursor = asked.query.read_cursor(cursor).ok_or_else(bad_cursor)?;
        asked.query.cursor = Some(cursor);
    }
    Ok((asked.query, Wait::from_params(&asked.wait)?))
}

struct ParsedQuery {
    query: DocumentQuery,
    wait: WaitParams,
    limit: Option<usize>,
    cursor: Option<String>,
}

impl Default for ParsedQuery {
    fn default() -> Self {
        Self {
            query: DocumentQuery::default(),
            wait: WaitParams {
                min_position: None,
                wait_ms: None,
            },
            limit: None,
            cursor: None,
        }
    }
}

impl ParsedQuery {
    fn read(
        &mut self,
        projection: &dyn Projection,
        name: &str,
        value: String,
    ) -> Result<(), ApiError> {
        let fields = projection.fields();
        match name {
            "match" => self.query.text = Search::new(&value),
            "filter" => {
                if self.query.filters.len() == QUERY_FILTERS_MAX {
                    let detail = format!("more than {QUERY_FILTERS_MAX} filters are given");
                    return Err(Problem::new(Code::LimitExceeded, detail).field(name).into());
                }
                self.query.filters.push(read_filter(&value)?);
            }
            "sort" => self.query.sort = Some(read_sort(projection, &value)?),
            "order" => self.query.order = read_order(&value)?.into(),
            "cursor" => self.cursor = Some(value),
            "limit" => self.limit = Some(number(name, &value)?),
            "min_position" => self.wait.min_position = Some(number(name, &value)?),
            "wait_ms" => self.wait.wait_ms = Some(number(name, &value)?),
            "category" if projection.category().is_none() => self.query.category = Some(value),
            _ => match fields.iter().find(|field| field.name == name) {
                Some(field) => self.query.fields.push((*field, (field.wanted)(&value))),
                None => return Err(unknown(projection, name)),
            },
        }
        Ok(())
    }
}

fn unknown(projection: &dyn Projection, name: &str) -> ApiError {
    let category = projection.category().is_none().then_some("category");
    let fields = projection.fields().iter().map(|field| field.name);
    let takes: Vec<_> = ["match"]
        .into_iter()
        .chain(fields)
        .chain(category)
        .chain([
            "filter",
            "sort",
            "order",
            "cursor",
            "limit",
            "min_position",
            "wait_ms",
        ])
        .map(|name| format!("`{name}`"))
        .collect();
    Problem::new(
        Code::BadParameter,
        format!("unknown parameter `{}`", echo(name)),
    )
    .field(name)
    .hint(format!("this read model accepts {}", takes.join(", ")))
    .into()
}

fn bad(name: &str, detail: &str) -> ApiError {
    Problem::new(Code::BadParameter, format!("`{name}`: {detail}"))
        .field(name)
        .into()
}

fn number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, ApiError> {
    value
        .parse()
        .map_err(|_not_a_number| bad(name, "must be a whole number within range"))
}

fn read_order(value: &str) -> Result<Order, ApiError> {
    match value {
        "forward" | "asc" => Ok(Order::Forward),
        "backward" | "desc" => Ok(Order::Backward),
        _ => Err(bad("order", "must be `forward` or `backward`")),
    }
}

fn read_sort(projection: &dyn Projection, value: &str) -> Result<&'static str, ApiError> {
    let mut names = std::iter::once("key").chain(projection.sorts().iter().map(|sort| sort.name));
    let known: Vec<_> = names.clone().map(|name| format!("`{name}`")).collect();
    names
        .find(|name| *name == value)
        .ok_or_else(|| bad("sort", &format!("must be one of {}", known.join(", "))))
}

/// `/pointer=value`.
fn read_filter(text: &str) -> Result<Filter, ApiError> {
    let parts = text
        .split_once('=')
        .filter(|(pointer, _)| pointer.starts_with('/'));
    let Some((pointer, value)) = parts else {
        return Err(bad(
            "filter",
            "must be `/pointer=value`, such as `/status=active`",
        ));
    };
    let value = json::read(value).unwrap_or_else(|_no_json| Value::from(value));
    Ok(Filter {
        pointer: pointer.to_owned(),
        value,
    })
}
