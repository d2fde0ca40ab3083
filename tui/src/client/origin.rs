//! Where an event comes from and what it shares with others: its cause, its batch, its actor's other work.
//!
//! Owns the questions behind the sentence and the follow menu, which take several requests each.

use futures_util::{StreamExt, TryStreamExt, stream};
use whodunit_core::api::causes::{CauseKind, CauseNode, CauseOutcome};
use whodunit_core::api::find::FindLine;
use whodunit_core::api::time_travel::{StateOut, Step};
use whodunit_core::command::Decision;
use whodunit_core::event::Event;
use whodunit_core::ids::{Revision, StreamName};
use whodunit_core::query::{Field, Query};
use whodunit_core::sentence;
use whodunit_core::time::Timestamp;

use super::{
    At, Client, ClientError, DecisionsQuery, EventsQuery, FindQuery, Order, StreamEventsQuery,
};

/// Events counted of a correlation, an actor or a type; beyond, there are at least so many.
const COUNTED_MAX: usize = 1_000;
/// Decisions of a stream among which a command is looked for.
const DECISIONS_MAX: usize = 500;
/// Requests of one question that are under way at a time.
const AT_A_TIME: usize = 8;

/// How many events there are of something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) events: u64,
    pub(crate) streams: u64,
    /// Whether there are more than were counted.
    pub(crate) more: bool,
}

impl Count {
    fn of(events: &[Event], more: bool) -> Self {
        let streams: std::collections::BTreeSet<&StreamName> =
            events.iter().map(|event| &event.stream).collect();
        Self {
            events: events.len() as u64,
            streams: streams.len() as u64,
            more,
        }
    }

    /// As a sentence counts a batch.
    pub(crate) fn batch(&self) -> sentence::Batch {
        sentence::Batch {
            streams: self.streams,
            more: self.more,
        }
    }
}

/// What led to an event, as far as it is on record.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Origin {
    /// Of which event.
    pub(crate) event_id: String,
    /// The command that led to it.
    pub(crate) command: Option<Decision>,
    /// The event behind it.
    pub(crate) cause: Option<Event>,
    /// An id that is named as its cause and not in this log.
    pub(crate) missing: Option<String>,
    /// The events of its own correlation, and of its cause's.
    pub(crate) batch: Option<Count>,
    pub(crate) cause_batch: Option<Count>,
}

/// What one can follow: an event, or a command with what the rules answered.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Subject {
    Event(Box<Event>),
    Decision(Box<Decision>),
}

impl Subject {
    pub(crate) fn stream(&self) -> &StreamName {
        match self {
            Self::Event(event) => &event.stream,
            Self::Decision(decision) => &decision.stream,
        }
    }

    /// The revision it stands at; of a command, the one it was decided on.
    pub(crate) fn revision(&self) -> Revision {
        match self {
            Self::Event(event) => event.revision,
            Self::Decision(decision) => decision.base_revision,
        }
    }

    pub(crate) fn actor(&self) -> Option<&str> {
        match self {
            Self::Event(event) => event.actor.as_deref(),
            Self::Decision(decision) => decision.actor.as_deref(),
        }
    }

    /// When it was recorded, or decided.
    pub(crate) fn at(&self) -> Timestamp {
        match self {
            Self::Event(event) => event.recorded_at,
            Self::Decision(decision) => decision.decided_at,
        }
    }

    pub(crate) fn correlation(&self) -> Option<&str> {
        match self {
            Self::Event(event) => event.correlation_id.as_deref(),
            Self::Decision(decision) => decision.correlation_id.as_deref(),
        }
    }

    fn causation(&self) -> Option<&str> {
        match self {
            Self::Event(event) => event.causation_id.as_deref(),
            Self::Decision(decision) => decision.causation_id.as_deref(),
        }
    }

    /// The event's type; a command has none.
    pub(crate) fn event_type(&self) -> Option<&str> {
        match self {
            Self::Event(event) => Some(&event.event_type),
            Self::Decision(_) => None,
        }
    }

    pub(crate) fn id(&self) -> &str {
        match self {
            Self::Event(event) => &event.event_id,
            Self::Decision(decision) => &decision.command_id,
        }
    }
}

