//! The follow menu: what is under the cursor, and where that leads.

use super::{Effects, history, what_if};
use crate::client::{FollowCounts, Subject};
use crate::effect::{Effect, Failure};
use crate::model::causes::CausesScreen;
use crate::model::find::FindScreen;
use crate::model::follow::{Entry, Follow, Lead};
use crate::model::{App, Deeper, Model, Overlay, Remote};
use crate::request::{Request, Slot};

/// Opens the menu of what is under the cursor.
pub(super) fn open(model: &mut Model) -> Effects {
    let Some(subject) = model.front.subject() else {
        let why = if model.front.asked().is_empty() {
            "there is no event under the cursor to follow"
        } else {
            "what is under the cursor is still loading"
        };
        model.app.complain(why);
        return Vec::new();
    };
    let app = &mut model.app;
    app.overlay = Some(Overlay::Follow(Box::new(Follow::new(subject.clone()))));
    let request = Request::FollowCounts(subject);
    vec![model.front.asked_mut().ask(app, "counts", request)]
}

/// Takes the counts, if the menu that asked for them is open.
pub(super) fn take(app: &mut App, counts: FollowCounts) {
    if let Some(Overlay::Follow(follow)) = &mut app.overlay
        && follow.subject == counts.subject
    {
        follow.counts = Remote::Ready(counts);
    }
}

pub(super) fn failed(app: &mut App, failure: Failure) {
    if let Some(Overlay::Follow(follow)) = &mut app.overlay {
        follow.counts = Remote::Failed(failure);
    }
}

pub(super) fn press(model: &mut Model, mut follow: Box<Follow>, key: &str) -> Effects {
    let entries = follow.entries(model.front.scope());
    let last = entries.len().saturating_sub(1);
    let chosen = match key {
        "up" | "k" => {
            follow.selected = follow.selected.saturating_sub(1);
            None
        }
        "down" => {
            follow.selected = (follow.selected + 1).min(last);
            None
        }
        "enter" => entries.get(follow.selected),
        "q" => return Vec::new(),
        key => entries.iter().find(|entry| entry.key == key),
    };
    match chosen {
        None => {
            model.app.overlay = Some(Overlay::Follow(follow));
            Vec::new()
        }
        Some(Entry {
            lead: None, what, ..
        }) => {
            model.app.complain(what.clone());
            model.app.overlay = Some(Overlay::Follow(follow));
            Vec::new()
        }
        Some(Entry {
            lead: Some(lead), ..
        }) => {
            // The counts are not wanted any more.
            model.front.asked_mut().forget(Slot::FollowCounts);
            go(model, lead.clone(), &follow.subject)
        }
    }
}

fn go(model: &mut Model, lead: Lead, subject: &Subject) -> Effects {
    match lead {
        Lead::Find(query) => {
            let screen = Box::new(FindScreen::of(query));
            history::open(model, Deeper::Find(screen))
        }
        Lead::Stream(name, at) => history::open(model, Deeper::Stream(name, Some(at))),
        Lead::Causes(of) => {
            let screen = Box::new(CausesScreen::new(of));
            history::open(model, Deeper::Causes(screen))
        }
        Lead::WhatIf => what_if::ask_of(model, subject),
        Lead::Copy(text) => {
            let text = whodunit_core::text::shown(&text).into_owned();
            model.app.say("copied");
            vec![Effect::Copy(text)]
        }
    }
}
