//! The pipeline screen: looking at it, and what can be done about it.

mod acts;

use whodunit_core::api::pipeline::RunStatus;
use whodunit_core::ids::StreamName;

use super::{Effects, moved};
use crate::effect::Failure;
use crate::keys::Action;
use crate::model::form::Form;
use crate::model::pipeline::{EVERY_MICROS, Pane, PipelineScreen};
use crate::model::{App, Connection, Deeper, Overlay, Remote};
use crate::request::{Reply, Request, Slot};
use crate::text::{clause, counted};

pub(super) use acts::{backfill, confirm_key};
use acts::{cancel_run, check, planned, rebuild, retry_all, retry_job};

/// Shortest time between two looks, whatever is committed meanwhile.
const PAUSE_MICROS: i64 = 250_000;

/// Asks for all of it, and shows that it does.
pub(super) fn load(app: &mut App, screen: &mut PipelineScreen) -> Effects {
    screen.all.reload();
    ask(app, screen, "the pipeline")
}

/// Asks without a word: what is on screen stays until there is something newer.
fn look(app: &mut App, screen: &mut PipelineScreen) -> Effects {
    ask(app, screen, "")
}

fn ask(app: &mut App, screen: &mut PipelineScreen, what: &str) -> Effects {
    screen.asked_at = Some(app.now);
    let handler = screen
        .current_handler()
        .map(|handler| handler.handler.clone());
    screen.asked_of.clone_from(&handler);
    vec![screen.asked.ask(app, what, Request::Pipeline(handler))]
}

/// Time has passed: looks again about once a second, one look at a time.
pub(super) fn tick(app: &mut App, screen: &mut PipelineScreen) -> Effects {
    let due = screen
        .asked_at
        .is_none_or(|at| app.now.as_micros() - at.as_micros() >= EVERY_MICROS);
    if due {
        look_again(app, screen)
    } else {
        Vec::new()
    }
}

/// Something was committed: looks again, but not at once after the last look.
pub(super) fn live(app: &mut App, screen: &mut PipelineScreen) -> Effects {
    let since = screen
        .asked_at
        .map_or(i64::MAX, |at| app.now.as_micros() - at.as_micros());
    if since < PAUSE_MICROS {
        return Vec::new();
    }
    look_again(app, screen)
}

fn look_again(app: &mut App, screen: &mut PipelineScreen) -> Effects {
    let idle = !screen.asked.has(Slot::Pipeline) && app.connection == Connection::Live;
    // A failure stays on screen until the user asks again.
    if idle && screen.all.value().is_some() {
        look(app, screen)
    } else {
        Vec::new()
    }
}

pub(super) fn act(app: &mut App, screen: &mut PipelineScreen, action: Action) -> Effects {
    let (rows, page) = (screen.rows(), app.page());
    let selected = screen.selected();
    if let Some(index) = moved(*selected, rows, page, action) {
        let changed = std::mem::replace(selected, index) != index;
        if changed && screen.pane == Pane::Handlers {
            // The jobs shown are those of the selected handler.
            screen.job = 0;
            return look(app, screen);
        }
        return Vec::new();
    }
    match action {
        Action::NextPane => {
            screen.pane = screen.pane.next();
            Vec::new()
        }
        Action::Enter => enter(app, screen),
        Action::RetryJob => retry_job(app, screen),
        Action::RetryAll => retry_all(app, screen),
        Action::Rebuild => rebuild(app, screen),
        Action::CancelRun => cancel_run(app, screen),
        Action::Check => check(app, screen),
        Action::Backfill => {
            let handler = screen.current_handler();
            let name = handler.map_or_else(String::new, |handler| handler.handler.clone());
            let form = Form::backfill(&name, app.now);
            app.overlay = Some(Overlay::Form(Box::new(form)));
            Vec::new()
        }
        _ => Vec::new(),
    }
}