/// What can be followed from a subject, counted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FollowCounts {
    pub(crate) subject: Subject,
    pub(crate) origin: Origin,
    pub(crate) actor: Option<Count>,
    pub(crate) event_type: Option<Count>,
}

/// A stream at a moment: its state, the event that led to it and where that comes from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Preview {
    pub(crate) state: StateOut,
    pub(crate) event: Option<Event>,
    pub(crate) origin: Option<Origin>,
}

/// What an event did to its stream, and what that is called.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Changed {
    pub(crate) stream: StreamName,
    pub(crate) revision: Revision,
    pub(crate) title: Option<String>,
    pub(crate) step: Option<Step>,
}

/// Two points that are compared: the state of each, and the event that led to it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sides {
    pub(crate) from: (StateOut, Option<Event>),
    pub(crate) to: (StateOut, Option<Event>),
}

impl Client {
    /// Two points of streams.
    pub(crate) async fn sides(
        &self,
        from: &(StreamName, At),
        to: &(StreamName, At),
    ) -> Result<Sides, ClientError> {
        let (from, to) = tokio::try_join!(self.side(from), self.side(to))?;
        Ok(Sides { from, to })
    }

    async fn side(
        &self,
        (stream, at): &(StreamName, At),
    ) -> Result<(StateOut, Option<Event>), ClientError> {
        let state = self.state(stream, *at, false).await?;
        let event = self.event_at(stream, state.revision).await?;
        Ok((state, event))
    }

    /// A node of a tree of causes as it was recorded; `None` where it is not in the log.
    pub(crate) async fn recorded(&self, node: &CauseNode) -> Result<Option<Subject>, ClientError> {
        if node.kind == CauseKind::Event {
            let event = self.event_if_known(&node.id).await?;
            return Ok(event.map(|event| Subject::Event(Box::new(event))));
        }
        let query = Query::everything()
            .and_field(Field::Stream, node.stream.as_str())
            .and_field(Field::Id, node.id.as_str())
            .and_rejected(node.outcome == Some(CauseOutcome::Rejected));
        let query = FindQuery {
            line: query.to_string(),
            limit: Some(1),
            ..FindQuery::default()
        };
        let mut lines = self.find(&query).await?;
        while let Some(line) = lines.next().await? {
            match line {
                FindLine::Decision(decision) => {
                    return Ok(Some(Subject::Decision(Box::new(decision))));
                }
                FindLine::End(_) => return Ok(None),
                FindLine::Event(_) | FindLine::Progress(_) => {}
            }
        }
        Err(self.cut_short())
    }

    /// The command of an id, if it is among a stream's last ones.
    pub(crate) async fn command_of(
        &self,
        stream: &StreamName,
        id: &str,
    ) -> Result<Option<Decision>, ClientError> {
        let query = DecisionsQuery {
            stream: Some(stream.clone()),
            order: Order::Backward,
            limit: Some(DECISIONS_MAX),
            ..DecisionsQuery::default()
        };
        let page = self.decisions(&query).await?;
        let mut decisions = page.items.into_iter();
        Ok(decisions.find(|decision| decision.command_id == id))
    }

