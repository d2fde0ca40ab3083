//! The name of a file to save a what-if in.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::{open, typed};
use crate::model::App;
use crate::model::what_if::Saving;
use crate::text::{safe, wrap_to};
use crate::theme::Token;

const WHAT: &str =
    "a scenario: the what-if with the answer that it has now. `whodunit check FILE` asks it again";

pub(super) fn save(app: &App, frame: &mut Frame<'_>, body: Rect, saving: &Saving) {
    let theme = app.theme;
    let inner = open(app, frame, body, "save in the file", 76, 8);
    let cells = usize::from(inner.width);
    let mut lines = vec![Line::from(
        [
            vec![Span::styled("> ", theme.style(Token::Key))],
            typed(theme, &saving.input, cells.saturating_sub(3), false),
        ]
        .concat(),
    )];
    let mut add = |text: &str, token: Token| {
        let wrapped = wrap_to(&safe(text), cells, 3).into_iter();
        lines.extend(wrapped.map(|line| Line::styled(line, theme.style(token))));
    };
    match (&saving.error, &saving.is_there) {
        (Some(error), Some(_)) => {
            add(error, Token::Error);
            add(
                "Enter again writes over it; or type another name",
                Token::Warn,
            );
        }
        (Some(error), None) => add(error, Token::Error),
        (None, _) => add(WHAT, Token::Muted),
    }
    frame.render_widget(Paragraph::new(lines), inner);
}
