//! The choice of a category.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;
use whodunit_core::api::browse::Category;

use super::super::{awaited, failure, first_row};
use super::{choice, open};
use crate::model::hits::Part;
use crate::model::{App, Asked, Remote};
use crate::request::Slot;
use crate::text::{fit, noun, number, safe};

pub(super) fn category(
    app: &App,
    frame: &mut Frame<'_>,
    body: Rect,
    (categories, asked): (&Remote<Vec<Category>>, &Asked),
    selected: usize,
) {
    let theme = app.theme;
    let inner = open(app, frame, body, "category", 66, 20);
    if let Some(why) = categories.failure() {
        return failure(app, frame, inner, why);
    }
    let Some(list) = categories.value() else {
        let is_asked = asked.has(Slot::Categories);
        return awaited(app, frame, inner, "the categories", is_asked);
    };
    let cells = usize::from(inner.width);
    let height = usize::from(inner.height);
    let rows = std::iter::once("all categories".to_owned()).chain(list.iter().map(|category| {
        format!(
            "{} {:>8} {:<7} {:>9} {:<6}  {}",
            fit(&safe(&category.category), 16),
            number(category.streams),
            noun(category.streams, "stream"),
            number(category.events),
            noun(category.events, "event"),
            safe(&category.model)
        )
    }));
    let first = first_row(selected, list.len() + 1, height);
    app.hits.rows(inner, Part::Box, first, list.len() + 1);
    let lines: Vec<Line<'_>> = rows
        .enumerate()
        .skip(first)
        .take(height)
        .map(|(index, text)| choice(theme, index == selected, &text, cells))
        .collect();
    frame.render_widget(Paragraph::new(lines), inner);
}
