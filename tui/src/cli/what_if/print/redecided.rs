//! What came of deciding again, on a page: the answer first, then what was asked, the streams that differ, and what is left open.

use whodunit_core::api::what_if::{Redecided, StepChange, StreamWorlds, WhatIfStep};

use crate::cli::exit::CliError;
use crate::cli::show;
use crate::cli::style::Token;
use crate::cli::terminal::Terminal;
use crate::text::{counted, safe};

pub(super) fn print(out: &Redecided, terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    terminal.line("")?;
    terminal.line(terminal.paint(Token::Changed, &safe(&out.answer)))?;
    let counts = &out.counts;
    terminal.line(format!(
        "{} of {} asked again: {} the same, {} changed, {} flipped; {} not issued, {} as recorded, {} refused",
        show::number(out.asked),
        counted(out.later, "later command"),
        show::number(counts.same),
        show::number(counts.changed),
        show::number(counts.flips),
        show::number(counts.not_issued),
        show::number(counts.frozen),
        show::number(counts.refused),
    ))?;
    terminal.line(format!(
        "{} reached, {} with a different history; {} untouched, and not asked",
        counted(out.streams_reached, "stream"),
        show::number(out.streams_changed),
        show::number(out.streams_untouched),
    ))?;
    for stream in out.streams.iter().filter(|stream| differs(stream)) {
        let at = stream.first_divergence.map_or_else(String::new, |at| {
            format!(", first divergence at revision {at}")
        });
        terminal.line(format!(
            "  {}: {}, {} recorded{at}",
            stream.stream,
            counted(stream.revision.0, "event"),
            show::number(stream.actual_revision.0)
        ))?;
    }
    let listed = out.streams.iter().filter(|stream| differs(stream)).count() as u64;
    if out.streams_changed > listed {
        let more = counted(out.streams_changed - listed, "more stream");
        terminal.line(format!("  and {more}"))?;
    }
    if out.without_reactions > 0 {
        terminal.line(format!(
            "{}: how handlers would have reacted is not known",
            counted(out.without_reactions, "new event")
        ))?;
    }
    Ok(())
}

fn differs(stream: &StreamWorlds) -> bool {
    stream.first_divergence.is_some() || !stream.diff.is_empty()
}

/// What ran.
pub(super) fn kind(step: &WhatIfStep) -> &'static str {
    match step.change {
        Some(StepChange::NotIssued) => "recorded command (not asked)",
        Some(StepChange::Frozen) => "recorded command (as recorded)",
        Some(StepChange::Edited | StepChange::Dropped) => "recorded command, edited",
        _ => "recorded command (rules ran)",
    }
}

/// The mark of an accepted one.
pub(super) fn mark(step: &WhatIfStep) -> (&'static str, Token) {
    match step.change {
        Some(StepChange::Flip) => ("+", Token::Added),
        Some(StepChange::Same | StepChange::Frozen) => ("", Token::Plain),
        _ => ("~", Token::Changed),
    }
}

/// What was recorded, where that is something else.
pub(super) fn was(step: &WhatIfStep) -> String {
    let differs = matches!(
        step.change,
        Some(StepChange::Flip | StepChange::Changed | StepChange::NotIssued)
    );
    match &step.was {
        Some(was) if differs => match &was.rule {
            Some(rule) => format!("was {} ({}); ", was.outcome, safe(rule)),
            None => format!("was {}; ", was.outcome),
        },
        _ => String::new(),
    }
}
