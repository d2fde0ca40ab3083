//! Branches over HTTP: made, listed, changed, removed, compared, exported and imported.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use serde::Deserialize;
use utoipa::IntoParams;
use whodunit_core::api::branch::{
    BranchCompareOut, BranchFlip, BranchIn, BranchLine, BranchOut, BranchPage, BranchPatch,
    BranchStream, LogStanding,
};
use whodunit_core::api::problem::{Code, Problem};
use whodunit_core::api::warning::{Warning, WarningCode};
use whodunit_core::api::what_if::{Continuation, WhatIfIn};
use whodunit_core::branch::{BadBranch, Branch, BranchFile, BuiltOn, LOG, check_name};
use whodunit_core::counted::clause;
use whodunit_core::shown::{Reveal, Shown};
use whodunit_core::text::shown;
use whodunit_core::time::Timestamp;

use super::branch_view::{in_worlds, named, open};
use super::common::{asked_to_reveal, bad_cursor, page_limit};
use super::error::ApiError;
use super::extract::{Json, PathText, Query};
use super::reply::{Written, answer, answer_heavy};
use super::streams::NoParams;
use super::travel::shown_until;
use crate::branches::{
    COUNTS_MAX, Deciding, IfThere, Page, check_secrets, compare, log_point, other_rules, rules,
    standing,
};
use crate::daemon::Parts;
use crate::limits::ACTOR_BYTES_MAX;
use crate::store::View;
use crate::what_if::layers;

fn refused(bad: &BadBranch) -> ApiError {
    Problem::new(Code::Malformed, bad.to_string())
        .field(bad.pointer.clone())
        .into()
}

/// A branch as it is shown.
pub(super) fn told(parts: &Parts, view: &dyn View, branch: Branch) -> Result<BranchOut, ApiError> {
    let (log_standing, why) = standing(parts.store.as_ref(), view, &branch)?;
    let other = why.map(|why| Warning::new(WarningCode::OtherLog, why, []));
    let warnings = [other, other_rules(&parts.models, &branch)];
    Ok(BranchOut {
        branch,
        log_standing,
        warnings: warnings.into_iter().flatten().collect(),
        redacted: Vec::new(),
    })
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct BranchesParams {
    /// The `next_cursor` of the previous page.
    cursor: Option<String>,
    /// Items at most: 1 to 1000, 100 when absent.
    limit: Option<usize>,
}

/// Branches, by name.
#[utoipa::path(get, path = "/v1/branches", tag = "what-if", params(BranchesParams),
    responses((status = 200, body = BranchPage),
        (status = 400, body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn list_branches(
    State(parts): State<Arc<Parts>>,
    Query(params): Query<BranchesParams>,
) -> Result<Written, ApiError> {
    let limit = page_limit(params.limit)?;
    let after = params.cursor.as_deref().map(read_cursor).transpose()?;
    let own = Arc::clone(&parts);
    answer(&parts, move |view| {
        let found = own.branches.find(after.as_deref(), limit)?;
        let last = found.branches.last().map(|last| last.name.clone());
        let line = |branch: Branch| -> Result<BranchLine, ApiError> {
            let (log_standing, _) = standing(own.store.as_ref(), view, &branch)?;
            let count = |of: fn(&whodunit_core::branch::Layer) -> usize| {
                branch.layers.iter().map(of).sum::<usize>() as u64
            };
            Ok(BranchLine {
                edits: count(|layer| layer.edits.len()),
                actions: count(|layer| layer.actions.len()),
                log_standing,
                name: branch.name,
                revision: branch.revision,
                note: branch.note,
                actor: branch.actor,
                created_at: branch.created_at,
                changed_at: branch.changed_at,
                on: branch.on,
                stream: branch.stream,
            })
        };
        Ok(BranchPage {
            items: found
                .branches
                .into_iter()
                .map(line)
                .collect::<Result<_, _>>()?,
            next_cursor: last
                .filter(|_| found.has_more)
                .map(|last| format!("b{last}")),
            branches: found.all,
            unreadable: found.unreadable,
        })
    })
    .await
}

/// The name after which a page begins.
fn read_cursor(cursor: &str) -> Result<String, ApiError> {
    let name = cursor.strip_prefix('b').map(str::to_owned);
    name.ok_or_else(bad_cursor)
}

/// Keeps a what-if under a name. What it leads to is computed when it is read, and never written into the log. In a branch the
/// rules are asked: what it names of the log (revisions, decisions, positions) stays what it names, however much is logged later.
#[utoipa::path(post, path = "/v1/branches", tag = "what-if", request_body = BranchIn,
    responses((status = 200, body = Shown<BranchOut>),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "as for `POST /v1/what-if`; `plaintext_secret` for a command that holds a secret"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "`no_such_branch` for `on`, or there is no such base"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "`branch_exists`, among others")))]
