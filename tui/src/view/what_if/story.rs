//! Both worlds side by side: what is on record line by line, refused commands too, and what becomes of each in the other world.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;
use whodunit_core::api::time_travel::Step;
use whodunit_core::api::what_if::{Continuation, StepChange, StepOutcome, WhatIfStep};
use whodunit_core::command::{Decision, Outcome};
use whodunit_core::fold::EventEffect;
use whodunit_core::sentence::is_refused;
use whodunit_core::time::Timestamp;

use super::super::columns::{Cell, Column, Columns, WHOLE, cell, column};
use super::super::{awaited, first_row, list_line};
use super::{SAY_PASSWORD, heading};
use crate::humanize;
use crate::model::App;
use crate::model::hits::{Hit, Part};
use crate::model::what_if::{Added, Change, Pane, Row, WhatIfScreen};
use crate::request::Slot;
use crate::text::{clause, number, safe, wrap_to};
use crate::theme::{Glyph, Token};
use crate::times::Pattern;

/// What is lost first where there is little room: when, then who. A type and both worlds stay.
const COLUMNS: [Column; 6] = [
    column("REV", 3, 0).right(),
    column("WHAT", 12, 0),
    column("WHEN", WHOLE, 2),
    column("WHO", 8, 1),
    column("AS IT WAS", 11, 0),
    column("WHAT IF", 24, 0),
];
/// Lines below the row at the cursor for what is said about it.
const NOTE_LINES: usize = 4;

pub(super) fn draw(app: &App, screen: &WhatIfScreen, frame: &mut Frame<'_>, area: Rect) {
    let theme = app.theme;
    let rows = screen.rows();
    let here = screen.index(&rows);
    let focused = screen.pane == Pane::Story;
    let right = screen.recorded().filter(|recorded| recorded.more_decisions);
    let right = right.map_or("", |_| "more refused commands than are loaded");
    let columns = usize::from(area.width);
    let top = Rect::new(area.x, area.y, area.width, area.height.min(1));
    let title = title(screen);
    frame.render_widget(heading(app, columns, &title, right, focused), top);
    let inner = Rect::new(
        area.x,
        area.y + 1,
        area.width,
        area.height.saturating_sub(1),
    );
    let is_loaded = screen.recorded().is_some_and(|recorded| recorded.is_loaded);
    if !is_loaded && rows.len() <= 1 {
        let is_asked = screen.asked.has(Slot::Steps);
        return awaited(app, frame, inner, "the history", is_asked);
    }
    let height = usize::from(inner.height).saturating_sub(1);
    let first = first_row(here, rows.len(), height);
    let shown = rows.get(first..(first + height).min(rows.len()));
    let shown = shown.unwrap_or_default();
    let pattern = app.zone.pattern(shown.iter().filter_map(time_of), app.now);
    let cells: Vec<[Cell; 6]> = shown
        .iter()
        .map(|row| cells_of(app, screen, row, pattern))
        .collect();
    let table = Columns::of(COLUMNS, &cells, columns.saturating_sub(3));
    let mut lines = vec![super::super::indented(table.heading(theme), "  ")];
    let mut owners = vec![None];
    let mut at_cursor = 0;
    for (index, (row, cells)) in (first..).zip(shown.iter().zip(&cells)) {
        let selected = index == here;
        if selected {
            at_cursor = lines.len();
        }
        lines.push(list_line(theme, table.line(cells), selected && focused));
        owners.push(Some(index));
        let notes = notes(app, row, selected, columns.saturating_sub(8));
        owners.extend(notes.iter().map(|_| None));
        lines.extend(notes);
    }
    // Notes may push rows out; never the one at the cursor.
    let room = usize::from(inner.height);
    let cut = lines
        .len()
        .saturating_sub(room)
        .min(at_cursor.saturating_sub(1));
    if cut > 0 {
        lines.drain(1..=cut);
        owners.drain(1..=cut);
    }
    app.hits.add(area, Hit::Part(Part::List));
    for (y, owner) in (inner.top()..inner.bottom()).zip(owners) {
        if let Some(index) = owner {
            app.hits.line(inner, y, Hit::Row(Part::List, index));
        }
    }
    frame.render_widget(Paragraph::new(lines), inner);
}

fn title(screen: &WhatIfScreen) -> String {
    if screen.shown == screen.stream {
        return "as it was, and what if".to_owned();
    }
    format!(
        "{} · as it was, and what if · Esc goes back",
        safe(screen.shown.as_str())
    )
}

fn time_of(row: &Row<'_>) -> Option<Timestamp> {
    match row {
        Row::Event(_, step, _) => Some((*step)?.event.recorded_at),
        Row::Refused(decision, _) => Some(decision.decided_at),
        _ => None,
    }
}

