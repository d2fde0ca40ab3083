//! The find screen: the query line, what matches, and below it the selected event with its state before and after.

mod figures;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use whodunit_core::api::time_travel::Step;
use whodunit_core::command::{Decision, Outcome};
use whodunit_core::diff::DiffEntry;
use whodunit_core::event::Event;
use whodunit_core::sentence::is_refused;

use self::figures::{counts, figures, notes};
use super::columns::{Cell, Column, Columns, WHOLE, cell, column};
use super::sentence::{refused, story};
use super::{
    awaited, centred, failure, first_row, indented, line, list_line, rule, scrubber, state,
};
use crate::client::{Changed, Subject};
use crate::model::find::FindScreen;
use crate::model::hits::Part;
use crate::model::{App, Remote};
use crate::request::Slot;
use crate::text::{counted, safe};
use crate::theme::{Glyph, Token};
use crate::times::Pattern;

/// Rows of the selected event at least.
const DETAIL_LEAST: usize = 6;
/// Lines that its sentence takes at most.
const SENTENCE_LINES: usize = 2;

/// The reason is lost first, then the title, the event, who, when; never the stream, and what happened to it last.
const COLUMNS: [Column; 7] = [
    column("WHEN", WHOLE, 1),
    column("STREAM", 14, 0),
    column("TITLE", 10, 5),
    column("EVENT", 20, 3),
    column("BEFORE → AFTER", 29, 2),
    column("WHO", 8, 4),
    column("WHY", 8, 6),
];

pub(super) fn draw(app: &App, screen: &FindScreen, frame: &mut Frame<'_>, area: Rect) {
    let has_axis = area.height >= 16 && screen.summary.value().is_some_and(|s| s.density.is_some());
    let axis_rows = if has_axis { 2 } else { 0 };
    let [line, axis, body] = Layout::vertical([
        Constraint::Length(line::rows(&screen.line)),
        Constraint::Length(axis_rows),
        Constraint::Min(1),
    ])
    .areas(area);
    let counts = counts(app, screen, usize::from(area.width));
    let right = Span::styled(counts, app.theme.style(Token::Muted));
    line::draw(
        app,
        &screen.line,
        frame,
        line,
        (right, "everything, newest first"),
    );
    if let Some(density) = screen
        .summary
        .value()
        .and_then(|s| s.density.as_ref())
        .filter(|_| has_axis)
    {
        let axis = Rect::new(
            axis.x + 1,
            axis.y,
            axis.width.saturating_sub(2),
            axis.height,
        );
        let at = screen.current().map(Subject::at);
        scrubber::draw(app, frame, axis, (Some(density), false), at);
        if let Some(span) = screen.span {
            scrubber::draw_span(app, frame, axis, density, span);
        }
    }
    let found = match &screen.found {
        Remote::Failed(why) => return failure(app, frame, body, why),
        Remote::Absent if screen.line.typing => return nothing_asked(app, frame, body),
        Remote::Absent | Remote::Loading(None) => {
            let is_asked = screen.asked.has(Slot::Find);
            return awaited(app, frame, body, "what matches", is_asked);
        }
        Remote::Ready(found) | Remote::Loading(Some(found)) => found,
    };
    let notes = notes(app, found, usize::from(area.width));
    if found.rows.is_empty() {
        return no_match(app, screen, frame, body, notes);
    }
    let figures = figures(app, screen, usize::from(area.width), area.height >= 20);
    let height = usize::from(body.height).saturating_sub(notes.len() + figures.len());
    let detail = height
        .saturating_sub(found.rows.len() + 2)
        .max((height / 3).max(DETAIL_LEAST));
    let rows = |n: usize| Constraint::Length(u16::try_from(n).unwrap_or(u16::MAX));
    let [warned, list, counted, below] = Layout::vertical([
        rows(notes.len()),
        Constraint::Min(4),
        rows(figures.len()),
        rows(detail),
    ])
    .areas(body);
    frame.render_widget(Paragraph::new(notes), warned);
    draw_list(app, screen, frame, list, &found.rows);
    frame.render_widget(Paragraph::new(figures), counted);
    draw_detail(app, screen, frame, below);
}

