//! Segments: what goes in comes out, and what was damaged never does.

use serde_json::json;
use whodunit_core::command::{Decision, Outcome};
use whodunit_core::event::Event;
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::json::Json;
use whodunit_core::time::Timestamp;

use super::decisions::Decided;
use super::decisions::DecisionBlock;
use super::events::{EventBlock, Unsealed};
use super::frame::{Part, Place, unwrap};
use super::manifest::Manifest;
use super::positions::{Positions, Wanted};
use super::{Segment, Stretch, seal};
use crate::store::StoreId;
use crate::store::chain::Chain;

const STORE: StoreId = StoreId([7; 16]);

/// Random numbers by splitmix64, the same on every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn index(&mut self, n: usize) -> usize {
        usize::try_from(self.below(n as u64)).unwrap()
    }

    fn uuid(&mut self) -> String {
        let (a, b) = (self.next(), self.next());
        format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            a >> 32,
            a >> 16 & 0xffff,
            a & 0xffff,
            b >> 48,
            b & 0xffff_ffff_ffff
        )
    }

    /// A UUID of version 7, of about the time of the events.
    fn timed(&mut self) -> String {
        let (millis, b) = (1_699_999_999_000 + self.below(600_000), self.next());
        format!(
            "{:08x}-{:04x}-7{:03x}-8{:03x}-{:012x}",
            millis >> 16,
            millis & 0xffff,
            b & 0xfff,
            b >> 12 & 0xfff,
            b >> 16 & 0xffff_ffff_ffff
        )
    }

    fn id(&mut self) -> String {
        match self.below(9) {
            6.. => self.timed(),
            0 => format!("order/{}", self.below(50)),
            1 => self.uuid().to_uppercase(),
            2 => format!("é{}", self.below(9)),
            _ => self.uuid(),
        }
    }

    fn perhaps<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.below(3) > 0).then(|| make(self))
    }
}

/// A log of events over some streams, clocks going back now and then, and decisions between them.
struct Log {
    events: Vec<Event>,
    numbers: Vec<u64>,
    effective: Vec<Timestamp>,
    decisions: Vec<Decision>,
    /// How far behind its place each decision was written.
    behind: Vec<u64>,
}

fn log(seed: u64, events: usize, streams: u64) -> Log {
    let mut random = Random(seed);
    let mut heads = std::collections::HashMap::<u64, (u64, Timestamp)>::new();
    let mut log = Log {
        events: Vec::new(),
        numbers: Vec::new(),
        effective: Vec::new(),
        decisions: Vec::new(),
        behind: Vec::new(),
    };
    let first = 1 + random.below(1000);
    let mut clock = 1_700_000_000_000_000_i64;
    for position in first..first + events as u64 {
        let number = 1 + random.below(streams);
        let (revision, effective) = heads
            .get(&number)
            .copied()
            .unwrap_or((random.below(4), Timestamp::MIN));
        clock += i64::try_from(random.below(2_000_000)).unwrap();
        let back = if random.below(20) == 0 { 60_000_000 } else { 0 };
        let event = Event {
            position: Position(position),
            stream: StreamName::new(format!("user-{number}")).unwrap(),
            revision: Revision(revision + 1),
            event_id: random.id(),
            event_type: format!("Happened{}", random.below(7)),
            schema_version: u32::try_from(random.below(3)).unwrap(),
            recorded_at: Timestamp::from_micros(clock - back),
            actor: random.perhaps(|random| format!("actor:{}", random.below(9))),
            reason: random.perhaps(|random| format!("because {} ☂", random.below(4))),
            correlation_id: random.perhaps(Random::id),
            causation_id: random.perhaps(Random::id),
            data: Json::from(json!({"n": random.next(), "text": "ü\"\\".repeat(random.index(20))})),
            metadata: random.perhaps(|random| Json::from(json!({"ip": random.below(256)}))),
        };
        let effective = effective.max(event.recorded_at);
        heads.insert(number, (revision + 1, effective));
        log.events.push(event);
        log.numbers.push(number);
        log.effective.push(effective);
        if random.below(3) == 0 {
            let sequence = log.decisions.len() as u64 + 5;
            log.decisions
                .push(decision(&mut random, sequence, position));
            log.behind.push(random.below(3));
        }
    }
    log
}

fn decision(random: &mut Random, sequence: u64, position: u64) -> Decision {
    let base_revision = Revision(random.below(40));
    let result = if random.below(4) == 0 {
        Outcome::Rejected {
            rule: "user.suspended".to_owned(),
            message: format!("it is suspended since {}", random.below(9)),
        }
    } else {
        let events = u32::try_from(random.below(4)).unwrap();
        Outcome::Accepted {
            revision: Revision(base_revision.0 + u64::from(events)),
            position: Position(position),
            events,
        }
    };
    Decision {
        sequence,
        command_id: random.id(),
        stream: StreamName::new(format!("user-{}", random.below(30))).unwrap(),
        command_type: "ChangeEmail".to_owned(),
        payload: Json::from(json!({"email": format!("{}@example.com", random.below(99))})),
        actor: random.perhaps(|_| "api".to_owned()),
        reason: random.perhaps(|_| "asked to".to_owned()),
        correlation_id: random.perhaps(Random::id),
        causation_id: random.perhaps(Random::id),
        base_revision,
        base_position: Position(position - 1),
        rules_hash: "a".repeat(64),
        decided_at: Timestamp::from_micros(1_700_000_000_000_000),
        result,
    }
}

