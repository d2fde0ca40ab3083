//! What can be done about the pipeline: retries, rebuilds, checks, backfills.

use whodunit_core::api::pipeline::{BackfillIn, BackfillPlan, JobStatus, RunOut, RunStatus};

use super::super::Effects;
use crate::model::pipeline::{Confirmed, PipelineScreen, PlannedBackfill};
use crate::model::{App, Overlay, Remote};
use crate::request::{Request, Slot};

/// What is done to the pipeline.
const ACTS: [Slot; 7] = [
    Slot::RetryJob,
    Slot::RetryFailed,
    Slot::Rebuild,
    Slot::CancelRebuild,
    Slot::PlanBackfill,
    Slot::Backfill,
    Slot::CancelBackfill,
];

/// Does something to the pipeline, one thing at a time.
fn do_it(app: &mut App, screen: &mut PipelineScreen, what: String, request: Request) -> Effects {
    if ACTS.iter().any(|slot| screen.asked.has(*slot)) {
        app.complain("the last action is still running");
        return Vec::new();
    }
    vec![screen.asked.ask(app, what, request)]
}

pub(super) fn retry_job(app: &mut App, screen: &mut PipelineScreen) -> Effects {
    let Some(job) = screen.current_job() else {
        app.complain("there is no job to retry");
        return Vec::new();
    };
    let (id, status) = (job.id, job.status);
    if status != JobStatus::Failed {
        let text = format!(
            "job {id} is {}; only a failed job can be retried",
            status.as_str()
        );
        app.complain(text);
        return Vec::new();
    }
    do_it(
        app,
        screen,
        format!("retry of job {id}"),
        Request::RetryJob(id),
    )
}

pub(super) fn retry_all(app: &mut App, screen: &mut PipelineScreen) -> Effects {
    let name = match (screen.current_handler(), screen.current_job()) {
        (Some(handler), _) => handler.handler.clone(),
        (None, Some(job)) => job.handler.clone(),
        (None, None) => {
            app.complain("select a handler first");
            return Vec::new();
        }
    };
    let failed = screen
        .handlers()
        .iter()
        .find(|handler| handler.handler == name)
        .map_or(0, |handler| handler.counts.failed);
    if failed == 0 {
        app.complain(format!("no job of {name} has failed"));
    } else {
        app.overlay = Some(Overlay::Confirm(Confirmed::RetryAll(name)));
    }
    Vec::new()
}

fn is_running(run: Option<&RunOut>) -> bool {
    run.is_some_and(|run| run.status == RunStatus::Running)
}

pub(super) fn rebuild(app: &mut App, screen: &mut PipelineScreen) -> Effects {
    let Some(projection) = screen.current_projection() else {
        app.complain("there is no projection to rebuild");
        return Vec::new();
    };
    let name = projection.name.clone();
    if is_running(projection.rebuild.as_ref()) {
        app.complain(format!("{name} is being rebuilt; K cancels that"));
    } else {
        app.overlay = Some(Overlay::Confirm(Confirmed::Rebuild(name)));
    }
    Vec::new()
}

pub(super) fn cancel_run(app: &mut App, screen: &mut PipelineScreen) -> Effects {
    if screen.asked.has(Slot::Check) {
        screen.asked.forget(Slot::Check);
        screen.check.settle();
        app.say("the consistency check is cancelled");
        return Vec::new();
    }
    let rebuilt = screen
        .current_projection()
        .filter(|projection| is_running(projection.rebuild.as_ref()))
        .map(|projection| projection.name.clone());
    if let Some(name) = rebuilt {
        let what = format!("cancelling the rebuild of {name}");
        return do_it(app, screen, what, Request::CancelRebuild(name));
    }
    let backfill = screen.all.value().and_then(|all| {
        let mut runs = all.backfills.iter();
        runs.find(|run| run.status == RunStatus::Running)
            .map(|run| run.id)
    });
    if let Some(id) = backfill {
        let what = format!("cancelling backfill {id}");
        return do_it(app, screen, what, Request::CancelBackfill(id));
    }
    app.complain("no rebuild of this projection, no check and no backfill is under way");
    Vec::new()
}

/// Starts a consistency check, or shows the one that is under way or has ended while its box was closed.
pub(super) fn check(app: &mut App, screen: &mut PipelineScreen) -> Effects {
    let Some(projection) = screen.current_projection() else {
        app.complain("there is no projection to check");
        return Vec::new();
    };
    let name = projection.name.clone();
    app.overlay = Some(Overlay::Findings { selected: 0 });
    let unseen = std::mem::take(&mut screen.check_unseen);
    let of_this = screen.checked.as_deref() == Some(&name);
    if screen.asked.has(Slot::Check) || (unseen && of_this) {
        return Vec::new();
    }
    screen.check = Remote::Loading(None);
    screen.checked = Some(name.clone());
    vec![
        screen
            .asked
            .ask(app, format!("checking {name}"), Request::Check(name)),
    ]
}

/// A filled form asks what the backfill would do: nothing is started yet.
pub(in crate::update) fn backfill(
    app: &mut App,
    screen: &mut PipelineScreen,
    body: BackfillIn,
) -> Effects {
    screen.planned = Some(body.clone());
    let what = "the backfill plan".to_owned();
    do_it(app, screen, what, Request::PlanBackfill(body))
}

/// The plan has come: what has effects is asked about, what has none is started.
pub(super) fn planned(app: &mut App, screen: &mut PipelineScreen, plan: BackfillPlan) -> Effects {
    let Some(body) = screen.planned.take() else {
        return Vec::new();
    };
    if plan.handlers.is_empty() {
        return start(app, screen, body, &plan);
    }
    if app.overlay.is_some() {
        app.say("the backfill plan is ready; press b again to see it");
        return Vec::new();
    }
    let planned = Box::new(PlannedBackfill { body, plan });
    app.overlay = Some(Overlay::Confirm(Confirmed::Backfill(planned)));
    Vec::new()
}

fn start(
    app: &mut App,
    screen: &mut PipelineScreen,
    body: BackfillIn,
    plan: &BackfillPlan,
) -> Effects {
    let body = BackfillIn {
        confirm: true,
        expected_jobs: Some(plan.jobs),
        ..body
    };
    do_it(app, screen, "backfill".to_owned(), Request::Backfill(body))
}

/// Gives a key to the question whether to go on.
pub(in crate::update) fn confirm_key(
    app: &mut App,
    screen: &mut PipelineScreen,
    confirmed: Confirmed,
    key: &str,
) -> Effects {
    match key {
        "enter" | "y" => match confirmed {
            Confirmed::Rebuild(name) => do_it(
                app,
                screen,
                format!("rebuild of {name}"),
                Request::Rebuild(name),
            ),
            Confirmed::RetryAll(handler) => do_it(
                app,
                screen,
                format!("retry of {handler}"),
                Request::RetryFailed(handler),
            ),
            Confirmed::Backfill(planned) => start(app, screen, planned.body, &planned.plan),
            Confirmed::RemoveBranch(_) | Confirmed::AdoptBranch(_) => Vec::new(),
        },
        "n" | "q" => Vec::new(),
        _ => {
            app.overlay = Some(Overlay::Confirm(confirmed));
            Vec::new()
        }
    }
}
