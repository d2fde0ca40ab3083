//! Restoring exports that were damaged on the way, while others write: nothing wrong goes in, nothing is lost in silence.
//!
//! More damages: `WHODUNIT_RESTORES=2000 cargo test -p whodunit-daemon --test api restore`.

mod damage;
mod log;

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};
use whodunit_core::command::{Decision, Outcome};
use whodunit_core::transfer::Line;

use self::damage::{Dice, damage};
use self::log::Log;
use crate::support::{Api, create_user, suspend};

/// A log of users with rejected commands between them, and of streams without rules.
async fn source() -> Api {
    let api = Api::start();
    for n in 0..60 {
        let stream = format!("user-{}", n % 12);
        let command = match n % 5 {
            0 | 1 => create_user(&format!("name{n}")),
            2 => suspend("odd"),
            3 => {
                json!({"type": "ChangeName", "actor": "a", "payload": {"first_name": format!("N{n}")}})
            }
            _ => json!({"type": "DeleteUser", "actor": "job", "reason": "clean-up"}),
        };
        // Accepted or rejected: both belong to an export.
        api.command(&stream, &command).await;
        if n % 2 == 0 {
            api.fact(&format!("door-{}", n % 3), "Opened", json!({"n": n}))
                .await;
        }
    }
    api
}

/// An export of the source, under ids that the target does not draw as well; a real one never would.
async fn exported(query: &str) -> String {
    let source = source().await;
    let draw = source.get(&format!("/v1/export{query}")).await.text;
    let renamed = Api::start();
    let draw = draw.replace("\"id-", "\"from-source-");
    let report = renamed
        .post_text("/v1/import", "application/x-ndjson", &draw)
        .await
        .ok();
    assert_eq!(report["failed"], 0, "{report}");
    renamed.get(&format!("/v1/export{query}")).await.text
}

/// Writes beside an import until it is told to stop, to streams of its own and to one of the file's.
async fn write_beside(api: &Api, stop: &tokio::sync::Notify) {
    let mut n = 0;
    let stopped = stop.notified();
    tokio::pin!(stopped);
    loop {
        n += 1;
        let stream = if n % 4 == 0 {
            "door-2".to_owned()
        } else {
            format!("other-{}", n % 3)
        };
        let work = async {
            api.fact(&stream, "Beside", json!({"n": n})).await;
            if n % 5 == 0 {
                api.command(&format!("user-w{n}"), &create_user(&format!("writer{n}")))
                    .await;
            }
        };
        tokio::select! {
            () = work => {}
            () = &mut stopped => return,
        }
    }
}

/// Imports, with a writer beside it or without. `None` where the file was refused whole.
async fn import(api: &Api, lines: &[String], beside: bool) -> Option<Value> {
    let body = lines.join("\n");
    let stop = tokio::sync::Notify::new();
    let import = async {
        let report = api
            .post_text("/v1/import", "application/x-ndjson", &body)
            .await;
        stop.notify_one();
        if report.status == 409 {
            report.problem(409, "redacted_export");
            return None;
        }
        Some(report.ok())
    };
    if beside {
        tokio::join!(import, write_beside(api, &stop)).0
    } else {
        import.await
    }
}

