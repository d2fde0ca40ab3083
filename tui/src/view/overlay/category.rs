//! The choice of a category.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;
use whodunit_core::api::browse::Category;

use super::super::{failure, first_row, loading};
use super::{choice, open};
use crate::model::{App, Remote};
use crate::text::{fit, number, safe};

pub(super) fn category(
    app: &App,
    frame: &mut Frame<'_>,
    body: Rect,
    categories: &Remote<Vec<Category>>,
    selected: usize,
) {
    let theme = app.theme;
    let inner = open(app, frame, body, "category", 66, 20);
    if let Some(why) = categories.failure() {
        return failure(app, frame, inner, why);
    }
    let Some(list) = categories.value() else {
        return loading(app, frame, inner, "categories");
    };
    let cells = usize::from(inner.width);
    let height = usize::from(inner.height);
    let rows = std::iter::once("all categories".to_owned()).chain(list.iter().map(|category| {
        format!(
            "{} {:>8} streams {:>9} events  {}",
            fit(&safe(&category.category), 16),
            number(category.streams),
            number(category.events),
            safe(&category.model)
        )
    }));
    let first = first_row(selected, list.len() + 1, height);
    let lines: Vec<Line<'_>> = rows
        .enumerate()
        .skip(first)
        .take(height)
        .map(|(index, text)| choice(theme, index == selected, &text, cells))
        .collect();
    frame.render_widget(Paragraph::new(lines), inner);
}
