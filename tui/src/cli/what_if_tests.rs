//! From the command line to a story, and from the answer to a page.

use clap::{CommandFactory, FromArgMatches, Parser};
use serde_json::json;

use super::*;
use crate::cli::terminal::Form;

#[derive(Debug, Parser)]
struct Only {
    #[command(flatten)]
    args: WhatIfArgs,
}

fn story(line: &[&str]) -> Result<Value, String> {
    let matches = Only::command()
        .try_get_matches_from(std::iter::once(&"what-if").chain(line))
        .map_err(|error| error.to_string())?;
    let only = Only::from_arg_matches(&matches).map_err(|error| error.to_string())?;
    let stream = only.args.stream.as_ref().map(StreamArg::name);
    let stream = stream.transpose().map_err(|error| error.to_string())?;
    let story = from_args(&only.args, stream, &matches).map_err(|error| error.to_string())?;
    Ok(serde_json::to_value(story).unwrap())
}

#[test]
fn commands_and_events_keep_their_order() {
    let got = story(&[
        "user-1",
        "--at-revision=2",
        "--event=UserSuspended",
        "--command",
        r#"ChangeEmail={"email":"x=y@example.com"}"#,
        "--event=Noted={\"n\":1}",
        "--command=DeleteUser",
        "--reason=why",
        "--drop=3",
        "--replace=4={\"a\":1}",
        "--insert=0:UserCreated={}",
        "--refold",
    ])
    .unwrap();
    let types: Vec<_> = got["do"]
        .as_array()
        .unwrap()
        .iter()
        .map(|action| {
            let (kind, body) = action.as_object().unwrap().iter().next().unwrap();
            let name = body.get("type").or(body.get("event_type")).unwrap();
            format!("{kind} {} {}", name.as_str().unwrap(), body["reason"])
        })
        .collect();
    assert_eq!(
        types,
        [
            "event UserSuspended \"why\"",
            "command ChangeEmail \"why\"",
            "event Noted \"why\"",
            "command DeleteUser \"why\""
        ]
    );
    assert_eq!(
        got["do"][1]["command"]["payload"]["email"],
        "x=y@example.com"
    );
    assert_eq!(
        got["edits"],
        json!([
            {"drop": {"revision": 3}},
            {"replace": {"revision": 4, "data": {"a": 1}}},
            {"insert": {"after_revision": 0, "event_type": "UserCreated", "data": {}}}
        ])
    );
    assert_eq!(
        (&got["at_revision"], &got["continue"]),
        (&json!(2), &json!("refold"))
    );
}

#[test]
fn what_does_not_fit_is_said_where_it_stands() {
    let cases: [(&[&str], &str); 9] = [
        (
            &["user-1"],
            "nothing to try: no edit, command or event was given",
        ),
        (&["user-1", "--command=X=1"], "not an object"),
        (
            &["user-1", "--replace=3"],
            "a revision and the new data of its event are needed",
        ),
        (
            &["user-1", "--insert=x:T"],
            "does not begin with a revision",
        ),
        (&["user-1", "--insert=1:"], "the type is missing"),
        (&["user-1", "--event=={}"], "the type is missing"),
        (&["user-1", "--command=X={"], "what follows `=` is not JSON"),
        (
            &["user-1", "--at-revision=1", "--as-of=2025-03-01T00:00:00Z"],
            "cannot be used with",
        ),
        (&["user 1", "--drop=1"], "it contains ' '"),
    ];
    for (line, expected) in cases {
        let error = story(line).unwrap_err();
        assert!(error.contains(expected), "{line:?}: {error}");
    }
}

#[test]
fn a_password_in_what_does_not_fit_is_not_printed() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(
        file.path(),
        r#"{"stream":"user-1","do":[{"command":{"type":"ChangePassword","payload":"hunter2"}}]}"#,
    )
    .unwrap();
    let path = file.path().to_str().unwrap();
    assert!(
        !from_file(path.as_ref(), None)
            .unwrap_err()
            .to_string()
            .contains("hunter2")
    );
    for given in [
        r#"--command=ChangePassword={"current_password": "hunter2"#,
        r#"--command=ChangePassword="hunter2""#,
        r#"--event=Changed={"password": hunter2}"#,
        r#"--replace=hunter2={"password": "hunter2"}"#,
        r#"--replace=1="hunter2""#,
        r#"--insert=1:Changed=["hunter2"]"#,
        "--insert=hunter2",
    ] {
        let error = story(&["user-1", given]).unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
    }
}

fn step(kind: &str, name: &str, outcome: &str, revision: u64) -> Value {
    json!({"kind": kind, "type": name, "outcome": outcome, "rule": null, "message": null, "events": [], "diff": [],
        "revision": revision, "recorded_revision": null})
}

