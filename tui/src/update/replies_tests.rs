//! Whatever comes in whatever order: no screen ever shows what belongs to another, or to an earlier question.
//!
//! A daemon that answers in any order and at any delay, also with failures, also questions that were given up; random keys.

use std::collections::BTreeSet;

use proptest::test_runner::{RngAlgorithm, TestRng};
use whodunit_core::ids::StreamName;

use super::*;
use crate::effect::Ticket;
use crate::model::Remote;
use crate::model::log::{LogRow, LogScreen};
use crate::model::pipeline::PipelineScreen;
use crate::model::stream::StreamScreen;
use crate::model::streams::StreamsScreen;
use crate::model::what_if::WhatIfScreen;
use crate::request::{Request, Slot};
use crate::testing::{Daemon, Harness};

/// Keys that lead everywhere, those that move and open more often than the rest.
const KEYS: &[&str] = &[
    "up",
    "down",
    "down",
    "left",
    "left",
    "right",
    "enter",
    "enter",
    "esc",
    "esc",
    "[",
    "]",
    "g",
    "G",
    "L",
    "S",
    "p",
    "/",
    "s",
    "a",
    "u",
    "x",
    "w",
    "m",
    "d",
    "t",
    "2",
    "3",
    "tab",
    "r",
    "backspace",
    "c",
    "shift-left",
    "shift-right",
    "F",
    "o",
    "q",
    "f",
    "f",
    "a",
    "i",
    "n",
    "T",
    "tab",
    "R",
    "A",
    "C",
    "B",
    "b",
    "K",
];

/// Ways to what random keys seldom reach: some runs begin with one of them.
const BEGINNINGS: &[&[&str]] = &[
    &[],
    &["p", "b", "u", "s", "e", "r", "s", "ctrl-s", "enter"],
    &["p", "B", "enter", "C", "esc", "down", "C", "K"],
    &[
        "p", "tab", "tab", "R", "tab", "K", "tab", "down", "down", "A", "enter",
    ],
    &["enter", "w", "a", "enter", "x", "ctrl-s"],
    &["enter", "w", "x", "up", "x", "up", "x"],
    &[
        "enter", "f", "a", "down", "enter", "tab", "enter", "down", "enter",
    ],
    &["L", "up", "f", "t", "G", "enter", "esc", "[", "f", "c"],
    &[
        "enter", "B", "t", "r", "u", "e", "ctrl-b", "n", "N", "tab", "enter",
    ],
    &[
        "enter", "left", "t", "1", "5", ":", "4", "0", "enter", "q", "down", "enter",
    ],
];

struct Random(TestRng);

impl Random {
    fn new(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Self(TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
    }

    fn below(&mut self, n: usize) -> usize {
        use proptest::prelude::Rng;
        usize::try_from(self.0.next_u64() % u64::try_from(n.max(1)).unwrap()).unwrap()
    }
}

/// The program before a daemon that takes its time.
struct Slow {
    harness: Harness,
    /// Questions under way, with those that were given up: their replies may be in the queue already.
    open: Vec<(Ticket, Request)>,
    /// Kinds of questions that were asked.
    asked: BTreeSet<Slot>,
}

impl Slow {
    fn new() -> Self {
        let harness = Harness::new((80, 24), Daemon::many()).silent();
        Self {
            harness,
            open: Vec::new(),
            asked: BTreeSet::new(),
        }
    }

    fn collect(&mut self) {
        for effect in std::mem::take(&mut self.harness.effects) {
            if let Effect::Ask { ticket, request } = effect {
                self.asked.insert(request.slot());
                self.open.push((ticket, *request));
            }
        }
    }

    fn key(&mut self, key: &str) {
        self.harness.send(Msg::Key(key.to_owned()));
        self.collect();
    }

    fn reply(&mut self, index: usize, fails: bool) {
        let (ticket, request) = self.open.swap_remove(index);
        let reply = if fails {
            Err(Daemon::failing(false).failure.unwrap())
        } else {
            self.harness.daemon.answer(&request)
        };
        let reply = Box::new(reply);
        self.harness.send(Msg::Replied { ticket, reply });
        self.collect();
    }

