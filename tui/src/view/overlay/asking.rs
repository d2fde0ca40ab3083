//! What a long question is about: an outcome, fields, or a rules file.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use whodunit_core::api::minimal::MinimalOf;

use super::{open, typed};
use crate::model::App;
use crate::model::run::{Asking, Typed};
use crate::text::{safe, wrap_to};
use crate::theme::Token;

pub(super) fn asking(app: &App, frame: &mut Frame<'_>, body: Rect, asking: &Asking) {
    let theme = app.theme;
    let (title, what) = match &asking.typed {
        Typed::Inevitable(_) => (
            "how inevitable was it?".to_owned(),
            "the outcome, a condition on the state at the end: /status == \"deleted\". Each command is dropped, one at a time",
        ),
        Typed::Minimal(_, MinimalOf::Commands) => (
            "the fewest commands, rules asked again".to_owned(),
            "the outcome, a condition on the state at the end. Tab: of events as recorded",
        ),
        Typed::Minimal(_, MinimalOf::Events) => (
            "the fewest events, rules not asked".to_owned(),
            "the outcome, a condition on the state at the end. Tab: of commands, the rules asked again",
        ),
        Typed::Undo(_, revision) => (
            format!("undo plan: back to revision {revision}"),
            "the fields that are to be what they were then, by their paths: /status /email. Nothing is written",
        ),
        Typed::Backtest => (
            "back-test: decide the log again under other rules".to_owned(),
            "a rules file; behind it, as on the command line, --actor 'job:*', --since 30d, --until, --category or --approved FILE. \
             `whodunit backtest --help` shows a rules file. Nothing is written",
        ),
    };
    let inner = open(app, frame, body, &title, 76, 8);
    let cells = usize::from(inner.width);
    let mut lines = vec![Line::from(
        [
            vec![Span::styled("> ", theme.style(Token::Key))],
            typed(theme, &asking.input, cells.saturating_sub(3), false),
        ]
        .concat(),
    )];
    let (text, token) = match &asking.error {
        Some(error) => (error.as_str(), Token::Error),
        None => (what, Token::Muted),
    };
    let wrapped = wrap_to(&safe(text), cells, 4).into_iter();
    lines.extend(wrapped.map(|line| Line::styled(line, theme.style(token))));
    frame.render_widget(Paragraph::new(lines), inner);
}
