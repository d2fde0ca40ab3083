//! All keys of a screen, with what the marks mean.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use tui_input::Input;

use super::{open, typed};
use crate::keys::{self, Scope};
use crate::model::App;
use crate::text::fit;
use crate::theme::{Glyph, Theme, Token};

pub(super) fn help(
    app: &App,
    frame: &mut Frame<'_>,
    body: Rect,
    front: Scope,
    (filter, scroll): (&Input, usize),
) {
    let theme = app.theme;
    let inner = open(
        app,
        frame,
        body,
        "keys · type to filter · Esc closes",
        84,
        body.height,
    );
    let mut lines = vec![Line::from(
        [
            vec![Span::styled("/ ", theme.style(Token::Key))],
            typed(theme, filter, 40, false),
        ]
        .concat(),
    )];
    let mut scope: Option<Scope> = None;
    for binding in keys::matching(front, filter.value()) {
        if scope != Some(binding.scope) {
            scope = Some(binding.scope);
            lines.push(Line::styled(
                binding.scope.title(),
                theme.style(Token::Title),
            ));
        }
        let keys: Vec<String> = binding
            .keys
            .iter()
            .map(|key| keys::pretty(key, theme.ascii))
            .collect();
        lines.push(Line::from(vec![
            Span::styled(
                format!("  {}", fit(&keys.join(" "), 18)),
                theme.style(Token::Key),
            ),
            Span::raw(binding.help),
        ]));
    }
    if lines.len() == 1 {
        lines.push(Line::styled("no key matches", theme.style(Token::Muted)));
    }
    lines.extend(legend(theme));
    let scroll = scroll.min(lines.len().saturating_sub(usize::from(inner.height)));
    frame.render_widget(Paragraph::new(lines.split_off(scroll)), inner);
}

fn legend(theme: Theme) -> Vec<Line<'static>> {
    let marks = [
        ("+ - ~", "added, removed, changed"),
        (
            theme.glyph(Glyph::Rejected),
            "a rejected command, or a refused call",
        ),
        (
            "? !",
            "an event type unknown to the model; an event that could not be applied",
        ),
        (theme.glyph(Glyph::Stalled), "a stalled projection"),
        (
            theme.glyph(Glyph::Held),
            "a job blocked by an earlier one of its stream",
        ),
        (theme.glyph(Glyph::Mark), "the marked revision"),
    ];
    let mut lines = vec![
        Line::default(),
        Line::styled("marks", theme.style(Token::Title)),
    ];
    lines.extend(marks.map(|(mark, text)| {
        Line::from(vec![
            Span::styled(format!("  {}", fit(mark, 18)), theme.style(Token::Key)),
            Span::raw(text),
        ])
    }));
    lines
}
