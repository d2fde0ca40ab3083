//! The branches screen: moving, opening, comparing, renaming and deleting.

use whodunit_core::api::branch::BranchPatch;
use whodunit_core::branch::LOG;

use super::input::edit;
use super::{Effects, complain, moved};
use crate::client::CompareQuery;
use crate::effect::Failure;
use crate::keys::Action;
use crate::model::branches::{BranchesScreen, For, Naming, Purpose};
use crate::model::compare::CompareScreen;
use crate::model::pipeline::Confirmed;
use crate::model::what_if::{opened, upon};
use crate::model::world::WorldScreen;
use crate::model::{App, Deeper, Overlay, Remote};
use crate::request::{Reply, Request, Slot};

/// Rows before the end of the loaded ones at which more are asked for.
const NEAR: usize = 20;
/// Streams of a comparison that are asked for beside the list.
const GLANCE: usize = 3;

pub(super) fn load(app: &mut App, screen: &mut BranchesScreen) -> Effects {
    screen.list.reload();
    screen.asked.forget(Slot::MoreBranches);
    vec![screen.asked.ask(app, "the branches", Request::Branches())]
}

/// Loads the selected branch, and what it comes to. What is on its way for another one is given up.
fn look(app: &mut App, screen: &mut BranchesScreen) -> Effects {
    let name = screen.current().map(|line| line.name.clone());
    if name == screen.of && (screen.branch.value().is_some() || screen.asked.has(Slot::Branch)) {
        return Vec::new();
    }
    screen.branch = Remote::Absent;
    screen.compared = Remote::Absent;
    screen.asked.forget(Slot::Branch);
    screen.asked.forget(Slot::CompareBranch);
    screen.of.clone_from(&name);
    screen.wanted = None;
    let Some(name) = name else {
        return Vec::new();
    };
    screen.branch = Remote::Loading(None);
    screen.compared = Remote::Loading(None);
    let query = CompareQuery {
        limit: Some(GLANCE),
        ..CompareQuery::default()
    };
    vec![
        screen.asked.ask(app, "", Request::Branch(name.clone())),
        screen
            .asked
            .ask(app, "", Request::CompareBranch(name, query)),
    ]
}

/// Nothing is known of the selected branch.
fn unlook(screen: &mut BranchesScreen) {
    screen.of = None;
    screen.branch = Remote::Absent;
    screen.compared = Remote::Absent;
    screen.asked.forget(Slot::Branch);
    screen.asked.forget(Slot::CompareBranch);
}

fn more(app: &mut App, screen: &mut BranchesScreen) -> Effects {
    let near_end = screen.selected + NEAR >= screen.lines().len();
    let next = screen
        .list
        .value()
        .and_then(|page| page.next_cursor.clone());
    let is_asked = screen.asked.has(Slot::Branches) || screen.asked.has(Slot::MoreBranches);
    match next {
        Some(next) if near_end && !is_asked => {
            let request = Request::MoreBranches(next);
            vec![screen.asked.ask(app, "more branches", request)]
        }
        _ => Vec::new(),
    }
}

/// Selects a row.
pub(super) fn go_to(app: &mut App, screen: &mut BranchesScreen, index: usize) -> Effects {
    screen.selected = index;
    let mut effects = look(app, screen);
    effects.extend(more(app, screen));
    effects
}

pub(super) fn act(app: &mut App, screen: &mut BranchesScreen, action: Action) -> Effects {
    let len = screen.lines().len();
    if let Some(index) = moved(screen.selected, len, app.page(), action) {
        return go_to(app, screen, index);
    }
    let Some(line) = screen.current() else {
        app.complain("there is no branch here: B on the what-if screen saves one");
        return Vec::new();
    };
    let (name, stream) = (line.name.clone(), line.stream.clone());
    let name_box = |app: &mut App, purpose, name: &str| {
        app.overlay = Some(Overlay::Naming(Box::new(Naming::new(purpose, name))));
    };
    match action {
        Action::Enter => return want(app, screen, For::Lab),
        Action::BuildUpon => return want(app, screen, For::Upon),
        Action::Diff => {
            app.deeper = Some(Deeper::Compare(Box::new(CompareScreen::new(name, None))));
        }
        Action::CompareWith => name_box(app, Purpose::With(name), ""),
        Action::Rename => name_box(app, Purpose::Rename(name.clone()), &name),
        Action::Remove => app.overlay = Some(Overlay::Confirm(Confirmed::RemoveBranch(name))),
        Action::Adopt => app.overlay = Some(Overlay::Confirm(Confirmed::AdoptBranch(name))),
        Action::ReadStream => {
            let stream = Deeper::Stream(stream, None);
            app.deeper = Some(Deeper::In(name, Box::new(stream)));
        }
        Action::World => {
            let category = Some(stream.category().to_owned());
            let world = Deeper::World(Box::new(WorldScreen::of(category)));
            app.deeper = Some(Deeper::In(name, Box::new(world)));
        }
        _ => {}
    }
    Vec::new()
}

/// Opens the selected branch, as soon as it is loaded.
fn want(app: &mut App, screen: &mut BranchesScreen, wanted: For) -> Effects {
    screen.wanted = Some(wanted);
    settle(app, screen);
    if screen.wanted.is_some() && !screen.asked.has(Slot::Branch) {
        // It could not be had before.
        screen.of = None;
        let effects = look(app, screen);
        screen.wanted = Some(wanted);
        return effects;
    }
    Vec::new()
}