#[test]
fn a_story_shows_verdicts_and_both_worlds() {
    let mut rejected = step("command", "ChangeEmail", "rejected", 3);
    rejected["rule"] = json!("user.suspended");
    rejected["message"] = json!("a suspended user cannot change");
    let mut dropped = step("recorded", "UserSuspended", "dropped", 2);
    dropped["edited"] = json!(true);
    let out: WhatIfOut = serde_json::from_value(json!({
        "mode": "refold", "stream": "user-1", "base_revision": 4, "rules_hash": "x",
        "base": {"revision": 4, "position": 4, "at": "2025-03-24T15:47:23Z", "decision": null},
        "steps": [dropped, step("event", "UserSuspended", "applied", 3), rejected, step("recorded", "UserDeleted", "applied", 4)],
        "state": {"username": "sarah", "email": "s@new.org", "status": "suspended"}, "revision": 4,
        "actual": {"revision": 4, "state": {"username": "sarah", "email": "sarah@example.com", "status": "deleted", "deleted_at": "2025-03-24"}},
        "diff": [{"path": "/status", "op": "replace", "before": "deleted", "after": "suspended"}], "first_divergence": 3, "flips": []
    }))
    .unwrap();
    let (mut written, mut err) = (Vec::new(), Vec::new());
    let mut terminal = Terminal::new(Form::default(), &mut written, &mut err);
    print(&out, &mut terminal).unwrap();
    insta::assert_snapshot!(String::from_utf8(written).unwrap(), @r"
    what if: user-1 from revision 4, events as recorded, rules not asked (nothing is written)

    user-1 would be suspended, not deleted, with the later events as recorded.

       rev  type           as                       outcome
    -       UserSuspended  recorded, edited         dropped
    +    3  UserSuspended  event (no rules ran)     applied
    ✗       ChangeEmail    command (rules ran)      rejected  user.suspended: a suspended user cannot change
         4  UserDeleted    recorded (no rules ran)  applied

    first divergence at revision 3

       field       as it was          what if
       username    sarah              =
    ~  email       sarah@example.com  s@new.org
    ~  status      deleted            suspended
    -  deleted_at  2025-03-24         (none)
    ");
}

/// What is equal as JSON is the same in both worlds, however it is spelled.
#[test]
fn the_table_of_worlds_compares_contents_and_not_spellings() {
    let out: WhatIfOut = serde_json::from_str(
        r#"{
        "mode": "none", "stream": "order-1", "base_revision": 2, "rules_hash": "x",
        "base": {"revision": 2, "position": 2, "at": "2025-03-24T15:47:23Z", "decision": null},
        "steps": [], "revision": 2,
        "state": {"total": 1.0, "lines": {"b": 20e-1, "a": "\u0061"}, "id": 9007199254740993},
        "actual": {"revision": 2, "state": {"total": 1, "lines": {"a": "a", "b": 2}, "id": 9007199254740992}},
        "diff": [], "first_divergence": null, "flips": []}"#,
    )
    .unwrap();
    let (mut written, mut err) = (Vec::new(), Vec::new());
    let mut terminal = Terminal::new(Form::default(), &mut written, &mut err);
    print(&out, &mut terminal).unwrap();
    let written = String::from_utf8(written).unwrap();
    let row = |field: &str| -> Vec<&str> {
        let mut lines = written.lines().map(str::split_whitespace);
        let line = lines.find(|line| line.clone().any(|word| word == field));
        line.unwrap().collect()
    };
    assert_eq!(row("total"), ["total", "1", "="]);
    assert_eq!(row("lines").last(), Some(&"="));
    // A digit beyond what a double holds is a difference.
    assert_eq!(
        row("id"),
        ["~", "id", "9007199254740992", "9007199254740993"]
    );
}

/// A step that is not decided says how the command line can answer it, and not how another client would.
#[test]
fn an_unknown_outcome_says_which_option_answers_it() {
    let why = format!(
        "it depends on whether the current password is right{}. Later steps are as if this command had not been sent",
        whodunit_core::decider::SAY_PASSWORD_CORRECT
    );
    let mut unknown = step("command", "ChangePassword", "unknown", 2);
    unknown["message"] = json!(why);
    let out: WhatIfOut = serde_json::from_value(json!({
        "mode": "none", "stream": "user-1", "base_revision": 2, "rules_hash": "x",
        "base": {"revision": 2, "position": 2, "at": "2025-03-24T15:47:23Z", "decision": null},
        "steps": [unknown], "outcomes": {"accepted": 0, "rejected": 0, "applied": 0, "dropped": 0, "failed": 0, "unknown": 1},
        "state": {}, "revision": 2, "actual": {"revision": 2, "state": {}}, "diff": [], "first_divergence": null, "flips": []
    }))
    .unwrap();
    let (mut written, mut err) = (Vec::new(), Vec::new());
    let mut terminal = Terminal::new(Form::default(), &mut written, &mut err);
    print(&out, &mut terminal).unwrap();
    let written = String::from_utf8(written).unwrap();
    assert!(
        written.contains("whether the current password is right. Later steps"),
        "{written}"
    );
    assert!(
        written.contains("`--password-correct yes` or `no`"),
        "{written}"
    );
    assert!(!written.contains("password_correct"), "{written}");
}
