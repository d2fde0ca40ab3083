//! The whole event, or the whole decision.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use serde_json::Value;

use super::super::stream::missing;
use super::super::{framed_lines, status};
use super::{open, pretty};
use crate::model::App;
use crate::model::stream::{Row, StreamScreen};
use crate::text::wrap;
use crate::theme::{Theme, Token};

pub(super) fn detail(
    app: &App,
    stream: &StreamScreen,
    frame: &mut Frame<'_>,
    body: Rect,
    scroll: usize,
) {
    let inner = open(app, frame, body, "event · Esc closes", 100, body.height);
    let cells = usize::from(inner.width);
    let mut lines = Vec::new();
    if let Some(step) = stream.step() {
        let theme = app.theme;
        lines.push(("in the pipeline".to_owned(), theme.style(Token::Title)));
        for (_, text, token) in status::facts(app, stream, &step.event) {
            lines.push((text, theme.style(token)));
        }
    }
    lines.extend(detail_lines(app.theme, stream));
    let lines: Vec<Line<'_>> = lines
        .into_iter()
        .flat_map(|(text, style)| {
            wrap(&text, cells)
                .into_iter()
                .map(move |part| Line::styled(part, style))
        })
        .collect();
    framed_lines(app.theme, frame, inner, lines, scroll);
}

fn detail_lines(theme: Theme, stream: &StreamScreen) -> Vec<(String, ratatui::style::Style)> {
    let (plain, title) = (theme.style(Token::Plain), theme.style(Token::Title));
    let mut out = Vec::new();
    let mut json = |heading: &str, value: Result<Value, serde_json::Error>| {
        out.push((heading.to_owned(), title));
        out.extend(
            pretty(&value.unwrap_or_default())
                .into_iter()
                .map(|line| (line, plain)),
        );
    };
    match stream.cursor {
        Row::Rejected(index) => {
            if let Some(decision) = stream.rejected(index) {
                json("decision", serde_json::to_value(decision));
            }
        }
        Row::Revision(revision) => match stream.steps.get(&revision) {
            Some(step) => {
                json("event as recorded", serde_json::to_value(&step.event));
                if let Some(upcast) = &step.upcast {
                    json("as the model reads it", serde_json::to_value(upcast));
                }
            }
            None if revision == 0 => out.push((
                "revision 0 is the empty stream before its first event".to_owned(),
                plain,
            )),
            None => out.push((missing(stream).to_owned(), plain)),
        },
    }
    out
}
