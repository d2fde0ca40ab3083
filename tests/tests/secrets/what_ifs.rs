//! Passwords in what-ifs: nothing is recorded, and nothing is kept.

use serde_json::{Value, json};
use whodunit_tests::{Daemon, whodunit};

use super::{CANARIES, NUMBER, files, find, find_nothing};

/// Passwords in a what-if, in the right fields and in any others, quoted or not.
fn what_ifs() -> Vec<Value> {
    let [first, second, wrong, _] = CANARIES;
    let change = |current: Value, new: Value| json!({"type": "ChangePassword", "actor": "api", "reason": "test", "payload": {"current_password": current, "new_password": new}});
    let on = |action: Value| json!({"stream": "user-sarah", "do": [action]});
    let good = change(json!(wrong), json!(second));
    let create = json!({"type": "CreateUser", "actor": "api", "payload": {"username": "other", "email": "o@example.com",
        "first_name": "O", "last_name": "T", "password": first}});
    let mut all = vec![
        json!({"stream": "user-new", "at_revision": 0, "do": [{"command": create}, {"command": change(json!(first), json!(second))}]}),
        json!({"stream": "user-sarah", "at_revision": 0, "do": [{"command": create}], "continue": "refold"}),
        on(json!({"event": {"event_type": "X", "data": {"a": [{"password": first}]}}})),
        on(
            json!({"event": {"event_type": "X", "data": {}, "metadata": {"a": {"new_password": second}}}}),
        ),
        on(json!({"event": {"event_type": "X", "data": {}, "password": first}})),
        on(json!({"event": {"event_type": "X", "data": first}})),
        json!({"stream": "user-sarah", "edits": [{"replace": {"revision": 1, "data": {"password": first}}}]}),
        json!({"stream": "user-sarah", "edits": [{"insert": {"after_revision": 1, "event_type": "X", "data": {"x": {"current_password": NUMBER}}}}]}),
        json!({"stream": "user-sarah", "edits": [{"insert": {"after_revision": 1, "event_type": "X", "data": wrong}}]}),
        json!({"stream": "user-sarah", "password_correct": first, "do": []}),
        json!({"stream": "user-sarah", "password": first, "do": []}),
        on(change(json!(first), json!(second))),
    ];
    // Of the wrong kind, nested, as numbers.
    for odd in [
        json!(NUMBER),
        json!([first]),
        json!({"x": {"y": second}}),
        Value::Null,
        json!(first.repeat(100)),
    ] {
        all.push(on(json!({"command": change(odd.clone(), json!(second))})));
        all.push(on(json!({"command": change(json!(first), odd)})));
    }
    for supposed in [
        json!(true),
        json!(false),
        Value::Null,
        json!(first),
        json!(NUMBER),
    ] {
        let mut command = good.clone();
        command["password_correct"] = supposed;
        all.push(on(json!({ "command": command })));
    }
    // Where a password does not belong.
    for field in [
        "password",
        "metadata",
        "payload",
        "expected_revision",
        "edits",
    ] {
        for value in [json!(first), json!({"password": second}), json!(NUMBER)] {
            if field == "expected_revision" && value.is_number() {
                // It is a revision then, and an answer may name it.
                continue;
            }
            let mut command = good.clone();
            command[field] = value;
            all.push(on(json!({ "command": command })));
        }
    }
    for field in ["email", "password", "username"] {
        let mut command = good.clone();
        command["payload"][field] = json!(first);
        all.push(on(json!({ "command": command })));
    }
    all
}

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "one table of every way a password could leak"
)]
async fn a_password_in_a_what_if_is_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut args = vec![
        "--listen",
        "127.0.0.1:0",
        "--model",
        "users",
        "--log-level",
        "trace",
    ];
    args.extend(["--data", data.to_str().unwrap()]);
    let daemon = Daemon::run("whodunitd", &args, None).unwrap();
    let [first, second, wrong, _] = CANARIES;
    let user = json!({"username": "sarah", "email": "sarah@example.com", "first_name": "S", "last_name": "K", "password": first});
    let create = json!({"type": "CreateUser", "payload": user, "actor": "api"});
    let created = daemon
        .post("/v1/streams/user-sarah/commands", &create)
        .await;
    assert_eq!(created.unwrap().0, 200);
    let (mut run, mut refused) = (0, 0);
    for body in what_ifs() {
        for path in ["/v1/what-if?steps=all", "/v1/what-if?reveal=true"] {
            let (status, answer) = daemon.post(path, &body).await.unwrap();
            let text = answer.to_string();
            match status {
                200 => run += 1,
                400..500 => refused += 1,
                _ => panic!("{status}: {text}"),
            }
            find(text.as_bytes(), &format!("the reply to {body}"));
            if !path.contains("reveal") {
                assert!(
                    !text.contains("$argon2"),
                    "a hash stands in the reply to {body}"
                );
            }
        }
    }
    assert!(run >= 10 && refused >= 40, "{run} {refused}");
    let given = json!({"current_password": wrong, "new_password": second}).to_string();
    let file = folder.path().join("what-if.json");
    std::fs::write(&file, json!({"stream": "user-sarah", "do": [{"command": {"type": "ChangePassword", "payload": first}}]}).to_string()).unwrap();
    let command = format!("--command=ChangePassword={given}");
    let broken = format!("--command=ChangePassword={}", given.trim_end_matches('}'));
    let event = format!("--event=X={given}");
    let replace = format!("--replace=1={given}");
    let on_file = format!("--file={}", file.display());
    for (args, expected) in [
        (vec!["what-if", "user-sarah", &command], 1),
        (
            vec!["what-if", "user-sarah", &command, "--password-correct=yes"],
            0,
        ),
        (
            vec![
                "what-if",
                "user-sarah",
                &command,
                "--password-correct=no",
                "--json",
            ],
            1,
        ),
        (vec!["what-if", "user-sarah", &broken], 2),
        (vec!["what-if", "user-sarah", &event], 2),
        (vec!["what-if", "user-sarah", &replace], 2),
        (vec!["what-if", &on_file], 2),
    ] {
        let (code, out, err) = whodunit(daemon.url(), &args);
        assert_eq!(code, expected, "{args:?}: {out}{err}");
        find_nothing(out.as_bytes(), &format!("what {args:?} prints"));
        find_nothing(err.as_bytes(), &format!("what {args:?} prints as an error"));
    }
    for path in [
        "/v1/events",
        "/v1/decisions",
        "/v1/export",
        "/v1/streams",
        "/v1/health",
        "/metrics",
    ] {
        let answer = reqwest::get(format!("{}{path}", daemon.url()))
            .await
            .unwrap();
        find_nothing(answer.text().await.unwrap().as_bytes(), path);
    }
    let (status, log) = daemon.stop().unwrap();
    assert!(status.success());
    assert!(log.contains("what-if"), "it would be found there: {log}");
    find_nothing(log.as_bytes(), "the log");
    for path in files(folder.path()) {
        if path != file {
            find(&std::fs::read(&path).unwrap(), &path.display().to_string());
        }
    }
}
