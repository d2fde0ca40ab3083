//! What may stand on a screen: nothing of another stream, filter, line, moment or query.

use std::collections::BTreeSet;

use whodunit_core::ids::StreamName;

use crate::client::{At, Subject};
use crate::model::branches::BranchesScreen;
use crate::model::causes::{CausesScreen, Of};
use crate::model::compare::CompareScreen;
use crate::model::diff::DiffScreen;
use crate::model::find::FindScreen;
use crate::model::log::{LogRow, LogScreen};
use crate::model::pipeline::PipelineScreen;
use crate::model::run::{Found, Of as Question, RunScreen};
use crate::model::stream::StreamScreen;
use crate::model::streams::StreamsScreen;
use crate::model::what_if::WhatIfScreen;
use crate::model::world::{Item, WorldScreen};
use crate::model::{Overlay, Screen};
use crate::request::Request;
use crate::testing::{Daemon, Harness};

/// That nothing on any screen of the stack belongs to another stream, filter or query.
pub(super) fn belongs(harness: &Harness) {
    of_menu(harness);
    for screen in harness.stack() {
        // What is read from a branch is what that branch has.
        let branch = screen.asked().branch();
        let Ok(daemon) = harness.daemon.in_branch(branch) else {
            continue;
        };
        match screen {
            Screen::Streams(screen) => of_list(screen),
            Screen::Stream(screen) => of_stream(&daemon, screen),
            Screen::WhatIf(screen) => of_what_if(screen),
            Screen::Log(screen) => of_log(&harness.daemon, screen),
            Screen::Find(screen) => of_find(&harness.daemon, screen),
            Screen::Causes(screen) => of_causes(screen),
            Screen::Diff(screen) => of_diff(screen),
            Screen::World(screen) => of_world(&daemon, screen),
            Screen::Branches(screen) => of_branches(screen),
            Screen::Compare(screen) => of_compare(screen),
            Screen::Run(screen) => of_run(screen),
            Screen::Pipeline(screen) => of_pipeline(screen),
        }
    }
}

/// A tree is that of the event or the correlation that was asked about, each node once.
fn of_causes(screen: &CausesScreen) {
    let Some(found) = screen.found.value() else {
        return;
    };
    let mut seen = BTreeSet::new();
    for node in &found.nodes {
        assert!(seen.insert(&node.id), "a page is there twice");
        if let Of::Correlation(id) = &screen.of {
            assert_eq!(node.correlation_id.as_deref(), Some(id.as_str()));
        }
    }
    if let (Of::One(id), None) = (&screen.of, &found.next) {
        assert!(
            found.nodes.iter().any(|node| node.id == *id),
            "a tree of another event"
        );
    }
    if let Some(whole) = screen.whole.value() {
        assert_eq!(Some(whole.id()), screen.whole_of.as_deref());
    }
}

/// Both sides are the points that were asked for.
fn of_diff(screen: &DiffScreen) {
    if let Some(diff) = screen.diff.value() {
        let to = diff.to_stream.as_ref().unwrap_or(&diff.stream);
        assert_eq!((&diff.stream, to), (&screen.from.stream, &screen.to.stream));
        for (end, revision) in [(&screen.from, diff.from), (&screen.to, diff.to)] {
            if let At::Revision(asked) = end.at {
                assert_eq!(asked, revision, "a comparison of other points");
            }
        }
    }
    if let Some(sides) = screen.sides.value() {
        assert_eq!(sides.from.0.stream, screen.from.stream);
        assert_eq!(sides.to.0.stream, screen.to.stream);
    }
}

/// Every state is the one of the moment, of the category, and such that the condition holds.
fn of_world(daemon: &Daemon, screen: &WorldScreen) {
    let mut last: Option<&StreamName> = None;
    for item in screen.items() {
        let name = item.stream();
        assert!(
            last.is_none_or(|last| last < name),
            "a page is there twice, or of another world"
        );
        last = Some(name);
        let category = screen.category.as_deref();
        assert!(category.is_none_or(|category| name.category() == category));
        assert_eq!(matches!(item, Item::Change(_)), screen.compares());
        if let (Item::State(item), Some(at)) = (item, screen.at) {
            assert!(item.recorded_at <= at, "a state of another moment");
            let request = Request::State(name.clone(), At::AsOf(at));
            let Ok(crate::request::Reply::State(state)) = daemon.answer(&request) else {
                panic!("no state of {name}");
            };
            assert_eq!(state.state, item.state);
        }
    }
}

