//! The streams screen: a list, and the selected stream as it is now.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use whodunit_core::api::browse::Stream;

use super::columns::{Cell, Column, Columns, WHOLE, cell, column};
use super::sentence::story;
use super::{centred, failure, first_row, indented, list_line, loading, rule, state};
use crate::client::Preview;
use crate::model::hits::Part;
use crate::model::streams::StreamsScreen;
use crate::model::{App, Remote};
use crate::text::{counted, cut, fit, safe, width};
use crate::theme::{Glyph, Token};
use crate::times::Pattern;

/// Rows of the preview at least, where there is room for one.
const PREVIEW_LEAST: usize = 7;
/// Below so many rows there is no room for a preview.
const ROWS_FOR_PREVIEW: u16 = 14;
/// Lines that a sentence takes at most.
const SENTENCE_LINES: usize = 5;

pub(super) fn draw(app: &App, screen: &StreamsScreen, frame: &mut Frame<'_>, area: Rect) {
    let [filter, body] = Layout::vertical([Constraint::Length(1), Constraint::Min(1)]).areas(area);
    draw_filter(app, screen, frame, filter);
    if body.height < ROWS_FOR_PREVIEW {
        return draw_list(app, screen, frame, body);
    }
    // A short list leaves its room to the preview; a long one leaves it a third.
    let height = usize::from(body.height);
    let list = screen.streams().len().max(3) + 1;
    let preview = (height.saturating_sub(list + 1)).max((height / 3).max(PREVIEW_LEAST));
    let [list, line, preview] = Layout::vertical([
        Constraint::Min(4),
        Constraint::Length(1),
        Constraint::Length(u16::try_from(preview).unwrap_or(u16::MAX)),
    ])
    .areas(body);
    draw_list(app, screen, frame, list);
    draw_preview(app, screen, frame, line, preview);
}

fn draw_filter(app: &App, screen: &StreamsScreen, frame: &mut Frame<'_>, area: Rect) {
    let theme = app.theme;
    let count = match &screen.list {
        Remote::Ready(list) | Remote::Loading(Some(list)) => {
            let more = if list.next.is_some() { "+" } else { "" };
            let noun = if list.streams.len() == 1 {
                "stream"
            } else {
                "streams"
            };
            let order = if screen.by_name {
                "by name"
            } else {
                "by last change"
            };
            let category = screen
                .category
                .as_deref()
                .map(|c| format!(" · {}", safe(c)))
                .unwrap_or_default();
            format!("{}{more} {noun}{category} · {order} ", list.streams.len())
        }
        _ => String::new(),
    };
    let room = usize::from(area.width).saturating_sub(width(&count) + 4);
    let value = safe(screen.filter.value()).into_owned();
    let (text, token) = match (screen.filtering, value.is_empty()) {
        (false, true) => ("press / to filter".to_owned(), Token::Muted),
        _ => (
            value,
            if screen.filtering {
                Token::Accent
            } else {
                Token::Plain
            },
        ),
    };
    let cursor = if screen.filtering {
        if theme.ascii { "_" } else { "▏" }
    } else {
        ""
    };
    let text = fit(
        &format!("{}{cursor}", cut(&text, room.saturating_sub(1))),
        room,
    );
    frame.render_widget(
        Line::from(vec![
            Span::styled(" / ", theme.style(Token::Key)),
            Span::styled(text, theme.style(token)),
            Span::styled(format!(" {count}"), theme.style(Token::Muted)),
        ]),
        area,
    );
}

/// What is lost first on a narrow terminal: the event, the revision, the status, the reason, who, when. Never the name that the
/// next command needs.
const COLUMNS: [Column; 8] = [
    column("STREAM", 14, 0),
    column("TITLE", 12, 1),
    column("REV", 3, 6).right(),
    column("STATUS", 8, 5),
    column("LAST CHANGE", WHOLE, 2),
    column("EVENT", 13, 7),
    column("WHO", 10, 3),
    column("WHY", 10, 4),
];

