//! The service and the people around it, simulated event by event.
//!
//! Things to come wait in a queue by their time; when one's turn comes, it is decided on how things stand then, and may
//! put further things into the queue.

mod lives;
mod staff;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use serde_json::{Map, Value, json};
use whodunit_core::api::write::CommandIn;
use whodunit_core::ids::StreamName;
use whodunit_core::time::Timestamp;

use super::calendar::{LAST_DAY, at, daytime, end, is_workday};
use super::dice::Dice;
use super::people::{People, Person};
use super::{Scene, Story};

/// Users taken over from the old system on the first morning.
const IMPORTED: u64 = 96;
/// How an account stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Active,
    Suspended,
    Deleted,
}

/// An account of the service.
struct Account {
    stream: StreamName,
    person: Person,
    standing: Standing,
    since: Timestamp,
    /// The event that suspended it.
    suspension: Option<String>,
    /// Never seen since it was taken over from the old system.
    dormant: bool,
    /// Part of the incident: nothing happens to it by chance.
    scripted: bool,
}

/// What is to come. Numbers are accounts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Beat {
    /// The clean-up job.
    CleanUp,
    /// The nightly fraud scan.
    FraudScan,
    /// The clean-up job comes upon this account.
    CleanUpOne(usize),
    /// The scan comes upon this account; as its n-th of the night.
    ScanHit(usize, usize),
    /// Someone signs up; with a mistake first, perhaps.
    SignUp,
    /// Someone signs up, of whom we know already who they are.
    SignUpAs(Box<(StreamName, Person)>),
    /// The account of an old system is taken over.
    TakeOver(u64),
    /// Sarah signs up.
    Sarah,
    Rename(usize),
    ChangeEmail(usize),
    ChangePassword(usize, Care),
    /// Support suspends it, of this ticket.
    Suspend(usize, u64),
    /// Support lifts a suspension, of this ticket, for this reason.
    Reactivate(usize, u64, &'static str),
    /// Support deletes it as asked for, of this ticket.
    Delete(usize, u64, Care),
    /// The customer database knows better how some people are called.
    NameSync,
    /// It knows better how this one is called.
    NameSyncOne(usize),
}

/// Whether someone may make a mistake, or has made it already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Care {
    Careless,
    Careful,
}

pub(super) struct Service {
    dice: Dice,
    people: People,
    accounts: Vec<Account>,
    queue: BinaryHeap<Reverse<(Timestamp, u64, Beat)>>,
    queued: u64,
    scenes: Vec<Scene>,
    sarah: usize,
    ticket: u64,
}

/// Who and why.
struct By<'a> {
    actor: &'a str,
    reason: Option<&'a str>,
    correlation: Option<String>,
    causation: Option<String>,
}

impl<'a> By<'a> {
    fn actor(actor: &'a str) -> Self {
        Self {
            actor,
            reason: None,
            correlation: None,
            causation: None,
        }
    }

    fn because(mut self, reason: &'a str) -> Self {
        self.reason = Some(reason);
        self
    }

    fn of(mut self, correlation: String) -> Self {
        self.correlation = Some(correlation);
        self
    }

    fn caused_by(mut self, event_id: Option<String>) -> Self {
        self.causation = event_id;
        self
    }
}

