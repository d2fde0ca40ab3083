//! A what-if on a page: its steps, and the world as it was beside the one that would have been.

use serde_json::Value;
use whodunit_core::api::what_if::{Continuation, StepKind, StepOutcome, WhatIfOut, WhatIfStep};
use whodunit_core::same::same;

use crate::cli::exit::CliError;
use crate::cli::show::{self, REJECTED, value};
use crate::cli::style::Token;
use crate::cli::table::{Cell, Column, Table};
use crate::cli::terminal::Terminal;
use crate::humanize;
use crate::text::{clause, safe};

mod redecided;

pub(super) fn print(out: &WhatIfOut, terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    let mode = match humanize::mode(out) {
        Some(mode) => format!(", {mode}"),
        None => String::new(),
    };
    let decision = out.base.decision.map_or_else(String::new, |sequence| {
        format!(", just before decision {sequence}")
    });
    let heading = format!(
        "what if: {} from revision {}{decision}{mode} (nothing is written)",
        out.stream, out.base_revision
    );
    terminal.line(terminal.paint(Token::Heading, &heading))?;
    show::warnings(terminal, &out.warnings)?;
    if let Some(redecided) = &out.redecided {
        redecided::print(redecided, terminal)?;
    } else if out.mode == Continuation::Refold {
        terminal.line("")?;
        let answer = humanize::answer(out, None);
        terminal.line(terminal.paint(Token::Changed, &safe(&answer)))?;
    }
    terminal.line("")?;
    terminal.table(&steps(out))?;
    if out.steps_unchanged > 0 {
        terminal.line(format!(
            "{} not listed: the effect is the same as before (`--steps all` lists them)",
            clause(out.steps_unchanged, "recorded event", "is")
        ))?;
    }
    if out.outcomes.unknown > 0 {
        terminal.line(
            terminal.paint(
                Token::Error,
                &format!(
                    "{} an unknown outcome: later steps and the state are as if {} had not been sent; use `--password-correct yes` or `no`",
                    clause(out.outcomes.unknown, "command", "has"),
                    if out.outcomes.unknown == 1 { "it" } else { "they" },
                ),
            ),
        )?;
    }
    if let Some(cursor) = &out.next_cursor {
        terminal.line(format!(
            "there are more steps: `--cursor {cursor}` continues"
        ))?;
    }
    terminal.line("")?;
    terminal.line(match out.first_divergence {
        Some(revision) => format!("first divergence at revision {revision}"),
        None => "no divergence: the events are the same as recorded".to_owned(),
    })?;
    terminal.line("")?;
    terminal.table(&worlds(out))
}

fn steps(out: &WhatIfOut) -> Table {
    let mut table = Table::new([
        Column::new(""),
        Column::new("rev").right(),
        Column::new("type").shrinks_to(14),
        Column::new("as"),
        Column::new("outcome").shrinks_to(20),
    ]);
    for step in &out.steps {
        let (mark, token) = verdict_token(step);
        let rev = match step.outcome {
            StepOutcome::Rejected
            | StepOutcome::Dropped
            | StepOutcome::Unknown
            | StepOutcome::NotIssued => String::new(),
            StepOutcome::Accepted | StepOutcome::Applied | StepOutcome::Failed => {
                step.revision.to_string()
            }
        };
        let elsewhere = step.stream.as_ref().filter(|name| **name != out.stream);
        let rev = match elsewhere {
            Some(name) => format!("{name} {rev}").trim_end().to_owned(),
            None => rev,
        };
        table.row([
            Cell::new(mark, token),
            rev.into(),
            Cell::new(&step.step_type, token),
            Cell::new(kind(step), Token::Muted),
            Cell::new(outcome(step), token),
        ]);
    }
    table
}

/// What ran: never to be confused.
fn kind(step: &WhatIfStep) -> &'static str {
    match (step.kind, step.edited) {
        (StepKind::Command, _) if step.outcome == StepOutcome::Unknown => "command (not decided)",
        (StepKind::Command, _) => "command (rules ran)",
        (StepKind::Event, _) => "event (no rules ran)",
        (StepKind::Redecided, _) => redecided::kind(step),
        (StepKind::Recorded, false) => "recorded (no rules ran)",
        (StepKind::Recorded, true) => "recorded, edited",
    }
}

fn verdict_token(step: &WhatIfStep) -> (&'static str, Token) {
    match step.outcome {
        StepOutcome::Accepted if step.kind == StepKind::Redecided => redecided::mark(step),
        StepOutcome::Accepted => ("+", Token::Added),
        StepOutcome::Applied if step.kind == StepKind::Event => ("+", Token::Added),
        StepOutcome::Applied if step.edited => ("~", Token::Changed),
        StepOutcome::Applied => ("", Token::Plain),
        StepOutcome::Dropped => ("-", Token::Removed),
        StepOutcome::Rejected => (REJECTED, Token::Rejected),
        StepOutcome::Failed => ("!", Token::Error),
        StepOutcome::Unknown => ("?", Token::Error),
        StepOutcome::NotIssued => ("-", Token::Removed),
    }
}

fn outcome(step: &WhatIfStep) -> String {
    let was = redecided::was(step);
    format!("{was}{}", outcome_alone(step))
}

fn outcome_alone(step: &WhatIfStep) -> String {
    let said = || {
        let message = humanize::message(step).unwrap_or_default();
        match &step.rule {
            Some(rule) => format!("{rule}: {message}"),
            None => message,
        }
    };
    match step.outcome {
        StepOutcome::Accepted => {
            let types: Vec<&str> = step.events.iter().map(|e| e.event_type.as_str()).collect();
            if types.is_empty() {
                "accepted, without an event".to_owned()
            } else {
                format!("accepted → {}", types.join(", "))
            }
        }
        StepOutcome::Rejected => format!("rejected  {}", said()),
        StepOutcome::Applied => "applied".to_owned(),
        StepOutcome::Dropped => "dropped".to_owned(),
        StepOutcome::Failed => format!("failed  {}", said()),
        StepOutcome::Unknown => format!("unknown  {}", said()),
        StepOutcome::NotIssued => format!("not issued  {}", said()),
    }
}

/// The state at the end, beside the one that really was.
fn worlds(out: &WhatIfOut) -> Table {
    let mut table = Table::new([
        Column::new(""),
        Column::new("field").shrinks_to(10),
        Column::new("as it was").shrinks_to(12),
        Column::new("what if").shrinks_to(12),
    ]);
    let actual = &out.actual.state;
    let fields = actual
        .keys()
        .chain(out.state.keys().filter(|key| !actual.contains_key(*key)));
    for field in fields {
        let show = |side: Option<&Value>| side.map_or_else(|| "(none)".to_owned(), value);
        let (was, would) = (actual.get(field), out.state.get(field));
        let (mark, token, what_if) = match (was, would) {
            (Some(was), Some(would)) if same(was, would) => ("", Token::Muted, "=".to_owned()),
            (None, would) => ("+", Token::Added, show(would)),
            (_, None) => ("-", Token::Removed, show(None)),
            (_, would) => ("~", Token::Changed, show(would)),
        };
        table.row([
            Cell::new(mark, token),
            field.as_str().into(),
            show(was).into(),
            Cell::new(what_if, token),
        ]);
    }
    table
}
