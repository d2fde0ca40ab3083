//! The causes screen: the tree is loaded page by page, and the node under the cursor as it was recorded.

use super::{Effects, complain, moved};
use crate::effect::{Effect, Failure};
use crate::keys::Action;
use crate::model::causes::{Causes, CausesScreen, Of, Row};
use crate::model::{App, Deeper, Overlay, Remote};
use crate::request::{Reply, Request, Slot};

pub(super) fn load(app: &mut App, screen: &mut CausesScreen) -> Effects {
    screen.found.reload();
    screen.asked.forget_all();
    screen.whole = Remote::Absent;
    screen.whole_of = None;
    let query = screen.query(None);
    let request = match &screen.of {
        Of::One(id) => Request::Causes(id.clone(), query),
        Of::Correlation(id) => Request::Correlation(id.clone(), query),
    };
    vec![screen.asked.ask(app, "causes and effects", request)]
}

/// What the cursor's place needs: the node there, and the next page when the end is near.
fn at_cursor(app: &mut App, screen: &mut CausesScreen) -> Effects {
    let mut effects = Vec::new();
    effects.extend(more(app, screen));
    let Some(node) = screen.current().cloned() else {
        return effects;
    };
    if screen.whole_of.as_deref() != Some(&node.id) {
        screen.whole_of = Some(node.id.clone());
        screen.whole = Remote::Loading(None);
        let request = Request::Recorded(Box::new(node));
        effects.push(screen.asked.ask(app, "", request));
    }
    effects
}

fn more(app: &mut App, screen: &mut CausesScreen) -> Option<Effect> {
    let near_end = screen.selected + 50 >= screen.rows().len();
    let next = screen.found.value().and_then(|found| found.next.clone())?;
    let is_asked = [
        Slot::Causes,
        Slot::Correlation,
        Slot::MoreCauses,
        Slot::MoreCorrelation,
    ]
    .into_iter()
    .any(|slot| screen.asked.has(slot));
    // The event that was asked about may stand further on.
    if (!near_end && screen.is_placed) || is_asked {
        return None;
    }
    let query = screen.query(Some(next));
    let request = match &screen.of {
        Of::One(id) => Request::MoreCauses(id.clone(), query),
        Of::Correlation(id) => Request::MoreCorrelation(id.clone(), query),
    };
    Some(screen.asked.ask(app, "more of the tree", request))
}

/// Selects a row.
pub(super) fn go_to(app: &mut App, screen: &mut CausesScreen, index: usize) -> Effects {
    screen.selected = index;
    screen.is_placed = true;
    at_cursor(app, screen)
}

pub(super) fn act(app: &mut App, screen: &mut CausesScreen, action: Action) -> Effects {
    let rows = screen.rows();
    if let Some(index) = moved(screen.selected, rows.len(), app.page(), action) {
        return go_to(app, screen, index);
    }
    match action {
        Action::Enter => match screen.current() {
            Some(node) => {
                let (stream, revision) = (node.stream.clone(), node.revision.0);
                app.deeper = Some(Deeper::Stream(stream, Some(revision)));
            }
            None => app.complain("there is nothing to open"),
        },
        Action::Fold => {
            if !screen.fold() {
                app.say("it led to nothing that could be hidden");
            }
            return at_cursor(app, screen);
        }
        Action::Whole => match screen.subject() {
            Some(_) => app.overlay = Some(Overlay::Detail(Box::default())),
            None => app.complain("what is under the cursor is still loading"),
        },
        Action::RunNext | Action::RunPrevious => {
            if !screen.go_to_finding(action == Action::RunPrevious) {
                app.say("no problems in what is loaded of this tree");
            }
            return at_cursor(app, screen);
        }
        Action::Causes => match whole_correlation(screen) {
            Some(of) => app.deeper = Some(Deeper::Causes(Box::new(CausesScreen::new(of)))),
            None => app.complain("it has no correlation id"),
        },
        _ => {}
    }
    Vec::new()
}

/// From the tree of one event to everything of its correlation.
fn whole_correlation(screen: &CausesScreen) -> Option<Of> {
    let id = screen.current()?.correlation_id.clone()?;
    let of = Of::Correlation(id);
    (of != screen.of).then_some(of)
}

pub(super) fn take(app: &mut App, screen: &mut CausesScreen, reply: Reply) -> Effects {
    match reply {
        Reply::Causes(out) => screen.found = Remote::Ready(Causes::of_one(out)),
        Reply::Correlation(out) => {
            screen.found = Remote::Ready(Causes::of_correlation(out));
            screen.is_placed = true;
        }
        Reply::MoreCauses(out) => add(screen, Causes::of_one(out)),
        Reply::MoreCorrelation(out) => add(screen, Causes::of_correlation(out)),
        Reply::Recorded(whole) => {
            screen.whole = whole.map_or(Remote::Absent, Remote::Ready);
            return Vec::new();
        }
        _ => return Vec::new(),
    }
    screen.place();
    let last = screen.rows().len().saturating_sub(1);
    screen.selected = screen.selected.min(last);
    at_cursor(app, screen)
}

fn add(screen: &mut CausesScreen, more: Causes) {
    let selected = screen.rows().get(screen.selected).copied();
    if let Some(found) = screen.found.value_mut() {
        found.add(more);
    }
    // Rows before it do not change; it may be a job of the last node all the same.
    let rows = screen.rows();
    if let Some(selected) = selected
        && let Some(at) = rows.iter().position(|row: &Row| *row == selected)
    {
        screen.selected = at;
    }
}

pub(super) fn failed(
    app: &mut App,
    screen: &mut CausesScreen,
    slot: Slot,
    failure: Failure,
    is_away: bool,
) {
    match slot {
        Slot::Causes | Slot::Correlation => screen.found.fail(failure, is_away),
        Slot::Recorded => screen.whole = Remote::Failed(failure),
        _ => complain(app, failure, is_away),
    }
}
