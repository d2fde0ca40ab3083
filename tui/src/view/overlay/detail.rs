//! The whole event, or the whole decision: the sentence, its jobs, and everything on record as a tree.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::super::sentence::{refused, story};
use super::super::stream::missing;
use super::super::{status, tree};
use super::open;
use crate::client::Subject;
use crate::model::stream::{Row, StreamScreen};
use crate::model::tree::Tree;
use crate::model::{App, Screen};
use crate::text::wrap;
use crate::theme::Token;

pub(super) fn detail(
    app: &App,
    stream: &StreamScreen,
    frame: &mut Frame<'_>,
    body: Rect,
    at: &Tree,
) {
    let theme = app.theme;
    let is_read_otherwise = stream.step().is_some_and(|step| step.upcast.is_some());
    let title = match (stream.cursor, is_read_otherwise) {
        (Row::Rejected(_), _) => "decision as recorded",
        (Row::Revision(_), true) => "0: event as recorded, 1: as the model reads it",
        (Row::Revision(_), false) => "event as recorded",
    };
    let title = format!("{title} · / search · y Y copy · < > next · Esc");
    let inner = open(app, frame, body, &title, 110, body.height);
    let cells = usize::from(inner.width);
    let mut head = said(app, stream, cells);
    if let Some(step) = stream.step() {
        let facts = status::facts(app, stream, &step.event).into_iter();
        head.extend(facts.flat_map(|(label, text, token)| {
            let text = format!("{label} {text}");
            let parts = wrap(&text, cells).into_iter();
            parts.map(move |part| Line::styled(part, theme.style(token)))
        }));
    }
    let value = stream.whole();
    if value.is_null() {
        let text = match stream.cursor {
            Row::Revision(0) => "revision 0 is the empty stream before its first event",
            _ => missing(stream),
        };
        frame.render_widget(Line::styled(text, theme.style(Token::Muted)), inner);
        return;
    }
    tree::draw(theme, frame, inner, (head, &value, at));
}

/// The whole of what is under the cursor of another screen.
pub(super) fn other(app: &App, front: &Screen, frame: &mut Frame<'_>, body: Rect, at: &Tree) {
    let what = match front {
        Screen::Diff(_) => "whole value",
        Screen::World(_) => "whole state",
        _ => "as recorded",
    };
    let title = format!("{what} · / search · y Y copy · Esc");
    let inner = open(app, frame, body, &title, 110, body.height);
    let cells = usize::from(inner.width);
    let head = match front.subject() {
        Some(Subject::Event(event)) => story(app, &event, None, (cells, usize::MAX)),
        Some(Subject::Decision(decision)) => refused(app, &decision, (cells, usize::MAX)),
        None => Vec::new(),
    };
    let value = front.whole();
    if value.is_null() {
        let text = "nothing is loaded here";
        let style = app.theme.style(Token::Muted);
        frame.render_widget(Line::styled(text, style), inner);
        return;
    }
    tree::draw(app.theme, frame, inner, (head, &value, at));
}

/// The sentence in full.
fn said(app: &App, stream: &StreamScreen, cells: usize) -> Vec<Line<'static>> {
    match stream.cursor {
        Row::Rejected(index) => stream
            .rejected(index)
            .map_or_else(Vec::new, |d| refused(app, d, (cells, usize::MAX))),
        Row::Revision(_) => stream.step().map_or_else(Vec::new, |step| {
            story(app, &step.event, stream.origin(), (cells, usize::MAX))
        }),
    }
}
