//! A driver for tests of the screens: keys in, text out, no terminal and no daemon.
//!
//! Owns the fixtures: one believable stream, Sarah's, and its replies. Effects that ask the daemon are answered from it, so
//! a test presses keys and reads the screen.

#![expect(clippy::too_many_lines, reason = "tables of fixtures")]

pub(crate) mod pipeline;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use serde_json::{Value, json};
use whodunit_core::api::Page;
use whodunit_core::api::browse::{Category, DensityOut, LiveHead, ModelOut, Stream};
use whodunit_core::api::pipeline::{JobStatus, RetriedOut, RunStatus};
use whodunit_core::api::time_travel::{DiffOut, StateOut, Step};
use whodunit_core::api::what_if::{WhatIfIn, WhatIfOut};
use whodunit_core::command::Decision;
use whodunit_core::decide::provisional;
use whodunit_core::diff::diff;
use whodunit_core::event::Event;
use whodunit_core::fold::{Folded, step};
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::json::Json;
use whodunit_core::keys::NoHolders;
use whodunit_core::model::Model as Rules;
use whodunit_core::shown::{Redact, Reveal};
use whodunit_core::time::Timestamp;
use whodunit_core::users::{self, Passwords};
use whodunit_core::what_if::{Scenario, evaluate};

use crate::client::{At, LiveCursor, LiveItem, LiveMessage};
use crate::effect::{Effect, Failure, Reply, Request, Slot};
use crate::model::Model;
use crate::model::pipeline::{Pipeline, Standing};
use crate::msg::Msg;
use crate::theme::Theme;
use crate::update::{start, update};
use crate::view::view;

/// The clock of every test: the Tuesday after.
pub(crate) fn now() -> Timestamp {
    time("2025-03-25T09:15:00Z")
}

pub(crate) fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

struct NoPasswords;

impl Passwords for NoPasswords {
    fn hash(&self, _plaintext: &str) -> Result<String, String> {
        Ok("hash".to_owned())
    }

    fn verify(&self, _plaintext: &str, _hash: &str) -> Result<bool, String> {
        Ok(true)
    }
}

fn page<T>(items: Vec<T>, head: u64) -> Page<T> {
    Page {
        items,
        next_cursor: None,
        head,
        scanned: 0,
    }
}

/// A store that answers every request from memory.
pub(crate) struct Daemon {
    rules: Rules,
    pub(crate) events: Vec<Event>,
    pub(crate) decisions: Vec<Decision>,
    pub(crate) streams: Vec<Stream>,
    pub(crate) pipeline: Pipeline,
    /// Whether a consistency check finds nothing.
    pub(crate) sound: bool,
    /// What every request is answered with instead.
    pub(crate) failure: Option<Failure>,
}

pub(crate) fn sarah() -> StreamName {
    StreamName::new("user-sarah").unwrap()
}

fn event(
    revision: u64,
    at: &str,
    event_type: &str,
    actor: &str,
    reason: Option<&str>,
    data: Value,
) -> Event {
    Event {
        position: Position(1000 + revision * 100),
        stream: sarah(),
        revision: Revision(revision),
        event_id: format!("0195-{revision}"),
        event_type: event_type.to_owned(),
        schema_version: 1,
        recorded_at: time(at),
        actor: Some(actor.to_owned()),
        reason: reason.map(str::to_owned),
        correlation_id: Some(format!("corr-{revision}")),
        causation_id: (revision == 4).then(|| "0195-3".to_owned()),
        data: Json::from(data),
        metadata: None,
    }
}

