//! Branches: named what-ifs that are kept, and read like the log itself.
//!
//! Owns all branches of a store, in memory and in a file of their own in the data directory ([`crate::beside`]), and the worlds that they
//! lead to (`overlay`), which are computed when one is read and kept for a while. A branch is durable when it is acknowledged. Nothing of
//! the log depends on them, and nothing of it is changed. Where their file cannot be used, every request for branches says why, and
//! everything else works.
//!
//! Everything here may block; call it where blocking is allowed.

mod cache;
mod compare;
mod evaluate;
mod overlay;
mod secrets;
mod standing;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use whodunit_core::branch::{Branch, Counts};
use whodunit_core::time::Timestamp;

pub(crate) use self::compare::{Page, Uncompared, compare};
pub(crate) use self::evaluate::Deciding;
pub(crate) use self::overlay::{BranchView, Overlay};
pub(crate) use self::secrets::check_secrets;
pub(crate) use self::standing::{log_point, other_rules, rules, standing};

use self::cache::Cache;
use crate::beside::{Contents, Kept, KeptFile};
use crate::limits::{
    BRANCHES_FILE_BYTES_MAX, BRANCHES_MAX, WHAT_IF_ACTIONS_MAX, WHAT_IF_EDITS_MAX,
};
use crate::store::StoreId;
use crate::store::disk::Disk;

/// The file's name in a data directory.
pub(crate) const FILE_NAME: &str = "branches.ndjson";

impl Kept for Branch {
    const FILE: &str = FILE_NAME;
    const NEXT: &str = "branches.next";
    const KEY: &str = "whodunit_branches";
    const WHAT: &str = "branches";
    const BYTES_MAX: u64 = BRANCHES_FILE_BYTES_MAX;
}

/// How many edits and actions a branch has at most, with those below.
pub(crate) const COUNTS_MAX: Counts = Counts {
    edits: WHAT_IF_EDITS_MAX,
    actions: WHAT_IF_ACTIONS_MAX,
};

/// Why a branch is not there, or was not changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BranchesError {
    /// There is none of the name.
    #[error("there is no branch `{0}`")]
    NotFound(String),
    /// Another one has the name.
    #[error("branch `{0}` already exists")]
    Exists(String),
    /// There are too many.
    #[error("there are {BRANCHES_MAX} branches, which is the limit")]
    Full,
    /// Their file cannot be used.
    #[error("the branches cannot be used: {0}")]
    Unusable(String),
    /// The disk failed; nothing was changed.
    #[error("the branches could not be written: {0}")]
    Disk(#[from] io::Error),
}

/// The branches of a store.
#[derive(Debug)]
pub(crate) struct Branches {
    state: Mutex<State>,
    pub(crate) cache: Cache,
}

#[derive(Debug)]
struct State {
    book: Result<Book, String>,
    /// Where they are kept; `None` for those of a store in memory.
    file: Option<KeptFile<Branch>>,
}

/// All branches, by name.
#[derive(Debug, Default)]
struct Book {
    branches: BTreeMap<String, Branch>,
    unreadable: u64,
}

impl Book {
    fn new(contents: Contents<Branch>) -> Self {
        let mut unreadable = contents.damaged.len() as u64;
        let mut branches = BTreeMap::new();
        for branch in contents.items {
            // What does not hold for a new one was not written by this program.
            if branch.check(COUNTS_MAX).is_err() || branches.contains_key(&branch.name) {
                unreadable += 1;
                continue;
            }
            branches.insert(branch.name.clone(), branch);
        }
        Self {
            branches,
            unreadable,
        }
    }
}

/// Some branches, by name.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) branches: Vec<Branch>,
    /// Whether there are more behind them.
    pub(crate) has_more: bool,
    /// How many there are altogether.
    pub(crate) all: u64,
    /// Lines of the file that are damaged.
    pub(crate) unreadable: u64,
}

/// What is done where a branch of the name is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IfThere {
    Refuse,
    Replace,
}

