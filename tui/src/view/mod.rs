//! Views: what the model looks like.
//!
//! Owns the frame common to all screens: top line, body, guide, bottom line, and what lies over them. Pure: reads the
//! model, draws, changes nothing.

mod ascii;
mod branches;
mod causes;
mod columns;
mod compare;
mod diff;
mod find;
mod line;
mod log;
mod marks;
mod overlay;
mod pipeline;
mod pipeline_overlay;
mod projections;
mod run;
pub(crate) mod scrubber;
mod sentence;
mod state;
mod status;
mod stream;
mod streams;
mod top_line;
mod tree;
mod what_if;
mod world;

#[cfg(test)]
mod branches_tests;
#[cfg(test)]
mod pipeline_tests;
#[cfg(test)]
mod room_tests;
#[cfg(test)]
mod run_tests;
#[cfg(test)]
mod tests;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Borders, Paragraph};
use whodunit_core::api::warning::Warning;

use crate::effect::Failure;
use crate::humanize;
use crate::keys;
use crate::model::branches::Purpose;
use crate::model::hits::Hit;
use crate::model::{App, Model, Overlay, Screen};
use crate::text::{cut, fit, safe, width, wrap};
use crate::theme::{Glyph, Theme, Token};

/// Below this a screen says that it needs more room.
const COLUMNS_MIN: u16 = 40;
const ROWS_MIN: u16 = 12;

/// Draws the whole terminal.
pub(crate) fn view(model: &Model, frame: &mut Frame<'_>) {
    let area = frame.area();
    if area.width < COLUMNS_MIN || area.height < ROWS_MIN {
        frame.render_widget(
            Paragraph::new(format!("whodunit needs at least {COLUMNS_MIN}x{ROWS_MIN}")),
            area,
        );
        return;
    }
    let app = &model.app;
    app.hits.clear();
    let [top, body, guide, bottom] = areas(app, area);
    frame.render_widget(top_line::line(model, top.width), top);
    match &model.front {
        Screen::Streams(screen) => streams::draw(app, screen, frame, body),
        Screen::Stream(screen) => stream::draw(app, screen, frame, body),
        Screen::WhatIf(screen) => what_if::draw(app, screen, frame, body),
        Screen::Log(screen) => log::draw(app, screen, frame, body),
        Screen::Find(screen) => find::draw(app, screen, frame, body),
        Screen::Causes(screen) => causes::draw(app, screen, frame, body),
        Screen::Diff(screen) => diff::draw(app, screen, frame, body),
        Screen::World(screen) => world::draw(app, screen, frame, body),
        Screen::Branches(screen) => branches::draw(app, screen, frame, body),
        Screen::Compare(screen) => compare::draw(app, screen, frame, body),
        Screen::Run(screen) => run::draw(app, screen, frame, body),
        Screen::Pipeline(screen) => pipeline::draw(app, screen, frame, body),
    }
    if let Some(step) = app.guide {
        let line = Line::from(vec![
            Span::styled(" guide ", app.theme.style(Token::Selected)),
            Span::raw(" "),
            Span::styled(
                cut(&step.line(), usize::from(guide.width).saturating_sub(9)),
                app.theme.style(Token::Accent),
            ),
        ]);
        frame.render_widget(line, guide);
    }
    let (line, keys) = bottom_line(model, bottom.width);
    frame.render_widget(line, bottom);
    overlay::draw(model, frame, body);
    for (from, cells, key) in keys {
        let place = Rect::new(bottom.x + from, bottom.y, cells, 1);
        app.hits.add(place, Hit::Key(key));
    }
    if app.theme.ascii {
        ascii::only(frame.buffer_mut());
    }
}

fn areas(app: &App, area: Rect) -> [Rect; 4] {
    Layout::vertical([
        Constraint::Length(1),
        Constraint::Min(1),
        Constraint::Length(u16::from(app.guide.is_some())),
        Constraint::Length(1),
    ])
    .areas(area)
}