pub(crate) async fn create_branch(
    State(parts): State<Arc<Parts>>,
    Query(NoParams {}): Query<NoParams>,
    Json(asked): Json<BranchIn>,
) -> Result<Written, ApiError> {
    let Some(name) = asked.name.clone() else {
        return Err(Problem::new(Code::Malformed, "`/name` is required")
            .field("/name")
            .into());
    };
    keep(&parts, name, asked, IfThere::Refuse).await
}

/// Keeps a what-if under this name, in place of one that has it.
#[utoipa::path(put, path = "/v1/branches/{name}", tag = "what-if", request_body = BranchIn,
    params(("name" = String, Path, description = "the branch's name")),
    responses((status = 200, body = Shown<BranchOut>),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn put_branch(
    State(parts): State<Arc<Parts>>,
    PathText(name): PathText,
    Query(NoParams {}): Query<NoParams>,
    Json(asked): Json<BranchIn>,
) -> Result<Written, ApiError> {
    if asked.name.as_ref().is_some_and(|own| *own != name) {
        let detail = "`/name` differs from the name in the path";
        return Err(Problem::new(Code::Malformed, detail)
            .field("/name")
            .hint("`PATCH` gives a branch another name")
            .into());
    }
    keep(&parts, name, asked, IfThere::Replace).await
}

async fn keep(
    parts: &Arc<Parts>,
    name: String,
    asked: BranchIn,
    if_there: IfThere,
) -> Result<Written, ApiError> {
    check_name(&name).map_err(|bad| refused(&bad))?;
    if asked
        .continuation
        .is_some_and(|own| own != Continuation::Redecide)
    {
        let detail = "a branch always asks the rules: `/continue` must be `redecide`, or be absent";
        return Err(Problem::new(Code::Malformed, detail)
            .field("/continue")
            .hint("`POST /v1/what-if` applies recorded events without asking the rules; that is not kept")
            .into());
    }
    let below = match &asked.on {
        Some(on) => Some(
            parts
                .branches
                .get(on)
                .map_err(|error| at_field(error.into(), "/on"))?,
        ),
        None => None,
    };
    if if_there == IfThere::Refuse && parts.branches.get(&name).is_ok() {
        return Err(crate::branches::BranchesError::Exists(name).into());
    }
    let (own, now) = (Arc::clone(parts), parts.clock.now());
    answer_heavy(parts, move |view| {
        let (branch, warnings) = made(&own, view, (name, asked, below), now)?;
        let branch = own.branches.keep(branch, if_there)?;
        let mut out = told(&own, view, branch)?;
        out.warnings.extend(warnings);
        shown_until(view, Reveal::NO, &own.models, out)
    })
    .await
}

fn at_field(mut error: ApiError, field: &str) -> ApiError {
    error.0.field = Some(field.to_owned());
    error
}

/// The branch that is asked for, once it was evaluated.
fn made(
    parts: &Parts,
    view: &dyn View,
    (name, asked, below): (String, BranchIn, Option<Branch>),
    now: Timestamp,
) -> Result<(Branch, Vec<Warning>), ApiError> {
    if let Some(below) = &below {
        // One of another log is not built upon.
        open(parts, &below.name, view)?;
        check_inherited(below, &asked)?;
    }
    let request = WhatIfIn {
        at_revision: asked.at_revision,
        as_of: asked.as_of,
        at_position: asked.at_position,
        at_decision: asked.at_decision,
        edits: asked.edits,
        actions: asked.actions,
        continuation: Continuation::Redecide,
        ..WhatIfIn::new(asked.stream)
    };
    let (travel, models) = (&parts.travel, &parts.models);
    let (layer, warnings) = layers::layer(view, travel, models, request, now)?;
    check_secrets(models, &layer)?;
    let (mut below_layers, on) = match &below {
        Some(below) => (
            below.layers.clone(),
            Some(BuiltOn {
                name: below.name.clone(),
                revision: below.revision,
            }),
        ),
        None => (Vec::new(), None),
    };
    let edits_below: usize = below_layers.iter().map(|layer| layer.edits.len()).sum();
    let inherited = below.as_ref();
    let stream = layer.stream.clone();
    below_layers.push(layer);
    let branch = Branch {
        name,
        revision: 1,
        stream,
        note: asked.note,
        actor: asked.actor,
        created_at: now,
        changed_at: now,
        on,
        layers: below_layers,
        causes: asked
            .causes
            .or(inherited.map(|below| below.causes))
            .unwrap_or_default(),
        password_correct: asked
            .password_correct
            .or(inherited.and_then(|below| below.password_correct)),
        log: log_point(parts.store.as_ref(), view)?,
        rules: rules(models),
    };
    branch.check(COUNTS_MAX).map_err(|bad| refused(&bad))?;
    layers::check_ids_of_layers(&branch)?;
    let deciding = Deciding {
        travel,
        models,
        cache: &parts.branches.cache,
    };
    deciding
        .world(view, &branch)
        .map_err(|failure| renumbered(failure.into(), edits_below))?;
    Ok((branch, warnings))
}

/// What a branch has of the one below it, and cannot have otherwise.
fn check_inherited(below: &Branch, asked: &BranchIn) -> Result<(), ApiError> {
    let differs = |field: &str| {
        let detail = format!(
            "`{field}` differs from the branch below; the edits of both are followed as one"
        );
        Err(Problem::new(Code::Malformed, detail).field(field).into())
    };
    if asked.causes.is_some_and(|own| own != below.causes) {
        return differs("/causes");
    }
    match (asked.password_correct, below.password_correct) {
        (Some(own), Some(below)) if own != below => differs("/password_correct"),
        _ => Ok(()),
    }
}

/// Edits are numbered through all layers; a client counts its own.
fn renumbered(mut error: ApiError, edits_below: usize) -> ApiError {
    let field = error.0.field.take();
    error.0.field = field.map(|field| {
        let numbered = field.strip_prefix("/edits/").and_then(|rest| {
            let end = rest.find('/').unwrap_or(rest.len());
            let (number, rest) = rest.split_at(end);
            let number: usize = number.parse().ok()?;
            Some(format!("/edits/{}{rest}", number.checked_sub(edits_below)?))
        });
        numbered.unwrap_or(field)
    });
    error
}

/// A branch: its edits and actions with those below, and how its log stands.
#[utoipa::path(get, path = "/v1/branches/{name}", tag = "what-if",
    params(("name" = String, Path, description = "the branch's name")),
    responses((status = 200, body = Shown<BranchOut>),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "`no_such_branch`")))]
