//! The diff screen: what differs between two points, before and after, and what set it.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use serde_json::Value;
use whodunit_core::api::time_travel::{DiffBlame, DiffSetBy, StateOut};
use whodunit_core::diff::{DiffEntry, DiffOp};
use whodunit_core::event::Event;

use super::{awaited, centred, failure, indented, list_line, state, warning_lines};
use crate::model::diff::{DiffScreen, End, Row};
use crate::model::hits::{Hit, Part};
use crate::model::{App, Remote};
use crate::request::Slot;
use crate::text::{counted, cut, fit, safe, width};
use crate::theme::{Glyph, Theme, Token};
use crate::times::Pattern;

/// From this width on what set a value stands beside it, else below it.
const BESIDE_FROM: usize = 76;

pub(super) fn draw(app: &App, screen: &DiffScreen, frame: &mut Frame<'_>, area: Rect) {
    let theme = app.theme;
    let cells = usize::from(area.width);
    let head = head(app, screen, cells);
    let rows = u16::try_from(head.len()).unwrap_or(u16::MAX);
    let [top, body] = Layout::vertical([Constraint::Length(rows), Constraint::Min(1)]).areas(area);
    frame.render_widget(Paragraph::new(head), top);
    match &screen.diff {
        Remote::Failed(why) => return failure(app, frame, body, why),
        Remote::Absent | Remote::Loading(None) => {
            let is_asked = screen.asked.has(Slot::Compare);
            return awaited(app, frame, body, "what differs", is_asked);
        }
        Remote::Ready(_) | Remote::Loading(Some(_)) => {}
    }
    let rows = screen.rows();
    if rows.is_empty() {
        let muted = theme.style(Token::Muted);
        let heading = theme.style(Token::Heading);
        let lines = [
            ("the two states are the same".to_owned(), heading),
            (
                "u lists what they hold; 1 and 2 choose other points".to_owned(),
                muted,
            ),
        ];
        return centred(frame, body, &lines);
    }
    draw_rows(app, screen, &rows, frame, body);
}

/// Both points in words, with what led to each.
fn head(app: &App, screen: &DiffScreen, cells: usize) -> Vec<Line<'static>> {
    let theme = app.theme;
    let sides = screen.sides.value();
    let right = match screen.diff.value() {
        Some(diff) if diff.to_stream.is_none() => {
            let between = diff.from.0.abs_diff(diff.to.0);
            let rows = screen.rows().len();
            let place = match rows {
                0 => String::new(),
                _ => format!(" · {} of {rows}", screen.selected + 1),
            };
            format!("{} between{place}", counted(between, "event"))
        }
        Some(_) => "two streams".to_owned(),
        None => String::new(),
    };
    let other = screen.from.stream != screen.to.stream;
    let from = side(app, &screen.from, sides.map(|sides| &sides.from), other);
    let to = side(app, &screen.to, sides.map(|sides| &sides.to), other);
    let arrows = if theme.ascii { "<>" } else { "⇄" };
    let one_line = format!(" {from}   {arrows}   {to}");
    let heading = theme.style(Token::Heading);
    let mut lines = if width(&one_line) + width(&right) + 3 <= cells {
        let gap = cells - width(&one_line) - width(&right) - 1;
        vec![Line::from(vec![
            Span::styled(one_line, heading),
            Span::styled(
                format!("{}{right}", " ".repeat(gap)),
                theme.style(Token::Muted),
            ),
        ])]
    } else {
        let second = format!(" {arrows} {to}");
        let gap = cells.saturating_sub(width(&second) + width(&right) + 1);
        let end = if gap > 1 {
            format!("{}{right}", " ".repeat(gap))
        } else {
            String::new()
        };
        vec![
            Line::styled(cut(&format!("   {from}"), cells), heading),
            Line::from(vec![
                Span::styled(cut(&second, cells), heading),
                Span::styled(end, theme.style(Token::Muted)),
            ]),
        ]
    };
    if let Some(why) = screen.sides.failure() {
        let text = cut(&format!(" ! {}", safe(&why.message)), cells);
        lines.push(Line::styled(text, theme.style(Token::Warn)));
    }
    let warnings = screen.diff.value().map_or(&[][..], |diff| &diff.warnings);
    lines.extend(warning_lines(theme, warnings, cells));
    lines
}

fn side(app: &App, end: &End, side: Option<&(StateOut, Option<Event>)>, named: bool) -> String {
    let name = if named {
        format!("{} ", safe(end.stream.as_str()))
    } else {
        String::new()
    };
    let Some((state, event)) = side else {
        return format!("{name}{}", point(app, end));
    };
    let moment = match end.at {
        crate::client::At::AsOf(time) => format!(" as of {}", app.zone.long(time)),
        _ => state
            .recorded_at
            .map_or_else(String::new, |at| format!(" · {}", app.zone.long(at))),
    };
    let actor = event.as_ref().and_then(|event| event.actor.as_deref());
    let actor = actor.map_or_else(String::new, |actor| format!(" {}", safe(actor)));
    format!("{name}rev {}{moment}{actor}", state.revision)
}

fn point(app: &App, end: &End) -> String {
    match end.at {
        crate::client::At::Head => "head".to_owned(),
        crate::client::At::Revision(revision) => format!("rev {revision}"),
        crate::client::At::AsOf(time) => format!("as of {}", app.zone.long(time)),
    }
}

