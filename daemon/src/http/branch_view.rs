//! Reading from a branch: what `branch=` asks for, and how a reply names it.

use std::sync::Arc;

use whodunit_core::api::branch::{BranchRead, LogStanding};
use whodunit_core::api::problem::{Code, Problem, echo};
use whodunit_core::branch::LOG;

use super::error::ApiError;
use super::reply::{Showable, Work, Written, answer, answer_heavy};
use crate::branches::{
    BranchView, BranchesError, Deciding, Overlay, Uncompared, other_rules, standing,
};
use crate::daemon::Parts;
use crate::reading::takes_gzip;
use crate::store::{Stoppable as _, StoreError, View};

impl From<BranchesError> for ApiError {
    fn from(error: BranchesError) -> Self {
        let detail = error.to_string();
        match error {
            BranchesError::NotFound(name) => Problem::new(
                Code::NoSuchBranch,
                format!("there is no branch `{}`", echo(&name)),
            )
            .hint("`GET /v1/branches` lists them"),
            BranchesError::Exists(_) => Problem::new(Code::BranchExists, detail)
                .field("/name")
                .hint("choose another name; `PUT /v1/branches/{name}` replaces a branch"),
            BranchesError::Full => Problem::new(Code::LimitExceeded, detail)
                .hint("delete branches that are not needed any more"),
            BranchesError::Unusable(_) => Problem::new(Code::Damaged, detail)
                .hint("move the file of branches out of the way, and start the daemon again"),
            BranchesError::Disk(error) => {
                tracing::error!(%error, "branches could not be written");
                Problem::new(
                    Code::Internal,
                    "the branches could not be written; nothing was changed",
                )
                .hint("the daemon's log says why")
            }
        }
        .into()
    }
}

impl From<Uncompared> for ApiError {
    fn from(error: Uncompared) -> Self {
        match error {
            Uncompared::Travel(error) => error.into(),
            Uncompared::TooLarge(detail) => Problem::new(Code::LimitExceeded, detail)
                .hint("compare the one stream, by a `path`: `GET /v1/streams/{stream}/diff`")
                .into(),
        }
    }
}

/// A branch's name as a parameter gives it; `None` for the log.
pub(super) fn named(branch: Option<String>) -> Option<String> {
    branch.filter(|name| name != LOG)
}

/// The world of a branch over a view of the log, and how a reply names it.
pub(super) fn open(
    parts: &Parts,
    name: &str,
    view: &dyn View,
) -> Result<(Arc<Overlay>, BranchRead), ApiError> {
    let branch = parts.branches.get(name)?;
    let mut read = BranchRead {
        name: branch.name.clone(),
        revision: branch.revision,
        log_position: view.head().position,
        warnings: Vec::new(),
    };
    let (how, why) = standing(parts.store.as_ref(), view, &branch)?;
    if how == LogStanding::Other {
        let detail = format!(
            "the branch `{}` is of another log: {}",
            echo(name),
            why.unwrap_or_default()
        );
        let problem = Problem::new(Code::OtherHistory, detail)
            .hint("`PATCH /v1/branches/{name}` with `{\"adopt\": true}` accepts this log as its own, if that is right");
        return Err(of_branch(problem.into(), &read));
    }
    read.warnings.extend(other_rules(&parts.models, &branch));
    let deciding = Deciding {
        travel: &parts.travel,
        models: &parts.models,
        cache: &parts.branches.cache,
    };
    let world = deciding.world(view, &branch).map_err(ApiError::from);
    Ok((world.map_err(|error| of_branch(error, &read))?, read))
}

/// An error of a read from a branch: it names the branch.
pub(super) fn of_branch(mut error: ApiError, read: &BranchRead) -> ApiError {
    error.0.branch = Some(Box::new(read.clone()));
    error
}

/// Answers with what heavy work finds in a branch, or in the log where none is named.
pub(super) async fn answer_in<T: Showable + 'static>(
    parts: &Arc<Parts>,
    branch: Option<String>,
    work: impl FnOnce(&dyn View) -> Result<T, ApiError> + Send + 'static,
) -> Result<Written, ApiError> {
    match named(branch) {
        None => answer_heavy(parts, work).await,
        Some(name) => answer_in_branch(parts, name, work).await,
    }
}

