//! Long questions: what is typed for one, asking it, how far it is, and where its answer leads.

use tui_input::Input;
use whodunit_core::api::inevitable::InevitableIn;
use whodunit_core::api::minimal::{MinimalIn, MinimalOf};
use whodunit_core::api::undo::UndoIn;
use whodunit_core::api::what_if::Causes;
use whodunit_core::ids::Revision;
use whodunit_core::predicate::Predicate;

use super::input::edit;
use super::{Effects, complain, moved};
use crate::cli::backtest::OnScreen;
use crate::effect::Failure;
use crate::keys::Action;
use crate::model::run::{Asking, Of, RunScreen, Typed};
use crate::model::what_if::{Pane, RowId, WhatIfScreen};
use crate::model::{App, Deeper, Overlay, Remote};
use crate::request::{Part, Reply, Request, Slot};

pub(super) fn load(app: &mut App, screen: &mut RunScreen) -> Effects {
    screen.found.reload();
    screen.progress = None;
    let what = match screen.of {
        Of::Inevitable(_) => "how inevitable it was",
        Of::Minimal(_) => "the minimal history",
        Of::Undo(_) => "an undo plan",
        Of::Backtest(_) => "the back-test",
    };
    let request = Request::Run(screen.of.clone());
    vec![screen.asked.ask(app, what, request)]
}

/// How far it is.
pub(super) fn part(screen: &mut RunScreen, part: Part) {
    if let Some(run) = part.run {
        screen.progress = Some(run);
    }
}

pub(super) fn act(app: &mut App, screen: &mut RunScreen, action: Action) -> Effects {
    let len = screen.rows().len();
    if let Some(index) = moved(screen.selected, len, app.page(), action) {
        screen.selected = index;
        return Vec::new();
    }
    match action {
        Action::Enter => match screen.target() {
            Some((stream, at)) => app.deeper = Some(Deeper::Stream(stream, at)),
            None => app.complain("there is nothing to open"),
        },
        Action::Whole if len > 0 => app.overlay = Some(Overlay::Detail(Box::default())),
        Action::Whole => app.complain("there is nothing here"),
        _ => {}
    }
    Vec::new()
}

pub(super) fn take(screen: &mut RunScreen, reply: Reply) -> Effects {
    if let Reply::Run(found) = reply {
        screen.found = Remote::Ready(found);
        screen.progress = None;
        let last = screen.rows().len().saturating_sub(1);
        screen.selected = screen.selected.min(last);
    }
    Vec::new()
}

pub(super) fn failed(
    app: &mut App,
    screen: &mut RunScreen,
    slot: Slot,
    failure: Failure,
    is_away: bool,
) {
    match slot {
        Slot::Run => screen.found.fail(failure, is_away),
        _ => complain(app, failure, is_away),
    }
}

/// Asks what a long question is about, from the lab.
pub(super) fn open(app: &mut App, screen: &WhatIfScreen, action: Action) {
    if screen.scenario.on.is_some() {
        app.complain("that can be asked of what happened, not of a branch");
        return;
    }
    let stream = screen.stream.clone();
    let (typed, text) = match action {
        Action::Inevitable => (Typed::Inevitable(stream), outcome(screen)),
        Action::Minimal => (Typed::Minimal(stream, MinimalOf::Commands), outcome(screen)),
        _ => {
            let at = match screen.cursor {
                RowId::Event(revision) if screen.shown == screen.stream => revision,
                _ => screen.opened_at,
            };
            (Typed::Undo(stream, at), "/status".to_owned())
        }
    };
    ask(app, typed, text);
}

/// Asks for a rules file.
pub(super) fn open_backtest(app: &mut App) -> Effects {
    ask(app, Typed::Backtest, String::new());
    Vec::new()
}

fn ask(app: &mut App, typed: Typed, text: String) {
    app.overlay = Some(Overlay::Asking(Box::new(Asking {
        typed,
        input: Input::new(text),
        error: None,
    })));
}

/// The outcome on screen, as a condition: the field under the cursor as it was, or the status that the stream ended with.
fn outcome(screen: &WhatIfScreen) -> String {
    let field = screen.differences().get(screen.field);
    let field = field.filter(|_| screen.pane == Pane::Fields && screen.shown == screen.stream);
    if let Some(entry) = field
        && let Some(before) = &entry.before
        && !before.is_object()
        && !before.is_array()
    {
        return format!("{} == {before}", entry.path);
    }
    let recorded = screen.histories.get(&screen.stream);
    let status = recorded.and_then(|recorded| recorded.info.as_ref()?.status.clone());
    match status {
        Some(status) => format!("/status == {}", serde_json::Value::from(status)),
        None => "/".to_owned(),
    }
}

/// A key while it is typed.
pub(super) fn key(app: &mut App, mut asking: Box<Asking>, key: &str) -> Effects {
    if key == "tab"
        && let Typed::Minimal(_, of) = &mut asking.typed
    {
        *of = match of {
            MinimalOf::Commands => MinimalOf::Events,
            MinimalOf::Events => MinimalOf::Commands,
        };
    } else if key != "enter" {
        if edit(&mut asking.input, key) {
            asking.error = None;
        }
    } else {
        match read(&asking) {
            Ok(of) => {
                app.deeper = Some(Deeper::Run(Box::new(RunScreen::new(of))));
                return Vec::new();
            }
            Err(error) => asking.error = Some(error),
        }
    }
    app.overlay = Some(Overlay::Asking(asking));
    Vec::new()
}

fn read(asking: &Asking) -> Result<Of, String> {
    let text = asking.input.value().trim();
    let condition = || match Predicate::parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => {
            let hint = error
                .hint
                .map_or_else(String::new, |hint| format!("; {hint}"));
            Err(format!(
                "at column {}: {}{hint}",
                error.column, error.message
            ))
        }
    };
    match &asking.typed {
        Typed::Inevitable(stream) => Ok(Of::Inevitable(InevitableIn {
            stream: stream.clone(),
            predicate: condition()?,
            causes: Causes::default(),
            password_correct: None,
        })),
        Typed::Minimal(stream, of) => Ok(Of::Minimal(MinimalIn {
            stream: stream.clone(),
            predicate: condition()?,
            of: *of,
        })),
        Typed::Undo(stream, revision) => {
            let fields: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
            if fields.is_empty() || fields.iter().any(|field| !field.starts_with('/')) {
                return Err("name fields by their paths, such as /status /email".to_owned());
            }
            Ok(Of::Undo(UndoIn {
                stream: stream.clone(),
                to_revision: Revision(*revision),
                fields,
                actor: None,
                steps: None,
            }))
        }
        Typed::Backtest if text.is_empty() => Err("type the path of a rules file".to_owned()),
        Typed::Backtest => Ok(Of::Backtest(Box::new(OnScreen::read(text)?))),
    }
}