impl Branches {
    /// Those of the store in a directory; of a store in memory they are kept in memory.
    pub(crate) fn open(disk: &Arc<dyn Disk>, directory: Option<&Path>, store: StoreId) -> Self {
        let file = directory.map(|directory| KeptFile::new(Arc::clone(disk), directory, store));
        let book = match &file {
            None => Ok(Book::default()),
            Some(file) => file.open().map(Book::new),
        };
        match &book {
            Err(reason) => tracing::error!(reason, "the branches cannot be used"),
            Ok(book) if book.unreadable > 0 => {
                tracing::error!(lines = book.unreadable, "lines of the branches are damaged");
            }
            Ok(_) => {}
        }
        Self {
            state: Mutex::new(State { book, file }),
            cache: Cache::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The branch of this name.
    pub(crate) fn get(&self, name: &str) -> Result<Branch, BranchesError> {
        let state = self.state();
        let book = readable(&state.book)?;
        let found = book.branches.get(name).cloned();
        found.ok_or_else(|| BranchesError::NotFound(name.to_owned()))
    }

    /// A page of them, by name, after this one.
    pub(crate) fn find(&self, after: Option<&str>, limit: usize) -> Result<Found, BranchesError> {
        use std::ops::Bound;
        let state = self.state();
        let book = readable(&state.book)?;
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = book.branches.range::<str, _>((from, Bound::Unbounded));
        let branches = rest.by_ref().take(limit).map(|(_, one)| one.clone());
        Ok(Found {
            branches: branches.collect(),
            has_more: rest.next().is_some(),
            all: book.branches.len() as u64,
            unreadable: book.unreadable,
        })
    }

    /// Keeps a branch, durably. One that replaces another of its name has that one's next revision.
    pub(crate) fn keep(
        &self,
        mut branch: Branch,
        if_there: IfThere,
    ) -> Result<Branch, BranchesError> {
        let mut state = self.state();
        let State { book, file } = &mut *state;
        let book = writable(book)?;
        match book.branches.get(&branch.name) {
            Some(_) if if_there == IfThere::Refuse => {
                return Err(BranchesError::Exists(branch.name));
            }
            Some(there) => {
                branch.revision = there.revision + 1;
                branch.created_at = there.created_at;
                if let Some(file) = file {
                    let rest = book.branches.values();
                    let rest = rest.filter(|other| other.name != branch.name);
                    file.replace(rest.chain([&branch]))?;
                }
            }
            None => {
                if book.branches.len() >= BRANCHES_MAX {
                    return Err(BranchesError::Full);
                }
                if let Some(file) = file {
                    file.append(&branch, book.branches.values())?;
                }
            }
        }
        book.branches.insert(branch.name.clone(), branch.clone());
        Ok(branch)
    }

    /// Changes a branch, durably, and possibly its name.
    pub(crate) fn change(
        &self,
        name: &str,
        now: Timestamp,
        change: impl FnOnce(&mut Branch),
    ) -> Result<Branch, BranchesError> {
        let mut state = self.state();
        let State { book, file } = &mut *state;
        let book = writable(book)?;
        let there = book.branches.get(name);
        let mut branch = there
            .cloned()
            .ok_or_else(|| BranchesError::NotFound(name.to_owned()))?;
        let before = branch.clone();
        change(&mut branch);
        if branch == before {
            return Ok(branch);
        }
        if branch.name != name && book.branches.contains_key(&branch.name) {
            return Err(BranchesError::Exists(branch.name));
        }
        branch.revision += 1;
        branch.changed_at = now;
        if let Some(file) = file {
            let rest = book.branches.values().filter(|other| other.name != name);
            file.replace(rest.chain([&branch]))?;
        }
        book.branches.remove(name);
        book.branches.insert(branch.name.clone(), branch.clone());
        Ok(branch)
    }

    /// Removes a branch, durably.
    pub(crate) fn remove(&self, name: &str) -> Result<Branch, BranchesError> {
        let mut state = self.state();
        let State { book, file } = &mut *state;
        let book = writable(book)?;
        if !book.branches.contains_key(name) {
            return Err(BranchesError::NotFound(name.to_owned()));
        }
        if let Some(file) = file {
            file.replace(book.branches.values().filter(|other| other.name != name))?;
        }
        let removed = book.branches.remove(name);
        removed.ok_or_else(|| BranchesError::NotFound(name.to_owned()))
    }
}

fn readable(book: &Result<Book, String>) -> Result<&Book, BranchesError> {
    book.as_ref()
        .map_err(|why| BranchesError::Unusable(why.clone()))
}

fn writable(book: &mut Result<Book, String>) -> Result<&mut Book, BranchesError> {
    book.as_mut()
        .map_err(|why| BranchesError::Unusable(why.clone()))
}
