//! The model: everything the screens show, and nothing of how.
//!
//! Owns the state of the program between messages: the stack of screens, and what they share. Never draws, never asks the
//! daemon: views read it, updates change it.

mod asked;
pub(crate) mod backfill;
pub(crate) mod branches;
pub(crate) mod causes;
pub(crate) mod compare;
pub(crate) mod diff;
pub(crate) mod fields;
pub(crate) mod find;
pub(crate) mod follow;
pub(crate) mod form;
pub(crate) mod guide;
pub(crate) mod hits;
pub(crate) mod line;
pub(crate) mod log;
pub(crate) mod pipeline;
pub(crate) mod quote;
mod remote;
pub(crate) mod run;
mod screen;
pub(crate) mod span;
pub(crate) mod stream;
pub(crate) mod streams;
pub(crate) mod tree;
pub(crate) mod what_if;
pub(crate) mod world;

use std::collections::{BTreeMap, BTreeSet};

use tui_input::Input;
use whodunit_core::api::browse::LiveHead;
use whodunit_core::ids::StreamName;
use whodunit_core::time::Timestamp;

use crate::config::Context;
use crate::effect::{NoAnswer, Ticket, Tickets};
use crate::theme::Theme;
use crate::zone::{OffsetAt, Zone};

use branches::{Naming, Opened};
use causes::CausesScreen;
use compare::CompareScreen;
use diff::DiffScreen;
use find::FindScreen;
use follow::Follow;
use form::Form;
use guide::Guide;
use hits::Hits;
use log::LogScreen;
use pipeline::Confirmed;
use run::{Asking, RunScreen};
use tree::Tree;
use what_if::{Question, Saving, WhatIfScreen};
use world::WorldScreen;

pub(crate) use asked::Asked;
pub(crate) use remote::Remote;
pub(crate) use screen::{Screen, Top};

/// Where one has been.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Place {
    Top(Top),
    Stream(StreamName, u64),
    /// A search, by its line.
    Find(String),
    Causes(causes::Of),
    Diff(Box<(diff::End, diff::End)>),
    /// The what-if of a stream.
    WhatIf(StreamName),
    /// A category with a condition, and the moment that it is compared with.
    World(Option<String>, String, Option<Timestamp>),
    Branches,
    /// A branch, and what it is compared with.
    Compare(String, Option<String>),
    /// A long question.
    Run(Box<run::Of>),
    /// One of the others, as a branch has it.
    In(String, Box<Place>),
}

/// A screen to open over the one in front.
#[derive(Debug, Clone)]
pub(crate) enum Deeper {
    /// A stream, at a revision or at its head.
    Stream(StreamName, Option<u64>),
    WhatIf(Box<WhatIfScreen>),
    Find(Box<FindScreen>),
    Causes(Box<CausesScreen>),
    Diff(Box<DiffScreen>),
    World(Box<WorldScreen>),
    Branches,
    Compare(Box<CompareScreen>),
    Run(Box<RunScreen>),
    /// A branch, in the lab.
    Lab(Box<Opened>),
    /// One of the others, as a branch has it.
    In(String, Box<Deeper>),
}

/// Whether the daemon is there.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Connection {
    Connecting,
    Live,
    /// The live feed is open, but the daemon has not answered since.
    Silent {
        since: Timestamp,
    },
    /// Not reached since, next try at, and why.
    Lost {
        since: Timestamp,
        retry_at: Timestamp,
        cause: String,
        why: NoAnswer,
    },
}

impl Connection {
    /// Since when nothing was heard of the daemon.
    pub(crate) fn away_since(&self) -> Option<Timestamp> {
        match self {
            Self::Connecting | Self::Live => None,
            Self::Silent { since } | Self::Lost { since, .. } => Some(*since),
        }
    }
}

/// What-ifs that are kept when they are left, at most.
const LEFT_MAX: usize = 20;

