//! Screens as values: each holds what it shows and the questions it waits for.
//!
//! Owns what all screens have in common. A screen that is dropped takes its questions along: no reply can reach another.

use super::branches::BranchesScreen;
use super::causes::CausesScreen;
use super::compare::CompareScreen;
use super::diff::DiffScreen;
use super::find::FindScreen;
use super::log::{LogRow, LogScreen};
use super::pipeline::PipelineScreen;
use super::run::RunScreen;
use super::stream::{StreamScreen, field_call};
use super::streams::StreamsScreen;
use super::what_if::{Pane, WhatIfScreen};
use super::world::{Item, WorldScreen};
use super::{Asked, Overlay, Place, Remote};
use serde_json::Value;
use whodunit_core::event::Event;
use whodunit_core::ids::StreamName;

use crate::client::Subject;
use crate::keys::Scope;
use crate::request::Slot;

#[derive(Debug, Clone)]
pub(crate) enum Screen {
    Streams(Box<StreamsScreen>),
    Stream(Box<StreamScreen>),
    WhatIf(Box<WhatIfScreen>),
    Log(Box<LogScreen>),
    Find(Box<FindScreen>),
    Causes(Box<CausesScreen>),
    Diff(Box<DiffScreen>),
    World(Box<WorldScreen>),
    Branches(Box<BranchesScreen>),
    Compare(Box<CompareScreen>),
    Run(Box<RunScreen>),
    Pipeline(Box<PipelineScreen>),
}

/// The screens that are reached by a key of their own, from anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Top {
    Streams,
    Log,
    Pipeline,
}

impl Top {
    /// The screen before anything was asked.
    pub(super) fn fresh(self) -> Screen {
        match self {
            Self::Streams => Screen::Streams(Box::default()),
            Self::Log => Screen::Log(Box::default()),
            Self::Pipeline => Screen::Pipeline(Box::default()),
        }
    }
}

impl Screen {
    /// Which of the top screens it is, if it is one.
    pub(crate) fn top(&self) -> Option<Top> {
        match self {
            Self::Streams(_) => Some(Top::Streams),
            Self::Log(_) => Some(Top::Log),
            Self::Pipeline(_) => Some(Top::Pipeline),
            Self::Stream(_)
            | Self::WhatIf(_)
            | Self::Find(_)
            | Self::Causes(_)
            | Self::Diff(_)
            | Self::World(_)
            | Self::Branches(_)
            | Self::Compare(_)
            | Self::Run(_) => None,
        }
    }

    pub(crate) fn scope(&self) -> Scope {
        match self {
            Self::Streams(_) => Scope::Streams,
            Self::Stream(_) => Scope::Stream,
            Self::WhatIf(_) => Scope::WhatIf,
            Self::Log(_) => Scope::Log,
            Self::Find(_) => Scope::Find,
            Self::Causes(_) => Scope::Causes,
            Self::Diff(_) => Scope::Diff,
            Self::World(_) => Scope::World,
            Self::Branches(_) => Scope::Branches,
            Self::Compare(_) => Scope::Compare,
            Self::Run(_) => Scope::Run,
            Self::Pipeline(_) => Scope::Pipeline,
        }
    }

    /// Where it is, to come back to.
    pub(crate) fn place(&self) -> Place {
        let place = self.place_of_log();
        match self.asked().branch() {
            Some(branch) => Place::In(branch.to_owned(), Box::new(place)),
            None => place,
        }
    }

    fn place_of_log(&self) -> Place {
        match self {
            Self::Streams(_) => Place::Top(Top::Streams),
            Self::Log(_) => Place::Top(Top::Log),
            Self::Pipeline(_) => Place::Top(Top::Pipeline),
            Self::Stream(screen) => Place::Stream(screen.stream.clone(), screen.revision()),
            Self::WhatIf(screen) => Place::WhatIf(screen.stream.clone()),
            Self::Find(screen) => Place::Find(screen.line.text().to_owned()),
            Self::Causes(screen) => Place::Causes(screen.of.clone()),
            Self::Diff(screen) => Place::Diff(Box::new((screen.from.clone(), screen.to.clone()))),
            Self::World(screen) => {
                Place::World(screen.category.clone(), screen.applied.clone(), screen.from)
            }
            Self::Branches(_) => Place::Branches,
            Self::Compare(screen) => Place::Compare(screen.name.clone(), screen.with.clone()),
            Self::Run(screen) => Place::Run(Box::new(screen.of.clone())),
        }
    }