fn of_find(daemon: &Daemon, screen: &FindScreen) {
    let mut last = u64::MAX;
    for row in screen.rows() {
        assert!(
            daemon.matches(&screen.applied, row),
            "a row of another line"
        );
        let place = match row {
            Subject::Event(event) => event.position.0,
            Subject::Decision(decision) => decision.sequence,
        };
        assert!(place < last, "a page is there twice, or upside down");
        last = place;
    }
    let line = screen.applied.to_string();
    if let Some(summary) = screen.summary.value() {
        assert_eq!(summary.query, line, "figures of another line");
    }
    if let Some(differs) = screen.differs.value() {
        assert_eq!(differs.query, line, "differences of another line");
    }
    for ((stream, revision), changed) in &screen.changes {
        assert_eq!((&changed.stream, changed.revision.0), (stream, *revision));
        let step = changed.step.as_ref().unwrap();
        assert_eq!(
            (&step.event.stream, step.event.revision.0),
            (stream, *revision)
        );
    }
}

/// An open follow menu is about what it was opened on.
fn of_menu(harness: &Harness) {
    if let Some(Overlay::Follow(menu)) = &harness.model.app.overlay
        && let Some(counts) = menu.counts.value()
    {
        assert_eq!(counts.subject, menu.subject);
    }
}

fn of_pipeline(screen: &PipelineScreen) {
    if let Some(check) = screen.check.value() {
        assert_eq!(screen.checked.as_ref(), Some(&check.projection));
    }
    if let Some(handler) = screen.current_handler() {
        for job in screen.jobs() {
            assert_eq!(job.handler, handler.handler, "a job of another handler");
        }
    }
}

fn of_list(screen: &StreamsScreen) {
    let wanted = screen.filter.value().trim().to_lowercase();
    if screen.listed == Some(screen.query()) {
        for stream in screen.streams() {
            let title = stream.title.clone().unwrap_or_default().to_lowercase();
            let name = stream.stream.as_str();
            assert!(
                name.contains(&wanted) || title.contains(&wanted),
                "{name} is listed for `{wanted}`"
            );
        }
    }
    let names: BTreeSet<&StreamName> = screen.streams().iter().map(|s| &s.stream).collect();
    assert_eq!(
        names.len(),
        screen.streams().len(),
        "a stream is listed twice"
    );
    if let (Some(preview), Some(stream)) = (screen.preview.value(), screen.current())
        && screen.listed == Some(screen.query())
    {
        assert_eq!(
            preview.state.stream, stream.stream,
            "the preview is of another stream"
        );
    }
}

/// What the selected branch says and comes to is of that branch.
fn of_branches(screen: &BranchesScreen) {
    let current = screen.current().map(|line| &line.name);
    if let Some(out) = screen.branch.value() {
        assert_eq!(screen.of.as_ref(), Some(&out.branch.name), "another branch");
    }
    if screen.asked.has(crate::request::Slot::Branches) {
        return;
    }
    let is_shown = screen.branch.value().is_some() || screen.compared.value().is_some();
    assert!(!is_shown || screen.of.as_ref() == current, "of another row");
    if let Some(found) = screen.compared.value() {
        assert_eq!(found.answer, format!("it is {}", current.unwrap()));
    }
}

