//! What differs between two revisions.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use serde_json::Value;
use whodunit_core::diff::{DiffEntry, DiffOp};

use super::super::{awaited, failure, framed_lines, state, warning_lines};
use super::open;
use crate::model::App;
use crate::model::stream::StreamScreen;
use crate::request::Slot;
use crate::text::{fit, safe};
use crate::theme::{Theme, Token};

/// How wide the box is at most, and how high at least where there is room.
const COLUMNS: u16 = 100;
const ROWS_LEAST: u16 = 20;
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
    let title = "diff · Esc closes";
    let columns = body.width.min(COLUMNS);
    let cells = usize::from(columns.saturating_sub(2));
    let Some(diff) = stream.diff.value() else {
        let inner = open(app, frame, body, title, columns, ROWS_LEAST);
        return match stream.diff.failure() {
            Some(why) => failure(app, frame, inner, why),
            None => {
                let is_asked = stream.asked.has(Slot::Diff);
                awaited(app, frame, inner, "the diff", is_asked);
            }
        };
    };
    let heading = format!("from revision {} to revision {}", diff.from, diff.to);
    let mut lines = vec![
        Line::styled(heading, theme.style(Token::Heading)),
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
    let rows = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX);
    let inner = open(app, frame, body, title, columns, rows.max(ROWS_LEAST));
    framed_lines(theme, frame, inner, lines, scroll);
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
