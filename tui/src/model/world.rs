//! The world screen: the states of a category at one moment, or what differs between two.

use tui_input::Input;
use whodunit_core::api::browse::Category;
use whodunit_core::api::warning::Warning;
use whodunit_core::api::world::{
    WorldChange, WorldDiffOut, WorldFailure, WorldItem, WorldOut, WorldProgress,
};
use whodunit_core::ids::StreamName;
use whodunit_core::predicate::PredicateError;
use whodunit_core::time::Timestamp;

use super::line::Completion;
use super::quote::quote;
use super::{Asked, Remote};
use crate::client::WorldQuery;

/// Streams a page asks for.
pub(crate) const PAGE: usize = 100;
/// Streams kept at most: who looks for more narrows the condition.
pub(crate) const ROWS_MAX: usize = 5_000;

/// A stream of a world, or what became of one between two.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Item {
    State(Box<WorldItem>),
    Change(Box<WorldChange>),
}

impl Item {
    pub(crate) fn stream(&self) -> &StreamName {
        match self {
            Self::State(item) => &item.stream,
            Self::Change(change) => &change.stream,
        }
    }

    /// The revision to open it at: that of the moment, or of the second one where there is one.
    pub(crate) fn revision(&self) -> u64 {
        match self {
            Self::State(item) => item.revision.0,
            Self::Change(change) if change.to.0 > 0 => change.to.0,
            Self::Change(change) => change.from.0,
        }
    }
}

/// The streams so far, and how far that is.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct World {
    pub(crate) items: Vec<Item>,
    pub(crate) next: Option<String>,
    pub(crate) total: u64,
    pub(crate) looked_at: u64,
    pub(crate) not_yet: u64,
    pub(crate) undefined: u64,
    /// Why the condition said nothing of the first of those.
    pub(crate) undefined_why: Option<String>,
    pub(crate) failed: Vec<WorldFailure>,
    pub(crate) failed_total: u64,
    /// Streams with events between the two moments and the same state.
    pub(crate) same_state: u64,
    pub(crate) at_position: u64,
    pub(crate) warnings: Vec<Warning>,
}

impl World {
    pub(crate) fn of_states(out: WorldOut) -> Self {
        let items = out
            .items
            .into_iter()
            .map(|item| Item::State(Box::new(item)));
        Self {
            at_position: out.at_position.0,
            ..Self::of(items.collect(), out.next_cursor, out.progress, out.warnings)
        }
    }

    pub(crate) fn of_changes(out: WorldDiffOut) -> Self {
        let items = out
            .items
            .into_iter()
            .map(|change| Item::Change(Box::new(change)));
        Self {
            same_state: out.same_state,
            at_position: out.to.at_position.0,
            ..Self::of(items.collect(), out.next_cursor, out.progress, out.warnings)
        }
    }

    fn of(
        items: Vec<Item>,
        next: Option<String>,
        progress: WorldProgress,
        warnings: Vec<Warning>,
    ) -> Self {
        let undefined = progress.undefined.as_ref();
        Self {
            items,
            next,
            total: progress.streams_total,
            looked_at: progress.looked_at,
            not_yet: progress.not_yet,
            undefined: undefined.map_or(0, |undefined| undefined.revisions),
            undefined_why: undefined.map(|undefined| undefined.reason.clone()),
            failed: progress.failed,
            failed_total: progress.failed_total,
            warnings,
            ..Self::default()
        }
    }

    /// A further page.
    pub(crate) fn add(&mut self, more: Self) {
        self.items.extend(more.items);
        self.next = more.next;
        self.total = more.total;
        self.looked_at = more.looked_at;
        self.not_yet += more.not_yet;
        self.undefined += more.undefined;
        self.undefined_why = self.undefined_why.take().or(more.undefined_why);
        self.failed.extend(more.failed);
        self.failed_total += more.failed_total;
        self.same_state += more.same_state;
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct WorldScreen {
    pub(crate) asked: Asked,
    /// All streams where there is none.
    pub(crate) category: Option<String>,
    pub(crate) categories: Remote<Vec<Category>>,
    pub(crate) condition: Input,
    /// Whether keys go into the condition.
    pub(crate) typing: bool,
    pub(crate) error: Option<PredicateError>,
    /// Fields that go on from the cursor.
    pub(crate) completion: Option<Completion>,
    /// The condition that the streams answer.
    pub(crate) applied: String,
    /// The moment that they are of; now where none was held.
    pub(crate) at: Option<Timestamp>,
    /// The other moment that they are compared with.
    pub(crate) from: Option<Timestamp>,
    pub(crate) world: Remote<World>,
    pub(crate) selected: usize,
}

impl WorldScreen {
    pub(crate) fn of(category: Option<String>) -> Self {
        Self {
            category,
            world: Remote::Loading(None),
            ..Self::default()
        }
    }

    /// Whether two moments are compared.
    pub(crate) fn compares(&self) -> bool {
        self.from.is_some()
    }

    pub(crate) fn query(&self, cursor: Option<String>) -> WorldQuery {
        let condition = (!self.applied.is_empty()).then(|| self.applied.clone());
        let two = self.compares();
        WorldQuery {
            category: self.category.clone(),
            as_of: self.at.filter(|_| !two),
            at_position: None,
            from: self.from.map(|time| time.to_string()),
            to: self.at.filter(|_| two).map(|time| time.to_string()),
            condition,
            cursor,
            limit: Some(PAGE),
            reveal: false,
        }
    }

    pub(crate) fn items(&self) -> &[Item] {
        self.world.value().map_or(&[], |world| &world.items)
    }

    pub(crate) fn current(&self) -> Option<&Item> {
        self.items().get(self.selected)
    }

    /// The command that gives the same answer.
    pub(crate) fn call(&self) -> String {
        use std::fmt::Write;
        let mut call = "whodunit world".to_owned();
        if let Some(category) = &self.category {
            let _ = write!(call, " {}", quote(category));
        }
        match (self.from, self.at) {
            (Some(from), Some(to)) => {
                let _ = write!(call, " --from {from} --to {to}");
            }
            (Some(from), None) => {
                let _ = write!(call, " --from {from}");
            }
            (None, Some(at)) => {
                let _ = write!(call, " --as-of {at}");
            }
            (None, None) => {}
        }
        if !self.applied.is_empty() {
            let _ = write!(call, " --where {}", quote(&self.applied));
        }
        call
    }
}