pub(crate) async fn get_branch(
    State(parts): State<Arc<Parts>>,
    PathText(name): PathText,
    Query(NoParams {}): Query<NoParams>,
) -> Result<Written, ApiError> {
    let own = Arc::clone(&parts);
    answer(&parts, move |view| {
        let branch = own.branches.get(&name)?;
        let out = told(&own, view, branch)?;
        shown_until(view, Reveal::NO, &own.models, out)
    })
    .await
}

/// Changes a branch's name or note, or takes this log for its own.
#[utoipa::path(patch, path = "/v1/branches/{name}", tag = "what-if", request_body = BranchPatch,
    params(("name" = String, Path, description = "the branch's name")),
    responses((status = 200, body = Shown<BranchOut>),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "`no_such_branch`"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "`branch_exists`")))]
pub(crate) async fn change_branch(
    State(parts): State<Arc<Parts>>,
    PathText(name): PathText,
    Query(NoParams {}): Query<NoParams>,
    Json(patch): Json<BranchPatch>,
) -> Result<Written, ApiError> {
    if let Some(new) = &patch.name {
        check_name(new).map_err(|bad| refused(&bad))?;
    }
    let (own, now) = (Arc::clone(&parts), parts.clock.now());
    answer_heavy(&parts, move |view| {
        let mut changed = own.branches.get(&name)?;
        if patch.adopt == Some(true) {
            let log = log_point(own.store.as_ref(), view)?;
            changed.log = log;
            changed.rules = rules(&own.models);
            changed.check(COUNTS_MAX).map_err(|bad| refused(&bad))?;
            let deciding = Deciding {
                travel: &own.travel,
                models: &own.models,
                cache: &own.branches.cache,
            };
            deciding.world(view, &changed)?;
        }
        if let Some(note) = &patch.note {
            changed.note = Some(note.clone()).filter(|note| !note.is_empty());
        }
        if let Some(new) = &patch.name {
            changed.name.clone_from(new);
        }
        changed.check(COUNTS_MAX).map_err(|bad| refused(&bad))?;
        let branch = own.branches.change(&name, now, |branch| {
            branch.name = changed.name;
            branch.note = changed.note;
            branch.log = changed.log;
            branch.rules = changed.rules;
        })?;
        let out = told(&own, view, branch)?;
        shown_until(view, Reveal::NO, &own.models, out)
    })
    .await
}