fn enter(app: &mut App, screen: &mut PipelineScreen) -> Effects {
    match screen.pane {
        Pane::Projections if screen.current_projection().is_some() => {
            app.overlay = Some(Overlay::Projection { scroll: 0 });
        }
        Pane::Projections => app.complain("there are no projections"),
        Pane::Handlers if !screen.has_jobs() => {
            app.say("its jobs are not loaded; r loads them again");
        }
        Pane::Handlers if screen.jobs().is_empty() => {
            app.say("no job of it is waiting, and none has failed");
        }
        Pane::Handlers => screen.pane = Pane::Jobs,
        Pane::Jobs => match screen.current_job() {
            Some(job) => {
                let (stream, revision) = (job.stream.clone(), job.revision.0);
                app.deeper = Some(Deeper::Stream(stream, Some(revision)));
            }
            None => app.complain("there is no job to open"),
        },
    }
    Vec::new()
}

/// Gives a key to the list of findings: each leads to its event.
pub(super) fn findings_key(
    app: &mut App,
    screen: &mut PipelineScreen,
    selected: usize,
    key: &str,
) -> Effects {
    match key {
        "q" => return Vec::new(),
        "C" if !screen.asked.has(Slot::Check) => return check(app, screen),
        "K" if screen.asked.has(Slot::Check) => return cancel_run(app, screen),
        "enter" => {
            let Some(finding) = screen.findings().get(selected) else {
                return Vec::new();
            };
            let at = (finding.revision > 0).then_some(finding.revision);
            match StreamName::new(finding.key.clone()) {
                Ok(stream) => {
                    app.deeper = Some(Deeper::Stream(stream, at));
                    return Vec::new();
                }
                Err(_) => app.complain("this document's key is not a stream name"),
            }
        }
        _ => {}
    }
    let len = screen.findings().len();
    app.overlay = Some(Overlay::Findings {
        selected: super::overlay::choose(selected, len, key),
    });
    Vec::new()
}

/// Takes an answer that belongs to the pipeline.
pub(super) fn take(app: &mut App, screen: &mut PipelineScreen, reply: Reply) -> Effects {
    match reply {
        Reply::Pipeline(all) => {
            app.head.position = app.head.position.max(all.head);
            screen.set(all);
            screen.jobs_of = screen.asked_of.clone();
            // Another handler stands at the selected row now.
            if !screen.has_jobs() {
                return look(app, screen);
            }
            return Vec::new();
        }
        Reply::Check(found) => {
            if !matches!(app.overlay, Some(Overlay::Findings { .. })) {
                screen.check_unseen = true;
                if found.ok {
                    app.say(format!("{} matches the log", found.projection));
                } else {
                    let n = clause(found.findings_total, "document", "differs");
                    let name = &found.projection;
                    app.complain(format!("{name}: {n} from the log; C shows where"));
                }
            }
            screen.check = Remote::Ready(found);
            return Vec::new();
        }
        Reply::PlanBackfill(plan) => return planned(app, screen, plan),
        Reply::RetryJob(job) => app.say(format!("job {} is {} again", job.id, job.status.as_str())),
        Reply::RetryFailed(retried) => {
            let n = counted(retried.retried, "failed job");
            app.say(format!("retrying {n}"));
        }
        Reply::Rebuild(run)
        | Reply::CancelRebuild(run)
        | Reply::Backfill(run)
        | Reply::CancelBackfill(run) => {
            let text = match run.status {
                RunStatus::Running => {
                    format!("the {} of {} has started; K cancels it", run.kind, run.of)
                }
                RunStatus::Completed => format!("the {} of {} is done", run.kind, run.of),
                RunStatus::Cancelled => format!("the {} of {} is cancelled", run.kind, run.of),
                RunStatus::Failed => format!("the {} of {} failed", run.kind, run.of),
            };
            app.say(text);
        }
        _ => return Vec::new(),
    }
    // What was done shows at once.
    look(app, screen)
}

/// A request of the pipeline failed.
pub(super) fn failed(
    app: &mut App,
    screen: &mut PipelineScreen,
    slot: Slot,
    failure: Failure,
    is_away: bool,
) {
    match slot {
        Slot::Check => screen.check = Remote::Failed(failure),
        Slot::Pipeline if screen.all.value().is_none() => screen.all = Remote::Failed(failure),
        Slot::Pipeline => {
            screen.all = match std::mem::take(&mut screen.all) {
                Remote::Loading(Some(all)) => Remote::Ready(all),
                other => other,
            };
            if !is_away {
                app.complain(failure.message);
            }
        }
        _ => {
            let hint = failure
                .hint
                .map_or_else(String::new, |hint| format!("; {hint}"));
            app.complain(format!("{}{hint}", failure.message));
        }
    }
}