fn cells_of(app: &App, screen: &WhatIfScreen, row: &Row<'_>, pattern: Pattern) -> [Cell; 6] {
    let (theme, plain) = (app.theme, Style::new());
    let muted = theme.style(Token::Muted);
    let other = |(text, token): (String, Token)| cell(text, theme.style(token));
    match row {
        Row::Empty => only(cell("0", muted), cell("(empty stream)", muted)),
        Row::Far(from, to) => {
            let text = format!("{} to {}: Enter loads them", number(*from), number(*to));
            only(cell("…", muted), cell(text, muted))
        }
        Row::More(steps) => {
            let text = format!("{} not loaded yet", clause(*steps, "more step", "is"));
            only(cell("…", muted), cell(text, muted))
        }
        Row::Event(revision, step, answer) => {
            let event = step.map(|step| &step.event);
            let actor = who(event.and_then(|event| event.actor.as_deref()));
            let what = event.map_or_else(|| "…".into(), |event| safe(&event.event_type));
            let when = event.map_or_else(String::new, |event| {
                app.zone.show(event.recorded_at, pattern)
            });
            [
                cell(revision.to_string(), plain),
                cell(what, plain),
                cell(when, plain),
                cell(actor.clone(), theme.actor(&actor)),
                other(was_of(app, *step)),
                other(in_other_world(app, screen, row, *answer)),
            ]
        }
        Row::Refused(decision, answer) => {
            let actor = who(decision.actor.as_deref());
            let refused = theme.style(Token::Rejected);
            let rule = rule_of(decision);
            let mark = theme.glyph(Glyph::Rejected);
            [
                cell(mark, refused),
                cell(safe(&decision.command_type), plain),
                cell(app.zone.show(decision.decided_at, pattern), plain),
                cell(actor.clone(), theme.actor(&actor)),
                cell(format!("{mark} {rule}"), refused),
                other(in_other_world(app, screen, row, *answer)),
            ]
        }
        Row::Added(_, added, answer) => {
            let actor = match added {
                Added::Command(command) => command.actor.as_deref(),
                Added::Event(event) => event.actor.as_deref(),
            };
            let actor = who(actor);
            [
                cell("+", theme.style(Token::Added)),
                cell(safe(added.type_name()), theme.style(Token::Added)),
                Cell::default(),
                cell(actor.clone(), theme.actor(&actor)),
                Cell::default(),
                other(in_other_world(app, screen, row, *answer)),
            ]
        }
    }
}

fn only(label: Cell, what: Cell) -> [Cell; 6] {
    let none = Cell::default;
    [label, what, none(), none(), none(), none()]
}

fn who(text: Option<&str>) -> String {
    safe(text.unwrap_or_default()).into_owned()
}

fn rule_of(decision: &Decision) -> String {
    match &decision.result {
        Outcome::Rejected { rule, .. } => safe(rule).into_owned(),
        Outcome::Accepted { .. } => String::new(),
    }
}

/// What is on record of an event: that it was, and the status that it led to.
fn was_of(app: &App, step: Option<&Step>) -> (String, Token) {
    let theme = app.theme;
    let Some(step) = step else {
        return ("…".to_owned(), Token::Muted);
    };
    if is_refused(&step.event) {
        let text = format!("{} refused", theme.glyph(Glyph::Rejected));
        return (text, Token::Rejected);
    }
    if matches!(step.applied, EventEffect::Failed { .. }) {
        return ("! failed".to_owned(), Token::Error);
    }
    let status = step.diff.iter().find(|entry| entry.path == "/status");
    let status = status.and_then(|entry| entry.after.as_ref()?.as_str());
    let status = status.map_or_else(String::new, |status| format!(" {}", safe(status)));
    (
        format!("{}{status}", theme.glyph(Glyph::Live)),
        Token::Plain,
    )
}

/// What becomes of a row in the other world, in a few words.
fn in_other_world(
    app: &App,
    screen: &WhatIfScreen,
    row: &Row<'_>,
    answer: Option<&WhatIfStep>,
) -> (String, Token) {
    let (text, token) = match answer {
        Some(step) if !is_taken_back(screen, row) => said(app, step),
        _ => unanswered(app, screen, row),
    };
    let flips = answer
        .is_some_and(|step| matches!(step.change, Some(StepChange::Flip | StepChange::NotIssued)));
    // Marks stand below one another.
    let mark = if flips { theme_flip(app) } else { " " };
    (format!("{mark} {text}"), token)
}

fn theme_flip(app: &App) -> &'static str {
    app.theme.glyph(Glyph::Flip)
}

/// Whether a change of a row was undone since the answer came.
fn is_taken_back(screen: &WhatIfScreen, row: &Row<'_>) -> bool {
    screen.is_old()
        && change_of(screen, row).is_none()
        && row.step().is_some_and(|step| step.edited)
}

fn change_of<'a>(screen: &'a WhatIfScreen, row: &Row<'_>) -> Option<&'a Change> {
    let scenario = &screen.scenario;
    let is_main = screen.shown == screen.stream;
    let index = match row {
        Row::Event(revision, ..) => {
            let of_event = scenario.of_event(*revision).filter(|_| is_main);
            let behind = || screen.command_behind(*revision);
            of_event.or_else(|| scenario.of_decision(behind()?.sequence))
        }
        Row::Refused(decision, _) => scenario.of_decision(decision.sequence),
        Row::Added(index, ..) => Some(*index),
        Row::Empty | Row::Far(..) | Row::More(_) => None,
    };
    scenario.changes.get(index?)
}