/// What lies over the screen and takes the keys.
#[derive(Debug, Clone)]
pub(crate) enum Overlay {
    Help {
        filter: Input,
        scroll: usize,
    },
    Palette {
        filter: Input,
        selected: usize,
    },
    /// A choice of the categories.
    Category {
        selected: usize,
    },
    /// Where one can go from what is under the cursor.
    Follow(Box<Follow>),
    /// What the query line can be narrowed by, or freed from.
    Narrow {
        selected: usize,
    },
    /// The history of the selected field.
    Field {
        selected: usize,
    },
    /// Until which condition holds to run through the history.
    RunTo {
        input: Input,
        error: Option<String>,
    },
    /// Where to go: a revision or a time.
    GoTo {
        input: Input,
        error: Option<String>,
    },
    /// The whole of what is at the cursor.
    Detail(Box<Tree>),
    /// Another point for one side of a comparison.
    Side(AskedSide),
    /// A choice of the model's commands.
    Commands {
        selected: usize,
    },
    Form(Box<Form>),
    /// What of the event at hand is to be otherwise.
    Question(Box<Question>),
    /// The name of a file to save a what-if in.
    Save(Box<Saving>),
    /// The name of a branch.
    Naming(Box<Naming>),
    /// What a long question is about.
    Asking(Box<Asking>),
    /// Everything about the selected projection.
    Projection {
        scroll: usize,
    },
    /// What the consistency check found.
    Findings {
        selected: usize,
    },
    /// Whether to do something that cannot be taken back.
    Confirm(Confirmed),
}

/// A point that is typed.
#[derive(Debug, Clone)]
pub(crate) struct AskedSide {
    /// Whether it is the right side's.
    pub(crate) right: bool,
    pub(crate) input: Input,
    pub(crate) error: Option<String>,
}

/// A line at the bottom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) text: String,
    pub(crate) is_error: bool,
}

/// What all screens share.
#[derive(Debug, Clone)]
pub(crate) struct App {
    /// Query lines that are kept by name.
    pub(crate) queries: BTreeMap<String, String>,
    pub(crate) address: String,
    /// The daemon's name, and what goes with it.
    pub(crate) context: Option<(String, Context)>,
    pub(crate) size: (u16, u16),
    pub(crate) theme: Theme,
    pub(crate) zone: Zone,
    pub(crate) local_offset: OffsetAt,
    pub(crate) now: Timestamp,
    /// The moment that is held: states are shown as of it, on every screen.
    pub(crate) as_of: Option<Timestamp>,
    /// The revision that is marked to compare another with it.
    pub(crate) mark: Option<(StreamName, u64)>,
    /// The branch that it was marked in.
    pub(crate) mark_branch: Option<String>,
    pub(crate) connection: Connection,
    pub(crate) head: LiveHead,
    pub(crate) overlay: Option<Overlay>,
    pub(crate) notice: Option<Notice>,
    pub(crate) guide: Option<Guide>,
    pub(crate) tickets: Tickets,
    /// Where an action leads to; taken by the update that ran it.
    pub(crate) deeper: Option<Deeper>,
    /// What stands where in the frame that was drawn last.
    pub(crate) hits: Hits,
    /// Frames of the spinner, moved by ticks.
    pub(crate) ticks: usize,
    pub(crate) refresh_pending: bool,
}

impl App {
    pub(crate) fn say(&mut self, text: impl Into<String>) {
        self.notice = Some(Notice {
            text: text.into(),
            is_error: false,
        });
    }

    pub(crate) fn complain(&mut self, text: impl Into<String>) {
        self.notice = Some(Notice {
            text: text.into(),
            is_error: true,
        });
    }

    /// Rows that a list on the screen in front shows, roughly: what a page is.
    pub(crate) fn page(&self) -> usize {
        usize::from(self.size.1.saturating_sub(10)).max(5)
    }
}

/// Everything.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    pub(crate) app: App,
    pub(crate) front: Screen,
    /// The screens that lie under the one in front, the lowest first.
    pub(crate) under: Vec<Screen>,
    /// Top screens that are on the stack no more: they are as they were left when they are called for.
    resting: Vec<Screen>,
    /// What-ifs that were left with changes, the last one at the end: one of a stream.
    #[expect(clippy::vec_box, reason = "they are moved to and from the screens")]
    left: Vec<Box<WhatIfScreen>>,
    /// Whether it was said that what-ifs are not saved, and would be gone.
    pub(crate) warned: bool,
    pub(crate) been: Vec<Place>,
    pub(crate) ahead: Vec<Place>,
}

impl Model {
    pub(crate) fn new(
        address: String,
        size: (u16, u16),
        theme: Theme,
        now: Timestamp,
        local_offset: OffsetAt,
    ) -> Self {
        let app = App {
            queries: BTreeMap::new(),
            address,
            context: None,
            size,
            theme,
            zone: Zone::Utc,
            local_offset,
            now,
            as_of: None,
            mark: None,
            mark_branch: None,
            connection: Connection::Connecting,
            head: LiveHead::default(),
            overlay: None,
            notice: None,
            guide: None,
            tickets: Tickets::default(),
            deeper: None,
            hits: Hits::default(),
            ticks: 0,
            refresh_pending: false,
        };
        Self {
            app,
            front: Top::Streams.fresh(),
            under: Vec::new(),
            resting: Vec::new(),
            left: Vec::new(),
            warned: false,
            been: Vec::new(),
            ahead: Vec::new(),
        }
    }

