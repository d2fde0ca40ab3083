//! One stream, from its first event to its head: what lists say of it, its keys, its label, its saved states.

use std::ops::ControlFlow;

use whodunit_core::api::verify::{VerifyCode, VerifyPlace};
use whodunit_core::blame::Blame;
use whodunit_core::counted::clause;
use whodunit_core::event::Event;
use whodunit_core::fold::{EventEffect, Folded, current};
use whodunit_core::ids::{Position, Revision};
use whodunit_core::model::Model;
use whodunit_core::time::Timestamp;
use whodunit_core::weight::{StateBound, of_object};

use super::keys::Held;
use crate::limits::STATE_WEIGHT_MAX;
use crate::store::{Check, Snapshot, StoreError, StreamInfo, StreamLabel, Verifiable};
use crate::time_travel::snapshots::{Compared, blame_key, compare};

type StoreResult<T> = Result<T, StoreError>;

/// What the streams come to.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Their events.
    pub(super) events: u64,
    /// Holds of unique keys that their states lead to.
    pub(super) holds: u64,
    /// Whether something could not be read, so that counts say nothing.
    pub(super) broken: bool,
}

/// A walk along a stream.
struct Walk<'w> {
    moment: &'w dyn Verifiable,
    model: &'w Model,
    info: &'w StreamInfo,
    folded: Folded,
    /// What set the fields; followed only where a saved state says it too.
    blame: Option<Blame>,
    bound: StateBound,
    /// Whether the state is still one that is worked on.
    folds: bool,
    held: Held,
    /// Revisions of saved states by rules hash, the last first.
    saved: Vec<(String, Vec<Revision>)>,
    seen: Seen,
}

/// What the events say that lists show.
struct Seen {
    revision: Revision,
    first: Option<(Position, Timestamp)>,
    last: Option<Event>,
    latest: Timestamp,
    late: u64,
    first_late: Option<Revision>,
}

/// Goes along a stream.
pub(super) fn walk(
    moment: &dyn Verifiable,
    model: &Model,
    info: &StreamInfo,
    check: &mut Check<'_>,
    tally: &mut Tally,
) -> StoreResult<()> {
    let blame_key = blame_key(model);
    let mut saved = Vec::new();
    for key in [model.rules_hash(), blame_key.as_str()] {
        saved.push((key.to_owned(), revisions_saved(moment, info, key)?));
    }
    let with_blame = saved.last().is_some_and(|(_, saved)| !saved.is_empty());
    let folded = Folded::start(model);
    let mut walk = Walk {
        moment,
        model,
        info,
        bound: StateBound::new(STATE_WEIGHT_MAX, &folded.state),
        folded,
        blame: with_blame.then(Blame::start),
        folds: true,
        held: Held::default(),
        saved,
        seen: Seen {
            revision: Revision::ZERO,
            first: None,
            last: None,
            latest: Timestamp::MIN,
            late: 0,
            first_late: None,
        },
    };
    let (from, to) = (Revision(1), info.revision);
    let events = moment.view();
    events.for_each_event(&info.stream, from, to, &mut |event| {
        check.step()?;
        tally.events += 1;
        walk.event(event, check)?;
        Ok(ControlFlow::Continue(()))
    })?;
    tally.holds += walk.held.count();
    walk.end(check)
}

/// Revisions of a stream's saved states, the last first.
fn revisions_saved(
    moment: &dyn Verifiable,
    info: &StreamInfo,
    key: &str,
) -> StoreResult<Vec<Revision>> {
    let mut revisions = Vec::new();
    let mut at_most = info.revision;
    while at_most > Revision::ZERO
        && let Some(snapshot) = moment.view().snapshot(&info.stream, key, at_most)?
    {
        revisions.push(snapshot.revision);
        at_most = Revision(snapshot.revision.min(at_most).0.saturating_sub(1));
    }
    Ok(revisions)
}

