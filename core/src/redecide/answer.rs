//! The answer in words: what would have been otherwise, as the domain says it.
//!
//! Made of what is on record alone: the types of events, actors, rules and causes. A type whose words leave room for doubt stands
//! there by its name.

use std::collections::{HashMap, HashSet};

use super::Visited;
use crate::api::what_if::{Flip, RedecidedCounts, StepChange};
use crate::counted::counted;
use crate::ids::{Revision, StreamName};
use crate::sentence::{Deed, deed, moment};
use crate::text::shown;

/// Flips that the answer tells of one by one; more are told of by kind.
const NAMED_MAX: usize = 3;
/// Causes that are gone and can be named.
const GONE_MAX: usize = 10_000;

/// A flip, and what it is about.
pub(super) struct Turned {
    /// The first type of the events that are on record, or of those of the other world.
    event_type: Option<String>,
    /// The event or command that it followed from, where that is gone.
    cause: Option<Cause>,
}

/// Something that the other world does not have.
#[derive(Debug, Clone)]
struct Cause {
    stream: StreamName,
    /// 0 for a command.
    revision: Revision,
    type_name: String,
}

/// What the answer is made from.
pub(super) struct Told<'a> {
    pub(super) flips: &'a [Flip],
    pub(super) flips_total: u64,
    pub(super) turned: &'a [Turned],
    pub(super) counts: &'a RedecidedCounts,
    pub(super) streams_changed: u64,
    /// The stream that was asked about.
    pub(super) stream: &'a StreamName,
    /// Its status in the other world and on record, where the two differ.
    pub(super) statuses: Option<(String, String)>,
    /// What streams are called.
    pub(super) titles: &'a HashMap<StreamName, String>,
}

/// What is gone in the other world, by id.
#[derive(Debug, Default)]
pub(super) struct Gone(HashMap<String, Cause>);

impl Gone {
    /// Notes what the other world does not have of an entry.
    pub(super) fn note(&mut self, visited: &Visited) {
        let Some(entry) = &visited.recorded else {
            return;
        };
        if visited.change == StepChange::Same || self.0.len() >= GONE_MAX {
            return;
        }
        let never_comes = matches!(visited.change, StepChange::Dropped | StepChange::NotIssued);
        if let Some(decision) = entry.decision.as_ref().filter(|_| never_comes) {
            let cause = Cause {
                stream: entry.stream.clone(),
                revision: Revision::ZERO,
                type_name: decision.command_type.clone(),
            };
            self.0.insert(decision.command_id.clone(), cause);
        }
        let stays = |id: &str| visited.events.iter().any(|event| event.event_id == id);
        for event in entry.events.iter().filter(|event| !stays(&event.event_id)) {
            let cause = Cause {
                stream: event.stream.clone(),
                revision: event.revision,
                type_name: event.event_type.clone(),
            };
            self.0.insert(event.event_id.clone(), cause);
        }
    }

    /// What a flipped entry is about.
    pub(super) fn turned(&self, visited: &Visited) -> Turned {
        let entry = visited.recorded.as_ref();
        let recorded = entry.and_then(|entry| entry.events.first());
        let event = recorded.or(visited.events.first());
        let cause = entry
            .filter(|_| visited.change == StepChange::NotIssued)
            .and_then(|entry| self.0.get(entry.causation_id()?));
        Turned {
            event_type: event.map(|event| event.event_type.clone()),
            cause: cause.cloned(),
        }
    }
}

/// The streams that the answer names.
pub(super) fn named<'a>(flips: &'a [Flip], stream: &'a StreamName) -> Vec<&'a StreamName> {
    let mut named = vec![stream];
    if flips.len() <= NAMED_MAX {
        named.extend(flips.iter().map(|flip| &flip.stream));
    }
    named.sort_unstable();
    named.dedup();
    named
}

/// What would have been, in a sentence for each of the first flips.
pub(super) fn answer(told: &Told<'_>) -> String {
    if told.flips.is_empty() {
        return without_flips(told);
    }
    let mut all: Vec<(&Flip, &Turned, Option<Deed>)> = told
        .flips
        .iter()
        .zip(told.turned)
        .map(|(flip, turned)| (flip, turned, turned.deed(flip)))
        .collect();
    // What became of the stream that was asked about comes first, and of the whole of it before its parts.
    all.sort_by_key(|(flip, _, deed)| {
        let part = deed.as_ref().is_none_or(|deed| deed.object.is_some());
        (flip.stream != *told.stream, part)
    });
    let (mut sentences, mut told_of) = (Vec::new(), 0_u64);
    if all.len() <= NAMED_MAX {
        for (flip, turned, deed) in &all {
            sentences.push(sentence(told, flip, turned, deed.as_ref()));
            told_of += 1;
        }
    } else {
        for (sentence, count) in kinds(&all).into_iter().take(NAMED_MAX) {
            sentences.push(sentence);
            told_of += count;
        }
    }
    match told.flips_total.saturating_sub(told_of) {
        0 => {}
        n => sentences.push(format!(
            "And {} would have been decided differently.",
            counted(n, "more command")
        )),
    }
    sentences.join(" ")
}

impl Turned {
    fn deed(&self, flip: &Flip) -> Option<Deed> {
        deed(self.event_type.as_deref()?, flip.stream.category())
    }
}

