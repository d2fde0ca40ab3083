//! Why over HTTP: the chain of causes behind a value, and whether its event is necessary to it.

use std::ops::ControlFlow;
use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use serde::Deserialize;
use utoipa::IntoParams;
use whodunit_core::api::causes::{CauseEnd, CauseNode};
use whodunit_core::api::problem::Problem;
use whodunit_core::api::why::{NecessityKind, NecessityOut, WhyHop, WhyNext, WhyOut};
use whodunit_core::blame::{self, Chain, ChainEnd, FieldPath, Link, Necessity, Refold};
use whodunit_core::command::Decision;
use whodunit_core::event::Event;
use whodunit_core::fold::Folded;
use whodunit_core::ids::{Revision, StreamName};
use whodunit_core::json::{Value, pointer_token};
use whodunit_core::model::{Model, Models};
use whodunit_core::pointer::Pointer;
use whodunit_core::same::same;
use whodunit_core::shown::{Reveal, Shown};
use whodunit_core::weight::{StateBound, of_object};

use super::blame::{bad_path, field_path, no_such_field, refuse_secret_identity};
use super::branch_view::answer_in;
use super::causes::Causes;
use super::error::ApiError;
use super::extract::StreamPath;
use super::point::{AtPoint, PointParams, QueryAt};
use super::reply::Written;
use super::travel::shown_until;
use crate::daemon::Parts;
use crate::limits::STATE_WEIGHT_MAX;
use crate::store::{Direction, StoreError, View, try_for_each_event};
use crate::time_travel::{Resolved, TimeTravel, TravelError, resolve};

/// Causes of which it is looked up what to ask next.
const NEXT_MAX: usize = 10;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WhyParams {
    /// JSON Pointer of the field. An element of a list is named by its index, or as in `/lines[id=7]/price` by its identity. Where
    /// the path leads to several fields, the one that was set last is told of.
    path: String,
    /// Whether to tell of causes that only gave the value on, too.
    copies: Option<bool>,
    /// Whether to fold the later events again without the one that set the value: is it necessary, masked by a later one, or
    /// would a later one have set the same?
    necessity: Option<bool>,
}

/// Why a field has its value: the event that set it, the command that this came from, its cause, and so on across streams up to
/// the first cause on record. Causes that only gave the value on are skipped, and counted. Of a field that is no longer there it
/// says why not.
#[utoipa::path(get, path = "/v1/streams/{stream}/why", tag = "time travel",
    params(("stream" = String, Path, description = "its name, `category-id`"), PointParams, WhyParams),
    responses((status = 200, body = Shown<WhyOut>), (status = 404, body = Problem, content_type = "application/problem+json",
        description = "`no_such_stream`, `revision_beyond_head`, `before_first_event`, or `no_such_field`: it never had a value")))]
pub(crate) async fn get_why(
    State(parts): State<Arc<Parts>>,
    StreamPath(stream): StreamPath,
    QueryAt(at, params): QueryAt<WhyParams>,
    headers: HeaderMap,
) -> Result<Written, ApiError> {
    let path = field_path(&params.path)?;
    let asked = AtPoint::new(at, (&parts, &headers), "why", stream)?;
    refuse_secret_identity(&path, &asked)?;
    answer_in(&parts, asked.branch.clone(), move |view| {
        let found = resolve(view, &asked.stream, asked.point)?;
        let asking = Asking {
            travel: &asked.travel,
            models: &asked.models,
            model: &asked.model,
            view,
            stream: &asked.stream,
            reveal: asked.reveal,
        };
        let (field, folded) = asking.field(&path, &found)?;
        let warnings = asked.warnings(view, &found, &folded)?;
        let (hops, end, end_id) = asking.chain(&field, params.copies == Some(true))?;
        let necessity = match params.necessity {
            Some(true) if field.set_by > Revision::ZERO => {
                Some(asking.necessity(&field, found.revision)?)
            }
            _ => None,
        };
        let out = WhyOut {
            revision: found.revision,
            path: field.path,
            label: field.label,
            other_fields: field.others,
            absent: field.value.is_none(),
            value: field.value.unwrap_or(Value::Null),
            set_by: field.set_by,
            hops,
            end,
            end_id,
            necessity,
            redacted: Vec::new(),
            head_revision: found.info.revision,
            model: asked.model.name().to_owned(),
            warnings,
            stream: asked.stream.clone(),
        };
        shown_until(view, asked.reveal, &asked.models, out)
    })
    .await
}

/// The field that is asked about.
struct Field {
    path: String,
    label: Option<String>,
    others: u64,
    value: Option<Value>,
    set_by: Revision,
}

impl Field {
    /// It, as it is followed through a history: by identity, where its elements have one.
    fn followed(&self) -> Result<FieldPath, ApiError> {
        let path = self.label.as_deref().unwrap_or(&self.path);
        path.parse().map_err(|error| bad_path(path, &error))
    }