impl Daemon {
    /// Created, renamed, suspended by mistake, refused a change, deleted.
    pub(crate) fn sarah() -> Self {
        let events = vec![
            event(
                1,
                "2025-03-04T09:12:04Z",
                "UserCreated",
                "api",
                None,
                json!({"username": "sarah", "email": "sarah@example.com", "first_name": "Sarah", "last_name": "Kim", "password_hash": "$argon2id$x"}),
            ),
            event(
                2,
                "2025-03-09T11:40:31Z",
                "UserNameChanged",
                "sarah",
                None,
                json!({"last_name": "Kimura"}),
            ),
            event(
                3,
                "2025-03-20T03:00:00Z",
                "UserSuspended",
                "fraud-scan",
                Some("fraud_detected"),
                json!({"reason": "fraud_detected"}),
            ),
            event(
                4,
                "2025-03-24T15:47:23Z",
                "UserDeleted",
                "job:inactive-cleanup",
                Some("inactive for 90 days"),
                json!({"reason": "inactive for 90 days"}),
            ),
        ];
        let rejected: Decision = serde_json::from_str(
            &json!({
                "sequence": 9, "command_id": "c-9", "stream": "user-sarah", "command_type": "ChangeEmail",
                "payload": {"email": "sk@new.org"}, "actor": "sarah", "reason": null, "correlation_id": "corr-9",
                "causation_id": null, "base_revision": 3, "base_position": 1350, "rules_hash": "0011223344556677",
                "decided_at": "2025-03-22T10:02:18Z", "outcome": "rejected", "rule": "user.suspended",
                "message": "this user is suspended",
            })
            .to_string(),
        )
        .unwrap();
        let rules = users::model(std::sync::Arc::new(NoPasswords)).unwrap();
        let streams = vec![
            stream(
                "user-sarah",
                4,
                "sarah@example.com",
                "deleted",
                "2025-03-24T15:47:23Z",
                "UserDeleted",
                "job:inactive-cleanup",
                Some("inactive for 90 days"),
            ),
            stream(
                "user-19aa",
                2,
                "sarah.k@example.com",
                "active",
                "2025-03-20T09:01:00Z",
                "UserNameChanged",
                "api",
                None,
            ),
            stream(
                "user-c410",
                7,
                "osara@example.com",
                "suspended",
                "2025-03-02T17:30:00Z",
                "UserSuspended",
                "fraud-scan",
                Some("fraud_detected"),
            ),
        ];
        Self {
            rules,
            events,
            decisions: vec![rejected],
            streams,
            pipeline: pipeline::all(),
            sound: true,
            failure: None,
        }
    }

    pub(crate) fn empty() -> Self {
        Self {
            events: Vec::new(),
            decisions: Vec::new(),
            streams: Vec::new(),
            pipeline: Pipeline::default(),
            ..Self::sarah()
        }
    }

    pub(crate) fn failing(unreachable: bool) -> Self {
        let failure = Failure {
            code: (!unreachable).then(|| "internal".to_owned()),
            message: if unreachable {
                "no daemon reachable at http://127.0.0.1:4780: nothing listens there"
            } else {
                "the store failed while reading an event"
            }
            .to_owned(),
            hint: Some("start one with `whodunit serve --data DIR`".to_owned()),
            unreachable,
        };
        Self {
            failure: Some(failure),
            ..Self::sarah()
        }
    }

    fn folded(&self, revision: u64) -> Folded {
        let mut folded = Folded::start(&self.rules);
        for event in self
            .events
            .iter()
            .filter(|event| event.revision.0 <= revision)
        {
            folded.push(&self.rules, event);
        }
        folded
    }

    fn state(&self, stream: &StreamName, at: At) -> StateOut {
        let head = self.events.len() as u64;
        let revision = match at {
            At::Head => head,
            At::Revision(revision) => revision.0,
            At::AsOf(at) => self
                .events
                .iter()
                .filter(|event| event.recorded_at <= at)
                .count() as u64,
        };
        let state = self.folded(revision).state;
        let event = self
            .events
            .iter()
            .find(|event| event.revision.0 == revision);
        self.shown(StateOut {
            stream: stream.clone(),
            revision: Revision(revision),
            position: event.map(|event| event.position),
            recorded_at: event.map(|event| event.recorded_at),
            state,
            redacted: Vec::new(),
            head_revision: Revision(head),
            model: "user".to_owned(),
            rules_hash: self.rules.rules_hash().to_owned(),
            snapshot_revision: Revision(0),
            faults: Vec::new(),
            faults_total: 0,
            warnings: Vec::new(),
        })
    }