    /// The event of an id; `None` where this log has none.
    pub(crate) async fn event_if_known(&self, id: &str) -> Result<Option<Event>, ClientError> {
        match self.event(id, false).await {
            Ok(event) => Ok(Some(event)),
            Err(ClientError::Problem(problem)) if problem.status == 404 => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn count(&self, query: EventsQuery) -> Result<Count, ClientError> {
        let query = EventsQuery {
            order: Order::Backward,
            limit: Some(COUNTED_MAX),
            ..query
        };
        let page = self.events(&query).await?;
        Ok(Count::of(&page.items, page.next_cursor.is_some()))
    }

    async fn batch(&self, correlation: Option<&str>) -> Result<Option<Count>, ClientError> {
        let Some(correlation) = correlation else {
            return Ok(None);
        };
        let query = EventsQuery {
            correlation: Some(correlation.to_owned()),
            ..EventsQuery::default()
        };
        self.count(query).await.map(Some)
    }

    /// What led to an event or a refused command.
    pub(crate) async fn origin(&self, of: &Subject) -> Result<Origin, ClientError> {
        let own = self.batch(of.correlation());
        let cause = async {
            let Some(id) = of.causation() else {
                return Ok((None, None, None));
            };
            let command = self.command_of(of.stream(), id).await?;
            let behind = match &command {
                Some(command) => command.causation_id.clone(),
                None => Some(id.to_owned()),
            };
            let Some(behind) = behind else {
                return Ok((command, None, None));
            };
            let cause = self.event_if_known(&behind).await?;
            let missing = cause.is_none().then_some(behind);
            Ok::<_, ClientError>((command, cause, missing))
        };
        let (batch, (command, cause, missing)) = tokio::try_join!(own, cause)?;
        let of_cause = cause
            .as_ref()
            .and_then(|cause| cause.correlation_id.as_deref());
        let cause_batch = self.batch(of_cause).await?;
        Ok(Origin {
            event_id: of.id().to_owned(),
            command,
            cause,
            missing,
            batch,
            cause_batch,
        })
    }

    /// What can be followed from an event or a refused command.
    pub(crate) async fn follow_counts(
        &self,
        subject: Subject,
    ) -> Result<FollowCounts, ClientError> {
        let by_actor = async {
            let Some(actor) = subject.actor() else {
                return Ok(None);
            };
            let query = EventsQuery {
                actor: Some(actor.to_owned()),
                ..EventsQuery::default()
            };
            self.count(query).await.map(Some)
        };
        let of_type = async {
            let Some(event_type) = subject.event_type() else {
                return Ok(None);
            };
            let query = EventsQuery {
                event_type: Some(event_type.to_owned()),
                ..EventsQuery::default()
            };
            self.count(query).await.map(Some)
        };
        let (origin, actor, event_type) =
            tokio::try_join!(self.origin(&subject), by_actor, of_type)?;
        Ok(FollowCounts {
            subject,
            origin,
            actor,
            event_type,
        })
    }

    /// A stream at a moment, and what led to that.
    pub(crate) async fn preview(&self, stream: StreamName, at: At) -> Result<Preview, ClientError> {
        let state = self.state(&stream, at, false).await?;
        let (event, origin) = self
            .event_and_origin(&stream, state.revision)
            .await?
            .unzip();
        Ok(Preview {
            state,
            event,
            origin,
        })
    }

    /// The event of a revision; `None` for revision 0.
    async fn event_at(
        &self,
        stream: &StreamName,
        revision: Revision,
    ) -> Result<Option<Event>, ClientError> {
        if revision == Revision::ZERO {
            return Ok(None);
        }
        let query = StreamEventsQuery {
            from: Some(revision),
            limit: Some(1),
            ..StreamEventsQuery::default()
        };
        let page = self.stream_events(stream, &query).await?;
        Ok(page.items.into_iter().next())
    }

    /// The event of a revision and what led to it; `None` for revision 0.
    pub(crate) async fn event_and_origin(
        &self,
        stream: &StreamName,
        revision: Revision,
    ) -> Result<Option<(Event, Origin)>, ClientError> {
        let Some(event) = self.event_at(stream, revision).await? else {
            return Ok(None);
        };
        let subject = Subject::Event(Box::new(event.clone()));
        let origin = self.origin(&subject).await?;
        Ok(Some((event, origin)))
    }

    /// What events did to their streams.
    pub(crate) async fn changes(
        &self,
        events: Vec<(StreamName, Revision)>,
    ) -> Result<Vec<Changed>, ClientError> {
        let each = |(stream, revision): (StreamName, Revision)| async move {
            let query = StreamEventsQuery {
                from: Some(revision),
                limit: Some(1),
                ..StreamEventsQuery::default()
            };
            let (info, steps) =
                tokio::try_join!(self.stream(&stream), self.steps(&stream, &query))?;
            Ok::<_, ClientError>(Changed {
                title: info.title,
                step: steps.items.into_iter().next(),
                stream,
                revision,
            })
        };
        stream::iter(events)
            .map(each)
            .buffered(AT_A_TIME)
            .try_collect()
            .await
    }
}
