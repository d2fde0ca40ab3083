//! The palette: actions found by name.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use tui_input::Input;

use super::super::first_row;
use super::{open, typed};
use crate::keys;
use crate::model::Model;
use crate::model::hits::Part;
use crate::text::fit;
use crate::theme::{Glyph, Token};

pub(super) fn palette(
    model: &Model,
    frame: &mut Frame<'_>,
    body: Rect,
    (filter, selected): (&Input, usize),
) {
    let (app, front) = (&model.app, model.front.scope());
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
    let below = Rect::new(
        inner.x,
        inner.y + 1,
        inner.width,
        inner.height.saturating_sub(1),
    );
    app.hits.rows(below, Part::Box, first, found.len());
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
        let why_not = binding.why_not(model);
        let what = match why_not {
            Some(why) => format!("{} (not now: {why})", binding.help),
            None => binding.help.to_owned(),
        };
        let text = format!("{mark} {} {key}", fit(&what, cells.saturating_sub(16)));
        let token = match (index == selected, why_not) {
            (true, _) => Token::Selected,
            (false, Some(_)) => Token::Muted,
            (false, None) => Token::Plain,
        };
        lines.push(Line::styled(fit(&text, cells), theme.style(token)));
    }
    if found.is_empty() {
        lines.push(Line::styled("no action matches", theme.style(Token::Muted)));
    }
    frame.render_widget(Paragraph::new(lines), inner);
}
