//! Random terms of a query line, and what each means in plain words.

use whodunit_core::event::Event;
use whodunit_core::time::Timestamp;

use crate::query_log::{HOUR, Random};

/// What a condition or a term may come to: `None` where it says nothing.
pub(crate) type Plain = Option<bool>;

/// A term as a line says it, and what it means.
pub(crate) struct Meaning {
    pub(crate) text: String,
    pub(crate) holds: Holds,
}

/// Whether it holds for an event of a log.
type Holds = Box<dyn Fn(&[Event], &Event) -> Plain>;

fn meaning(
    text: impl Into<String>,
    holds: impl Fn(&[Event], &Event) -> Plain + 'static,
) -> Meaning {
    let (text, holds) = (text.into(), Box::new(holds));
    Meaning { text, holds }
}

fn field_term(random: &mut Random) -> Meaning {
    match random.below(9) {
        0 => meaning("type:Paid", |_, e| Some(e.event_type == "Paid")),
        1 => meaning("type:Paid*|x", |_, e| {
            Some(e.event_type.starts_with("Paid"))
        }),
        2 => meaning("actor:ann|bob", |_, e| {
            Some(matches!(e.actor.as_deref(), Some("ann" | "bob")))
        }),
        3 => meaning("actor:*", |_, e| Some(e.actor.is_some())),
        4 => meaning("category:order", |_, e| {
            Some(e.stream.as_str().starts_with("order-"))
        }),
        5 => meaning("stream:order-1", |_, e| {
            Some(e.stream.as_str() == "order-1")
        }),
        6 => meaning("correlation:c1", |_, e| {
            Some(e.correlation_id.as_deref() == Some("c1"))
        }),
        7 => meaning("reason:INACTIVE", |_, e| {
            Some(
                e.reason
                    .as_ref()
                    .is_some_and(|reason| reason.contains("Inactive")),
            )
        }),
        _ => meaning("\"ZOË\"", |_, e| Some(e.data.as_str().contains("zoë"))),
    }
}

fn time_term(random: &mut Random) -> Meaning {
    let at = Timestamp::from_micros(i64::try_from(random.below(30)).unwrap() * HOUR / 2);
    if random.chance(50) {
        meaning(format!("since:{at}"), move |_, e| Some(e.recorded_at >= at))
    } else {
        meaning(format!("until:{at}"), move |_, e| Some(e.recorded_at <= at))
    }
}

/// The number in an event's data.
fn number(event: &Event) -> u64 {
    event.data.to_value()["n"].as_u64().unwrap()
}

fn condition_term(random: &mut Random) -> Meaning {
    let n = random.below(4);
    match random.below(3) {
        0 => meaning(format!("where:event.data.n >= {n}"), move |_, e| {
            Some(number(e) >= n)
        }),
        1 => meaning("where:event.actor.startsWith(\"a\")", |_, e| {
            e.actor.as_ref().map(|actor| actor.starts_with('a'))
        }),
        _ => meaning(
            format!("where:before.n == {n} && state.n != {n}"),
            move |log, e| {
                let earlier = log
                    .iter()
                    .filter(|other| other.stream == e.stream && other.revision < e.revision);
                let before = earlier.max_by_key(|other| other.revision).map(number);
                let is_left = number(e) != n;
                match before {
                    Some(before) => Some(before == n && is_left),
                    // Undefined, unless the other side decides it.
                    None if is_left => None,
                    None => Some(false),
                }
            },
        ),
    }
}

/// A term about the events around one.
fn near_term(random: &mut Random) -> Meaning {
    let inner: Vec<Meaning> = (0..=random.below(2))
        .map(|_| simple_term(random, true))
        .collect();
    let window = random
        .chance(60)
        .then(|| 1 + i64::try_from(random.below(5)).unwrap());
    let (before, absent, correlation) = (random.chance(50), random.chance(40), random.chance(30));
    let mut text = format!(
        "{}{}(",
        if absent { "not-" } else { "" },
        if before { "preceded-by" } else { "followed-by" }
    );
    let terms: Vec<_> = inner.iter().map(|term| term.text.clone()).collect();
    text += &terms.join(" ");
    if let Some(hours) = window {
        text.push_str(&[", ", &hours.to_string(), "h"].concat());
    }
    text += if correlation { ", correlation)" } else { ")" };
    meaning(text, move |log, event| {
        let place = |e: &Event| (e.recorded_at, e.position);
        let beside = log.iter().filter(|other| {
            let is_there = if correlation {
                event.correlation_id.is_some()
                    && other.correlation_id == event.correlation_id
                    && other.position != event.position
                    && (place(other) < place(event)) == before
            } else {
                other.stream == event.stream
                    && if before {
                        other.revision < event.revision
                    } else {
                        other.revision > event.revision
                    }
            };
            let away = other
                .recorded_at
                .as_micros()
                .abs_diff(event.recorded_at.as_micros());
            is_there && window.is_none_or(|hours| away <= (hours * HOUR).unsigned_abs())
        });
        let mut unknown = false;
        let mut found = false;
        for other in beside {
            match all(&inner, log, other) {
                Some(true) => found = true,
                None => unknown = true,
                Some(false) => {}
            }
        }
        match (found, unknown) {
            (true, _) => Some(!absent),
            (false, true) => None,
            (false, false) => Some(absent),
        }
    })
}

pub(crate) fn simple_term(random: &mut Random, is_inner: bool) -> Meaning {
    let term = match random.below(if is_inner { 3 } else { 4 }) {
        0 => time_term(random),
        1 => condition_term(random),
        2 => field_term(random),
        _ => near_term(random),
    };
    if random.chance(30) {
        let holds = term.holds;
        return meaning(format!("-{}", term.text), move |log, e| {
            holds(log, e).map(|holds| !holds)
        });
    }
    term
}

/// Whether all terms hold.
pub(crate) fn all(terms: &[Meaning], log: &[Event], event: &Event) -> Plain {
    let answers: Vec<Plain> = terms.iter().map(|term| (term.holds)(log, event)).collect();
    if answers.contains(&Some(false)) {
        return Some(false);
    }
    answers.iter().all(Option::is_some).then_some(true)
}
