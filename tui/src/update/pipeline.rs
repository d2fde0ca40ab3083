//! The pipeline screen: looking at it, and what can be done about it.

use whodunit_core::api::pipeline::{BackfillIn, JobStatus, RunOut, RunStatus};
use whodunit_core::ids::StreamName;

use super::{Effects, history, moved};
use crate::effect::{Failure, Reply, Request, Slot};
use crate::keys::Action;
use crate::model::form::Form;
use crate::model::pipeline::{Confirmed, EVERY_MICROS, Pane};
use crate::model::{Connection, Model, Overlay, Remote};
use crate::text::number;

/// Asks for all of it, and shows that it does.
pub(super) fn load(model: &mut Model) -> Effects {
    model.pipeline.all.reload();
    ask(model, "the pipeline")
}

/// Asks without a word: what is on screen stays until there is something newer.
fn look(model: &mut Model) -> Effects {
    ask(model, "")
}

fn ask(model: &mut Model, what: &str) -> Effects {
    model.pipeline.asked_at = Some(model.now);
    let handler = model
        .pipeline
        .current_handler()
        .map(|handler| handler.handler.clone());
    vec![model.ask(Slot::Pipeline, what, Request::Pipeline(handler))]
}

/// Time has passed: looks again about once a second, one look at a time.
pub(super) fn tick(model: &mut Model) -> Effects {
    let due = model
        .pipeline
        .asked_at
        .is_none_or(|at| model.now.as_micros() - at.as_micros() >= EVERY_MICROS);
    if due { look_again(model) } else { Vec::new() }
}

/// Something was committed: looks again, but no more often than time is looked at.
pub(super) fn live(model: &mut Model) -> Effects {
    if model.pipeline.asked_at == Some(model.now) {
        return Vec::new();
    }
    look_again(model)
}

fn look_again(model: &mut Model) -> Effects {
    let idle = !model.waiting.contains_key(&Slot::Pipeline) && model.connection == Connection::Live;
    // A failure stays on screen until somebody asks again.
    if idle && model.pipeline.all.value().is_some() {
        look(model)
    } else {
        Vec::new()
    }
}

pub(super) fn act(model: &mut Model, action: Action) -> Effects {
    let (rows, page) = (model.pipeline.rows(), model.page());
    let selected = model.pipeline.selected();
    if let Some(index) = moved(*selected, rows, page, action) {
        let changed = std::mem::replace(selected, index) != index;
        if changed && model.pipeline.pane == Pane::Handlers {
            // The jobs shown are those of the selected handler.
            model.pipeline.job = 0;
            return look(model);
        }
        return Vec::new();
    }
    match action {
        Action::NextPane => {
            model.pipeline.pane = model.pipeline.pane.next();
            Vec::new()
        }
        Action::Enter => enter(model),
        Action::RetryJob => retry_job(model),
        Action::RetryAll => retry_all(model),
        Action::Rebuild => rebuild(model),
        Action::CancelRun => cancel_run(model),
        Action::Check => check(model),
        Action::Backfill => {
            let handler = model.pipeline.current_handler();
            let name = handler.map_or_else(String::new, |handler| handler.handler.clone());
            let form = Form::backfill(&name, model.now);
            model.overlay = Some(Overlay::Form(Box::new(form)));
            Vec::new()
        }
        _ => Vec::new(),
    }
}

fn enter(model: &mut Model) -> Effects {
    match model.pipeline.pane {
        Pane::Projections if model.pipeline.current_projection().is_some() => {
            model.overlay = Some(Overlay::Projection { scroll: 0 });
        }
        Pane::Projections => model.complain("there is no projection"),
        Pane::Handlers if model.pipeline.jobs().is_empty() => {
            model.say("no job of it waits, and none has failed");
        }
        Pane::Handlers => model.pipeline.pane = Pane::Jobs,
        Pane::Jobs => match model.pipeline.current_job() {
            Some(job) => {
                let (stream, revision) = (job.stream.clone(), job.revision.0);
                return history::open_stream(model, stream, Some(revision));
            }
            None => model.complain("there is no job to open"),
        },
    }
    Vec::new()
}

/// Does something to the pipeline, one thing at a time.
fn do_it(model: &mut Model, what: String, request: Request) -> Effects {
    if model.waiting.contains_key(&Slot::PipelineAct) {
        model.complain("what was asked for last is still under way");
        return Vec::new();
    }
    vec![model.ask(Slot::PipelineAct, what, request)]
}

