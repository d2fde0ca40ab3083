//! The service and the people around it, simulated event by event.
//!
//! Things to come wait in a queue by their time; when one's turn comes, it is decided on how things stand then, and may
//! put further things into the queue.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use serde_json::{Map, Value, json};
use whodunit_core::api::write::CommandIn;
use whodunit_core::ids::StreamName;
use whodunit_core::time::Timestamp;

use super::calendar::{LAST_DAY, at, date, day_of, daytime, end, is_workday, later, office};
use super::dice::Dice;
use super::people::{People, Person, another_email, last_name, password};
use super::{Scene, Story};

const SUPPORT: [&str; 4] = ["support:anna", "support:luis", "support:mei", "support:tom"];
const COMPLAINTS: [&str; 4] = [
    "spam reports from three users",
    "chargeback dispute",
    "account shared in a public forum",
    "terms of service: automated sign-ups",
];
const CLEARED: [&str; 3] = [
    "verified by phone",
    "dispute settled",
    "documents checked, all in order",
];
const FALSE_ALARM: &str = "false positive: scan rule fd-17 matched a shared office address";
const INACTIVE: &str = "inactive for 90 days";
const CLEAN_UP: &str = "job:inactive-cleanup";

/// Users taken over from the old system on the first morning.
const IMPORTED: u64 = 96;
/// Accounts never seen that the clean-up job deletes at a time.
const UNSEEN_PER_RUN: usize = 4;
/// The night of the incident: Thursday, 20 March.
const INCIDENT_DAY: u64 = 24;

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

    fn take_over(&mut self, at: Timestamp, n: u64) {
        let person = self.people.someone(&mut self.dice);
        let stream = self.people.stream(&mut self.dice);
        let by = By::actor("job:migration")
            .because("taken over from the old system")
            .of(format!("migration-{}", date(0)));
        let who = self.create(at, stream, person, by);
        if n % 6 == 5 {
            if let Some(account) = self.accounts.get_mut(who) {
                account.dormant = true;
            }
        } else {
            self.life(at, who);
        }
    }

    fn sign_up(&mut self, at: Timestamp) {
        let person = self.people.someone(&mut self.dice);
        let stream = self.people.stream(&mut self.dice);
        if let Some((wrong, rule)) = self.mistaken(&person) {
            let by = By::actor("api");
            self.scene(at, &stream, "CreateUser", creation(&wrong), by, Some(rule));
            // One in four gives up.
            if self.dice.percent(75) {
                let again = later(at, self.dice.between(20, 150));
                self.queue(again, Beat::SignUpAs(Box::new((stream, person))));
            }
            return;
        }
        self.sign_up_as(at, stream, person);
    }

    fn sign_up_as(&mut self, at: Timestamp, stream: StreamName, person: Person) {
        let who = self.create(at, stream, person, By::actor("api"));
        self.life(at, who);
    }

    /// The same person as someone who mistypes, and the rule that notices; mostly nobody does.
    fn mistaken(&mut self, person: &Person) -> Option<(Person, &'static str)> {
        let mut wrong = person.clone();
        let rule = match self.dice.below(60) {
            0 => {
                wrong.username.truncate(2);
                "username.too_short"
            }
            1 => {
                wrong.email = format!("{}@example", person.username);
                "email.invalid"
            }
            2 | 3 => {
                wrong.password.truncate(6);
                "password.too_short"
            }
            4 | 5 => {
                let live = |a: &&Account| a.standing != Standing::Deleted;
                let others: Vec<&Account> = self.accounts.iter().filter(live).collect();
                wrong.email = self.dice.pick(&others)?.person.email.to_uppercase();
                "email.taken"
            }
            _ => return None,
        };
        Some((wrong, rule))
    }

    /// What a user will do in the days to come, by chance.
    fn life(&mut self, born: Timestamp, who: usize) {
        let today = day_of(born);
        let left = LAST_DAY - today.min(LAST_DAY);
        if left == 0 {
            return;
        }
        let chances = [
            (30, Beat::Rename as fn(usize) -> Beat),
            (28, Beat::ChangeEmail),
            (55, |who| Beat::ChangePassword(who, Care::Careless)),
        ];
        for (percent, beat) in chances {
            if self.dice.percent(percent) {
                let day = today + self.dice.between(1, left);
                let at = daytime(&mut self.dice, day);
                self.queue(at, beat(who));
            }
        }
        for (percent, beat) in [
            (3, Beat::Suspend as fn(usize, u64) -> Beat),
            (5, |who, ticket| Beat::Delete(who, ticket, Care::Careless)),
        ] {
            if self.dice.percent(percent) {
                let day = today + self.dice.between(1, left);
                let at = office(&mut self.dice, day);
                let ticket = self.next_ticket();
                self.queue(at, beat(who, ticket));
            }
        }
    }

    fn next_ticket(&mut self) -> u64 {
        self.ticket += self.dice.between(1, 9);
        self.ticket
    }

    /// Why a change by the user is refused now; `Err`: the user is gone and does not try.
    fn hurdle(&self, who: usize) -> Result<Option<&'static str>, ()> {
        match self.accounts.get(who).map(|account| account.standing) {
            Some(Standing::Active) => Ok(None),
            Some(Standing::Suspended) => Ok(Some("user.suspended")),
            Some(Standing::Deleted) | None => Err(()),
        }
    }

    fn rename(&mut self, at: Timestamp, who: usize) {
        let (Ok(hurdle), Some(account)) = (self.hurdle(who), self.accounts.get(who)) else {
            return;
        };
        let (to, username) = (account.stream.clone(), account.person.username.clone());
        let before = account.person.last_name.clone();
        // Some press the button without having changed anything.
        let unchanged = !account.scripted && self.dice.percent(6);
        let name = if unchanged {
            before
        } else {
            last_name(&mut self.dice, &before).to_owned()
        };
        let refused_by = hurdle.or(unchanged.then_some("name.unchanged"));
        let payload = json!({"last_name": name});
        self.scene(
            at,
            &to,
            "ChangeName",
            payload,
            By::actor(&username),
            refused_by,
        );
        if let (None, Some(account)) = (refused_by, self.accounts.get_mut(who)) {
            account.person.last_name = name;
        }
    }

    fn change_email(&mut self, at: Timestamp, who: usize) {
        let (Ok(hurdle), Some(account)) = (self.hurdle(who), self.accounts.get(who)) else {
            return;
        };
        let (to, username) = (account.stream.clone(), account.person.username.clone());
        let email = another_email(&mut self.dice, &username, &account.person.email);
        let payload = json!({"email": email});
        self.scene(
            at,
            &to,
            "ChangeEmail",
            payload,
            By::actor(&username),
            hurdle,
        );
        if let (None, Some(account)) = (hurdle, self.accounts.get_mut(who)) {
            account.person.email = email;
        }
    }

    fn change_password(&mut self, at: Timestamp, who: usize, care: Care) {
        let (Ok(hurdle), Some(account)) = (self.hurdle(who), self.accounts.get(who)) else {
            return;
        };
        let (to, username) = (account.stream.clone(), account.person.username.clone());
        let current = account.person.password.clone();
        let new = loop {
            let new = password(&mut self.dice);
            if new != current {
                break new;
            }
        };
        let mistake = match (hurdle, care, self.dice.below(100)) {
            (None, Care::Careless, 0..22) => {
                Some(("password.incorrect", format!("{current}?"), new.clone()))
            }
            (None, Care::Careless, 22..28) => {
                Some(("password.too_short", current.clone(), "secret".to_owned()))
            }
            _ => None,
        };
        if let Some((rule, current, new)) = mistake {
            let payload = json!({"current_password": current, "new_password": new});
            let by = By::actor(&username);
            self.scene(at, &to, "ChangePassword", payload, by, Some(rule));
            let again = later(at, self.dice.between(8, 60));
            self.queue(again, Beat::ChangePassword(who, Care::Careful));
            return;
        }
        let payload = json!({"current_password": current, "new_password": new});
        self.scene(
            at,
            &to,
            "ChangePassword",
            payload,
            By::actor(&username),
            hurdle,
        );
        if let (None, Some(account)) = (hurdle, self.accounts.get_mut(who)) {
            account.person.password = new;
        }
    }

    fn suspend(&mut self, at: Timestamp, who: usize, ticket: u64) {
        let agent = self.dice.word(&SUPPORT);
        let reason = self.dice.word(&COMPLAINTS);
        let by = By::actor(agent)
            .because(reason)
            .of(format!("ticket-{ticket}"));
        if self.suspended(at, who, by) && self.dice.percent(60) {
            let day = day_of(at) + self.dice.between(1, 4);
            let lifted = office(&mut self.dice, day);
            let reason = self.dice.word(&CLEARED);
            self.queue(lifted, Beat::Reactivate(who, ticket, reason));
        }
    }

    /// Suspends an account, or is told that it is suspended; whether it was suspended by this.
    fn suspended(&mut self, at: Timestamp, who: usize, by: By<'_>) -> bool {
        let (Ok(hurdle), Some(account)) = (self.hurdle(who), self.accounts.get(who)) else {
            return false;
        };
        let to = account.stream.clone();
        let event_id = self.scene(at, &to, "SuspendUser", json!({}), by, hurdle);
        if let (None, Some(account)) = (hurdle, self.accounts.get_mut(who)) {
            account.standing = Standing::Suspended;
            account.since = at;
            account.suspension = Some(event_id);
        }
        hurdle.is_none()
    }

    fn reactivate(&mut self, at: Timestamp, who: usize, ticket: u64, reason: &'static str) {
        let agent = self.dice.word(&SUPPORT);
        let Some(account) = self.accounts.get(who) else {
            return;
        };
        let refused_by = match account.standing {
            Standing::Suspended => None,
            Standing::Active => Some("user.not_suspended"),
            Standing::Deleted => Some("user.deleted"),
        };
        let (to, cause) = (account.stream.clone(), account.suspension.clone());
        let by = By::actor(agent)
            .because(reason)
            .of(format!("ticket-{ticket}"))
            .caused_by(cause);
        self.scene(at, &to, "ReactivateUser", json!({}), by, refused_by);
        if let (None, Some(account)) = (refused_by, self.accounts.get_mut(who)) {
            account.standing = Standing::Active;
            account.suspension = None;
            account.since = at;
        }
    }

    fn delete(&mut self, at: Timestamp, who: usize, ticket: u64, care: Care) {
        let agent = self.dice.word(&SUPPORT);
        let Some(account) = self.accounts.get_mut(who) else {
            return;
        };
        let (to, gone) = (
            account.stream.clone(),
            account.standing == Standing::Deleted,
        );
        let by = By::actor(agent).of(format!("ticket-{ticket}"));
        if !gone && care == Care::Careless && self.dice.percent(20) {
            self.scene(
                at,
                &to,
                "DeleteUser",
                json!({}),
                by,
                Some("reason.required"),
            );
            let again = later(at, self.dice.between(10, 40));
            self.queue(again, Beat::Delete(who, ticket, Care::Careful));
            return;
        }
        account.standing = Standing::Deleted;
        let by = by.because("asked for by the user");
        let refused_by = gone.then_some("user.already_deleted");
        self.scene(at, &to, "DeleteUser", json!({}), by, refused_by);
    }

    fn name_sync(&mut self, at: Timestamp) {
        let mut n = 0;
        for who in 0..self.accounts.len() {
            if self.dice.percent(14) {
                self.queue(later(at, n), Beat::NameSyncOne(who));
                n += 1;
            }
        }
    }

    fn name_sync_one(&mut self, at: Timestamp, who: usize) {
        let Some(account) = self.accounts.get_mut(who) else {
            return;
        };
        if account.standing != Standing::Active || account.scripted || account.dormant {
            return;
        }
        let to = account.stream.clone();
        let name = format!(
            "{}-{}",
            account.person.last_name,
            last_name(&mut self.dice, &account.person.last_name)
        );
        account.person.last_name.clone_from(&name);
        let by = By::actor("job:crm-sync").of(format!("crm-sync-{}", date(day_of(at))));
        self.scene(at, &to, "ChangeName", json!({"last_name": name}), by, None);
    }

    fn fraud_scan(&mut self, at: Timestamp) {
        let incident = day_of(at) == INCIDENT_DAY;
        let hits = if incident {
            8
        } else {
            self.dice.pick(&[0, 0, 1, 1, 2]).copied().unwrap_or(0)
        };
        let fits = |account: &Account| {
            account.standing == Standing::Active && !account.scripted && !account.dormant
        };
        let mut possible: Vec<usize> = (0..self.accounts.len())
            .filter(|who| self.accounts.get(*who).is_some_and(fits))
            .collect();
        let mut suspects = Vec::new();
        if incident {
            // Hers is the first that the scan comes upon.
            suspects.push(self.sarah);
        }
        for _ in 0..hits {
            let place = self.dice.below(possible.len() as u64);
            let place = usize::try_from(place).unwrap_or_default();
            if place < possible.len() {
                suspects.push(possible.swap_remove(place));
            }
        }
        for (n, who) in suspects.into_iter().enumerate() {
            self.queue(later(at, n as u64), Beat::ScanHit(who, n));
        }
    }

    /// The scan suspends an account, and support looks at it; of the incident's nine, the first three are overlooked.
    fn scan_hit(&mut self, at: Timestamp, who: usize, n: usize) {
        let day = day_of(at);
        let by = By::actor("fraud-scan")
            .because("fraud_detected")
            .of(format!("fraud-scan-{}", date(day)));
        if !self.suspended(at, who, by) {
            return;
        }
        let incident = day == INCIDENT_DAY;
        if let (true, Some(account)) = (incident, self.accounts.get_mut(who)) {
            account.scripted = true;
        }
        let (looked_at, reason) = if incident {
            (n > 2, FALSE_ALARM)
        } else {
            (self.dice.percent(65), self.dice.word(&CLEARED))
        };
        if looked_at {
            let days = self.dice.below(2);
            let lifted = office(&mut self.dice, day + days);
            let ticket = self.next_ticket();
            self.queue(lifted, Beat::Reactivate(who, ticket, reason));
        }
    }

    /// Looks for accounts never seen, and (which is the mistake) takes every suspended one for inactive as well.
    fn clean_up(&mut self, at: Timestamp) {
        let day = day_of(at);
        let mut unseen = 0;
        let mut found: Vec<(bool, bool, Timestamp, usize)> = Vec::new();
        for (who, account) in self.accounts.iter().enumerate() {
            let suspended = account.standing == Standing::Suspended;
            let takes = match account.standing {
                Standing::Suspended => day_of(account.since) + 3 <= day,
                Standing::Active if account.dormant => {
                    unseen += 1;
                    unseen <= UNSEEN_PER_RUN
                }
                Standing::Active | Standing::Deleted => false,
            };
            if takes {
                // The unseen ones first, then hers: the fifth second, 15:47:23.
                found.push((suspended, who != self.sarah, account.since, who));
            }
        }
        found.sort();
        for (n, (.., who)) in found.into_iter().enumerate() {
            self.queue(later(at, n as u64), Beat::CleanUpOne(who));
        }
    }

    fn clean_up_one(&mut self, at: Timestamp, who: usize) {
        let Some(account) = self.accounts.get_mut(who) else {
            return;
        };
        if account.standing == Standing::Deleted {
            return;
        }
        account.standing = Standing::Deleted;
        let (to, cause) = (account.stream.clone(), account.suspension.clone());
        let by = By::actor(CLEAN_UP)
            .because(INACTIVE)
            .of(format!("inactive-cleanup-{}", date(day_of(at))))
            .caused_by(cause);
        self.scene(at, &to, "DeleteUser", json!({}), by, None);
    }

    fn sarah(&mut self, at_signup: Timestamp) {
        let name = format!("user-7f3c{}", self.dice.hex(4));
        let stream = StreamName::new(name).ok();
        let sarah = self
            .people
            .named(&mut self.dice, "sarah", "Sarah", "Miller");
        let (Some(stream), Some(mut sarah)) = (stream, sarah) else {
            return;
        };
        "sarah@example.com".clone_into(&mut sarah.email);
        self.sarah = self.create(at_signup, stream, sarah, By::actor("api"));
        if let Some(account) = self.accounts.get_mut(self.sarah) {
            account.scripted = true;
        }
        self.queue(at(13, 11, 40, 31), Beat::Rename(self.sarah));
        // By then she is suspended, and does not know it.
        self.queue(at(26, 10, 2, 18), Beat::ChangeEmail(self.sarah));
        // Two others of her name, for whoever searches for it.
        for (day, username, last) in [(7, "sarah.k", "Kim"), (10, "osarah", "Okafor")] {
            let person = self.people.named(&mut self.dice, username, "Sarah", last);
            let stream = self.people.stream(&mut self.dice);
            if let Some(person) = person {
                let when = daytime(&mut self.dice, day);
                self.queue(when, Beat::SignUpAs(Box::new((stream, person))));
            }
        }
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
