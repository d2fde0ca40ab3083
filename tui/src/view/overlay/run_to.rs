//! The box that asks for a condition to run to.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use tui_input::Input;

use super::{open, typed};
use crate::model::App;
use crate::model::stream::StreamScreen;
use crate::request::Slot;
use crate::text::{cut, safe, wrap_to};
use crate::theme::Token;
use crate::update::candidates;

/// Candidates shown at most.
const CANDIDATES_MAX: usize = 12;

pub(super) fn run_to(
    app: &App,
    screen: &StreamScreen,
    frame: &mut Frame<'_>,
    body: Rect,
    (input, error): (&Input, Option<&str>),
) {
    let theme = app.theme;
    let inner = open(app, frame, body, "run to the next revision where …", 90, 9);
    let cells = usize::from(inner.width);
    let muted = |text: String| Line::styled(text, theme.style(Token::Muted));
    let mut lines = vec![Line::from(
        [
            vec![Span::styled("> ", theme.style(Token::Key))],
            typed(theme, input, cells.saturating_sub(3), false),
        ]
        .concat(),
    )];
    if screen.asked.has(Slot::RunTo) {
        lines.push(muted("looking …".to_owned()));
    } else if let Some(error) = error {
        let wrapped = wrap_to(&safe(error), cells, 4).into_iter();
        lines.extend(wrapped.map(|line| Line::styled(line, theme.style(Token::Error))));
    } else {
        let found = candidates(screen, input);
        let names = found.iter().take(CANDIDATES_MAX).map(|path| safe(path));
        let names = names.collect::<Vec<_>>().join("  ");
        let more = found.len().saturating_sub(CANDIDATES_MAX);
        let names = match (names.is_empty(), more) {
            (true, _) => {
                "/status == \"suspended\"   changed(\"/email\")   event.actor == \"api\"".to_owned()
            }
            (false, 0) => names,
            (false, more) => format!("{names}  … {more} more"),
        };
        lines.extend(wrap_to(&names, cells, 3).into_iter().map(muted));
    }
    let keys = "Enter runs on · Ctrl-b runs back · Tab completes a field · Esc closes";
    let room = usize::from(inner.height);
    lines.resize(lines.len().max(room.saturating_sub(1)), Line::default());
    lines.truncate(room.saturating_sub(1));
    lines.push(muted(cut(keys, cells)));
    frame.render_widget(Paragraph::new(lines), inner);
}
