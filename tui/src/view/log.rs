//! The log screen: one line an event, newest at the bottom, with the selected one beside it.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use whodunit_core::command::Outcome;
use whodunit_core::time::Timestamp;

use super::{awaited, centred, failure, first_row, framed_lines, line, pane, scrubber};
use crate::model::hits::Part;
use crate::model::log::{LogRow, LogScreen};
use crate::model::{App, Remote};
use crate::request::Slot;
use crate::text::{counted, cut, fit, number, safe, width, wrap_to};
use crate::theme::{Glyph, Token};
use crate::times::Pattern;

/// Cells of the shortest form of a time.
const TIME_CELLS: usize = 12;

pub(super) fn draw(app: &App, screen: &LogScreen, frame: &mut Frame<'_>, area: Rect) {
    let [axis, filter, body] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Length(line::rows(&screen.line)),
        Constraint::Min(1),
    ])
    .areas(area);
    let axis = Rect::new(
        axis.x + 1,
        axis.y,
        axis.width.saturating_sub(2),
        axis.height,
    );
    let at: Option<Timestamp> = screen.current().map(LogRow::at);
    match &screen.density {
        Some(density) if density.counts.iter().all(|&count| count == 0) => {}
        density => {
            let is_asked = screen.asked.has(Slot::LogDensity);
            match (
                density,
                screen.summary.value().and_then(|s| s.density.as_ref()),
            ) {
                (Some(density), Some(matches)) => {
                    scrubber::draw_within(app, frame, axis, (density, matches), at);
                }
                (density, _) => scrubber::draw(app, frame, axis, (density.as_ref(), is_asked), at),
            }
        }
    }
    draw_filter(app, screen, frame, filter);
    if area.width >= 100 {
        let [list, detail] =
            Layout::horizontal([Constraint::Min(60), Constraint::Length(44)]).areas(body);
        draw_list(app, screen, frame, list);
        draw_detail(app, screen, frame, detail);
    } else {
        draw_list(app, screen, frame, body);
    }
}

fn draw_filter(app: &App, screen: &LogScreen, frame: &mut Frame<'_>, area: Rect) {
    let theme = app.theme;
    let (state, token) = match (screen.follow, screen.unseen.len() + screen.missed) {
        (true, _) => ("following ".to_owned(), Token::Added),
        (false, 0) => ("paused ".to_owned(), Token::Muted),
        (false, new) => (format!("paused · {new} new, space follows "), Token::Warn),
    };
    let found = match (screen.summary.value(), &screen.progress) {
        (Some(summary), _) if summary.complete => format!(
            "{} in {} · ",
            counted(summary.matches, "event"),
            counted(summary.streams, "stream")
        ),
        (_, Some(at)) if screen.is_filtered() => {
            format!("scanned {} of {} · ", number(at.scanned), number(at.last))
        }
        _ => String::new(),
    };
    let right = Span::styled(format!("{found}{state}"), theme.style(token));
    line::draw(
        app,
        &screen.line,
        frame,
        area,
        (right, "everything; / filters by a query line"),
    );
}

fn draw_list(app: &App, screen: &LogScreen, frame: &mut Frame<'_>, area: Rect) {
    let theme = app.theme;
    let block = pane(theme, "log", true);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let rows = match &screen.rows {
        Remote::Failed(why) => return failure(app, frame, inner, why),
        Remote::Absent | Remote::Loading(None) => {
            let is_asked = screen.asked.has(Slot::Log);
            return awaited(app, frame, inner, "the log", is_asked);
        }
        Remote::Ready(rows) | Remote::Loading(Some(rows)) => rows,
    };
    if rows.is_empty() {
        if screen.asked.has(Slot::Log) {
            return awaited(app, frame, inner, "the log: nothing so far", true);
        }
        let filtered = screen.is_filtered();
        let (what, hint) = if filtered {
            (
                "no event matches this filter",
                "press /, then Esc, to clear it",
            )
        } else {
            ("the log is empty", "new events appear here")
        };
        return centred(
            frame,
            inner,
            &[
                (what.to_owned(), theme.style(Token::Heading)),
                (hint.to_owned(), theme.style(Token::Muted)),
            ],
        );
    }
    let height = usize::from(inner.height);
    let first = first_row(screen.selected, rows.len(), height);
    app.hits.rows(inner, Part::List, first, rows.len());
    let cells = usize::from(inner.width);
    let shown = rows.iter().skip(first).take(height);
    let pattern = app.zone.pattern(shown.map(LogRow::at), app.now);
    let lines: Vec<Line<'_>> = rows
        .iter()
        .enumerate()
        .skip(first)
        .take(height)
        .map(|(index, row)| list_row(app, row, index == screen.selected, pattern, cells))
        .collect();
    frame.render_widget(Paragraph::new(lines), inner);
}