    /// The last key of its path.
    fn name(&self) -> Option<String> {
        let path: Pointer = self.path.parse().ok()?;
        path.tokens().last().cloned()
    }
}

/// Who asks, and of what.
struct Asking<'a> {
    travel: &'a TimeTravel,
    models: &'a Models,
    model: &'a Model,
    view: &'a dyn View,
    stream: &'a StreamName,
    reveal: Reveal,
}

impl Asking<'_> {
    /// The field at a path, or at or below it the one that was set last; also one that is no longer there.
    fn field(&self, path: &FieldPath, found: &Resolved) -> Result<(Field, Folded), ApiError> {
        let (view, model, stream) = (self.view, self.model, self.stream);
        let at = found.revision;
        let reached = self
            .travel
            .state_with_blame(view, model, stream, at, false)?;
        let Some(pointer) = path.resolve(&reached.folded.state) else {
            return Ok((self.gone(path, found)?, reached.folded));
        };
        let blame = reached.blame.unwrap_or_default();
        let (mut last, mut count): (Option<Field>, u64) = (None, 0);
        blame.for_each_field(&reached.folded.state, &pointer, &mut |field| {
            count += 1;
            if last.as_ref().is_none_or(|last| field.set_by > last.set_by) {
                last = Some(Field {
                    path: field.path.to_owned(),
                    label: field.label.map(str::to_owned),
                    others: 0,
                    value: Some(field.value.clone()),
                    set_by: field.set_by,
                });
            }
            ControlFlow::Continue(())
        });
        let mut field = last.ok_or_else(|| no_such_field(stream, &path.to_string(), at))?;
        field.others = count.saturating_sub(1);
        Ok((field, reached.folded))
    }

    /// A field that had a value before.
    fn gone(&self, path: &FieldPath, found: &Resolved) -> Result<Field, ApiError> {
        let (view, at, of) = (self.view, found.revision, (self.stream, path));
        let page = (Direction::Backward, 1);
        let values = self
            .travel
            .field_values(view, self.model, of, (None, at), page)?;
        let last = values.values.back();
        let last = last.ok_or_else(|| no_such_field(self.stream, &path.to_string(), at))?;
        Ok(Field {
            path: path.to_string(),
            label: None,
            others: 0,
            value: last.value.clone(),
            set_by: last.revision,
        })
    }

    fn chain(
        &self,
        field: &Field,
        copies: bool,
    ) -> Result<(Vec<WhyHop>, CauseEnd, Option<String>), ApiError> {
        let event = match field.set_by {
            Revision::ZERO => None,
            set_by => self.view.event_at_revision(self.stream, set_by)?,
        };
        let Some(event) = event else {
            return Ok((Vec::new(), CauseEnd::First, None));
        };
        let is_hidden = !self.reveal.yes() && names_secret(self.model, &field.path);
        // Where a secret was copied from is not looked for: that would compare it with what is there.
        let (name, value) = match (&field.value, is_hidden) {
            (Some(value), false) => (field.name().unwrap_or_default(), value.clone()),
            _ => (String::new(), Value::Null),
        };
        let mut records = ShownRecords { asking: self };
        let event = self.reveal.show(self.models, event).into_inner();
        let chain = blame::why(&mut records, event, &name, &value)?;
        self.told(chain, (&name, &value), copies)
    }

    fn told(
        &self,
        chain: Chain,
        of: (&str, &Value),
        copies: bool,
    ) -> Result<(Vec<WhyHop>, CauseEnd, Option<String>), ApiError> {
        let (mut hops, mut skipped): (Vec<WhyHop>, u64) = (Vec::new(), 0);
        for (depth, hop) in (0..).zip(chain.hops) {
            if hop.is_copy && !copies {
                skipped += 1;
                continue;
            }
            let mut cause = match &hop.link {
                Link::Event(event) => CauseNode::of_event(event),
                Link::Command(decision) => CauseNode::of_decision(decision),
            };
            cause.depth = depth;
            let next = match hop.link {
                Link::Event(event) if depth > 0 && hops.len() < NEXT_MAX => {
                    Some(self.next(&event, hop.pointer.is_some().then_some(of))?)
                }
                _ => None,
            };
            hops.push(WhyHop {
                cause,
                pointer: hop.pointer,
                copy: hop.is_copy,
                skipped: std::mem::take(&mut skipped),
                next,
            });
        }
        let (end, end_id) = match chain.end {
            ChainEnd::First => (CauseEnd::First, None),
            ChainEnd::NotOnRecord(id) => (CauseEnd::NotOnRecord, Some(id)),
            ChainEnd::Cycle(id) => (CauseEnd::Cycle, Some(id)),
            ChainEnd::Cut => (CauseEnd::Cut, None),
        };
        Ok((hops, end, end_id))
    }

    /// What to ask of an event's own stream: why it has the value there, where the event brought it.
    fn next(&self, event: &Event, of: Option<(&str, &Value)>) -> Result<WhyNext, ApiError> {
        let mut next = WhyNext {
            stream: event.stream.clone(),
            revision: event.revision,
            path: None,
        };
        let Some((name, value)) = of else {
            return Ok(next);
        };
        let model = self.models.for_stream(&event.stream);
        let before = Revision(event.revision.0.saturating_sub(1));
        let mut folded = match self.travel.state(self.view, model, &event.stream, before) {
            Ok(reached) => reached.folded,
            Err(TravelError::Store(error)) => return Err(error.into()),
            // A state that is too large to be worked on tells no path.
            Err(_) => return Ok(next),
        };
        let Some(event) = self.view.event_at_revision(&event.stream, event.revision)? else {
            return Ok(next);
        };
        let brought = folded.push_with_diff(model, &event).diff;
        let mut paths = Vec::new();
        for entry in &brought {
            if let Some(after) = &entry.after {
                find_all(after, &mut entry.path.clone(), value, &mut paths);
            }
        }
        // Whether it stands where a secret does is not told.
        paths.retain(|path| self.reveal.yes() || !names_secret(model, path));
        let named = paths
            .iter()
            .find(|path| path.rsplit('/').next() == Some(name));
        next.path = named.or(paths.first()).cloned();
        Ok(next)
    }

    fn necessity(&self, field: &Field, to: Revision) -> Result<NecessityOut, ApiError> {
        let (view, model, stream) = (self.view, self.model, self.stream);
        let before = Revision(field.set_by.0.saturating_sub(1));
        let before = self.travel.state(view, model, stream, before)?.folded;
        let mut bound = StateBound::new(STATE_WEIGHT_MAX, &before.state);
        let mut refold = Refold::start(field.followed()?, field.set_by, before);
        try_for_each_event(view, stream, (field.set_by, to), |event| {
            let heavier = || {
                let weights = refold.states().map(|folded| of_object(&folded.state));
                weights.into_iter().max().unwrap_or_default()
            };
            let added = bound.add(event.data.as_str(), heavier);
            added.map_err(|too_large| TravelError::StateTooLarge {
                stream: stream.clone(),
                revision: event.revision,
                too_large,
            })?;
            refold.push(model, &event);
            Ok::<_, TravelError>(ControlFlow::Continue(()))
        })?;
        let (kind, without, by) = match refold.necessity() {
            Necessity::Necessary { without } => (NecessityKind::Necessary, Some(without), None),
            Necessity::Masked { by } => (NecessityKind::Masked, None, Some(by)),
            Necessity::Overdetermined { by } => (NecessityKind::Overdetermined, None, Some(by)),
            Necessity::NoEffect => (NecessityKind::NoEffect, None, None),
        };
        let event = match by {
            Some(by) => Causes::new(view, stream).at(by)?,
            None => None,
        };
        Ok(NecessityOut {
            kind,
            absent_without: without.as_ref().is_some_and(Option::is_none),
            without: without.flatten(),
            by,
            event,
            faults_more: refold.faults_more(),
            events: to.0 + 1 - field.set_by.0,
        })
    }
}