    /// What the screens share, and the screens: the one in front, then those under it and those at rest.
    pub(crate) fn parts(&mut self) -> (&mut App, impl Iterator<Item = &mut Screen>) {
        let rest = self.under.iter_mut().chain(&mut self.resting);
        (&mut self.app, std::iter::once(&mut self.front).chain(rest))
    }

    fn screens(&self) -> impl Iterator<Item = &Screen> {
        let rest = self.under.iter().chain(&self.resting);
        std::iter::once(&self.front).chain(rest)
    }

    /// Puts a screen over the one in front.
    pub(crate) fn push(&mut self, screen: Screen) {
        let under = std::mem::replace(&mut self.front, screen);
        self.under.push(under);
    }

    /// Drops the screen in front; whether one lay under it.
    pub(crate) fn pop(&mut self) -> bool {
        let Some(screen) = self.under.pop() else {
            return false;
        };
        let left = std::mem::replace(&mut self.front, screen);
        self.set_aside(left);
        true
    }

    /// Keeps a screen that one comes back to: a top screen, and a what-if with changes.
    fn set_aside(&mut self, screen: Screen) {
        match screen {
            Screen::WhatIf(mut screen) if screen.has_story() => {
                // What is on its way is not waited for any more.
                screen.asked.forget_all();
                screen.want = None;
                self.left.retain(|left| left.stream != screen.stream);
                self.left.push(screen);
                if self.left.len() > LEFT_MAX {
                    self.left.remove(0);
                }
            }
            screen if screen.top().is_some() => self.resting.push(screen),
            _ => {}
        }
    }

    /// The what-if of a stream that was left, if there is one.
    pub(crate) fn left_what_if(&self, stream: &StreamName) -> Option<&WhatIfScreen> {
        let mut left = self.left.iter().map(|screen| &**screen);
        left.find(|screen| screen.stream == *stream)
    }

    /// The same, to be gone on with.
    pub(crate) fn take_what_if(&mut self, stream: &StreamName) -> Option<Box<WhatIfScreen>> {
        let place = self.left.iter().position(|left| left.stream == *stream)?;
        Some(self.left.remove(place))
    }

    /// How many what-ifs have changes that are in no file.
    pub(crate) fn unsaved_what_ifs(&self) -> usize {
        let on_stack = self.screens().filter_map(|screen| match screen {
            Screen::WhatIf(screen) => Some(&**screen),
            _ => None,
        });
        let left = self.left.iter().map(|screen| &**screen);
        on_stack
            .chain(left)
            .filter(|screen| screen.is_unsaved())
            .count()
    }

    /// Puts a top screen in front, with the list of streams under it and nothing else.
    pub(crate) fn bring(&mut self, top: Top) {
        while self.pop() {}
        let bottom = std::mem::replace(&mut self.front, top.fresh());
        self.set_aside(bottom);
        self.front = self.rested(top);
        if top != Top::Streams {
            let list = self.rested(Top::Streams);
            self.under.push(list);
        }
    }

    fn rested(&mut self, top: Top) -> Screen {
        match self.resting.iter().position(|s| s.top() == Some(top)) {
            Some(index) => self.resting.swap_remove(index),
            None => top.fresh(),
        }
    }

    /// The tickets of all questions under way.
    pub(crate) fn tickets(&self) -> BTreeSet<Ticket> {
        self.screens()
            .flat_map(|screen| screen.asked().tickets())
            .collect()
    }

    /// Whether anything on screen changes by itself.
    pub(crate) fn animates(&self) -> bool {
        self.front.is_moving()
            || self.screens().any(|screen| !screen.asked().is_empty())
            || self.app.connection != Connection::Live
    }

    /// The command that gives the same answer as the screen in front.
    pub(crate) fn call(&self) -> String {
        let call = self.front.call(self.app.overlay.as_ref());
        match self.front.asked().branch() {
            Some(branch) => format!("{call} --branch {}", quote::quote(branch)),
            None => call,
        }
    }

    /// The log screen, wherever it is.
    pub(crate) fn log_mut(&mut self) -> Option<&mut LogScreen> {
        let (_, mut screens) = self.parts();
        screens.find_map(|screen| match screen {
            Screen::Log(log) => Some(&mut **log),
            _ => None,
        })
    }
}