fn sentence(told: &Told<'_>, flip: &Flip, turned: &Turned, deed: Option<&Deed>) -> String {
    let named = title(told, &flip.stream);
    let when = moment(flip.decided_at, None);
    let command = format!("{}{}", shown(&flip.command_type), by(flip));
    let why = match (flip.outcome.as_str(), &turned.cause) {
        ("accepted", _) => {
            let refused = flip.was.rule.as_ref();
            let refused = refused.map_or_else(String::new, |rule| {
                format!(", which {} refused", shown(rule))
            });
            format!("{command} on {when}{refused}, would have gone through")
        }
        ("not_issued", Some(cause)) => {
            let of = if cause.stream == flip.stream {
                String::new()
            } else {
                format!(" of {}", title(told, &cause.stream))
            };
            let at = match cause.revision {
                Revision::ZERO => String::new(),
                revision => format!(" (rev {revision})"),
            };
            let cause = shown(&cause.type_name);
            format!(
                "{command} followed from {cause}{at}{of}, which is gone, so it would not have been issued"
            )
        }
        ("not_issued", None) => {
            format!("{command} would not have been issued, as its cause is gone")
        }
        _ => {
            let rule = flip
                .rule
                .as_deref()
                .map_or_else(String::new, |rule| format!(" by {}", shown(rule)));
            format!("{command} on {when} would have been refused{rule}")
        }
    };
    match deed {
        Some(deed) => {
            let subject = match &deed.object {
                Some(part) => format!("The {} of {named}", shown(part)),
                None => named,
            };
            format!("{subject} {}: {why}.", would(flip, deed))
        }
        None => format!("{named}: {why}."),
    }
}

/// Many flips, by kind: the most frequent first, with how many there are of it.
fn kinds(all: &[(&Flip, &Turned, Option<Deed>)]) -> Vec<(String, u64)> {
    let mut kinds: Vec<(Kind, u64, HashSet<&StreamName>)> = Vec::new();
    for (flip, _, deed) in all {
        let kind = Kind::of(flip, deed.as_ref());
        let mut known = kinds.iter_mut();
        match known.find(|(known, ..)| *known == kind) {
            Some((_, count, streams)) => {
                *count += 1;
                streams.insert(&flip.stream);
            }
            None => kinds.push((kind, 1, HashSet::from([&flip.stream]))),
        }
    }
    kinds.sort_by_key(|(_, count, _)| std::cmp::Reverse(*count));
    let told = kinds.into_iter();
    told.map(|(kind, count, streams)| (kind.sentence(streams.len()), count))
        .collect()
}

/// A kind of flip: what it is about, and what became of its command.
#[derive(PartialEq)]
struct Kind {
    category: String,
    part: Option<String>,
    /// `would not have been deleted`.
    would: Option<String>,
    came: String,
}

impl Kind {
    fn of(flip: &Flip, deed: Option<&Deed>) -> Self {
        let command = shown(&flip.command_type);
        let came = match (flip.outcome.as_str(), &flip.rule) {
            ("accepted", _) => format!("{command} would have gone through"),
            ("rejected", Some(rule)) => {
                format!("{command} would have been refused by {}", shown(rule))
            }
            ("rejected", None) => format!("{command} would have been refused"),
            _ => format!("{command} would not have been issued, as its cause is gone"),
        };
        Self {
            category: shown(flip.stream.category()).into_owned(),
            part: deed.and_then(|deed| deed.object.clone()),
            would: deed.map(|deed| would(flip, deed)),
            came,
        }
    }

    fn sentence(&self, streams: usize) -> String {
        let category = &self.category;
        let streams = counted(streams, &format!("`{category}` stream"));
        let subject = match &self.part {
            Some(part) => format!("The {} of {streams}", shown(part)),
            None => streams,
        };
        match &self.would {
            Some(would) => format!("{subject} {would}: {}.", self.came),
            None => format!("{subject}: {}.", self.came),
        }
    }
}

/// `would not have been deleted`.
fn would(flip: &Flip, deed: &Deed) -> String {
    let not = if flip.outcome == "accepted" {
        ""
    } else {
        "not "
    };
    format!("would {not}have been {}", deed.verb.to_lowercase())
}

fn without_flips(told: &Told<'_>) -> String {
    let counts = told.counts;
    let is = told.statuses.as_ref().map(|(other, actual)| {
        let title = title(told, told.stream);
        format!("{title} would be {}, not {}.", shown(other), shown(actual))
    });
    let rest = match (told.streams_changed, counts.changed) {
        (0, _) => return "Nothing would have been different.".to_owned(),
        (1, 0) if is.is_some() => {
            "Every later command would have been decided as it was.".to_owned()
        }
        (streams, 0) => format!(
            "{} would differ; every later command would have been decided as it was.",
            counted(streams, "stream")
        ),
        (_, changed) => format!(
            "No decision would have flipped; {} would have had another result.",
            counted(changed, "later command")
        ),
    };
    match is {
        Some(is) => format!("{is} {rest}"),
        None => rest,
    }
}

/// The title of a stream, or its name where it has none.
fn title(told: &Told<'_>, stream: &StreamName) -> String {
    let name = told
        .titles
        .get(stream)
        .map_or(stream.as_str(), String::as_str);
    shown(name).into_owned()
}

fn by(flip: &Flip) -> String {
    let actor = flip.actor.as_deref();
    actor.map_or_else(String::new, |actor| format!(" by {}", shown(actor)))
}
