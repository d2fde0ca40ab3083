//! Requests that take a query line: what it finds, its figures, and what tells that from the rest.

use reqwest::Method;
use whodunit_core::api::find::{DiffersBy, DiffersOut, FindLine, FindPage, SummaryOut};
use whodunit_core::api::names::{NameKind, NamesOut};
use whodunit_core::command::Decision;
use whodunit_core::event::Event;

use super::query::Params;
use super::{Client, ClientError, Lines, Order};

/// Of `GET /v1/events` with a query line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FindQuery {
    /// The line, with its times in full.
    pub line: String,
    /// The order; newest first when absent.
    pub order: Option<Order>,
    /// Where to go on.
    pub cursor: Option<String>,
    /// Items at most.
    pub limit: Option<usize>,
    /// Whether to show secrets.
    pub reveal: bool,
}

impl FindQuery {
    fn params(&self) -> Params {
        let mut params = Params::new();
        params.opt("q", Some(&self.line));
        params.opt("order", self.order.map(Order::word));
        params.opt("cursor", self.cursor.as_ref());
        params.opt("limit", self.limit);
        params.flag("reveal", self.reveal);
        params
    }
}

/// Lines of what a query line finds, as they come.
pub type FindLines = Lines<FindLine<Event, Decision>>;

impl Client {
    /// `GET /v1/events` with a query line: what is found comes line by line, until it is dropped.
    pub async fn find(&self, query: &FindQuery) -> Result<FindLines, ClientError> {
        let request = self.request(Method::GET, "/v1/events", &query.params())?;
        let request = request.header("accept", "application/x-ndjson");
        let response = self.open(request).await?;
        Ok(Lines::of(self, response))
    }

    /// `GET /v1/events` with a query line that finds events: a page of them.
    pub async fn find_page(&self, query: &FindQuery) -> Result<FindPage<Event>, ClientError> {
        self.get("/v1/events", &query.params()).await
    }

    /// That a search ended without its last line.
    pub(crate) fn cut_short(&self) -> ClientError {
        ClientError::BadReply {
            url: self.url().to_owned(),
            reason: "its reply ended early".to_owned(),
        }
    }

    /// `GET /v1/names`: names that begin with a text.
    pub async fn names(
        &self,
        kind: NameKind,
        prefix: &str,
        limit: usize,
    ) -> Result<NamesOut, ClientError> {
        let mut params = Params::new();
        params.opt("kind", Some(kind.word()));
        params.opt("prefix", Some(prefix));
        params.opt("limit", Some(limit));
        self.get("/v1/names", &params).await
    }

    /// `GET /v1/decisions` with a query line: a page of them.
    pub async fn find_decisions(
        &self,
        query: &FindQuery,
    ) -> Result<FindPage<Decision>, ClientError> {
        self.get("/v1/decisions", &query.params()).await
    }

    /// `GET /v1/find/summary`.
    pub async fn find_summary(
        &self,
        line: &str,
        buckets: Option<usize>,
        top: Option<usize>,
    ) -> Result<SummaryOut, ClientError> {
        let mut params = Params::new();
        params.opt("q", Some(line));
        params.opt("buckets", buckets);
        params.opt("top", top);
        self.get("/v1/find/summary", &params).await
    }

    /// `GET /v1/what-differs`.
    pub async fn what_differs(
        &self,
        line: &str,
        by: DiffersBy,
        zone: Option<&str>,
        limit: usize,
    ) -> Result<DiffersOut, ClientError> {
        let mut params = Params::new();
        params.opt("q", Some(line));
        params.opt(
            "by",
            Some(match by {
                DiffersBy::Stream => "stream",
                DiffersBy::Event => "event",
            }),
        );
        params.opt("zone", zone);
        params.opt("limit", Some(limit));
        self.get("/v1/what-differs", &params).await
    }
}