fn no_match(
    app: &App,
    screen: &FindScreen,
    frame: &mut Frame<'_>,
    area: Rect,
    notes: Vec<Line<'static>>,
) {
    if screen.asked.has(Slot::Find) {
        return awaited(app, frame, area, "what matches: nothing so far", true);
    }
    let stopped = screen.found.value().is_some_and(|found| found.stopped);
    let text = if stopped {
        "nothing was found before the search was stopped"
    } else {
        "nothing matches"
    };
    let muted = app.theme.style(Token::Muted);
    let mut lines = vec![(text.to_owned(), app.theme.style(Token::Heading))];
    let notes = notes.into_iter();
    lines.extend(notes.map(|note| {
        (
            note.to_string().trim().to_owned(),
            app.theme.style(Token::Warn),
        )
    }));
    let next = if stopped {
        "r searches again, / changes the line"
    } else {
        "press / to change the line"
    };
    lines.push((next.to_owned(), muted));
    centred(frame, area, &lines);
}

fn nothing_asked(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let muted = app.theme.style(Token::Muted);
    let lines = [
        (
            "find events in all streams".to_owned(),
            app.theme.style(Token::Heading),
        ),
        (
            "type:UserDeleted  actor:job:*  -reason:test  since:-30d  where:state.n > 3  or any text".to_owned(),
            muted,
        ),
        (
            "outcome:rejected rule:user.*  finds commands that the rules refused".to_owned(),
            muted,
        ),
        ("Tab completes a name, Enter finds, Esc goes back".to_owned(), muted),
    ];
    centred(frame, area, &lines);
}

fn draw_list(app: &App, screen: &FindScreen, frame: &mut Frame<'_>, area: Rect, found: &[Subject]) {
    let theme = app.theme;
    let [head, body] = Layout::vertical([Constraint::Length(1), Constraint::Min(1)]).areas(area);
    let height = usize::from(body.height);
    let first = first_row(screen.selected, found.len(), height);
    app.hits.rows(body, Part::List, first, found.len());
    let shown = found.get(first..).unwrap_or_default();
    let shown = shown.get(..height).unwrap_or(shown);
    let pattern = app.zone.pattern(shown.iter().map(Subject::at), app.now);
    let rows: Vec<[Cell; 7]> = shown
        .iter()
        .map(|found| match found {
            Subject::Event(event) => row(app, pattern, event, screen.change(event)),
            Subject::Decision(decision) => decision_row(app, pattern, decision),
        })
        .collect();
    let cells = usize::from(area.width).saturating_sub(3);
    let columns = Columns::of(COLUMNS, &rows, cells);
    frame.render_widget(indented(columns.heading(theme), "  "), head);
    let lines: Vec<Line<'_>> = rows
        .iter()
        .enumerate()
        .map(|(index, row)| list_line(theme, columns.line(row), first + index == screen.selected))
        .collect();
    frame.render_widget(Paragraph::new(lines), body);
}

/// A command: what the rules answered stands where an event has what it changed.
fn decision_row(app: &App, pattern: Pattern, decision: &Decision) -> [Cell; 7] {
    let theme = app.theme;
    let plain = Style::new();
    let (answer, token) = match &decision.result {
        Outcome::Accepted { events, .. } => (
            format!("accepted: {}", counted(u64::from(*events), "event")),
            Token::Plain,
        ),
        Outcome::Rejected { rule, .. } => {
            let mark = theme.glyph(Glyph::Rejected);
            (format!("{mark} {}", safe(rule)), Token::Rejected)
        }
    };
    let actor = safe(decision.actor.as_deref().unwrap_or_default()).into_owned();
    [
        cell(app.zone.show(decision.decided_at, pattern), plain),
        cell(
            format!(
                "{} rev {}",
                safe(decision.stream.as_str()),
                decision.base_revision
            ),
            plain,
        ),
        cell("", plain),
        cell(safe(&decision.command_type), plain),
        cell(answer, theme.style(token)),
        cell(actor.clone(), theme.actor(&actor)),
        cell(safe(decision.reason.as_deref().unwrap_or_default()), plain),
    ]
}

