//! The report: what came of deciding again, for a client to read.
//!
//! Owns the counts, the flips, both worlds of each stream side by side, and the answer in a sentence.

use std::collections::{HashMap, HashSet};

use super::answer::{Gone, Told, Turned, answer, named};
use super::history::History;
use super::world::World;
use super::{Asked, Entry, Failed, Following, Visit, Visited};
use crate::api::what_if::{
    ActualState, Continuation, FLIPS_MAX, Flip, ModeReason, RecordedOutcome, Redecided,
    RedecidedCounts, STREAMS_MAX, StepChange, StepKind, StepOutcome, StreamWorlds, WhatIfBase,
    WhatIfOut, WhatIfStep,
};
use crate::command::Decision;
use crate::diff::diff_within;
use crate::ids::{Position, Revision, StreamName};
use crate::json::State;
use crate::weight::{DIFF_WEIGHT_MAX, copy};
use crate::what_if::StepsWanted;
use crate::what_if::WhatIfError;
use crate::what_if::steps::Steps;

pub(super) struct Report<'a> {
    following: &'a Following<'a>,
    steps: Steps,
    flips: Vec<Flip>,
    turned: Vec<Turned>,
    gone: Gone,
    flips_total: u64,
    reached_entries: u64,
    reached_commands: u64,
    counts: RedecidedCounts,
    asked: u64,
    without_reactions: u64,
    other_rules: u64,
    reached: HashSet<StreamName>,
}

/// A stream at the end of both worlds.
pub(super) struct Ends {
    pub(super) revision: Revision,
    pub(super) actual_revision: Revision,
    pub(super) first_divergence: Option<Revision>,
    /// The other world's and the recorded one, where they may differ.
    pub(super) states: Option<(State, State)>,
}

type Reported<T, H> = Result<T, Failed<<H as History>::Error>>;

impl<'a> Report<'a> {
    pub(super) fn new(following: &'a Following<'a>, steps: StepsWanted) -> Self {
        Self {
            following,
            steps: Steps::new(steps),
            flips: Vec::new(),
            turned: Vec::new(),
            gone: Gone::default(),
            flips_total: 0,
            reached_entries: 0,
            reached_commands: 0,
            counts: RedecidedCounts::default(),
            asked: 0,
            without_reactions: 0,
            other_rules: 0,
            reached: HashSet::new(),
        }
    }