/// Removes a branch. Those that were built on it stay: they have its edits. Who asked is noted in the daemon's log
/// (`x-whodunit-actor`).
#[utoipa::path(delete, path = "/v1/branches/{name}", tag = "what-if",
    params(("name" = String, Path, description = "the branch's name")),
    responses((status = 200, body = Shown<BranchOut>),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "`no_such_branch`")))]
pub(crate) async fn remove_branch(
    State(parts): State<Arc<Parts>>,
    PathText(name): PathText,
    Query(NoParams {}): Query<NoParams>,
    headers: HeaderMap,
) -> Result<Written, ApiError> {
    let who = headers
        .get("x-whodunit-actor")
        .and_then(|value| value.to_str().ok())
        .filter(|who| !who.is_empty() && who.len() <= ACTOR_BYTES_MAX)
        .unwrap_or("anonymous");
    let who = shown(who).into_owned();
    let own = Arc::clone(&parts);
    answer(&parts, move |view| {
        let branch = own.branches.remove(&name)?;
        tracing::info!(%who, branch = name, "a branch was removed");
        let out = told(&own, view, branch)?;
        shown_until(view, Reveal::NO, &own.models, out)
    })
    .await
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportParams {
    /// Whether the file has secrets that recorded events have. The request is logged with its actor (header `x-whodunit-actor`).
    reveal: Option<bool>,
}

/// A branch as a file: what `POST /v1/branches/import` takes.
#[utoipa::path(get, path = "/v1/branches/{name}/export", tag = "what-if",
    params(("name" = String, Path, description = "the branch's name"), ExportParams),
    responses((status = 200, body = BranchFile),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "`no_such_branch`"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "`redacted_export`: it holds secrets of events, which were not asked for")))]
pub(crate) async fn export_branch(
    State(parts): State<Arc<Parts>>,
    PathText(name): PathText,
    Query(params): Query<ExportParams>,
    headers: HeaderMap,
) -> Result<Written, ApiError> {
    let reveal = asked_to_reveal(params.reveal == Some(true), &headers, "branch", &name);
    let own = Arc::clone(&parts);
    answer(&parts, move |view| {
        let branch = own.branches.get(&name)?;
        let out = told(&own, view, branch)?;
        let out = shown_until(view, reveal, &own.models, out)?.into_inner();
        if !out.redacted.is_empty() {
            let detail = "the branch holds secrets of events, and without them it would be a different branch";
            return Err(Problem::new(Code::RedactedExport, detail)
                .hint("ask for them with `reveal=true`")
                .into());
        }
        Ok(BranchFile::of(out.branch))
    })
    .await
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ImportParams {
    /// The name it gets; its own when absent.
    name: Option<String>,
}

/// Keeps a branch of a file. One of another log is kept as well, and is not read before this log is taken for its own
/// (`PATCH` with `adopt`).
#[utoipa::path(post, path = "/v1/branches/import", tag = "what-if", params(ImportParams), request_body = BranchFile,
    responses((status = 200, body = Shown<BranchOut>),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "`branch_exists`")))]