/// What must hold of a log after a damaged export of another was imported into it.
fn check(before: &Log, after: &Log, report: &Value, lines: &[String]) -> Result<(), String> {
    let count = |field: &str| report[field].as_u64().unwrap();
    let accounted = ["added", "repeated", "decisions", "skipped", "failed"].map(count);
    // Lines that a file says of itself are no records, as long as they can be read.
    let own =
        |line: &&String| line.starts_with(r#"{"export"#) && Line::parse(line.as_bytes()).is_ok();
    let records = (lines.len() - lines.iter().filter(own).count()) as u64;
    if count("read") != records || accounted.iter().sum::<u64>() != records {
        return Err(format!("{records} records, but {accounted:?}"));
    }
    let reasons = report["errors"].as_array().unwrap();
    let told: u64 = reasons
        .iter()
        .map(|error| error["count"].as_u64().unwrap())
        .sum();
    if told != count("failed") {
        return Err(format!("{told} of {} failures are told", count("failed")));
    }
    let revisions: HashMap<_, _> = before
        .events
        .iter()
        .map(|event| (&event.event_id, (&event.stream, event.revision)))
        .collect();
    for event in &after.events {
        if let Some((stream, revision)) = revisions.get(&event.event_id)
            && **stream == event.stream
            && *revision != event.revision
        {
            return Err(format!(
                "{} moved from revision {revision} to {}",
                event.event_id, event.revision
            ));
        }
    }
    let known: HashMap<_, _> = before
        .decisions
        .iter()
        .map(|decision| (&decision.command_id, decision))
        .collect();
    for decision in &after.decisions {
        if !after.fits(decision) {
            return Err(format!("its numbers do not fit: {decision:?}"));
        }
        if let Some(source) = known.get(&decision.command_id)
            && source.stream == decision.stream
            && before.names(source) != after.names(decision)
        {
            return Err(format!(
                "it names {:?}, not {:?}: {decision:?}",
                after.names(decision),
                before.names(source)
            ));
        }
    }
    Ok(())
}

/// Whether a report lets its reader know that the file is not what was exported.
fn told(report: &Value) -> bool {
    report["failed"] != 0 || report["incomplete"] == true || report["changed"] == true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_export_never_leads_to_a_wrong_decision_nor_to_a_silent_loss() {
    under_fire("?reveal=true", times(80)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_does_a_damaged_redacted_export() {
    under_fire("", times(30)).await;
}

fn times(by_default: u64) -> u64 {
    let asked = std::env::var("WHODUNIT_RESTORES").ok();
    asked.map_or(by_default, |times| times.parse().unwrap())
}

/// Damages an export so often, each time in other ways, and imports it.
async fn under_fire(query: &str, times: u64) {
    let whole = exported(query).await;
    let whole_lines: Vec<String> = whole.lines().map(str::to_owned).collect();
    let reference = Api::start();
    let report = import(&reference, &whole_lines, false).await.unwrap();
    assert!(!told(&report), "{report}");
    let before = Log::from_view(&*reference.daemon.store().view().unwrap());
    let rejected = |decision: &&Decision| matches!(decision.result, Outcome::Rejected { .. });
    assert!(before.decisions.iter().filter(rejected).count() > 10);
    let mut restored = 0;
    for seed in 1..=times {
        let mut dice = Dice(u64::wrapping_mul(seed, 0x9E37_79B9_7F4A_7C15));
        let mut lines = whole_lines.clone();
        let damages = dice.roll(4);
        let done: Vec<_> = (0..damages)
            .map(|_| damage(&mut lines, &mut dice))
            .collect();
        let beside = dice.roll(2) == 0;
        let api = Api::start();
        let report = import(&api, &lines, beside).await;
        let after = Log::from_view(&*api.daemon.store().view().unwrap());
        let Some(report) = report else {
            // Redacted values and another writer's history do not go together; nothing of the file is in.
            let own = before.events.iter().map(|event| &event.event_id);
            let own: HashSet<_> = own.collect();
            let none = after
                .events
                .iter()
                .all(|event| !own.contains(&event.event_id));
            assert!(none || lines[0] != whole_lines[0], "{query}, seed {seed}");
            continue;
        };
        let damaged = lines != whole_lines;
        if damaged || !beside {
            assert_eq!(
                told(&report),
                damaged,
                "{query}, seed {seed}, {done:?}: {report}"
            );
        }
        if let Err(wrong) = check(&before, &after, &report, &lines) {
            panic!("{query}, seed {seed}, {done:?}, beside {beside}: {wrong}\n{report}");
        }
        restored += after.decisions.len();
        if damages == 0 && !beside {
            assert_eq!(
                (&report["failed"], &report["renumbered"]),
                (&json!(0), &json!(0))
            );
        }
    }
    // Most of what was not damaged did come in, where the file was not refused whole.
    let least = if query.is_empty() { 4 } else { 2 };
    assert!(
        restored > usize::try_from(times).unwrap() * before.decisions.len() / least,
        "{restored}"
    );
}

#[tokio::test]
async fn decisions_of_exports_that_do_not_name_events_are_placed_by_position() {
    let source = source().await;
    let whole = source.get("/v1/export?reveal=true").await.text;
    let mut lines: Vec<_> = whole.lines().collect();
    let framed = (lines.remove(0), lines.pop());
    assert!(framed.0.starts_with(r#"{"export":"#) && framed.1.is_some());
    let old: Vec<String> = lines
        .into_iter()
        .map(|line| {
            let mut value: Value = serde_json::from_str(line).unwrap();
            if let Some(decision) = value.get_mut("decision").and_then(Value::as_object_mut) {
                for field in ["event_ids", "base_event_id", "base_stream_event_id"] {
                    decision.shift_remove(field);
                }
            }
            value.to_string()
        })
        .collect();
    let target = Api::start();
    let report = import(&target, &old, false).await.unwrap();
    assert!(!told(&report), "{report}");
    assert_eq!(target.get("/v1/export?reveal=true").await.text, whole);
    // Without the line of an event, its decision stays out as well.
    let at = old
        .iter()
        .position(|line| line.contains("UserCreated"))
        .unwrap();
    let mut damaged = old.clone();
    damaged.remove(at);
    let target = Api::start();
    let report = import(&target, &damaged, false).await.unwrap();
    let before = Log::from_view(&*source.daemon.store().view().unwrap());
    let after = Log::from_view(&*target.daemon.store().view().unwrap());
    check(&before, &after, &report, &damaged).unwrap();
    assert!(report["failed"].as_u64().unwrap() > 0);
}
