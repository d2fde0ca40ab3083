//! The follow menu: each way with its key and how much lies there.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::open;
use crate::keys::{self, Scope};
use crate::model::App;
use crate::model::follow::Follow;
use crate::model::hits::Part;
use crate::text::{cut, fit, safe, width};
use crate::theme::{Glyph, Token};

/// Cells of a key.
const KEY_CELLS: usize = 3;

pub(super) fn follow(app: &App, frame: &mut Frame<'_>, body: Rect, scope: Scope, menu: &Follow) {
    let theme = app.theme;
    let entries = menu.entries(scope);
    let failure = menu.counts.failure();
    let rows = entries.len() + 2 + usize::from(failure.is_some());
    let rows = u16::try_from(rows).unwrap_or(u16::MAX);
    let inner = open(app, frame, body, "follow · Esc closes", 84, rows);
    let cells = usize::from(inner.width);
    app.hits.rows(inner, Part::Box, 0, entries.len());
    let counts = entries.iter().map(|entry| width(&entry.count)).max();
    let counts = counts.unwrap_or(0).max(10).min(cells / 2);
    let mut lines: Vec<Line<'_>> = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let mark = if index == menu.selected {
            theme.glyph(Glyph::Cursor)
        } else {
            " "
        };
        let key = fit(&keys::pretty(entry.key, theme.ascii), KEY_CELLS);
        let leads = entry.lead.is_some();
        let token = if leads { Token::Plain } else { Token::Muted };
        let room = cells.saturating_sub(KEY_CELLS + counts + 4);
        let line = Line::from(vec![
            Span::raw(format!("{mark} ")),
            Span::styled(
                key,
                theme.style(if leads { Token::Key } else { Token::Muted }),
            ),
            Span::styled(fit(&entry.count, counts), theme.style(Token::Accent)),
            Span::styled(
                format!("  {}", cut(&safe(&entry.what), room)),
                theme.style(token),
            ),
        ]);
        lines.push(if index == menu.selected {
            line.patch_style(theme.style(Token::Selected))
        } else {
            line
        });
    }
    if let Some(failure) = failure {
        let text = format!("  not counted: {}", safe(&failure.message));
        lines.push(Line::styled(cut(&text, cells), theme.style(Token::Error)));
    }
    frame.render_widget(Paragraph::new(lines), inner);
}
