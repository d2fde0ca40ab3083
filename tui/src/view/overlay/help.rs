//! All keys of a screen, with what the marks mean.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use tui_input::Input;

use super::super::framed_lines;
use super::{open, typed};
use crate::keys::{self, Scope};
use crate::model::App;
use crate::text::{fit, wrap};
use crate::theme::{Glyph, Theme, Token};

/// Cells for the keys of a row.
const KEY_CELLS: usize = 18;

pub(super) fn help(
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
    let cells = usize::from(inner.width);
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
                theme.style(Token::Heading),
            ));
        }
        let keys: Vec<String> = binding
            .keys
            .iter()
            .map(|key| keys::pretty(key, theme.ascii))
            .collect();
        lines.extend(row(theme, &keys.join(" "), binding.help, cells));
    }
    if lines.len() == 1 {
        lines.push(Line::styled("no key matches", theme.style(Token::Muted)));
    }
    lines.extend(legend(theme, cells));
    framed_lines(theme, frame, inner, lines, scroll);
}

/// Keys or a mark, and what they do or mean, in as many lines as that takes.
fn row(theme: Theme, keys: &str, text: &str, cells: usize) -> Vec<Line<'static>> {
    let line = |(index, part): (usize, String)| {
        let keys = if index == 0 { keys } else { "" };
        Line::from(vec![
            Span::styled(
                format!("  {}", fit(keys, KEY_CELLS)),
                theme.style(Token::Key),
            ),
            Span::raw(part),
        ])
    };
    let parts = wrap(text, cells.saturating_sub(KEY_CELLS + 2));
    parts.into_iter().enumerate().map(line).collect()
}

fn legend(theme: Theme, cells: usize) -> Vec<Line<'static>> {
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
        Line::styled("marks", theme.style(Token::Heading)),
    ];
    let rows = marks.into_iter();
    lines.extend(rows.flat_map(|(mark, text)| row(theme, mark, text, cells)));
    lines
}
