//! A driver for tests of the screens: keys in, text out, no terminal and no daemon.
//!
//! Effects that ask the daemon are answered by one in memory, so a test presses keys and reads the screen.

mod daemon;
mod history;
pub(crate) mod pipeline;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use whodunit_core::api::browse::LiveHead;
use whodunit_core::time::Timestamp;

use crate::effect::Effect;
use crate::keys::Scope;
use crate::model::find::FindScreen;
use crate::model::log::LogScreen;
use crate::model::pipeline::PipelineScreen;
use crate::model::stream::StreamScreen;
use crate::model::streams::StreamsScreen;
use crate::model::what_if::WhatIfScreen;
use crate::model::{Model, Screen};
use crate::msg::Msg;
use crate::request::Slot;
use crate::theme::{Palette, Theme};
use crate::update::{start, update};
use crate::view::view;

pub(crate) use daemon::Daemon;
pub(crate) use history::sarah;

/// The clock of every test: the Tuesday after.
pub(crate) fn now() -> Timestamp {
    time("2025-03-25T09:15:00Z")
}

pub(crate) fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The program without terminal and daemon.
pub(crate) struct Harness {
    pub(crate) model: Model,
    pub(crate) daemon: Daemon,
    /// Everything asked for that was not answered.
    pub(crate) effects: Vec<Effect>,
    answering: bool,
}

impl Harness {
    pub(crate) fn new(size: (u16, u16), daemon: Daemon) -> Self {
        Self::with(
            size,
            daemon,
            Theme {
                palette: Palette::Sixteen,
                ascii: false,
            },
        )
    }

    pub(crate) fn with(size: (u16, u16), daemon: Daemon, theme: Theme) -> Self {
        let model = Model::new("127.0.0.1:4780".to_owned(), size, theme, now(), |_| 7200);
        let mut harness = Self {
            model,
            daemon,
            effects: Vec::new(),
            answering: true,
        };
        if harness
            .daemon
            .failure
            .as_ref()
            .is_none_or(|failure| failure.no_answer.is_none())
        {
            harness.send(Msg::Connected(now()));
            harness.model.app.head = LiveHead {
                position: 18_204,
                decision: 9,
                ..LiveHead::default()
            };
        }
        let effects = start(&mut harness.model);
        harness.run(effects);
        harness
    }

    /// From now on the daemon does not answer: what is asked for is loading.
    pub(crate) fn silent(mut self) -> Self {
        self.answering = false;
        self
    }

    pub(crate) fn send(&mut self, msg: Msg) {
        let effects = update(&mut self.model, msg);
        self.run(effects);
    }

    /// Does what an update wants done.
    pub(crate) fn run(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Ask {
                    ticket,
                    request,
                    branch,
                } if self.answering => {
                    for part in self.daemon.parts(&request) {
                        let part = Box::new(part);
                        self.send(Msg::Part { ticket, part });
                    }
                    let reply = Box::new(self.daemon.answer_in(&request, branch.as_deref()));
                    self.send(Msg::Replied { ticket, reply });
                }
                other => self.effects.push(other),
            }
        }
    }

    /// Presses keys, by their names, separated by spaces.
    pub(crate) fn press(mut self, keys: &str) -> Self {
        for key in keys.split(' ').filter(|key| !key.is_empty()) {
            self.send(Msg::Key(key.to_owned()));
        }
        self
    }

    /// Types a text.
    pub(crate) fn type_text(mut self, text: &str) -> Self {
        for c in text.chars() {
            self.send(Msg::Key(if c == ' ' {
                "space".to_owned()
            } else {
                c.to_string()
            }));
        }
        self
    }

    pub(crate) fn got(mut self, msg: Msg) -> Self {
        self.send(msg);
        self
    }

    pub(crate) fn asked(&self, slot: Slot) -> bool {
        self.effects
            .iter()
            .any(|effect| matches!(effect, Effect::Ask { request, .. } if request.slot() == slot))
    }

    /// The scope of the screen in front.
    pub(crate) fn front(&self) -> Scope {
        self.model.front.scope()
    }

    /// The list of streams, wherever it lies.
    pub(crate) fn streams(&self) -> &StreamsScreen {
        let mut screens = self.stack().filter_map(|screen| match screen {
            Screen::Streams(screen) => Some(&**screen),
            _ => None,
        });
        screens.next().unwrap()
    }

    /// The stream in front, or under the what-if in front.
    pub(crate) fn stream(&self) -> &StreamScreen {
        match &self.model.front {
            Screen::Stream(screen) => screen,
            _ => {
                let mut under = self.model.under.iter().rev();
                let stream = under.find_map(|screen| match screen {
                    Screen::Stream(stream) => Some(&**stream),
                    _ => None,
                });
                stream.unwrap()
            }
        }
    }

    pub(crate) fn what_if(&self) -> &WhatIfScreen {
        match &self.model.front {
            Screen::WhatIf(screen) => screen,
            other => panic!("{:?} is in front", other.scope()),
        }
    }

    pub(crate) fn log(&self) -> &LogScreen {
        match &self.model.front {
            Screen::Log(screen) => screen,
            other => panic!("{:?} is in front", other.scope()),
        }
    }

    pub(crate) fn find(&self) -> &FindScreen {
        match &self.model.front {
            Screen::Find(screen) => screen,
            other => panic!("{:?} is in front", other.scope()),
        }
    }

    pub(crate) fn pipeline(&self) -> &PipelineScreen {
        match &self.model.front {
            Screen::Pipeline(screen) => screen,
            other => panic!("{:?} is in front", other.scope()),
        }
    }

    /// The screens on the stack, the one in front first.
    pub(crate) fn stack(&self) -> impl Iterator<Item = &Screen> {
        std::iter::once(&self.model.front).chain(self.model.under.iter().rev())
    }

    pub(crate) fn buffer(&self) -> Buffer {
        let mut terminal = Terminal::new(TestBackend::new(
            self.model.app.size.0,
            self.model.app.size.1,
        ))
        .unwrap();
        terminal.draw(|frame| view(&self.model, frame)).unwrap();
        terminal.backend().buffer().clone()
    }

    /// The screen as text.
    pub(crate) fn screen(&self) -> String {
        let buffer = self.buffer();
        let mut out = String::new();
        for row in 0..buffer.area.height {
            let mut line = String::new();
            let mut skip = 0;
            for column in 0..buffer.area.width {
                if skip > 0 {
                    skip -= 1;
                    continue;
                }
                let symbol = buffer[(column, row)].symbol();
                skip = crate::text::width(symbol).saturating_sub(1);
                line.push_str(symbol);
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}
