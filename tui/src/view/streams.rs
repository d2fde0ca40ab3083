//! The streams screen: a list, and the selected stream as it is now.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use whodunit_core::api::browse::Stream;

use super::{below, centred, failure, first_row, loading, pane, state};
use crate::model::streams::StreamsScreen;
use crate::model::{App, Remote};
use crate::text::{cut, fit, safe, width, wrap, wrap_to};
use crate::theme::{Glyph, Token};
use crate::times::Pattern;

pub(super) fn draw(app: &App, screen: &StreamsScreen, frame: &mut Frame<'_>, area: Rect) {
    let [filter, body] = Layout::vertical([Constraint::Length(1), Constraint::Min(1)]).areas(area);
    draw_filter(app, screen, frame, filter);
    if area.width >= 100 {
        let [list, preview] =
            Layout::horizontal([Constraint::Min(60), Constraint::Length(42)]).areas(body);
        draw_list(app, screen, frame, list);
        draw_preview(app, screen, frame, preview);
    } else {
        let preview_rows = if body.height > 16 { 9 } else { 0 };
        let [list, preview] =
            Layout::vertical([Constraint::Min(5), Constraint::Length(preview_rows)]).areas(body);
        draw_list(app, screen, frame, list);
        if preview_rows > 0 {
            draw_preview(app, screen, frame, preview);
        }
    }
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

fn draw_list(app: &App, screen: &StreamsScreen, frame: &mut Frame<'_>, area: Rect) {
    let theme = app.theme;
    let block = pane(theme, "streams", true);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let streams = match &screen.list {
        Remote::Failed(why) => return failure(app, frame, inner, why),
        Remote::Absent => return empty(app, screen, frame, inner, true),
        Remote::Loading(None) => return loading(app, frame, inner, "streams"),
        Remote::Ready(list) | Remote::Loading(Some(list)) => &list.streams,
    };
    if streams.is_empty() {
        return empty(app, screen, frame, inner, false);
    }
    let [head, body] = Layout::vertical([Constraint::Length(1), Constraint::Min(1)]).areas(inner);
    let height = usize::from(body.height);
    let first = first_row(screen.selected, streams.len(), height);
    let shown = streams.get(first..).unwrap_or_default();
    let shown = shown.get(..height).unwrap_or(shown);
    let columns = columns(app, streams, shown, usize::from(inner.width));
    let titles = ["stream", "title", "rev", "status", "last change"].map(str::to_owned);
    frame.render_widget(
        Line::styled(
            format!("  {}", columns.row(&titles)),
            theme.style(Token::Muted),
        ),
        head,
    );
    let lines: Vec<Line<'_>> = streams
        .iter()
        .enumerate()
        .skip(first)
        .take(height)
        .map(|(index, stream)| row(app, &columns, index == screen.selected, stream))
        .collect();
    frame.render_widget(Paragraph::new(lines), body);
}

/// Widths of the five columns, and how times are shown.
struct Columns([usize; 5], Pattern);

impl Columns {
    fn row(&self, texts: &[String; 5]) -> String {
        let [stream, title, revision, status, last] = self.0;
        let mut out = fit(&texts[0], stream);
        out.push(' ');
        if title > 0 {
            out.push_str(&fit(&texts[1], title));
            out.push(' ');
        }
        let right = cut(&texts[2], revision);
        out.push_str(&" ".repeat(revision.saturating_sub(width(&right))));
        out.push_str(&right);
        out.push(' ');
        if status > 0 {
            out.push_str(&fit(&texts[3], status));
            out.push(' ');
        }
        out.push_str(&fit(&texts[4], last));
        out
    }
}

fn columns(app: &App, streams: &[Stream], shown: &[Stream], cells: usize) -> Columns {
    let times = shown.iter().map(|stream| stream.last_recorded_at);
    let pattern = app.zone.pattern(times, app.now);
    let longest = |of: &dyn Fn(&Stream) -> usize| streams.iter().map(of).max().unwrap_or(0);
    let (revision, last) = (6, width(&app.zone.show(app.now, pattern)));
    let status = longest(&|stream| stream.status.as_deref().map_or(0, width)).min(10);
    let title = longest(&|stream| stream.title.as_deref().map_or(0, width));
    let rest =
        cells.saturating_sub(2 + revision + 1 + last + 1 + if status > 0 { status + 1 } else { 0 });
    let name = longest(&|stream| width(stream.stream.as_str())).max(6);
    // Titles are what people look for: a long name gives way first.
    let title = title.min(rest / 2);
    let name = name.min(
        rest.saturating_sub(if title > 0 { title + 1 } else { 0 })
            .saturating_sub(1),
    );
    Columns([name, title, revision, status, last], pattern)
}

fn row(app: &App, columns: &Columns, selected: bool, stream: &Stream) -> Line<'static> {
    let theme = app.theme;
    let status = stream.status.as_deref().unwrap_or_default();
    let texts = [
        safe(stream.stream.as_str()).into_owned(),
        safe(stream.title.as_deref().unwrap_or_default()).into_owned(),
        stream.revision.to_string(),
        safe(status).into_owned(),
        app.zone.show(stream.last_recorded_at, columns.1),
    ];
    let token = match status {
        "deleted" => Token::Rejected,
        "suspended" => Token::Changed,
        _ => Token::Plain,
    };
    let mark = if selected {
        theme.glyph(Glyph::Cursor)
    } else {
        " "
    };
    let style = if selected {
        theme.style(token).patch(theme.style(Token::Selected))
    } else {
        theme.style(token)
    };
    Line::styled(format!("{mark} {}", columns.row(&texts)), style)
}

