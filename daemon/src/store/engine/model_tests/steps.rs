//! Random steps by the thousand: everything that may be asked of a store, sealing, closing and power cuts in between, against the
//! model and the reference; each step's answer is compared, and everything at the end of each life.
//!
//! A million: `WHODUNIT_MODEL_STEPS=1000000 cargo test --release -p whodunit-daemon --lib random_steps -- --nocapture`. A failure
//! prints its seed: `WHODUNIT_MODEL_SEED=… WHODUNIT_MODEL_STEPS=1 …` runs that life alone.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;
use crate::store::DecisionPlace;
use crate::store::NewJob;
use crate::store::disk::simulated::{Random, SimulatedDisk};
use crate::store::write::jobs::KEPT_MAX;
use whodunit_core::json::Json;

/// Steps of one life.
const LIFE: u64 = 250;
/// Completed jobs that are kept.
const KEPT: u64 = 5;
pub(super) const HANDLERS: [&str; 2] = ["mail", "mail/2"];
pub(super) const TYPES: [&str; 2] = ["Happened", "Other"];

/// A store, and what is true of it.
pub(super) struct World {
    pub(super) random: Random,
    disk: SimulatedDisk,
    /// Events after which the log is sealed.
    sealed_after: u64,
    store: Option<LoggedStore>,
    pub(super) model: Model,
    pub(super) reference: Memory,
    /// How each job was since a change of it that is durable.
    states: BTreeMap<u64, Vec<Job>>,
    step: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let sealed_after = 1 + random.below(40);
        Self {
            random,
            disk: SimulatedDisk::default(),
            sealed_after,
            store: None,
            model: Model::default(),
            reference: Memory::default(),
            states: BTreeMap::new(),
            step: 0,
        }
    }

    pub(super) fn store(&mut self) -> &LoggedStore {
        let (disk, after) = (&self.disk, self.sealed_after);
        let open = || testing::open(disk, NewStore::WhereNothingIsLeft, after).unwrap();
        self.store.get_or_insert_with(open)
    }

    pub(super) fn one_in(&mut self, many: u64) -> bool {
        self.random.below(many) == 0
    }

    fn small(&mut self, below: u64) -> u8 {
        u8::try_from(self.random.below(below)).unwrap()
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_micros(i64::try_from(self.step * 7_919 % 31).unwrap())
    }

    fn step(&mut self) {
        self.step += 1;
        match self.random.below(100) {
            0..45 => self.append(),
            45..49 => self.restore(),
            49..64 => self.change_jobs(),
            64..67 => self.snapshot(),
            67..97 => questions::ask(self),
            97..99 => {
                let closes = self.one_in(2);
                if let Some(store) = self.store.take().filter(|_| closes) {
                    wait(store.close()).unwrap();
                }
            }
            _ => self.crash(),
        }
    }

    fn append(&mut self) {
        use Expectation::{Any, Beyond, Head, NoStream, StreamExists};
        let expected = [Head, Head, Head, Any, Any, NoStream, StreamExists, Beyond];
        let mut asked = Asked {
            stream: self.small(4),
            expected: expected[self.random.index(expected.len())],
            events: Vec::new(),
            decided: None,
            claim: None,
            release: None,
        };
        for _ in 0..self.random.below(4) {
            let given = self.small(60);
            asked.events.push(self.one_in(6).then_some(given));
        }
        asked.decided = self.one_in(2).then(|| (self.small(120), self.one_in(3)));
        asked.claim = self.one_in(3).then(|| self.small(3));
        asked.release = self.one_in(3).then(|| self.small(3));
        let mut append = request(&self.model, &asked, self.step);
        // What is given an id is the same whenever it is given it.
        let fresh = append.events.iter_mut();
        for event in fresh.filter(|event| event.event_id.is_none()) {
            event.event_type = TYPES[self.random.index(TYPES.len())].to_owned();
            event.actor = (self.random.below(2) == 0).then(|| "eve".to_owned());
            event.correlation_id = (self.random.below(2) == 0).then(|| "visit-1".to_owned());
            let cause = format!("command-{}", self.random.below(120));
            event.causation_id = (self.random.below(3) == 0).then_some(cause);
        }
        if let Some(decided) = &mut append.decision {
            decided.command.correlation_id = self.one_in(2).then(|| "visit-1".to_owned());
            decided.command.causation_id = self.one_in(2).then(|| "id-1".to_owned());
        }
        if !append.events.is_empty() && self.one_in(2) {
            let handler = HANDLERS[self.random.index(2)].to_owned();
            append.jobs = vec![NewJob { event: 0, handler }];
        }
        let expected = self.model.append(&append);
        let (planned, _) = write::append(&mut self.reference, &append).unwrap();
        let answer = wait(self.store().append(append));
        assert_eq!(end(&answer), expected, "{asked:?}");
        match (&planned, &answer) {
            (Ok(planned), Ok(answer)) => assert_eq!(planned, answer, "{asked:?}"),
            _ => assert_eq!(end(&planned), end(&answer), "{asked:?}"),
        }
    }

    /// A decision of an export, on events that are there or after an event.
    fn restore(&mut self) {
        let stream = stream(self.small(4));
        let event = self.reference.events.len();
        let event = (event > 0).then(|| {
            let index = self.random.index(event);
            self.reference.events[index].event.clone()
        });
        let by_events = self.one_in(2);
        let named = event.filter(|event| event.causation_id.is_some() && by_events);
        let (result, place) = match &named {
            Some(event) => (
                Outcome::Accepted {
                    revision: event.revision,
                    position: event.position,
                    events: 1,
                },
                DecisionPlace::Events(vec![event.event_id.clone()]),
            ),
            None => (
                Outcome::Rejected {
                    rule: "a.rule".to_owned(),
                    message: "no".to_owned(),
                },
                DecisionPlace::After {
                    log: None,
                    stream: None,
                },
            ),
        };
        let command = named.as_ref().and_then(|event| event.causation_id.clone());
        let command = command.unwrap_or_else(|| format!("command-{}", self.random.below(120)));
        let decision = Decision {
            sequence: 1,
            command_id: command,
            stream: named.map_or(stream, |event| event.stream),
            command_type: "DoIt".to_owned(),
            payload: Json::from(json!({})),
            actor: None,
            reason: None,
            correlation_id: None,
            causation_id: None,
            base_revision: Revision(0),
            base_position: Position(0),
            rules_hash: "rules".to_owned(),
            decided_at: self.now(),
            result,
        };
        let restored = RestoredDecision { decision, place };
        let before = self.reference.decisions.len();
        let (planned, _) = write::restore_decision(&mut self.reference, &restored).unwrap();
        let answer = wait(self.store().restore_decision(restored));
        assert_eq!(format!("{planned:?}"), format!("{answer:?}"));
        for decision in self.reference.decisions.iter().skip(before) {
            let rule = match &decision.result {
                Outcome::Rejected { rule, .. } => Some(rule.clone()),
                Outcome::Accepted { .. } => None,
            };
            let own = (decision.stream.clone(), decision.command_id.clone(), rule);
            self.model.decisions.push(own);
        }
    }

    fn change_jobs(&mut self) {
        let last = self.reference.jobs.keys().next_back().copied();
        let id = 1 + self.random.below(last.unwrap_or(0) + 1);
        let open = self.reference.jobs.values().find(|job| job.is_open());
        // Often the first that is open: jobs come to an end, and old ones are pruned.
        let open = open.map(|job| job.id).filter(|_| self.random.below(2) == 0);
        let id = open.unwrap_or(id);
        let error = "failed".to_owned();
        let changes = match self.random.below(9) {
            0..4 => vec![JobChange::Begin { id }, JobChange::Complete { id }],
            4 => vec![JobChange::Begin { id }],
            5 => vec![JobChange::Release { id }, JobChange::Retry { id }],
            6 => vec![JobChange::Fail { id, error }],
            7 => vec![JobChange::ReleaseAll],
            _ => vec![JobChange::Add {
                handler: HANDLERS[self.random.index(2)].to_owned(),
                position: Position(self.random.below(self.reference.events.len() as u64 + 2)),
            }],
        };
        let is_derived = changes.iter().all(|change| {
            use JobChange::{Begin, Release, ReleaseAll};
            matches!(change, Begin { .. } | Release { .. } | ReleaseAll)
        });
        let before = self.reference.jobs.clone();
        let now = self.now();
        let (planned, _) = write::change_jobs(&mut self.reference, &changes, now).unwrap();
        let answer = wait(self.store().change_jobs(changes, now)).unwrap();
        assert_eq!(planned.unwrap(), answer);
        for (id, job) in before {
            if self.reference.jobs.get(&id) != Some(&job) {
                let states = self.states.entry(id).or_default();
                states.push(job);
                if !is_derived {
                    states.clear();
                }
            }
        }
    }

    fn snapshot(&mut self) {
        let snapshot = Snapshot {
            stream: stream(self.small(4)),
            revision: Revision(self.random.below(6)),
            rules_hash: "rules".to_owned(),
            state: self.step.to_le_bytes().to_vec(),
        };
        if self.model.revision(&snapshot.stream) > 0 {
            let place = (snapshot.stream.clone(), snapshot.revision.0);
            self.model.snapshots.insert(place, snapshot.state.clone());
        }
        wait(self.store().save_snapshot(snapshot)).unwrap();
    }

    /// The power goes, or the process is killed. What was acknowledged is there; saved states may be gone, and so may what need not be
    /// durable of jobs.
    fn crash(&mut self) {
        let cut = self.random.below(3) > 0;
        let disk = if cut {
            self.disk.cut(&mut self.random)
        } else {
            self.disk.killed()
        };
        self.store = None;
        self.disk = disk;
        let view = self.store().view().unwrap();
        let Self {
            model,
            reference,
            states,
            ..
        } = self;
        model.snapshots.retain(|(stream, revision), state| {
            let found = view.snapshot(stream, "rules", Revision(*revision)).unwrap();
            let found = found.filter(|found| found.revision.0 == *revision);
            // One that was saved again may be as it was before.
            found.is_some_and(|found| {
                *state = found.state;
                true
            })
        });
        for (id, job) in &mut reference.jobs {
            let found = view.job(*id).unwrap().unwrap();
            let found = Job {
                blocked_by: None,
                ..found
            };
            let earlier = states.remove(id).unwrap_or_default();
            assert!(
                found == *job || earlier.contains(&found),
                "{found:?}, not {job:?}"
            );
            *job = found;
        }
    }
}

/// One life of a store.
fn life(seed: u64) {
    KEPT_MAX.set(KEPT);
    let mut world = World::new(seed);
    for _ in 0..LIFE {
        world.step();
    }
    let view = world.store().view().unwrap();
    assert_same(&world.model, &world.reference, &*view);
    questions::all_jobs(&world.reference, &*view);
}

fn number(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    Some(value.parse().unwrap())
}

#[test]
fn random_steps_do_what_the_model_does() {
    let first = number("WHODUNIT_MODEL_SEED").unwrap_or(1);
    let steps = number("WHODUNIT_MODEL_STEPS").unwrap_or(0);
    let lives = steps.div_ceil(LIFE);
    for seed in first..first + lives {
        let lived = catch_unwind(AssertUnwindSafe(|| life(seed)));
        assert!(lived.is_ok(), "seed {seed}: see above");
    }
    println!("{} steps in {lives} lives, from seed {first}", lives * LIFE);
}
