//! What a what-if should answer, by brute force: a log is a plain list, a state is folded from the start each time, who held a
//! key is found by folding every other stream, and a time becomes a revision by looking at every event.
//!
//! Shares no code with the product. Names are compared by a table of spellings, numbers by a table of values.

use std::collections::HashMap;

use serde_json::Value;

/// Spellings of names; those of one number are one name.
pub(super) const NAMES: [(&str, u8); 9] = [
    ("anna", 0),
    ("Anna", 0),
    ("\u{ff41}nna", 0),
    ("müller", 1),
    ("MU\u{308}LLER", 1),
    ("straße", 2),
    ("STRASSE", 2),
    ("bert", 3),
    ("dora", 4),
];

/// Spellings of numbers; those of one number are equal.
pub(super) const NUMBERS: [(&str, u8); 6] = [
    ("0.1", 0),
    ("0.10", 0),
    ("1e-1", 0),
    ("18446744073709551616", 1),
    ("18446744073709551617", 2),
    ("1.8446744073709551616E19", 1),
];

/// Something that happened, or would have.
#[derive(Debug, Clone)]
pub(super) struct Happening {
    pub(super) kind: String,
    pub(super) data: Value,
    /// Microseconds.
    pub(super) at: i64,
    /// Came from a command of a what-if that holds a password: equal to nothing recorded.
    pub(super) unique: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Logged {
    pub(super) position: u64,
    pub(super) stream: String,
    pub(super) what: Happening,
}

#[derive(Debug, Clone)]
pub(super) struct Decided {
    pub(super) sequence: u64,
    pub(super) command_id: String,
    pub(super) stream: String,
    pub(super) base_position: u64,
    pub(super) at: i64,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) enum Password {
    #[default]
    None,
    Recorded,
    /// Set within the what-if: it is known there.
    Supposed(String),
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct User {
    pub(super) username: Option<String>,
    pub(super) email: Option<String>,
    pub(super) status: Option<&'static str>,
    password: Password,
}

/// When keys are asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Moment {
    Position(u64),
    Time(i64),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Base {
    pub(super) revision: usize,
    pub(super) moment: Moment,
    pub(super) at: i64,
}

#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) events: Vec<Logged>,
    pub(super) decisions: Vec<Decided>,
    /// What the clock says when what-ifs are asked.
    pub(super) now: i64,
}

fn text(value: &Value, field: &str) -> Option<String> {
    value.get(field)?.as_str().map(str::to_owned)
}

impl Happening {
    pub(super) fn new(kind: &str, data: Value, at: i64) -> Self {
        Self {
            kind: kind.to_owned(),
            data,
            at,
            unique: false,
        }
    }

    /// Whether it says the same: as JSON values, with numbers by their table.
    fn same(&self, other: &Self) -> bool {
        let plain = !self.unique && !other.unique;
        plain && self.kind == other.kind && self.at == other.at && alike(&self.data, &other.data)
    }
}

fn alike(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            let class = |number: &str| {
                NUMBERS
                    .iter()
                    .find(|(text, _)| *text == number)
                    .map(|n| n.1)
            };
            let (a, b) = (a.as_str(), b.as_str());
            a == b || (class(a).is_some() && class(a) == class(b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let (a, b): (HashMap<_, _>, HashMap<_, _>) = (a.iter().collect(), b.iter().collect());
            a.len() == b.len()
                && a.iter()
                    .all(|(key, a)| b.get(key).is_some_and(|b| alike(a, b)))
        }
        _ => a == b,
    }
}

impl Password {
    fn recorded(data: &Value) -> Self {
        match text(data, "password_hash") {
            Some(_) => Self::Recorded,
            None => Self::None,
        }
    }
}

impl User {
    /// Whether the event can be applied.
    pub(super) fn apply(&mut self, event: &Happening) -> bool {
        let data = &event.data;
        match event.kind.as_str() {
            "UserCreated" => {
                let names = ["username", "email", "first_name", "last_name"];
                if names.iter().any(|name| text(data, name).is_none()) {
                    return false;
                }
                self.username = text(data, "username");
                self.email = text(data, "email");
                self.status = Some("active");
                self.password = Password::recorded(data);
            }
            "UserEmailChanged" => match text(data, "email") {
                None => return false,
                email => self.email = email,
            },
            "UserSuspended" => self.status = Some("suspended"),
            "UserReactivated" => self.status = Some("active"),
            "UserDeleted" => self.status = Some("deleted"),
            "UserPasswordChanged" => self.password = Password::recorded(data),
            _ => {}
        }
        true
    }

