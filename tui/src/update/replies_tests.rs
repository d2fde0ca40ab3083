//! Whatever comes in whatever order: no screen ever shows what belongs to another, or to an earlier question.
//!
//! A daemon that answers in any order and at any delay, also with failures, also questions that were given up; random keys.

use std::collections::BTreeSet;

use proptest::test_runner::{RngAlgorithm, TestRng};

mod belongs;

use belongs::belongs;

use super::*;
use crate::effect::Ticket;
use crate::model::log::LogScreen;
use crate::model::stream::StreamScreen;
use crate::model::what_if::WhatIfScreen;
use crate::model::{Asked, Remote};
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
    "b",
    "D",
    "K",
    "W",
    "c",
    "d",
    "v",
    "space",
    "+",
    "E",
    "n",
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
        "enter", "w", "x", "S", "enter", "up", "e", "tab", "x", "ctrl-s", "m",
    ],
    &[
        "enter", "left", "w", "n", "C", "u", "tab", "enter", "q", "enter", "w", "w",
    ],
    &[
        "L", "up", "w", "e", "ctrl-s", "x", "tab", "tab", "enter", "v",
    ],
    &[
        "enter", "f", "a", "down", "enter", "tab", "enter", "down", "enter",
    ],
    &["L", "up", "f", "t", "G", "enter", "esc", "[", "f", "c"],
    &[
        "F", "t", "y", "p", "e", ":", "U", "s", "tab", "enter", "down", "n", "enter",
    ],
    &[
        "F", "s", "t", "r", "e", "a", "m", ":", "u", "down", "tab", "enter", "n", "down", "-",
    ],
    &["F", "o", "u", "tab", "r", "tab", "enter", "f", "a"],
    &["enter", "c", "up", "c", "down", "G", "space", "n"],
    &[
        "L", "/", "u", "s", "e", "r", "enter", "up", "n", "down", "enter", "G", "v",
    ],
    &[
        "L", "/", "t", "y", "p", "e", ":", "tab", "enter", "g", "/", "esc",
    ],
    &["enter", "f", "right", "g", "down", "f", "a", "q", "v"],
    &["enter", "c", "g", "c", "G", "down", "c"],
    &[
        "enter", "m", "q", "down", "enter", "d", "s", "u", "1", "2", "enter", "right",
    ],
    &[
        "W", "t", "-", "1", "d", "enter", "/", "t", "r", "u", "e", "enter", "down", "m", "T",
    ],
    &[
        "W", "c", "down", "enter", "G", "m", "t", "-", "9", "d", "enter", "G", "enter",
    ],
    &[
        "enter", "B", "t", "r", "u", "e", "ctrl-b", "n", "N", "tab", "enter",
    ],
    &[
        "enter", "left", "t", "1", "5", ":", "4", "0", "enter", "q", "down", "enter",
    ],
    // A branch is kept, and another one is there already.
    &[
        "enter", "w", "x", "B", "m", "i", "n", "e", "enter", "b", "down", "v", "left", "c",
    ],
    &[
        "enter", "w", "x", "B", "t", "h", "e", "r", "e", "enter", "enter", "b", "enter", "u",
    ],
    &[
        "b", "down", "d", "G", "enter", "left", "d", "q", "q", "W", "down", "enter", "[",
    ],
    &[
        "b", "G", "D", "m", "a", "n", "y", "enter", "[", "up", "n", "x", "b", "R", "2", "enter",
    ],
    &[
        "b", "down", "v", "m", "left", "d", "[", "]", "q", "x", "enter", "v", "B",
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
    open: Vec<(Ticket, Request, Option<String>)>,
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
            if let Effect::Ask {
                ticket,
                request,
                branch,
            } = effect
            {
                self.asked.insert(request.slot());
                self.open.push((ticket, *request, branch));
            }
        }
    }

    fn key(&mut self, key: &str) {
        self.harness.send(Msg::Key(key.to_owned()));
        self.collect();
    }

    fn reply(&mut self, index: usize, fails: bool) {
        let (ticket, request, branch) = self.open.swap_remove(index);
        for part in self.harness.daemon.parts(&request) {
            let part = Box::new(part);
            self.harness.send(Msg::Part { ticket, part });
            belongs(&self.harness);
        }
        let reply = if fails {
            Err(Daemon::failing(false).failure.unwrap())
        } else {
            let daemon = &self.harness.daemon;
            daemon.answer_in(&request, branch.as_deref())
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

/// What the screen in front says once all replies are in, and what it says when the same place is loaded from nothing by a
/// daemon that answers at once.
#[expect(clippy::too_many_lines, reason = "an arm for each screen")]
fn compare(harness: &Harness, seed: u64) {
    let mut fresh = Harness::new((80, 24), Daemon::many());
    fresh.model = harness.model.clone();
    match &mut fresh.model.front {
        Screen::Stream(screen) => {
            let at = Some(screen.revision());
            let asked = Asked::of_branch(screen.asked.branch().map(str::to_owned));
            **screen = StreamScreen::new(screen.stream.clone(), at);
            screen.asked = asked;
        }
        Screen::Streams(screen) => (screen.list, screen.preview) = (Remote::Absent, Remote::Absent),
        Screen::WhatIf(screen) => {
            (screen.result, screen.model) = (Remote::Absent, Remote::Absent);
            (screen.answered, screen.want) = (None, None);
            screen.histories.clear();
        }
        Screen::Find(screen) => {
            screen.found = Remote::Loading(None);
            screen.summary = Remote::Absent;
            screen.changes.clear();
            screen.line.typing = false;
        }
        Screen::Causes(screen) => {
            let asked = Asked::of_branch(screen.asked.branch().map(str::to_owned));
            **screen = CausesScreen::new(screen.of.clone());
            screen.asked = asked;
        }
        Screen::Branches(screen) => {
            (screen.list, screen.branch, screen.compared) =
                (Remote::Absent, Remote::Absent, Remote::Absent);
            (screen.of, screen.wanted) = (None, None);
        }
        Screen::Compare(screen) => screen.found = Remote::Absent,
        Screen::Diff(screen) => {
            (screen.diff, screen.sides) = (Remote::Absent, Remote::Absent);
        }
        Screen::World(screen) => {
            screen.world = Remote::Absent;
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
            let steps = |screen: &WhatIfScreen| {
                let out = screen.result.value().cloned();
                out.map(|out| (out.steps.len().min(2), out.state, out.flips, out.diff))
            };
            assert_eq!(steps(slow), steps(quick), "seed {seed}");
            assert!(!slow.is_old(), "seed {seed}");
            assert_eq!(slow.model, quick.model, "seed {seed}");
            let (slow, quick) = (slow.recorded(), quick.recorded());
            let (Some(slow), Some(quick)) = (slow, quick) else {
                panic!("the history is not loaded, seed {seed}");
            };
            assert_eq!(slow.info, quick.info, "seed {seed}");
            assert_eq!(slow.decisions, quick.decisions, "seed {seed}");
            for (revision, step) in &quick.steps {
                assert_eq!(slow.steps.get(revision), Some(step), "seed {seed}");
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
        (slow, quick) => compare_wide(slow, quick, seed),
    }
}

/// The same for the screens that show many streams.
fn compare_wide(slow: &Screen, quick: &Screen, seed: u64) {
    match (slow, quick) {
        (Screen::Find(slow), Screen::Find(quick)) => {
            let both = slow.rows().len().min(quick.rows().len());
            assert_eq!(slow.rows()[..both], quick.rows()[..both], "seed {seed}");
            for (key, changed) in &slow.changes {
                let same = quick.changes.get(key).is_none_or(|other| other == changed);
                assert!(same, "seed {seed}, {key:?}");
            }
        }
        (Screen::Causes(slow), Screen::Causes(quick)) => {
            if let (Some(slow), Some(quick)) = (slow.found.value(), quick.found.value()) {
                let both = slow.nodes.len().min(quick.nodes.len());
                assert_eq!(slow.nodes[..both], quick.nodes[..both], "seed {seed}");
                assert_eq!(slow.total, quick.total, "seed {seed}");
            }
        }
        (Screen::Diff(slow), Screen::Diff(quick)) => {
            assert_eq!(slow.diff, quick.diff, "seed {seed}");
            assert_eq!(slow.sides, quick.sides, "seed {seed}");
        }
        (Screen::Branches(slow), Screen::Branches(quick)) => {
            let both = slow.lines().len().min(quick.lines().len());
            assert_eq!(slow.lines()[..both], quick.lines()[..both], "seed {seed}");
            if slow.selected == quick.selected {
                assert_eq!(slow.branch, quick.branch, "seed {seed}");
                assert_eq!(slow.compared, quick.compared, "seed {seed}");
            }
        }
        (Screen::Compare(slow), Screen::Compare(quick)) => {
            assert_eq!(slow.found, quick.found, "seed {seed}");
        }
        (Screen::World(slow), Screen::World(quick)) => {
            let both = slow.items().len().min(quick.items().len());
            assert_eq!(slow.items()[..both], quick.items()[..both], "seed {seed}");
            assert_eq!(
                slow.items().is_empty(),
                quick.items().is_empty(),
                "seed {seed}"
            );
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
    let late: Vec<(Ticket, Request, Option<String>)> = slow.open.clone();
    assert!(
        late.iter()
            .any(|(_, request, _)| matches!(request, Request::State(..))),
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
            Effect::Ask {
                ticket, request, ..
            } if matches!(**request, Request::Stream(_)) => Some(*ticket),
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
