//! Back-tests over HTTP: other rules, what they change, and what they are refused for.

use serde_json::{Value, json};

use crate::support::{Api, Reply};

/// The lines of an answer, by their kind.
fn lines(reply: &Reply) -> Vec<(String, Value)> {
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(reply.headers["content-type"], "application/x-ndjson");
    let text = &reply.text;
    let line = |line: &str| {
        let value: Value = serde_json::from_str(line).unwrap();
        let (kind, told) = value.as_object().unwrap().iter().next().unwrap();
        (kind.clone(), told.clone())
    };
    text.lines().map(line).collect()
}

fn of<'a>(lines: &'a [(String, Value)], kind: &str) -> Vec<&'a Value> {
    let fits = lines.iter().filter(|(of, _)| of == kind);
    fits.map(|(_, told)| told).collect()
}

async fn backtest(api: &Api, body: &Value) -> (Vec<(String, Value)>, Value) {
    let lines = lines(&api.post("/v1/backtest", body).await);
    let (kind, end) = lines.last().unwrap().clone();
    assert_eq!(kind, "end", "{end}");
    (lines, end)
}

/// Sarah is suspended, deleted by a job, and Bert takes her address, which is free then.
async fn incident(api: &Api) {
    for (stream, name) in [("user-1", "sarah"), ("user-2", "anna"), ("user-3", "bert")] {
        api.user(stream, name).await;
    }
    let give = async |at: &str, stream: &str, command: Value| {
        api.clock.set(at);
        api.command(stream, &command).await
    };
    let suspend = json!({"type": "SuspendUser", "payload": {}, "actor": "fraud-scan", "reason": "fraud_detected"});
    give("2025-03-20T03:00:00Z", "user-1", suspend).await.ok();
    let rename = json!({"type": "ChangeName", "payload": {"first_name": "S"}, "actor": "sarah"});
    give("2025-03-21T03:00:00Z", "user-1", rename)
        .await
        .problem(422, "rejected");
    let delete =
        json!({"type": "DeleteUser", "payload": {}, "actor": "job:clean-up", "reason": "inactive"});
    let deleted = give("2025-03-24T15:47:23Z", "user-1", delete).await.ok();
    let cause = &deleted["events"][0]["event_id"];
    let tell = json!({"type": "ChangeName", "payload": {"last_name": "told"}, "actor": "job:tell", "causation_id": cause});
    give("2025-03-24T15:47:24Z", "user-2", tell).await.ok();
    let email = deleted_email(api).await;
    let take = json!({"type": "ChangeEmail", "payload": {"email": email}, "actor": "bert"});
    give("2025-03-25T09:00:00Z", "user-3", take).await.ok();
}

async fn deleted_email(api: &Api) -> Value {
    let state = api.get("/v1/streams/user-1/state?at_revision=1").await.ok();
    state["state"]["email"].clone()
}

fn no_job_deletes() -> Value {
    json!({"model": "users", "forbid": [{"command": "DeleteUser", "actor": "job:*", "status": "suspended",
        "rule": "job.may_not_delete"}]})
}

