//! Run to: the next or previous revision at which a condition holds.

use tui_input::{Input, InputRequest};
use whodunit_core::api::investigate::{BisectIn, BisectOut, FindIn};
use whodunit_core::ids::Revision;
use whodunit_core::pointer::Pointer;
use whodunit_core::predicate::dotted;

use super::super::Effects;
use super::super::input::edit;
use super::go_to;
use crate::effect::Failure;
use crate::model::stream::{Row, StreamScreen};
use crate::model::{App, Overlay};
use crate::request::Request;
use crate::text::counted;

/// Which way to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Next,
    Previous,
}

/// Opens the box, with the condition of the last run.
pub(super) fn open(app: &mut App, screen: &StreamScreen) {
    app.overlay = Some(Overlay::RunTo {
        input: Input::new(screen.run_to.clone()),
        error: None,
    });
}

/// Runs on with the condition of the last run.
pub(super) fn again(app: &mut App, screen: &mut StreamScreen, direction: Direction) -> Effects {
    if screen.run_to.is_empty() {
        open(app, screen);
        return Vec::new();
    }
    let predicate = screen.run_to.clone();
    match asked(screen, predicate, direction) {
        Ok(asked) => {
            let what = format!("where {}", asked.predicate);
            vec![screen.asked.ask(app, what, Request::RunTo(asked))]
        }
        Err(error) => {
            app.complain(error);
            Vec::new()
        }
    }
}

/// A key while the box is open.
pub(in crate::update) fn press(
    app: &mut App,
    screen: &mut StreamScreen,
    mut input: Input,
    error: Option<String>,
    key: &str,
) -> Effects {
    let direction = match key {
        "enter" => Direction::Next,
        "ctrl-b" => Direction::Previous,
        "tab" => {
            complete(screen, &mut input);
            app.overlay = Some(Overlay::RunTo { input, error: None });
            return Vec::new();
        }
        _ => {
            let changed = edit(&mut input, key);
            app.overlay = Some(Overlay::RunTo {
                input,
                error: if changed { None } else { error },
            });
            return Vec::new();
        }
    };
    let predicate = input.value().trim().to_owned();
    if predicate.is_empty() {
        let error = Some("type a condition such as `/status == \"suspended\"`".to_owned());
        app.overlay = Some(Overlay::RunTo { input, error });
        return Vec::new();
    }
    match asked(screen, predicate, direction) {
        Ok(asked) => {
            // The box stays until there is an answer, to show what may be wrong with the condition.
            app.overlay = Some(Overlay::RunTo { input, error: None });
            let what = format!("where {}", asked.predicate);
            vec![screen.asked.ask(app, what, Request::RunTo(asked))]
        }
        Err(error) => {
            let error = Some(error);
            app.overlay = Some(Overlay::RunTo { input, error });
            Vec::new()
        }
    }
}

/// The question: from the revision beside the cursor to the end of the history that way.
fn asked(
    screen: &StreamScreen,
    predicate: String,
    direction: Direction,
) -> Result<BisectIn, String> {
    let (here, head) = (screen.revision(), screen.head());
    let (from, to, find) = match direction {
        Direction::Next if here >= head => {
            return Err("this is the head: nothing comes after it".to_owned());
        }
        Direction::Previous if here == 0 => {
            return Err("this is the empty stream: nothing comes before it".to_owned());
        }
        Direction::Next => (here + 1, head, FindIn::First),
        Direction::Previous => (0, here - 1, FindIn::Last),
    };
    Ok(BisectIn {
        stream: Some(screen.stream.clone()),
        category: None,
        log: false,
        predicate,
        from: Some(Revision(from)),
        to: Some(Revision(to)),
        find,
        all: false,
        one_flip: false,
        limit: None,
    })
}

/// Moves to the revision that was found, or says that there is none.
pub(super) fn take(app: &mut App, screen: &mut StreamScreen, out: &BisectOut) -> Effects {
    screen.run_to.clone_from(&out.predicate);
    let unsaid = out
        .undefined
        .as_ref()
        .map_or_else(String::new, |undefined| {
            let at = counted(undefined.revisions, "revision");
            format!("; it could not be evaluated at {at}: {}", undefined.reason)
        });
    let Some(found) = out.matches.first() else {
        let error = format!(
            "`{}` does not hold anywhere from revision {} to {}{unsaid}",
            out.predicate, out.from, out.to
        );
        match &mut app.overlay {
            Some(Overlay::RunTo { error: said, .. }) => *said = Some(error),
            _ => app.complain(error),
        }
        return Vec::new();
    };
    if matches!(app.overlay, Some(Overlay::RunTo { .. })) {
        app.overlay = None;
    }
    let revision = found.revision.0;
    let effects = go_to(app, screen, Row::Revision(revision));
    app.say(format!(
        "`{}` holds at revision {revision}{unsaid}; n runs on, N back",
        out.predicate
    ));
    effects
}

pub(super) fn failed(app: &mut App, failure: Failure) {
    let text = match &failure.hint {
        Some(hint) => format!("{}; {hint}", failure.message),
        None => failure.message,
    };
    match &mut app.overlay {
        Some(Overlay::RunTo { error, .. }) => *error = Some(text),
        _ => app.complain(text),
    }
}

/// The path that is being typed, with the fields of the state that it may become.
pub(crate) fn candidates(screen: &StreamScreen, input: &Input) -> Vec<String> {
    let typed: String = input.value().chars().take(input.cursor()).collect();
    let Some(path) = unfinished(&typed) else {
        return Vec::new();
    };
    let rows = screen.fields().rows;
    let root = path.split(['.', '[']).next().unwrap_or_default();
    let spelt = |path: String| match path.parse::<Pointer>() {
        Ok(pointer) if !root.starts_with('/') => dotted(root, pointer.tokens()),
        _ => path,
    };
    let mut found: Vec<String> = rows.into_iter().map(|row| spelt(row.path)).collect();
    found.retain(|candidate| candidate.starts_with(path) && candidate != path);
    found.sort();
    found
}

/// The path at the end of a text, if the text ends within one.
fn unfinished(typed: &str) -> Option<&str> {
    let begins = typed
        .rfind([' ', '(', '!', '&', '|', '=', '<', '>'])
        .map_or(0, |at| at + 1);
    let word = typed.get(begins..)?.trim_start_matches('"');
    let begins = ["/", "state.", "before."];
    begins
        .iter()
        .any(|root| word.starts_with(root))
        .then_some(word)
}

/// Completes the path at the cursor as far as all candidates agree.
fn complete(screen: &StreamScreen, input: &mut Input) {
    let found = candidates(screen, input);
    let typed: String = input.value().chars().take(input.cursor()).collect();
    let (Some(first), Some(path)) = (found.first(), unfinished(&typed)) else {
        return;
    };
    let common = found.iter().fold(first.clone(), |common, other| {
        let agree = common
            .chars()
            .zip(other.chars())
            .take_while(|(a, b)| a == b);
        agree.map(|(a, _)| a).collect()
    });
    for c in common.chars().skip(path.chars().count()) {
        input.handle(InputRequest::InsertChar(c));
    }
}