impl Service {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            dice: Dice::new(seed),
            people: People::default(),
            accounts: Vec::new(),
            queue: BinaryHeap::new(),
            queued: 0,
            scenes: Vec::new(),
            sarah: 0,
            ticket: 4200,
        }
    }

    pub(super) fn run(mut self) -> Story {
        self.plan();
        while let Some(Reverse((at, _, beat))) = self.queue.pop() {
            self.turn(at, beat);
        }
        Story {
            scenes: self.scenes,
        }
    }

    fn queue(&mut self, at: Timestamp, beat: Beat) {
        if at <= end() {
            self.queued += 1;
            self.queue.push(Reverse((at, self.queued, beat)));
        }
    }

    /// What is certain from the start.
    fn plan(&mut self) {
        for n in 0..IMPORTED {
            self.queue(at(0, 6, 0, n * 2), Beat::TakeOver(n));
        }
        for day in 0..=LAST_DAY {
            let signups = if is_workday(day) {
                self.dice.between(9, 14)
            } else {
                self.dice.between(3, 7)
            };
            for _ in 0..signups {
                let at = daytime(&mut self.dice, day);
                self.queue(at, Beat::SignUp);
            }
            self.queue(at(day, 3, 0, 0), Beat::FraudScan);
            if day % 7 == 0 && day > 0 {
                self.queue(at(day, 15, 47, 19), Beat::CleanUp);
            }
        }
        // A Tuesday morning as any other, while support reads the first mail of the day.
        for minute in [2, 17, 31, 48, 66, 71] {
            let second = self.dice.below(60);
            self.queue(at(LAST_DAY, 8, minute, second), Beat::SignUp);
        }
        self.queue(at(16, 5, 30, 0), Beat::NameSync);
        self.queue(at(5, 9, 12, 4), Beat::Sarah);
    }

    fn turn(&mut self, at: Timestamp, beat: Beat) {
        match beat {
            Beat::TakeOver(n) => self.take_over(at, n),
            Beat::SignUp => self.sign_up(at),
            Beat::SignUpAs(who) => {
                let (stream, person) = *who;
                self.sign_up_as(at, stream, person);
            }
            Beat::Sarah => self.sarah(at),
            Beat::FraudScan => self.fraud_scan(at),
            Beat::ScanHit(who, n) => self.scan_hit(at, who, n),
            Beat::CleanUp => self.clean_up(at),
            Beat::CleanUpOne(who) => self.clean_up_one(at, who),
            Beat::NameSync => self.name_sync(at),
            Beat::NameSyncOne(who) => self.name_sync_one(at, who),
            Beat::Rename(who) => self.rename(at, who),
            Beat::ChangeEmail(who) => self.change_email(at, who),
            Beat::ChangePassword(who, care) => self.change_password(at, who, care),
            Beat::Suspend(who, ticket) => self.suspend(at, who, ticket),
            Beat::Reactivate(who, ticket, reason) => self.reactivate(at, who, ticket, reason),
            Beat::Delete(who, ticket, care) => self.delete(at, who, ticket, care),
        }
    }

    /// Puts a command on stage. Returns the id of the event it leads to.
    fn scene(
        &mut self,
        at: Timestamp,
        to: &StreamName,
        command: &str,
        payload: Value,
        by: By<'_>,
        refused_by: Option<&'static str>,
    ) -> String {
        let command_id = self.dice.id(at);
        let event_id = self.dice.id(at);
        let payload = match payload {
            Value::Object(payload) => payload,
            _ => Map::new(),
        };
        self.scenes.push(Scene {
            at,
            stream: to.clone(),
            command: CommandIn {
                command_type: command.to_owned(),
                payload,
                actor: Some(by.actor.to_owned()),
                reason: by.reason.map(str::to_owned),
                command_id: Some(command_id),
                correlation_id: by.correlation,
                causation_id: by.causation,
                expected_revision: None,
            },
            event_id: event_id.clone(),
            refused_by,
        });
        event_id
    }

    /// Creates an account, for real.
    fn create(&mut self, at: Timestamp, stream: StreamName, person: Person, by: By<'_>) -> usize {
        self.scene(at, &stream, "CreateUser", creation(&person), by, None);
        self.accounts.push(Account {
            stream,
            person,
            standing: Standing::Active,
            since: at,
            suspension: None,
            dormant: false,
            scripted: false,
        });
        self.accounts.len() - 1
    }
}

fn creation(person: &Person) -> Value {
    json!({
        "username": person.username,
        "email": person.email,
        "first_name": person.first_name,
        "last_name": person.last_name,
        "password": person.password,
    })
}