fn empty(app: &App, screen: &StreamsScreen, frame: &mut Frame<'_>, area: Rect, cancelled: bool) {
    let muted = app.theme.style(Token::Muted);
    let lines = if cancelled {
        vec![
            ("nothing is loaded".to_owned(), muted),
            ("press r to load the streams".to_owned(), muted),
        ]
    } else if screen.filter.value().trim().is_empty() && screen.category.is_none() {
        vec![
            ("the log is empty".to_owned(), app.theme.style(Token::Title)),
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
                app.theme.style(Token::Title),
            ),
            (
                "press /, then Esc, to clear the filter; c to choose another category".to_owned(),
                muted,
            ),
        ]
    };
    centred(frame, area, &lines);
}

fn draw_preview(app: &App, screen: &StreamsScreen, frame: &mut Frame<'_>, area: Rect) {
    let theme = app.theme;
    let Some(stream) = screen.current() else {
        frame.render_widget(pane(theme, "now", false), area);
        return;
    };
    let framed = |below: &str| {
        let cells = usize::from(area.width).saturating_sub(12 + width(below));
        let name = cut(&safe(stream.stream.as_str()), cells);
        pane(theme, &format!("{name} · now{below}"), false)
    };
    let inner = framed("").inner(area);
    let last = last_event(app, stream, usize::from(inner.width));
    let rows = u16::try_from(last.len()).unwrap_or(4).min(inner.height);
    let [top, bottom] =
        Layout::vertical([Constraint::Min(0), Constraint::Length(rows)]).areas(inner);
    // The preview of another stream is not shown as if it were this one's.
    let state = screen
        .preview
        .value()
        .filter(|state| state.stream == stream.stream);
    let muted = |text: &str| vec![Line::styled(text.to_owned(), theme.style(Token::Muted))];
    let lines = match (&screen.preview, state) {
        (Remote::Failed(why), _) => {
            frame.render_widget(framed(""), area);
            failure(app, frame, top, why);
            frame.render_widget(Paragraph::new(last), bottom);
            return;
        }
        (_, Some(state)) if state.state.is_empty() => muted("(the state is empty)"),
        (_, Some(state)) => state::lines(theme, &state.state, &[], usize::from(top.width)),
        (Remote::Absent, None) => Vec::new(),
        (_, None) => muted("loading the state …"),
    };
    frame.render_widget(framed(&below(&lines, 0, top.height)), area);
    frame.render_widget(Paragraph::new(lines), top);
    frame.render_widget(Paragraph::new(last), bottom);
}

/// Who did what last, when and why: the question most people come with.
fn last_event(app: &App, stream: &Stream, cells: usize) -> Vec<Line<'static>> {
    let theme = app.theme;
    let mut lines = vec![Line::from(vec![
        Span::styled("last  ", theme.style(Token::Muted)),
        Span::styled(
            cut(&safe(&stream.last_event_type), cells.saturating_sub(6)),
            theme.style(Token::Title),
        ),
    ])];
    let actor = stream.last_actor.as_deref().unwrap_or("(no actor given)");
    lines.push(Line::from(vec![
        Span::styled("who   ", theme.style(Token::Muted)),
        Span::styled(
            cut(&safe(actor), cells.saturating_sub(6)),
            theme.actor(actor),
        ),
    ]));
    // All of it: the zone stands last.
    let when = app.zone.long(stream.last_recorded_at);
    for (index, line) in wrap(&when, cells.saturating_sub(6)).into_iter().enumerate() {
        let head = if index == 0 { "when  " } else { "      " };
        lines.push(Line::from(vec![
            Span::styled(head, theme.style(Token::Muted)),
            Span::raw(line),
        ]));
    }
    let reason = safe(stream.last_reason.as_deref().unwrap_or("(no reason given)")).into_owned();
    for (index, line) in wrap_to(&reason, cells.saturating_sub(6), 2)
        .into_iter()
        .enumerate()
    {
        let head = if index == 0 { "why   " } else { "      " };
        lines.push(Line::from(vec![
            Span::styled(head, theme.style(Token::Muted)),
            Span::raw(line),
        ]));
    }
    lines
}
