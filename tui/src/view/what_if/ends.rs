//! The ends of the two worlds: other streams that differ, and the fields that differ.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;
use serde_json::Value;
use whodunit_core::diff::DiffEntry;

use super::super::state::{changed, field_lines, folded, noted, text};
use super::super::{first_row, list_line};
use super::heading;
use crate::model::App;
use crate::model::hits::{Hit, Part};
use crate::model::what_if::{Pane, WhatIfScreen};
use crate::text::{clause, counted, cut, fit, number, safe, width};
use crate::theme::Token;

/// The fields that differ, in lines, each with the field that it is of.
pub(super) fn lines(app: &App, screen: &WhatIfScreen, cells: usize) -> Vec<(usize, Line<'static>)> {
    let diff = screen.differences();
    let names: Vec<String> = diff.iter().map(name).collect();
    let column = names.iter().map(|name| width(name)).max().unwrap_or(0);
    let column = column.clamp(6, (cells / 3).max(6));
    let room = cells.saturating_sub(column + 8);
    let mut out = Vec::new();
    for (index, (entry, name)) in diff.iter().zip(&names).enumerate() {
        let (mark, token) = match (&entry.before, &entry.after) {
            (Some(_), None) => ("-", Token::Rejected),
            (None, _) => ("+", Token::Added),
            (Some(_), Some(_)) => ("~", Token::Changed),
        };
        let value = value_lines(app, entry, room);
        let name = fit(&cut(name, column), column);
        let of_field = field_lines(app.theme, mark, token, &name, &value);
        out.extend(of_field.into_iter().map(|line| (index, line)));
    }
    out
}

fn value_lines(app: &App, entry: &DiffEntry, room: usize) -> Vec<String> {
    let shown = |value: &Option<Value>| value.as_ref().map_or_else(|| "(none)".to_owned(), text);
    let (before, after) = (shown(&entry.before), noted(&shown(&entry.after), entry));
    if room < 8 {
        return folded(&after, room.max(1));
    }
    changed(app.theme, &before, &after, room)
}

fn name(entry: &DiffEntry) -> String {
    let path = entry.label.as_deref().unwrap_or(&entry.path);
    safe(path.strip_prefix('/').unwrap_or(path)).into_owned()
}

pub(super) fn draw(
    app: &App,
    screen: &WhatIfScreen,
    frame: &mut Frame<'_>,
    area: Rect,
    lines: Vec<(usize, Line<'static>)>,
) {
    let (theme, cells) = (app.theme, usize::from(area.width));
    let focused = screen.pane == Pane::Fields;
    let count = screen.differences().len();
    let selected = if focused { screen.field } else { 0 };
    let height = usize::from(area.height.saturating_sub(1));
    let at = lines.iter().position(|(index, _)| *index == selected);
    let first = if focused {
        first_row(at.unwrap_or(0), lines.len(), height)
    } else {
        0
    };
    let below = lines.len().saturating_sub(first + height);
    let right = if below > 0 {
        format!("{below} more below")
    } else {
        String::new()
    };
    let text = match (screen.result.value(), count) {
        (None, _) => "at the end".to_owned(),
        (Some(_), 0) => "at the end · the state is the same in both worlds".to_owned(),
        (Some(_), n) => format!("at the end · {}", clause(n as u64, "field", "differs")),
    };
    let top = Rect::new(area.x, area.y, area.width, area.height.min(1));
    frame.render_widget(heading(app, cells, &text, &right, focused), top);
    let inner = Rect::new(
        area.x,
        area.y + 1,
        area.width,
        area.height.saturating_sub(1),
    );
    app.hits.add(area, Hit::Part(Part::State));
    let shown = lines.into_iter().skip(first).take(height);
    let mut drawn = Vec::new();
    for (y, (index, line)) in (inner.top()..inner.bottom()).zip(shown) {
        app.hits.line(inner, y, Hit::Row(Part::State, index));
        drawn.push(list_line(theme, line, focused && index == screen.field));
    }
    frame.render_widget(Paragraph::new(drawn), inner);
}

/// Other streams that differ: how, and from where on.
pub(super) fn draw_streams(app: &App, screen: &WhatIfScreen, frame: &mut Frame<'_>, area: Rect) {
    let (theme, cells) = (app.theme, usize::from(area.width));
    let focused = screen.pane == Pane::Streams;
    let others = screen.others();
    let again = screen.result.value().and_then(|out| out.redecided.as_ref());
    let total = again.map_or(0, |again| again.streams_changed);
    let own = u64::from(again.is_some_and(|again| {
        let mut streams = again.streams.iter();
        streams.any(|world| {
            world.stream == screen.stream
                && (world.first_divergence.is_some() || !world.diff.is_empty())
        })
    }));
    let not_named = total.saturating_sub(own + others.len() as u64);
    let right = if not_named > 0 {
        format!("{} more not listed", number(not_named))
    } else {
        String::new()
    };
    let text = format!("other streams that differ · {} · Enter opens", others.len());
    let top = Rect::new(area.x, area.y, area.width, area.height.min(1));
    frame.render_widget(heading(app, cells, &text, &right, focused), top);
    let inner = Rect::new(
        area.x,
        area.y + 1,
        area.width,
        area.height.saturating_sub(1),
    );
    let first = first_row(screen.other, others.len(), usize::from(inner.height));
    app.hits.rows(inner, Part::Streams, first, others.len());
    let names = others
        .iter()
        .map(|world| width(&safe(world.stream.as_str())));
    let column = names.max().unwrap_or(0).min(cells / 2);
    let shown = others.iter().enumerate().skip(first);
    let lines: Vec<Line<'_>> = shown
        .take(usize::from(inner.height))
        .map(|(index, world)| {
            let name = fit(&safe(world.stream.as_str()), column);
            let from = world
                .first_divergence
                .map_or_else(String::new, |at| format!(" · from rev {at} on"));
            let text = format!(
                "{name}  {} in place of {}{from} · {}",
                counted(world.revision.0, "event"),
                number(world.actual_revision.0),
                counted(world.diff.len() as u64, "field")
            );
            let text = cut(&text, cells.saturating_sub(2));
            let style = theme.style(Token::Plain);
            list_line(
                theme,
                Line::styled(text, style),
                focused && index == screen.other,
            )
        })
        .collect();
    frame.render_widget(Paragraph::new(lines), inner);
}
