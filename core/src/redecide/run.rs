//! The run: entries in the order of the log, those that a change can reach.
//!
//! Owns the queue of what is to be looked at. An entry gets into it because its stream differs, because it takes a key or was
//! refused for one that is held otherwise, or because its direct cause is gone. Looked at, it is asked only if that is so still.

mod add;
mod cache;
mod judge;
mod pass;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::sync::Arc;

use self::cache::Cache;
use super::ask::Stand;
use super::history::History;
use super::place::{Entry, EntryRef, Place};
use super::plan::{Change, Plan};
use super::world::{Key, World};
use super::{Failed, Following, Reach, STATES_WEIGHT_MAX, Visit, Visited};
use crate::api::what_if::{Causes, StepChange};
use crate::command::{Command, Decision, Outcome, Rejection};
use crate::decider::Hypothesis;
use crate::event::Event;
use crate::ids::{Position, Revision, StreamName};
use crate::json::{Json, Value};
use crate::weight::TooLarge;
use crate::what_if::WhatIfError;

pub(super) struct Run<'a, H: History> {
    pub(super) history: &'a mut H,
    pub(super) following: &'a Following<'a>,
    pub(super) world: World,
    pub(super) hypothesis: Hypothesis,
    plan: Plan,
    queue: BinaryHeap<Reverse<(Place, Source)>>,
    /// Where each live stream is walked along, and the log where everything is asked.
    walks: HashMap<StreamName, (u64, H::Walk)>,
    log: Option<H::Walk>,
    /// The next entry of the log, where everything is asked: it stands beside the queue.
    log_next: Option<Entry>,
    /// Entries that walks have read ahead, by place and walk.
    read: HashMap<(Place, u64), Entry>,
    gone: HashSet<String>,
    /// Keys whose takers are in the queue, and categories whose refusals are.
    keys_queued: HashSet<Key>,
    categories_queued: HashSet<String>,
    /// States of streams that are as recorded, where the whole log is gone through.
    states: Cache,
    /// The place that is being looked at.
    at: Place,
    each: &'a mut dyn Visit,
    asked: u64,
    looked_at: u64,
}

/// Why a place is looked at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    /// Something is added there.
    Added,
    /// An edit is about the entry there.
    Edited,
    /// It is the next one of the log.
    Log,
    /// It is the next one of a live stream.
    Walk(StreamName, u64),
    /// It takes a key, or its cause is gone.
    Named(EntryRef),
    /// It was refused for a key of its category.
    Refused(EntryRef, Arc<str>),
}

type Ran<T, H> = Result<T, Failed<<H as History>::Error>>;

/// What an entry comes to in the other world.
struct Judged {
    change: StepChange,
    events: Vec<Event>,
    rejection: Option<Rejection>,
    /// The command as it was decided.
    command: Option<Command>,
    why: Option<String>,
    asked: bool,
    edited: bool,
    /// Ids that are not gone, though they do not stand here.
    elsewhere: Vec<String>,
}

impl Judged {
    fn gone(change: StepChange) -> Self {
        Self {
            change,
            events: Vec::new(),
            rejection: None,
            command: None,
            why: None,
            asked: false,
            edited: false,
            elsewhere: Vec::new(),
        }
    }
}

impl<'a, H: History> Run<'a, H> {
    pub(super) fn new(
        history: &'a mut H,
        following: &'a Following<'a>,
        plan: Plan,
        each: &'a mut dyn Visit,
    ) -> Self {
        let mut queue = BinaryHeap::new();
        queue.extend(
            plan.additions
                .keys()
                .map(|place| Reverse((*place, Source::Added))),
        );
        queue.extend(
            plan.changes
                .keys()
                .map(|place| Reverse((*place, Source::Edited))),
        );
        let mut hypothesis = Hypothesis::default();
        hypothesis.password_correct = following.password_correct;
        Self {
            history,
            following,
            world: World::default(),
            hypothesis,
            plan,
            queue,
            walks: HashMap::new(),
            log: None,
            log_next: None,
            read: HashMap::new(),
            gone: HashSet::new(),
            keys_queued: HashSet::new(),
            categories_queued: HashSet::new(),
            states: Cache::default(),
            at: Place::after_position(Position::ZERO),
            each,
            asked: 0,
            looked_at: 0,
        }
    }

    pub(super) fn into_world(self) -> World {
        self.world
    }

