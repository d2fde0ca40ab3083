//! What each request is answered with, and what the live feed brings.

use serde_json::json;
use whodunit_core::api::browse::{Category, CommandOut, ModelOut};
use whodunit_core::api::pipeline::{JobStatus, RetriedOut, RunStatus};
use whodunit_core::decide::provisional;
use whodunit_core::event::NewEvent;
use whodunit_core::ids::{Position, Revision, StreamName};

use super::super::{now, pipeline, sarah};
use super::{Daemon, HEAD};
use crate::client::{At, LiveCursor, LiveItem, LiveMessage, Pipeline, StreamStatus};
use crate::config::queries::Kept;
use crate::effect::Failure;
use crate::msg::Msg;
use crate::request::{Reply, Request};
use crate::scenario_file::Saved;

/// A file that is there already.
pub(crate) const THERE: &str = "there.toml";

impl Daemon {
    fn model(&self, category: &str) -> Result<ModelOut, Failure> {
        if category != "user" {
            return Err(Failure {
                code: Some("no_such_model".to_owned()),
                message: format!("category `{category}` has no model"),
                hint: None,
                no_answer: None,
            });
        }
        let spec = self.users.spec();
        let commands = spec.commands.iter().map(|command| CommandOut {
            name: command.name.clone(),
            description: command.description.clone(),
            reason_required: command.reason_required,
            schema: command.schema.clone(),
        });
        Ok(ModelOut {
            name: "users".to_owned(),
            category: category.to_owned(),
            description: spec.description.clone(),
            rules_hash: "0011223344556677".to_owned(),
            commands: commands.collect(),
            events: spec.events.clone(),
            secrets: spec.secret_fields.clone(),
        })
    }

    fn pipeline(&self, handler: Option<&String>) -> Pipeline {
        let mut all = self.pipeline.clone();
        all.jobs.retain(|job| {
            job.status != JobStatus::Completed && handler.is_none_or(|name| job.handler == *name)
        });
        all
    }

    fn stream_status(&self, stream: &StreamName) -> StreamStatus {
        let mut jobs = self.pipeline.jobs.clone();
        jobs.retain(|job| job.stream == *stream);
        StreamStatus {
            stream: stream.clone(),
            jobs,
            more: false,
            handlers: self.pipeline.handlers.clone(),
            projections: self.pipeline.projections.clone(),
        }
    }

