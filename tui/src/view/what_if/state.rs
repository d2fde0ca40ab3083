//! The state at the end of a what-if, beside what it was.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;
use whodunit_core::api::what_if::WhatIfOut;

use super::super::state::{folded, hidden_line, text};
use super::super::{awaited, below, pane, warning_lines};
use super::is_old;
use crate::model::App;
use crate::model::fields::{Field, leaves};
use crate::model::what_if::WhatIfScreen;
use crate::request::Slot;
use crate::text::{cut, fit, number, safe, width, wrap};
use crate::theme::{Glyph, Token};

pub(super) fn draw(app: &App, screen: &WhatIfScreen, frame: &mut Frame<'_>, area: Rect) {
    let theme = app.theme;
    let title = match screen.result.value() {
        Some(out) => {
            let old = if is_old(app, screen) {
                " · before the last change"
            } else {
                ""
            };
            format!(
                "state · was {} | what if {}{old}",
                out.actual.revision, out.revision
            )
        }
        None => "state at the end".to_owned(),
    };
    let framed = |below: &str| {
        let title = cut(
            &format!("{title}{below}"),
            usize::from(area.width).saturating_sub(5),
        );
        pane(theme, &title, screen.pane == 2)
    };
    let inner = framed("").inner(area);
    let Some(out) = screen.result.value() else {
        frame.render_widget(framed(""), area);
        if screen.result.failure().is_none() {
            let is_asked = screen.asked.has(Slot::WhatIf);
            awaited(app, frame, inner, "the what-if", is_asked);
        }
        return;
    };
    let cells = usize::from(inner.width);
    let mut lines = warning_lines(theme, &out.warnings, cells);
    lines.extend(state_lines(app, out, cells));
    let scroll = screen
        .state_scroll
        .min(lines.len().saturating_sub(usize::from(inner.height)));
    frame.render_widget(framed(&below(&lines, scroll, inner.height)), area);
    frame.render_widget(
        Paragraph::new(lines.into_iter().skip(scroll).collect::<Vec<_>>()),
        inner,
    );
}

fn state_lines(app: &App, out: &WhatIfOut, cells: usize) -> Vec<Line<'static>> {
    let theme = app.theme;
    let (was, then) = (leaves(&out.actual.state), leaves(&out.state));
    let hidden = [&was, &then].map(|fields| hidden_line(theme, fields.hidden));
    let (was, then) = (was.rows, then.rows);
    let value = |rows: &[Field<'_>], path: &str| {
        let mut rows = rows.iter();
        rows.find(|row| row.path == path)?.value.map(text)
    };
    let changed = |path: &str| {
        out.diff.iter().any(|entry| {
            path == entry.path
                || path
                    .strip_prefix(entry.path.as_str())
                    .is_some_and(|rest| rest.starts_with('/'))
        })
    };
    let mut paths: Vec<&Field<'_>> = was.iter().collect();
    paths.extend(
        then.iter()
            .filter(|row| !was.iter().any(|other| other.path == row.path)),
    );
    let column = paths
        .iter()
        .map(|row| width(&safe(row.name())))
        .max()
        .unwrap_or(0)
        .clamp(6, (cells / 3).max(6));
    let half = cells.saturating_sub(column + 4) / 2;
    let mut lines = vec![Line::styled(
        format!(
            "  {} {} {}",
            fit("", column),
            fit("as it was", half),
            cut("what if", half)
        ),
        theme.style(Token::Muted),
    )];
    for row in paths {
        let (before, after) = (value(&was, &row.path), value(&then, &row.path));
        let (mark, token) = match (&before, &after) {
            (None, _) => ("+", Token::Added),
            (_, None) => ("-", Token::Rejected),
            _ if changed(&row.path) => ("~", Token::Changed),
            _ => (" ", Token::Plain),
        };
        let after = match (&after, token) {
            (_, Token::Plain) => theme.glyph(Glyph::Same).to_owned(),
            (None, _) => "(none)".to_owned(),
            (Some(after), _) => after.clone(),
        };
        let before = before.unwrap_or_else(|| "(none)".to_owned());
        let name = fit(&safe(row.name()), column);
        let texts = field_lines(&format!("{mark} {name}"), &before, &after, half);
        lines.extend(
            texts
                .into_iter()
                .map(|text| Line::styled(text, theme.style(token))),
        );
    }
    lines.extend(hidden.into_iter().flatten().take(1));
    let sum = summary(out);
    lines.push(Line::default());
    lines.extend(
        wrap(&sum, cells)
            .into_iter()
            .map(|line| Line::styled(line, theme.style(Token::Accent))),
    );
    lines
}

/// A field as it was and as it would be, in as many lines as the longer of the two takes.
fn field_lines(head: &str, before: &str, after: &str, half: usize) -> Vec<String> {
    let (before, after) = (folded(before, half), folded(after, half));
    let part =
        |lines: &[String], index: usize| fit(lines.get(index).map_or("", String::as_str), half);
    let line = |index: usize| {
        let head = if index == 0 {
            head.to_owned()
        } else {
            fit("", width(head))
        };
        let text = format!("{head} {} {}", part(&before, index), part(&after, index));
        text.trim_end().to_owned()
    };
    (0..before.len().max(after.len())).map(line).collect()
}

/// The scenario's outcome in one line.
fn summary(out: &WhatIfOut) -> String {
    let mut parts = vec![match out.first_divergence {
        Some(at) => format!("first divergence at revision {at}"),
        None => "no divergence: same as what happened".to_owned(),
    }];
    // Of all steps, loaded or not.
    for (count, word) in [
        (out.outcomes.rejected, "rejected"),
        (out.outcomes.failed, "failed"),
        (out.outcomes.unknown, "unknown"),
    ] {
        if count > 0 {
            parts.push(format!("{} {word}", number(count)));
        }
    }
    if out.outcomes.unknown > 0 {
        parts.push("the state is as if those commands had not been given".to_owned());
    }
    parts.join(" · ")
}