    pub(super) fn finish<H: History>(
        self,
        history: &mut H,
        mut world: World,
        (asked, base): (&Asked<'_>, WhatIfBase),
        later: u64,
    ) -> Reported<WhatIfOut, H> {
        let main = Self::ends(history, &mut world, asked.stream)?;
        let (state, actual) = match &main.states {
            Some((state, actual)) => (self.copied(state)?, self.copied(actual)?),
            None => {
                let state = history.state(asked.stream, main.actual_revision);
                let state: State = state.map_err(Failed::History)?;
                (self.copied(&state)?, state)
            }
        };
        let stop = self.following.stop;
        let diff = diff_within(&actual, &state, DIFF_WEIGHT_MAX, stop);
        let diff = diff.map_err(WhatIfError::from)?;
        let (streams, streams_changed) = self.streams(history, &mut world, asked.stream)?;
        let all_streams = history.streams().map_err(Failed::History)?;
        let streams_reached = self.reached.len() as u64;
        let model = self.following.models.for_stream(asked.stream);
        let statuses = model.status(&state).zip(model.status(&actual));
        let told = Told {
            flips: &self.flips,
            flips_total: self.flips_total,
            turned: &self.turned,
            counts: &self.counts,
            streams_changed,
            stream: asked.stream,
            statuses: statuses.filter(|(state, actual)| state != actual),
            titles: &self.titles(history, asked.stream)?,
        };
        let redecided = Redecided {
            answer: answer(&told),
            causes: self.following.causes,
            asked: self.asked,
            later,
            reached: self.reached_entries,
            reached_commands: self.reached_commands,
            counts: self.counts,
            flips_left_out: self.flips_total - self.flips.len() as u64,
            streams,
            streams_reached,
            streams_changed,
            streams_untouched: all_streams.saturating_sub(streams_reached),
            without_reactions: self.without_reactions,
            other_rules: self.other_rules,
        };
        let rules = self.following.rules.map(|rules| rules.models);
        let models = rules.unwrap_or(self.following.models);
        Ok(WhatIfOut {
            mode: Continuation::Redecide,
            mode_reason: ModeReason::Asked,
            stream: asked.stream.clone(),
            base_revision: base.revision,
            rules_hash: models.for_stream(asked.stream).rules_hash().to_owned(),
            base,
            diff,
            steps: self.steps.listed,
            steps_total: self.steps.total,
            steps_unchanged: self.steps.unchanged,
            outcomes: self.steps.outcomes,
            next_cursor: self.steps.next.map(|next| next.to_string()),
            state,
            revision: main.revision,
            actual: ActualState {
                revision: main.actual_revision,
                state: actual,
            },
            first_divergence: main.first_divergence,
            flips: self.flips,
            redecided: Some(redecided),
            redacted: Vec::new(),
            warnings: Vec::new(),
        })
    }

    /// What the streams that the answer names are called, on record.
    fn titles<H: History>(
        &self,
        history: &mut H,
        stream: &StreamName,
    ) -> Reported<HashMap<StreamName, String>, H> {
        let mut titles = HashMap::new();
        for name in named(&self.flips, stream) {
            let head = history.revision(name, Position(u64::MAX));
            let head = head.map_err(Failed::History)?;
            let state = history.state(name, head).map_err(Failed::History)?;
            let title = self.following.models.for_stream(name).title(&state);
            titles.extend(title.map(|title| (name.clone(), title)));
        }
        Ok(titles)
    }

    fn copied<E>(&self, state: &State) -> Result<State, Failed<E>> {
        Ok(copy(state, self.following.stop)?)
    }

    /// A stream at the end of both worlds.
    pub(super) fn ends<H: History>(
        history: &mut H,
        world: &mut World,
        stream: &StreamName,
    ) -> Reported<Ends, H> {
        let end = Position(u64::MAX);
        let head = history.revision(stream, end).map_err(Failed::History)?;
        let Some(reached) = world.streams.get_mut(stream) else {
            return Ok(Ends {
                revision: head,
                actual_revision: head,
                first_divergence: None,
                states: None,
            });
        };
        reached.divergence.end();
        let revision = reached.shifted(head);
        let first_divergence = reached.divergence.first;
        Ok(match &reached.live {
            None => Ends {
                revision,
                actual_revision: head,
                first_divergence,
                states: None,
            },
            Some(live) => Ends {
                revision: live.other.revision,
                actual_revision: live.actual.revision,
                first_divergence,
                states: Some((live.other.state.clone(), live.actual.state.clone())),
            },
        })
    }

    /// The reached streams in both worlds, those that differ first, and how many differ.
    fn streams<H: History>(
        &self,
        history: &mut H,
        world: &mut World,
        first: &StreamName,
    ) -> Reported<(Vec<StreamWorlds>, u64), H> {
        let mut names: Vec<(bool, bool, &StreamName)> = self
            .reached
            .iter()
            .map(|stream| (!differs(world, stream), stream != first, stream))
            .collect();
        names.sort_unstable();
        let changed = names.iter().filter(|(same, ..)| !same).count() as u64;
        let mut streams = Vec::new();
        for (_, _, stream) in names.into_iter().take(STREAMS_MAX) {
            self.following.stop.check()?;
            let ends = Self::ends(history, world, stream)?;
            let (state, actual) = ends.states.unwrap_or_default();
            let stop = self.following.stop;
            let diff = diff_within(&actual, &state, DIFF_WEIGHT_MAX, stop);
            let diff = diff.map_err(WhatIfError::from)?;
            let is_same = diff.is_empty();
            streams.push(StreamWorlds {
                stream: stream.clone(),
                revision: ends.revision,
                actual_revision: ends.actual_revision,
                first_divergence: ends.first_divergence,
                state: if is_same { State::new() } else { state },
                actual: if is_same { State::new() } else { actual },
                diff,
            });
        }
        Ok((streams, changed))
    }
}

impl Visit for Report<'_> {
    fn visited(&mut self, visited: Visited) {
        let counts = &mut self.counts;
        *match visited.change {
            StepChange::Same => &mut counts.same,
            StepChange::Changed => &mut counts.changed,
            StepChange::Flip => &mut counts.flips,
            StepChange::NotIssued => &mut counts.not_issued,
            StepChange::Frozen => &mut counts.frozen,
            StepChange::Refused => &mut counts.refused,
            StepChange::Edited | StepChange::Dropped => &mut counts.edited,
            StepChange::Added => &mut counts.added,
        } += 1;
        let recorded = visited.recorded.as_ref();
        let decision = recorded.and_then(|entry| entry.decision.as_deref());
        if let (true, Some(decision)) = (visited.asked && !visited.edited, decision) {
            self.asked += 1;
            let rules = self.following.models.for_stream(&visited.stream);
            self.other_rules += u64::from(decision.rules_hash != rules.rules_hash());
        }
        let is_recorded = |id: &str| {
            recorded.is_some_and(|entry| entry.events.iter().any(|event| event.event_id == id))
        };
        let new = visited
            .events
            .iter()
            .filter(|event| !is_recorded(&event.event_id));
        self.without_reactions += new.count() as u64;
        self.reached.insert(visited.stream.clone());
        if let Some(decision) = decision
            && matches!(visited.change, StepChange::Flip | StepChange::NotIssued)
        {
            self.flips_total += 1;
            if self.flips.len() < FLIPS_MAX {
                self.flips.push(flip(decision, &visited));
                self.turned.push(self.gone.turned(&visited));
            }
        }
        self.reached_entries += u64::from(recorded.is_some());
        self.reached_commands += u64::from(decision.is_some());
        self.gone.note(&visited);
        let is_changed = visited.change != StepChange::Same;
        self.steps.push(step(visited), is_changed);
    }

