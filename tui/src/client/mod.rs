//! The HTTP client: one typed method for each endpoint of API v1.
//!
//! Owns which endpoints there are. Never retries, never keeps
//! state beyond the connection pool, and never shows anything: every outcome is a value.

mod body;
mod branches;
mod error;
mod exchange;
mod find;
mod import;
mod investigate;
mod lines;
mod live;
mod notes;
mod origin;
mod overview;
mod pipeline;
mod query;
mod sse;
mod verify;

#[cfg(test)]
mod pipeline_tests;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::{Method, Url};
use whodunit_core::api::browse::{Category, DensityOut, ModelOut, Stream};
use whodunit_core::api::ops::HealthOut;
use whodunit_core::api::time_travel::{StateOut, StepsOut};
use whodunit_core::api::what_if::{WhatIfIn, WhatIfOut};
use whodunit_core::api::write::{AppendIn, AppendedOut, CommandAccepted, CommandIn, ImportReport};
use whodunit_core::api::{Page, segment};
use whodunit_core::bundle::{BUNDLE_BYTES_MAX, BundleIn};
use whodunit_core::command::Decision;
use whodunit_core::event::Event;
use whodunit_core::ids::{Position, StreamName};

pub use body::ByteStream;
pub use branches::{CompareQuery, branch_of};
pub use error::ClientError;
pub use find::{FindLines, FindQuery};
pub use import::ImportQuery;
pub use lines::Lines;
pub use live::{Live, LiveCursor, LiveItem, LiveMessage};
pub use notes::NotesQuery;
pub(crate) use origin::{Changed, Count, FollowCounts, Origin, Preview, Sides, Subject};
pub(crate) use overview::{Pipeline, StreamStatus, is_set_up};
pub use pipeline::{CHECK_TIMEOUT, Reached};
pub use query::{
    At, DecisionsQuery, DiffQuery, DocumentsQuery, EventsQuery, ExportQuery, FieldQuery, Order,
    OutboxQuery, StreamEventsQuery, StreamSort, StreamsQuery, TraceQuery, Wait, WhatIfQuery,
    WhyQuery, WorldQuery,
};

use query::Params;

/// How long a connection may take to come up.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a plain request may take from start to end.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a streamed reply may be silent: more than three of the daemon's heartbeats.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// Speaks to one daemon. Cheap to clone; clones share their connections.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    /// Who is at the terminal.
    person: Option<Arc<str>>,
    /// The same for the daemon's record of who saw secrets.
    actor: Option<HeaderValue>,
    /// The context that must not be written to.
    read_only: Option<Arc<str>>,
    /// The branch that is read in place of the log.
    branch: Option<Arc<str>>,
}

