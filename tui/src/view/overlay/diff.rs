//! What differs between two revisions.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;
use serde_json::Value;
use whodunit_core::diff::{DiffEntry, DiffOp};

use super::super::{awaited, failure, state, warning_lines};
use super::open;
use crate::model::App;
use crate::model::stream::StreamScreen;
use crate::request::Slot;
use crate::text::{fit, safe};
use crate::theme::{Theme, Token};

/// Cells for the path of a difference.
const PATH_CELLS: usize = 20;

pub(super) fn diff(
    app: &App,
    stream: &StreamScreen,
    frame: &mut Frame<'_>,
    body: Rect,
    scroll: usize,
) {
    let theme = app.theme;
    let inner = open(app, frame, body, "diff · Esc closes", 100, 20);
    if let Some(why) = stream.diff.failure() {
        return failure(app, frame, inner, why);
    }
    let Some(diff) = stream.diff.value() else {
        let is_asked = stream.asked.has(Slot::Diff);
        return awaited(app, frame, inner, "the diff", is_asked);
    };
    let cells = usize::from(inner.width);
    let heading = format!("from revision {} to revision {}", diff.from, diff.to);
    let mut lines = vec![
        Line::styled(heading, theme.style(Token::Title)),
        Line::default(),
    ];
    lines.splice(1..1, warning_lines(theme, &diff.warnings, cells));
    if diff.diff.is_empty() {
        lines.push(Line::styled(
            "the two states are the same",
            theme.style(Token::Muted),
        ));
    }
    lines.extend(
        diff.diff
            .iter()
            .flat_map(|entry| diff_lines(theme, entry, cells)),
    );
    let scroll = scroll.min(lines.len().saturating_sub(usize::from(inner.height)));
    frame.render_widget(Paragraph::new(lines.split_off(scroll)), inner);
}

fn diff_lines(theme: Theme, entry: &DiffEntry, cells: usize) -> Vec<Line<'static>> {
    let room = cells.saturating_sub(PATH_CELLS + 3);
    let text = |value: &Option<Value>| value.as_ref().map(state::text).unwrap_or_default();
    let (before, after) = (text(&entry.before), text(&entry.after));
    let (mark, token, parts) = match entry.op {
        DiffOp::Add => ("+", Token::Added, state::folded(&after, room)),
        DiffOp::Remove => ("-", Token::Removed, state::folded(&before, room)),
        DiffOp::Replace => {
            let after = state::noted(&after, entry);
            let parts = state::changed(theme, &before, &after, room);
            ("~", Token::Changed, parts)
        }
    };
    let path = entry.label.as_ref().unwrap_or(&entry.path);
    let names = state::folded(&safe(path.trim_start_matches('/')), PATH_CELLS);
    let line = |index: usize| {
        let part = |lines: &[String]| lines.get(index).cloned().unwrap_or_default();
        let mark = if index == 0 { mark } else { " " };
        let text = format!("{mark} {} {}", fit(&part(&names), PATH_CELLS), part(&parts));
        Line::styled(text.trim_end().to_owned(), theme.style(token))
    };
    (0..names.len().max(parts.len())).map(line).collect()
}