#[tokio::test]
async fn a_changed_decision_changes_what_later_ones_see() {
    let api = Api::start();
    incident(&api).await;
    let head = api.head();
    let (lines, end) = backtest(&api, &json!({"rules": no_job_deletes()})).await;
    let changes: Vec<Value> = of(&lines, "change")
        .iter()
        .map(|change| {
            json!([
                change["stream"],
                change["type"],
                change["kind"],
                change["rule"],
                change["was"]["outcome"]
            ])
        })
        .collect();
    assert_eq!(
        json!(changes),
        json!([
            [
                "user-1",
                "DeleteUser",
                "accepted_to_refused",
                "job.may_not_delete",
                "accepted"
            ],
            ["user-2", "ChangeName", "not_issued", null, "accepted"],
            [
                "user-3",
                "ChangeEmail",
                "accepted_to_refused",
                "email.taken",
                "accepted"
            ],
        ])
    );
    assert_eq!(
        end["counts"],
        json!({"same": 5, "accepted_to_refused": 2, "refused_to_accepted": 0, "changed": 0, "not_issued": 1, "frozen": 0})
    );
    assert_eq!(
        (&end["looked_at"], &end["streams_changed"]),
        (&json!(8), &json!(3))
    );
    assert_eq!(end["same_rules"], false);
    let named = |groups: &Value| {
        let groups = groups.as_array().unwrap().iter();
        groups
            .map(|group| group["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        named(&end["by_rule"]),
        ["", "email.taken", "job.may_not_delete"]
    );
    assert!(named(&end["by_day"]).contains(&"2025-03-24".to_owned()));
    let streams = of(&lines, "stream");
    assert_eq!(
        streams[0],
        &json!({"stream": "user-1", "first_divergence": 3, "decision": 6, "differs_at_end": true})
    );
    assert_eq!(
        (
            &end["run"]["kind"],
            &end["run"]["status"],
            &end["run"]["done"]
        ),
        (&json!("backtest"), &json!("completed"), &json!(8))
    );
    assert!(!json!(lines).to_string().contains("$argon2id"));
    assert_eq!(api.head(), head, "nothing was written");
}

#[tokio::test]
async fn a_range_is_decided_by_the_other_rules_and_what_it_reaches_by_those_in_use() {
    let api = Api::start();
    incident(&api).await;
    let by_job =
        json!({"rules": no_job_deletes(), "actor": "job:c*", "since": "2025-03-24T00:00:00Z"});
    let (lines, end) = backtest(&api, &by_job).await;
    assert_eq!(end["counts"]["accepted_to_refused"], 1);
    assert_eq!(
        (
            &end["outside"]["accepted_to_refused"],
            &end["outside"]["not_issued"]
        ),
        (&json!(1), &json!(1))
    );
    let in_range: Vec<&Value> = of(&lines, "change")
        .iter()
        .map(|change| &change["in_range"])
        .collect();
    assert_eq!(json!(in_range), json!([true, false, false]));
    // Each says where in its stream it stands.
    let changes = of(&lines, "change");
    let bases: Vec<&Value> = changes
        .iter()
        .map(|change| &change["base_revision"])
        .collect();
    assert_eq!(json!(bases), json!([2, 1, 1]));
    let before = json!({"rules": no_job_deletes(), "until": "2025-03-24T15:47:22Z"});
    let (lines, end) = backtest(&api, &before).await;
    assert!(of(&lines, "change").is_empty());
    assert_eq!(end["counts"]["same"], 5);
    assert_eq!(
        end["answer"],
        "5 commands were decided again: no outcome has changed."
    );
    // Of no command it is not said that it is decided as it was.
    let none = json!({"rules": no_job_deletes(), "actor": "job:none"});
    let answer = backtest(&api, &none).await.1["answer"].clone();
    let answer = answer.as_str().unwrap();
    assert!(
        answer.starts_with("No recorded command is in the range"),
        "{answer}"
    );
    let kept = json!({"rules": no_job_deletes(), "causes": "keep"});
    assert_eq!(backtest(&api, &kept).await.1["counts"]["not_issued"], 0);
}

#[tokio::test]
async fn under_the_same_rules_it_is_empty() {
    let api = Api::start();
    incident(&api).await;
    for rules in [
        json!({}),
        json!({"lengths": {"username_min": 3}, "rules": {"email.invalid": true}}),
    ] {
        let (lines, end) = backtest(&api, &json!({"rules": rules})).await;
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert_eq!(
            (&end["same_rules"], &end["counts"]["same"]),
            (&json!(true), &json!(8))
        );
        assert_eq!(end["rules_hash"], end["rules_in_use"]);
    }
}

#[tokio::test]
async fn what_is_refused_before_becomes_accepted() {
    let api = Api::start();
    incident(&api).await;
    let (lines, end) = backtest(
        &api,
        &json!({"rules": {"rules": {"user.suspended": false}}}),
    )
    .await;
    let changes = of(&lines, "change");
    assert_eq!(changes.len(), 1);
    assert_eq!(
        (&changes[0]["kind"], &changes[0]["events"]),
        (&json!("refused_to_accepted"), &json!(["UserNameChanged"]))
    );
    assert_eq!(end["by_rule"][0]["name"], "user.suspended");
    assert_eq!(end["without_reactions"], 1);
    // How long the passwords were is not on record.
    let (_, end) = backtest(&api, &json!({"rules": {"lengths": {"password_min": 12}}})).await;
    assert_eq!(
        (&end["counts"]["frozen"], &end["frozen"][0]["count"]),
        (&json!(3), &json!(3))
    );
    assert!(
        end["frozen"][0]["reason"]
            .as_str()
            .unwrap()
            .contains("12 characters")
    );
}

#[tokio::test]
async fn rules_that_are_not_known_are_refused_with_their_place() {
    let api = Api::start();
    for (rules, field, hint) in [
        (json!({"forbit": []}), "/rules/forbit", "`forbid`"),
        (
            json!({"forbid": [{"command": "DeleteUsr"}]}),
            "/rules/forbid/0/command",
            "`DeleteUser`",
        ),
        (json!({"model": "orders"}), "/rules/model", "`users`"),
    ] {
        let problem = api.post("/v1/backtest", &json!({"rules": rules})).await;
        let problem = problem.problem(400, "malformed");
        assert_eq!(problem["field"], field);
        assert!(
            problem["hint"].as_str().unwrap().contains(hint),
            "{problem}"
        );
    }
    let times =
        json!({"rules": {}, "since": "2025-03-02T00:00:00Z", "until": "2025-03-01T00:00:00Z"});
    api.post("/v1/backtest", &times)
        .await
        .problem(400, "malformed");
    let other = json!({"rules": {}, "category": "order"});
    assert_eq!(
        api.post("/v1/backtest", &other)
            .await
            .problem(400, "malformed")["field"],
        "/category"
    );
    api.post("/v1/backtest", &json!({"rules": {}, "actors": "x"}))
        .await
        .problem(400, "malformed");
}

#[tokio::test]
async fn a_what_if_takes_other_rules_from_its_base_on() {
    let api = Api::start();
    incident(&api).await;
    let ask = async |body: Value| api.post("/v1/what-if", &body).await.ok();
    let out = ask(json!({"stream": "user-1", "at_revision": 0, "rules": no_job_deletes(), "continue": "redecide"})).await;
    let flips: Vec<&Value> = out["flips"]
        .as_array()
        .unwrap()
        .iter()
        .map(|flip| &flip["type"])
        .collect();
    assert_eq!(
        json!(flips),
        json!(["DeleteUser", "ChangeName", "ChangeEmail"])
    );
    assert_eq!(out["state"]["status"], "suspended");
    assert_ne!(
        out["rules_hash"],
        ask(json!({"stream": "user-1"})).await["rules_hash"]
    );
    let later =
        ask(json!({"stream": "user-1", "rules": no_job_deletes(), "continue": "redecide"})).await;
    assert!(
        later["flips"].as_array().unwrap().is_empty(),
        "what came before the base stays"
    );
    let delete =
        json!({"command": {"type": "DeleteUser", "payload": {}, "actor": "job:x", "reason": "r"}});
    for (rules, outcome) in [(no_job_deletes(), "rejected"), (json!({}), "accepted")] {
        let asked = json!({"stream": "user-1", "at_revision": 2, "rules": rules, "do": [delete]});
        assert_eq!(ask(asked).await["steps"][0]["outcome"], outcome);
    }
    let wrong = json!({"stream": "user-1", "rules": {"forbit": []}});
    let problem = api
        .post("/v1/what-if", &wrong)
        .await
        .problem(400, "malformed");
    assert_eq!(problem["field"], "/rules/forbit");
}