/// The same, for work that is not heavy where no branch is named.
pub(super) async fn answer_light_in<T: Showable + 'static>(
    parts: &Arc<Parts>,
    branch: Option<String>,
    work: impl FnOnce(&dyn View) -> Result<T, ApiError> + Send + 'static,
) -> Result<Written, ApiError> {
    match named(branch) {
        None => answer(parts, work).await,
        Some(name) => answer_in_branch(parts, name, work).await,
    }
}

async fn answer_in_branch<T: Showable + 'static>(
    parts: &Arc<Parts>,
    name: String,
    work: impl FnOnce(&dyn View) -> Result<T, ApiError> + Send + 'static,
) -> Result<Written, ApiError> {
    in_worlds(parts, Some(name), None, move |worlds| {
        worlds.view.show(&worlds.first.clone());
        work(&worlds.view)
    })
    .await
}

/// Answers with what heavy work finds in the log; a branch that it builds on is checked, and named in the reply.
pub(super) async fn answer_upon<T: Showable + 'static>(
    parts: &Arc<Parts>,
    branch: Option<String>,
    work: impl FnOnce(&dyn View) -> Result<T, ApiError> + Send + 'static,
) -> Result<Written, ApiError> {
    let Some(name) = branch else {
        return answer_heavy(parts, work).await;
    };
    in_worlds(parts, Some(name), None, move |worlds| {
        worlds.view.show(&worlds.second.clone());
        work(&worlds.view)
    })
    .await
}

/// Two worlds over one view of the log.
pub(super) struct Worlds {
    pub(super) view: BranchView,
    pub(super) first: Arc<Overlay>,
    pub(super) second: Arc<Overlay>,
    /// How the second one is named; `None` for the log.
    pub(super) second_read: Option<BranchRead>,
}

/// Answers with what heavy work finds in two worlds, each a branch or the log; the reply names the first.
pub(super) async fn in_worlds<T: Showable + 'static>(
    parts: &Arc<Parts>,
    first: Option<String>,
    second: Option<String>,
    work: impl FnOnce(&mut Worlds) -> Result<T, ApiError> + Send + 'static,
) -> Result<Written, ApiError> {
    let work: Work<Worlds> = Box::new(move |worlds| Ok(Box::new(work(worlds)?)));
    work_in_worlds(parts, first, second, work).await
}

async fn work_in_worlds(
    parts: &Arc<Parts>,
    first: Option<String>,
    second: Option<String>,
    work: Work<Worlds>,
) -> Result<Written, ApiError> {
    let (replies, takes_gzip) = (Arc::clone(&parts.gates.replies), takes_gzip());
    let own = Arc::clone(parts);
    let heavy = &parts.gates.heavy;
    heavy
        .read_owned(&parts.store, move |view| {
            let log = || Arc::new(Overlay::of_log(view.head()));
            let opened = |name: Option<String>| -> Result<_, ApiError> {
                Ok(match name {
                    None => (log(), None),
                    Some(name) => {
                        let (world, read) = open(&own, &name, view.as_ref())?;
                        (world, Some(read))
                    }
                })
            };
            let (first, read) = opened(first)?;
            let (second, second_read) = opened(second)?;
            let mut worlds = Worlds {
                view: BranchView::new(view, Arc::clone(&first)),
                first,
                second,
                second_read,
            };
            let found = work(&mut worlds).map_err(|error| match &read {
                Some(read) => of_branch(error, read),
                None => error,
            })?;
            let stop = worlds.view.stop();
            stop.check().map_err(StoreError::from)?;
            Written::of_branch(found.as_ref(), read.as_ref(), (takes_gzip, &replies), stop)
        })
        .await
}

/// Refuses lines from a branch: it is read in pages.
pub(super) fn no_lines(branch: Option<&str>) -> Result<(), ApiError> {
    if branch.is_none_or(|name| name == LOG) {
        return Ok(());
    }
    let detail = "a branch is read in pages, not as NDJSON lines";
    Err(Problem::new(Code::BadParameter, detail)
        .field("branch")
        .hint("leave `Accept: application/x-ndjson` out, and follow `next_cursor`")
        .into())
}