    fn steps(&self) -> Vec<Step> {
        let mut state = Folded::start(&self.rules).state;
        self.events
            .iter()
            .map(|event| {
                let before = state.clone();
                let applied = step(&self.rules, &mut state, event);
                self.shown(Step {
                    event: event.clone(),
                    diff: diff(&before, &state),
                    applied,
                    upcast: None,
                })
            })
            .collect()
    }

    fn what_if(&self, request: &WhatIfIn) -> Result<WhatIfOut, Failure> {
        let out = evaluate(&Scenario {
            model: &self.rules,
            stream: &request.stream,
            start: &Folded::start(&self.rules),
            events: &self.events[..if request.continuation
                == whodunit_core::api::what_if::Continuation::None
            {
                usize::try_from(request.at_revision.unwrap().0).unwrap()
            } else {
                self.events.len()
            }],
            base: request.at_revision.unwrap(),
            edits: &request.edits,
            actions: &request.actions,
            continuation: request.continuation,
            holders: &NoHolders,
            now: now(),
        })
        .map_err(|error| Failure {
            code: Some("bad_edit".to_owned()),
            message: error.to_string(),
            hint: None,
            unreachable: false,
        })?;
        Ok(self.shown(out))
    }

    /// A value as the daemon shows it.
    fn shown<T: Redact>(&self, value: T) -> T {
        let models = whodunit_core::model::Models::new([self.rules.clone()]).unwrap();
        Reveal::NO.show(&models, value).into_inner()
    }

    fn model_out(&self, category: &str) -> ModelOut {
        let spec = self.rules.spec();
        let commands = spec
            .commands
            .iter()
            .map(|command| whodunit_core::api::browse::CommandOut {
                name: command.name.clone(),
                description: command.description.clone(),
                reason_required: command.reason_required,
                schema: command.schema.clone(),
            });
        ModelOut {
            name: "users".to_owned(),
            category: category.to_owned(),
            description: spec.description.clone(),
            rules_hash: "0011223344556677".to_owned(),
            commands: commands.collect(),
            events: spec.events.clone(),
            secrets: spec.secret_fields.clone(),
        }
    }

    /// What the daemon says about its pipeline.
    fn of_pipeline(&self, request: &Request) -> Reply {
        match request {
            Request::Pipeline(handler) => {
                let mut all = self.pipeline.clone();
                all.jobs.retain(|job| {
                    job.status != JobStatus::Completed
                        && handler
                            .as_ref()
                            .is_none_or(|handler| job.handler == *handler)
                });
                Reply::Pipeline(all)
            }
            Request::Standing(stream) => {
                let mut jobs = self.pipeline.jobs.clone();
                jobs.retain(|job| job.stream == *stream);
                Reply::Standing(Standing {
                    stream: stream.clone(),
                    jobs,
                    more: false,
                    projections: self.pipeline.projections.clone(),
                })
            }
            Request::RetryJob(id) => {
                let mut jobs = self.pipeline.jobs.iter();
                let mut job = jobs.find(|job| job.id == *id).unwrap().clone();
                job.status = JobStatus::Pending;
                Reply::Job(job)
            }
            Request::RetryFailed(_) => Reply::Retried(RetriedOut { retried: 2 }),
            Request::Rebuild(name) => {
                Reply::Run(pipeline::run("rebuild", name, RunStatus::Running))
            }
            Request::CancelRebuild(name) => {
                Reply::Run(pipeline::run("rebuild", name, RunStatus::Cancelled))
            }
            Request::Backfill(body) => {
                let of = body.handlers.join(", ");
                Reply::Run(pipeline::run("backfill", &of, RunStatus::Running))
            }
            Request::CancelBackfill(_) => {
                Reply::Run(pipeline::run("backfill", "x", RunStatus::Cancelled))
            }
            _ => Reply::Check(pipeline::check(self.sound)),
        }
    }

