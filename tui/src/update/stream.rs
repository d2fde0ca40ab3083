//! The stream screen: moving in time.

use tui_input::Input;
use whodunit_core::ids::Revision;
use whodunit_core::time::Timestamp;

use super::{Effects, history};
use crate::client::{At, DecisionsQuery, StreamEventsQuery};
use crate::effect::{Request, Slot};
use crate::jump::{Jump, parse};
use crate::keys::Action;
use crate::model::pipeline::EVERY_MICROS;
use crate::model::stream::{Row, StreamScreen, WINDOW};
use crate::model::what_if::WhatIfScreen;
use crate::model::{Connection, Model, Overlay, Remote, Screen};

/// Parts of the time axis that the density is asked in.
pub(crate) const BUCKETS: usize = 240;
/// Decisions loaded of a stream.
const DECISIONS_MAX: usize = 1_000;

pub(super) fn load(model: &mut Model) -> Effects {
    let Some(stream) = &mut model.stream else {
        return Vec::new();
    };
    stream.info.reload();
    let name = stream.stream.clone();
    vec![model.ask(Slot::Stream, format!("`{name}`"), Request::Stream(name))]
}

/// What else the screen needs once the stream is known.
pub(super) fn load_rest(model: &mut Model) -> Effects {
    let Some(stream) = &model.stream else {
        return Vec::new();
    };
    let name = stream.stream.clone();
    let decisions = DecisionsQuery {
        stream: Some(name.clone()),
        limit: Some(DECISIONS_MAX),
        ..DecisionsQuery::default()
    };
    let mut effects = vec![
        model.ask(Slot::Decisions, "decisions", Request::Decisions(decisions)),
        model.ask(
            Slot::Density,
            "history",
            Request::Density(Some(name), BUCKETS),
        ),
    ];
    effects.extend(standing(model));
    effects.extend(at_cursor(model));
    effects
}

/// Asks, without a word, where the stream's events stand in the pipeline.
fn standing(model: &mut Model) -> Effects {
    let now = model.now;
    let Some(stream) = &mut model.stream else {
        return Vec::new();
    };
    stream.standing.reload();
    stream.standing_asked_at = Some(now);
    let name = stream.stream.clone();
    vec![model.ask(Slot::Standing, "", Request::Standing(name))]
}

/// Time has passed: what is on its way in the pipeline is looked at again about once a second.
pub(super) fn tick(model: &mut Model) -> Effects {
    let due = model.stream.as_ref().is_some_and(|stream| {
        let since = stream
            .standing_asked_at
            .map_or(0, |at| model.now.as_micros() - at.as_micros());
        stream.is_moving() && since >= EVERY_MICROS
    });
    let idle = !model.waiting.contains_key(&Slot::Standing) && model.connection == Connection::Live;
    if due && idle {
        standing(model)
    } else {
        Vec::new()
    }
}

/// What the cursor's place needs: its state, and the steps around it.
pub(super) fn at_cursor(model: &mut Model) -> Effects {
    // As many rows as could be seen on either side of the cursor.
    let rows = usize::from(model.size.1);
    let Some(stream) = &mut model.stream else {
        return Vec::new();
    };
    stream.state_scroll = 0;
    let name = stream.stream.clone();
    let mut effects = Vec::new();
    let revision = stream.revision();
    let (state, window) = (stream.state().is_none(), stream.missing_window(rows));
    if state {
        let request = Request::State(name.clone(), At::Revision(Revision(revision)));
        effects.push(model.ask(
            Slot::State,
            format!("state at revision {revision}"),
            request,
        ));
    }
    if let Some(from) = window
        && !model.waiting.contains_key(&Slot::Steps)
    {
        let query = StreamEventsQuery {
            from: Some(Revision(from)),
            limit: usize::try_from(WINDOW).ok(),
            ..StreamEventsQuery::default()
        };
        effects.push(model.ask(
            Slot::Steps,
            format!("events from revision {from}"),
            Request::Steps(name, query),
        ));
    }
    effects
}

/// Moves the cursor.
pub(super) fn go_to(model: &mut Model, row: Row) -> Effects {
    if let Some(stream) = &mut model.stream {
        let row = stream.row_at(stream.index_of(row));
        stream.cursor = row;
        stream.at_head = row == Row::Revision(stream.head());
    }
    at_cursor(model)
}

/// Moves the cursor to the state as it was recorded at a time.
pub(super) fn go_to_time(model: &mut Model, time: Timestamp) -> Effects {
    let Some(stream) = &model.stream else {
        return Vec::new();
    };
    let name = stream.stream.clone();
    vec![model.ask(
        Slot::Jump,
        format!("the state at {time}"),
        Request::State(name, At::AsOf(time)),
    )]
}

