//! Necessity: what each recorded command is to an outcome, by dropping it.

use std::collections::{BTreeMap, HashSet, VecDeque};

use super::{DROPPED_MAX, PAIRS_MAX, Question, Unfound, WHOLE_LOG_MAX, is_unknown};
use crate::api::inevitable::{Necessity, NecessityOut};
use crate::api::what_if::{DecisionRef, DropCommandEdit, Edit};
use crate::command::{Decision, Outcome};
use crate::ids::{Position, StreamName};
use crate::redecide::{Entry, Failed, History, Place};

/// What dropping commands came to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Dropped {
    /// Those with an effect, in the order of the log.
    pub commands: Vec<NecessityOut>,
    /// How many were dropped.
    pub dropped: u64,
    /// How many had no effect.
    pub without_effect: u64,
    /// Whether all that could reach the stream were.
    pub all_dropped: bool,
    /// Those beyond the bound.
    pub left_out: u64,
    /// Whether all pairs of masked ones were tried.
    pub all_pairs: bool,
}

impl Dropped {
    /// Those that are this to the outcome.
    pub fn of(&self, necessity: Necessity) -> Vec<&NecessityOut> {
        let all = self.commands.iter();
        all.filter(|command| command.necessity == necessity)
            .collect()
    }
}

type Found<T, H> = Result<T, Unfound<<H as History>::Error>>;

/// Drops each command that may reach the stream, one at a time, and masked ones in pairs.
pub fn necessity<H: History>(question: &mut Question<'_, H>) -> Found<Dropped, H> {
    let (decisions, all_dropped) = may_reach(question)?;
    let mut decisions = with_effect(question, decisions)?;
    let left_out = decisions.len().saturating_sub(DROPPED_MAX);
    decisions.drain(..left_out);
    question.runs_expected += decisions.len() as u64;
    let mut found = Dropped {
        dropped: decisions.len() as u64,
        all_dropped,
        left_out: left_out as u64,
        ..Dropped::default()
    };
    for decision in &decisions {
        let necessity = without(question, &[decision.sequence])?;
        if necessity == Necessity::WithoutEffect {
            found.without_effect += 1;
        } else {
            found.commands.push(told(decision, necessity));
        }
    }
    pairs(question, &mut found)?;
    Ok(found)
}

/// What commands are to the outcome together.
fn without<H: History>(question: &mut Question<'_, H>, gone: &[u64]) -> Found<Necessity, H> {
    let drop = |sequence: &u64| {
        let decision = DecisionRef::Sequence(*sequence);
        Edit::DropCommand(DropCommandEdit { decision })
    };
    let edits: Vec<Edit> = gone.iter().map(drop).collect();
    let ended = match question.attempt(&edits, None) {
        Err(error) if is_unknown(&error) => return Ok(Necessity::Unknown),
        ended => ended?,
    };
    Ok(match (ended.holds, ended.end.differs) {
        (_, false) => Necessity::WithoutEffect,
        (None, true) => Necessity::Unknown,
        (Some(true), true) => Necessity::Masked,
        (Some(false), true) => Necessity::Necessary,
    })
}

fn told(decision: &Decision, necessity: Necessity) -> NecessityOut {
    NecessityOut {
        decision: decision.sequence,
        command_id: decision.command_id.clone(),
        stream: decision.stream.clone(),
        command_type: decision.command_type.clone(),
        actor: decision.actor.clone(),
        reason: decision.reason.clone(),
        decided_at: decision.decided_at,
        base_revision: decision.base_revision,
        necessity,
        masked_by: None,
        responsibility: (necessity == Necessity::Necessary).then_some(1.0),
    }
}