/// What is known of a row without an answer about it.
fn unanswered(app: &App, screen: &WhatIfScreen, row: &Row<'_>) -> (String, Token) {
    let theme = app.theme;
    match change_of(screen, row) {
        Some(Change::DropEvent(_) | Change::DropCommand(_)) => {
            return (
                format!("{} dropped", theme.glyph(Glyph::Stale)),
                Token::Removed,
            );
        }
        Some(_) => return ("…".to_owned(), Token::Muted),
        None => {}
    }
    let Some(out) = screen.result.value() else {
        return ("…".to_owned(), Token::Muted);
    };
    if matches!(row, Row::Refused(..)) && out.mode == Continuation::Refold {
        return ("(rules not asked)".to_owned(), Token::Muted);
    }
    // Beyond what is loaded of the answer it is not known that nothing is otherwise.
    let last = out
        .steps
        .iter()
        .filter_map(|step| step.recorded_revision)
        .max();
    let is_beyond =
        |revision: u64| screen.more_steps().is_some() && last.is_none_or(|last| revision > last.0);
    match row {
        Row::Event(revision, ..) if is_beyond(*revision) => ("…".to_owned(), Token::Muted),
        Row::Refused(decision, _) if is_beyond(decision.base_revision.0 + 1) => {
            ("…".to_owned(), Token::Muted)
        }
        _ => (theme.glyph(Glyph::Same).to_owned(), Token::Muted),
    }
}

/// What the answer says of a row.
fn said(app: &App, step: &WhatIfStep) -> (String, Token) {
    let theme = app.theme;
    let (is, gone) = (theme.glyph(Glyph::Live), theme.glyph(Glyph::Stale));
    let refused = || {
        let rule = step.rule.as_deref().unwrap_or("refused");
        (
            format!("{} {}", theme.glyph(Glyph::Rejected), safe(rule)),
            Token::Rejected,
        )
    };
    let types = || {
        let types: Vec<_> = step
            .events
            .iter()
            .map(|event| safe(&event.event_type))
            .collect();
        types.join(", ")
    };
    let edited = if step.edited && step.change != Some(StepChange::Added) && step.was.is_some() {
        "edited, "
    } else {
        ""
    };
    match (step.outcome, step.change) {
        (StepOutcome::Dropped, _) => (format!("{gone} dropped"), Token::Removed),
        (StepOutcome::NotIssued, _) => (format!("{gone} not issued: cause gone"), Token::Removed),
        (StepOutcome::Unknown, _) => ("? unknown: p says more".to_owned(), Token::Error),
        (StepOutcome::Failed, _) => ("! failed".to_owned(), Token::Error),
        (StepOutcome::Rejected, Some(StepChange::Same)) => {
            let (text, token) = refused();
            (format!("{text}, as it was"), token)
        }
        (StepOutcome::Rejected, _) => refused(),
        (_, Some(StepChange::Edited)) => (format!("{is} edited"), Token::Changed),
        (_, Some(StepChange::Same)) => {
            (format!("{is} {edited}the same, asked again"), Token::Plain)
        }
        (_, Some(StepChange::Frozen)) => (format!("{is} as recorded"), Token::Plain),
        (_, Some(StepChange::Changed)) => (format!("{is} {edited}{}", types()), Token::Changed),
        (StepOutcome::Accepted, _) => (format!("{is} {edited}accepted: {}", types()), Token::Added),
        (StepOutcome::Applied, Some(StepChange::Added)) => {
            (format!("{is} added, no rules run"), Token::Added)
        }
        (StepOutcome::Applied, _) if step.recorded_revision.is_none() => {
            (format!("{is} added, no rules run"), Token::Added)
        }
        (StepOutcome::Applied, _) if step.edited => (format!("{is} edited"), Token::Changed),
        (StepOutcome::Applied, _) => (format!("{is} as recorded"), Token::Plain),
    }
}

/// What is said below a row: why, of the one at the cursor.
fn notes(app: &App, row: &Row<'_>, selected: bool, cells: usize) -> Vec<Line<'static>> {
    let theme = app.theme;
    let Some(step) = row.step() else {
        return Vec::new();
    };
    let mut out = Vec::new();
    let mut add = |text: &str, token: Token| {
        let lines = wrap_to(text, cells, NOTE_LINES).into_iter();
        let line = |line| Line::styled(format!("       {line}"), theme.style(token));
        out.extend(lines.map(line));
    };
    if step.outcome == StepOutcome::Unknown {
        add(SAY_PASSWORD, Token::Accent);
    }
    if !selected {
        return out;
    }
    if let Some(message) = humanize::message(step) {
        let text = match &step.rule {
            Some(rule) => format!("{}: {}", safe(rule), safe(&message)),
            None => safe(&message).into_owned(),
        };
        add(&text, Token::Muted);
    }
    let was = step
        .was
        .as_ref()
        .filter(|was| was.rule.is_some() && was.rule != step.rule);
    if let Some(message) = was.and_then(|was| was.message.as_deref()) {
        add(&format!("as it was: {}", safe(message)), Token::Muted);
    }
    out
}