    fn answer(&self, request: &Request) -> Result<Reply, Failure> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        let head = 18_204;
        Ok(match request {
            Request::Streams(query) => {
                let text = query.matching.clone().unwrap_or_default();
                let matches = |stream: &&Stream| {
                    stream.stream.as_str().contains(&text)
                        || stream
                            .title
                            .as_deref()
                            .is_some_and(|title| title.contains(&text))
                };
                Reply::Streams(page(
                    self.streams.iter().filter(matches).cloned().collect(),
                    head,
                ))
            }
            Request::Stream(name) => {
                match self.streams.iter().find(|stream| stream.stream == *name) {
                    Some(stream) => Reply::Stream(Stream {
                        revision: Revision(self.events.len() as u64),
                        ..stream.clone()
                    }),
                    None => {
                        return Err(Failure {
                            code: Some("no_such_stream".to_owned()),
                            message: format!("there is no stream `{name}`"),
                            hint: Some("`whodunit streams` lists those there are".to_owned()),
                            unreachable: false,
                        });
                    }
                }
            }
            Request::Categories => Reply::Categories(vec![Category {
                category: "user".to_owned(),
                streams: 412,
                events: 18_204,
                model: "user".to_owned(),
            }]),
            Request::State(stream, at) => Reply::State(self.state(stream, *at)),
            Request::Steps(_, query) => {
                let from = query.from.map_or(1, |from| from.0);
                Reply::Steps(page(
                    self.steps()
                        .into_iter()
                        .filter(|step| step.event.revision.0 >= from)
                        .collect(),
                    head,
                ))
            }
            Request::Diff(stream, from, to) => {
                let (from, to) = (self.state(stream, *from), self.state(stream, *to));
                Reply::Diff(DiffOut {
                    stream: stream.clone(),
                    from: from.revision,
                    to: to.revision,
                    diff: diff(&from.state, &to.state),
                    redacted: Vec::new(),
                    warnings: Vec::new(),
                })
            }
            Request::Decisions(_) => Reply::Decisions(page(self.decisions.clone(), head)),
            Request::Density(..) => {
                let mut counts = vec![0; 240];
                for (index, count) in [(0, 1), (60, 1), (185, 1), (239, 1)] {
                    counts[index] = count;
                }
                Reply::Density(DensityOut {
                    first: time("2025-03-04T09:12:04Z"),
                    last: time("2025-03-24T15:47:23Z"),
                    counts,
                })
            }
            Request::Model(category) => Reply::Model(self.model_out(category)),
            Request::WhatIf(story) => Reply::WhatIf(self.what_if(story)?),
            request @ (Request::Pipeline(_)
            | Request::Standing(_)
            | Request::RetryJob(_)
            | Request::RetryFailed(_)
            | Request::Rebuild(_)
            | Request::CancelRebuild(_)
            | Request::Check(_)
            | Request::Backfill(_)
            | Request::CancelBackfill(_)) => self.of_pipeline(request),
            Request::Events(_) => Reply::Events(page(
                self.events
                    .iter()
                    .rev()
                    .map(|event| self.shown(event.clone()))
                    .collect(),
                head,
            )),
        })
    }

    /// A further event of Sarah's stream, as the live feed brings it.
    pub(crate) fn live(&self, event_type: &str) -> Msg {
        let new = whodunit_core::event::NewEvent::new(event_type, json!({}));
        let revision = Revision(self.events.len() as u64 + 1);
        let mut event = provisional(&self.rules, &sarah(), revision, &new, now());
        event.position = Position(18_205);
        let cursor = LiveCursor {
            position: 18_205,
            decision: 9,
        };
        Msg::Live(vec![LiveMessage {
            item: LiveItem::Event(Box::new(event)),
            cursor,
        }])
    }
}