fn draw_rows(app: &App, screen: &DiffScreen, rows: &[Row<'_>], frame: &mut Frame<'_>, area: Rect) {
    let theme = app.theme;
    let cells = usize::from(area.width).saturating_sub(3);
    let times = rows.iter().flat_map(|row| match row {
        Row::Differs(_, Some(blame)) => [&blame.before, &blame.after],
        Row::Differs(_, None) | Row::Same(..) => [&None, &None],
    });
    let times = times.filter_map(|set| Some(set.as_ref()?.event.as_ref()?.recorded_at));
    let pattern = app.zone.pattern(times, app.now);
    let names = rows.iter().map(|row| width(&name(row)));
    let column = names.max().unwrap_or(0).clamp(6, (cells / 3).max(6));
    let setters: Vec<String> = rows.iter().map(|row| setter(app, row, pattern)).collect();
    let widest = setters.iter().map(|text| width(text)).max().unwrap_or(0);
    let beside = if cells >= BESIDE_FROM {
        widest.min(cells / 3)
    } else {
        0
    };
    let room = cells
        .saturating_sub(column + 4 + if beside > 0 { beside + 2 } else { 0 })
        .max(8);
    let mut lines: Vec<Line<'static>> = Vec::new();
    let mut owners: Vec<usize> = Vec::new();
    let mut at = (0, 1);
    for (index, (row, setter)) in rows.iter().zip(&setters).enumerate() {
        let begin = lines.len();
        let is_here = index == screen.selected;
        let of_row = row_lines(theme, row, (column, room), (setter, beside));
        for (part, line) in of_row.into_iter().enumerate() {
            let line = if part == 0 || !is_here {
                list_line(theme, line, is_here)
            } else {
                indented(line, "  ").patch_style(theme.style(Token::Selected))
            };
            lines.push(line);
            owners.push(index);
        }
        if is_here {
            at = (begin, lines.len());
        }
    }
    let height = usize::from(area.height);
    let first =
        at.1.saturating_sub(height)
            .max(at.0.saturating_sub(height / 2));
    let first = first.min(lines.len().saturating_sub(height)).min(at.0);
    app.hits.add(area, Hit::Part(Part::List));
    for (y, owner) in (area.top()..area.bottom()).zip(owners.into_iter().skip(first)) {
        app.hits.line(area, y, Hit::Row(Part::List, owner));
    }
    let shown: Vec<Line<'_>> = lines.into_iter().skip(first).take(height).collect();
    frame.render_widget(Paragraph::new(shown), area);
}

/// The path as people read it.
fn name(row: &Row<'_>) -> String {
    let path = match row {
        Row::Differs(entry, _) => entry.label.as_deref().unwrap_or(&entry.path),
        Row::Same(path, _) => path,
    };
    let path = path.strip_prefix('/').unwrap_or(path);
    if path.is_empty() {
        "(all)".to_owned()
    } else {
        safe(path).into_owned()
    }
}

/// What set the later side, or the earlier one where only that is there.
fn setter(app: &App, row: &Row<'_>, pattern: Pattern) -> String {
    let Row::Differs(_, Some(DiffBlame { before, after, .. })) = row else {
        return String::new();
    };
    let Some(DiffSetBy { revision, event }) = after.as_ref().or(before.as_ref()) else {
        return String::new();
    };
    let Some(event) = event else {
        return "at the start".to_owned();
    };
    let actor = safe(event.actor.as_deref().unwrap_or("(no actor)")).into_owned();
    let when = app.zone.show(event.recorded_at, pattern);
    format!("rev {revision} · {actor} · {when}")
}

fn row_lines(
    theme: Theme,
    row: &Row<'_>,
    (column, room): (usize, usize),
    (setter, beside): (&str, usize),
) -> Vec<Line<'static>> {
    let (mark, token, parts) = match row {
        Row::Same(_, value) => (" ", Token::Plain, state::folded(&state::text(value), room)),
        Row::Differs(entry, _) => difference(theme, entry, room),
    };
    let mut lines = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        let (mark, name, set) = if index == 0 {
            (mark, cut(&name(row), column), setter)
        } else {
            (" ", String::new(), "")
        };
        let mut spans = vec![
            Span::styled(format!("{mark} "), theme.style(token)),
            Span::styled(fit(&name, column), theme.style(Token::Muted)),
            Span::raw("  "),
            Span::styled(
                if beside > 0 {
                    fit(part, room)
                } else {
                    part.clone()
                },
                theme.style(token),
            ),
        ];
        if beside > 0 {
            spans.push(Span::styled(
                format!("  {}", cut(set, beside)),
                theme.style(Token::Muted),
            ));
        }
        lines.push(Line::from(spans));
    }
    if beside == 0 && !setter.is_empty() {
        let glyph = theme.glyph(Glyph::Here);
        let text = format!("  {}  {glyph} {setter}", " ".repeat(column));
        lines.push(Line::styled(
            cut(&text, column + room + 4),
            theme.style(Token::Muted),
        ));
    }
    lines
}

/// The values of a difference: in one line where there is room.
fn difference(theme: Theme, entry: &DiffEntry, room: usize) -> (&'static str, Token, Vec<String>) {
    let text = |value: &Option<Value>| value.as_ref().map(state::text).unwrap_or_default();
    let (before, after) = (text(&entry.before), text(&entry.after));
    match entry.op {
        DiffOp::Add => ("+", Token::Added, state::folded(&after, room)),
        DiffOp::Remove => ("-", Token::Removed, state::folded(&before, room)),
        DiffOp::Replace => {
            let after = state::noted(&after, entry);
            (
                "~",
                Token::Changed,
                state::changed(theme, &before, &after, room),
            )
        }
    }
}