/// Where a hint stands, how wide it is, and its key.
type Hinted = (u16, u16, &'static str);

fn bottom_line(model: &Model, columns: u16) -> (Line<'static>, Vec<Hinted>) {
    let app = &model.app;
    let (theme, columns) = (app.theme, usize::from(columns));
    if let Some(notice) = &app.notice {
        let token = if notice.is_error {
            Token::Error
        } else {
            Token::Accent
        };
        let text = fit(&format!(" {}", safe(&notice.text)), columns);
        return (Line::styled(text, theme.style(token)), Vec::new());
    }
    let call = safe(&model.call()).into_owned();
    let mut spans = vec![Span::raw(" ")];
    let mut used = 1;
    // The call gets what the hints leave, but a few hints always stay.
    let room = columns.saturating_sub(if columns >= 100 {
        width(&call).min(columns / 3) + 2
    } else {
        0
    });
    let hints = hints(model);
    let pretty = |key: &str| keys::pretty(key, theme.ascii);
    let cells = |(key, label): &(&'static str, &str)| width(&pretty(key)) + 1 + width(label) + 2;
    let mut places = Vec::new();
    // Where not all fit, the last one still does: it leads to the others.
    let mut after: usize = hints.last().map_or(0, cells);
    for (index, hint) in hints.iter().enumerate() {
        if index + 1 == hints.len() {
            after = 0;
        }
        if used + cells(hint) + after > room {
            continue;
        }
        let (key, label) = hint;
        spans.push(Span::styled(pretty(key), theme.style(Token::Key)));
        spans.push(Span::raw(format!(" {label}  ")));
        let cell = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
        places.push((cell(used), cell(cells(hint).saturating_sub(2)), *key));
        used += cells(hint);
    }
    if columns >= 100 {
        let call = cut(&call, columns.saturating_sub(used + 1));
        spans.push(Span::raw(
            " ".repeat(columns.saturating_sub(used + width(&call) + 1)),
        ));
        spans.push(Span::styled(call, theme.style(Token::Muted)));
    }
    (Line::from(spans), places)
}

/// The keys that work here and now, with what they do: those of what lies over the screen, or else of the screen.
fn hints(model: &Model) -> Vec<(&'static str, &'static str)> {
    let app = &model.app;
    let Some(overlay) = &app.overlay else {
        return keys::in_scope(model.front.scope())
            .filter(|binding| binding.hint)
            .filter_map(|binding| Some((*binding.keys.first()?, binding.label)))
            .collect();
    };
    let enter = match overlay {
        Overlay::Palette { .. } | Overlay::Category { .. } | Overlay::Commands { .. } => "choose",
        Overlay::GoTo { .. } => "go",
        Overlay::Side(_) => "compare",
        Overlay::Follow(_) => "follow",
        Overlay::Narrow { .. } => "add, or take off",
        Overlay::Field { .. } => "go there",
        Overlay::RunTo { .. } => "run on",
        Overlay::Form(_) => "next field, or run",
        Overlay::Question(_) => "ask",
        Overlay::Save(_) => "save",
        Overlay::Asking(_) => "ask",
        Overlay::Naming(naming) => match naming.purpose {
            Purpose::Keep => "keep",
            Purpose::Rename(_) => "rename",
            Purpose::With(_) => "compare",
            Purpose::Line(_) => "save",
        },
        Overlay::Findings { .. } => "open",
        Overlay::Confirm(_) => "confirm",
        Overlay::Help { .. } | Overlay::Detail(_) | Overlay::Projection { .. } => {
            return vec![("esc", "close")];
        }
    };
    vec![("enter", enter), ("esc", "close")]
}

/// A line across, with a heading in it and something to say at its right end.
fn rule(theme: Theme, cells: usize, heading: &str, right: &str) -> Line<'static> {
    let stroke = if theme.ascii { "-" } else { "─" };
    let heading = cut(heading, cells.saturating_sub(4));
    let right = if width(&heading) + width(right) + 8 > cells {
        ""
    } else {
        right
    };
    let spaced = |text: &str| {
        if text.is_empty() {
            String::new()
        } else {
            format!(" {text} ")
        }
    };
    let (heading, right) = (spaced(&heading), spaced(right));
    let fill = cells.saturating_sub(2 + width(&heading) + width(&right));
    let muted = theme.style(Token::Muted);
    Line::from(vec![
        Span::styled(stroke, muted),
        Span::styled(heading, theme.style(Token::Heading)),
        Span::styled(stroke.repeat(fill), muted),
        Span::raw(right),
        Span::styled(stroke, muted),
    ])
}

/// A row of a list: the selected one has a mark before it and is set off as a whole.
fn list_line(theme: Theme, line: Line<'static>, selected: bool) -> Line<'static> {
    let mark = if selected {
        theme.glyph(Glyph::Cursor)
    } else {
        " "
    };
    let line = indented(line, &format!("{mark} "));
    if selected {
        line.patch_style(theme.style(Token::Selected))
    } else {
        line
    }
}

/// A line with a text before it.
fn indented(mut line: Line<'static>, before: &str) -> Line<'static> {
    line.spans.insert(0, Span::raw(before.to_owned()));
    line
}

/// A framed pane; the one in focus is marked by its border and by a mark before its title.
fn pane(theme: Theme, title: &str, focused: bool) -> Block<'static> {
    let (mark, token, border) = if focused {
        (theme.glyph(Glyph::Cursor), Token::Accent, BorderType::Thick)
    } else {
        ("", Token::Muted, BorderType::Plain)
    };
    let block = Block::new()
        .borders(Borders::ALL)
        .border_style(theme.style(token))
        .title(Line::styled(
            format!(" {mark}{title} "),
            theme.style(if focused {
                Token::Accent
            } else {
                Token::Heading
            }),
        ));
    if theme.ascii {
        block.border_set(ASCII_BORDER)
    } else {
        block.border_type(border)
    }
}

const ASCII_BORDER: ratatui::symbols::border::Set<'static> = ratatui::symbols::border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

/// Lines in the middle of an area that has nothing else to show.
fn centred(frame: &mut Frame<'_>, area: Rect, lines: &[(String, Style)]) {
    let cells = usize::from(area.width.saturating_sub(4)).max(1);
    let lines: Vec<Line<'_>> = lines
        .iter()
        .flat_map(|(text, style)| {
            wrap(text, cells)
                .into_iter()
                .map(|line| Line::styled(line, *style).centered())
        })
        .collect();
    let height = u16::try_from(lines.len())
        .unwrap_or(area.height)
        .min(area.height);
    let top = area.y + (area.height - height) / 2;
    frame.render_widget(
        Paragraph::new(lines),
        Rect::new(area.x, top, area.width, height),
    );
}

/// Why something is not there, and what to do.
fn failure(app: &App, frame: &mut Frame<'_>, area: Rect, failure: &Failure) {
    let theme = app.theme;
    let mut lines = Vec::new();
    if let Some(code) = &failure.code {
        lines.push((
            format!("{} {code}", theme.glyph(Glyph::Rejected)),
            theme.style(Token::Error),
        ));
    }
    lines.push((safe(&failure.message).into_owned(), Style::new()));
    if let Some(hint) = &failure.hint {
        lines.push((format!("hint: {}", safe(hint)), theme.style(Token::Muted)));
    }
    lines.push(("press r to try again".to_owned(), theme.style(Token::Muted)));
    centred(frame, area, &lines);
}

/// What is not there: because it is on its way, or because that was cancelled.
fn awaited(app: &App, frame: &mut Frame<'_>, area: Rect, what: &str, is_asked: bool) {
    if is_asked {
        return loading(app, frame, area, what);
    }
    let muted = app.theme.style(Token::Muted);
    let lines = [
        (format!("{what}: not loaded"), muted),
        ("press r to load it".to_owned(), muted),
    ];
    centred(frame, area, &lines);
}

fn loading(app: &App, frame: &mut Frame<'_>, area: Rect, what: &str) {
    let text = format!("loading {what} …");
    centred(
        frame,
        area,
        &[
            (text, app.theme.style(Token::Muted)),
            ("Esc cancels".to_owned(), app.theme.style(Token::Muted)),
        ],
    );
}

/// Warnings of a reply, wrapped: what to know before it is relied on.
fn warning_lines<'a>(
    theme: Theme,
    warnings: impl IntoIterator<Item = &'a Warning>,
    cells: usize,
) -> Vec<Line<'static>> {
    warnings
        .into_iter()
        .flat_map(|warning| wrap(&format!("! {}", safe(&humanize::warning(warning))), cells))
        .map(|line| Line::styled(line, theme.style(Token::Warn)))
        .collect()
}

/// Lines within a frame, from one of them on; how many stand below its edge is said on the frame.
fn framed_lines(
    theme: Theme,
    frame: &mut Frame<'_>,
    inner: Rect,
    mut lines: Vec<Line<'_>>,
    scroll: usize,
) {
    let height = usize::from(inner.height);
    let scroll = scroll.min(lines.len().saturating_sub(height));
    let below = lines.len().saturating_sub(scroll + height);
    frame.render_widget(Paragraph::new(lines.split_off(scroll)), inner);
    let text = format!(" {below} more below ");
    let cells = u16::try_from(width(&text)).unwrap_or(u16::MAX);
    if below > 0 && cells < inner.width {
        let place = Rect::new(inner.right() - cells, inner.bottom(), cells, 1);
        frame.render_widget(Line::styled(text, theme.style(Token::Accent)), place);
    }
}

/// The first row to show so that the selected one is in view, kept near the middle.
fn first_row(selected: usize, rows: usize, height: usize) -> usize {
    selected
        .saturating_sub(height / 2)
        .min(rows.saturating_sub(height))
}
