//! What `backtest`, `inevitable`, `minimal` and `undo-plan` print and how they end, against a server that says exactly what it is told to.

use serde_json::{Value, json};

use super::Exit;
use super::investigate_tests::say;
use crate::client::tests::reply;

fn lines(lines: &[Value]) -> Vec<u8> {
    let lines: Vec<String> = lines.iter().map(|line| format!("{line}\n")).collect();
    reply(200, "application/x-ndjson", &lines.concat())
}

fn run(kind: &str) -> Value {
    json!({"kind": kind, "id": 1, "of": "users", "status": "completed", "done": 8, "total": 8, "jobs": 0, "events_per_second": 0.0,
        "seconds_left": null, "started_at": "2025-03-24T15:47:23Z", "ended_at": "2025-03-24T15:47:23Z", "error": null})
}

fn counts(same: u64, refused: u64) -> Value {
    json!({"same": same, "accepted_to_refused": refused, "refused_to_accepted": 0, "changed": 0, "not_issued": 0, "frozen": 0})
}

fn change() -> Value {
    json!({"change": {"kind": "accepted_to_refused", "decision": 6, "position": 6, "command_id": "c6", "stream": "user-1", "type": "DeleteUser",
        "actor": "job:clean-up", "decided_at": "2025-03-24T15:47:23Z", "was": {"outcome": "accepted", "rule": null, "message": null, "events": 1},
        "base_revision": 3, "was_events": ["UserDeleted"], "outcome": "rejected", "rule": "job.may_not_delete", "message": "no", "events": [], "in_range": true}})
}

fn backtest_end(refused: u64) -> Value {
    let group = |name: &str| json!([{"name": name, "counts": counts(0, refused)}]);
    json!({"end": {"answer": "Of 8 commands that were decided again: 1 accepted before and refused now.", "model": "users", "rules_hash": "aa",
        "rules_in_use": "bb", "same_rules": false, "position": 9, "looked_at": 8, "counts": counts(7, refused), "outside": counts(0, 0),
        "raw_refused": 0, "raw_frozen": 0, "by_rule": group("job.may_not_delete"), "by_actor": group("job:clean-up"),
        "by_type": group("DeleteUser"), "by_day": group("2025-03-24"), "frozen": [], "streams_changed": refused, "without_reactions": 0,
        "recorded_under_others": 0, "run": run("backtest")}})
}

fn found() -> Vec<u8> {
    let stream = json!({"stream": {"stream": "user-1", "first_divergence": 3, "decision": 6, "differs_at_end": true}});
    lines(&[
        change(),
        json!({"progress": run("backtest")}),
        stream,
        backtest_end(1),
    ])
}

#[tokio::test]
async fn a_back_test_prints_what_differs_and_fails_unless_it_is_approved() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (rules, approved) = (file("rules.toml"), file("approved.toml"));
    std::fs::write(&rules, "[[forbid]]\ncommand = \"DeleteUser\"\n").unwrap();
    let line = ["backtest", rules.as_str()];
    let (exit, out, _, asked) = say(&line, vec![found()]).await;
    assert_eq!(exit, Exit::No);
    assert!(
        asked[0].contains(r#""rules":{"forbid":[{"command":"DeleteUser"}]}"#),
        "{asked:?}"
    );
    let flat = out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        flat.contains("user-1 differs from revision 3 on, by decision 6"),
        "{out}"
    );
    assert!(flat.contains("1 accepted before and refused now"), "{out}");
    assert!(flat.contains("rules aa, in use bb"), "{out}");
    let saving = [line.as_slice(), &["--save-approved", &approved]].concat();
    assert_eq!(say(&saving, vec![found()]).await.0, Exit::Ok);
    let gated = [line.as_slice(), &["--approved", &approved]].concat();
    let (exit, _, err, _) = say(&gated, vec![found()]).await;
    assert_eq!(exit, Exit::Ok, "{err}");
    assert!(err.contains("1 approved, 0 not approved"), "{err}");
    // One that does not come any more is told, and fails nothing.
    let (exit, _, err, _) = say(&gated, vec![lines(&[backtest_end(0)])]).await;
    assert_eq!(exit, Exit::Ok);
    assert!(
        err.contains("1 approved change does not happen any more"),
        "{err}"
    );
    let mut other = change();
    other["change"]["rule"] = json!("another.rule");
    assert_eq!(
        say(&gated, vec![lines(&[other, backtest_end(1)])]).await.0,
        Exit::No
    );
    let as_json = [line.as_slice(), &["--json"]].concat();
    let (exit, out, _, _) = say(&as_json, vec![found()]).await;
    assert_eq!((exit, out.lines().count()), (Exit::No, 4));
    let (exit, _, err, _) = say(&line, vec![lines(&[change()])]).await;
    assert_eq!(exit, Exit::Unreachable);
    assert!(err.contains("ended early"), "{err}");
}