/// The paths at or below one at which a value stands.
fn find_all(at: &Value, path: &mut String, wanted: &Value, found: &mut Vec<String>) {
    if same(at, wanted) {
        found.push(path.clone());
        return;
    }
    let length = path.len();
    let mut below = |token: &str, inner: &Value, path: &mut String| {
        path.push('/');
        path.push_str(token);
        find_all(inner, path, wanted, found);
        path.truncate(length);
    };
    match at {
        Value::Object(map) => {
            for (key, inner) in map {
                below(&pointer_token(key), inner, path);
            }
        }
        Value::Array(items) => {
            for (index, inner) in items.iter().enumerate() {
                below(&index.to_string(), inner, path);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn names_secret(model: &Model, path: &str) -> bool {
    let path = path.parse::<Pointer>().unwrap_or_default();
    path.tokens().iter().any(|token| model.is_secret(token))
}

/// Records as they may be shown: where a value stands is looked for in nothing else.
struct ShownRecords<'a, 'b> {
    asking: &'a Asking<'b>,
}

impl blame::Causes for ShownRecords<'_, '_> {
    type Error = StoreError;

    fn event(&mut self, event_id: &str) -> Result<Option<Event>, StoreError> {
        let Asking {
            view,
            models,
            reveal,
            ..
        } = self.asking;
        view.stop().check()?;
        let event = view.event_by_id(event_id)?;
        Ok(event.map(|event| reveal.show(models, event).into_inner()))
    }

    fn decision(&mut self, command_id: &str) -> Result<Option<Decision>, StoreError> {
        let Asking {
            view,
            models,
            reveal,
            ..
        } = self.asking;
        view.stop().check()?;
        let decision = view.decision_by_command(command_id)?;
        Ok(decision.map(|decision| reveal.show(models, decision).into_inner()))
    }
}