    fn as_recorded(&mut self, entry: &Entry, asked: bool) {
        if let (true, Some(decision)) = (asked, &entry.decision) {
            self.counts.same += 1;
            self.asked += 1;
            let rules = self.following.models.for_stream(&entry.stream);
            self.other_rules += u64::from(decision.rules_hash != rules.rules_hash());
        }
    }
}

fn differs(world: &mut World, stream: &StreamName) -> bool {
    world.streams.get_mut(stream).is_some_and(|reached| {
        reached.divergence.end();
        let states = reached.live.as_ref();
        reached.divergence.first.is_some()
            || states.is_some_and(|live| live.actual.state != live.other.state)
    })
}

fn flip(decision: &Decision, visited: &Visited) -> Flip {
    let (outcome, rule, message) = match (&visited.rejection, visited.change) {
        (_, StepChange::NotIssued) => ("not_issued", None, visited.why.clone()),
        (Some(rejection), _) => (
            "rejected",
            Some(rejection.rule.clone()),
            Some(rejection.message.clone()),
        ),
        (None, _) => ("accepted", None, None),
    };
    Flip {
        decision: decision.sequence,
        command_id: decision.command_id.clone(),
        stream: decision.stream.clone(),
        command_type: decision.command_type.clone(),
        actor: decision.actor.clone(),
        decided_at: decision.decided_at,
        was: RecordedOutcome::from(&decision.result),
        outcome: outcome.to_owned(),
        rule,
        message,
    }
}

fn step(visited: Visited) -> WhatIfStep {
    let recorded = visited.recorded.as_ref();
    let decision = recorded.and_then(|entry| entry.decision.as_deref());
    let is_command = visited.decision.is_some() || decision.is_some();
    let kind = match (recorded, is_command) {
        (Some(_), true) => StepKind::Redecided,
        (Some(_), false) => StepKind::Recorded,
        (None, true) => StepKind::Command,
        (None, false) => StepKind::Event,
    };
    let unknown = visited.decision.is_none() && visited.change == StepChange::Frozen;
    let outcome = match (visited.change, &visited.rejection) {
        (StepChange::NotIssued, _) => StepOutcome::NotIssued,
        (StepChange::Dropped, _) => StepOutcome::Dropped,
        (_, Some(_)) => StepOutcome::Rejected,
        _ if unknown && recorded.is_none() => StepOutcome::Unknown,
        _ if is_command => StepOutcome::Accepted,
        _ => StepOutcome::Applied,
    };
    let (rule, message) = match visited.rejection {
        Some(rejection) => (Some(rejection.rule), Some(rejection.message)),
        None => (None, visited.why),
    };
    WhatIfStep {
        kind: if unknown && recorded.is_none() {
            StepKind::Command
        } else {
            kind
        },
        step_type: visited.type_name,
        outcome,
        rule,
        message,
        events: visited.events,
        diff: visited.diff,
        revision: visited.revision,
        recorded_revision: recorded
            .and_then(|entry| entry.events.last())
            .map(|event| event.revision),
        edited: visited.edited,
        stream: Some(visited.stream),
        decision: decision.map(|decision| decision.sequence),
        change: Some(visited.change),
        was: decision.map(|decision| RecordedOutcome::from(&decision.result)),
    }
}