impl Log {
    fn stretch(&self) -> Stretch<'_> {
        let places = self.numbers.iter().zip(&self.effective);
        Stretch {
            first_position: self
                .events
                .first()
                .map_or(Position(1), |event| event.position),
            events: self
                .events
                .iter()
                .zip(places)
                .map(|(event, (stream, effective_at))| Unsealed {
                    stream: *stream,
                    event,
                    effective_at: *effective_at,
                })
                .collect(),
            first_decision: 5,
            decisions: (self.decisions.iter().zip(&self.behind))
                .map(|(decision, behind)| Decided {
                    behind: Position(decision.place().0 + behind),
                    decision,
                })
                .collect(),
            chain_before: Chain([1; 64]),
            chain_after: Chain([2; 64]),
        }
    }
}

fn place(part: Part) -> Place {
    Place {
        store: STORE,
        segment: 3,
        part,
    }
}

/// The frame of a part.
fn frame(segment: &Segment, part: Part) -> &[u8] {
    let Some((start, entry)) = segment.manifest.extent(part) else {
        return &segment.manifest_frame;
    };
    &segment.body[start..start + entry.length]
}

fn part(segment: &Segment, part: Part) -> Vec<u8> {
    unwrap(place(part), frame(segment, part)).unwrap()
}

/// Everything a segment says, through every way to it, is what was sealed.
fn same(log: &Log, segment: &Segment, seed: u64) {
    let manifest = Manifest::decode(&part(segment, Part::Manifest)).unwrap();
    assert_eq!(manifest, segment.manifest, "seed {seed}");
    let positions = Positions::decode(&part(segment, Part::Columns)).unwrap();
    assert_eq!(positions.len(), log.events.len());
    let numbers = 0..u32::try_from(manifest.blocks.len()).unwrap();
    let blocks: Vec<_> = numbers
        .map(|number| EventBlock::decode(&part(segment, Part::Events(number))).unwrap())
        .collect();
    for (index, event) in log.events.iter().enumerate() {
        let rank = positions.rank(index).unwrap();
        let (block, within) = manifest.block_of(rank).unwrap();
        assert_eq!(
            blocks[block]
                .event(within)
                .map(|event| event.to_event())
                .as_ref(),
            Some(event),
            "seed {seed}"
        );
        assert_eq!(blocks[block].position(within), Some(event.position));
        assert_eq!(
            blocks[block].effective_at(within),
            Some(log.effective[index]),
            "seed {seed}"
        );
        assert_eq!(positions.recorded_at(index), Some(event.recorded_at));
        let number = log.numbers[index];
        let block = manifest.block_of_revision(number, event.revision).unwrap();
        let within = blocks[block].find(number, event.revision).unwrap();
        assert_eq!(
            blocks[block]
                .event(within)
                .map(|event| event.to_event())
                .as_ref(),
            Some(event),
            "seed {seed}"
        );
    }
    for decision in &log.decisions {
        let number = manifest.block_of_decision(decision.sequence).unwrap();
        let number = u32::try_from(number).unwrap();
        let block = DecisionBlock::decode(&part(segment, Part::Decisions(number))).unwrap();
        let found = block.decision(decision.sequence).unwrap();
        assert_eq!(found.as_ref(), Some(decision), "seed {seed}");
        let behind = log.behind[usize::try_from(decision.sequence - 5).unwrap()];
        let behind = Position(decision.place().0 + behind);
        assert_eq!(block.behind(decision.sequence), Some(behind), "seed {seed}");
    }
}

#[test]
fn what_is_sealed_is_read() {
    for seed in 0..60 {
        let mut random = Random(seed);
        let (events, streams) = (random.index(700), 1 + random.below(300));
        let log = log(seed, events, streams);
        same(&log, &seal(STORE, 3, &log.stretch()).unwrap(), seed);
    }
}