fn draw_list(app: &App, screen: &StreamsScreen, frame: &mut Frame<'_>, area: Rect) {
    let theme = app.theme;
    let streams = match &screen.list {
        Remote::Failed(why) => return failure(app, frame, area, why),
        Remote::Absent => return empty(app, screen, frame, area, true),
        Remote::Loading(None) => return loading(app, frame, area, "streams"),
        Remote::Ready(list) | Remote::Loading(Some(list)) => &list.streams,
    };
    if streams.is_empty() {
        return empty(app, screen, frame, area, false);
    }
    let [head, body] = Layout::vertical([Constraint::Length(1), Constraint::Min(1)]).areas(area);
    let height = usize::from(body.height);
    let first = first_row(screen.selected, streams.len(), height);
    app.hits.rows(body, Part::List, first, streams.len());
    let shown = streams.get(first..).unwrap_or_default();
    let shown = shown.get(..height).unwrap_or(shown);
    let times = shown.iter().map(|stream| stream.last_recorded_at);
    let pattern = app.zone.pattern(times, app.now);
    let rows: Vec<[Cell; 8]> = shown
        .iter()
        .map(|stream| row(app, pattern, stream))
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

fn row(app: &App, pattern: Pattern, stream: &Stream) -> [Cell; 8] {
    let theme = app.theme;
    let plain = Style::new();
    let text = |text: Option<&str>| safe(text.unwrap_or_default()).into_owned();
    let status = text(stream.status.as_deref());
    // The word that matters is coloured, and has a mark.
    let (mark, token) = match status.as_str() {
        "deleted" => (theme.glyph(Glyph::Rejected), Token::Rejected),
        "suspended" => ("!", Token::Changed),
        _ => ("", Token::Plain),
    };
    let status = if mark.is_empty() {
        status
    } else {
        format!("{mark} {status}")
    };
    let actor = text(stream.last_actor.as_deref());
    [
        cell(safe(stream.stream.as_str()), plain),
        cell(text(stream.title.as_deref()), plain),
        cell(stream.revision.to_string(), plain),
        cell(status, theme.style(token)),
        cell(app.zone.show(stream.last_recorded_at, pattern), plain),
        cell(safe(&stream.last_event_type), plain),
        cell(actor.clone(), theme.actor(&actor)),
        cell(text(stream.last_reason.as_deref()), plain),
    ]
}

fn empty(app: &App, screen: &StreamsScreen, frame: &mut Frame<'_>, area: Rect, cancelled: bool) {
    let muted = app.theme.style(Token::Muted);
    let lines =
        if cancelled {
            vec![
                ("nothing is loaded".to_owned(), muted),
                ("press r to load the streams".to_owned(), muted),
            ]
        } else if screen.filter.value().trim().is_empty() && screen.category.is_none() {
            vec![
            ("the log is empty".to_owned(), app.theme.style(Token::Heading)),
            (
                "send a command, import a file with `whodunit import FILE`, or try `whodunit demo`"
                    .to_owned(),
                muted,
            ),
        ]
        } else {
            let what = safe(screen.filter.value().trim()).into_owned();
            vec![
                (
                    format!("no stream matches `{what}`"),
                    app.theme.style(Token::Heading),
                ),
                (
                    "press /, then Esc, to clear the filter; c to choose another category"
                        .to_owned(),
                    muted,
                ),
            ]
        };
    centred(frame, area, &lines);
}

/// The selected stream: what happened last and why, then its state.
fn draw_preview(app: &App, screen: &StreamsScreen, frame: &mut Frame<'_>, line: Rect, area: Rect) {
    let theme = app.theme;
    let title = match (screen.current(), app.as_of) {
        (None, _) => String::new(),
        (Some(stream), None) => format!("{} now", safe(stream.stream.as_str())),
        (Some(stream), Some(moment)) => {
            format!(
                "{} as of {}",
                safe(stream.stream.as_str()),
                app.zone.long(moment)
            )
        }
    };
    frame.render_widget(rule(theme, usize::from(line.width), &title, ""), line);
    let Some(stream) = screen.current() else {
        return;
    };
    let area = Rect::new(
        area.x + 2,
        area.y,
        area.width.saturating_sub(3),
        area.height,
    );
    let cells = usize::from(area.width);
    let muted = |text: String| vec![Line::styled(text, theme.style(Token::Muted))];
    let lines = match (&screen.preview, screen.preview_of_current()) {
        (Remote::Failed(why), _) => return failure(app, frame, area, why),
        (_, Some(preview)) => {
            let rows = usize::from(area.height);
            preview_lines(app, stream, preview, (cells, rows))
        }
        (Remote::Absent, None) => muted("not loaded; r loads it".to_owned()),
        (_, None) => muted(format!(
            "loading the state after {} …",
            counted(stream.revision.0, "event")
        )),
    };
    frame.render_widget(Paragraph::new(lines), area);
}

fn preview_lines(
    app: &App,
    stream: &Stream,
    preview: &Preview,
    (cells, rows): (usize, usize),
) -> Vec<Line<'static>> {
    let theme = app.theme;
    let mut lines = Vec::new();
    if let Some(event) = &preview.event {
        let most = if rows < 10 { 2 } else { SENTENCE_LINES };
        lines.extend(story(app, event, preview.origin.as_ref(), (cells, most)));
    }
    let later = stream.revision.0.saturating_sub(preview.state.revision.0);
    if later > 0 {
        let text = format!("{} happened after this moment", counted(later, "event"));
        lines.push(Line::styled(text, theme.style(Token::Warn)));
    }
    if preview.state.state.is_empty() {
        let text = "(the state is empty)".to_owned();
        lines.push(Line::styled(text, theme.style(Token::Muted)));
        return lines;
    }
    let left = rows.saturating_sub(lines.len());
    let fields = state::lines(theme, &preview.state.state, &[], cells);
    if fields.len() <= left {
        lines.extend(fields);
        return lines;
    }
    lines.extend(state::flowing(theme, &preview.state.state, cells, left));
    lines
}
