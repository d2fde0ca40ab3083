//! Random what-ifs on random logs get the answer that brute force gives: see [`model`].
//!
//! `WHATIF_HISTORIES=10000 cargo test -p whodunit-daemon --test api what_if_oracle` runs as many histories as it says, in
//! place of [`HISTORIES`]; `WHATIF_SEED` starts elsewhere. A failure names its seed: with it and one history, it comes again.

mod model;
mod random;

use serde_json::{Value, json};
use whodunit_core::event::{ExpectedRevision, NewEvent};
use whodunit_core::ids::StreamName;
use whodunit_core::time::Timestamp;
use whodunit_daemon::store::Append;

use self::model::{Decided, Expected, Happening, Log, Logged, Moment, evaluate};
use self::random::{Random, command, event, what_if, write};
use crate::support::Api;

/// With [`WHAT_IFS`] each, ten thousand what-ifs.
const HISTORIES: u64 = 120;
const WHAT_IFS: u64 = 20;
const SEED: u64 = 0x000d_ecaf;
/// Streams that histories write to; one more is asked about.
const STREAMS: u64 = 5;

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