    /// What the daemon replies to a request.
    #[expect(clippy::too_many_lines, reason = "an arm for each request")]
    pub(crate) fn answer(&self, request: &Request) -> Result<Reply, Failure> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        Ok(match request {
            Request::Streams(query) => Reply::Streams(self.streams(query)),
            Request::MoreStreams(query) => Reply::MoreStreams(self.streams(query)),
            Request::Preview(stream, at) => Reply::Preview(self.preview(stream, *at)?),
            Request::Blame(stream, at) => Reply::Blame(self.blame(stream, *at)?),
            Request::Field(stream, path, at) => Reply::Field(self.field(stream, path, *at)?),
            Request::RunTo(asked) => Reply::RunTo(self.bisect(asked)?),
            Request::Origin(of) => Reply::Origin(self.origin(of)),
            Request::FollowCounts(of) => Reply::FollowCounts(self.follow_counts(of)),
            Request::Find(query) => Reply::Find(self.found(query).1),
            Request::MoreFound(query) => Reply::MoreFound(self.found(query).1),
            Request::Summary(line) => Reply::Summary(self.summary(line)),
            Request::Differs(line) => Reply::Differs(Self::differs(line)),
            Request::Names(kind, prefix) => Reply::Names(self.names_of(*kind, prefix)),
            Request::Changes(events) => Reply::Changes(self.changes(events)?),
            Request::Categories() => {
                let category = Category {
                    category: "user".to_owned(),
                    streams: 412,
                    events: HEAD,
                    model: "users".to_owned(),
                };
                Reply::Categories(self.page(vec![category], None, None))
            }
            Request::Stream(name) => Reply::Stream(self.stream(name)?),
            Request::State(stream, at) => Reply::State(self.state(stream, *at)?),
            Request::StateAsOf(stream, at) => Reply::StateAsOf(self.state(stream, At::AsOf(*at))?),
            Request::Steps(stream, query) => Reply::Steps(self.steps(stream, query)),
            Request::Compare(stream, query) => Reply::Compare(self.compare(stream, query)?),
            Request::Sides(from, to) => Reply::Sides(self.sides(from, to)?),
            Request::Causes(id, query) => Reply::Causes(self.causes(id, query)?),
            Request::MoreCauses(id, query) => Reply::MoreCauses(self.causes(id, query)?),
            Request::Correlation(id, query) => Reply::Correlation(self.correlation(id, query)?),
            Request::MoreCorrelation(id, query) => {
                Reply::MoreCorrelation(self.correlation(id, query)?)
            }
            Request::Recorded(node) => Reply::Recorded(self.recorded(node)),
            Request::World(query) => Reply::World(self.world(query)),
            Request::MoreWorld(query) => Reply::MoreWorld(self.world(query)),
            Request::WorldDiff(query) => Reply::WorldDiff(self.world_diff(query)),
            Request::MoreWorldDiff(query) => Reply::MoreWorldDiff(self.world_diff(query)),
            Request::Decisions(query) => Reply::Decisions(self.decisions(query)),
            Request::StreamDensity(stream, _) => {
                Reply::StreamDensity(Self::density(&self.history(stream)))
            }
            Request::LogDensity(_) => {
                Reply::LogDensity(Self::density(&self.events.iter().collect::<Vec<_>>()))
            }
            Request::StreamStatus(stream) => Reply::StreamStatus(self.stream_status(stream)),
            Request::Model(category) => Reply::Model(self.model(category)?),
            Request::WhatIf(scenario) => Reply::WhatIf(self.what_if(scenario, None)?),
            Request::MoreWhatIf(scenario, cursor) => {
                Reply::MoreWhatIf(self.what_if(scenario, Some(cursor))?)
            }
            Request::KeepLine(asked) => {
                let mut lines = self.lines.lock().unwrap();
                let known = lines.get(&asked.name).cloned();
                let other = known.filter(|known| *known != asked.line && !asked.over);
                if other.is_none() {
                    lines.insert(asked.name.clone(), asked.line.clone());
                }
                Reply::KeepLine(Kept {
                    name: asked.name.clone(),
                    all: Some(lines.clone()),
                    is_there: other.is_some(),
                    refused: other.map(|line| format!("`@{}` is `{line}` already", asked.name)),
                })
            }
            Request::SaveScenario(asked) => Reply::SaveScenario(Saved {
                path: asked.path.clone(),
                asked: asked.asked.clone(),
                is_there: asked.path == THERE && !asked.over,
                not_written: (asked.path == THERE && !asked.over)
                    .then(|| format!("branch `{THERE}` already exists")),
            }),
            Request::Run(of) => Reply::Run(self.run(of)),
            Request::KeepBranch(kept) => Reply::KeepBranch(Self::keep(kept)?),
            Request::Branches() => Reply::Branches(self.branches(None)),
            Request::MoreBranches(cursor) => Reply::MoreBranches(self.branches(Some(cursor))),
            Request::Branch(name) => Reply::Branch(Self::branch(name)?),
            Request::RenameBranch(name, patch) => Reply::RenameBranch(Self::rename(name, patch)?),
            Request::AdoptBranch(name) => Reply::AdoptBranch(Self::adopt(name)?),
            Request::RemoveBranch(name) => Reply::RemoveBranch(Self::branch(name)?),
            Request::CompareBranch(name, query) => {
                Reply::CompareBranch(self.compare_branch(name, query)?)
            }
            Request::MoreCompared(name, query) => {
                Reply::MoreCompared(self.compare_branch(name, query)?)
            }
            Request::Log(query) => Reply::Log(self.found(query).1),
            Request::OlderLog(query) => Reply::OlderLog(self.found(query).1),
            Request::Tail(..) => Reply::Tail(0),
            Request::Pipeline(handler) => Reply::Pipeline(self.pipeline(handler.as_ref())),
            Request::Check(name) => {
                let mut found = pipeline::check(self.sound);
                found.projection.clone_from(name);
                Reply::Check(found)
            }
            Request::RetryJob(id) => {
                let mut jobs = self.pipeline.jobs.iter();
                let mut job = jobs.find(|job| job.id == *id).unwrap().clone();
                job.status = JobStatus::Pending;
                Reply::RetryJob(job)
            }
            Request::RetryFailed(_) => Reply::RetryFailed(RetriedOut { retried: 2 }),
            Request::Rebuild(name) => {
                Reply::Rebuild(pipeline::run("rebuild", name, RunStatus::Running))
            }
            Request::CancelRebuild(name) => {
                Reply::CancelRebuild(pipeline::run("rebuild", name, RunStatus::Cancelled))
            }
            Request::PlanBackfill(body) => Reply::PlanBackfill(pipeline::plan(body)),
            Request::Backfill(body) => {
                let handlers = body.handlers.join(", ");
                Reply::Backfill(pipeline::run("backfill", &handlers, RunStatus::Running))
            }
            Request::CancelBackfill(_) => {
                Reply::CancelBackfill(pipeline::run("backfill", "x", RunStatus::Cancelled))
            }
        })
    }

    /// A further event of Sarah's stream, as the live feed brings it.
    pub(crate) fn live(&self, event_type: &str) -> Msg {
        let new = NewEvent::new(event_type, json!({}));
        let revision = Revision(self.history(&sarah()).len() as u64 + 1);
        let mut event = provisional(&self.users, &sarah(), revision, &new, now());
        event.position = Position(18_205);
        let cursor = LiveCursor {
            position: 18_205,
            decision: 9,
            mark: None,
        };
        Msg::Live(vec![LiveMessage {
            item: LiveItem::Event(Box::new(event)),
            cursor,
        }])
    }
}