    fn lives(&self) -> bool {
        self.username.is_some() && self.status != Some("deleted")
    }

    /// Its keys: which of the two, and which name.
    pub(super) fn keys(&self) -> Vec<(&'static str, u8)> {
        let class = |name: &String| {
            let name = name.strip_suffix("@example.com").unwrap_or(name);
            NAMES.iter().find(|known| known.0 == name).unwrap().1
        };
        let username = self.username.as_ref().map(|name| ("username", class(name)));
        let email = self.email.as_ref().map(|name| ("email", class(name)));
        if self.lives() {
            username.into_iter().chain(email).collect()
        } else {
            Vec::new()
        }
    }
}

impl Log {
    pub(super) fn head(&self) -> u64 {
        self.events.len() as u64
    }

    pub(super) fn of<'a>(&'a self, stream: &'a str) -> impl Iterator<Item = &'a Logged> {
        self.events
            .iter()
            .filter(move |event| event.stream == stream)
    }

    /// Effective time of a revision; of revision 0, the first event's time.
    fn effective(&self, stream: &str, revision: usize) -> i64 {
        let until = self.of(stream).take(revision.max(1));
        until.map(|event| event.what.at).max().unwrap()
    }

    fn revision_by_position(&self, stream: &str, position: u64) -> usize {
        self.of(stream)
            .filter(|event| event.position <= position)
            .count()
    }

    pub(super) fn revision_by_time(&self, stream: &str, at: i64) -> usize {
        self.of(stream)
            .take_while(|event| event.what.at <= at)
            .count()
    }

    pub(super) fn left_out(&self, stream: &str, revision: usize, at: i64) -> Vec<usize> {
        let later = self.of(stream).enumerate().skip(revision);
        later
            .filter(|(_, event)| event.what.at <= at)
            .map(|(index, _)| index + 1)
            .collect()
    }

    pub(super) fn user(&self, stream: &str, revision: usize) -> User {
        let mut user = User::default();
        for event in self.of(stream).take(revision) {
            user.apply(&event.what);
        }
        user
    }

    /// Whether a stream other than this one held the key.
    pub(super) fn held(&self, key: (&str, u8), except: &str, moment: Moment) -> bool {
        let mut others: Vec<&str> = self.events.iter().map(|e| e.stream.as_str()).collect();
        others.sort_unstable();
        others.dedup();
        others
            .into_iter()
            .filter(|other| *other != except)
            .any(|other| {
                let revision = match moment {
                    Moment::Position(position) => self.revision_by_position(other, position),
                    Moment::Time(at) => self.revision_by_time(other, at),
                };
                self.user(other, revision).keys().contains(&key)
            })
    }