fn row(app: &App, pattern: Pattern, event: &Event, changed: Option<&Changed>) -> [Cell; 7] {
    let theme = app.theme;
    let plain = Style::new();
    let text = |text: Option<&str>| safe(text.unwrap_or_default()).into_owned();
    let token = if is_refused(event) {
        Token::Rejected
    } else {
        Token::Plain
    };
    let change = match changed {
        None => "…".to_owned(),
        Some(changed) => changed
            .step
            .as_ref()
            .map_or_else(String::new, |step| in_short(app, step)),
    };
    let title = changed.and_then(|changed| changed.title.as_deref());
    let actor = text(event.actor.as_deref());
    [
        cell(app.zone.show(event.recorded_at, pattern), plain),
        cell(
            format!("{} rev {}", safe(event.stream.as_str()), event.revision),
            plain,
        ),
        cell(text(title), plain),
        cell(safe(&event.event_type), theme.style(token)),
        cell(change, theme.style(Token::Changed)),
        cell(actor.clone(), theme.actor(&actor)),
        cell(text(event.reason.as_deref()), plain),
    ]
}

/// What an event changed, the most telling field first: `status active → suspended (+1)`.
fn in_short(app: &App, step: &Step) -> String {
    let arrow = if app.theme.ascii { "->" } else { "→" };
    // What every event moves along tells least.
    let is_clockwork = |entry: &&DiffEntry| entry.path.ends_with("_at");
    let telling = step.diff.iter().find(|entry| !is_clockwork(entry));
    let Some(entry) = telling.or(step.diff.first()) else {
        return "(no change)".to_owned();
    };
    let name = entry.label.as_deref().unwrap_or(&entry.path);
    let name = safe(name.trim_start_matches('/')).into_owned();
    let value = |value: &Option<serde_json::Value>| value.as_ref().map(state::text);
    let change = match (value(&entry.before), value(&entry.after)) {
        (Some(before), Some(after)) => format!("{before} {arrow} {after}"),
        (None, Some(after)) => format!("+ {after}"),
        (Some(before), None) => format!("- {before}"),
        (None, None) => String::new(),
    };
    let more = match step.diff.len() {
        0 | 1 => String::new(),
        n => format!(" (+{})", n - 1),
    };
    format!("{name} {change}{more}")
}

/// The selected event: its sentence, and everything that it changed.
fn draw_detail(app: &App, screen: &FindScreen, frame: &mut Frame<'_>, area: Rect) {
    let theme = app.theme;
    let Some(row) = screen.current() else {
        return;
    };
    let changed = match row {
        Subject::Event(event) => screen.change(event),
        Subject::Decision(_) => None,
    };
    let title = changed.and_then(|changed| changed.title.as_deref());
    let heading = format!(
        "{} rev {}  {}",
        safe(row.stream().as_str()),
        row.revision(),
        safe(title.unwrap_or_default())
    );
    let more = if screen
        .found
        .value()
        .is_some_and(|found| found.next.is_some())
    {
        "+"
    } else {
        ""
    };
    let place = format!("{} of {}{more}", screen.selected + 1, screen.rows().len());
    let top = Rect::new(area.x, area.y, area.width, area.height.min(1));
    frame.render_widget(
        rule(theme, usize::from(area.width), heading.trim_end(), &place),
        top,
    );
    let inner = Rect::new(
        area.x + 2,
        area.y + 1,
        area.width.saturating_sub(3),
        area.height.saturating_sub(1),
    );
    let cells = usize::from(inner.width);
    let mut lines = match row {
        Subject::Event(event) => story(app, event, None, (cells, SENTENCE_LINES)),
        Subject::Decision(decision) => refused(app, decision, (cells, SENTENCE_LINES)),
    };
    let step = changed.and_then(|changed| changed.step.as_ref());
    match step {
        None if matches!(row, Subject::Decision(_)) => {}
        None => lines.push(Line::styled(
            "loading what it changed …",
            theme.style(Token::Muted),
        )),
        Some(step) if step.diff.is_empty() => lines.push(Line::styled(
            "the state is the same before and after",
            theme.style(Token::Muted),
        )),
        Some(step) => lines.extend(state::differences(theme, &step.diff, cells)),
    }
    let height = usize::from(inner.height);
    if lines.len() > height && height > 0 {
        let more = lines.len() - height + 1;
        lines.truncate(height - 1);
        let glyph = theme.glyph(Glyph::Waiting);
        let text = format!("{glyph} {more} more: enter opens the stream");
        lines.push(Line::styled(text, theme.style(Token::Accent)));
    }
    frame.render_widget(Paragraph::new(lines), inner);
}
