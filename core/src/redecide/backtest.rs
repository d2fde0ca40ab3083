//! Back-test: a whole decision log decided again under other rules, in a world that changes as decisions change.
//!
//! Owns what is told of it: each command with another decision as it is found, and at the end the counts by rule, actor, type and day,
//! and where each stream diverges first.

use std::collections::{BTreeMap, HashMap};

use super::history::History;
use super::place::{Entry, Place};
use super::plan::Planner;
use super::run::Run;
use super::world::World;
use super::{Asked, BasePlace, Failed, Following, Visit, Visited};
use crate::api::backtest::{
    BacktestChange, BacktestCounts, BacktestFrozen, BacktestGroup, BacktestKind, BacktestStream,
    FROZEN_MAX, GROUPS_MAX,
};
use crate::api::what_if::{RecordedOutcome, StepChange};
use crate::command::{Decision, Outcome};
use crate::ids::{Position, Revision, StreamName};
use crate::time::Timestamp;

/// Names that are counted each for itself, by actor, type, rule and day; the rest is counted together.
const NAMES_MAX: usize = 10_000;
/// A day.
const DAY_MICROS: i64 = 86_400_000_000;
/// Bytes of a name that is counted.
const NAME_BYTES_MAX: usize = 200;

/// What a back-test came to, beside what it told on the way.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Backtested {
    /// The commands that were asked under the other rules.
    pub counts: BacktestCounts,
    /// Commands outside the range that changed decisions reached, decided again by the rules in use.
    pub outside: BacktestCounts,
    /// Raw events that a changed key would have had refused.
    pub raw_refused: u64,
    /// Raw events that stay as they were recorded.
    pub raw_frozen: u64,
    /// Commands that were recorded under other rules than those in use.
    pub recorded_under_others: u64,
    /// New events, to which no handler could react.
    pub without_reactions: u64,
    /// By the rule that is the reason.
    pub by_rule: Vec<BacktestGroup>,
    /// By actor.
    pub by_actor: Vec<BacktestGroup>,
    /// By the command's type.
    pub by_type: Vec<BacktestGroup>,
    /// By the day on which it was decided, in UTC.
    pub by_day: Vec<BacktestGroup>,
    /// Why commands could not be decided again.
    pub frozen: Vec<BacktestFrozen>,
    /// Streams that differ from what happened, by name.
    pub streams: Vec<BacktestStream>,
    /// Entries of the log that were looked at.
    pub looked_at: u64,
}

/// Decides a whole log again under the other rules of `following`. `told` gets each command with another decision, in the order of the
/// log; `looked_at`, how many commands were looked at so far.
pub fn backtest<H: History>(
    history: &mut H,
    following: &Following<'_>,
    told: &mut dyn FnMut(BacktestChange),
    looked_at: &mut dyn FnMut(u64),
) -> Result<Backtested, Failed<H::Error>> {
    let Some(rules) = following.rules else {
        return Ok(Backtested::default());
    };
    let Ok(no_stream) = StreamName::new("none") else {
        return Ok(Backtested::default());
    };
    let nothing = Asked {
        stream: &no_stream,
        edits: &[],
        actions: &[],
        base: BasePlace {
            place: Place::END,
            position: Position(u64::MAX),
            revision: Revision(u64::MAX),
            at: Timestamp::MIN,
        },
    };
    let plan = Planner::plan(history, following.models, &[nothing])?;
    let in_scope = |decision: &Decision| rules.scope.holds(decision);
    let mut tally = Tally::new(following, &in_scope, told, looked_at);
    let mut run = Run::new(history, following, plan, &mut tally);
    run.run()?;
    let world = run.into_world();
    Ok(tally.finish(world))
}

/// Counts under names, each name for itself.
#[derive(Default)]
struct Names(BTreeMap<String, BacktestCounts>);

impl Names {
    fn count(&mut self, name: &str, kind: BacktestKind) {
        if let Some(counts) = self.0.get_mut(name) {
            counts.add(kind);
            return;
        }
        let is_room = self.0.len() < NAMES_MAX && name.len() <= NAME_BYTES_MAX;
        let name = if is_room { name } else { "" };
        self.0.entry(name.to_owned()).or_default().add(kind);
    }

    /// Those with most changes first.
    fn groups(self) -> Vec<BacktestGroup> {
        let group = |(name, counts)| BacktestGroup { name, counts };
        let mut groups: Vec<BacktestGroup> = self.0.into_iter().map(group).collect();
        groups.sort_by_key(|group| {
            let changes = std::cmp::Reverse(group.counts.changes());
            (changes, std::cmp::Reverse(group.counts.total()))
        });
        if groups.len() > GROUPS_MAX {
            let rest = groups.split_off(GROUPS_MAX);
            let mut counts = BacktestCounts::default();
            for group in rest {
                counts.add_all(&group.counts);
            }
            let name = String::new();
            groups.push(BacktestGroup { name, counts });
        }
        groups
    }
}