impl Walk<'_> {
    fn place(&self, revision: Revision) -> VerifyPlace {
        VerifyPlace::stream(&self.info.stream).rev(revision)
    }

    fn event(&mut self, event: Event, check: &mut Check<'_>) -> StoreResult<()> {
        self.order(&event, check);
        if self.folds {
            self.fold(&event, check);
        }
        if self.folds {
            if self.model.has_unique_keys() {
                let keys = self.model.unique_keys(&self.folded.state);
                let at = (event.position, self.seen.latest);
                self.held
                    .now(self.moment, &self.info.stream, (keys, at), check)?;
            }
            self.saved_states(&event, check)?;
        }
        self.seen.last = Some(event);
        Ok(())
    }

    /// Notes what lists show, and looks whether the event follows the one before it.
    fn order(&mut self, event: &Event, check: &mut Check<'_>) {
        let place = self.place(event.revision).at(event.position);
        let seen = &mut self.seen;
        if event.stream != self.info.stream || event.revision != seen.revision.next() {
            let detail = format!(
                "it is where revision {} of {} belongs",
                seen.revision.next(),
                self.info.stream
            );
            check.found(VerifyCode::RevisionMissing, place, detail);
        } else if seen
            .last
            .as_ref()
            .is_some_and(|last| last.position >= event.position)
        {
            let detail = "it comes before the previous revision in the log";
            check.found(VerifyCode::OrderWrong, place, detail);
        }
        seen.revision = event.revision;
        seen.first
            .get_or_insert((event.position, event.recorded_at));
        if event.recorded_at < seen.latest {
            seen.late += 1;
            seen.first_late.get_or_insert(event.revision);
        }
        seen.latest = seen.latest.max(event.recorded_at);
    }

    fn fold(&mut self, event: &Event, check: &mut Check<'_>) {
        let place = self.place(event.revision).at(event.position);
        let state = &self.folded.state;
        if let Err(too_large) = self.bound.add(event.data.as_str(), || of_object(state)) {
            self.folds = false;
            check.found(VerifyCode::StateTooLarge, place, too_large.to_string());
            return;
        }
        let effect = match &mut self.blame {
            Some(blame) => blame.push(self.model, &mut self.folded, event).effect,
            None => self.folded.push(self.model, event),
        };
        if let EventEffect::Failed { error } = effect {
            let code = if !event.data.to_value().is_object() {
                VerifyCode::PayloadUndecodable
            } else if current(self.model, event).is_err() {
                VerifyCode::UpcastFailed
            } else {
                VerifyCode::EventNotApplied
            };
            check.found(code, place, format!("{}: {error}", event.event_type));
        }
    }

    /// Compares the saved states that stand after this event.
    fn saved_states(&mut self, event: &Event, check: &mut Check<'_>) -> StoreResult<()> {
        let mut found: Vec<Snapshot> = Vec::new();
        for (key, revisions) in &mut self.saved {
            if revisions.last() != Some(&event.revision) {
                continue;
            }
            revisions.pop();
            let view = self.moment.view();
            let snapshot = view.snapshot(&self.info.stream, key, event.revision)?;
            found.extend(snapshot.filter(|own| own.revision == event.revision));
        }
        let view = self.moment.view();
        for snapshot in found {
            let with_blame = snapshot.rules_hash != self.model.rules_hash();
            let blame = self.blame.as_ref().filter(|_| with_blame);
            let folded = (&self.folded, blame);
            let place = self.place(event.revision).within("snapshots");
            check.checked.snapshots_compared += 1;
            match compare(&snapshot, event, folded, view.stop())? {
                Compared::Same => {}
                Compared::Ignored(why) => check.found(VerifyCode::SnapshotUnusable, place, why),
                Compared::Wrong(why) => check.found(VerifyCode::SnapshotWrong, place, why),
            }
        }
        Ok(())
    }

    /// Looks at what lists say of the stream.
    #[expect(
        clippy::unnecessary_wraps,
        reason = "a step of the check like the others"
    )]
    fn end(mut self, check: &mut Check<'_>) -> StoreResult<()> {
        let place = VerifyPlace::stream(&self.info.stream);
        if self.folds {
            self.held.end(check);
        }
        let seen = &self.seen;
        if seen.revision != self.info.revision {
            let detail = format!(
                "it ends at revision {}, not {}",
                seen.revision, self.info.revision
            );
            check.found(VerifyCode::RevisionMissing, place, detail);
            return Ok(());
        }
        if let Some(what) = self.misfit() {
            let detail = format!("{what} in lists does not match its events");
            check.found(VerifyCode::StreamWrong, place.clone(), detail);
        }
        if self.folds && self.model.derives_from_states() {
            let label = StreamLabel {
                title: self.model.title(&self.folded.state),
                status: self.model.status(&self.folded.state),
            };
            if label != self.info.label {
                let detail = "its title or status in lists does not match its state";
                check.found(VerifyCode::LabelWrong, place.clone(), detail);
            }
        }
        if let Some(first) = seen.first_late {
            let detail = format!(
                "{} an earlier time than an event before it in the stream",
                clause(seen.late, "event", "has")
            );
            check.found(VerifyCode::ClockBack, place.rev(first), detail);
        }
        Ok(())
    }

    /// What lists say wrong.
    fn misfit(&self) -> Option<&'static str> {
        let (seen, info) = (&self.seen, self.info);
        let last = seen.last.as_ref()?;
        let fits = [
            (
                seen.first == Some((info.first_position, info.first_at)),
                "its first event",
            ),
            (
                (last.position, seen.latest) == (info.last_position, info.last_at),
                "the place or time of its last event",
            ),
            (
                last.event_type == info.last_event_type
                    && last.actor == info.last_actor
                    && last.reason == info.last_reason,
                "the type, actor or reason of its last event",
            ),
            (
                seen.first_late == info.clock_back_at,
                "the revision at which its clock went back",
            ),
        ];
        fits.into_iter()
            .find(|(fits, _)| !fits)
            .map(|(_, what)| what)
    }
}
