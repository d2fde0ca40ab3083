//! A query line: what is typed, what is wrong with it and where, and the names that go on from the cursor.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::overlay::typed;
use crate::model::line::{Completion, Key, QueryLine};
use crate::model::{App, Remote};
use crate::text::{cut, fit, number, safe, width};
use crate::theme::Token;

/// What stands before the line.
const PROMPT: &str = " / ";

/// Rows that a line takes with what stands below it.
pub(super) fn rows(line: &QueryLine) -> u16 {
    match (&line.error, &line.completion) {
        (Some(error), _) => 3 + u16::from(error.hint.is_some()),
        (None, Some(_)) => 2,
        (None, None) => 1,
    }
}

/// Draws it, with a text at its right end; `empty` says what no line means.
pub(super) fn draw(
    app: &App,
    line: &QueryLine,
    frame: &mut Frame<'_>,
    area: Rect,
    (right, empty): (Span<'static>, &str),
) {
    let theme = app.theme;
    let cells = usize::from(area.width);
    let room = cells.saturating_sub(width(&right.content) + width(PROMPT) + 2);
    let mut first = vec![Span::styled(PROMPT, theme.style(Token::Key))];
    if line.typing {
        let shown = typed(theme, &line.input, room, false);
        let used: usize = shown.iter().map(|span| width(&span.content)).sum();
        first.extend(shown);
        first.push(Span::raw(" ".repeat(room.saturating_sub(used))));
    } else if line.text().is_empty() {
        first.push(Span::styled(fit(empty, room), theme.style(Token::Muted)));
    } else {
        first.push(Span::raw(fit(&safe(line.text()), room)));
    }
    first.push(Span::raw(" "));
    first.push(right);
    let mut lines = vec![Line::from(first)];
    if let Some(error) = &line.error {
        // A line that is longer than its room shows its end: then a caret would stand wrong.
        let shown_text = safe(line.text());
        let is_whole = width(&shown_text) < room;
        let before: String = line
            .text()
            .chars()
            .take(error.column.saturating_sub(1))
            .collect();
        let caret = if is_whole {
            format!("{}^", " ".repeat(width(PROMPT) + width(&safe(&before))))
        } else {
            String::new()
        };
        let message = format!("   at column {}: {}", error.column, safe(&error.message));
        lines.push(Line::styled(caret, theme.style(Token::Error)));
        lines.push(Line::styled(
            cut(&message, cells),
            theme.style(Token::Error),
        ));
        if let Some(hint) = &error.hint {
            let hint = format!("   {}", safe(hint));
            lines.push(Line::styled(cut(&hint, cells), theme.style(Token::Muted)));
        }
    } else if let Some(completion) = &line.completion {
        lines.push(names(app, completion, cells));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

/// The names in one row, as many as fit.
pub(super) fn names(app: &App, completion: &Completion, cells: usize) -> Line<'static> {
    let theme = app.theme;
    let label = format!("   {}: ", completion.begun.key.label());
    let mut spans = vec![Span::styled(label.clone(), theme.style(Token::Muted))];
    let mut used = width(&label);
    let found = match &completion.names {
        Remote::Ready(names) | Remote::Loading(Some(names)) => names.as_slice(),
        Remote::Loading(None) => {
            spans.push(Span::styled("…", theme.style(Token::Muted)));
            return Line::from(spans);
        }
        Remote::Absent | Remote::Failed(_) => return Line::from(spans),
    };
    if found.is_empty() {
        let text = cut("none begins so", cells.saturating_sub(used));
        spans.push(Span::styled(text, theme.style(Token::Warn)));
        return Line::from(spans);
    }
    let mut left = completion.more;
    let is_counted = matches!(completion.begun.key, Key::Names(_));
    // Those before the selected one give way to it.
    let first = completion.selected.saturating_sub(3);
    for (index, name) in found.iter().enumerate().skip(first) {
        let mut text = safe(&name.name).into_owned();
        if is_counted {
            text = format!("{text} {}", number(name.events));
        }
        let text = cut(&text, cells / 2);
        if used + width(&text) + 22 > cells && index > first {
            left += (found.len() - index) as u64;
            break;
        }
        used += width(&text) + 2;
        let token = if index == completion.selected {
            Token::Selected
        } else {
            Token::Plain
        };
        spans.push(Span::styled(text, theme.style(token)));
        spans.push(Span::raw("  "));
    }
    let more = if left > 0 {
        format!("{} more  ", number(left))
    } else {
        String::new()
    };
    let text = format!("{more}Tab takes it");
    let room = cells.saturating_sub(used);
    spans.push(Span::styled(cut(&text, room), theme.style(Token::Muted)));
    Line::from(spans)
}