    pub(super) fn run(&mut self) -> Ran<(), H> {
        if let Some(start) = self.log_start() {
            self.log = Some(self.history.walk(None, start).map_err(Failed::History)?);
            self.queue_log()?;
        }
        let mut last: Option<Place> = None;
        while let Some((place, source, read)) = self.next_source() {
            self.following.stop.check()?;
            if last.is_none_or(|last| last < place) && self.look_at(place, &source, read)? {
                last = Some(place);
            }
            match source {
                Source::Log => self.queue_log()?,
                Source::Walk(stream, generation) => self.queue_next(&stream, generation)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// What is to be looked at next; the entry there, if a walk has read it.
    fn next_source(&mut self) -> Option<(Place, Source, Option<Entry>)> {
        let log = self.log_next.as_ref().map(|entry| entry.place);
        let first = self
            .queue
            .peek()
            .map(|Reverse((place, source))| (*place, source));
        if let Some(place) = log
            && first.is_none_or(|first| (place, &Source::Log) <= first)
        {
            return Some((place, Source::Log, self.log_next.take()));
        }
        let Reverse((place, source)) = self.queue.pop()?;
        let read = match &source {
            Source::Walk(_, generation) => self.read.remove(&(place, *generation)),
            _ => None,
        };
        Some((place, source, read))
    }

    /// From where on every entry of the log is looked at, if it is.
    fn log_start(&self) -> Option<Place> {
        if self.everything() {
            return Some(Place::after_position(Position::ZERO));
        }
        let rules = self.following.rules?;
        Some(
            self.plan
                .first()
                .map_or(rules.from, |first| first.before(0).min(rules.from)),
        )
    }

    /// Whether the log is gone through, entry by entry: then none of them has to be found.
    fn goes_through_log(&self) -> bool {
        self.log.is_some()
    }

    fn everything(&self) -> bool {
        self.following.reach == Reach::Everything
    }

    fn queue_log(&mut self) -> Ran<(), H> {
        let Some(walk) = &mut self.log else {
            return Ok(());
        };
        self.log_next = self.history.next(walk).map_err(Failed::History)?;
        Ok(())
    }

    /// Queues the next entry of a live stream, unless it was left since its walk began.
    fn queue_next(&mut self, stream: &StreamName, generation: u64) -> Ran<(), H> {
        if !self.is_walked(stream, generation) {
            if self
                .walks
                .get(stream)
                .is_some_and(|walk| walk.0 == generation)
            {
                self.walks.remove(stream);
            }
            return Ok(());
        }
        let Some((_, walk)) = self.walks.get_mut(stream) else {
            return Ok(());
        };
        if let Some(entry) = self.history.next(walk).map_err(Failed::History)? {
            let source = Source::Walk(stream.clone(), generation);
            self.queue.push(Reverse((entry.place, source)));
            self.read.insert((entry.place, generation), entry);
        }
        Ok(())
    }

    /// Looks at a place; `read` is the entry there, if a walk has read it. Whether that settles the place: a source that is of
    /// no interest any more leaves it to another one.
    fn look_at(&mut self, place: Place, source: &Source, read: Option<Entry>) -> Ran<bool, H> {
        self.at = place;
        if let Some(addition) = self.plan.additions.remove(&place) {
            return self.add(place, addition).map(|()| true);
        }
        if let Some((entry, change)) = self.plan.changes.remove(&place) {
            return self.visit(entry, Some(change)).map(|()| true);
        }
        let entry = match (read, source) {
            (Some(_), Source::Walk(stream, generation)) if !self.is_walked(stream, *generation) => {
                return Ok(false);
            }
            (Some(entry), _) => entry,
            // The keys for which it may have been refused are held as recorded.
            (None, Source::Refused(_, category)) if !self.world.any_key_differs(category) => {
                return Ok(false);
            }
            (None, Source::Named(named) | Source::Refused(named, _)) => {
                self.history.entry(*named).map_err(Failed::History)?
            }
            (None, _) => return Ok(false),
        };
        self.looked_at += 1;
        let max = self.following.bounds.looked_at;
        if self.looked_at > max && !self.everything() {
            return Err(too_far("entries of the log", max));
        }
        self.visit(entry, None).map(|()| true)
    }

    /// Whether a stream is live since this walk along it began.
    fn is_walked(&self, stream: &StreamName, generation: u64) -> bool {
        self.world
            .live(stream)
            .is_some_and(|live| live.generation == generation)
    }

    /// A recorded entry's turn.
    fn visit(&mut self, mut entry: Entry, change: Option<Change>) -> Ran<(), H> {
        let is_edited = change.is_some();
        let is_gone = |id: &str| self.follows_causes() && self.gone.contains(id);
        let has_cause = !entry.causation_id().is_some_and(is_gone);
        if !is_edited && has_cause && self.passes(&mut entry)? {
            return Ok(());
        }
        let stream = entry.stream.clone();
        let cause = entry.causation_id().filter(|_| !has_cause);
        let is_reached = is_edited
            || self.everything()
            || self.world.live(&stream).is_some()
            || self.other_rules_for(entry.decision.as_deref()).is_some();
        let judged = match (change, cause) {
            (Some(change), _) => self.judge_edited(&entry, change)?,
            (None, Some(cause)) => Judged {
                why: Some(format!("its direct cause `{cause}` is gone")),
                ..Judged::gone(StepChange::NotIssued)
            },
            (None, None) => match self.judge(&entry, is_reached)? {
                Some(judged) => judged,
                None => return Ok(()),
            },
        };
        self.settle(entry, judged)
    }

    fn follows_causes(&self) -> bool {
        self.following.causes == Causes::Follow
    }

    /// A recorded entry has come to something: what is gone with it, and what that does to its stream.
    fn settle(&mut self, entry: Entry, judged: Judged) -> Ran<(), H> {
        let place = entry.place;
        self.gone_from(&entry, &judged, place)?;
        let stream = entry.stream.clone();
        let position = entry.end_position();
        let as_it_was = judged.change == StepChange::Same
            || (judged.change == StepChange::Frozen && self.world.live(&stream).is_none());
        if as_it_was && self.world.live(&stream).is_none() && !self.everything() {
            let revision = self.world.shifted(&stream, entry.base_revision());
            let revision = Revision(revision.0 + judged.events.len() as u64);
            let type_name = entry.type_name().to_owned();
            let visited = self.visited(place, (&stream, revision), &type_name, Some(entry), judged);
            self.each.visited(visited);
            return Ok(());
        }
        let base = entry.base_revision();
        let stand = self.stand(&stream, entry.place.position(), base)?;
        let type_name = entry.type_name().to_owned();
        self.apply(place, (&stand, position), &type_name, (Some(entry), judged))
    }

    /// Ids of a recorded entry that the other world does not have, and what named them as its cause.
    fn gone_from(&mut self, entry: &Entry, judged: &Judged, place: Place) -> Ran<(), H> {
        if !self.follows_causes() {
            return Ok(());
        }
        let never_comes = matches!(judged.change, StepChange::Dropped | StepChange::NotIssued)
            && judged.command.is_none();
        let command = entry.decision.as_ref().filter(|_| never_comes);
        let ids = command.map(|decision| decision.command_id.clone());
        let stays = |id: &String| judged.events.iter().any(|event| event.event_id == *id);
        let events = entry.events.iter().map(|event| event.event_id.clone());
        let gone: Vec<String> = ids
            .into_iter()
            .chain(events.filter(|id| !stays(id)))
            .filter(|id| !judged.elsewhere.contains(id))
            .collect();
        for id in gone {
            if self.goes_through_log() {
                self.gone.insert(id);
                continue;
            }
            let effects = self.history.effects(&id).map_err(Failed::History)?;
            self.gone.insert(id);
            for (at, named) in effects.into_iter().filter(|(at, _)| *at > place) {
                self.queue.push(Reverse((at, Source::Named(named))));
            }
        }
        Ok(())
    }

    /// Moves the stream on in both worlds, and follows what that changes.
    fn apply(
        &mut self,
        place: Place,
        (stand, end): (&Stand, Position),
        type_name: &str,
        (entry, judged): (Option<Entry>, Judged),
    ) -> Ran<(), H> {
        let stream = &stand.stream;
        let model = self.following.models.for_stream(stream).clone();
        if self.world.live(stream).is_none() {
            let (state, at) = (stand.state.clone(), stand.recorded_revision);
            let generation = self.world.enter(&model, stream, state, at);
            if !self.goes_through_log() {
                let walk = self.history.walk(Some(stream), place);
                let walk = walk.map_err(Failed::History)?;
                self.walks.insert(stream.clone(), (generation, walk));
                self.queue_next(stream, generation)?;
            }
        }
        self.check_bounds()?;
        let recorded = entry.as_ref().map_or(&[][..], |entry| &entry.events);
        let with_diff = self.following.all_diffs || judged.change != StepChange::Same;
        let both = (recorded, judged.events.as_slice());
        let diff = self.world.advance(&model, stream, both, with_diff);
        self.queue_keys(stream, place, end)?;
        let revision = self.world.live(stream).map(|live| live.other.revision);
        let stream = stream.clone();
        let after = (&stream, revision.unwrap_or_default());
        let visited = self.visited(place, after, type_name, entry, judged);
        self.each.visited(Visited { diff, ..visited });
        if !self.everything() {
            self.world.leave_if_as_recorded(&stream);
        }
        Ok(())
    }

    fn check_bounds(&mut self) -> Ran<(), H> {
        if self.everything() {
            return Ok(());
        }
        let max = self.following.bounds.reached;
        if self.world.streams.len() as u64 > max {
            return Err(too_far("streams", max));
        }
        // They may outweigh the bound by an eighth: they are not weighed again for every event.
        if self.world.weight > STATES_WEIGHT_MAX + STATES_WEIGHT_MAX / 8 {
            self.world.weigh_again();
            if self.world.weight > STATES_WEIGHT_MAX {
                let too_large = TooLarge {
                    what: "the states of all streams that differ",
                    max: STATES_WEIGHT_MAX,
                };
                return Err(WhatIfError::from(too_large).into());
            }
        }
        Ok(())
    }

    /// Queues what takes keys that a stream holds otherwise, or was refused for them.
    fn queue_keys(&mut self, stream: &StreamName, place: Place, end: Position) -> Ran<(), H> {
        if self.goes_through_log() {
            return Ok(());
        }
        for key in self.world.held_otherwise(stream) {
            if !self.categories_queued.contains(&key.0) {
                self.categories_queued.insert(key.0.clone());
                let refused = self.history.refused_for_keys(&key.0, place);
                let category: Arc<str> = key.0.as_str().into();
                for (at, named) in refused.map_err(Failed::History)? {
                    let source = Source::Refused(named, Arc::clone(&category));
                    self.queue.push(Reverse((at, source)));
                }
            }
            if self.keys_queued.contains(&key) {
                continue;
            }
            let takers = self.history.takers(&key.0, &key.1, end);
            for (at, named) in takers.map_err(Failed::History)? {
                self.queue.push(Reverse((at, Source::Named(named))));
            }
            self.keys_queued.insert(key);
        }
        Ok(())
    }

    fn visited(
        &self,
        place: Place,
        (stream, revision): (&StreamName, Revision),
        type_name: &str,
        entry: Option<Entry>,
        judged: Judged,
    ) -> Visited {
        let decision = judged.command.map(|command| {
            let recorded = entry.as_ref().and_then(|entry| entry.decision.as_deref());
            let model = self.rules_for(stream, recorded);
            let events = judged.events.as_slice();
            let result = (events, judged.rejection.as_ref(), revision);
            in_other_log(command, recorded, result, model.rules_hash())
        });
        Visited {
            place,
            stream: stream.clone(),
            recorded: entry,
            change: judged.change,
            decision,
            type_name: type_name.to_owned(),
            events: judged.events,
            rejection: judged.rejection,
            why: judged.why,
            diff: Vec::new(),
            asked: judged.asked,
            edited: judged.edited,
            revision,
        }
    }
}

/// A decision of the other world, after which its stream is at `revision`; its positions are not said.
fn in_other_log(
    command: Command,
    recorded: Option<&Decision>,
    (events, rejection, revision): (&[Event], Option<&Rejection>, Revision),
    rules_hash: &str,
) -> Decision {
    let result = match rejection {
        Some(Rejection { rule, message }) => Outcome::Rejected {
            rule: rule.clone(),
            message: message.clone(),
        },
        None => Outcome::Accepted {
            revision,
            position: Position::ZERO,
            events: u32::try_from(events.len()).unwrap_or(u32::MAX),
        },
    };
    Decision {
        sequence: recorded.map_or(0, |recorded| recorded.sequence),
        command_id: command.command_id,
        stream: command.stream,
        command_type: command.command_type,
        payload: Json::from(Value::Object(command.payload)),
        actor: command.actor,
        reason: command.reason,
        correlation_id: command.correlation_id,
        causation_id: command.causation_id,
        base_revision: Revision(revision.0.saturating_sub(events.len() as u64)),
        base_position: Position::ZERO,
        rules_hash: rules_hash.to_owned(),
        decided_at: command.issued_at,
        result,
    }
}

fn too_far<E>(what: &'static str, max: u64) -> Failed<E> {
    WhatIfError::TooFar { what, max }.into()
}
