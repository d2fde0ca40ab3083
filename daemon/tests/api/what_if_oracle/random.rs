//! Random logs and random what-ifs on them.

use serde_json::{Value, json};

use super::STREAMS;
use super::model::{Log, NAMES, NUMBERS};
use crate::support::Api;

/// `SplitMix64`.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

    pub(super) fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }

    pub(super) fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()].clone()
    }

    pub(super) fn name(&mut self) -> &'static str {
        self.pick(&NAMES).0
    }

    pub(super) fn email(&mut self) -> String {
        format!("{}@example.com", self.name())
    }

    /// Few moments, so that many are equal.
    pub(super) fn time(&mut self, minutes: u64) -> String {
        let minute = self.below(minutes);
        format!("2025-03-01T{:02}:{:02}:00Z", minute / 60, minute % 60)
    }

    pub(super) fn stream(&mut self) -> String {
        format!("user-{}", self.below(STREAMS) + 1)
    }
}

pub(super) fn odd_number(random: &mut Random) -> Value {
    serde_json::from_str(&format!(r#"{{"n":{}}}"#, random.pick(&NUMBERS).0)).unwrap()
}

/// Type and payload of an event, seldom one that does not fit.
pub(super) fn event(random: &mut Random) -> (&'static str, Value) {
    match random.below(12) {
        0..=3 => {
            let mut data = json!({"username": random.name(), "email": random.email(), "first_name": "F", "last_name": "L"});
            if random.one_in(2) {
                data["password_hash"] = json!("stored");
            }
            ("UserCreated", data)
        }
        4 | 5 => ("UserEmailChanged", json!({"email": random.email()})),
        6 => (
            "UserSuspended",
            json!({"reason": random.pick(&["fraud", "other"])}),
        ),
        7 => ("UserReactivated", json!({})),
        8 => ("UserDeleted", json!({"reason": "gone"})),
        9 => ("UserEmailChanged", json!({"email": 7})),
        10 => ("UserPasswordChanged", json!({"password_hash": "stored"})),
        _ => ("Noted", odd_number(random)),
    }
}

pub(super) fn command(random: &mut Random) -> Value {
    let passwords = ["correct horse", "another one", "short"];
    let (kind, payload) = match random.below(10) {
        0 | 1 => (
            "CreateUser",
            json!({"username": random.name(), "email": random.email(), "first_name": "F", "last_name": "L", "password": "correct horse"}),
        ),
        2..=4 => ("ChangeEmail", json!({"email": random.email()})),
        5 => ("SuspendUser", json!({})),
        6 => ("ReactivateUser", json!({})),
        7 => ("DeleteUser", json!({})),
        _ => (
            "ChangePassword",
            json!({"current_password": random.pick(&passwords), "new_password": random.pick(&passwords)}),
        ),
    };
    let reason = if random.one_in(5) {
        Value::Null
    } else {
        json!("fraud")
    };
    json!({"type": kind, "payload": payload, "actor": "a", "reason": reason})
}

/// Commands, raw events and imports, on a clock that goes back as often as forward.
pub(super) async fn write(api: &Api, random: &mut Random) {
    for n in 0..10 + random.below(8) {
        api.clock.set(&random.time(120));
        let stream = random.stream();
        let reply = match random.below(6) {
            0..=2 => {
                let mut command = command(random);
                command["command_id"] = json!(format!("c-{n}"));
                api.command(&stream, &command).await
            }
            3 | 4 => {
                let events: Vec<_> = (0..=random.below(3))
                    .map(|_| {
                        let (kind, data) = event(random);
                        json!({"event_type": kind, "data": data})
                    })
                    .collect();
                api.append(&stream, &json!({ "events": events })).await
            }
            // One stream after another, as an export of another system has them.
            _ => {
                let mut lines = Vec::new();
                for _ in 0..=random.below(3) {
                    let stream = random.stream();
                    for _ in 0..=random.below(3) {
                        let (kind, data) = event(random);
                        let line = json!({"stream": stream, "event_type": kind, "recorded_at": random.time(120), "data": data});
                        lines.push(line.to_string());
                    }
                }
                api.post_text("/v1/import", "application/x-ndjson", &lines.join("\n"))
                    .await
            }
        };
        assert!(reply.status < 500, "{}", reply.text);
    }
}

pub(super) fn edit(random: &mut Random) -> Value {
    let revision = random.below(6);
    let (kind, data) = event(random);
    match random.below(3) {
        0 => json!({"drop": {"revision": revision}}),
        1 => json!({"replace": {"revision": revision, "data": data}}),
        _ => json!({"insert": {"after_revision": revision, "event_type": kind, "data": data}}),
    }
}

pub(super) fn action(random: &mut Random) -> Value {
    if random.one_in(4) {
        let (kind, data) = event(random);
        return json!({"event": {"event_type": kind, "data": data}});
    }
    let mut command = command(random);
    if random.one_in(8) {
        command["expected_revision"] =
            random.pick(&[json!(0), json!(1), json!(2), json!("no_stream")]);
    }
    if random.one_in(3) {
        command["password_correct"] = json!(random.one_in(2));
    }
    json!({ "command": command })
}

/// Any base, edits and actions; `settled` leaves out what may change by what is logged later.
pub(super) fn what_if(random: &mut Random, log: &Log, settled: bool) -> Value {
    let stream = match random.below(12) {
        0 if !settled => "user-9".to_owned(),
        _ => random.stream(),
    };
    let few = if random.one_in(2) { 0 } else { random.below(3) };
    let edits: Vec<_> = (0..few).map(|_| edit(random)).collect();
    let actions: Vec<_> = (0..random.below(4)).map(|_| action(random)).collect();
    let mut request = json!({"stream": stream, "edits": edits, "do": actions});
    if random.one_in(3) && !settled {
        request["continue"] = json!("refold");
    }
    if random.one_in(4) {
        request["password_correct"] = json!(random.one_in(2));
    }
    let decisions = log.decisions.len() as u64;
    match random.below(if settled { 5 } else { 6 }) {
        0 => request["at_revision"] = json!(random.below(6)),
        1 => request["as_of"] = json!(random.time(130)),
        2 => request["at_position"] = json!(random.below(log.head() + 2)),
        3 => request["at_decision"] = json!(random.below(decisions + 1) + 1),
        4 if decisions > 0 => {
            request["at_decision"] = json!(random.pick(&log.decisions).command_id);
        }
        _ => {}
    }
    request
}
