//! Query lines over random histories, against what each term says in plain words: every event looked at one by one, its state
//! folded from the beginning, and all other events of the log looked at for a term about those before and after it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, and prints its seed"
)]

#[path = "query/context.rs"]
mod context;
#[path = "query/log.rs"]
mod query_log;
#[path = "query/terms.rs"]
mod query_terms;

use context::Log;
use query_log::{Random, history};
use query_terms::{Meaning, all, simple_term};
use whodunit_core::merge::model as merge_model;
use whodunit_core::query::{Answer, Query, Subject};
use whodunit_core::time::Timestamp;
use whodunit_core::time::input::{Clock, Zone};

const HISTORIES: u64 = 300;
const LINES: usize = 40;
const SEED: u64 = 0x5eed_0042;

#[test]
fn a_line_finds_what_its_words_mean() {
    let clock = Clock {
        now: Timestamp::MIN,
        zone: Zone::Unknown,
    };
    let (mut found, mut unknown) = (0, 0);
    for number in 0..HISTORIES {
        let mut random = Random(SEED + number);
        let events = history(&mut random);
        let mut log = Log {
            events: &events,
            model: merge_model(),
        };
        for _ in 0..LINES {
            let terms: Vec<Meaning> = (0..=random.below(3))
                .map(|_| simple_term(&mut random, false))
                .collect();
            let texts: Vec<_> = terms.iter().map(|term| term.text.clone()).collect();
            let line = texts.join(" ");
            let query = match Query::parse(&line, &clock) {
                Ok(query) => query,
                // A field has one value: such lines are refused, rightly.
                Err(error) if error.message.contains("two different values") => continue,
                Err(error) => panic!("history {number}: {line}: {error}"),
            };
            assert_eq!(
                Query::parse(&query.to_string(), &clock),
                Ok(query.clone()),
                "{line}"
            );
            for event in &events {
                let expected = all(&terms, &events, event);
                let subject = Subject::Event(event);
                let answer = query.answer(subject, &mut log).unwrap();
                let said = match answer {
                    Answer::Yes => Some(true),
                    Answer::No => Some(false),
                    Answer::Undecided(_) => None,
                };
                assert_eq!(
                    said, expected,
                    "history {number}, position {}: {line}",
                    event.position
                );
                if let Some(glance) = query.glance(subject, &log.model) {
                    // What is decided at a glance is decided.
                    let agrees = glance == answer || glance == Answer::No && said == Some(false);
                    assert!(
                        agrees,
                        "history {number}, position {}: {line}",
                        event.position
                    );
                }
                found += u64::from(said == Some(true));
                unknown += u64::from(said.is_none());
            }
        }
    }
    assert!(
        found > 10_000 && unknown > 1_000,
        "found {found}, unknown {unknown}: the lines are too narrow"
    );
}
