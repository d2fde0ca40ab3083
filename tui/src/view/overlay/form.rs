//! A form: of a command, an event or a backfill.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::{open, typed};
use crate::model::App;
use crate::model::form::{Form, Kind};
use crate::text::{cut, fit, safe, width, wrap};
use crate::theme::{Glyph, Token};

const KEYS: &str = "Enter on the last field, or Ctrl-s, runs it · Tab: next field · Esc: close";

pub(super) fn form(app: &App, frame: &mut Frame<'_>, body: Rect, form: &Form) {
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
    let keys = wrap(KEYS, cells).into_iter();
    lines.extend(keys.map(|line| Line::styled(line, theme.style(Token::Muted))));
    let height = usize::from(inner.height);
    let first = (focused + 3)
        .saturating_sub(height)
        .min(lines.len().saturating_sub(height));
    frame.render_widget(Paragraph::new(lines.split_off(first)), inner);
}