struct Tally<'a> {
    following: &'a Following<'a>,
    in_scope: &'a dyn Fn(&Decision) -> bool,
    told: &'a mut dyn FnMut(BacktestChange),
    looked_at: &'a mut dyn FnMut(u64),
    came_to: Backtested,
    by_rule: Names,
    by_actor: Names,
    by_type: Names,
    by_day: BTreeMap<String, BacktestCounts>,
    /// The day that is being counted, as days since 1970: it is spelt when another one comes.
    today: Option<(i64, Timestamp, BacktestCounts)>,
    frozen: BTreeMap<String, BacktestFrozen>,
    /// The first decision that another world began with, by stream.
    first: HashMap<StreamName, u64>,
}

impl<'a> Tally<'a> {
    fn new(
        following: &'a Following<'a>,
        in_scope: &'a dyn Fn(&Decision) -> bool,
        told: &'a mut dyn FnMut(BacktestChange),
        looked_at: &'a mut dyn FnMut(u64),
    ) -> Self {
        Self {
            following,
            in_scope,
            told,
            looked_at,
            came_to: Backtested::default(),
            by_rule: Names::default(),
            by_actor: Names::default(),
            by_type: Names::default(),
            by_day: BTreeMap::new(),
            today: None,
            frozen: BTreeMap::new(),
            first: HashMap::new(),
        }
    }

    fn looked(&mut self, is_decision: bool) {
        self.came_to.looked_at += u64::from(is_decision);
        if is_decision {
            (self.looked_at)(self.came_to.looked_at);
        }
    }

    /// Counts a command of the range.
    fn count(&mut self, decision: &Decision, kind: BacktestKind) {
        self.came_to.counts.add(kind);
        let model = self.following.models.for_stream(&decision.stream);
        self.came_to.recorded_under_others += u64::from(decision.rules_hash != model.rules_hash());
        let actor = decision.actor.as_deref().unwrap_or_default();
        self.by_actor.count(actor, kind);
        self.by_type.count(&decision.command_type, kind);
        let at = decision.decided_at;
        let day = at.as_micros().div_euclid(DAY_MICROS);
        if self.today.as_ref().is_none_or(|today| today.0 != day) {
            self.end_day();
        }
        let today = self
            .today
            .get_or_insert_with(|| (day, at, BacktestCounts::default()));
        today.2.add(kind);
    }

    fn end_day(&mut self) {
        let Some((_, at, counts)) = self.today.take() else {
            return;
        };
        let time = at.to_string();
        let day = time.split_once('T').map_or(time.as_str(), |(day, _)| day);
        self.by_day
            .entry(day.to_owned())
            .or_default()
            .add_all(&counts);
    }

    fn freeze(&mut self, decision: &Decision, why: Option<&str>) {
        let why = why.unwrap_or("it cannot be decided again");
        let is_known = self.frozen.contains_key(why);
        let why = if is_known || self.frozen.len() < FROZEN_MAX {
            why
        } else {
            "other reasons"
        };
        let frozen = self
            .frozen
            .entry(why.to_owned())
            .or_insert_with(|| BacktestFrozen {
                reason: why.to_owned(),
                count: 0,
                first: decision.sequence,
            });
        frozen.count += 1;
    }

    fn finish(mut self, mut world: World) -> Backtested {
        self.end_day();
        let mut streams: Vec<BacktestStream> = Vec::new();
        for (stream, reached) in &mut world.streams {
            reached.divergence.end();
            if let Some(first_divergence) = reached.divergence.first {
                streams.push(BacktestStream {
                    stream: stream.clone(),
                    first_divergence,
                    decision: self.first.get(stream).copied(),
                    differs_at_end: reached
                        .live
                        .as_ref()
                        .is_some_and(|live| live.actual.state != live.other.state),
                });
            }
        }
        streams.sort_by(|a, b| a.stream.cmp(&b.stream));
        let mut by_day = self
            .by_day
            .into_iter()
            .map(|(name, counts)| BacktestGroup { name, counts });
        self.came_to.by_day = by_day.by_ref().collect();
        self.came_to.by_rule = self.by_rule.groups();
        self.came_to.by_actor = self.by_actor.groups();
        self.came_to.by_type = self.by_type.groups();
        self.came_to.frozen = self.frozen.into_values().collect();
        self.came_to.streams = streams;
        self.came_to
    }
}