fn list_row(
    app: &App,
    row: &LogRow,
    selected: bool,
    pattern: Pattern,
    cells: usize,
) -> Line<'static> {
    let theme = app.theme;
    let (label, stream, what, who, why, token) = match row {
        LogRow::Event(event) => (
            event.position.to_string(),
            &event.stream,
            &event.event_type,
            event.actor.as_deref(),
            event
                .reason
                .as_deref()
                .map(|reason| format!("\"{}\"", safe(reason))),
            Token::Plain,
        ),
        LogRow::Rejected(decision) => (
            theme.glyph(Glyph::Rejected).to_owned(),
            &decision.stream,
            &decision.command_type,
            decision.actor.as_deref(),
            match &decision.result {
                Outcome::Rejected { rule, .. } => Some(safe(rule).into_owned()),
                Outcome::Accepted { .. } => None,
            },
            Token::Rejected,
        ),
    };
    let cursor = if selected {
        theme.glyph(Glyph::Cursor)
    } else {
        " "
    };
    let time = app.zone.show(row.at(), pattern);
    // A longer time takes its room from the others, the actor first.
    let wider = width(&time).saturating_sub(TIME_CELLS);
    let who_cells = 14_usize.saturating_sub(wider).max(8);
    let what_cells = 19_usize.saturating_sub(wider.saturating_sub(14 - who_cells));
    let mut text = format!(
        "{cursor}{label:>7} {time} {} {} {}",
        fit(&safe(stream.as_str()), 15),
        fit(&safe(what), what_cells.max(10)),
        fit(&safe(who.unwrap_or_default()), who_cells),
    );
    let room = cells.saturating_sub(width(&text) + 1);
    if let Some(why) = why
        && room > 8
    {
        text = format!("{text} {}", cut(&why, room));
    }
    let mut style = theme.style(token);
    if selected {
        style = style.patch(theme.style(Token::Selected));
    }
    Line::styled(fit(&text, cells), style)
}

fn draw_detail(app: &App, screen: &LogScreen, frame: &mut Frame<'_>, area: Rect) {
    let theme = app.theme;
    let block = pane(theme, "event", false);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let Some(row) = screen.current() else {
        return;
    };
    let cells = usize::from(inner.width);
    let mut lines = Vec::new();
    for (label, text) in facts(app, row) {
        for (index, part) in wrap_to(&safe(&text), cells.saturating_sub(8), 4)
            .into_iter()
            .enumerate()
        {
            let label = if index == 0 { label } else { "" };
            lines.push(Line::from(vec![
                Span::styled(fit(label, 8), theme.style(Token::Muted)),
                Span::raw(part),
            ]));
        }
    }
    lines.push(Line::default());
    let payload = match row {
        LogRow::Event(event) => event.data.to_value(),
        LogRow::Rejected(decision) => decision.payload.to_value(),
    };
    for line in super::overlay::pretty(&payload) {
        lines.push(Line::styled(cut(&line, cells), theme.style(Token::Plain)));
    }
    framed_lines(theme, frame, inner, lines, 0);
}

/// Labelled facts about a line of the log.
fn facts(app: &App, row: &LogRow) -> Vec<(&'static str, String)> {
    match row {
        LogRow::Event(event) => vec![
            ("type", event.event_type.clone()),
            (
                "who",
                event
                    .actor
                    .clone()
                    .unwrap_or_else(|| "(no actor given)".to_owned()),
            ),
            ("when", app.zone.long(event.recorded_at)),
            (
                "why",
                event
                    .reason
                    .clone()
                    .unwrap_or_else(|| "(no reason given)".to_owned()),
            ),
            ("stream", format!("{} rev {}", event.stream, event.revision)),
            (
                "corr",
                event
                    .correlation_id
                    .clone()
                    .unwrap_or_else(|| "-".to_owned()),
            ),
        ],
        LogRow::Rejected(decision) => {
            let (rule, message) = match &decision.result {
                Outcome::Rejected { rule, message } => (rule.clone(), message.clone()),
                Outcome::Accepted { .. } => Default::default(),
            };
            vec![
                ("type", format!("{} rejected", decision.command_type)),
                (
                    "who",
                    decision
                        .actor
                        .clone()
                        .unwrap_or_else(|| "(no actor given)".to_owned()),
                ),
                ("when", app.zone.long(decision.decided_at)),
                ("rule", rule),
                ("", message),
                (
                    "stream",
                    format!("{} rev {}", decision.stream, decision.base_revision),
                ),
            ]
        }
    }
}
