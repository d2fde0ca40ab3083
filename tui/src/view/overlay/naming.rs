//! The name of a branch: to keep a what-if under, to rename one, or to compare with; or that of a query line.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::{open, typed};
use crate::model::App;
use crate::model::branches::{Naming, Purpose};
use crate::text::{safe, wrap_to};
use crate::theme::Token;

pub(super) fn naming(app: &App, frame: &mut Frame<'_>, body: Rect, naming: &Naming) {
    let theme = app.theme;
    let (title, what) = match &naming.purpose {
        Purpose::Keep => (
            "keep as the branch".to_owned(),
            "a name: letters, digits, `.`, `_` and `-`. It is read like the log, and never written into it",
        ),
        Purpose::Rename(name) => (
            format!("a new name for {}", safe(name)),
            "letters, digits, `.`, `_` and `-`",
        ),
        Purpose::With(name) => (
            format!("compare {} with the branch", safe(name)),
            "the name of another branch; nothing, or `log`, is what happened",
        ),
        Purpose::Line(_) => (
            "save the line by a name".to_owned(),
            "a name: letters, digits, `.`, `_` and `-`. In other lines `@` and the name stand for it, here and in `whodunit find`",
        ),
    };
    let inner = open(app, frame, body, &title, 76, 8);
    let cells = usize::from(inner.width);
    let mut lines = vec![Line::from(
        [
            vec![Span::styled("> ", theme.style(Token::Key))],
            typed(theme, &naming.input, cells.saturating_sub(3), false),
        ]
        .concat(),
    )];
    let mut add = |text: &str, token: Token| {
        let wrapped = wrap_to(&safe(text), cells, 3).into_iter();
        lines.extend(wrapped.map(|line| Line::styled(line, theme.style(token))));
    };
    match (&naming.error, &naming.is_there) {
        (Some(error), Some(_)) => {
            add(error, Token::Error);
            add("Enter again replaces it; or type another name", Token::Warn);
        }
        (Some(error), None) => add(error, Token::Error),
        (None, _) => add(what, Token::Muted),
    }
    frame.render_widget(Paragraph::new(lines), inner);
}
