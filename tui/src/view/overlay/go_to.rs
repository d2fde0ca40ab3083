//! The box that asks for a moment, or on a stream for a revision.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use tui_input::Input;

use super::{open, typed};
use crate::model::{App, Screen};
use crate::text::{safe, wrap_to};
use crate::theme::Token;
use crate::time_input::{Target, parse};
use crate::update::here;
use crate::zone::Zone;

pub(super) fn go_to(
    app: &App,
    front: &Screen,
    frame: &mut Frame<'_>,
    body: Rect,
    (input, error): (&Input, Option<&str>),
) {
    let theme = app.theme;
    let title = match front {
        Screen::Stream(_) => "go to a revision, or hold a moment",
        _ => "hold a moment: states are shown as of it",
    };
    let inner = open(app, frame, body, title, 74, 8);
    let cells = usize::from(inner.width);
    let mut lines = vec![Line::from(
        [
            vec![Span::styled("> ", theme.style(Token::Key))],
            typed(theme, input, cells.saturating_sub(3), false),
        ]
        .concat(),
    )];
    if let Some(error) = error {
        let wrapped = wrap_to(&safe(error), cells, 3).into_iter();
        lines.extend(wrapped.map(|line| Line::styled(line, theme.style(Token::Error))));
        frame.render_widget(Paragraph::new(lines), inner);
        return;
    }
    let muted = |text: &str| Line::styled(text.to_owned(), theme.style(Token::Muted));
    let here = here(app, front);
    lines.push(resolved(app, input.value(), here));
    lines.push(muted(
        "2025-03-24 15:47   Mar 24 15:47   15:47   3:47 PM   yesterday 9:15",
    ));
    lines.push(muted(match front {
        Screen::Stream(_) => "-2d   2h ago   now   3 (a revision)",
        _ => "-2d   2h ago   now",
    }));
    lines.push(muted(match app.zone {
        Zone::Utc => "times without a zone are read as UTC",
        Zone::Local(_) => "times without a zone are read as local time",
    }));
    let day = app.zone.day(here.cursor);
    lines.push(muted(&format!(
        "a time of day is read as of the cursor's day, {day}"
    )));
    frame.render_widget(Paragraph::new(lines), inner);
}

/// What the text will come to, while it is typed.
fn resolved(app: &App, text: &str, here: crate::time_input::Here) -> Line<'static> {
    let style = app.theme.style(Token::Accent);
    if text.trim().is_empty() {
        return Line::default();
    }
    let text = match parse(text, here) {
        Ok(Target::Revision(revision)) => format!("= revision {revision}"),
        Ok(Target::Time(time)) => format!("= as of {}", app.zone.long(time)),
        Ok(Target::Now) => "= now: no moment is held".to_owned(),
        Err(_) => return Line::styled("= …", app.theme.style(Token::Muted)),
    };
    Line::styled(text, style)
}
