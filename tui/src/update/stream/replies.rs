//! What the stream screen does with each reply.

use whodunit_core::api::time_travel::StateOut;
use whodunit_core::api::warning::WarningCode;

use super::super::{Effects, complain};
use super::{at_cursor, go_to, load_rest, run_to};
use crate::effect::Failure;
use crate::model::stream::{Row, StreamScreen};
use crate::model::{App, Overlay, Remote};
use crate::request::{Reply, Slot};

pub(in crate::update) fn take(app: &mut App, screen: &mut StreamScreen, reply: Reply) -> Effects {
    match reply {
        Reply::Stream(info) => {
            let head = info.revision.0;
            screen.info = Remote::Ready(info);
            if screen.at_head {
                screen.cursor = Row::Revision(head);
            }
            return load_rest(app, screen);
        }
        Reply::Steps(page) => {
            screen.steps_failure = None;
            if !page.warnings.is_empty() {
                screen.steps_warnings = page.warnings;
            }
            screen.add_steps(page.items);
            return at_cursor(app, screen);
        }
        Reply::Decisions(page) => {
            // A cursor on a rejected command is an index into the old list.
            let on = match screen.cursor {
                Row::Rejected(index) => screen.rejected(index).map(|decision| decision.sequence),
                Row::Revision(_) => None,
            };
            screen.set_decisions(page.items, page.next_cursor.is_some());
            if matches!(screen.cursor, Row::Rejected(_)) {
                screen.cursor = on
                    .and_then(|sequence| screen.rejected_row(sequence))
                    .unwrap_or(Row::Revision(screen.head()));
                return at_cursor(app, screen);
            }
        }
        Reply::StreamStatus(status) => screen.status = Remote::Ready(status),
        Reply::StreamDensity(density) => screen.density = Some(density),
        Reply::State(state) => {
            screen.state_failure = None;
            screen.add_state(state);
        }
        Reply::StateAsOf(state) => return as_of(app, screen, state),
        Reply::Blame(blame) => {
            screen.blame_failure = None;
            screen.add_blame(blame);
        }
        Reply::Origin(origin) => screen.add_origin(origin),
        Reply::Field(field) => screen.field = Remote::Ready(field),
        Reply::RunTo(out) => return run_to::take(app, screen, &out),
        _ => {}
    }
    Vec::new()
}

/// The state as it was recorded at a moment, to move there or to hold it.
fn as_of(app: &mut App, screen: &mut StreamScreen, mut state: StateOut) -> Effects {
    let revision = state.revision.0;
    // What the time leaves out is no part of the state at that revision.
    let (left_out, others) = state
        .warnings
        .into_iter()
        .partition(|warning| warning.code == WarningCode::LeftOut);
    state.warnings = others;
    screen.add_state(state);
    if matches!(app.overlay, Some(Overlay::GoTo { .. })) {
        app.overlay = None;
    }
    let (time, holds) = screen.going_to.take().unwrap_or((app.now, false));
    if holds {
        app.as_of = Some(time);
        screen.held = Some((time, revision));
        if !std::mem::take(&mut screen.goes_to_held) {
            return Vec::new();
        }
    }
    let effects = go_to(app, screen, Row::Revision(revision));
    screen.left_out = left_out;
    // A time of day was completed with the cursor's day: which moment it came to is said.
    let moment = app.zone.long(time);
    app.say(format!("as of {moment}: revision {revision}"));
    effects
}

pub(in crate::update) fn failed(
    app: &mut App,
    screen: &mut StreamScreen,
    slot: Slot,
    failure: Failure,
    is_away: bool,
) {
    match slot {
        Slot::Stream => screen.info.fail(failure, is_away),
        Slot::State => screen.state_failure = Some((screen.revision(), failure)),
        Slot::Steps => screen.steps_failure = Some(failure),
        Slot::Field => screen.field = Remote::Failed(failure),
        Slot::Blame => screen.blame_failure = Some((screen.revision(), failure)),
        // The sentence goes without what led to the event.
        Slot::Origin => {}
        Slot::RunTo => run_to::failed(app, failure),
        // An old status says more than none.
        Slot::StreamStatus => screen.status.fail(failure, true),
        Slot::StateAsOf => {
            let text = match &failure.hint {
                Some(hint) => format!("{}; {hint}", failure.message),
                None => failure.message,
            };
            match &mut app.overlay {
                Some(Overlay::GoTo { error, .. }) => *error = Some(text),
                _ => app.complain(text),
            }
        }
        _ => complain(app, failure, is_away),
    }
}
