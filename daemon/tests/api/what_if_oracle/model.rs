//! What a what-if should answer, by brute force: a log is a plain list, a state is folded from the start each time, who held a
//! key is found by folding every other stream, and a time becomes a revision by looking at every event.
//!
//! Shares no code with the product. Names are compared by a table of spellings, numbers by a table of values.

mod evaluation;

use std::collections::HashMap;

use serde_json::Value;

pub(super) use self::evaluation::{Expected, evaluate};

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
