//! What lies over the screen: boxes with help, choices, forms, details and errors.
//!
//! Owns the box itself and what several of them share. Each kind has its file.

mod asking;
mod category;
mod commands;
mod detail;
mod field;
mod follow;
mod form;
mod go_to;
mod help;
mod naming;
mod narrow;
mod palette;
mod question;
mod run_to;
mod save;
mod side;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Clear;
use serde_json::Value;
use tui_input::Input;

use super::{pane, pipeline_overlay};
use crate::model::{App, Model, Overlay, Screen};
use crate::text::{cut, fit, safe, width};
use crate::theme::{Glyph, Theme, Token};

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, body: Rect) {
    let app = &model.app;
    let Some(overlay) = &app.overlay else {
        return;
    };
    let scope = model.front.scope();
    match (overlay, &model.front) {
        (Overlay::Help { filter, scroll }, _) => {
            help::help(app, frame, body, scope, (filter, *scroll));
        }
        (Overlay::Palette { filter, selected }, _) => {
            palette::palette(model, frame, body, (filter, *selected));
        }
        (Overlay::Category { selected }, Screen::Streams(screen)) => {
            let of = (&screen.categories, &screen.asked);
            category::category(app, frame, body, of, *selected);
        }
        (Overlay::Category { selected }, Screen::World(screen)) => {
            let of = (&screen.categories, &screen.asked);
            category::category(app, frame, body, of, *selected);
        }
        (Overlay::GoTo { input, error }, front) => {
            go_to::go_to(app, front, frame, body, (input, error.as_deref()));
        }
        (Overlay::Follow(menu), _) => follow::follow(app, frame, body, scope, menu),
        (Overlay::Narrow { selected }, Screen::Find(screen)) => {
            let of = (&screen.applied, &screen.summary, screen.differs.value());
            narrow::narrow(app, of, frame, body, *selected);
        }
        (Overlay::Narrow { selected }, Screen::Log(screen)) => {
            let of = (&screen.applied, &screen.summary, None);
            narrow::narrow(app, of, frame, body, *selected);
        }
        (Overlay::Field { selected }, Screen::Stream(screen)) => {
            field::field(app, screen, frame, body, *selected);
        }
        (Overlay::RunTo { input, error }, Screen::Stream(screen)) => {
            run_to::run_to(app, screen, frame, body, (input, error.as_deref()));
        }
        (Overlay::Detail(tree), Screen::Stream(screen)) => {
            detail::detail(app, screen, frame, body, tree);
        }
        (Overlay::Detail(tree), front) => detail::other(app, front, frame, body, tree),
        (Overlay::Side(asked), Screen::Diff(screen)) => {
            side::side(app, screen, frame, body, asked);
        }
        (Overlay::Commands { selected }, Screen::WhatIf(screen)) => {
            commands::commands(app, screen, frame, body, *selected);
        }
        (Overlay::Question(asked), _) => question::question(app, frame, body, asked),
        (Overlay::Save(saving), _) => save::save(app, frame, body, saving),
        (Overlay::Asking(asked), _) => asking::asking(app, frame, body, asked),
        (Overlay::Naming(naming), _) => naming::naming(app, frame, body, naming),
        (Overlay::Form(form), _) => form::form(app, frame, body, form),
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
pub(super) fn typed(theme: Theme, input: &Input, cells: usize, masked: bool) -> Vec<Span<'static>> {
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

/// A JSON value in lines, safe to show.
pub(super) fn pretty(value: &Value) -> Vec<String> {
    let text = crate::json::pretty(value).unwrap_or_default();
    text.lines().map(|line| safe(line).into_owned()).collect()
}
