//! Loading: the state at a revision, from the nearest usable snapshot or from the beginning.
//!
//! Owns the fold over the events of a store, with what goes along with it. A snapshot with blame is kept apart from one without,
//! under a key of its own.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

use whodunit_core::blame::Blame;
use whodunit_core::event::Event;
use whodunit_core::fold::Folded;
use whodunit_core::ids::{Revision, StreamName};
use whodunit_core::model::Model;
use whodunit_core::weight::{StateBound, of_object};

use super::snapshots::{self, BLAME_SPACING_STATES, SPACING_STATES, Saved, Spacing, Undecoded};
use super::{StateAt, TimeTravel, TravelError};
use crate::limits::STATE_WEIGHT_MAX;
use crate::store::{
    ReadEvents, ReadSnapshots, Snapshot, Stoppable, StoreError, try_for_each_event,
};

/// How a state is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Loading {
    /// Whether it is told what set each field.
    with_blame: bool,
    /// Whether no snapshot is used: what was removed is not in one.
    from_beginning: bool,
    /// Whether snapshots are offered on the way; else the store's bytes stay as they are.
    offers: bool,
}

impl Loading {
    pub(super) const STATE: Self = Self {
        with_blame: false,
        from_beginning: false,
        offers: true,
    };
    pub(super) const STATE_WITHOUT_SNAPSHOTS: Self = Self {
        offers: false,
        ..Self::STATE
    };
    pub(super) const BLAME: Self = Self {
        with_blame: true,
        ..Self::STATE
    };
    pub(super) const BLAME_WITH_REMOVED: Self = Self {
        from_beginning: true,
        offers: false,
        ..Self::BLAME
    };

    /// Under what its snapshots are kept.
    fn key(self, model: &Model) -> Cow<'_, str> {
        if self.with_blame {
            Cow::Owned(snapshots::blame_key(model))
        } else {
            Cow::Borrowed(model.rules_hash())
        }
    }

    fn spacing(self) -> usize {
        if self.with_blame {
            BLAME_SPACING_STATES
        } else {
            SPACING_STATES
        }
    }

    fn start_blame(self) -> Option<Blame> {
        match (self.with_blame, self.from_beginning) {
            (false, _) => None,
            (true, false) => Some(Blame::start()),
            (true, true) => Some(Blame::start_with_removed()),
        }
    }
}

impl TimeTravel {
    pub(super) fn load_state(
        &self,
        view: &(impl ReadEvents + ReadSnapshots + Stoppable + ?Sized),
        model: &Model,
        (stream, to): (&StreamName, Revision),
        loading: Loading,
    ) -> Result<StateAt, TravelError> {
        let key = loading.key(model);
        let mut below = if loading.from_beginning {
            Revision::ZERO
        } else {
            to
        };
        while below > Revision::ZERO
            && let Some(snapshot) = view.snapshot(stream, &key, below)?
        {
            match snapshots::decode(&snapshot, view.stop()) {
                Err(Undecoded::Stopped(stopped)) => return Err(StoreError::from(stopped).into()),
                Err(Undecoded::Unusable(reason)) => self.ignore(&snapshot, &reason),
                Ok(saved) if loading.with_blame && saved.blame.is_none() => {
                    self.ignore(&snapshot, "it does not say what set the fields");
                }
                Ok(saved) => match self.fold(view, model, (stream, to), Some(saved), loading)? {
                    Some(reached) => return Ok(reached),
                    None => self.ignore(&snapshot, "it stands after another event"),
                },
            }
            below = Revision(snapshot.revision.min(below).0.saturating_sub(1));
        }
        let reached = self.fold(view, model, (stream, to), None, loading)?;
        reached.ok_or_else(|| {
            let damaged = StoreError::Damaged {
                place: format!("stream `{stream}`"),
                detail: "folding it from the beginning needed a snapshot".to_owned(),
            };
            damaged.into()
        })
    }

    fn ignore(&self, snapshot: &Snapshot, reason: &str) {
        self.ignored.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(stream = %snapshot.stream, revision = %snapshot.revision, reason, "a snapshot was ignored");
    }

    /// Folds from a snapshot, or from the beginning. `None` when the snapshot is of another history.
    fn fold(
        &self,
        view: &(impl ReadEvents + ReadSnapshots + ?Sized),
        model: &Model,
        (stream, to): (&StreamName, Revision),
        saved: Option<Saved>,
        loading: Loading,
    ) -> Result<Option<StateAt>, TravelError> {
        let (mut folded, mut blame, mut anchor) = match saved {
            Some(saved) => (saved.folded, saved.blame, Some(saved.anchor)),
            None => (Folded::start(model), loading.start_blame(), None),
        };
        let start = folded.revision;
        let mut last = None;
        let mut spacing = Spacing::start(loading.spacing());
        let mut bound = StateBound::new(STATE_WEIGHT_MAX, &folded.state);
        // With a snapshot its anchor event is read first: it must be the one that the snapshot names.
        let from = start.max(Revision(1));
        try_for_each_event(view, stream, (from, to), |event| {
            if let Some(expected) = &anchor {
                if !expected.fits(&event) {
                    return Ok(ControlFlow::Break(()));
                }
                anchor = None;
            } else {
                let added = bound.add(event.data.as_str(), || of_object(&folded.state));
                added.map_err(|too_large| TravelError::StateTooLarge {
                    stream: stream.clone(),
                    revision: event.revision,
                    too_large,
                })?;
                match &mut blame {
                    Some(blame) => drop(blame.push(model, &mut folded, &event)),
                    None => drop(folded.push(model, &event)),
                }
                if loading.offers && view.keeps_snapshots() && spacing.add(&event) {
                    let key = loading.key(model);
                    self.snapshot(&key, &event, (&folded, blame.as_ref()), &mut spacing);
                }
            }
            last = Some((event.position, event.recorded_at));
            Ok::<_, TravelError>(ControlFlow::Continue(()))
        })?;
        if anchor.is_some() {
            return Ok(None);
        }
        if folded.revision != to {
            return Err(StoreError::Damaged {
                place: format!("stream `{stream}`"),
                detail: format!(
                    "it ends at revision {}, before revision {to}",
                    folded.revision
                ),
            }
            .into());
        }
        Ok(Some(StateAt {
            folded,
            last,
            snapshot_revision: start,
            blame,
        }))
    }

    fn snapshot(
        &self,
        key: &str,
        event: &Event,
        (folded, blame): (&Folded, Option<&Blame>),
        spacing: &mut Spacing,
    ) {
        match snapshots::encode_with_blame(key, event, folded, blame) {
            Ok(snapshot) if spacing.is_due(snapshot.state.len()) => self.saver.offer(snapshot),
            Ok(_) => {}
            Err(reason) => {
                // Try again after as many bytes; a state that cannot be encoded is folded from further back.
                spacing.is_due(0);
                tracing::warn!(stream = %event.stream, revision = %event.revision, reason, "a snapshot could not be made");
            }
        }
    }
}
