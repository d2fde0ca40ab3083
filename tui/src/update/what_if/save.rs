//! Keeping a what-if, with what came of it, as a scenario file.

use super::super::Effects;
use super::super::input::edit;
use crate::effect::Failure;
use crate::model::what_if::{Saving, WhatIfScreen};
use crate::model::{App, Overlay};
use crate::request::Request;
use crate::scenario_file::{SaveIn, Saved};

/// Asks for the name of a file.
pub(super) fn open(app: &mut App, screen: &WhatIfScreen) {
    if screen.changes() == 0 {
        app.complain("nothing is changed yet: there is nothing to save");
        return;
    }
    if screen.scenario.on.is_some() {
        app.complain("it is built on a branch, which a scenario file cannot express: B keeps it");
        return;
    }
    let saving = Saving::new(screen.file_name());
    app.overlay = Some(Overlay::Save(Box::new(saving)));
}

pub(in crate::update) fn press(
    app: &mut App,
    screen: &mut WhatIfScreen,
    mut saving: Box<Saving>,
    key: &str,
) -> Effects {
    let mut effects = Vec::new();
    if key == "enter" {
        let path = saving.input.value().trim().to_owned();
        if path.is_empty() {
            saving.error = Some("type the name of a file".to_owned());
        } else {
            let asked = SaveIn {
                over: saving.is_there.as_ref() == Some(&path),
                path,
                asked: screen.request(),
            };
            saving.error = None;
            let request = Request::SaveScenario(asked);
            effects.push(screen.asked.ask(app, "the scenario", request));
        }
    } else if edit(&mut saving.input, key) {
        saving.error = None;
        saving.is_there = None;
    }
    // The box stays until the file is written, to show what may be wrong.
    app.overlay = Some(Overlay::Save(saving));
    effects
}

pub(super) fn saved(app: &mut App, screen: &mut WhatIfScreen, saved: &Saved) {
    if let Some(why) = &saved.not_written {
        return not_written(app, why.clone(), saved.is_there.then_some(&saved.path));
    }
    if matches!(app.overlay, Some(Overlay::Save(_))) {
        app.overlay = None;
    }
    // What was edited meanwhile is in no file.
    if saved.asked == screen.request() {
        screen.saved = Some(screen.scenario.clone());
    }
    app.say(format!(
        "written to {0}; `whodunit check {0}` asks it again",
        saved.path
    ));
}

pub(super) fn failed(app: &mut App, failure: &Failure) {
    not_written(app, failure.message.clone(), None);
}

fn not_written(app: &mut App, why: String, there: Option<&String>) {
    match &mut app.overlay {
        Some(Overlay::Save(saving)) => {
            saving.is_there = there.cloned();
            saving.error = Some(why);
        }
        _ => app.complain(why),
    }
}