fn retry_job(model: &mut Model) -> Effects {
    let Some(job) = model.pipeline.current_job() else {
        model.complain("there is no job to try again");
        return Vec::new();
    };
    let (id, status) = (job.id, job.status);
    if status != JobStatus::Failed {
        let text = format!(
            "job {id} is {}; only a failed one can be tried again",
            status.as_str()
        );
        model.complain(text);
        return Vec::new();
    }
    do_it(model, format!("retry of job {id}"), Request::RetryJob(id))
}

fn retry_all(model: &mut Model) -> Effects {
    let screen = &model.pipeline;
    let name = match (screen.current_handler(), screen.current_job()) {
        (Some(handler), _) => handler.handler.clone(),
        (None, Some(job)) => job.handler.clone(),
        (None, None) => {
            model.complain("select a handler first");
            return Vec::new();
        }
    };
    let failed = screen
        .handlers()
        .iter()
        .find(|handler| handler.handler == name)
        .map_or(0, |handler| handler.counts.failed);
    if failed == 0 {
        model.complain(format!("no job of {name} has failed"));
    } else {
        model.overlay = Some(Overlay::Confirm(Confirmed::RetryAll(name)));
    }
    Vec::new()
}

fn is_running(run: Option<&RunOut>) -> bool {
    run.is_some_and(|run| run.status == RunStatus::Running)
}

fn rebuild(model: &mut Model) -> Effects {
    let Some(projection) = model.pipeline.current_projection() else {
        model.complain("there is no projection to rebuild");
        return Vec::new();
    };
    let name = projection.name.clone();
    if is_running(projection.rebuild.as_ref()) {
        model.complain(format!("{name} is being rebuilt; K cancels that"));
    } else {
        model.overlay = Some(Overlay::Confirm(Confirmed::Rebuild(name)));
    }
    Vec::new()
}

fn cancel_run(model: &mut Model) -> Effects {
    let rebuilt = model
        .pipeline
        .current_projection()
        .filter(|projection| is_running(projection.rebuild.as_ref()))
        .map(|projection| projection.name.clone());
    if let Some(name) = rebuilt {
        let what = format!("the end of the rebuild of {name}");
        return do_it(model, what, Request::CancelRebuild(name));
    }
    let backfill = model.pipeline.all.value().and_then(|all| {
        let mut runs = all.backfills.iter();
        runs.find(|run| run.status == RunStatus::Running)
            .map(|run| run.id)
    });
    if let Some(id) = backfill {
        let what = format!("the end of backfill {id}");
        return do_it(model, what, Request::CancelBackfill(id));
    }
    model.complain("no rebuild of this projection and no backfill is under way");
    Vec::new()
}

/// Starts a consistency check, or shows the one that is under way or has ended while nobody looked.
fn check(model: &mut Model) -> Effects {
    let Some(projection) = model.pipeline.current_projection() else {
        model.complain("there is no projection to check");
        return Vec::new();
    };
    let name = projection.name.clone();
    model.overlay = Some(Overlay::Findings { selected: 0 });
    let unseen = std::mem::take(&mut model.pipeline.check_unseen);
    let of_this = model.pipeline.checked.as_deref() == Some(&name);
    if model.waiting.contains_key(&Slot::Check) || (unseen && of_this) {
        return Vec::new();
    }
    model.pipeline.check = Remote::Loading(None);
    model.pipeline.checked = Some(name.clone());
    vec![model.ask(
        Slot::Check,
        format!("checking {name}"),
        Request::Check(name),
    )]
}

/// A filled form starts a backfill.
pub(super) fn backfill(model: &mut Model, body: BackfillIn) -> Effects {
    do_it(model, "backfill".to_owned(), Request::Backfill(body))
}

/// Gives a key to the question whether to go on.
pub(super) fn confirm_key(model: &mut Model, confirmed: Confirmed, key: &str) -> Effects {
    match key {
        "enter" | "y" => match confirmed {
            Confirmed::Rebuild(name) => {
                do_it(model, format!("rebuild of {name}"), Request::Rebuild(name))
            }
            Confirmed::RetryAll(handler) => do_it(
                model,
                format!("retry of {handler}"),
                Request::RetryFailed(handler),
            ),
        },
        "n" | "q" => Vec::new(),
        _ => {
            model.overlay = Some(Overlay::Confirm(confirmed));
            Vec::new()
        }
    }
}

