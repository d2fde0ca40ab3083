//! The choice of a command for a what-if.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use super::super::first_row;
use super::{choice, open};
use crate::model::App;
use crate::model::hits::Part;
use crate::model::what_if::WhatIfScreen;
use crate::text::{fit, safe};

pub(super) fn commands(
    app: &App,
    screen: &WhatIfScreen,
    frame: &mut Frame<'_>,
    body: Rect,
    selected: usize,
) {
    let theme = app.theme;
    let specs = screen.model.value().map_or(&[][..], |m| &m.commands);
    let rows = u16::try_from(specs.len()).unwrap_or(16).min(16) + 2;
    let inner = open(
        app,
        frame,
        body,
        "choose a command · the rules decide",
        72,
        rows,
    );
    let cells = usize::from(inner.width);
    let first = first_row(selected, specs.len(), usize::from(inner.height));
    app.hits.rows(inner, Part::Box, first, specs.len());
    let lines: Vec<Line<'_>> = specs
        .iter()
        .enumerate()
        .skip(first)
        .map(|(index, spec)| {
            let text = format!("{} {}", fit(&safe(&spec.name), 18), safe(&spec.description));
            choice(theme, index == selected, &text, cells)
        })
        .collect();
    frame.render_widget(Paragraph::new(lines), inner);
}