    /// Whether it shows what a branch has, or compares with it.
    pub(crate) fn reads_a_branch(&self) -> bool {
        self.asked().branch().is_some() || matches!(self, Self::Branches(_) | Self::Compare(_))
    }

    pub(crate) fn asked(&self) -> &Asked {
        match self {
            Self::Streams(screen) => &screen.asked,
            Self::Stream(screen) => &screen.asked,
            Self::WhatIf(screen) => &screen.asked,
            Self::Log(screen) => &screen.asked,
            Self::Find(screen) => &screen.asked,
            Self::Causes(screen) => &screen.asked,
            Self::Diff(screen) => &screen.asked,
            Self::World(screen) => &screen.asked,
            Self::Branches(screen) => &screen.asked,
            Self::Compare(screen) => &screen.asked,
            Self::Run(screen) => &screen.asked,
            Self::Pipeline(screen) => &screen.asked,
        }
    }

    pub(crate) fn asked_mut(&mut self) -> &mut Asked {
        match self {
            Self::Streams(screen) => &mut screen.asked,
            Self::Stream(screen) => &mut screen.asked,
            Self::WhatIf(screen) => &mut screen.asked,
            Self::Log(screen) => &mut screen.asked,
            Self::Find(screen) => &mut screen.asked,
            Self::Causes(screen) => &mut screen.asked,
            Self::Diff(screen) => &mut screen.asked,
            Self::World(screen) => &mut screen.asked,
            Self::Branches(screen) => &mut screen.asked,
            Self::Compare(screen) => &mut screen.asked,
            Self::Run(screen) => &mut screen.asked,
            Self::Pipeline(screen) => &mut screen.asked,
        }
    }

    /// Nothing is under way any more: what was asked for is not there, and says so. A consistency check may take an hour; it
    /// goes on until it is cancelled itself.
    pub(crate) fn give_up(&mut self) {
        let is_asked = self.asked().has(Slot::WhatIf);
        let was_searching = self.asked().has(Slot::Find);
        self.asked_mut().forget_all_but(Slot::Check);
        match self {
            Self::Streams(screen) => {
                // A list of another filter is no answer to this one.
                if screen.is_outdated() {
                    screen.list = Remote::Absent;
                }
                screen.list.settle();
                screen.preview.settle();
                screen.categories.settle();
                screen.open_first = false;
            }
            Self::Stream(screen) => {
                screen.info.settle();
                screen.status.settle();
                screen.field.settle();
            }
            Self::WhatIf(screen) => {
                // What came of another scenario is no answer to this one.
                if is_asked {
                    screen.result = Remote::Absent;
                }
                screen.result.settle();
                screen.want = None;
                screen.model.settle();
            }
            Self::Log(screen) => {
                screen.rows.settle();
                screen.summary.settle();
                screen.line.completion = None;
            }
            Self::Find(screen) => screen.stop(was_searching),
            Self::Causes(screen) => {
                screen.found.settle();
                screen.whole.settle();
            }
            Self::Diff(screen) => {
                screen.diff.settle();
                screen.sides.settle();
            }
            Self::World(screen) => {
                screen.world.settle();
                screen.categories.settle();
            }
            Self::Branches(screen) => screen.settle(),
            Self::Compare(screen) => screen.found.settle(),
            Self::Run(screen) => {
                screen.found.settle();
                screen.progress = None;
            }
            Self::Pipeline(screen) => screen.all.settle(),
        }
    }