    /// The base that a request names, or the code of the refusal.
    pub(super) fn base(&self, stream: &str, asked: &Value) -> Result<Base, &'static str> {
        let length = self.of(stream).count();
        let decision = match &asked["at_decision"] {
            Value::Null => None,
            Value::String(id) => Some(self.decisions.iter().find(|d| d.command_id == *id)),
            sequence => Some(
                self.decisions
                    .iter()
                    .find(|d| Some(d.sequence) == sequence.as_u64()),
            ),
        };
        if let Some(decision) = decision {
            let decision = decision.ok_or("no_such_decision")?;
            if length == 0 && decision.stream != stream {
                return Err("no_such_stream");
            }
            return Ok(Base {
                revision: self.revision_by_position(stream, decision.base_position),
                moment: Moment::Position(decision.base_position),
                at: decision.at,
            });
        }
        if let Some(position) = asked["at_position"].as_u64() {
            if position > self.head() {
                return Err("position_beyond_head");
            }
            if length == 0 {
                return Err("no_such_stream");
            }
            let revision = self.revision_by_position(stream, position);
            // That of the event there, or the stream's own where it is later.
            let there = self.events.iter().find(|event| event.position == position);
            let there = there.map(|event| {
                let upto = self.revision_by_position(&event.stream, position);
                self.effective(&event.stream, upto)
            });
            let own = (revision > 0).then(|| self.effective(stream, revision));
            let at = own.max(there);
            return Ok(Base {
                revision,
                moment: Moment::Position(position),
                at: at.unwrap_or_else(|| self.effective(stream, 0)),
            });
        }
        if length == 0 {
            // The empty stream, asked for outright, is a fine base: now.
            return match asked["at_revision"].as_u64() {
                Some(0) => Ok(Base {
                    revision: 0,
                    moment: Moment::Position(self.head()),
                    at: self.now,
                }),
                _ => Err("no_such_stream"),
            };
        }
        if let Some(at) = asked["as_of"].as_str() {
            let at = at
                .parse::<whodunit_core::time::Timestamp>()
                .unwrap()
                .as_micros();
            let revision = self.revision_by_time(stream, at);
            return match revision {
                0 => Err("before_first_event"),
                _ => Ok(Base {
                    revision,
                    moment: Moment::Time(at),
                    at,
                }),
            };
        }
        let (revision, position) = match asked["at_revision"].as_u64() {
            None => (length, self.head()),
            Some(revision) if revision > length as u64 => return Err("revision_beyond_head"),
            Some(0) => (0, self.of(stream).next().unwrap().position - 1),
            Some(revision) => {
                let revision = usize::try_from(revision).unwrap();
                (
                    revision,
                    self.of(stream).nth(revision - 1).unwrap().position,
                )
            }
        };
        Ok(Base {
            revision,
            moment: Moment::Position(position),
            at: self.effective(stream, revision),
        })
    }
}

/// What came of a step that an edit or an action made.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Step {
    pub(super) kind: &'static str,
    pub(super) outcome: &'static str,
    pub(super) rule: Option<&'static str>,
    pub(super) revision: usize,
    /// Times of its events.
    pub(super) at: Vec<i64>,
}

/// What is left when all is done.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) base: Base,
    pub(super) steps: Vec<Step>,
    pub(super) user: User,
    pub(super) revision: usize,
    pub(super) actual: (usize, User),
    pub(super) first_divergence: Option<usize>,
}

struct Run<'a> {
    log: &'a Log,
    stream: &'a str,
    base: Base,
    user: User,
    story: Vec<Happening>,
    steps: Vec<Step>,
}

/// Evaluates a request by brute force: what should come out, or the code of the refusal.
pub(super) fn evaluate(log: &Log, request: &Value) -> Result<Expected, &'static str> {
    let stream = request["stream"].as_str().unwrap();
    let base = log.base(stream, request)?;
    let refold = request["continue"] == "refold";
    let recorded: Vec<Happening> = log.of(stream).map(|event| event.what.clone()).collect();
    let last = if refold {
        recorded.len()
    } else {
        base.revision
    };
    let edits = Edits::read(request, last)?;
    let mut run = Run {
        log,
        stream,
        base,
        user: User::default(),
        story: Vec::new(),
        steps: Vec::new(),
    };
    run.insert(&edits, 0);
    for revision in 1..=base.revision {
        run.recorded(&edits, revision, &recorded[revision - 1]);
    }
    for action in request["do"].as_array().unwrap() {
        match &action["command"] {
            Value::Null => run.event(&action["event"])?,
            command => run.command(command, &request["password_correct"])?,
        }
    }
    for revision in base.revision + 1..=last {
        run.recorded(&edits, revision, &recorded[revision - 1]);
    }
    let first = (0..run.story.len().max(last)).find(|&index| {
        match (run.story.get(index), recorded[..last].get(index)) {
            (Some(a), Some(b)) => !a.same(b),
            _ => true,
        }
    });
    Ok(Expected {
        base,
        steps: run.steps,
        user: run.user,
        revision: run.story.len(),
        actual: (last, log.user(stream, last)),
        first_divergence: first.map(|index| index + 1),
    })
}

