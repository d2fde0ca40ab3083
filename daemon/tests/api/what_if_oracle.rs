//! Random what-ifs on random logs get the answer that brute force gives: see [`model`].
//!
//! `WHATIF_HISTORIES=10000 cargo test -p whodunit-daemon --test api what_if_oracle` runs as many histories as it says, in
//! place of [`HISTORIES`]; `WHATIF_SEED` starts elsewhere. A failure names its seed: with it and one history, it comes again.

mod model;

use serde_json::{Value, json};
use whodunit_core::event::{ExpectedRevision, NewEvent};
use whodunit_core::ids::StreamName;
use whodunit_core::time::Timestamp;
use whodunit_daemon::store::Append;

use self::model::{Decided, Expected, Happening, Log, Logged, Moment, NAMES, NUMBERS, evaluate};
use crate::support::Api;

/// With [`WHAT_IFS`] each, ten thousand what-ifs.
const HISTORIES: u64 = 500;
const WHAT_IFS: u64 = 20;
const SEED: u64 = 0x000d_ecaf;
/// Streams that histories write to; one more is asked about.
const STREAMS: u64 = 5;

/// `SplitMix64`.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

    fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()].clone()
    }

    fn name(&mut self) -> &'static str {
        self.pick(&NAMES).0
    }

    fn email(&mut self) -> String {
        format!("{}@example.com", self.name())
    }

    /// Few moments, so that many are equal.
    fn time(&mut self, minutes: u64) -> String {
        let minute = self.below(minutes);
        format!("2025-03-01T{:02}:{:02}:00Z", minute / 60, minute % 60)
    }

    fn stream(&mut self) -> String {
        format!("user-{}", self.below(STREAMS) + 1)
    }
}

