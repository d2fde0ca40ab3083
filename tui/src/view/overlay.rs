//! What lies over the screen: boxes with help, choices, forms, details and errors.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph};
use serde_json::Value;
use tui_input::Input;
use whodunit_core::api::browse::Category;
use whodunit_core::diff::DiffOp;

use super::{failure, loading, pane, pipeline_overlay, state, status, warning_lines};
use crate::keys::{self, Scope};
use crate::model::form::{Form, Kind};
use crate::model::stream::{Row, StreamScreen};
use crate::model::what_if::WhatIfScreen;
use crate::model::{App, Model, Overlay, Remote, Screen};
use crate::text::{cut, fit, number, safe, width, wrap};
use crate::theme::{Glyph, Theme, Token};

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, body: Rect) {
    let app = &model.app;
    let Some(overlay) = &app.overlay else {
        return;
    };
    let scope = model.front.scope();
    match (overlay, &model.front) {
        (Overlay::Help { filter, scroll }, _) => help(app, frame, body, scope, (filter, *scroll)),
        (Overlay::Palette { filter, selected }, _) => {
            palette(app, frame, body, scope, (filter, *selected));
        }
        (Overlay::Category { selected }, Screen::Streams(screen)) => {
            category(app, frame, body, &screen.categories, *selected);
        }
        (Overlay::GoTo { input, error }, _) => go_to(app, frame, body, input, error.as_deref()),
        (Overlay::Detail { scroll }, Screen::Stream(screen)) => {
            detail(app, screen, frame, body, *scroll);
        }
        (Overlay::Diff { scroll }, Screen::Stream(screen)) => {
            diff(app, screen, frame, body, *scroll);
        }
        (Overlay::Commands { selected }, Screen::WhatIf(screen)) => {
            commands(app, screen, frame, body, *selected);
        }
        (Overlay::Form(form), _) => draw_form(app, frame, body, form),
        (Overlay::Projection { scroll }, Screen::Pipeline(screen)) => {
            pipeline_overlay::projection(app, screen, frame, body, *scroll);
        }
        (Overlay::Findings { selected }, Screen::Pipeline(screen)) => {
            pipeline_overlay::findings(app, screen, frame, body, *selected);
        }
        (Overlay::Confirm(what), _) => pipeline_overlay::confirm(app, frame, body, what),
        _ => {}
    }
}

/// A box in the middle of the body, at most this large.
pub(super) fn open(
    app: &App,
    frame: &mut Frame<'_>,
    body: Rect,
    title: &str,
    columns: u16,
    rows: u16,
) -> Rect {
    let (columns, rows) = (columns.min(body.width), rows.min(body.height));
    let area = Rect::new(
        body.x + (body.width - columns) / 2,
        body.y + (body.height - rows) / 2,
        columns,
        rows,
    );
    let block = pane(app.theme, title, true);
    let inner = block.inner(area);
    frame.render_widget(Clear, area);
    frame.render_widget(block, area);
    inner
}

/// An input with its cursor; a long text shows its end.
fn typed(theme: Theme, input: &Input, cells: usize, masked: bool) -> Vec<Span<'static>> {
    let value: String = if masked {
        "*".repeat(input.value().chars().count())
    } else {
        safe(input.value()).into_owned()
    };
    let at = input.cursor();
    let (before, after): (String, String) = (
        value.chars().take(at).collect(),
        value.chars().skip(at).collect(),
    );
    let mut before = before;
    while width(&before) + 1 > cells && !before.is_empty() {
        before.remove(0);
    }
    let under: String = after.chars().take(1).collect();
    let rest: String = after.chars().skip(1).collect();
    let room = cells.saturating_sub(width(&before) + 1);
    let cursor = if under.is_empty() {
        " ".to_owned()
    } else {
        under
    };
    vec![
        Span::raw(before),
        Span::styled(cursor, theme.style(Token::Selected)),
        Span::raw(cut(&rest, room)),
    ]
}