    /// Lets everything be answered, in any order.
    fn settle(&mut self, random: &mut Random) {
        let mut replies = 0;
        while !self.open.is_empty() {
            let index = random.below(self.open.len());
            self.reply(index, false);
            replies += 1;
            assert!(replies < 10_000, "it never stops asking");
        }
    }
}

/// That nothing on any screen of the stack belongs to another stream, filter or query.
fn belongs(harness: &Harness) {
    of_menu(harness);
    for screen in harness.stack() {
        match screen {
            Screen::Streams(screen) => of_list(screen),
            Screen::Stream(screen) => of_stream(screen),
            Screen::WhatIf(screen) => of_what_if(screen),
            Screen::Log(screen) => of_log(screen),
            Screen::Find(screen) => of_find(screen),
            Screen::Pipeline(screen) => of_pipeline(screen),
        }
    }
}

fn of_find(screen: &FindScreen) {
    let query = &screen.applied;
    let mut last = u64::MAX;
    for event in screen.events() {
        let is = |wanted: &Option<String>, actual: Option<&str>| {
            wanted
                .as_deref()
                .is_none_or(|wanted| actual == Some(wanted))
        };
        assert!(
            is(&query.actor, event.actor.as_deref())
                && is(&query.event_type, Some(&event.event_type))
                && is(&query.correlation, event.correlation_id.as_deref()),
            "an event of another query"
        );
        assert!(
            event.position.0 < last,
            "a page is there twice, or upside down"
        );
        last = event.position.0;
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

fn of_stream(screen: &StreamScreen) {
    let name = &screen.stream;
    if let Some(info) = screen.info.value() {
        assert_eq!(info.stream, *name);
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
    if let Some(diff) = screen.diff.value() {
        assert_eq!(diff.stream, *name);
    }
}

fn of_what_if(screen: &WhatIfScreen) {
    if let Some(model) = screen.model.value() {
        assert_eq!(model.category, screen.stream.category());
    }
    let events = screen.result.value().into_iter().flat_map(|out| &out.steps);
    for event in events.flat_map(|step| &step.events) {
        assert_eq!(event.stream, screen.stream);
    }
}

fn of_log(screen: &LogScreen) {
    let mut last = 0;
    for row in screen.rows.value().into_iter().flatten() {
        match row {
            LogRow::Event(event) => {
                assert!(screen.admits(event), "a row of another filter");
                assert!(
                    event.position.0 > last,
                    "a page is there twice, or upside down"
                );
                last = event.position.0;
            }
            LogRow::Rejected(decision) => assert!(screen.admits_decision(decision)),
        }
    }
}

/// What the screen in front says once all replies are in, and what it says when the same place is loaded from nothing by a
/// daemon that answers at once.
fn compare(harness: &Harness, seed: u64) {
    let mut fresh = Harness::new((80, 24), Daemon::many());
    fresh.model = harness.model.clone();
    match &mut fresh.model.front {
        Screen::Stream(screen) => {
            let at = Some(screen.revision());
            **screen = StreamScreen::new(screen.stream.clone(), at);
        }
        Screen::Streams(screen) => (screen.list, screen.preview) = (Remote::Absent, Remote::Absent),
        Screen::WhatIf(screen) => (screen.result, screen.model) = (Remote::Absent, Remote::Absent),
        Screen::Find(screen) => {
            screen.found = Remote::Loading(None);
            screen.changes.clear();
            screen.typing = false;
        }
        Screen::Log(_) | Screen::Pipeline(_) => {}
    }
    let effects = start(&mut fresh.model);
    fresh.run(effects);
    match (&harness.model.front, &fresh.model.front) {
        (Screen::Stream(slow), Screen::Stream(quick)) => {
            assert_eq!(slow.info, quick.info, "seed {seed}");
            assert_eq!(slow.decisions, quick.decisions, "seed {seed}");
            assert_eq!(slow.density, quick.density, "seed {seed}");
            assert_eq!(slow.status, quick.status, "seed {seed}");
            if slow.info.value().is_some() {
                assert_eq!(slow.state(), quick.state(), "seed {seed}");
                assert!(slow.missing_window(24).is_none(), "seed {seed}");
            }
            for (revision, step) in &slow.steps {
                let same = quick.steps.get(revision).is_none_or(|other| other == step);
                assert!(same, "seed {seed}, revision {revision}");
            }
        }
        (Screen::Streams(slow), Screen::Streams(quick)) => {
            let (slow_page, quick_page) = (slow.streams(), quick.streams());
            let both = slow_page.len().min(quick_page.len());
            assert_eq!(slow_page[..both], quick_page[..both], "seed {seed}");
            assert_eq!(slow_page.is_empty(), quick_page.is_empty(), "seed {seed}");
        }
        (Screen::WhatIf(slow), Screen::WhatIf(quick)) => {
            assert_eq!(slow.result, quick.result, "seed {seed}");
            assert_eq!(slow.model, quick.model, "seed {seed}");
            assert_eq!(slow.head, quick.head, "seed {seed}");
        }
        (Screen::Find(slow), Screen::Find(quick)) => {
            let both = slow.events().len().min(quick.events().len());
            assert_eq!(slow.events()[..both], quick.events()[..both], "seed {seed}");
            for (key, changed) in &slow.changes {
                let same = quick.changes.get(key).is_none_or(|other| other == changed);
                assert!(same, "seed {seed}, {key:?}");
            }
        }
        (Screen::Log(slow), Screen::Log(quick)) => {
            let rows = |screen: &LogScreen| {
                screen
                    .rows
                    .value()
                    .map(|rows| rows.iter().rev().cloned().collect::<Vec<_>>())
            };
            if let (Some(slow), Some(quick)) = (rows(slow), rows(quick)) {
                let both = slow.len().min(quick.len());
                assert_eq!(slow[..both], quick[..both], "seed {seed}");
            }
        }
        (Screen::Pipeline(slow), Screen::Pipeline(quick)) => {
            assert_eq!(slow.all, quick.all, "seed {seed}");
        }
        _ => panic!("another screen is in front, seed {seed}"),
    }
}

#[test]
fn no_reply_ever_reaches_a_screen_that_did_not_ask() {
    let mut asked: BTreeSet<Slot> = BTreeSet::new();
    for seed in 0..400 {
        let mut random = Random::new(seed);
        let mut slow = Slow::new();
        let mut keys = Vec::new();
        let failing = seed % 2 == 1;
        let mut again = failing;
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let beginning = BEGINNINGS[random.below(BEGINNINGS.len())];
            for &key in beginning {
                keys.push(key);
                slow.key(key);
                // In half of the runs the daemon keeps pace with it.
                if seed % 4 < 2 {
                    slow.settle(&mut random);
                }
                belongs(&slow.harness);
            }
            for _ in 0..120 {
                if slow.open.is_empty() || random.below(5) < 3 {
                    let key = KEYS[random.below(KEYS.len())];
                    // The end of the program is no part of this.
                    if key != "q" || !slow.harness.model.under.is_empty() {
                        keys.push(key);
                        slow.key(key);
                        let notice = slow.harness.model.app.notice.as_ref();
                        again |= notice.is_some_and(|n| n.text.starts_with("cancelled"));
                    }
                } else {
                    let index = random.below(slow.open.len());
                    let fails = failing && random.below(6) == 0;
                    slow.reply(index, fails);
                }
                belongs(&slow.harness);
            }
            slow.settle(&mut random);
            belongs(&slow.harness);
            if again {
                // What failed, or was given up by hand, is asked for again.
                for key in ["esc", "esc", "r"] {
                    slow.key(key);
                }
                slow.settle(&mut random);
                belongs(&slow.harness);
            }
            compare(&slow.harness, seed);
            asked.append(&mut slow.asked);
        }));
        if let Err(panic) = outcome {
            eprintln!("seed {seed}, keys {keys:?}");
            std::panic::resume_unwind(panic);
        }
    }
    let never: Vec<&Slot> = Slot::ALL
        .iter()
        .filter(|slot| !asked.contains(slot))
        .collect();
    assert!(never.is_empty(), "no run asked {never:?}");
}

/// The fault as it was seen: two replies of an earlier stream under way while another one opens.
#[test]
fn a_late_state_of_the_stream_before_stays_away() {
    let mut slow = Slow::new();
    slow.harness = Harness::new((80, 24), Daemon::many())
        .press("/")
        .type_text("user-sarah")
        .press("enter enter left left")
        .silent();
    slow.key("left");
    let late: Vec<(Ticket, Request)> = slow.open.clone();
    assert!(
        late.iter()
            .any(|(_, request)| matches!(request, Request::State(..))),
        "{late:?}"
    );
    for key in ["esc", "/", "backspace", "backspace", "esc", "down", "enter"] {
        slow.key(key);
    }
    let mut random = Random::new(0);
    slow.settle(&mut random);
    belongs(&slow.harness);
}

/// Enter before the list of the filter is there opens the first stream that matches, never one that does not.
#[test]
fn enter_while_the_filter_loads_opens_what_matches() {
    let mut slow = Slow::new();
    slow.collect();
    let mut random = Random::new(1);
    slow.settle(&mut random);
    for key in ["/", "o", "s", "a", "r", "a", "enter", "enter"] {
        slow.key(key);
    }
    assert!(matches!(slow.harness.model.front, Screen::Streams(_)));
    slow.settle(&mut random);
    assert_eq!(slow.harness.stream().stream.as_str(), "user-c410");
}

/// A question that was given up is cancelled at the daemon, and its reply, when it comes all the same, is dropped.
#[test]
fn what_is_given_up_is_cancelled() {
    let mut harness = Harness::new((120, 40), Daemon::many())
        .press("enter")
        .silent();
    harness.effects.clear();
    let mut harness = harness.press("r").press("r");
    let asked: Vec<Ticket> = harness
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Ask { ticket, request } if matches!(**request, Request::Stream(_)) => {
                Some(*ticket)
            }
            _ => None,
        })
        .collect();
    assert_eq!(asked.len(), 2);
    assert!(harness.effects.contains(&Effect::Cancel(asked[0])));
    let failed = |ticket| Msg::Replied {
        ticket,
        reply: Box::new(Err(Daemon::failing(false).failure.unwrap())),
    };
    harness.send(failed(asked[0]));
    assert!(harness.stream().info.failure().is_none());
    harness.send(failed(asked[1]));
    assert!(harness.stream().info.failure().is_some());
}
