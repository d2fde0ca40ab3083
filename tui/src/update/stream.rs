//! The stream screen: moving in time.

mod field;
mod replies;
mod run_to;

use whodunit_core::ids::Revision;
use whodunit_core::time::Timestamp;

use super::{Effects, moved};
use crate::client::{At, DecisionsQuery, StreamEventsQuery, Subject};
use crate::keys::Action;
use crate::model::diff::DiffScreen;
use crate::model::pipeline::EVERY_MICROS;
use crate::model::stream::{Row, StreamScreen, WINDOW, diff_ends};
use crate::model::{App, Connection, Deeper, Overlay};
use crate::request::{Request, Slot};

pub(super) use field::press as field_key;
pub(super) use replies::{failed, take};
use run_to::Direction;
pub(crate) use run_to::candidates;
pub(super) use run_to::press as run_to_key;

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
    let decisions = Request::Decisions(query);
    let mut effects = vec![screen.asked.ask(app, "decisions", decisions)];
    // Figures, jobs and projections are of what happened.
    if screen.asked.branch().is_none() {
        let density = Request::StreamDensity(name, BUCKETS);
        effects.push(screen.asked.ask(app, "history", density));
        effects.extend(status(app, screen));
    }
    effects.extend(at_cursor(app, screen));
    if let Some(moment) = app.as_of
        && screen.held.is_none_or(|(held, _)| held != moment)
    {
        effects.extend(ask_held(app, screen, moment));
    }
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
    effects.extend(behind_cursor(app, screen));
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

/// What set the fields at the cursor, and where its event comes from: asked without a word, as the state is there before.
fn behind_cursor(app: &mut App, screen: &mut StreamScreen) -> Effects {
    let revision = screen.revision();
    let mut effects = Vec::new();
    if !screen.blames.contains_key(&revision) && revision > 0 {
        let at = At::Revision(Revision(revision));
        let request = Request::Blame(screen.stream.clone(), at);
        effects.extend(screen.asked.ask_once(app, "", request));
    }
    let unknown = screen.step().filter(|step| {
        let event = &step.event;
        let leads_on = event.causation_id.is_some() || event.correlation_id.is_some();
        leads_on && !screen.origins.contains_key(&event.event_id)
    });
    if let Some(event) = unknown.map(|step| step.event.clone()) {
        let request = Request::Origin(Subject::Event(Box::new(event)));
        effects.extend(screen.asked.ask_once(app, "", request));
    }
    effects
}

/// Moves the cursor. A move that waits for the daemon is given up.
pub(super) fn go_to(app: &mut App, screen: &mut StreamScreen, row: Row) -> Effects {
    screen.asked.forget(Slot::StateAsOf);
    screen.left_out.clear();
    let row = screen.row_at(screen.index_of(row));
    screen.cursor = row;
    screen.at_head = row == Row::Revision(screen.head());
    screen.field_selected = 0;
    at_cursor(app, screen)
}

/// Holds a moment, and moves the cursor to the state as it was recorded then.
pub(super) fn hold(app: &mut App, screen: &mut StreamScreen, time: Timestamp) -> Effects {
    screen.goes_to_held = true;
    ask_held(app, screen, time)
}

/// Asks for the state as it was recorded at the moment that is held.
fn ask_held(app: &mut App, screen: &mut StreamScreen, time: Timestamp) -> Effects {
    let effects = go_to_time(app, screen, time);
    screen.going_to = Some((time, true));
    effects
}

/// Moves the cursor to the state as it was recorded at a time.
fn go_to_time(app: &mut App, screen: &mut StreamScreen, time: Timestamp) -> Effects {
    screen.going_to = Some((time, false));
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
    if screen.in_state
        && let Some(selected) = moved(
            screen.field_selected,
            screen.fields().rows.len(),
            page,
            action,
        )
    {
        screen.field_selected = selected;
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
            screen.in_state = !screen.in_state;
            Vec::new()
        }
        Action::RunTo => {
            run_to::open(app, screen);
            Vec::new()
        }
        Action::RunNext => run_to::again(app, screen, Direction::Next),
        Action::RunPrevious => run_to::again(app, screen, Direction::Previous),
        Action::Enter if screen.in_state => field::open(app, screen),
        Action::Mark => {
            let revision = screen.revision();
            app.mark = Some((screen.stream.clone(), revision));
            app.mark_branch = screen.asked.branch().map(str::to_owned);
            app.say(format!(
                "revision {revision} is marked; go to another one, of any stream, and press d to compare"
            ));
            Vec::new()
        }
        Action::Diff => diff(app, screen),
        Action::Enter => {
            app.overlay = Some(Overlay::Detail(Box::default()));
            Vec::new()
        }
        _ => Vec::new(),
    }
}

/// Moves the cursor to the row beside it.
pub(super) fn beside(app: &mut App, screen: &mut StreamScreen, forward: bool) -> Effects {
    let index = screen.index_of(screen.cursor);
    let target = if forward {
        index + 1
    } else {
        index.saturating_sub(1)
    };
    let last = screen.rows().saturating_sub(1);
    step(app, screen, target.min(last))
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
        app.complain(if screen.asked.branch().is_some() {
            "a branch has no time axis"
        } else {
            "the history is still loading"
        });
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

fn diff(app: &mut App, screen: &StreamScreen) -> Effects {
    let (from, to) = diff_ends(app, screen);
    if from == to {
        app.complain("this is the marked revision; go to another one to compare");
        return Vec::new();
    }
    app.deeper = Some(Deeper::Diff(Box::new(DiffScreen::new(from, to))));
    Vec::new()
}

/// Moves to a revision, as it was typed.
pub(super) fn go_to_revision(
    app: &mut App,
    screen: &mut StreamScreen,
    revision: u64,
) -> Result<Effects, String> {
    let head = screen.head();
    if revision > head {
        return Err(format!(
            "the head is revision {head}; there is no {revision}"
        ));
    }
    Ok(go_to(app, screen, Row::Revision(revision)))
}