fn help(
    app: &App,
    frame: &mut Frame<'_>,
    body: Rect,
    front: Scope,
    (filter, scroll): (&Input, usize),
) {
    let theme = app.theme;
    let inner = open(
        app,
        frame,
        body,
        "keys · type to filter · Esc closes",
        84,
        body.height,
    );
    let mut lines = vec![Line::from(
        [
            vec![Span::styled("/ ", theme.style(Token::Key))],
            typed(theme, filter, 40, false),
        ]
        .concat(),
    )];
    let mut scope: Option<Scope> = None;
    for binding in keys::matching(front, filter.value()) {
        if scope != Some(binding.scope) {
            scope = Some(binding.scope);
            lines.push(Line::styled(
                binding.scope.title(),
                theme.style(Token::Title),
            ));
        }
        let keys: Vec<String> = binding
            .keys
            .iter()
            .map(|key| keys::pretty(key, theme.ascii))
            .collect();
        lines.push(Line::from(vec![
            Span::styled(
                format!("  {}", fit(&keys.join(" "), 18)),
                theme.style(Token::Key),
            ),
            Span::raw(binding.help),
        ]));
    }
    if lines.len() == 1 {
        lines.push(Line::styled("no key does that", theme.style(Token::Muted)));
    }
    lines.extend(legend(theme));
    let scroll = scroll.min(lines.len().saturating_sub(usize::from(inner.height)));
    frame.render_widget(Paragraph::new(lines.split_off(scroll)), inner);
}

fn legend(theme: Theme) -> Vec<Line<'static>> {
    let marks = [
        ("+ - ~", "added, removed, changed"),
        (
            theme.glyph(Glyph::Rejected),
            "a rejected command, or a refused call",
        ),
        (
            "? !",
            "an event type unknown to the model; an event that could not be applied",
        ),
        (theme.glyph(Glyph::Stalled), "a stalled projection"),
        (
            theme.glyph(Glyph::Held),
            "a job blocked by an earlier one of its stream",
        ),
        (theme.glyph(Glyph::Mark), "the marked revision"),
    ];
    let mut lines = vec![
        Line::default(),
        Line::styled("marks", theme.style(Token::Title)),
    ];
    lines.extend(marks.map(|(mark, text)| {
        Line::from(vec![
            Span::styled(format!("  {}", fit(mark, 18)), theme.style(Token::Key)),
            Span::raw(text),
        ])
    }));
    lines
}

fn palette(
    app: &App,
    frame: &mut Frame<'_>,
    body: Rect,
    front: Scope,
    (filter, selected): (&Input, usize),
) {
    let theme = app.theme;
    let inner = open(app, frame, body, "palette", 76, 18);
    let cells = usize::from(inner.width);
    let mut lines = vec![Line::from(
        [
            vec![Span::styled(": ", theme.style(Token::Key))],
            typed(theme, filter, 50, false),
        ]
        .concat(),
    )];
    let found = keys::matching(front, filter.value());
    let height = usize::from(inner.height).saturating_sub(1);
    let first = super::first_row(selected, found.len(), height);
    for (index, binding) in found.iter().enumerate().skip(first).take(height) {
        let key = binding
            .keys
            .first()
            .map(|key| keys::pretty(key, theme.ascii))
            .unwrap_or_default();
        let mark = if index == selected {
            theme.glyph(Glyph::Cursor)
        } else {
            " "
        };
        let text = format!(
            "{mark} {} {}",
            fit(binding.help, cells.saturating_sub(16)),
            key
        );
        let token = if index == selected {
            Token::Selected
        } else {
            Token::Plain
        };
        lines.push(Line::styled(fit(&text, cells), theme.style(token)));
    }
    if found.is_empty() {
        lines.push(Line::styled(
            "no action is called that",
            theme.style(Token::Muted),
        ));
    }
    frame.render_widget(Paragraph::new(lines), inner);
}

pub(super) fn choice(theme: Theme, selected: bool, text: &str, cells: usize) -> Line<'static> {
    let mark = if selected {
        theme.glyph(Glyph::Cursor)
    } else {
        " "
    };
    let token = if selected {
        Token::Selected
    } else {
        Token::Plain
    };
    Line::styled(fit(&format!("{mark} {text}"), cells), theme.style(token))
}

fn category(
    app: &App,
    frame: &mut Frame<'_>,
    body: Rect,
    categories: &Remote<Vec<Category>>,
    selected: usize,
) {
    let theme = app.theme;
    let inner = open(app, frame, body, "category", 66, 20);
    if let Some(why) = categories.failure() {
        return failure(app, frame, inner, why);
    }
    let Some(list) = categories.value() else {
        return loading(app, frame, inner, "categories");
    };
    let cells = usize::from(inner.width);
    let height = usize::from(inner.height);
    let rows = std::iter::once("all categories".to_owned()).chain(list.iter().map(|category| {
        format!(
            "{} {:>8} streams {:>9} events  {}",
            fit(&safe(&category.category), 16),
            number(category.streams),
            number(category.events),
            safe(&category.model)
        )
    }));
    let first = super::first_row(selected, list.len() + 1, height);
    let lines: Vec<Line<'_>> = rows
        .enumerate()
        .skip(first)
        .take(height)
        .map(|(index, text)| choice(theme, index == selected, &text, cells))
        .collect();
    frame.render_widget(Paragraph::new(lines), inner);
}