#[expect(clippy::too_many_arguments, reason = "a row of a table")]
pub(crate) fn stream(
    name: &str,
    revision: u64,
    title: &str,
    status: &str,
    last: &str,
    what: &str,
    who: &str,
    why: Option<&str>,
) -> Stream {
    Stream {
        model: "users".to_owned(),
        stream: StreamName::new(name).unwrap(),
        category: name.split('-').next().unwrap().to_owned(),
        revision: Revision(revision),
        first_position: Position(1),
        last_position: Position(2),
        first_recorded_at: time("2025-03-04T09:12:04Z"),
        last_recorded_at: time(last),
        last_event_type: what.to_owned(),
        last_actor: Some(who.to_owned()),
        last_reason: why.map(str::to_owned),
        title: Some(title.to_owned()),
        status: Some(status.to_owned()),
        clock_back_at: None,
    }
}

/// The program without terminal and daemon.
pub(crate) struct Harness {
    pub(crate) model: Model,
    pub(crate) daemon: Daemon,
    /// Everything asked for that was not answered.
    pub(crate) effects: Vec<Effect>,
    answering: bool,
}

impl Harness {
    pub(crate) fn new(size: (u16, u16), daemon: Daemon) -> Self {
        Self::with(
            size,
            daemon,
            Theme {
                colour: true,
                ascii: false,
            },
        )
    }

    pub(crate) fn with(size: (u16, u16), daemon: Daemon, theme: Theme) -> Self {
        let model = Model::new("127.0.0.1:4780".to_owned(), size, theme, now(), 7200);
        let mut harness = Self {
            model,
            daemon,
            effects: Vec::new(),
            answering: true,
        };
        if harness
            .daemon
            .failure
            .as_ref()
            .is_none_or(|failure| !failure.unreachable)
        {
            harness.send(Msg::Connected(now()));
            harness.model.head = LiveHead {
                position: 18_204,
                decision: 9,
            };
        }
        let effects = start(&mut harness.model);
        harness.run(effects);
        harness
    }

    /// From now on the daemon does not answer: what is asked for is loading.
    pub(crate) fn silent(mut self) -> Self {
        self.answering = false;
        self
    }

    pub(crate) fn send(&mut self, msg: Msg) {
        let effects = update(&mut self.model, msg);
        self.run(effects);
    }

    fn run(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Ask {
                    slot,
                    generation,
                    request,
                } if self.answering => {
                    let reply = Box::new(self.daemon.answer(&request));
                    self.send(Msg::Replied {
                        slot,
                        generation,
                        reply,
                    });
                }
                other => self.effects.push(other),
            }
        }
    }

    /// Presses keys, by their names, separated by spaces.
    pub(crate) fn press(mut self, keys: &str) -> Self {
        for key in keys.split(' ').filter(|key| !key.is_empty()) {
            self.send(Msg::Key(key.to_owned()));
        }
        self
    }

    /// Types a text.
    pub(crate) fn type_text(mut self, text: &str) -> Self {
        for c in text.chars() {
            self.send(Msg::Key(if c == ' ' {
                "space".to_owned()
            } else {
                c.to_string()
            }));
        }
        self
    }

    pub(crate) fn got(mut self, msg: Msg) -> Self {
        self.send(msg);
        self
    }

    pub(crate) fn asked(&self, slot: Slot) -> bool {
        self.effects
            .iter()
            .any(|effect| matches!(effect, Effect::Ask { slot: s, .. } if *s == slot))
    }

    pub(crate) fn buffer(&self) -> Buffer {
        let mut terminal =
            Terminal::new(TestBackend::new(self.model.size.0, self.model.size.1)).unwrap();
        terminal.draw(|frame| view(&self.model, frame)).unwrap();
        terminal.backend().buffer().clone()
    }

    /// The screen as text.
    pub(crate) fn screen(&self) -> String {
        let buffer = self.buffer();
        let mut out = String::new();
        for row in 0..buffer.area.height {
            let mut line = String::new();
            let mut skip = 0;
            for column in 0..buffer.area.width {
                if skip > 0 {
                    skip -= 1;
                    continue;
                }
                let symbol = buffer[(column, row)].symbol();
                skip = crate::text::width(symbol).saturating_sub(1);
                line.push_str(symbol);
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}
