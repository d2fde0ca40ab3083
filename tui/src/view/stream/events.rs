//! The history: a row for each event and each refused command, in their order, with who and why.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;
use whodunit_core::api::time_travel::Step;
use whodunit_core::fold::EventEffect;
use whodunit_core::sentence::is_refused;
use whodunit_core::time::Timestamp;

use super::super::columns::{Cell, Column, Columns, WHOLE, cell, column};
use super::super::{failure, first_row, indented, list_line, rule as rule_line};
use super::rule;
use crate::model::App;
use crate::model::hits::{Hit, Part};
use crate::model::stream::{Row, StreamScreen};
use crate::text::safe;
use crate::theme::{Glyph, Token};
use crate::times::Pattern;

/// What is lost first where there is little room: the reason, then who. A type and its place stay.
const COLUMNS: [Column; 5] = [
    column("REV", 2, 0).right(),
    column("WHEN", WHOLE, 1),
    column("EVENT", 12, 0),
    column("WHO", 8, 2),
    column("WHY / RULE", 9, 3),
];

pub(super) fn draw(app: &App, stream: &StreamScreen, frame: &mut Frame<'_>, area: Rect) {
    let theme = app.theme;
    let title = title(stream, !stream.in_state, theme.glyph(Glyph::Cursor));
    let top = Rect::new(area.x, area.y, area.width, area.height.min(1));
    frame.render_widget(rule_line(theme, usize::from(area.width), &title, ""), top);
    let inner = Rect::new(
        area.x,
        area.y + 1,
        area.width,
        area.height.saturating_sub(1),
    );
    if let Some(why) = &stream.steps_failure
        && stream.steps.is_empty()
    {
        return failure(app, frame, inner, why);
    }
    let height = usize::from(inner.height).saturating_sub(1);
    let here = stream.index_of(stream.cursor);
    let first = first_row(here, stream.rows(), height);
    let shown: Vec<Row> = (first..(first + height).min(stream.rows()))
        .map(|index| stream.row_at(index))
        .collect();
    let times = shown.iter().filter_map(|row| time_of(stream, *row));
    let pattern = app.zone.pattern(times, app.now);
    let rows: Vec<[Cell; 5]> = shown
        .iter()
        .map(|row| cells_of(app, stream, *row, pattern))
        .collect();
    let cells = usize::from(inner.width).saturating_sub(4);
    let columns = Columns::of(COLUMNS, &rows, cells);
    let mut lines = vec![indented(columns.heading(theme), "   ")];
    let mut owners = vec![None];
    for (index, (row, cells)) in (first..).zip(shown.iter().zip(&rows)) {
        let is_marked = |revision: u64| {
            let mark = app.mark.as_ref();
            mark.is_some_and(|(name, at)| *name == stream.stream && *at == revision)
        };
        let marked = matches!(row, Row::Revision(revision) if is_marked(*revision));
        let mark = if marked {
            theme.glyph(Glyph::Mark)
        } else {
            " "
        };
        let mut line = indented(columns.line(cells), mark);
        if index > here {
            line = line.patch_style(theme.style(Token::Future));
        }
        lines.push(list_line(theme, line, index == here));
        owners.push(Some(index));
        let held = held_line(app, stream, *row);
        owners.extend(held.iter().map(|_| None));
        lines.extend(held);
    }
    // The line of the held moment may push the last row out; never the one at the cursor.
    let cursor = lines.len().saturating_sub(usize::from(inner.height));
    if cursor > 0 && here + 1 >= first + shown.len() {
        let end = lines.len().min(cursor + 1);
        lines.drain(end.min(1)..end);
        owners.drain(end.min(1)..end);
    }
    app.hits.add(area, Hit::Part(Part::List));
    for (y, owner) in (inner.top()..inner.bottom()).zip(owners) {
        if let Some(index) = owner {
            app.hits.line(inner, y, Hit::Row(Part::List, index));
        }
    }
    frame.render_widget(Paragraph::new(lines), inner);
}

fn title(stream: &StreamScreen, focused: bool, glyph: &str) -> String {
    let mark = if focused { glyph } else { "" };
    let mut title = format!("{mark}events · {} of {}", stream.revision(), stream.head());
    let rejected = stream.rejected_count();
    if rejected > 0 {
        let more = if stream.more_decisions { "+" } else { "" };
        title = format!("{title} · {rejected}{more} refused");
    }
    title
}

/// The moment that is held, below the last event recorded by then.
fn held_line(app: &App, stream: &StreamScreen, row: Row) -> Option<Line<'static>> {
    let (moment, revision) = stream.held?;
    if row != Row::Revision(revision) || app.as_of != Some(moment) {
        return None;
    }
    let stroke = if app.theme.ascii { "-" } else { "┄" };
    let text = format!("    {stroke} as of {} {stroke}", app.zone.long(moment));
    Some(Line::styled(text, app.theme.style(Token::Accent)))
}

/// When the row of a history happened.
fn time_of(stream: &StreamScreen, row: Row) -> Option<Timestamp> {
    match row {
        Row::Revision(revision) => Some(stream.steps.get(&revision)?.event.recorded_at),
        Row::Rejected(index) => Some(stream.rejected(index)?.decided_at),
    }
}

fn cells_of(app: &App, stream: &StreamScreen, row: Row, pattern: Pattern) -> [Cell; 5] {
    let theme = app.theme;
    let plain = Style::new();
    let muted = |label: String, what: &str| {
        let style = theme.style(Token::Muted);
        [
            cell(label, style),
            Cell::default(),
            cell(what, style),
            Cell::default(),
            Cell::default(),
        ]
    };
    match row {
        Row::Revision(0) => muted("0".to_owned(), "(empty stream)"),
        Row::Revision(revision) => match stream.steps.get(&revision) {
            None => muted(revision.to_string(), "…"),
            Some(step) => event_cells(app, step, pattern),
        },
        Row::Rejected(index) => match stream.rejected(index) {
            None => Default::default(),
            Some(decision) => {
                let refused = theme.style(Token::Rejected);
                let actor = who(decision.actor.as_deref());
                [
                    cell(theme.glyph(Glyph::Rejected), refused),
                    cell(app.zone.show(decision.decided_at, pattern), plain),
                    cell(safe(&decision.command_type), refused),
                    cell(actor.clone(), theme.actor(&actor)),
                    cell(rule(decision).0, refused),
                ]
            }
        },
    }
}

fn event_cells(app: &App, step: &Step, pattern: Pattern) -> [Cell; 5] {
    let (theme, event) = (app.theme, &step.event);
    let plain = Style::new();
    let refused = is_refused(event);
    let (note, token) = match &step.applied {
        EventEffect::Failed { .. } => (" !", Token::Error),
        EventEffect::Unknown => (" ?", Token::Plain),
        EventEffect::Applied => ("", Token::Plain),
    };
    let token = if refused && token == Token::Plain {
        Token::Rejected
    } else {
        token
    };
    let label = if refused {
        theme.glyph(Glyph::Rejected).to_owned()
    } else {
        event.revision.to_string()
    };
    let actor = who(event.actor.as_deref());
    [
        cell(label, theme.style(token)),
        cell(app.zone.show(event.recorded_at, pattern), plain),
        cell(
            format!("{}{note}", safe(&event.event_type)),
            theme.style(token),
        ),
        cell(actor.clone(), theme.actor(&actor)),
        cell(who(event.reason.as_deref()), plain),
    ]
}

fn who(text: Option<&str>) -> String {
    safe(text.unwrap_or_default()).into_owned()
}
