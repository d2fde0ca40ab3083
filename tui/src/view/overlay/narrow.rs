//! What a query line can be narrowed by: its terms to take off, values of the facets to add, and what differs from the rest.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use whodunit_core::api::find::{DiffersOut, SummaryOut};
use whodunit_core::query::Query;

use super::super::first_row;
use super::open;
use crate::model::App;
use crate::model::Remote;
use crate::model::find::{Change, narrowings};
use crate::model::hits::Part;
use crate::text::{cut, fit, safe, width};
use crate::theme::{Glyph, Token};

/// Cells of the group's name.
const GROUP_CELLS: usize = 9;

pub(super) fn narrow(
    app: &App,
    (applied, summary, differs): (&Query, &Remote<SummaryOut>, Option<&DiffersOut>),
    frame: &mut Frame<'_>,
    body: Rect,
    selected: usize,
) {
    let theme = app.theme;
    let all = narrowings(applied, summary.value(), differs);
    let rows = u16::try_from(all.len() + 3).unwrap_or(u16::MAX);
    let title = "narrow · enter adds or takes off, - excludes";
    let inner = open(app, frame, body, title, 90, rows.max(6));
    let cells = usize::from(inner.width);
    let height = usize::from(inner.height.saturating_sub(1));
    let first = first_row(selected, all.len(), height);
    app.hits.rows(inner, Part::Box, first, all.len());
    let mut lines: Vec<Line<'_>> = Vec::new();
    let mut group = "";
    for (index, entry) in all.iter().enumerate().skip(first).take(height) {
        let mark = if index == selected {
            theme.glyph(Glyph::Cursor)
        } else {
            " "
        };
        let name = if group == entry.group {
            ""
        } else {
            entry.group.as_str()
        };
        group = &entry.group;
        let token = match entry.change {
            Change::Nothing => Token::Muted,
            Change::Off(_) | Change::Add(_) => Token::Plain,
        };
        let room = cells.saturating_sub(GROUP_CELLS + width(&entry.count) + 5);
        let line = Line::from(vec![
            Span::raw(format!("{mark} ")),
            Span::styled(fit(name, GROUP_CELLS), theme.style(Token::Muted)),
            Span::styled(fit(&safe(&entry.text), room), theme.style(token)),
            Span::styled(format!("  {}", entry.count), theme.style(Token::Accent)),
        ]);
        lines.push(if index == selected {
            line.patch_style(theme.style(Token::Selected))
        } else {
            line
        });
    }
    let note = match (summary, all.is_empty()) {
        (Remote::Loading(_), _) => "counting …".to_owned(),
        (Remote::Failed(why), _) => format!("not counted: {}", safe(&why.message)),
        (Remote::Ready(summary), _) if !summary.complete => format!(
            "counted are the newest events only, down to position {}",
            summary.down_to.unwrap_or_default()
        ),
        (_, true) => "there is nothing to narrow by".to_owned(),
        _ => String::new(),
    };
    lines.push(Line::styled(cut(&note, cells), theme.style(Token::Warn)));
    frame.render_widget(Paragraph::new(lines), inner);
}
