//! Shared by all resources: pages, orders, cursors, and requests to reveal secrets.

use axum::http::HeaderMap;
use serde::Deserialize;
use utoipa::ToSchema;
use whodunit_core::api::problem::{Code, Problem, echo};
use whodunit_core::shown::Reveal;
use whodunit_core::text::shown;

use super::error::ApiError;
use crate::limits::{ACTOR_BYTES_MAX, PAGE_ITEMS_DEFAULT, PAGE_ITEMS_MAX};
use crate::store::Direction;

/// Which way a list runs: `forward` from old to new (also `asc`), `backward` from new to old (also `desc`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Order {
    /// From old to new.
    #[default]
    #[serde(alias = "asc")]
    Forward,
    /// From new to old.
    #[serde(alias = "desc")]
    Backward,
}

impl From<Order> for Direction {
    fn from(order: Order) -> Self {
        match order {
            Order::Forward => Self::Forward,
            Order::Backward => Self::Backward,
        }
    }
}

impl Order {
    fn letter(self) -> char {
        match self {
            Self::Forward => 'f',
            Self::Backward => 'b',
        }
    }

    /// A cursor of a list that runs this way and goes on from this number.
    pub(crate) fn cursor(self, next: u64) -> String {
        format!("{}{next}", self.letter())
    }

    /// Reads such a cursor back, where there is one; one of a list that runs the other way is refused.
    pub(crate) fn read_cursor(self, cursor: Option<&str>) -> Result<Option<u64>, ApiError> {
        let Some(cursor) = cursor else {
            return Ok(None);
        };
        let number = cursor.strip_prefix(self.letter());
        let number = number.and_then(|number| number.parse().ok());
        number.map(Some).ok_or_else(bad_cursor)
    }
}

pub(crate) fn bad_cursor() -> ApiError {
    Problem::new(Code::BadParameter, "`cursor` belongs to a different list")
        .field("cursor")
        .hint("send `next_cursor` unchanged, with the same `order` and `sort`")
        .into()
}

/// The number of items of a page.
pub(crate) fn page_limit(limit: Option<usize>) -> Result<usize, ApiError> {
    bounded("limit", limit, PAGE_ITEMS_DEFAULT, PAGE_ITEMS_MAX)
}

/// A number between 1 and its documented bound.
pub(crate) fn bounded(
    name: &str,
    given: Option<usize>,
    default: usize,
    max: usize,
) -> Result<usize, ApiError> {
    match given.unwrap_or(default) {
        0 => Err(
            Problem::new(Code::BadParameter, format!("`{name}` must be at least 1"))
                .field(name)
                .into(),
        ),
        n if n > max => {
            let detail = format!("`{name}` is {n}, at most {max} is allowed");
            Err(Problem::new(Code::LimitExceeded, detail).field(name).into())
        }
        n => Ok(n),
    }
}

/// Two parameters of which at most one may be given.
pub(crate) fn at_most_one(
    (one, has_one): (&str, bool),
    (other, has_other): (&str, bool),
) -> Result<(), ApiError> {
    if has_one && has_other {
        let detail = format!("`{one}` and `{other}` are both given; give one of them");
        return Err(Problem::new(Code::BadParameter, detail).field(other).into());
    }
    Ok(())
}

/// Whether a reply shows secrets. A request for them is logged with its actor and its target.
pub(crate) fn asked_to_reveal(reveal: bool, headers: &HeaderMap, what: &str, of: &str) -> Reveal {
    Reveal::asked(reveal, || {
        let who = headers
            .get("x-whodunit-actor")
            .and_then(|value| value.to_str().ok());
        let who = who.filter(|who| !who.is_empty() && who.len() <= ACTOR_BYTES_MAX);
        let who = shown(who.unwrap_or("anonymous"));
        // As plain values they are quoted in the log, so that neither can look like another field.
        let (who, of) = (who.as_ref(), echo(of));
        tracing::info!(who, what, of, "secrets revealed");
    })
}