pub(super) fn act(model: &mut Model, action: Action) -> Effects {
    let page = model.page();
    let Some(stream) = &mut model.stream else {
        return Vec::new();
    };
    if stream.info.value().is_none() {
        model.complain("the stream is not loaded; r loads it again");
        return Vec::new();
    }
    let index = stream.index_of(stream.cursor);
    let last = stream.rows().saturating_sub(1);
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
        let row = stream.row_at(target.min(last));
        if row == stream.cursor {
            let end = if target == 0 || index == 0 {
                "this is the empty stream before its first event"
            } else {
                "this is the head"
            };
            model.say(end);
            return Vec::new();
        }
        return go_to(model, row);
    }
    match action {
        Action::TimeBack => along(model, -1),
        Action::TimeForward => along(model, 1),
        Action::NextPane => {
            stream.pane = (stream.pane + 1) % 3;
            Vec::new()
        }
        Action::Jump => {
            model.overlay = Some(Overlay::Jump {
                input: Input::default(),
                error: None,
            });
            Vec::new()
        }
        Action::Mark => {
            let revision = stream.revision();
            stream.mark = Some(revision);
            model.say(format!(
                "revision {revision} is marked; go to another and press d to compare"
            ));
            Vec::new()
        }
        Action::Diff => diff(model),
        Action::WhatIf => what_if(model),
        Action::Enter => {
            model.overlay = Some(Overlay::Detail { scroll: 0 });
            Vec::new()
        }
        _ => Vec::new(),
    }
}

/// Moves along the time axis by a fortieth of it.
fn along(model: &mut Model, sign: i64) -> Effects {
    let Some(stream) = &model.stream else {
        return Vec::new();
    };
    let Some(density) = &stream.density else {
        model.complain("the history is still loading");
        return Vec::new();
    };
    let (first, last) = (density.first.as_micros(), density.last.as_micros());
    let here = stream.cursor_time().map_or(first, Timestamp::as_micros);
    let to = here.saturating_add(sign * ((last - first) / 40).max(1));
    if to < first {
        return go_to(model, Row::Revision(0));
    }
    go_to_time(model, Timestamp::from_micros(to.min(last)))
}

fn diff(model: &mut Model) -> Effects {
    let Some(stream) = &mut model.stream else {
        return Vec::new();
    };
    let (from, to) = diff_ends(stream);
    if from == to {
        model.complain("this is the marked revision; go to another to compare");
        return Vec::new();
    }
    stream.diff = Remote::Loading(None);
    let name = stream.stream.clone();
    model.overlay = Some(Overlay::Diff { scroll: 0 });
    let request = Request::Diff(
        name,
        At::Revision(Revision(from)),
        At::Revision(Revision(to)),
    );
    vec![model.ask(
        Slot::Diff,
        format!("diff of revisions {from} and {to}"),
        request,
    )]
}

/// The mark (or the revision before) and the cursor.
fn diff_ends(stream: &StreamScreen) -> (u64, u64) {
    let here = stream.revision();
    (stream.mark.unwrap_or(here.saturating_sub(1)), here)
}

pub(super) fn diff_call(stream: &StreamScreen) -> String {
    let (from, to) = diff_ends(stream);
    format!(
        "whodunit diff {} {from} {to}",
        crate::model::stream::quote(stream.stream.as_str())
    )
}

fn what_if(model: &mut Model) -> Effects {
    let Some(stream) = &model.stream else {
        return Vec::new();
    };
    let (name, base, head) = (stream.stream.clone(), stream.revision(), stream.head());
    // On an event, its own effect is what one wants to change: the base is right after it, and the row is selected.
    let mut screen = WhatIfScreen::new(name.clone(), base, head);
    screen.row = screen.row_of(base);
    model.what_if = Some(screen);
    history::deeper(model, Screen::WhatIf);
    let category = name.category().to_owned();
    let mut effects = vec![model.ask(
        Slot::Model,
        format!("the model of `{category}`"),
        Request::Model(category),
    )];
    effects.extend(super::what_if::run(model));
    effects
}

/// Takes the text of the jump box.
pub(super) fn jump(model: &mut Model, text: &str) -> Result<Effects, String> {
    let Some(stream) = &model.stream else {
        return Ok(Vec::new());
    };
    let here = stream
        .cursor_time()
        .or(stream.info.value().map(|info| info.last_recorded_at));
    match parse(text, model.zone, here.unwrap_or(model.now))? {
        Jump::Revision(revision) if revision > stream.head() => Err(format!(
            "the head is revision {}; there is no {revision}",
            stream.head()
        )),
        Jump::Revision(revision) => {
            let row = Row::Revision(revision);
            Ok(go_to(model, row))
        }
        Jump::Time(time) => Ok(go_to_time(model, time)),
    }
}

/// A time was resolved to a revision.
pub(super) fn jumped(model: &mut Model, revision: u64) -> Effects {
    if matches!(model.overlay, Some(Overlay::Jump { .. })) {
        model.overlay = None;
    }
    go_to(model, Row::Revision(revision))
}