fn go_to(app: &App, frame: &mut Frame<'_>, body: Rect, input: &Input, error: Option<&str>) {
    let theme = app.theme;
    let inner = open(app, frame, body, "go to a revision or a time", 74, 7);
    let cells = usize::from(inner.width);
    let mut lines = vec![Line::from(
        [
            vec![Span::styled("> ", theme.style(Token::Key))],
            typed(theme, input, cells.saturating_sub(3), false),
        ]
        .concat(),
    )];
    match error {
        Some(error) => {
            let wrapped = wrap(&safe(error), cells).into_iter().take(3);
            lines.extend(wrapped.map(|line| Line::styled(line, theme.style(Token::Error))));
        }
        None => {
            lines.push(Line::default());
            lines.push(Line::styled(
                "3   2025-03-24 15:47   15:47   3:47 PM   -2d",
                theme.style(Token::Muted),
            ));
            let zone = format!("times without a zone are read as {}", app.zone.name());
            lines.push(Line::styled(zone, theme.style(Token::Muted)));
        }
    }
    frame.render_widget(Paragraph::new(lines), inner);
}

/// A JSON value in lines, safe to show.
pub(super) fn pretty(value: &Value) -> Vec<String> {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.lines().map(|line| safe(line).into_owned()).collect()
}

fn detail(app: &App, stream: &StreamScreen, frame: &mut Frame<'_>, body: Rect, scroll: usize) {
    let inner = open(app, frame, body, "event · Esc closes", 100, body.height);
    let cells = usize::from(inner.width);
    let mut lines = Vec::new();
    if let Some(step) = stream.step() {
        let theme = app.theme;
        lines.push(("in the pipeline".to_owned(), theme.style(Token::Title)));
        for (_, text, token) in status::facts(app, stream, &step.event) {
            lines.push((text, theme.style(token)));
        }
    }
    lines.extend(detail_lines(app.theme, stream));
    let lines: Vec<Line<'_>> = lines
        .into_iter()
        .flat_map(|(text, style)| {
            wrap(&text, cells)
                .into_iter()
                .map(move |part| Line::styled(part, style))
        })
        .collect();
    let scroll = scroll.min(lines.len().saturating_sub(usize::from(inner.height)));
    frame.render_widget(
        Paragraph::new(lines.into_iter().skip(scroll).collect::<Vec<_>>()),
        inner,
    );
}

fn detail_lines(theme: Theme, stream: &StreamScreen) -> Vec<(String, ratatui::style::Style)> {
    let (plain, title) = (theme.style(Token::Plain), theme.style(Token::Title));
    let mut out = Vec::new();
    let mut json = |heading: &str, value: Result<Value, serde_json::Error>| {
        out.push((heading.to_owned(), title));
        out.extend(
            pretty(&value.unwrap_or_default())
                .into_iter()
                .map(|line| (line, plain)),
        );
    };
    match stream.cursor {
        Row::Rejected(index) => {
            if let Some(decision) = stream.rejected(index) {
                json("decision", serde_json::to_value(decision));
            }
        }
        Row::Revision(revision) => match stream.steps.get(&revision) {
            Some(step) => {
                json("event as recorded", serde_json::to_value(&step.event));
                if let Some(upcast) = &step.upcast {
                    json("as the model reads it", serde_json::to_value(upcast));
                }
            }
            None if revision == 0 => out.push((
                "revision 0 is the empty stream before its first event".to_owned(),
                plain,
            )),
            None => out.push(("the event is still loading".to_owned(), plain)),
        },
    }
    out
}

