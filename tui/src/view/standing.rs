//! Where an event stands in the pipeline: its jobs, and the read models that reflect it.

use whodunit_core::api::pipeline::{JobStatus, ProjectionOut};
use whodunit_core::event::Event;

use super::pipeline::{job_mark, job_story};
use crate::model::pipeline::Standing;
use crate::model::stream::StreamScreen;
use crate::model::{Model, Remote};
use crate::text::{number, safe};
use crate::theme::{Glyph, Token};

/// The labels of these facts.
pub(super) const OUTBOX: &str = "outbox";
pub(super) const MODELS: &str = "models";

/// In full, as labelled facts.
pub(super) fn facts(
    model: &Model,
    stream: &StreamScreen,
    event: &Event,
) -> Vec<(&'static str, String, Token)> {
    let standing = match &stream.standing {
        Remote::Ready(standing) | Remote::Loading(Some(standing)) => standing,
        Remote::Failed(why) => {
            let text = format!("not known: {}", safe(&why.message));
            return vec![(OUTBOX, text, Token::Muted)];
        }
        Remote::Absent | Remote::Loading(None) => {
            return vec![(OUTBOX, "…".to_owned(), Token::Muted)];
        }
    };
    let mut facts = jobs(model, standing, event);
    if !standing.projections.is_empty() {
        let (texts, behind): (Vec<String>, Vec<bool>) = standing
            .projections
            .iter()
            .map(|projection| {
                let applied = is_applied(projection, event);
                let glyph = if applied { Glyph::Done } else { Glyph::Waiting };
                let word = if applied { "applied" } else { "not yet" };
                let text = format!(
                    "{} {} {word}",
                    model.theme.glyph(glyph),
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

fn jobs(model: &Model, standing: &Standing, event: &Event) -> Vec<(&'static str, String, Token)> {
    let Some(jobs) = standing.jobs_of(event.revision.0) else {
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
                JobStatus::Failed => format!("failed: {}", job_story(model, job)),
                JobStatus::Pending | JobStatus::Processing | JobStatus::Completed => {
                    job_story(model, job)
                }
            };
            let glyph = model.theme.glyph(glyph);
            (
                OUTBOX,
                format!("{glyph} {} {what}", safe(&job.handler)),
                token,
            )
        })
        .collect()
}

/// In a few marks: `outbox 2✓ 1✗  models 1 not yet`.
pub(super) fn short(model: &Model, stream: &StreamScreen, event: &Event) -> (String, Token) {
    let Some(standing) = stream.standing.value() else {
        return (String::new(), Token::Plain);
    };
    let mut parts = Vec::new();
    let mut token = Token::Plain;
    if let Some(jobs) = standing.jobs_of(event.revision.0)
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
                marks.push(format!("{n} {}", model.theme.glyph(glyph)));
            }
        }
        if jobs.iter().any(|job| job.status == JobStatus::Failed) {
            token = Token::Error;
        }
        parts.push(format!("{OUTBOX} {}", marks.join(" ")));
    }
    let behind = standing
        .projections
        .iter()
        .filter(|projection| !is_applied(projection, event))
        .count();
    if behind > 0 {
        parts.push(format!(
            "{behind} of {} {MODELS} not yet",
            standing.projections.len()
        ));
    } else if !standing.projections.is_empty() {
        parts.push(format!("{MODELS} {}", model.theme.glyph(Glyph::Done)));
    }
    (parts.join(" · "), token)
}