/// Finds for each masked command another one, so that the outcome does not come without both.
fn pairs<H: History>(question: &mut Question<'_, H>, found: &mut Dropped) -> Found<(), H> {
    let masked: Vec<usize> = (0..found.commands.len())
        .filter(|index| {
            let command = found.commands.get(*index);
            command.is_some_and(|command| command.necessity == Necessity::Masked)
        })
        .collect();
    found.all_pairs = true;
    let mut tried = 0;
    for (nth, first) in masked.iter().enumerate() {
        for second in masked.iter().skip(nth + 1) {
            let (Some(a), Some(b)) = (found.commands.get(*first), found.commands.get(*second))
            else {
                continue;
            };
            if a.masked_by.is_some() && b.masked_by.is_some() {
                continue;
            }
            if tried == PAIRS_MAX {
                found.all_pairs = false;
                return Ok(());
            }
            tried += 1;
            question.runs_expected += 1;
            let gone = [a.decision, b.decision];
            if without(question, &gone)? != Necessity::Necessary {
                continue;
            }
            for (index, other) in [(*first, gone[1]), (*second, gone[0])] {
                if let Some(command) = found.commands.get_mut(index) {
                    command.masked_by.get_or_insert(other);
                    command.responsibility = Some(0.5);
                }
            }
        }
    }
    Ok(())
}

/// The commands that may reach the stream, in the order of the log, and whether these are all.
pub(super) fn may_reach<H: History>(
    question: &mut Question<'_, H>,
) -> Found<(Vec<Decision>, bool), H> {
    let start = Place::after_position(Position::ZERO);
    let count = question
        .history
        .decisions_after(start)
        .map_err(Failed::History)?;
    let mut entries: BTreeMap<Place, Decision> = BTreeMap::new();
    let is_all = usize::try_from(count).is_ok_and(|count| count <= WHOLE_LOG_MAX);
    if is_all {
        collect(question, None, start, Place::END, &mut |place, decision| {
            entries.insert(place, decision);
        })?;
    } else {
        of_streams(question, &mut entries)?;
    }
    Ok((entries.into_values().collect(), is_all))
}

/// Takes out the commands that brought nothing and caused nothing: without one of them nothing differs.
fn with_effect<H: History>(
    question: &mut Question<'_, H>,
    decisions: Vec<Decision>,
) -> Found<Vec<Decision>, H> {
    let mut kept = Vec::new();
    for decision in decisions {
        let brought = matches!(decision.result, Outcome::Accepted { events, .. } if events > 0);
        let effects = question.history.effects(&decision.command_id);
        if brought || !effects.map_err(Failed::History)?.is_empty() {
            kept.push(decision);
        }
    }
    Ok(kept)
}

/// The commands of the stream, and of the streams of their causes up to those.
fn of_streams<H: History>(
    question: &mut Question<'_, H>,
    entries: &mut BTreeMap<Place, Decision>,
) -> Found<(), H> {
    let start = Place::after_position(Position::ZERO);
    let mut seen: HashSet<StreamName> = HashSet::new();
    let mut next = VecDeque::from([(question.stream.clone(), Place::END)]);
    while let Some((stream, until)) = next.pop_front() {
        if !seen.insert(stream.clone()) {
            continue;
        }
        let mut causes = Vec::new();
        collect(
            question,
            Some(&stream),
            start,
            until,
            &mut |place, decision| {
                causes.extend(decision.causation_id.clone());
                if entries.len() < WHOLE_LOG_MAX {
                    entries.insert(place, decision);
                }
            },
        )?;
        for cause in causes {
            let found = question
                .history
                .entry_of_id(&cause)
                .map_err(Failed::History)?;
            next.extend(found.map(|Entry { stream, place, .. }| (stream, place)));
        }
    }
    Ok(())
}

/// Goes through the decisions of a stream, or of the log, up to a place.
fn collect<H: History>(
    question: &mut Question<'_, H>,
    stream: Option<&StreamName>,
    start: Place,
    until: Place,
    each: &mut dyn FnMut(Place, Decision),
) -> Found<(), H> {
    let mut walk = question
        .history
        .walk(stream, start)
        .map_err(Failed::History)?;
    while let Some(entry) = question.history.next(&mut walk).map_err(Failed::History)? {
        question.stop.check().map_err(Failed::from)?;
        if entry.place > until {
            break;
        }
        if let Some(decision) = entry.decision {
            each(entry.place, *decision);
        }
    }
    Ok(())
}
