//! The stream screen: moving in time.

use tui_input::Input;
use whodunit_core::api::warning::WarningCode;
use whodunit_core::ids::Revision;
use whodunit_core::time::Timestamp;

use super::{Effects, complain, moved};
use crate::client::{At, DecisionsQuery, StreamEventsQuery};
use crate::effect::Failure;
use crate::keys::Action;
use crate::model::pipeline::EVERY_MICROS;
use crate::model::stream::{Row, StreamScreen, WINDOW, diff_ends};
use crate::model::what_if::WhatIfScreen;
use crate::model::{App, Connection, Deeper, Overlay, Remote};
use crate::request::{Reply, Request, Slot};
use crate::time_input::{Target, parse};

/// Parts of the time axis that the density is asked in.
pub(crate) const BUCKETS: usize = 240;
/// Decisions loaded of a stream.
const DECISIONS_MAX: usize = 1_000;

pub(super) fn load(app: &mut App, screen: &mut StreamScreen) -> Effects {
    screen.info.reload();
    let name = screen.stream.clone();
    let what = format!("`{name}`");
    vec![screen.asked.ask(app, what, Request::Stream(name))]
}

/// What else the screen needs once the stream is known.
fn load_rest(app: &mut App, screen: &mut StreamScreen) -> Effects {
    let name = screen.stream.clone();
    let query = DecisionsQuery {
        stream: Some(name.clone()),
        limit: Some(DECISIONS_MAX),
        ..DecisionsQuery::default()
    };
    let density = Request::StreamDensity(name, BUCKETS);
    let mut effects = vec![
        screen
            .asked
            .ask(app, "decisions", Request::Decisions(query)),
        screen.asked.ask(app, "history", density),
    ];
    effects.extend(status(app, screen));
    effects.extend(at_cursor(app, screen));
    effects
}

/// Asks, without showing it, how far jobs and projections are with the stream's events.
fn status(app: &mut App, screen: &mut StreamScreen) -> Effects {
    screen.status.reload();
    screen.status_asked_at = Some(app.now);
    let request = Request::StreamStatus(screen.stream.clone());
    vec![screen.asked.ask(app, "", request)]
}

/// Time has passed: what is on its way in the pipeline is looked at again about once a second.
pub(super) fn tick(app: &mut App, screen: &mut StreamScreen) -> Effects {
    let since = screen
        .status_asked_at
        .map_or(0, |at| app.now.as_micros() - at.as_micros());
    let is_idle = !screen.asked.has(Slot::StreamStatus) && app.connection == Connection::Live;
    if screen.is_moving() && since >= EVERY_MICROS && is_idle {
        status(app, screen)
    } else {
        Vec::new()
    }
}

/// What the cursor's place needs: its state, and the steps around it.
fn at_cursor(app: &mut App, screen: &mut StreamScreen) -> Effects {
    // As many rows as could be seen on either side of the cursor.
    let rows = usize::from(app.size.1);
    let name = screen.stream.clone();
    let revision = screen.revision();
    let mut effects = Vec::new();
    if screen.state().is_none() {
        let what = format!("state at revision {revision}");
        let request = Request::State(name.clone(), At::Revision(Revision(revision)));
        effects.extend(screen.asked.ask_once(app, what, request));
    }
    if let Some(from) = screen.missing_window(rows)
        && !screen.asked.has(Slot::Steps)
    {
        let query = StreamEventsQuery {
            from: Some(Revision(from)),
            limit: usize::try_from(WINDOW).ok(),
            ..StreamEventsQuery::default()
        };
        let what = format!("events from revision {from}");
        effects.push(screen.asked.ask(app, what, Request::Steps(name, query)));
    }
    effects
}

/// Moves the cursor. A move that waits for the daemon is given up.
fn go_to(app: &mut App, screen: &mut StreamScreen, row: Row) -> Effects {
    screen.asked.forget(Slot::StateAsOf);
    screen.left_out.clear();
    let row = screen.row_at(screen.index_of(row));
    screen.cursor = row;
    screen.at_head = row == Row::Revision(screen.head());
    screen.state_scroll = 0;
    at_cursor(app, screen)
}

/// Moves the cursor to the state as it was recorded at a time.
pub(super) fn go_to_time(app: &mut App, screen: &mut StreamScreen, time: Timestamp) -> Effects {
    screen.going_to = Some(time);
    let request = Request::StateAsOf(screen.stream.clone(), time);
    vec![
        screen
            .asked
            .ask(app, format!("the state at {time}"), request),
    ]
}