/// An answer is to the question that stands above it.
fn of_run(screen: &RunScreen) {
    match (&screen.of, screen.found.value()) {
        (_, None) => {}
        (Question::Inevitable(asked), Some(Found::Inevitable(end))) => {
            assert_eq!(
                (&asked.stream, &asked.predicate),
                (&end.stream, &end.predicate)
            );
        }
        (Question::Minimal(asked), Some(Found::Minimal(end))) => {
            assert_eq!((&asked.stream, asked.of), (&end.stream, end.of));
        }
        (Question::Undo(asked), Some(Found::Undo(end))) => assert_eq!(asked.stream, end.stream),
        (Question::Backtest(asked), Some(Found::Backtest(end, ..))) => {
            assert!(end.answer.starts_with(asked.line()));
        }
        (of, Some(found)) => panic!("{found:?} for {of:?}"),
    }
}

fn of_compare(screen: &CompareScreen) {
    if let Some(found) = screen.found.value() {
        assert_eq!(found.answer, format!("it is {}", screen.name));
        assert_eq!(found.with, screen.with.as_deref().unwrap_or("log"));
        let names: BTreeSet<&StreamName> = found.streams.iter().map(|s| &s.stream).collect();
        assert_eq!(names.len(), found.streams.len(), "a page is there twice");
    }
}

fn of_stream(daemon: &Daemon, screen: &StreamScreen) {
    let name = &screen.stream;
    if let Some(info) = screen.info.value() {
        assert_eq!(info.stream, *name);
        let request = Request::Stream(name.clone());
        if let Ok(crate::request::Reply::Stream(known)) = daemon.answer(&request) {
            assert_eq!(info.revision, known.revision, "of another world");
        }
    }
    for (revision, state) in &screen.states {
        assert_eq!((&state.stream, state.revision.0), (name, *revision));
    }
    for (revision, step) in &screen.steps {
        assert_eq!(
            (&step.event.stream, step.event.revision.0),
            (name, *revision)
        );
    }
    for decision in &screen.decisions {
        assert_eq!(decision.stream, *name);
    }
    for (revision, blame) in &screen.blames {
        assert_eq!((&blame.stream, blame.revision.0), (name, *revision));
    }
    for (id, origin) in &screen.origins {
        assert_eq!(origin.event_id, *id);
    }
    if let Some(field) = screen.field.value() {
        assert_eq!((&field.stream, &field.path), (name, &screen.field_path));
    }
    if let Some(status) = screen.status.value() {
        assert_eq!(status.stream, *name);
    }
}

fn of_what_if(screen: &WhatIfScreen) {
    if let Some(model) = screen.model.value() {
        assert_eq!(model.category, screen.stream.category());
    }
    for (name, recorded) in &screen.histories {
        if let Some(info) = &recorded.info {
            assert_eq!(info.stream, *name);
        }
        for (revision, step) in &recorded.steps {
            assert_eq!(
                (&step.event.stream, step.event.revision.0),
                (name, *revision)
            );
        }
        for decision in &recorded.decisions {
            assert_eq!(decision.stream, *name);
        }
    }
    let Some(out) = screen.result.value() else {
        return;
    };
    assert_eq!(out.stream, screen.stream);
    for step in &out.steps {
        let of = step.stream.as_ref().unwrap_or(&screen.stream);
        for event in &step.events {
            assert_eq!(event.stream, *of);
        }
    }
    // An answer is of what is asked, or is known to be of what was asked before.
    if !screen.is_old() {
        let edits = screen.request().edits.len();
        let edited = out.steps.iter().filter(|step| step.edited).count();
        assert!(edited <= edits, "an answer of another scenario");
    }
}

fn of_log(daemon: &Daemon, screen: &LogScreen) {
    let mut last = 0;
    for row in screen.rows.value().into_iter().flatten() {
        let found = match row {
            LogRow::Event(event) => Subject::Event(event.clone()),
            LogRow::Rejected(decision) => Subject::Decision(decision.clone()),
        };
        assert!(
            daemon.matches(&screen.applied, &found),
            "a row of another filter"
        );
        if let LogRow::Event(event) = row {
            assert!(
                event.position.0 > last,
                "a page is there twice, or upside down"
            );
            last = event.position.0;
        }
    }
    if let Some(summary) = screen.summary.value() {
        assert_eq!(summary.query, screen.applied.to_string());
    }
}
