//! The model: everything the screens show, and nothing of how.
//!
//! Owns the state of the program between messages. Never draws, never asks the daemon: views read it, updates change it.

pub(crate) mod backfill;
pub(crate) mod form;
pub(crate) mod log;
pub(crate) mod pipeline;
pub(crate) mod stream;
pub(crate) mod streams;
pub(crate) mod what_if;

use std::collections::BTreeMap;

use tui_input::Input;
use whodunit_core::api::browse::{Category, LiveHead};
use whodunit_core::ids::StreamName;
use whodunit_core::time::Timestamp;

use crate::effect::{Effect, Failure, Request, Slot};
use crate::guide::Guide;
use crate::keys::Scope;
use crate::text::Zone;
use crate::theme::Theme;

use form::Form;
use log::LogScreen;
use pipeline::{Confirmed, PipelineScreen};
use stream::StreamScreen;
use streams::StreamsScreen;
use what_if::WhatIfScreen;

/// Something the daemon was asked for.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) enum Remote<T> {
    /// Nothing was asked yet.
    #[default]
    Absent,
    /// It is on its way; what was there before stays on screen.
    Loading(Option<T>),
    /// Here it is.
    Ready(T),
    /// It could not be had.
    Failed(Failure),
}

impl<T> Remote<T> {
    /// What there is, be it old.
    pub(crate) fn value(&self) -> Option<&T> {
        match self {
            Self::Ready(value) | Self::Loading(Some(value)) => Some(value),
            Self::Absent | Self::Loading(None) | Self::Failed(_) => None,
        }
    }

    pub(crate) fn value_mut(&mut self) -> Option<&mut T> {
        match self {
            Self::Ready(value) | Self::Loading(Some(value)) => Some(value),
            Self::Absent | Self::Loading(None) | Self::Failed(_) => None,
        }
    }

    /// Asks again, keeping what there is.
    pub(crate) fn reload(&mut self) {
        *self = match std::mem::take(self) {
            Self::Ready(value) | Self::Loading(Some(value)) => Self::Loading(Some(value)),
            Self::Absent | Self::Loading(None) | Self::Failed(_) => Self::Loading(None),
        };
    }

    pub(crate) fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed(failure) => Some(failure),
            Self::Absent | Self::Loading(_) | Self::Ready(_) => None,
        }
    }
}

/// Which screen is in front.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Screen {
    Streams,
    Stream,
    WhatIf,
    Log,
    Pipeline,
}

impl Screen {
    pub(crate) fn scope(&self) -> Scope {
        match self {
            Self::Streams => Scope::Streams,
            Self::Stream => Scope::Stream,
            Self::WhatIf => Scope::WhatIf,
            Self::Log => Scope::Log,
            Self::Pipeline => Scope::Pipeline,
        }
    }
}

/// Where one has been.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Place {
    Streams,
    Log,
    Pipeline,
    Stream(StreamName, u64),
}

/// Whether the daemon is there.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Connection {
    Connecting,
    Live,
    /// Not reached since, next try at, and why.
    Lost {
        since: Timestamp,
        retry_at: Timestamp,
        cause: String,
    },
}

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
    Category {
        categories: Remote<Vec<Category>>,
        selected: usize,
    },
    Jump {
        input: Input,
        error: Option<String>,
    },
    Detail {
        scroll: usize,
    },
    Diff {
        scroll: usize,
    },
    /// A choice of the model's commands.
    Commands {
        selected: usize,
    },
    Form(Box<Form>),
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

/// A line at the bottom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) text: String,
    pub(crate) is_error: bool,
}

/// Everything.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    pub(crate) address: String,
    pub(crate) size: (u16, u16),
    pub(crate) theme: Theme,
    pub(crate) zone: Zone,
    pub(crate) local_offset: i32,
    pub(crate) now: Timestamp,
    pub(crate) connection: Connection,
    pub(crate) head: LiveHead,
    pub(crate) screen: Screen,
    /// The screen that lies under the one in front, to go back to.
    pub(crate) under: Vec<Screen>,
    pub(crate) been: Vec<Place>,
    pub(crate) ahead: Vec<Place>,
    pub(crate) overlay: Option<Overlay>,
    pub(crate) notice: Option<Notice>,
    pub(crate) guide: Option<Guide>,
    pub(crate) streams: StreamsScreen,
    pub(crate) stream: Option<StreamScreen>,
    pub(crate) what_if: Option<WhatIfScreen>,
    pub(crate) log: LogScreen,
    pub(crate) pipeline: PipelineScreen,
    /// Generation of the newest request of each slot; answers to older ones are dropped.
    pub(crate) generations: BTreeMap<Slot, u64>,
    /// Slots that wait for an answer.
    pub(crate) waiting: BTreeMap<Slot, String>,
    /// Frames of the spinner, moved by ticks.
    pub(crate) ticks: usize,
    pub(crate) refresh_pending: bool,
}

impl Model {
    pub(crate) fn new(
        address: String,
        size: (u16, u16),
        theme: Theme,
        now: Timestamp,
        local_offset: i32,
    ) -> Self {
        Self {
            address,
            size,
            theme,
            zone: Zone::Utc,
            local_offset,
            now,
            connection: Connection::Connecting,
            head: LiveHead {
                position: 0,
                decision: 0,
            },
            screen: Screen::Streams,
            under: Vec::new(),
            been: Vec::new(),
            ahead: Vec::new(),
            overlay: None,
            notice: None,
            guide: None,
            streams: StreamsScreen::default(),
            stream: None,
            what_if: None,
            log: LogScreen::default(),
            pipeline: PipelineScreen::default(),
            generations: BTreeMap::new(),
            waiting: BTreeMap::new(),
            ticks: 0,
            refresh_pending: false,
        }
    }

    /// A request whose answer fills `slot`; `what` is shown while it is under way.
    pub(crate) fn ask(&mut self, slot: Slot, what: impl Into<String>, request: Request) -> Effect {
        let generation = self.generations.entry(slot).or_default();
        *generation += 1;
        self.waiting.insert(slot, what.into());
        Effect::Ask {
            slot,
            generation: *generation,
            request: Box::new(request),
        }
    }

    /// Whether anything on screen changes by itself.
    pub(crate) fn animates(&self) -> bool {
        let moves = match self.screen {
            Screen::Pipeline => true,
            Screen::Stream => self.stream.as_ref().is_some_and(StreamScreen::is_moving),
            Screen::Streams | Screen::WhatIf | Screen::Log => false,
        };
        moves || !self.waiting.is_empty() || self.connection != Connection::Live
    }

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