    /// Whether it changes by itself, as time passes.
    pub(super) fn is_moving(&self) -> bool {
        match self {
            Self::Pipeline(_) => true,
            Self::Stream(screen) => screen.is_moving(),
            Self::Streams(_)
            | Self::WhatIf(_)
            | Self::Log(_)
            | Self::Find(_)
            | Self::Causes(_)
            | Self::Diff(_)
            | Self::World(_)
            | Self::Branches(_)
            | Self::Compare(_)
            | Self::Run(_) => false,
        }
    }

    /// What is under the cursor, to follow it.
    pub(crate) fn subject(&self) -> Option<Subject> {
        let event = |event: &Event| Subject::Event(Box::new(event.clone()));
        match self {
            Self::Streams(screen) => screen.preview_of_current()?.event.as_ref().map(event),
            Self::Stream(screen) => screen.subject(),
            Self::Log(screen) => Some(match screen.current()? {
                LogRow::Event(event) => Subject::Event(event.clone()),
                LogRow::Rejected(decision) => Subject::Decision(decision.clone()),
            }),
            Self::Find(screen) => screen.current().cloned(),
            Self::Causes(screen) => screen.subject(),
            Self::WhatIf(screen) => screen.subject(),
            Self::Pipeline(_)
            | Self::Diff(_)
            | Self::World(_)
            | Self::Branches(_)
            | Self::Compare(_)
            | Self::Run(_) => None,
        }
    }

    /// All of what is under the cursor; `null` where it is not loaded.
    pub(crate) fn whole(&self) -> Value {
        match self {
            Self::Stream(screen) => screen.whole(),
            Self::Diff(screen) => screen.whole(),
            Self::WhatIf(screen) if screen.pane == Pane::Fields => {
                let entry = screen.differences().get(screen.field);
                crate::json::value(&entry).unwrap_or_default()
            }
            Self::Branches(screen) => screen.whole(),
            Self::Compare(screen) => screen.whole(),
            Self::Run(screen) => screen.whole(),
            Self::World(screen) => match screen.current() {
                Some(Item::State(item)) => Value::Object(item.state.clone()),
                Some(Item::Change(change)) => crate::json::value(&change.diff).unwrap_or_default(),
                None => Value::Null,
            },
            _ => match self.subject() {
                Some(Subject::Event(event)) => crate::json::value(&*event).unwrap_or_default(),
                Some(Subject::Decision(decision)) => {
                    crate::json::value(&*decision).unwrap_or_default()
                }
                None => Value::Null,
            },
        }
    }

    /// The category of what is under the cursor, if there is one.
    pub(crate) fn category(&self) -> Option<String> {
        let of = |stream: &StreamName| stream.category().to_owned();
        match self {
            Self::Streams(screen) => screen
                .category
                .clone()
                .or_else(|| screen.current().map(|stream| of(&stream.stream))),
            Self::Stream(screen) => Some(of(&screen.stream)),
            Self::WhatIf(screen) => Some(of(&screen.stream)),
            Self::World(screen) => screen.category.clone(),
            _ => self.subject().map(|subject| of(subject.stream())),
        }
    }

    /// The command that gives the same answer as the screen with what lies over it.
    pub(crate) fn call(&self, overlay: Option<&Overlay>) -> String {
        match self {
            Self::Streams(screen) => screen.call(),
            Self::Stream(screen) if matches!(overlay, Some(Overlay::Field { .. })) => {
                field_call(screen)
            }
            Self::Stream(screen) => screen.call(),
            Self::WhatIf(screen) => screen.call(),
            Self::Log(screen) => screen.call(),
            Self::Find(screen) => screen.call(),
            Self::Causes(screen) => screen.call(),
            Self::Diff(screen) => screen.call(),
            Self::World(screen) => screen.call(),
            Self::Branches(screen) => screen.call(),
            Self::Compare(screen) => screen.call(),
            Self::Run(screen) => screen.call(),
            Self::Pipeline(screen) => screen.call(overlay),
        }
    }
}
