//! Redacted exports: what they say of themselves, and where they may go.

use std::sync::Arc;

use serde_json::{Value, json};
use whodunit_daemon::Config;
use whodunit_daemon::builtin;
use whodunit_daemon::passwords::Cost;
use whodunit_daemon::store::engine::{LoggedStore, StoreOptions};

use crate::support::{Api, create_user, suspend};

async fn import(api: &Api, query: &str, lines: &str) -> crate::support::Reply {
    api.post_text(&format!("/v1/import{query}"), "application/x-ndjson", lines)
        .await
}

async fn source() -> Api {
    let api = Api::start();
    api.fact("door-1", "Opened", json!({"n": 1})).await;
    api.user("user-1", "sarah").await;
    api.command("user-2", &create_user("sarah"))
        .await
        .problem(422, "rejected");
    api.command("user-1", &suspend("odd")).await.ok();
    api.fact("door-1", "Closed", json!({"n": 2})).await;
    api
}

async fn redacted_export(api: &Api) -> String {
    let reply = api.get("/v1/export").await;
    assert_eq!(reply.headers["whodunit-redacted"], "true");
    reply.text.replace("\"id-", "\"from-source-")
}

/// All but the last line: the digest there is that of the source's own ids.
fn records(export: &str) -> Vec<&str> {
    let mut lines: Vec<_> = export.lines().collect();
    assert!(lines.pop().unwrap().starts_with(r#"{"export_end":"#));
    if lines
        .first()
        .is_some_and(|line| line.starts_with(r#"{"export":"#))
    {
        lines.remove(0);
    }
    lines
}

#[tokio::test]
async fn a_redacted_export_says_so_first_and_counts_what_follows() {
    let api = source().await;
    let lines = redacted_export(&api).await;
    assert!(!lines.contains("$argon2id"));
    let mut lines = lines.lines();
    let header: Value = serde_json::from_str(lines.next().unwrap()).unwrap();
    let store = api.get("/v1/health").await.ok()["store_id"].clone();
    assert_eq!(
        header,
        json!({"export": {"redacted": true, "events": 4, "decisions": 3, "store_id": store}})
    );
    let end: Value = serde_json::from_str(lines.next_back().unwrap()).unwrap();
    assert_eq!(end["export_end"]["events"], 4);
    assert_eq!(lines.count(), 7);
    let events = api.get("/v1/export?decisions=false").await.text;
    assert!(events.starts_with(r#"{"export":{"redacted":true,"events":4,"decisions":0,"#));
    let some = api.get("/v1/export?category=door").await.text;
    assert!(some.starts_with(r#"{"export":{"redacted":true,"events":null,"decisions":null,"#));
    let whole = api.get("/v1/export?reveal=true").await;
    assert_eq!(whole.headers["whodunit-redacted"], "false");
    assert!(
        whole
            .text
            .starts_with(r#"{"export":{"redacted":false,"events":4,"decisions":3,"#)
    );
}

#[tokio::test]
async fn into_an_empty_store_it_goes_as_a_redacted_copy_labelled_everywhere() {
    let lines = redacted_export(&source().await).await;
    let copy = Api::start();
    assert_eq!(copy.get("/v1/health").await.ok()["redacted_copy"], false);
    let report = import(&copy, "", &lines).await.ok();
    let got = [
        "read",
        "added",
        "decisions",
        "failed",
        "renumbered",
        "missing",
    ];
    assert_eq!(
        got.map(|field| report[field].as_u64().unwrap()),
        [7, 4, 3, 0, 0, 0]
    );
    assert_eq!(report["redacted_copy"], true);
    let health = copy.get("/v1/health").await;
    assert_eq!(health.headers["whodunit-redacted-copy"], "true");
    assert_eq!(health.ok()["redacted_copy"], true);
    let streams = copy.get("/v1/streams").await;
    assert_eq!(streams.headers["whodunit-redacted-copy"], "true");
    for path in ["state", "steps", "diff?from=0&to=1"] {
        let reply = copy.get(&format!("/v1/streams/user-1/{path}")).await.ok();
        assert_eq!(reply["warnings"][0]["code"], "redacted_copy", "{path}");
    }
    // Everything in its place, out again as it came in, and redacted even where secrets are asked for.
    assert_eq!(records(&copy.get("/v1/export").await.text), records(&lines));
    let revealed = copy.get("/v1/export?reveal=true").await;
    assert_eq!(revealed.headers["whodunit-redacted"], "true");
    assert!(revealed.text.starts_with(r#"{"export":{"redacted":true"#));
    // Again: nothing new.
    let report = import(&copy, "", &lines).await.ok();
    assert_eq!(
        (&report["repeated"], &report["failed"]),
        (&json!(7), &json!(0))
    );
    // The copy of a copy.
    let again = Api::start();
    import(&again, "", &revealed.text).await.ok();
    assert_eq!(
        records(&again.get("/v1/export").await.text),
        records(&lines)
    );
}

#[tokio::test]
async fn the_label_outlives_the_daemon() {
    let lines = redacted_export(&source().await).await;
    let directory = tempfile::tempdir().unwrap();
    let copy = Api::start_in(directory.path());
    import(&copy, "", &lines).await.ok();
    copy.daemon.close().await.unwrap();
    drop(copy);
    let copy = Api::start_in(directory.path());
    assert_eq!(copy.get("/v1/health").await.ok()["redacted_copy"], true);
}

#[tokio::test]
async fn it_never_goes_into_a_log_with_other_history_in_silence() {
    let lines = redacted_export(&source().await).await;
    let api = Api::start();
    api.fact("other-1", "Happened", json!({})).await;
    let problem = import(&api, "", &lines)
        .await
        .problem(409, "redacted_export");
    assert!(problem["hint"].as_str().unwrap().contains("empty store"));
    assert_eq!(api.head(), (1, 0));
    // Without its first line it is known by its lines; what stands beside redacted events is not closed up over them.
    let headless: Vec<_> = lines.lines().skip(1).collect();
    let report = import(&api, "", &headless.join("\n")).await.ok();
    assert_eq!(report["redacted_copy"], false);
    let stream = api.get("/v1/streams/user-1").await;
    stream.problem(404, "no_such_stream");
    let reasons = report["errors"].to_string();
    assert!(reasons.contains("was redacted on export"), "{reasons}");
    assert!(
        reasons.contains("ends at revision 0 here: 1 is missing"),
        "{reasons}"
    );
    // Asked to, it does, and the log says from then on what it is.
    let report = import(&api, "?allow_redacted=true", &lines).await.ok();
    assert_eq!(
        (&report["failed"], &report["redacted_copy"]),
        (&json!(0), &json!(true))
    );
    assert_eq!(api.get("/v1/health").await.ok()["redacted_copy"], true);
}

#[tokio::test]
async fn without_its_first_line_it_still_makes_an_empty_store_a_redacted_copy() {
    let lines = redacted_export(&source().await).await;
    let headless: Vec<_> = lines.lines().skip(1).collect();
    let copy = Api::start();
    let report = import(&copy, "", &headless.join("\n")).await.ok();
    assert_eq!(
        (&report["failed"], &report["redacted_copy"]),
        (&json!(0), &json!(true))
    );
    assert_eq!(records(&copy.get("/v1/export").await.text), records(&lines));
}

/// A daemon as an operator starts it without `--model users`.
fn plain() -> Api {
    let store = LoggedStore::in_memory(StoreOptions::Relaxed).unwrap();
    let config = Config {
        models: builtin::models(&[], Cost::Light).unwrap(),
        ..Config::default()
    };
    Api::with(config, Arc::new(store))
}

#[tokio::test]
async fn without_the_model_that_wrote_it_a_redacted_copy_goes_round_as_well() {
    let lines = redacted_export(&source().await).await;
    let copy = plain();
    let report = import(&copy, "", &lines).await.ok();
    assert_eq!(
        (&report["added"], &report["decisions"], &report["failed"]),
        (&json!(4), &json!(3), &json!(0))
    );
    assert_eq!(records(&copy.get("/v1/export").await.text), records(&lines));
    let again = plain();
    let report = import(&again, "", &lines).await.ok();
    assert_eq!(report["redacted_copy"], true);
    let written = again.get("/v1/export").await.text;
    assert_eq!(records(&written), records(&lines));
}

#[tokio::test]
async fn lists_and_feeds_of_a_redacted_copy_say_so_in_their_bodies() {
    let lines = redacted_export(&source().await).await;
    let copy = Api::start();
    let before = copy.get("/v1/streams").await.ok();
    assert_eq!(before.get("redacted_copy"), None);
    import(&copy, "", &lines).await.ok();
    for path in [
        "streams",
        "streams/user-1/events",
        "events",
        "decisions",
        "categories",
        "models",
        "projections",
        "read-models",
    ] {
        let page = copy.get(&format!("/v1/{path}")).await.ok();
        assert_eq!(page["redacted_copy"], true, "{path}");
    }
}

#[tokio::test]
async fn a_redacted_copy_takes_commands_but_never_answers_for_a_password_it_does_not_hold() {
    let lines = redacted_export(&source().await).await;
    let copy = Api::start();
    import(&copy, "", &lines).await.ok();
    let reactivate = json!({"type": "ReactivateUser", "actor": "a", "reason": "back"});
    copy.command("user-1", &reactivate).await.ok();
    let (_, decisions) = copy.head();
    let change = json!({"type": "ChangePassword", "actor": "sarah",
        "payload": {"current_password": "correct horse", "new_password": "battery staple"}});
    let problem = copy.command("user-1", &change).await;
    let problem = problem.problem(409, "redacted_copy");
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("no password can be compared")
    );
    assert_eq!(copy.head().1, decisions, "no wrong decision is on record");
    // The command that created her, sent again: whether it is the same cannot be told here.
    let id = copy.get("/v1/decisions?stream=user-1").await.ok()["items"][0]["command_id"].clone();
    let mut again = create_user("sarah");
    again["command_id"] = id;
    copy.command("user-1", &again)
        .await
        .problem(409, "redacted_copy");
    // A password set in the copy is as good as any.
    copy.command("user-9", &create_user("newcomer")).await.ok();
    let wrong = copy.command("user-9", &change).await;
    assert_eq!(wrong.problem(422, "rejected")["rule"], "password.incorrect");
}