fn odd_number(random: &mut Random) -> Value {
    serde_json::from_str(&format!(r#"{{"n":{}}}"#, random.pick(&NUMBERS).0)).unwrap()
}

/// Type and payload of an event, seldom one that does not fit.
fn event(random: &mut Random) -> (&'static str, Value) {
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

fn command(random: &mut Random) -> Value {
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
async fn write(api: &Api, random: &mut Random) {
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

fn micros(at: &Value) -> i64 {
    at.as_str()
        .unwrap()
        .parse::<Timestamp>()
        .unwrap()
        .as_micros()
}

/// What the daemon says that was logged, as a plain list.
async fn read(api: &Api) -> Log {
    let now = "2025-03-01T03:00:00Z";
    api.clock.set(now);
    let mut log = Log {
        now: micros(&json!(now)),
        ..Log::default()
    };
    let events = api.get("/v1/events?limit=1000&reveal=true").await.ok();
    for event in events["items"].as_array().unwrap() {
        let kind = event["event_type"].as_str().unwrap();
        log.events.push(Logged {
            position: event["position"].as_u64().unwrap(),
            stream: event["stream"].as_str().unwrap().to_owned(),
            what: Happening::new(kind, event["data"].clone(), micros(&event["recorded_at"])),
        });
    }
    let decisions = api.get("/v1/decisions?limit=1000").await.ok();
    for decision in decisions["items"].as_array().unwrap() {
        log.decisions.push(Decided {
            sequence: decision["sequence"].as_u64().unwrap(),
            command_id: decision["command_id"].as_str().unwrap().to_owned(),
            stream: decision["stream"].as_str().unwrap().to_owned(),
            base_position: decision["base_position"].as_u64().unwrap(),
            at: micros(&decision["decided_at"]),
        });
    }
    log
}

fn edit(random: &mut Random) -> Value {
    let revision = random.below(6);
    let (kind, data) = event(random);
    match random.below(3) {
        0 => json!({"drop": {"revision": revision}}),
        1 => json!({"replace": {"revision": revision, "data": data}}),
        _ => json!({"insert": {"after_revision": revision, "event_type": kind, "data": data}}),
    }
}

fn action(random: &mut Random) -> Value {
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
fn what_if(random: &mut Random, log: &Log, settled: bool) -> Value {
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

/// The steps that edits and actions made, as the model has them.
fn steps(out: &Value) -> Vec<Value> {
    let steps = out["steps"].as_array().unwrap().iter();
    let made = steps.filter(|step| step["kind"] != "recorded" || step["edited"] == true);
    made.map(|step| {
        let events = step["events"].as_array().unwrap().iter();
        let at: Vec<_> = events.map(|event| micros(&event["recorded_at"])).collect();
        json!([
            step["kind"],
            step["outcome"],
            step["rule"],
            step["revision"],
            at
        ])
    })
    .collect()
}

fn check(out: &Value, expected: &Expected) -> Result<(), String> {
    let (user, (length, actual)) = (&expected.user, &expected.actual);
    let position = match expected.base.moment {
        Moment::Position(position) => json!(position),
        Moment::Time(_) => Value::Null,
    };
    let made: Vec<_> = expected
        .steps
        .iter()
        .map(|step| json!([step.kind, step.outcome, step.rule, step.revision, step.at]))
        .collect();
    let state = |state: &Value| json!([state["username"], state["email"], state["status"]]);
    for (what, is, should) in [
        (
            "base revision",
            out["base"]["revision"].clone(),
            json!(expected.base.revision),
        ),
        ("base position", out["base"]["position"].clone(), position),
        (
            "base time",
            json!(micros(&out["base"]["at"])),
            json!(expected.base.at),
        ),
        ("steps", json!(steps(out)), json!(made)),
        (
            "state",
            state(&out["state"]),
            json!([user.username, user.email, user.status]),
        ),
        (
            "revision",
            out["revision"].clone(),
            json!(expected.revision),
        ),
        (
            "actual revision",
            out["actual"]["revision"].clone(),
            json!(length),
        ),
        (
            "actual state",
            state(&out["actual"]["state"]),
            json!([actual.username, actual.email, actual.status]),
        ),
        (
            "first divergence",
            out["first_divergence"].clone(),
            json!(expected.first_divergence),
        ),
    ] {
        if is != should {
            return Err(format!("{what}: {is}, should be {should}"));
        }
    }
    Ok(())
}

fn check_warning(out: &Value, log: &Log, request: &Value) -> Result<(), String> {
    let Some(at) = request["as_of"].as_str() else {
        return Ok(());
    };
    let (stream, at) = (
        request["stream"].as_str().unwrap(),
        at.parse::<Timestamp>().unwrap(),
    );
    let revision = log.revision_by_time(stream, at.as_micros());
    let left = log.left_out(stream, revision, at.as_micros());
    let mut warnings = out["warnings"].as_array().unwrap().iter();
    let said = warnings.find(|warning| warning["code"] == "left_out");
    let said = said.map_or(json!([]), |warning| warning["revisions"].clone());
    if said == json!(left) {
        Ok(())
    } else {
        Err(format!("left out: {said}, should be {left:?}"))
    }
}

/// How many of what was asked came out in a way, so that none is missing.
#[derive(Debug, Default)]
struct Seen {
    run: u64,
    refused: u64,
    taken: u64,
    accepted: u64,
    unknown: u64,
    same: u64,
}

/// Asks, and compares with brute force.
async fn ask(api: &Api, log: &Log, request: &Value, seen: &mut Seen, seed: u64) -> Value {
    let fails = |why: String| panic!("seed {seed:#x}: {why}\n{request}\n{log:?}");
    let reply = api.post("/v1/what-if?steps=all&limit=1000", request).await;
    let out: Value = reply.json();
    match evaluate(log, request) {
        Err(code) => {
            if reply.status < 400 || out["code"] != code {
                fails(format!("should be refused: {code}\n{out}"));
            }
            seen.refused += 1;
        }
        Ok(expected) => {
            let checked = check(&out, &expected).and_then(|()| check_warning(&out, log, request));
            if let Err(why) = checked {
                fails(format!("{why}\n{out}"));
            }
            seen.run += 1;
            seen.same += u64::from(expected.first_divergence.is_none());
            for step in &expected.steps {
                seen.accepted += u64::from(step.outcome == "accepted");
                seen.unknown += u64::from(step.outcome == "unknown");
                seen.taken += u64::from(
                    step.rule
                        .is_some_and(|rule| rule.split('.').next_back() == Some("taken")),
                );
            }
        }
    }
    out
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).unwrap(),
        None => text.parse().unwrap(),
    })
}

#[tokio::test]
async fn what_ifs_are_what_brute_force_finds() {
    let histories = number("WHATIF_HISTORIES").unwrap_or(HISTORIES);
    let first = number("WHATIF_SEED").unwrap_or(SEED);
    println!("seeds {first:#x} and {histories} on");
    let mut seen = Seen::default();
    for seed in first..first + histories {
        let mut random = Random(seed);
        let api = Api::start();
        write(&api, &mut random).await;
        let log = read(&api).await;
        for _ in 0..WHAT_IFS {
            let request = what_if(&mut random, &log, false);
            ask(&api, &log, &request, &mut seen, seed).await;
        }
    }
    println!("{seen:?}");
    let few = histories * WHAT_IFS / 200;
    let Seen {
        run,
        refused,
        taken,
        accepted,
        unknown,
        same,
    } = seen;
    assert!(
        [run, refused, taken, accepted, unknown, same]
            .iter()
            .all(|count| *count >= few),
        "{seen:?}"
    );
}

/// What was asked once gets the same answer whatever is logged later: keys that change hands, and a hundred thousand events.
#[tokio::test]
async fn random_what_ifs_are_the_same_after_a_hundred_thousand_more_events() {
    let (mut random, mut seen) = (Random(SEED), Seen::default());
    println!("seed {SEED:#x}");
    let api = Api::start();
    write(&api, &mut random).await;
    write(&api, &mut random).await;
    let log = read(&api).await;
    let mut asked = Vec::new();
    while asked.len() < 1_000 {
        let request = what_if(&mut random, &log, true);
        let out = ask(&api, &log, &request, &mut seen, SEED).await;
        // What is not there yet may come to be.
        let stream = request["stream"].as_str().unwrap();
        if out["base"]["revision"] == 0
            && log.of(stream).next().is_none()
            && request["at_decision"].is_null()
        {
            // The empty stream, now.
            continue;
        }
        let absent = [
            "no_such_stream",
            "revision_beyond_head",
            "position_beyond_head",
            "no_such_decision",
        ];
        if !absent.iter().any(|code| out["code"] == *code) {
            asked.push((request, out));
        }
    }
    assert!(seen.taken > 20 && seen.accepted > 80, "{seen:?}");
    api.clock.set("2025-05-01T00:00:00Z");
    for n in 0..200 {
        let stream = if n % 2 == 0 {
            random.stream()
        } else {
            format!("user-late-{n}")
        };
        api.command(&stream, &command(&mut random)).await;
        let (kind, data) = event(&mut random);
        api.append(
            &stream,
            &json!({"events": [{"event_type": kind, "data": data}]}),
        )
        .await;
    }
    let stream = StreamName::new("door-1").unwrap();
    for batch in 0..100 {
        let events = (0..1_000).map(|n| NewEvent::new("Seen", json!({ "n": n })));
        let now = Timestamp::from_micros(1_740_790_800_000_000);
        let mut append =
            Append::facts(stream.clone(), ExpectedRevision::Any, events.collect(), now);
        append.fresh_ids = (0..1_000).map(|n| format!("door/{batch}/{n}")).collect();
        api.daemon.store().append(append).await.unwrap();
    }
    assert!(api.head().0 > log.head() + 100_000);
    for (request, out) in asked {
        let again = api.post("/v1/what-if?steps=all&limit=1000", &request).await;
        assert_eq!(again.json(), out, "{request}");
    }
}
