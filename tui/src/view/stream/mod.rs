//! The stream screen: the time axis, a sentence, the history, and the state at the cursor with what set each field.
//!
//! Owns how the panes are laid out. Each pane has its file.

mod events;
mod facts;
mod state;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::Paragraph;
use whodunit_core::command::{Decision, Outcome};

use super::sentence::{refused, story};
use super::{awaited, failure, rule as rule_line, scrubber, status};
use crate::model::stream::{Row, StreamScreen};
use crate::model::{App, Remote};
use crate::request::Slot;
use crate::text::safe;
use crate::theme::Token;

pub(super) use facts::missing;

/// From this width on history and state stand side by side; below, they are stacked.
const SIDE_BY_SIDE: u16 = 100;
/// From this height on each mark of the axis may have its label below it.
const ROWS_FOR_LABELS: u16 = 26;
/// Lines that a sentence takes at most where there is room, and where there is not.
const SENTENCE_LINES: usize = 5;
const SENTENCE_LINES_LOW: usize = 2;

/// The axis within the body: marks or bars, dates, and labels where there is room.
fn scrubber_area(body: Rect) -> Rect {
    let rows = if body.height >= ROWS_FOR_LABELS { 3 } else { 2 };
    Rect::new(
        body.x + 1,
        body.y,
        body.width.saturating_sub(2),
        body.height.min(rows),
    )
}

pub(super) fn draw(app: &App, stream: &StreamScreen, frame: &mut Frame<'_>, area: Rect) {
    match &stream.info {
        Remote::Failed(why) => return failure(app, frame, area, why),
        Remote::Absent | Remote::Loading(None) => {
            let is_asked = stream.asked.has(Slot::Stream);
            return awaited(app, frame, area, &safe(stream.stream.as_str()), is_asked);
        }
        Remote::Ready(_) | Remote::Loading(Some(_)) => {}
    }
    let axis = scrubber_area(area);
    scrubber::draw_stream(app, frame, axis, stream);
    let cells = usize::from(area.width.saturating_sub(3));
    let most = if area.height < ROWS_FOR_LABELS {
        SENTENCE_LINES_LOW
    } else {
        SENTENCE_LINES
    };
    let sentence = sentence(app, stream, (cells, most));
    let sentence_rows = u16::try_from(sentence.len()).unwrap_or(1);
    let [_, top, words, panes] = Layout::vertical([
        Constraint::Length(axis.height),
        Constraint::Length(1),
        Constraint::Length(sentence_rows),
        Constraint::Min(1),
    ])
    .areas(area);
    let marks = stream.step().map_or(String::new(), |step| {
        status::short(app, stream, &step.event).0
    });
    let columns = usize::from(area.width);
    frame.render_widget(rule_line(app.theme, columns, "", &marks), top);
    let words = Rect::new(
        words.x + 2,
        words.y,
        words.width.saturating_sub(3),
        words.height,
    );
    frame.render_widget(Paragraph::new(sentence), words);
    draw_panes(app, stream, frame, panes);
}

fn draw_panes(app: &App, stream: &StreamScreen, frame: &mut Frame<'_>, area: Rect) {
    if area.width >= SIDE_BY_SIDE {
        let state_columns = (area.width * 12 / 25).max(48);
        let [events, right] =
            Layout::horizontal([Constraint::Min(48), Constraint::Length(state_columns)])
                .areas(area);
        events::draw(app, stream, frame, events);
        // The plumbing gets what the state leaves, and a third if the state would take it all.
        let facts = facts::lines(app, stream, usize::from(right.width.saturating_sub(3)));
        let wanted = state::rows_wanted(app, stream, right.width) + 1;
        let height = usize::from(right.height);
        let rows = height
            .saturating_sub(wanted)
            .max(height / 3)
            .min(facts.len() + 1);
        let [state, facts_area] = Layout::vertical([
            Constraint::Min(3),
            Constraint::Length(u16::try_from(rows).unwrap_or(0)),
        ])
        .areas(right);
        state::draw(app, stream, frame, state);
        facts::draw(app, frame, facts_area, facts);
        return;
    }
    // The history needs no more rows than it has; the state gets the rest.
    let half = usize::from(area.height) / 2;
    let events = (stream.rows() + 2).min(half).max(4);
    let [events, state] = Layout::vertical([
        Constraint::Length(u16::try_from(events).unwrap_or(4)),
        Constraint::Min(3),
    ])
    .areas(area);
    events::draw(app, stream, frame, events);
    state::draw(app, stream, frame, state);
}

/// What happened at the cursor, and why.
fn sentence(app: &App, stream: &StreamScreen, (cells, most): (usize, usize)) -> Vec<Line<'static>> {
    let muted = |text: &str| {
        let style = app.theme.style(Token::Muted);
        vec![Line::styled(text.to_owned(), style)]
    };
    match stream.cursor {
        Row::Rejected(index) => match stream.rejected(index) {
            Some(decision) => refused(app, decision, (cells, most)),
            None => muted("the refused command is not loaded; r loads it"),
        },
        Row::Revision(0) => muted("before the first event: the stream is empty"),
        Row::Revision(_) => match stream.step() {
            Some(step) => story(app, &step.event, stream.origin(), (cells, most)),
            None => muted(missing(stream)),
        },
    }
}

fn rule(decision: &Decision) -> (String, String) {
    match &decision.result {
        Outcome::Rejected { rule, message } => {
            (safe(rule).into_owned(), safe(message).into_owned())
        }
        Outcome::Accepted { .. } => Default::default(),
    }
}