fn diff(app: &App, stream: &StreamScreen, frame: &mut Frame<'_>, body: Rect, scroll: usize) {
    let theme = app.theme;
    let inner = open(app, frame, body, "diff · Esc closes", 100, 20);
    if let Some(why) = stream.diff.failure() {
        return failure(app, frame, inner, why);
    }
    let Some(diff) = stream.diff.value() else {
        return loading(app, frame, inner, "the diff");
    };
    let cells = usize::from(inner.width);
    let heading = format!("from revision {} to revision {}", diff.from, diff.to);
    let mut lines = vec![
        Line::styled(heading, theme.style(Token::Title)),
        Line::default(),
    ];
    lines.splice(1..1, warning_lines(theme, &diff.warnings, cells));
    if diff.diff.is_empty() {
        lines.push(Line::styled(
            "the two states are the same",
            theme.style(Token::Muted),
        ));
    }
    let arrow = if theme.ascii { "->" } else { "→" };
    for entry in &diff.diff {
        let (before, after) = (
            entry.before.as_ref().map(state::text),
            entry.after.as_ref().map(state::text),
        );
        let (mark, token, text) = match entry.op {
            DiffOp::Add => ("+", Token::Added, after.unwrap_or_default()),
            DiffOp::Remove => ("-", Token::Removed, before.unwrap_or_default()),
            DiffOp::Replace => (
                "~",
                Token::Changed,
                format!(
                    "{} {arrow} {}",
                    before.unwrap_or_default(),
                    after.unwrap_or_default()
                ),
            ),
        };
        let path = entry.label.as_ref().unwrap_or(&entry.path);
        let name = fit(&safe(path.trim_start_matches('/')), 20);
        lines.push(Line::styled(
            cut(&format!("{mark} {name} {text}"), cells),
            theme.style(token),
        ));
    }
    let scroll = scroll.min(lines.len().saturating_sub(usize::from(inner.height)));
    frame.render_widget(Paragraph::new(lines.split_off(scroll)), inner);
}

fn commands(app: &App, screen: &WhatIfScreen, frame: &mut Frame<'_>, body: Rect, selected: usize) {
    let theme = app.theme;
    let specs = screen.model.value().map_or(&[][..], |m| &m.commands);
    let rows = u16::try_from(specs.len()).unwrap_or(16).min(16) + 2;
    let inner = open(
        app,
        frame,
        body,
        "which command? the rules will decide",
        72,
        rows,
    );
    let cells = usize::from(inner.width);
    let first = super::first_row(selected, specs.len(), usize::from(inner.height));
    let lines: Vec<Line<'_>> = specs
        .iter()
        .enumerate()
        .skip(first)
        .map(|(index, spec)| {
            let text = format!("{} {}", fit(&safe(&spec.name), 18), safe(&spec.description));
            choice(theme, index == selected, &text, cells)
        })
        .collect();
    frame.render_widget(Paragraph::new(lines), inner);
}

fn draw_form(app: &App, frame: &mut Frame<'_>, body: Rect, form: &Form) {
    let theme = app.theme;
    let rows = u16::try_from(form.fields.len()).unwrap_or(20) * 2 + 4;
    let inner = open(app, frame, body, &safe(&form.title), 92, rows);
    let cells = usize::from(inner.width);
    let column = form
        .fields
        .iter()
        .map(|field| width(&field.title))
        .max()
        .unwrap_or(8)
        + 3;
    let mut lines = Vec::new();
    let mut focused = 0;
    for (index, field) in form.fields.iter().enumerate() {
        let here = index == form.focus;
        if here {
            focused = lines.len();
        }
        let mark = if here {
            theme.glyph(Glyph::Cursor)
        } else {
            " "
        };
        // At the name, not before the value: a `*` there would be read as "all".
        let star = if field.required { "*" } else { "" };
        let name = format!(
            "{}{star}",
            cut(&safe(&field.title), column.saturating_sub(3))
        );
        let label = format!("{mark}{} ", fit(&name, column.saturating_sub(2)));
        let mut spans = vec![Span::styled(
            label,
            theme.style(if here { Token::Accent } else { Token::Muted }),
        )];
        let room = cells.saturating_sub(column + 1);
        if here {
            spans.extend(typed(theme, &field.input, room, field.kind == Kind::Secret));
        } else {
            let value = if field.kind == Kind::Secret {
                "*".repeat(field.input.value().chars().count())
            } else {
                safe(field.input.value()).into_owned()
            };
            spans.push(Span::raw(cut(&value, room)));
        }
        lines.push(Line::from(spans));
        let touched = form.submitted || !field.input.value().is_empty();
        let note = match &field.error {
            Some(error) if touched => (error.clone(), Token::Error),
            _ => (field.rule.clone(), Token::Muted),
        };
        lines.push(Line::styled(
            cut(&format!("{}{}", " ".repeat(column), safe(&note.0)), cells),
            theme.style(note.1),
        ));
    }
    lines.push(Line::styled(
        "Enter on the last field (or Ctrl-s) runs it · Tab next · Esc closes",
        theme.style(Token::Muted),
    ));
    let height = usize::from(inner.height);
    let first = (focused + 3)
        .saturating_sub(height)
        .min(lines.len().saturating_sub(height));
    frame.render_widget(Paragraph::new(lines.split_off(first)), inner);
}
