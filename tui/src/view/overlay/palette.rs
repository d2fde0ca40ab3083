//! The palette: actions found by name.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use tui_input::Input;

use super::super::first_row;
use super::{open, typed};
use crate::keys::{self, Scope};
use crate::model::App;
use crate::text::fit;
use crate::theme::{Glyph, Token};

pub(super) fn palette(
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
    let first = first_row(selected, found.len(), height);
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
        lines.push(Line::styled("no action matches", theme.style(Token::Muted)));
    }
    frame.render_widget(Paragraph::new(lines), inner);
}