struct Edits<'a> {
    dropped: Vec<usize>,
    replaced: Vec<(usize, &'a Value)>,
    inserted: Vec<(usize, &'a str, &'a Value)>,
}

impl<'a> Edits<'a> {
    fn read(request: &'a Value, last: usize) -> Result<Self, &'static str> {
        let mut edits = Self {
            dropped: Vec::new(),
            replaced: Vec::new(),
            inserted: Vec::new(),
        };
        let mut edited = Vec::new();
        for edit in request["edits"].as_array().unwrap() {
            let (name, edit) = edit.as_object().unwrap().iter().next().unwrap();
            let field = if name == "insert" {
                "after_revision"
            } else {
                "revision"
            };
            let revision = usize::try_from(edit[field].as_u64().unwrap()).unwrap();
            let exists = revision <= last && (revision > 0 || name == "insert");
            if !exists || (name != "insert" && edited.contains(&revision)) {
                return Err("bad_edit");
            }
            match name.as_str() {
                "insert" => {
                    let kind = edit["event_type"].as_str().unwrap();
                    edits.inserted.push((revision, kind, &edit["data"]));
                    continue;
                }
                "drop" => edits.dropped.push(revision),
                _ => edits.replaced.push((revision, &edit["data"])),
            }
            edited.push(revision);
        }
        Ok(edits)
    }
}

impl Run<'_> {
    fn apply(&mut self, kind: &'static str, event: Happening, shown: bool) {
        let applied = self.user.apply(&event);
        let at = vec![event.at];
        self.story.push(event);
        if shown {
            let outcome = if applied { "applied" } else { "failed" };
            self.step(kind, outcome, None, at);
        }
    }

    fn step(
        &mut self,
        kind: &'static str,
        outcome: &'static str,
        rule: Option<&'static str>,
        at: Vec<i64>,
    ) {
        let revision = self.story.len();
        self.steps.push(Step {
            kind,
            outcome,
            rule,
            revision,
            at,
        });
    }

    fn recorded(&mut self, edits: &Edits<'_>, revision: usize, event: &Happening) {
        if edits.dropped.contains(&revision) {
            self.step("recorded", "dropped", None, Vec::new());
        } else if let Some((_, data)) = edits.replaced.iter().find(|edit| edit.0 == revision) {
            let event = Happening::new(&event.kind, (*data).clone(), event.at);
            self.apply("recorded", event, true);
        } else {
            self.apply("recorded", event.clone(), false);
        }
        self.insert(edits, revision);
    }

    fn insert(&mut self, edits: &Edits<'_>, after: usize) {
        let at = if after == self.base.revision {
            self.base.at
        } else {
            self.log.effective(self.stream, after)
        };
        for (_, kind, data) in edits.inserted.iter().filter(|edit| edit.0 == after) {
            self.apply("event", Happening::new(kind, (*data).clone(), at), true);
        }
    }

    fn event(&mut self, event: &Value) -> Result<(), &'static str> {
        let held = self.user.keys();
        let kind = event["event_type"].as_str().unwrap();
        self.apply(
            "event",
            Happening::new(kind, event["data"].clone(), self.base.at),
            true,
        );
        let taken = |key: &(&'static str, u8)| self.log.held(*key, self.stream, self.base.moment);
        let mut new = self
            .user
            .keys()
            .into_iter()
            .filter(|key| !held.contains(key));
        if new.any(|key| taken(&key)) {
            Err("key_taken")
        } else {
            Ok(())
        }
    }

