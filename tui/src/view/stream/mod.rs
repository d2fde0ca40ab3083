//! The stream screen: the scrubber, the history, the state at the cursor, and who, when and why.
//!
//! Owns how the panes are laid out. Each pane has its file.

mod events;
mod folded;
mod why;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use whodunit_core::command::{Decision, Outcome};

use super::{awaited, failure, scrubber};
use crate::model::stream::StreamScreen;
use crate::model::{App, Remote};
use crate::request::Slot;
use crate::text::safe;

pub(super) use why::missing;

/// From this width on three panes stand side by side; below, they are stacked.
const THREE_PANES: u16 = 110;

/// The scrubber's two lines within the body.
pub(super) fn scrubber_area(body: Rect) -> Rect {
    Rect::new(
        body.x + 1,
        body.y,
        body.width.saturating_sub(2),
        body.height.min(2),
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
    scrubber::draw(
        app,
        frame,
        scrubber_area(area),
        (
            stream.density.as_ref(),
            stream.asked.has(Slot::StreamDensity),
        ),
        stream.cursor_time(),
    );
    let body = Rect::new(
        area.x,
        area.y + 2,
        area.width,
        area.height.saturating_sub(2),
    );
    if area.width >= THREE_PANES {
        let [events, middle, why] = Layout::horizontal([
            Constraint::Percentage(40),
            Constraint::Percentage(35),
            Constraint::Min(28),
        ])
        .areas(body);
        events::draw(app, stream, frame, events);
        folded::draw(app, stream, frame, middle);
        why::draw(app, stream, frame, why);
    } else {
        let why_rows = 3;
        let events_rows = (body.height.saturating_sub(why_rows)) / 2;
        let [events, middle, why] = Layout::vertical([
            Constraint::Length(events_rows),
            Constraint::Min(4),
            Constraint::Length(why_rows),
        ])
        .areas(body);
        events::draw(app, stream, frame, events);
        folded::draw(app, stream, frame, middle);
        why::draw_short(app, stream, frame, why);
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
