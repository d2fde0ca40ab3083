//! The find screen: the query line, what matches, and below it the selected event with its state before and after.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use whodunit_core::api::time_travel::Step;
use whodunit_core::diff::DiffEntry;
use whodunit_core::event::Event;
use whodunit_core::sentence::is_refused;

use super::columns::{Cell, Column, Columns, WHOLE, cell, column};
use super::sentence::story;
use super::{awaited, centred, failure, first_row, indented, list_line, rule, state};
use crate::client::Changed;
use crate::model::find::FindScreen;
use crate::model::{App, Remote};
use crate::request::Slot;
use crate::text::{counted, cut, fit, safe, width};
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
    column("EVENT", 12, 3),
    column("BEFORE → AFTER", 14, 2),
    column("WHO", 8, 4),
    column("WHY", 8, 6),
];

pub(super) fn draw(app: &App, screen: &FindScreen, frame: &mut Frame<'_>, area: Rect) {
    let [line, body] = Layout::vertical([Constraint::Length(1), Constraint::Min(1)]).areas(area);
    draw_query(app, screen, frame, line);
    let events = match &screen.found {
        Remote::Failed(why) => return failure(app, frame, body, why),
        Remote::Absent => return nothing_asked(app, frame, body),
        Remote::Loading(None) => {
            return awaited(
                app,
                frame,
                body,
                "what matches",
                screen.asked.has(Slot::Find),
            );
        }
        Remote::Ready(found) | Remote::Loading(Some(found)) => &found.events,
    };
    if events.is_empty() {
        let lines = [
            (
                "no event matches".to_owned(),
                app.theme.style(Token::Heading),
            ),
            (
                "press / to change the query".to_owned(),
                app.theme.style(Token::Muted),
            ),
        ];
        return centred(frame, body, &lines);
    }
    let height = usize::from(body.height);
    let detail = height
        .saturating_sub(events.len() + 2)
        .max((height / 3).max(DETAIL_LEAST));
    let [list, below] = Layout::vertical([
        Constraint::Min(4),
        Constraint::Length(u16::try_from(detail).unwrap_or(u16::MAX)),
    ])
    .areas(body);
    draw_list(app, screen, frame, list, events);
    draw_detail(app, screen, frame, below);
}

fn draw_query(app: &App, screen: &FindScreen, frame: &mut Frame<'_>, area: Rect) {
    let theme = app.theme;
    let count = match screen.found.value() {
        Some(found) => {
            let more = if found.next.is_some() { "+" } else { "" };
            let streams: std::collections::BTreeSet<_> =
                found.events.iter().map(|event| &event.stream).collect();
            let events = counted(found.events.len() as u64, "event");
            let events = events.replacen(' ', &format!("{more} "), 1);
            format!("{events} in {} ", counted(streams.len() as u64, "stream"))
        }
        None => String::new(),
    };
    let cells = usize::from(area.width);
    if let Some(error) = &screen.error {
        let text = fit(&format!(" / {}", safe(error)), cells);
        frame.render_widget(Line::styled(text, theme.style(Token::Error)), area);
        return;
    }
    let room = cells.saturating_sub(width(&count) + 4);
    let value = safe(screen.input.value()).into_owned();
    let (text, token) = match (screen.typing, value.is_empty()) {
        (true, _) => {
            let cursor = if theme.ascii { "_" } else { "▏" };
            (format!("{value}{cursor}"), Token::Accent)
        }
        (false, true) => ("everything, newest first".to_owned(), Token::Muted),
        (false, false) => (value, Token::Plain),
    };
    frame.render_widget(
        Line::from(vec![
            Span::styled(" / ", theme.style(Token::Key)),
            Span::styled(fit(&text, room), theme.style(token)),
            Span::styled(format!(" {count}"), theme.style(Token::Muted)),
        ]),
        area,
    );
}

fn nothing_asked(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let muted = app.theme.style(Token::Muted);
    let lines = [
        (
            "find events in all streams".to_owned(),
            app.theme.style(Token::Heading),
        ),
        (
            "type:UserDeleted  actor:job:cleanup  correlation:…  category:user  since:2h  or any text".to_owned(),
            muted,
        ),
        ("Enter finds, Esc goes back".to_owned(), muted),
    ];
    centred(frame, area, &lines);
}

fn draw_list(app: &App, screen: &FindScreen, frame: &mut Frame<'_>, area: Rect, events: &[Event]) {
    let theme = app.theme;
    let [head, body] = Layout::vertical([Constraint::Length(1), Constraint::Min(1)]).areas(area);
    let height = usize::from(body.height);
    let first = first_row(screen.selected, events.len(), height);
    let shown = events.get(first..).unwrap_or_default();
    let shown = shown.get(..height).unwrap_or(shown);
    let times = shown.iter().map(|event| event.recorded_at);
    let pattern = app.zone.pattern(times, app.now);
    let rows: Vec<[Cell; 7]> = shown
        .iter()
        .map(|event| row(app, pattern, event, screen.change(event)))
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
    let Some(event) = screen.current() else {
        return;
    };
    let changed = screen.change(event);
    let title = changed.and_then(|changed| changed.title.as_deref());
    let heading = format!(
        "{} rev {}  {}",
        safe(event.stream.as_str()),
        event.revision,
        safe(title.unwrap_or_default())
    );
    let place = format!("{} of {}", screen.selected + 1, screen.events().len());
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
    let mut lines = story(app, event, None, (cells, SENTENCE_LINES));
    let step = changed.and_then(|changed| changed.step.as_ref());
    match step {
        None => lines.push(Line::styled(
            "loading what it changed …",
            theme.style(Token::Muted),
        )),
        Some(step) if step.diff.is_empty() => lines.push(Line::styled(
            "the state is the same before and after",
            theme.style(Token::Muted),
        )),
        Some(step) => lines.extend(changes(app, step, cells)),
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

/// The state before and after, field by field.
fn changes(app: &App, step: &Step, cells: usize) -> Vec<Line<'static>> {
    let theme = app.theme;
    let name = |entry: &DiffEntry| {
        let path = entry.label.as_deref().unwrap_or(&entry.path);
        safe(path.trim_start_matches('/')).into_owned()
    };
    let column = step.diff.iter().map(|entry| width(&name(entry))).max();
    let column = column.unwrap_or(0).clamp(6, (cells / 3).max(6));
    let room = cells.saturating_sub(column + 4);
    let lines = step.diff.iter().flat_map(|entry| {
        let text =
            |value: &Option<serde_json::Value>| value.as_ref().map(state::text).unwrap_or_default();
        let (before, after) = (text(&entry.before), text(&entry.after));
        let (mark, token, shown) = match (&entry.before, &entry.after) {
            (Some(_), None) => ("-", Token::Removed, state::folded(&before, room)),
            (None, _) => ("+", Token::Added, state::folded(&after, room)),
            (Some(_), Some(_)) => {
                let after = state::noted(&after, entry);
                (
                    "~",
                    Token::Changed,
                    state::changed(theme, &before, &after, room),
                )
            }
        };
        let name = fit(&cut(&name(entry), column), column);
        state::field_lines(theme, mark, token, &name, &shown)
    });
    lines.collect()
}
