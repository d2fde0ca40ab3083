//! The box that asks for another point to compare.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::{open, typed};
use crate::client::At;
use crate::model::diff::DiffScreen;
use crate::model::{App, AskedSide};
use crate::text::{safe, wrap_to};
use crate::theme::Token;

pub(super) fn side(
    app: &App,
    screen: &DiffScreen,
    frame: &mut Frame<'_>,
    body: Rect,
    asked: &AskedSide,
) {
    let theme = app.theme;
    let title = if asked.right {
        "compare to"
    } else {
        "compare from"
    };
    let inner = open(app, frame, body, title, 74, 7);
    let cells = usize::from(inner.width);
    let mut first = vec![Span::styled("> ", theme.style(Token::Key))];
    first.extend(typed(theme, &asked.input, cells.saturating_sub(3), false));
    let mut lines = vec![Line::from(first)];
    let muted = |text: &str| Line::styled(text.to_owned(), theme.style(Token::Muted));
    if let Some(error) = &asked.error {
        let wrapped = wrap_to(&safe(error), cells, 3).into_iter();
        lines.extend(wrapped.map(|line| Line::styled(line, theme.style(Token::Error))));
    } else {
        let side = if asked.right {
            &screen.to
        } else {
            &screen.from
        };
        let text = asked.input.value().trim();
        let read = side.read(app, text, screen.time());
        let shown = match read {
            Ok(_) if text.is_empty() => Line::default(),
            Ok(end) => {
                let at = match end.at {
                    At::Head => "its head".to_owned(),
                    At::Revision(revision) => format!("revision {revision}"),
                    At::AsOf(time) => format!("as of {}", app.zone.long(time)),
                };
                let text = format!("= {} · {at}", safe(end.stream.as_str()));
                Line::styled(text, theme.style(Token::Accent))
            }
            Err(_) => muted("= …"),
        };
        lines.push(shown);
        lines.push(muted("3   head   2025-03-24 15:47   yesterday 9:15   -2d"));
        lines.push(muted(
            "of another stream: user-7f3@3   user-7f3@2025-03-24   user-7f3",
        ));
    }
    frame.render_widget(Paragraph::new(lines), inner);
}