impl Visit for Tally<'_> {
    fn as_recorded(&mut self, entry: &Entry, asked: bool) {
        self.looked(entry.decision.is_some());
        match &entry.decision {
            Some(decision) if asked => self.count(decision, BacktestKind::Same),
            Some(_) => {}
            None => self.came_to.raw_frozen += 1,
        }
    }

    fn visited(&mut self, visited: Visited) {
        let decision = visited
            .recorded
            .as_ref()
            .and_then(|entry| entry.decision.as_deref());
        self.looked(decision.is_some());
        let is_recorded = |id: &str| {
            let recorded = visited.recorded.iter().flat_map(|entry| &entry.events);
            recorded.into_iter().any(|event| event.event_id == id)
        };
        let new = visited
            .events
            .iter()
            .filter(|event| !is_recorded(&event.event_id));
        self.came_to.without_reactions += new.count() as u64;
        let Some(kind) = kind(&visited, decision) else {
            self.came_to.raw_frozen += 1;
            return;
        };
        let in_range = decision.is_some_and(|decision| (self.in_scope)(decision));
        match decision {
            Some(decision) if in_range => self.count(decision, kind),
            Some(_) => self.came_to.outside.add(kind),
            None => self.came_to.raw_refused += 1,
        }
        if let (Some(decision), BacktestKind::Frozen) = (decision, kind) {
            self.freeze(decision, visited.why.as_deref());
        }
        if !kind.is_change() {
            return;
        }
        if let Some(decision) = decision {
            self.first
                .entry(visited.stream.clone())
                .or_insert(decision.sequence);
        }
        let change = change(&visited, decision, kind, in_range);
        if in_range {
            self.by_rule
                .count(change.because().unwrap_or_default(), kind);
        }
        (self.told)(change);
    }
}

/// What a visited entry is; `None` for a raw event that stays as it is.
fn kind(visited: &Visited, decision: Option<&Decision>) -> Option<BacktestKind> {
    let was_accepted = decision.is_some_and(|d| matches!(d.result, Outcome::Accepted { .. }));
    Some(match (visited.change, decision) {
        (StepChange::Refused, _) => BacktestKind::RawRefused,
        (StepChange::NotIssued, _) => BacktestKind::NotIssued,
        (StepChange::Flip, _) if was_accepted => BacktestKind::AcceptedToRefused,
        (StepChange::Flip, _) => BacktestKind::RefusedToAccepted,
        (StepChange::Changed, _) => BacktestKind::Changed,
        (StepChange::Same, _) => BacktestKind::Same,
        (StepChange::Frozen, Some(_)) => BacktestKind::Frozen,
        // Nothing is edited or added in a back-test.
        _ => return None,
    })
}

fn change(
    visited: &Visited,
    decision: Option<&Decision>,
    kind: BacktestKind,
    in_range: bool,
) -> BacktestChange {
    let recorded = visited.recorded.as_ref();
    let types = |events: &[crate::event::Event]| {
        events
            .iter()
            .map(|event| event.event_type.clone())
            .collect::<Vec<_>>()
    };
    let was_events = recorded.map_or_else(Vec::new, |entry| types(&entry.events));
    let raw = recorded.and_then(|entry| entry.events.first());
    let (outcome, rule, message) = match (&visited.rejection, kind) {
        (_, BacktestKind::NotIssued) => ("not_issued", None, visited.why.clone()),
        (Some(rejection), _) => (
            "rejected",
            Some(rejection.rule.clone()),
            Some(rejection.message.clone()),
        ),
        (None, _) => ("accepted", None, None),
    };
    BacktestChange {
        kind,
        decision: decision.map(|decision| decision.sequence),
        position: raw.map(|event| event.position),
        command_id: decision.map(|decision| decision.command_id.clone()),
        stream: visited.stream.clone(),
        base_revision: recorded.map_or(Revision::ZERO, Entry::base_revision),
        command_type: visited.type_name.clone(),
        actor: match decision {
            Some(decision) => decision.actor.clone(),
            None => raw.and_then(|event| event.actor.clone()),
        },
        decided_at: match (decision, raw) {
            (Some(decision), _) => decision.decided_at,
            (None, Some(event)) => event.recorded_at,
            (None, None) => Timestamp::MIN,
        },
        was: decision.map(|decision| RecordedOutcome::from(&decision.result)),
        was_events,
        outcome: outcome.to_owned(),
        rule,
        message,
        events: types(&visited.events),
        in_range,
    }
}
