//! The history of a field: every value, who set it and why, the refused attempts between, and a plot of numbers.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use serde_json::Value;
use whodunit_core::api::investigate::FieldValueOut;
use whodunit_core::api::why::{RefusedAttempt, RefusedAttempts};

use super::super::columns::{Cell, Column, Columns, WHOLE, cell, column};
use super::super::{awaited, failure, first_row, indented, list_line, state, warning_lines};
use super::open;
use crate::model::App;
use crate::model::stream::StreamScreen;
use crate::request::Slot;
use crate::text::{counted, cut, safe};
use crate::theme::{Glyph, Theme, Token};

const COLUMNS: [Column; 6] = [
    column("REV", 2, 0).right(),
    column("WHEN", WHOLE, 1),
    column("VALUE", 10, 0),
    column("EVENT", 10, 4),
    column("WHO", 8, 2),
    column("WHY / RULE", 8, 3),
];

pub(super) fn field(
    app: &App,
    stream: &StreamScreen,
    frame: &mut Frame<'_>,
    body: Rect,
    selected: usize,
) {
    let theme = app.theme;
    let path = safe(stream.field_path.trim_start_matches('/')).into_owned();
    let title = format!("history of {path} · Enter goes there · Esc closes");
    let Some(found) = stream.field.value() else {
        let inner = open(app, frame, body, &title, body.width, 12);
        return match stream.field.failure() {
            Some(why) => failure(app, frame, inner, why),
            None => {
                let is_asked = stream.asked.has(Slot::Field);
                awaited(app, frame, inner, "the history of the field", is_asked);
            }
        };
    };
    let all = found.values.iter().map(|value| &value.refused);
    let refused: u64 = all
        .clone()
        .chain([&found.refused_before])
        .map(|r| r.total)
        .sum();
    let listed: usize = all.map(|refused| refused.last.len()).sum();
    let rows = found.values.len() + listed + found.refused_before.last.len() + 6;
    let rows = u16::try_from(rows).unwrap_or(u16::MAX);
    let inner = open(app, frame, body, &title, body.width.min(130), rows);
    let cells = usize::from(inner.width);
    let mut top = warning_lines(theme, &found.warnings, cells);
    let values = counted(found.values.len() as u64, "value");
    let more = if found.next_cursor.is_some() {
        "the last "
    } else {
        ""
    };
    let text = format!(
        "{more}{values}, newest first, up to revision {}; {} to change it",
        found.revision,
        counted(refused, "refused attempt")
    );
    top.push(Line::styled(cut(&text, cells), theme.style(Token::Muted)));
    top.extend(plot(theme, &found.values, cells));
    let times = found
        .values
        .iter()
        .filter_map(|v| Some(v.event.as_ref()?.recorded_at));
    let attempts = found.values.iter().flat_map(|value| &value.refused.last);
    let attempts = attempts.chain(&found.refused_before.last);
    let times = times.chain(attempts.map(|attempt| attempt.decided_at));
    let pattern = app.zone.pattern(times, app.now);
    // A refused attempt stands between the values it came between.
    let mut rows: Vec<([Cell; 6], Option<usize>)> = Vec::new();
    let attempts = |of: &RefusedAttempts| {
        let last = of.last.iter().rev();
        last.map(|attempt| (refused_row(app, attempt, pattern), None))
            .collect::<Vec<_>>()
    };
    for (index, value) in found.values.iter().enumerate() {
        rows.extend(attempts(&value.refused));
        rows.push((value_row(app, value, pattern), Some(index)));
    }
    rows.extend(attempts(&found.refused_before));
    let texts: Vec<&[Cell; 6]> = rows.iter().map(|(row, _)| row).collect();
    let columns = Columns::of(COLUMNS, texts, cells.saturating_sub(3));
    top.push(indented(columns.heading(theme), "  "));
    let height = usize::from(inner.height).saturating_sub(top.len());
    let at = rows.iter().position(|(_, index)| *index == Some(selected));
    let first = first_row(at.unwrap_or(0), rows.len(), height);
    let shown = rows.iter().skip(first).take(height);
    top.extend(
        shown.map(|(row, index)| list_line(theme, columns.line(row), *index == Some(selected))),
    );
    frame.render_widget(Paragraph::new(top), inner);
}

fn value_row(app: &App, value: &FieldValueOut, pattern: crate::times::Pattern) -> [Cell; 6] {
    let theme = app.theme;
    let plain = Style::new();
    let shown = if value.absent {
        cell("(removed)", theme.style(Token::Removed))
    } else {
        cell(state::text(&value.value), plain)
    };
    let revision = cell(value.revision.to_string(), plain);
    let Some(event) = &value.event else {
        let begin = cell("(initial state)", theme.style(Token::Muted));
        return [
            revision,
            Cell::default(),
            shown,
            begin,
            Cell::default(),
            Cell::default(),
        ];
    };
    let text = |text: Option<&str>| safe(text.unwrap_or_default()).into_owned();
    let actor = text(event.actor.as_deref());
    [
        revision,
        cell(app.zone.show(event.recorded_at, pattern), plain),
        shown,
        cell(safe(&event.event_type), plain),
        cell(actor.clone(), theme.actor(&actor)),
        cell(text(event.reason.as_deref()), plain),
    ]
}

fn refused_row(app: &App, attempt: &RefusedAttempt, pattern: crate::times::Pattern) -> [Cell; 6] {
    let theme = app.theme;
    let refused = theme.style(Token::Rejected);
    let actor = safe(attempt.actor.as_deref().unwrap_or_default()).into_owned();
    [
        cell(theme.glyph(Glyph::Rejected), refused),
        cell(app.zone.show(attempt.decided_at, pattern), Style::new()),
        cell("(refused)", refused),
        cell(safe(&attempt.command_type), refused),
        cell(actor.clone(), theme.actor(&actor)),
        cell(safe(&attempt.rule), refused),
    ]
}

/// Numbers over the revisions, oldest first, where every value is one.
fn plot(theme: Theme, values: &[FieldValueOut], cells: usize) -> Option<Line<'static>> {
    let numbers: Option<Vec<f64>> = values
        .iter()
        .rev()
        .filter(|value| !value.absent)
        .map(|value| match &value.value {
            Value::Number(number) => number.as_f64(),
            _ => None,
        })
        .collect();
    let numbers = numbers.filter(|numbers| numbers.len() > 1)?;
    let room = cells.saturating_sub(40).max(8);
    let skip = numbers.len().saturating_sub(room);
    let shown = numbers.get(skip..).unwrap_or_default();
    let low = shown.iter().copied().fold(f64::INFINITY, f64::min);
    let high = shown.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let bars: String = shown
        .iter()
        .map(|number| theme.bar(level(*number, low, high), LEVELS))
        .collect();
    Some(Line::from(vec![
        Span::styled(bars, theme.style(Token::Accent)),
        Span::styled(format!("  {low} to {high}"), theme.style(Token::Muted)),
    ]))
}

/// Heights that a bar may have.
const LEVELS: u64 = 8;

/// How high a bar is: the least is seen, too.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "from 0 to 7, by its making"
)]
fn level(number: f64, low: f64, high: f64) -> u64 {
    let span = high - low;
    let part = if span > 0.0 {
        (number - low) / span
    } else {
        0.5
    };
    1 + (part * 7.0).clamp(0.0, 7.0) as u64
}
