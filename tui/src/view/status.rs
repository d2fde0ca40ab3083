//! Where an event stands in the pipeline: its jobs, and the read models that reflect it.

use whodunit_core::api::pipeline::{JobStatus, ProjectionOut};
use whodunit_core::event::Event;

use super::pipeline::{job_mark, job_story};
use crate::client::StreamStatus;
use crate::model::stream::StreamScreen;
use crate::model::{App, Remote};
use crate::text::{number, safe};
use crate::theme::{Glyph, Token};

/// The labels of these facts.
pub(super) const OUTBOX: &str = "outbox";
pub(super) const MODELS: &str = "models";

/// In full, as labelled facts.
pub(super) fn facts(
    app: &App,
    stream: &StreamScreen,
    event: &Event,
) -> Vec<(&'static str, String, Token)> {
    let status = match &stream.status {
        Remote::Ready(status) | Remote::Loading(Some(status)) => status,
        Remote::Failed(why) => {
            let text = format!("not known: {}", safe(&why.message));
            return vec![(OUTBOX, text, Token::Muted)];
        }
        Remote::Absent | Remote::Loading(None) => {
            let is_branch = stream.asked.branch().is_some();
            let text = if is_branch {
                "of what happened alone"
            } else {
                "…"
            };
            return vec![(OUTBOX, text.to_owned(), Token::Muted)];
        }
    };
    let mut facts = jobs(app, status, event);
    if !status.projections.is_empty() {
        let (texts, behind): (Vec<String>, Vec<bool>) = status
            .projections
            .iter()
            .map(|projection| {
                let applied = is_applied(projection, event);
                let glyph = if applied { Glyph::Done } else { Glyph::Waiting };
                let word = if applied { "applied" } else { "not yet" };
                let text = format!(
                    "{} {} {word}",
                    app.theme.glyph(glyph),
                    safe(&projection.name)
                );
                (text, !applied)
            })
            .unzip();
        let token = if behind.contains(&true) {
            Token::Warn
        } else {
            Token::Plain
        };
        facts.push((MODELS, texts.join("\n"), token));
    }
    facts
}

fn is_applied(projection: &ProjectionOut, event: &Event) -> bool {
    projection.checkpoint >= event.position.0
}

fn jobs(app: &App, status: &StreamStatus, event: &Event) -> Vec<(&'static str, String, Token)> {
    let Some(jobs) = status.jobs_of(event.revision.0) else {
        let text = format!("whodunit outbox --stream {}", safe(event.stream.as_str()));
        return vec![(OUTBOX, text, Token::Muted)];
    };
    if jobs.is_empty() {
        return vec![(OUTBOX, "no job on record".to_owned(), Token::Muted)];
    }
    jobs.into_iter()
        .map(|job| {
            let (glyph, token) = job_mark(job);
            let what = match job.status {
                JobStatus::Failed => format!("failed: {}", job_story(app, &status.handlers, job)),
                JobStatus::Pending | JobStatus::Processing | JobStatus::Completed => {
                    job_story(app, &status.handlers, job)
                }
            };
            let glyph = app.theme.glyph(glyph);
            (
                OUTBOX,
                format!("{glyph} {} {what}", safe(&job.handler)),
                token,
            )
        })
        .collect()
}

/// In a few marks: `outbox 2✓ 1✗  models 1 not yet`.
pub(super) fn short(app: &App, stream: &StreamScreen, event: &Event) -> (String, Token) {
    let Some(status) = stream.status.value() else {
        return (String::new(), Token::Plain);
    };
    let mut parts = Vec::new();
    let mut token = Token::Plain;
    if let Some(jobs) = status.jobs_of(event.revision.0)
        && !jobs.is_empty()
    {
        let mut marks = Vec::new();
        for glyph in [
            Glyph::Done,
            Glyph::Busy,
            Glyph::Waiting,
            Glyph::Held,
            Glyph::Rejected,
        ] {
            let count = jobs.iter().filter(|job| job_mark(job).0 == glyph).count();
            if count > 0 {
                let n = number(count as u64);
                marks.push(format!("{n} {}", app.theme.glyph(glyph)));
            }
        }
        if jobs.iter().any(|job| job.status == JobStatus::Failed) {
            token = Token::Error;
        }
        parts.push(format!("{OUTBOX} {}", marks.join(" ")));
    }
    let behind = status
        .projections
        .iter()
        .filter(|projection| !is_applied(projection, event))
        .count();
    if behind > 0 {
        parts.push(format!(
            "{behind} of {} {MODELS} not yet",
            status.projections.len()
        ));
    } else if !status.projections.is_empty() {
        parts.push(format!("{MODELS} {}", app.theme.glyph(Glyph::Done)));
    }
    (parts.join(" · "), token)
}
