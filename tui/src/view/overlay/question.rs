//! The question that a what-if begins with: each way with its key.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::open;
use crate::client::Subject;
use crate::keys;
use crate::model::App;
use crate::model::hits::Part;
use crate::model::what_if::Question;
use crate::text::{cut, fit, safe};
use crate::theme::{Glyph, Token};

pub(super) fn question(app: &App, frame: &mut Frame<'_>, body: Rect, asked: &Question) {
    let theme = app.theme;
    let choices = asked.choices();
    let rows = u16::try_from(choices.len() + 3).unwrap_or(u16::MAX);
    let inner = open(
        app,
        frame,
        body,
        "what if … · nothing is written · Esc closes",
        84,
        rows,
    );
    let cells = usize::from(inner.width);
    let what = match &asked.subject {
        Subject::Event(event) => format!(
            "{} of {} rev {}",
            event.event_type, event.stream, event.revision
        ),
        Subject::Decision(decision) => {
            format!("{} of {}, refused", decision.command_type, decision.stream)
        }
    };
    let mut lines = vec![Line::styled(
        cut(&safe(&what), cells),
        theme.style(Token::Heading),
    )];
    let list = Rect::new(
        inner.x,
        inner.y + 1,
        inner.width,
        inner.height.saturating_sub(1),
    );
    app.hits.rows(list, Part::Box, 0, choices.len());
    for (index, choice) in choices.iter().enumerate() {
        let selected = index == asked.selected;
        let mark = if selected {
            theme.glyph(Glyph::Cursor)
        } else {
            " "
        };
        let key = fit(&keys::pretty(choice.key, theme.ascii), 3);
        let line = Line::from(vec![
            Span::raw(format!("{mark} ")),
            Span::styled(key, theme.style(Token::Key)),
            Span::raw(cut(&format!("… {}", choice.what), cells.saturating_sub(6))),
        ]);
        lines.push(if selected {
            line.patch_style(theme.style(Token::Selected))
        } else {
            line
        });
    }
    frame.render_widget(Paragraph::new(lines), inner);
}
