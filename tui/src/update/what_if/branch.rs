//! Keeping a what-if under a name, as a branch.

use whodunit_core::api::branch::BranchOut;

use super::super::Effects;
use super::super::input::edit;
use crate::effect::Failure;
use crate::model::branches::{Naming, Purpose};
use crate::model::what_if::WhatIfScreen;
use crate::model::{App, Overlay};
use crate::request::{Keep, Request};

/// The code of the problem that a branch of this name is there already.
const EXISTS: &str = "branch_exists";

/// Asks for a name.
pub(super) fn open(app: &mut App, screen: &WhatIfScreen) {
    if screen.changes() == 0 {
        app.complain("nothing is changed yet: there is nothing to keep");
        return;
    }
    if screen.scenario.as_recorded {
        app.complain("in a branch the rules are asked: m asks them, then B keeps it");
        return;
    }
    let name = screen.branch.clone().unwrap_or_default();
    let naming = Naming::new(Purpose::Keep, &name);
    app.overlay = Some(Overlay::Naming(Box::new(naming)));
}

/// A key while the name is typed.
pub(in crate::update) fn press(
    app: &mut App,
    screen: &mut WhatIfScreen,
    mut naming: Box<Naming>,
    key: &str,
) -> Effects {
    let mut effects = Vec::new();
    if key == "enter" {
        let name = naming.input.value().trim().to_owned();
        if name.is_empty() {
            naming.error = Some("type a name: letters, digits, `.`, `_` and `-`".to_owned());
        } else {
            let kept = Keep {
                replace: naming.is_there.as_ref() == Some(&name),
                name,
                on: screen.scenario.on.clone(),
                asked: screen.request(),
            };
            naming.error = None;
            let request = Request::KeepBranch(kept);
            effects.push(screen.asked.ask(app, "the branch", request));
        }
    } else if edit(&mut naming.input, key) {
        naming.error = None;
        naming.is_there = None;
    }
    // The box stays until the branch is kept, to show what may be wrong.
    app.overlay = Some(Overlay::Naming(naming));
    effects
}

pub(super) fn kept(app: &mut App, screen: &mut WhatIfScreen, out: &BranchOut) {
    if matches!(app.overlay, Some(Overlay::Naming(_))) {
        app.overlay = None;
    }
    let name = &out.branch.name;
    screen.saved = Some(screen.scenario.clone());
    screen.branch = Some(name.clone());
    app.say(format!(
        "kept as the branch {name}: b lists the branches; `--branch {name}` reads it on the command line"
    ));
}

pub(super) fn failed(app: &mut App, failure: &Failure) {
    let Some(Overlay::Naming(naming)) = &mut app.overlay else {
        app.complain(failure.message.clone());
        return;
    };
    let exists = failure.code.as_deref() == Some(EXISTS);
    naming.is_there = exists.then(|| naming.input.value().trim().to_owned());
    naming.refuse(&failure.message);
}