/// Gives a key to the list of findings: each leads to its event.
pub(super) fn findings_key(model: &mut Model, selected: usize, key: &str) -> Effects {
    match key {
        "q" => return Vec::new(),
        "C" if !model.waiting.contains_key(&Slot::Check) => return check(model),
        "enter" => {
            let Some(finding) = model.pipeline.findings().get(selected) else {
                return Vec::new();
            };
            let at = (finding.revision > 0).then_some(finding.revision);
            match StreamName::new(finding.key.clone()) {
                Ok(stream) => return history::open_stream(model, stream, at),
                Err(_) => model.complain("this document's key is no stream's name"),
            }
        }
        _ => {}
    }
    let len = model.pipeline.findings().len();
    model.overlay = Some(Overlay::Findings {
        selected: super::overlay::choose(selected, len, key),
    });
    Vec::new()
}

/// Takes an answer that belongs to the pipeline.
pub(super) fn filled(model: &mut Model, reply: Reply) -> Effects {
    match reply {
        Reply::Pipeline(all) => {
            model.head.position = model.head.position.max(all.head);
            model.pipeline.take(all);
            return Vec::new();
        }
        Reply::Check(found) => {
            if !matches!(model.overlay, Some(Overlay::Findings { .. })) {
                model.pipeline.check_unseen = true;
                if found.ok {
                    model.say(format!("{} is what the log says", found.projection));
                } else {
                    let n = number(found.findings_total);
                    let name = &found.projection;
                    model.complain(format!(
                        "{name}: {n} documents and the log part; C shows them"
                    ));
                }
            }
            model.pipeline.check = Remote::Ready(found);
            return Vec::new();
        }
        Reply::Job(job) => model.say(format!("job {} is {} again", job.id, job.status.as_str())),
        Reply::Retried(retried) => {
            let n = number(retried.retried);
            model.say(format!("{n} failed jobs are pending again"));
        }
        Reply::Run(run) => {
            let text = match run.status {
                RunStatus::Running => {
                    format!("the {} of {} has begun; K ends it", run.kind, run.of)
                }
                RunStatus::Completed => format!("the {} of {} is done", run.kind, run.of),
                RunStatus::Cancelled => format!("the {} of {} is cancelled", run.kind, run.of),
                RunStatus::Failed => format!("the {} of {} failed", run.kind, run.of),
            };
            model.say(text);
        }
        _ => return Vec::new(),
    }
    // What was done shows at once.
    look(model)
}

/// A request of the pipeline failed.
pub(super) fn failed(model: &mut Model, slot: Slot, failure: Failure, away: bool) {
    let screen = &mut model.pipeline;
    match slot {
        Slot::Check => screen.check = Remote::Failed(failure),
        Slot::Pipeline if screen.all.value().is_none() => screen.all = Remote::Failed(failure),
        Slot::Pipeline => {
            screen.all = match std::mem::take(&mut screen.all) {
                Remote::Loading(Some(all)) => Remote::Ready(all),
                other => other,
            };
            if !away {
                model.complain(failure.message);
            }
        }
        _ => {
            let hint = failure
                .hint
                .map_or_else(String::new, |hint| format!("; {hint}"));
            model.complain(format!("{}{hint}", failure.message));
        }
    }
}

/// The command that gives the same answer, or does the same as what lies over the screen.
pub(super) fn call(model: &Model) -> String {
    use crate::model::stream::quote;
    let screen = &model.pipeline;
    match &model.overlay {
        Some(Overlay::Findings { .. }) => {
            let name = screen.checked.as_deref().map(quote).unwrap_or_default();
            format!("whodunit projections {name} --check")
        }
        Some(Overlay::Projection { .. }) => {
            let name = screen.current_projection().map(|p| quote(&p.name));
            format!("whodunit projections {}", name.unwrap_or_default())
        }
        Some(Overlay::Confirm(Confirmed::Rebuild(name))) => {
            format!("whodunit rebuild {}", quote(name))
        }
        Some(Overlay::Confirm(Confirmed::RetryAll(name))) => {
            format!("whodunit outbox --retry-all {}", quote(name))
        }
        Some(Overlay::Form(form)) => match form.filled() {
            Some(crate::model::form::Filled::Backfill(body)) => crate::model::backfill::call(&body),
            _ => "whodunit backfill".to_owned(),
        },
        _ => screen.call(),
    }
}