pub(super) fn act(app: &mut App, screen: &mut StreamScreen, action: Action) -> Effects {
    if screen.info.value().is_none() {
        app.complain("the stream is not loaded; r loads it again");
        return Vec::new();
    }
    let page = app.page();
    if screen.pane == 1
        && let Some(scroll) = moved(screen.state_scroll, screen.state_lines(), page, action)
    {
        screen.state_scroll = scroll;
        return Vec::new();
    }
    let index = screen.index_of(screen.cursor);
    let last = screen.rows().saturating_sub(1);
    let target = match action {
        Action::StepBack | Action::Up => Some(index.saturating_sub(1)),
        Action::StepForward | Action::Down => Some(index + 1),
        Action::PageUp => Some(index.saturating_sub(page)),
        Action::PageDown => Some(index.saturating_add(page)),
        Action::First => Some(0),
        Action::Last => Some(last),
        _ => None,
    };
    if let Some(target) = target {
        return step(app, screen, target.min(last));
    }
    match action {
        Action::TimeBack => along(app, screen, -1),
        Action::TimeForward => along(app, screen, 1),
        Action::NextPane => {
            screen.pane = (screen.pane + 1) % 3;
            Vec::new()
        }
        Action::GoTo => {
            app.overlay = Some(Overlay::GoTo {
                input: Input::default(),
                error: None,
            });
            Vec::new()
        }
        Action::Mark => {
            let revision = screen.revision();
            screen.mark = Some(revision);
            app.say(format!(
                "revision {revision} is marked; go to another one and press d to compare"
            ));
            Vec::new()
        }
        Action::Diff => diff(app, screen),
        Action::WhatIf => {
            let (base, head) = (screen.revision(), screen.head());
            let mut what_if = WhatIfScreen::new(screen.stream.clone(), base, head);
            if let Row::Rejected(index) = screen.cursor {
                let decision = screen.rejected(index);
                what_if.scenario.decision = decision.map(|decision| decision.sequence);
            }
            app.deeper = Some(Deeper::WhatIf(Box::new(what_if)));
            Vec::new()
        }
        Action::Enter => {
            app.overlay = Some(Overlay::Detail { scroll: 0 });
            Vec::new()
        }
        _ => Vec::new(),
    }
}

/// Moves the cursor to a row, or says that it is at an end.
fn step(app: &mut App, screen: &mut StreamScreen, target: usize) -> Effects {
    let row = screen.row_at(target);
    if row != screen.cursor {
        return go_to(app, screen, row);
    }
    app.say(if target == 0 {
        "this is the empty stream before its first event"
    } else {
        "this is the head"
    });
    Vec::new()
}

/// Moves along the time axis by a fortieth of it.
fn along(app: &mut App, screen: &mut StreamScreen, sign: i64) -> Effects {
    let Some(density) = &screen.density else {
        app.complain("the history is still loading");
        return Vec::new();
    };
    let (first, last) = (density.first.as_micros(), density.last.as_micros());
    let here = screen.cursor_time().map_or(first, Timestamp::as_micros);
    let to = here.saturating_add(sign * ((last - first) / 40).max(1));
    if to < first {
        return go_to(app, screen, Row::Revision(0));
    }
    // Where nothing happened for longer than a step, the next event is one.
    let next = screen.revision() + 1;
    let is_gap = screen
        .steps
        .get(&next)
        .is_some_and(|step| step.event.recorded_at.as_micros() > to);
    if sign > 0 && is_gap {
        return go_to(app, screen, Row::Revision(next));
    }
    go_to_time(app, screen, Timestamp::from_micros(to.min(last)))
}

fn diff(app: &mut App, screen: &mut StreamScreen) -> Effects {
    let (from, to) = diff_ends(screen);
    if from == to {
        app.complain("this is the marked revision; go to another one to compare");
        return Vec::new();
    }
    screen.diff = Remote::Loading(None);
    app.overlay = Some(Overlay::Diff { scroll: 0 });
    let at = |revision| At::Revision(Revision(revision));
    let request = Request::Diff(screen.stream.clone(), at(from), at(to));
    let what = format!("diff of revisions {from} and {to}");
    vec![screen.asked.ask(app, what, request)]
}

/// Takes the text of the box that asks where to go.
pub(super) fn go_to_text(
    app: &mut App,
    screen: &mut StreamScreen,
    text: &str,
) -> Result<Effects, String> {
    let here = screen
        .cursor_time()
        .or(screen.info.value().map(|info| info.last_recorded_at));
    match parse(text, app.zone, here.unwrap_or(app.now))? {
        Target::Revision(revision) if revision > screen.head() => Err(format!(
            "the head is revision {}; there is no {revision}",
            screen.head()
        )),
        Target::Revision(revision) => Ok(go_to(app, screen, Row::Revision(revision))),
        Target::Time(time) => Ok(go_to_time(app, screen, time)),
    }
}

pub(super) fn take(app: &mut App, screen: &mut StreamScreen, reply: Reply) -> Effects {
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
        Reply::StateAsOf(mut state) => {
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
            let effects = go_to(app, screen, Row::Revision(revision));
            screen.left_out = left_out;
            // A time of day was completed with the cursor's day: which moment it came to is said.
            if let Some(time) = screen.going_to.take() {
                let moment = app.zone.long(time);
                app.say(format!("as of {moment}: revision {revision}"));
            }
            return effects;
        }
        Reply::Diff(diff) => screen.diff = Remote::Ready(diff),
        _ => {}
    }
    Vec::new()
}

pub(super) fn failed(
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
        Slot::Diff => screen.diff = Remote::Failed(failure),
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