#[test]
fn columns_find_what_a_scan_finds() {
    for seed in 0..40 {
        let log = log(seed, 400, 30);
        let segment = seal(STORE, 3, &log.stretch()).unwrap();
        let positions = Positions::decode(&part(&segment, Part::Columns)).unwrap();
        let mut random = Random(seed);
        let event = &log.events[random.index(log.events.len())];
        let later = &log.events[random.index(log.events.len())];
        for wanted in [
            Wanted::default(),
            Wanted {
                event_type: Some(&event.event_type),
                ..Wanted::default()
            },
            Wanted {
                actor: event.actor.as_deref(),
                category: Some("user"),
                ..Wanted::default()
            },
            Wanted {
                actor: Some("not one we know"),
                ..Wanted::default()
            },
            Wanted {
                category: Some("order"),
                ..Wanted::default()
            },
            Wanted {
                since: Some(event.recorded_at),
                until: Some(later.recorded_at),
                actor: later.actor.as_deref(),
                ..Wanted::default()
            },
        ] {
            let found: Vec<_> = match positions.test(&wanted) {
                None => Vec::new(),
                Some(test) => (0..positions.len())
                    .filter(|index| positions.passes(&test, *index))
                    .collect(),
            };
            let scanned: Vec<_> = (0..log.events.len())
                .filter(|index| {
                    let event = &log.events[*index];
                    wanted.event_type.is_none_or(|own| own == event.event_type)
                        && wanted
                            .actor
                            .is_none_or(|own| event.actor.as_deref() == Some(own))
                        && wanted
                            .category
                            .is_none_or(|own| own == event.stream.category())
                        && wanted.since.is_none_or(|own| event.recorded_at >= own)
                        && wanted.until.is_none_or(|own| event.recorded_at <= own)
                })
                .collect();
            assert_eq!(found, scanned, "seed {seed}, {wanted:?}");
        }
    }
}

/// A flipped bit, a cut, and a part in another's place are found by the checksum, whatever they hit.
#[test]
fn a_damaged_part_is_never_read() {
    let log = log(1, 300, 20);
    let segment = seal(STORE, 3, &log.stretch()).unwrap();
    let parts = [
        Part::Manifest,
        Part::Columns,
        Part::Events(0),
        Part::Decisions(0),
    ];
    let mut random = Random(2);
    for part in parts {
        let frame = frame(&segment, part);
        assert!(unwrap(place(part), frame).is_ok());
        for _ in 0..500 {
            let mut damaged = frame.to_vec();
            match random.below(3) {
                0 => {
                    let at = random.index(damaged.len());
                    damaged[at] ^= 1 << random.below(8);
                }
                1 => damaged.truncate(random.index(frame.len())),
                _ => damaged.extend(random.next().to_le_bytes()),
            }
            assert!(unwrap(place(part), &damaged).is_err(), "{part:?}");
        }
        for elsewhere in [
            Place {
                store: StoreId([8; 16]),
                ..place(part)
            },
            Place {
                segment: 4,
                ..place(part)
            },
            place(Part::Events(1)),
        ] {
            assert!(
                unwrap(elsewhere, frame).is_err(),
                "{part:?} as {elsewhere:?}"
            );
        }
    }
}

/// Behind a checksum that fits, nonsense is an error, never a panic and never more memory than there is data.
#[test]
fn nonsense_is_an_error() {
    let log = log(1, 200, 20);
    let segment = seal(STORE, 3, &log.stretch()).unwrap();
    let bodies = [
        part(&segment, Part::Manifest),
        part(&segment, Part::Columns),
        part(&segment, Part::Events(0)),
        part(&segment, Part::Decisions(0)),
    ];
    let mut random = Random(3);
    let (mut refused, mut tried) = (0, 0);
    for body in &bodies {
        for _ in 0..2_000 {
            let mut damaged = body.clone();
            for _ in 0..=random.below(3) {
                let at = random.index(damaged.len().min(400));
                damaged[at] = u8::try_from(random.below(256)).unwrap();
            }
            tried += 4;
            refused += u32::from(Manifest::decode(&damaged).is_err());
            refused += u32::from(Positions::decode(&damaged).is_err());
            refused += u32::from(EventBlock::decode(&damaged).is_err());
            refused += u32::from(match DecisionBlock::decode(&damaged) {
                Ok(block) => {
                    let first = block.first();
                    (first..first + block.len() as u64).any(|own| block.decision(own).is_err())
                }
                Err(_) => true,
            });
        }
    }
    assert!(refused > tried / 2, "{refused} of {tried}");
}

/// Many streams that each claim as many events as there are bytes make no more rows than there are bytes.
#[test]
fn runs_claim_no_more_events_than_there_are_bytes() {
    let mut out = super::columns::ColumnsWriter::default();
    out.size(2_000);
    for _ in 0..2_000 {
        out.number(1);
        out.text("a");
        out.size(500);
        out.number(1);
        out.number(0);
    }
    for _ in 0..600 {
        out.number(0);
    }
    let refused = EventBlock::decode(&out.finish()).unwrap_err();
    assert!(refused.0.contains("more events than"), "{refused}");
}

/// A stretch of short streams and of one long one: what sealing makes of it, beside what it was.
#[test]
fn a_segment_is_a_good_deal_smaller_than_its_payloads() {
    for streams in [1, 1_000] {
        let log = log(9, 8_192, streams);
        let segment = seal(STORE, 3, &log.stretch()).unwrap();
        let sealed = segment.manifest_frame.len() + segment.body.len();
        let payload: usize = log
            .events
            .iter()
            .map(|event| serde_json::to_string(event).unwrap().len())
            .sum();
        println!(
            "{streams} streams: {} of {} bytes an event",
            sealed / log.events.len(),
            payload / log.events.len()
        );
        assert!(sealed * 3 < payload, "{sealed} of {payload}");
    }
}