    fn command(&mut self, command: &Value, general: &Value) -> Result<(), &'static str> {
        match &command["expected_revision"] {
            Value::Null => {}
            Value::String(none) if none == "no_stream" && self.story.is_empty() => {}
            wanted if wanted.as_u64() == Some(self.story.len() as u64) => {}
            _ => return Err("wrong_revision"),
        }
        let supposed = command["password_correct"].as_bool().or(general.as_bool());
        let outcome = decide(&self.user, command, supposed, self.base.at);
        let event = match outcome {
            Ok(event) => event,
            Err("unknown") => {
                self.step("command", "unknown", None, Vec::new());
                return Ok(());
            }
            Err(rule) => {
                self.step("command", "rejected", Some(rule), Vec::new());
                return Ok(());
            }
        };
        let held = self.user.keys();
        let mut after = self.user.clone();
        after.apply(&event);
        for key in after.keys().into_iter().filter(|key| !held.contains(key)) {
            if self.log.held(key, self.stream, self.base.moment) {
                let rule = if key.0 == "email" {
                    "email.taken"
                } else {
                    "username.taken"
                };
                self.step("command", "rejected", Some(rule), Vec::new());
                return Ok(());
            }
        }
        let payload = &command["payload"];
        match command["type"].as_str().unwrap() {
            "CreateUser" => after.password = Password::Supposed(text(payload, "password").unwrap()),
            "ChangePassword" => {
                after.password = Password::Supposed(text(payload, "new_password").unwrap());
            }
            _ => {}
        }
        self.user = after;
        let at = event.at;
        self.story.push(event);
        self.step("command", "accepted", None, vec![at]);
        Ok(())
    }
}

/// The rules of users, as far as the commands of these tests meet them.
fn decide(
    user: &User,
    command: &Value,
    supposed: Option<bool>,
    at: i64,
) -> Result<Happening, &'static str> {
    let (payload, reason) = (&command["payload"], &command["reason"]);
    let made = |kind: &str, data: Value| Ok(Happening::new(kind, data, at));
    let exists = user.username.is_some();
    let kind = command["type"].as_str().unwrap();
    if kind == "CreateUser" {
        if exists {
            return Err("user.exists");
        }
        let mut data = payload.clone();
        data.as_object_mut().unwrap().shift_remove("password");
        data["password_hash"] = "x".into();
        let unique = true;
        return Ok(Happening {
            unique,
            ..Happening::new("UserCreated", data, at)
        });
    }
    match (exists, user.status) {
        (false, _) => return Err("user.not_found"),
        (true, Some("deleted")) if kind == "DeleteUser" => return Err("user.already_deleted"),
        (true, Some("deleted")) => return Err("user.deleted"),
        _ => {}
    }
    let suspended = user.status == Some("suspended");
    match kind {
        "DeleteUser" | "SuspendUser" if kind == "SuspendUser" && suspended => Err("user.suspended"),
        "DeleteUser" | "SuspendUser" if reason.is_null() => Err("reason.required"),
        "DeleteUser" => made("UserDeleted", serde_json::json!({ "reason": reason })),
        "SuspendUser" => made("UserSuspended", serde_json::json!({ "reason": reason })),
        "ReactivateUser" if !suspended => Err("user.not_suspended"),
        "ReactivateUser" => made("UserReactivated", serde_json::json!({})),
        _ if suspended => Err("user.suspended"),
        "ChangeEmail" if user.email == text(payload, "email") => Err("email.unchanged"),
        "ChangeEmail" => made("UserEmailChanged", payload.clone()),
        _ => change_password(user, payload, supposed, at),
    }
}

fn change_password(
    user: &User,
    payload: &Value,
    supposed: Option<bool>,
    at: i64,
) -> Result<Happening, &'static str> {
    let given = |name| text(payload, name).unwrap();
    let (current, new) = (given("current_password"), given("new_password"));
    let (correct, unchanged) = match (&user.password, supposed) {
        (Password::None, _) => (false, false),
        (Password::Supposed(known), _) => (*known == current, *known == new),
        (Password::Recorded, Some(correct)) => (correct, correct && current == new),
        (Password::Recorded, None) => return Err("unknown"),
    };
    match (correct, new.chars().count() < 8) {
        (false, _) => Err("password.incorrect"),
        (true, true) => Err("password.too_short"),
        (true, false) if unchanged => Err("password.unchanged"),
        (true, false) => Ok(Happening {
            unique: true,
            ..Happening::new("UserPasswordChanged", serde_json::json!({}), at)
        }),
    }
}