fn settle(app: &mut App, screen: &mut BranchesScreen) {
    let (Some(wanted), Some(out)) = (screen.wanted, screen.branch.value()) else {
        return;
    };
    if app.overlay.is_none() {
        let opened = match wanted {
            For::Lab => opened(out),
            For::Upon => upon(out),
        };
        app.deeper = Some(Deeper::Lab(Box::new(opened)));
    }
    screen.wanted = None;
}

/// A key while a name is typed.
pub(super) fn name_key(
    app: &mut App,
    screen: &mut BranchesScreen,
    mut naming: Box<Naming>,
    key: &str,
) -> Effects {
    if key != "enter" {
        if edit(&mut naming.input, key) {
            naming.error = None;
        }
        app.overlay = Some(Overlay::Naming(naming));
        return Vec::new();
    }
    let typed = naming.input.value().trim().to_owned();
    match naming.purpose.clone() {
        Purpose::With(name) => {
            let with = (!typed.is_empty() && typed != LOG).then_some(typed);
            app.deeper = Some(Deeper::Compare(Box::new(CompareScreen::new(name, with))));
            Vec::new()
        }
        Purpose::Rename(name) if typed == name => {
            app.say("it has that name already");
            Vec::new()
        }
        Purpose::Rename(name) => {
            let patch = BranchPatch {
                name: Some(typed),
                ..BranchPatch::default()
            };
            naming.error = None;
            app.overlay = Some(Overlay::Naming(naming));
            let request = Request::RenameBranch(name, patch);
            vec![screen.asked.ask(app, "the new name", request)]
        }
        // The lab keeps what is on it, and the find screen its line.
        Purpose::Keep | Purpose::Line(_) => Vec::new(),
    }
}

/// A key at the question whether to delete a branch.
pub(super) fn remove_key(
    app: &mut App,
    screen: &mut BranchesScreen,
    name: String,
    key: &str,
) -> Effects {
    match key {
        "enter" | "y" => {
            let request = Request::RemoveBranch(name);
            vec![screen.asked.ask(app, "deleting the branch", request)]
        }
        "n" | "q" => Vec::new(),
        _ => {
            app.overlay = Some(Overlay::Confirm(Confirmed::RemoveBranch(name)));
            Vec::new()
        }
    }
}

/// A key at the question whether a branch is right on this log.
pub(super) fn adopt_key(
    app: &mut App,
    screen: &mut BranchesScreen,
    name: String,
    key: &str,
) -> Effects {
    match key {
        "enter" | "y" => {
            let request = Request::AdoptBranch(name);
            vec![screen.asked.ask(app, "adopting the branch", request)]
        }
        "n" | "q" => Vec::new(),
        _ => {
            app.overlay = Some(Overlay::Confirm(Confirmed::AdoptBranch(name)));
            Vec::new()
        }
    }
}

pub(super) fn take(app: &mut App, screen: &mut BranchesScreen, reply: Reply) -> Effects {
    match reply {
        Reply::Branches(page) => {
            let kept = screen.current().map(|line| line.name.clone());
            let same = |name: String| page.items.iter().position(|line| line.name == name);
            let last = page.items.len().saturating_sub(1);
            screen.selected = kept.and_then(same).unwrap_or(screen.selected).min(last);
            screen.list = Remote::Ready(page);
            // The list says what is there now: what is shown of a branch is asked again.
            screen.of = None;
            return go_to(app, screen, screen.selected);
        }
        Reply::MoreBranches(page) => {
            if let Some(list) = screen.list.value_mut() {
                list.items.extend(page.items);
                list.next_cursor = page.next_cursor;
            }
            return more(app, screen);
        }
        Reply::Branch(out) => {
            screen.branch = Remote::Ready(out);
            settle(app, screen);
        }
        Reply::CompareBranch(found) => screen.compared = Remote::Ready(found),
        Reply::RenameBranch(out) => {
            if matches!(app.overlay, Some(Overlay::Naming(_))) {
                app.overlay = None;
            }
            app.say(format!("it is called {} now", out.branch.name));
            if let Some(line) = screen
                .list
                .value_mut()
                .and_then(|page| page.items.get_mut(screen.selected))
            {
                line.name = out.branch.name;
            }
            unlook(screen);
            return load(app, screen);
        }
        Reply::AdoptBranch(out) => {
            app.say(format!("{} is read on this log now", out.branch.name));
            unlook(screen);
            return load(app, screen);
        }
        Reply::RemoveBranch(out) => {
            app.say(format!("{} is deleted", out.branch.name));
            unlook(screen);
            return load(app, screen);
        }
        _ => {}
    }
    Vec::new()
}

pub(super) fn failed(
    app: &mut App,
    screen: &mut BranchesScreen,
    slot: Slot,
    failure: Failure,
    is_away: bool,
) {
    match slot {
        Slot::Branches => {
            screen.list.fail(failure, is_away);
            if screen.list.value().is_none() {
                unlook(screen);
            }
        }
        Slot::Branch => {
            screen.wanted = None;
            screen.branch = Remote::Failed(failure);
        }
        Slot::CompareBranch => screen.compared = Remote::Failed(failure),
        Slot::RenameBranch => match &mut app.overlay {
            Some(Overlay::Naming(naming)) => naming.refuse(&failure.message),
            _ => complain(app, failure, is_away),
        },
        _ => app.complain(failure.message),
    }
}