impl Client {
    /// A client of the daemon at this address: `http://127.0.0.1:4780`, or just `127.0.0.1:4780`.
    pub fn new(base_url: &str) -> Result<Self, ClientError> {
        let bad = |reason: &str| ClientError::BadUrl {
            url: base_url.to_owned(),
            reason: reason.to_owned(),
        };
        let text = base_url.trim();
        let text = if text.contains("://") {
            text.to_owned()
        } else {
            format!("http://{text}")
        };
        let base = Url::parse(&text).map_err(|error| bad(&error.to_string()))?;
        match base.scheme() {
            "http" => {}
            "https" => return Err(bad("this build speaks plain `http` only")),
            _ => return Err(bad("it must begin with `http://`")),
        }
        if base.query().is_some() || base.fragment().is_some() {
            return Err(bad("it must end with the host and port"));
        }
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            // The daemon is on this machine or named outright; a proxy of the environment has no business here.
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("whodunit/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| bad(&error.to_string()))?;
        Ok(Self {
            http,
            base,
            person: None,
            actor: None,
            read_only: None,
            branch: None,
        })
    }

    /// With who is at the terminal: the daemon notes it when secrets are shown. A name that no header can hold is left
    /// out.
    pub fn with_actor(mut self, actor: Option<&str>) -> Self {
        self.person = actor.map(Arc::from);
        self.actor = actor.and_then(|name| HeaderValue::from_str(name).ok());
        self
    }

    /// Who is at the terminal.
    pub(crate) fn person(&self) -> Option<&str> {
        self.person.as_deref()
    }

    /// Refusing to write, before anything is sent, where the daemon is of a read-only context of this name.
    pub(crate) fn with_read_only(mut self, context: Option<&str>) -> Self {
        self.read_only = context.map(Arc::from);
        self
    }

    /// Reading this branch in place of the log, wherever a request can.
    pub(crate) fn with_branch(mut self, branch: Option<&str>) -> Self {
        self.branch = branch.map(Arc::from);
        self
    }

    /// The branch that is read in place of the log.
    pub(crate) fn reads_branch(&self) -> Option<&str> {
        self.branch.as_deref()
    }

    /// That writing is refused, where it is.
    pub(crate) fn may_write(&self) -> Result<(), ClientError> {
        match &self.read_only {
            Some(context) => Err(ClientError::ReadOnlyContext {
                context: context.to_string(),
            }),
            None => Ok(()),
        }
    }

    /// The daemon's address, without a slash at the end.
    pub fn url(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// `GET /v1/health`.
    pub async fn health(&self) -> Result<HealthOut, ClientError> {
        self.get("/v1/health", &Params::new()).await
    }

    /// `GET /v1/health`, and the daemon's time in whole seconds where it tells it.
    pub(crate) async fn health_and_date(
        &self,
    ) -> Result<(HealthOut, Option<chrono::DateTime<chrono::FixedOffset>>), ClientError> {
        let request = self.request(Method::GET, "/v1/health", &Params::new())?;
        self.within(REQUEST_TIMEOUT, async {
            let response = self.accept(request.send().await).await?;
            let date = response
                .headers()
                .get("date")
                .and_then(|value| chrono::DateTime::parse_from_rfc2822(value.to_str().ok()?).ok());
            Ok((self.decode(response).await?, date))
        })
        .await
    }

    /// `GET /v1/streams`.
    pub async fn streams(&self, query: &StreamsQuery) -> Result<Page<Stream>, ClientError> {
        self.get("/v1/streams", &query.params()).await
    }

    /// Streams by name, beginning with the first that has this prefix and is longer than it: of the names that begin so, none
    /// is left out before the limit. Nothing where no name can begin so.
    pub(crate) async fn streams_from(
        &self,
        prefix: &str,
        limit: usize,
    ) -> Result<Vec<Stream>, ClientError> {
        let (after, category) = match prefix.strip_suffix('-') {
            Some(category) if !category.contains('-') => (category, Some(category.to_owned())),
            _ => (prefix, None),
        };
        if StreamName::new(after).is_err() {
            return Ok(Vec::new());
        }
        let query = StreamsQuery {
            category,
            // A list by name goes on after any name, whether there is such a stream or not.
            cursor: Some(format!("n{after}")),
            limit: Some(limit),
            ..StreamsQuery::default()
        };
        Ok(self.streams(&query).await?.items)
    }

    /// `GET /v1/streams/{stream}`.
    pub async fn stream(&self, stream: &StreamName) -> Result<Stream, ClientError> {
        self.get(&stream_path(stream, ""), &Params::new()).await
    }

    /// `GET /v1/streams/{stream}/events`.
    pub async fn stream_events(
        &self,
        stream: &StreamName,
        query: &StreamEventsQuery,
    ) -> Result<Page<Event>, ClientError> {
        self.get(&stream_path(stream, "/events"), &query.params())
            .await
    }

    /// `GET /v1/streams/{stream}/state`.
    pub async fn state(
        &self,
        stream: &StreamName,
        at: At,
        reveal: bool,
    ) -> Result<StateOut, ClientError> {
        let mut params = at.params();
        params.flag("reveal", reveal);
        self.get(&stream_path(stream, "/state"), &params).await
    }

    /// `GET /v1/streams/{stream}/steps`.
    pub async fn steps(
        &self,
        stream: &StreamName,
        query: &StreamEventsQuery,
    ) -> Result<StepsOut, ClientError> {
        self.get(&stream_path(stream, "/steps"), &query.params())
            .await
    }

    /// `GET /v1/streams/{stream}/density`.
    pub async fn stream_density(
        &self,
        stream: &StreamName,
        buckets: usize,
    ) -> Result<DensityOut, ClientError> {
        let mut params = Params::new();
        params.opt("buckets", Some(buckets));
        self.get(&stream_path(stream, "/density"), &params).await
    }

    /// `GET /v1/events`.
    pub async fn events(&self, query: &EventsQuery) -> Result<Page<Event>, ClientError> {
        self.get("/v1/events", &query.params()).await
    }

    /// `GET /v1/events`: the event at a position, if there is one.
    pub(crate) async fn events_from(
        &self,
        position: Position,
        reveal: bool,
    ) -> Result<Page<Event>, ClientError> {
        let mut params = Params::new();
        params.opt("from_position", Some(position));
        params.opt("limit", Some(1));
        params.flag("reveal", reveal);
        self.get("/v1/events", &params).await
    }

    /// `GET /v1/events/{event_id}`.
    pub async fn event(&self, event_id: &str, reveal: bool) -> Result<Event, ClientError> {
        let mut params = Params::new();
        params.flag("reveal", reveal);
        self.get(&format!("/v1/events/{}", segment(event_id)), &params)
            .await
    }

    /// `GET /v1/decisions`.
    pub async fn decisions(&self, query: &DecisionsQuery) -> Result<Page<Decision>, ClientError> {
        self.get("/v1/decisions", &query.params()).await
    }

    /// `GET /v1/categories`.
    pub async fn categories(&self) -> Result<Page<Category>, ClientError> {
        self.get("/v1/categories", &Params::new()).await
    }

    /// `GET /v1/density`: of the whole log.
    pub async fn density(&self, buckets: usize) -> Result<DensityOut, ClientError> {
        let mut params = Params::new();
        params.opt("buckets", Some(buckets));
        self.get("/v1/density", &params).await
    }

    /// `GET /v1/models`.
    pub async fn models(&self) -> Result<Page<ModelOut>, ClientError> {
        self.get("/v1/models", &Params::new()).await
    }

    /// `GET /v1/models/{category}`.
    pub async fn model(&self, category: &str) -> Result<ModelOut, ClientError> {
        self.get(&format!("/v1/models/{}", segment(category)), &Params::new())
            .await
    }

    /// `POST /v1/what-if`. Never writes.
    pub async fn what_if(&self, story: &WhatIfIn, reveal: bool) -> Result<WhatIfOut, ClientError> {
        let mut params = Params::new();
        params.flag("reveal", reveal);
        self.post("/v1/what-if", &params, story).await
    }

    /// The same, with a page of its steps as asked for.
    pub async fn what_if_steps(
        &self,
        asked: &WhatIfIn,
        query: &WhatIfQuery,
    ) -> Result<WhatIfOut, ClientError> {
        self.post("/v1/what-if", &query.params(), asked).await
    }

    /// The same, with every step that was changed or added, page by page.
    ///
    /// # Errors
    /// As [`Self::what_if`].
    pub async fn what_if_whole(&self, asked: &WhatIfIn) -> Result<WhatIfOut, ClientError> {
        let mut query = WhatIfQuery {
            // As many as a page may have.
            limit: Some(1_000),
            ..WhatIfQuery::default()
        };
        let mut whole = self.what_if_steps(asked, &query).await?;
        while let Some(cursor) = whole.next_cursor.take() {
            query.cursor = Some(cursor);
            let page = self.what_if_steps(asked, &query).await?;
            whole.steps.extend(page.steps);
            whole.next_cursor = page.next_cursor;
        }
        Ok(whole)
    }

    /// `POST /v1/streams/{stream}/commands`. A rejection is a [`ClientError::Problem`] of code `rejected`.
    pub async fn command(
        &self,
        stream: &StreamName,
        command: &CommandIn,
    ) -> Result<CommandAccepted, ClientError> {
        self.post(&stream_path(stream, "/commands"), &Params::new(), command)
            .await
    }

    /// `POST /v1/streams/{stream}/events`.
    pub async fn append(
        &self,
        stream: &StreamName,
        events: &AppendIn,
    ) -> Result<AppendedOut, ClientError> {
        self.post(&stream_path(stream, "/events"), &Params::new(), events)
            .await
    }

    /// `GET /v1/live`: what comes after the cursor, or from now on.
    pub async fn live(&self, after: Option<LiveCursor>) -> Result<Live, ClientError> {
        self.live_of(after, None).await
    }

    /// The same, of what a query line matches. A cursor without a mark and a decision stands for a position alone.
    pub async fn live_of(
        &self,
        after: Option<LiveCursor>,
        line: Option<&str>,
    ) -> Result<Live, ClientError> {
        let mut params = Params::new();
        match after {
            Some(LiveCursor {
                position,
                decision: 0,
                mark: None,
            }) => params.opt("after", Some(position)),
            after => params.opt("after", after),
        }
        params.opt("q", line);
        let request = self
            .request(Method::GET, "/v1/live", &params)?
            .header("accept", "text/event-stream");
        let response = self.open(request).await?;
        let url = response.url().to_string();
        let is_stream = response
            .headers()
            .get("content-type")
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.starts_with("text/event-stream"));
        if !is_stream {
            return Err(ClientError::BadReply {
                url,
                reason: "the reply is not an event stream".to_owned(),
            });
        }
        Ok(Live::new(
            ByteStream::new(self.url(), response, IDLE_TIMEOUT),
            after,
        ))
    }

    /// `GET /v1/export`: the log as NDJSON, piece by piece.
    pub async fn export(&self, query: &ExportQuery) -> Result<ByteStream, ClientError> {
        let request = self.request(Method::GET, "/v1/export", &query.params())?;
        let response = self.open(request).await?;
        Ok(ByteStream::new(self.url(), response, IDLE_TIMEOUT))
    }

    /// `POST /v1/bundle`: an incident file, whole.
    pub async fn bundle(&self, asked: &BundleIn) -> Result<Vec<u8>, ClientError> {
        let request = self.request(Method::POST, "/v1/bundle", &Params::new())?;
        let response = self.open(request.json(asked)).await?;
        let mut pieces = ByteStream::new(self.url(), response, IDLE_TIMEOUT);
        let mut bytes = Vec::new();
        while let Some(piece) = pieces.next().await? {
            bytes.extend_from_slice(&piece);
            // What is larger is refused by its reader.
            if bytes.len() > BUNDLE_BYTES_MAX {
                break;
            }
        }
        Ok(bytes)
    }

    /// `POST /v1/backup`: the whole store as one file, piece by piece, about how many bytes it will have, and how many notes are not in
    /// it because they are damaged, where that is so.
    pub async fn backup(&self) -> Result<(ByteStream, Option<u64>, Option<String>), ClientError> {
        let request = self.request(Method::POST, "/v1/backup", &Params::new())?;
        let response = self.open(request).await?;
        let bytes = response.headers().get("whodunit-store-bytes");
        let bytes = bytes.and_then(|value| value.to_str().ok()?.parse().ok());
        let unreadable = response.headers().get("whodunit-notes-unreadable");
        let unreadable = unreadable.and_then(|value| Some(value.to_str().ok()?.to_owned()));
        let stream = ByteStream::new(self.url(), response, IDLE_TIMEOUT);
        Ok((stream, bytes, unreadable))
    }

    /// `POST /v1/import`: sends the records as they come, and returns once they are all stored.
    pub async fn import<S>(
        &self,
        query: &ImportQuery,
        records: S,
    ) -> Result<ImportReport, ClientError>
    where
        S: futures_util::Stream<Item = std::io::Result<Vec<u8>>> + Send + 'static,
    {
        let mut params = Params::new();
        params.flag("strict", query.strict);
        params.flag("renumber", query.renumber);
        params.flag("allow_redacted", query.allow_redacted);
        params.flag("dry_run", query.dry_run);
        let request = self.request(Method::POST, "/v1/import", &params)?;
        import::send(self, request, query, records).await
    }
}

fn stream_path(stream: &StreamName, rest: &str) -> String {
    format!("/v1/streams/{}{rest}", segment(stream.as_str()))
}
