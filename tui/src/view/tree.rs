//! A tree on screen: a row a value, what holds others with a mark, the path of the selected one on the frame.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use serde_json::Value;

use super::first_row;
use crate::model::tree::{Node, Tree};
use crate::text::{clause, counted, cut, safe, width};
use crate::theme::{Theme, Token};
use whodunit_core::shown::value as text;

/// Draws the rows around the selected one, below some lines that belong to it, and on the frame what is selected and how many
/// rows stand below the edge.
pub(super) fn draw(
    theme: Theme,
    frame: &mut Frame<'_>,
    inner: Rect,
    (mut head, value, tree): (Vec<Line<'static>>, &Value, &Tree),
) {
    let cells = usize::from(inner.width);
    let (nodes, more) = tree.nodes(value);
    head.extend((more > 0).then(|| {
        let text = format!("… {} not shown", clause(more as u64, "more value", "is"));
        Line::styled(text, theme.style(Token::Warn))
    }));
    let selected = tree.selected.min(nodes.len().saturating_sub(1));
    // All lines of the selected row: its value stands there in full.
    let mut lines = head;
    let mut at = (0, 1);
    for (index, node) in nodes.iter().enumerate() {
        let is_here = index == selected;
        let begin = lines.len();
        lines.extend(rows(theme, node, is_here, cells));
        if is_here {
            at = (begin, lines.len());
        }
    }
    let height = usize::from(inner.height);
    let first = if selected == 0 {
        0
    } else {
        first_row(at.0, lines.len(), height).max(at.1.saturating_sub(height).min(at.0))
    };
    let below = lines.len().saturating_sub(first + height);
    let shown: Vec<Line<'_>> = lines.into_iter().skip(first).take(height).collect();
    frame.render_widget(Paragraph::new(shown), inner);
    on_frame(theme, frame, inner, (nodes.get(selected), tree), below);
}

/// What is selected, or what is searched for; and how many rows stand below.
fn on_frame(
    theme: Theme,
    frame: &mut Frame<'_>,
    inner: Rect,
    (node, tree): (Option<&Node<'_>>, &Tree),
    below: usize,
) {
    let cells = usize::from(inner.width);
    let right = if below > 0 {
        format!(" {below} more below ")
    } else {
        String::new()
    };
    let left = match (&tree.typing, node) {
        (Some(input), _) => format!(" / {}_ ", safe(input.value())),
        (None, Some(node)) if !node.path.is_empty() => format!(" {} ", safe(&node.path)),
        (None, _) => String::new(),
    };
    let left = cut(&left, cells.saturating_sub(width(&right) + 1));
    let style = theme.style(Token::Accent);
    let place = |x: u16, text: &str| {
        Rect::new(
            x,
            inner.bottom(),
            u16::try_from(width(text)).unwrap_or(0),
            1,
        )
    };
    let at = place(inner.x, &left);
    frame.render_widget(Line::styled(left, style), at);
    let columns = u16::try_from(width(&right)).unwrap_or(0);
    let at = place(inner.right().saturating_sub(columns), &right);
    frame.render_widget(Line::styled(right, style), at);
}

/// A row; that of the selected value in as many lines as it takes.
fn rows(theme: Theme, node: &Node<'_>, is_here: bool, cells: usize) -> Vec<Line<'static>> {
    let indent = "  ".repeat(node.depth.min(cells / 4));
    let mark = match (node.holds(), node.is_folded) {
        (None, _) => "  ",
        (Some(_), false) => "- ",
        (Some(_), true) => "+ ",
    };
    let key = safe(&node.key).into_owned();
    let what = match (node.holds(), node.is_folded) {
        (None, _) => text(node.value),
        (Some(_), false) => String::new(),
        (Some(n), true) => format!("… {}", counted(n as u64, "value")),
    };
    let head = format!("{indent}{mark}{key}");
    let gap = if key.is_empty() || what.is_empty() {
        ""
    } else {
        "  "
    };
    let room = cells.saturating_sub(width(&head) + width(gap)).max(8);
    let parts = if is_here {
        crate::text::chunks(&what, room)
    } else {
        vec![cut(&what, room)]
    };
    let style = theme.style(if is_here {
        Token::Selected
    } else {
        Token::Plain
    });
    parts
        .into_iter()
        .enumerate()
        .map(|(index, part)| {
            let (head, token) = if index == 0 {
                (cut(&head, cells), Token::Muted)
            } else {
                (" ".repeat(width(&head).min(cells)), Token::Plain)
            };
            Line::from(vec![
                Span::styled(head, theme.style(token)),
                Span::raw(gap.to_owned()),
                Span::raw(part),
            ])
            .patch_style(style)
        })
        .collect()
}