pub(crate) async fn import_branch(
    State(parts): State<Arc<Parts>>,
    Query(params): Query<ImportParams>,
    Json(file): Json<BranchFile>,
) -> Result<Written, ApiError> {
    let mut branch = file.read(COUNTS_MAX).map_err(|bad| refused(&bad))?;
    if let Some(name) = params.name {
        check_name(&name).map_err(|bad| refused(&bad))?;
        branch.name = name;
    }
    for (index, layer) in branch.layers.iter().enumerate() {
        check_secrets(&parts.models, layer).map_err(|mut problem| {
            let field = problem.field.take().unwrap_or_default();
            ApiError::from(problem.field(format!("/branch/layers/{index}{field}")))
        })?;
    }
    layers::check_ids_of_layers(&branch)?;
    let (own, now) = (Arc::clone(&parts), parts.clock.now());
    answer_heavy(&parts, move |view| {
        branch.revision = 1;
        branch.changed_at = now;
        let (how, _) = standing(own.store.as_ref(), view, &branch)?;
        if how != LogStanding::Other {
            let deciding = Deciding {
                travel: &own.travel,
                models: &own.models,
                cache: &own.branches.cache,
            };
            deciding.world(view, &branch)?;
        }
        let branch = own.branches.keep(branch, IfThere::Refuse)?;
        let out = told(&own, view, branch)?;
        shown_until(view, Reveal::NO, &own.models, out)
    })
    .await
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct CompareParams {
    /// The branch that it is compared with; `log`, what happened, when absent.
    with: Option<String>,
    /// The `next_cursor` of the previous page of streams.
    cursor: Option<String>,
    /// Streams at most: 1 to 1000, 100 when absent. A page of large states ends early, with a cursor.
    limit: Option<usize>,
    /// Whether to show secrets. The request is logged with its actor (header `x-whodunit-actor`).
    reveal: Option<bool>,
}

/// What differs between what happened, or another branch, and this branch: streams, with the differences of their last states, and
/// commands that ended otherwise.
#[utoipa::path(get, path = "/v1/branches/{name}/compare", tag = "what-if",
    params(("name" = String, Path, description = "the branch's name; `log` for what happened"), CompareParams),
    responses((status = 200, body = BranchCompareOut<Shown<BranchStream>>),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "`no_such_branch`"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "`other_history`: a branch is of another log")))]
pub(crate) async fn compare_branch(
    State(parts): State<Arc<Parts>>,
    PathText(name): PathText,
    Query(params): Query<CompareParams>,
    headers: HeaderMap,
) -> Result<Written, ApiError> {
    let limit = page_limit(params.limit)?;
    let after = params.cursor.as_deref().map(read_cursor).transpose()?;
    let reveal = asked_to_reveal(params.reveal == Some(true), &headers, "branch", &name);
    let with = params.with.unwrap_or_else(|| LOG.to_owned());
    let (travel, models) = (Arc::clone(&parts.travel), Arc::clone(&parts.models));
    let (first, second) = (named(Some(name)), named(Some(with.clone())));
    in_worlds(&parts, first, second, move |worlds| {
        let page = Page {
            after: after.as_deref(),
            limit,
        };
        let both = (&worlds.second.clone(), &worlds.first.clone());
        let found = compare(&mut worlds.view, both, (&travel, &models), &page)?;
        let streams = found.streams.into_iter();
        let streams = streams.map(|stream| shown_until(&worlds.view, reveal, &models, stream));
        Ok(BranchCompareOut {
            with,
            with_branch: worlds.second_read.clone(),
            answer: sentence(found.streams_total, found.flips_total, &found.flips),
            streams: streams.collect::<Result<Vec<_>, _>>()?,
            streams_total: found.streams_total,
            next_cursor: found.next.map(|last| format!("b{last}")),
            flips: found.flips,
            flips_total: found.flips_total,
        })
    })
    .await
}

/// What differs, in a sentence.
pub(super) fn sentence(streams: u64, flips_total: u64, flips: &[BranchFlip]) -> String {
    let of_streams = match streams {
        0 => return "Nothing differs.".to_owned(),
        n => clause(n, "stream", "differs"),
    };
    let described = flips.first().map(|flip| {
        let kind = shown(&flip.command_type);
        let (from, to) = (&flip.from.outcome, &flip.to.outcome);
        format!(
            "{kind} of {} is {to} instead of {from}",
            shown(flip.stream.as_str())
        )
    });
    match (described, flips_total) {
        (None, _) => format!("{of_streams}; every command has the same outcome."),
        (Some(first), 1) => format!("{of_streams}; {first}."),
        (Some(first), n) => format!(
            "{of_streams}; {first}, and {} another outcome.",
            clause(n - 1, "more command", "has")
        ),
    }
}
