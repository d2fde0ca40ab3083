//! The box that asks for a revision or a time.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use tui_input::Input;

use super::{open, typed};
use crate::model::App;
use crate::model::stream::StreamScreen;
use crate::text::{Zone, safe, wrap_to};
use crate::theme::Token;

pub(super) fn go_to(
    app: &App,
    screen: &StreamScreen,
    frame: &mut Frame<'_>,
    body: Rect,
    (input, error): (&Input, Option<&str>),
) {
    let theme = app.theme;
    let inner = open(app, frame, body, "go to a revision or a time", 74, 8);
    let cells = usize::from(inner.width);
    let mut lines = vec![Line::from(
        [
            vec![Span::styled("> ", theme.style(Token::Key))],
            typed(theme, input, cells.saturating_sub(3), false),
        ]
        .concat(),
    )];
    match error {
        Some(error) => {
            let wrapped = wrap_to(&safe(error), cells, 3).into_iter();
            lines.extend(wrapped.map(|line| Line::styled(line, theme.style(Token::Error))));
        }
        None => {
            lines.push(Line::default());
            lines.push(Line::styled(
                "3   2025-03-24 15:47   15:47   3:47 PM   -2d",
                theme.style(Token::Muted),
            ));
            let zone = match app.zone {
                Zone::Utc => "times without a zone are read as UTC",
                Zone::Local(_) => "times without a zone are read as local time",
            };
            lines.push(Line::styled(zone, theme.style(Token::Muted)));
            if let Some(time) = screen.cursor_time() {
                let day = app.zone.format(time, "%a %b %d %Y");
                let text = format!("a time of day is read as of the cursor's day, {day}");
                lines.push(Line::styled(text, theme.style(Token::Muted)));
            }
        }
    }
    frame.render_widget(Paragraph::new(lines), inner);
}