#[tokio::test]
async fn a_rules_file_that_is_no_toml_is_refused_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules.toml");
    std::fs::write(&rules, "model = \"users\"\n[rules\n").unwrap();
    let (exit, _, err, asked) = say(&["backtest", rules.to_str().unwrap()], vec![]).await;
    assert_eq!((exit, asked.len()), (Exit::Usage, 0));
    assert!(err.contains("rules.toml:2:"), "{err}");
}

#[tokio::test]
async fn inevitable_prints_commands_the_curve_and_what_was_not_tried() {
    let moment = |revision: u64, day: u64, avoiding: u64| {
        json!({"revision": revision, "at": format!("2025-03-{day:02}T00:00:00Z"), "tried": 4, "legal": 4, "avoiding": avoiding, "unknown": 0,
            "example": {"type": "ReactivateUser", "payload": {}}})
    };
    let command = json!({"decision": 6, "command_id": "c6", "stream": "user-1", "type": "DeleteUser", "actor": "job:clean-up", "reason": "inactive",
        "decided_at": "2025-03-24T15:47:23Z", "base_revision": 2, "necessity": "necessary", "masked_by": null, "responsibility": 1.0});
    let end = |holds: bool| {
        json!({"end": {"answer": "1 command was necessary.", "stream": "user-1", "predicate": "/a", "revision": 3, "holds": holds,
            "commands": [command], "dropped": 3, "without_effect": 2, "all_dropped": false, "left_out": 0, "all_pairs": true,
            "moments": [moment(0, 1, 4), moment(1, 9, 2), moment(3, 20, 0)], "moments_left_out": 0, "point_of_no_return": moment(1, 9, 2),
            "commands_tried": [], "not_tried": [{"type": "CreateUser", "reason": "it takes a secret, and none is on record"}],
            "runs": 15, "asked": 40, "run": run("inevitable")}})
    };
    let line = ["inevitable", "user-1", "/status == \"deleted\""];
    let (exit, out, err, asked) = say(
        &line,
        vec![lines(&[json!({"progress": run("inevitable")}), end(true)])],
    )
    .await;
    assert_eq!(exit, Exit::Ok, "{err}");
    assert!(asked[0].contains(r#""stream":"user-1""#), "{asked:?}");
    assert!(
        out.contains('█') && out.contains("point of no return: after revision 1"),
        "{out}"
    );
    assert!(
        out.contains("necessary") && out.contains("decided again 15 times"),
        "{out}"
    );
    assert!(
        err.contains("too many commands") && err.contains("not tried: CreateUser"),
        "{err}"
    );
    let (exit, ..) = say(&line, vec![lines(&[end(false)])]).await;
    assert_eq!(exit, Exit::No);
}

#[tokio::test]
async fn minimal_and_undo_plans_print_what_is_left_and_what_to_do() {
    let end = json!({"end": {"answer": "873 events to 1, in 41 re-folds.", "stream": "user-1", "predicate": "/a", "of": "events", "holds": true,
        "before": 873, "kept": [{"stream": "user-1", "revision": 3, "position": 9, "decision": null, "type": "UserDeleted", "actor": "job:clean-up",
            "reason": "inactive", "at": "2025-03-24T15:47:23Z"}], "tests": 41, "all": true, "run": run("minimal")}});
    let (exit, out, _, asked) = say(&["minimal", "user-1", "/a == 1"], vec![lines(&[end])]).await;
    assert_eq!(exit, Exit::Ok);
    assert!(asked[0].contains(r#""of":"events""#), "{asked:?}");
    assert!(
        out.contains("873 events to 1, in 41 re-folds.") && out.contains("rules not asked"),
        "{out}"
    );
    let end = |plan: Value| {
        json!({"end": {"answer": "It was tried.", "stream": "user-1", "revision": 5, "to_revision": 2,
            "fields": [{"path": "/email", "now": "b@example.com", "wanted": "it's@x.org"}], "plan": plan, "side_effects": [],
            "commands_tried": [], "attempts": 4, "exhausted": true, "steps": 3, "run": run("undo")}})
    };
    let plan = json!({"commands": [{"type": "ChangeEmail", "payload": {"email": "it's@x.org"}}]});
    let line = [
        "undo-plan",
        "user-1",
        "--to",
        "2",
        "--field",
        "/email",
        "--actor",
        "ops",
    ];
    let (exit, out, _, _) = say(
        &[line.as_slice(), &["--json"]].concat(),
        vec![lines(&[end(plan.clone())])],
    )
    .await;
    assert_eq!(exit, Exit::Ok);
    assert!(out.contains("ChangeEmail"), "{out}");
    let (_, out, _, _) = say(&line, vec![lines(&[end(plan)])]).await;
    let flat = out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        flat.contains(r"whodunit do user-1 ChangeEmail 'email=it'\''s@x.org'"),
        "{out}"
    );
    assert_eq!(
        say(&line, vec![lines(&[end(Value::Null)])]).await.0,
        Exit::No
    );
}
