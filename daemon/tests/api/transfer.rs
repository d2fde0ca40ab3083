//! Export and import.

use serde_json::{Value, json};

use crate::support::{Api, Reply, create_user, suspend};

pub(crate) const NDJSON: &str = "application/x-ndjson";

pub(crate) async fn import(api: &Api, query: &str, lines: &str) -> Reply {
    api.post_text(&format!("/v1/import{query}"), NDJSON, lines)
        .await
}

pub(crate) async fn export(api: &Api, query: &str) -> String {
    let reply = api.get(&format!("/v1/export{query}")).await;
    assert_eq!(
        (reply.status, &reply.headers["content-type"]),
        (200, &NDJSON.parse().unwrap()),
        "{}",
        reply.text
    );
    reply.text
}

/// The lines of an export without its first and its last.
pub(crate) fn records(export: &str) -> impl DoubleEndedIterator<Item = &str> {
    let mut lines = export.lines();
    assert!(lines.next().unwrap().starts_with(r#"{"export":"#));
    assert!(lines.next_back().unwrap().starts_with(r#"{"export_end":"#));
    lines
}

pub(crate) fn counts(report: &Value) -> [u64; 6] {
    [
        "read",
        "added",
        "repeated",
        "decisions",
        "skipped",
        "failed",
    ]
    .map(|field| report[field].as_u64().unwrap())
}

/// Users, doors, rejections and old event types, so interleaved that order matters.
pub(crate) async fn believable(api: &Api) {
    for n in 0..40 {
        let stream = format!("user-{}", n % 10);
        api.clock
            .set(&format!("2025-03-{:02}T10:00:00Z", n % 28 + 1));
        match n / 10 {
            0 => drop(
                api.command(&stream, &create_user(&format!("name{n}")))
                    .await
                    .ok(),
            ),
            1 => drop(api.command(&stream, &suspend("odd")).await.ok()),
            2 => drop(
                api.command(&stream, &create_user("name1"))
                    .await
                    .problem(422, "rejected"),
            ),
            _ => drop(
                api.command(
                    &stream,
                    &json!({"type": "DeleteUser", "actor": "job", "reason": "clean-up"}),
                )
                .await
                .ok(),
            ),
        }
        api.fact(
            &format!("door-{}", n % 3),
            "Opened",
            json!({"n": n, "text": "ü\"\\", "f": 1.5}),
        )
        .await;
    }
    let old = json!({"events": [{"event_type": "UserStatusChanged", "schema_version": 1, "data": {"status": "suspended"}}]});
    api.append("user-77", &old).await.ok();
}

#[tokio::test]
async fn an_export_imports_into_an_empty_store_as_the_same_log() {
    let source = Api::start();
    believable(&source).await;
    let lines = export(&source, "?reveal=true").await;
    let target = Api::start();
    let report = import(&target, "", &lines).await.ok();
    assert_eq!(counts(&report), [111, 71, 0, 40, 0, 0]);
    assert_eq!(
        (&report["renumbered"], &report["head"]),
        (&json!(0), &json!(71))
    );
    let again = export(&target, "?reveal=true").await;
    assert!(records(&again).eq(records(&lines)));
    // Not only the lines: what is derived from them, too.
    for path in [
        "/v1/streams?limit=1000",
        "/v1/decisions?limit=1000",
        "/v1/categories",
        "/v1/streams/user-3/steps",
        "/v1/density",
    ] {
        assert_eq!(
            target.get(path).await.ok(),
            source.get(path).await.ok(),
            "{path}"
        );
    }
    // The keys that the users held are free again, as in the source.
    target.other_ids();
    target.command("user-new", &create_user("name3")).await.ok();
}

#[tokio::test]
async fn keys_held_in_the_export_are_held_after_the_import() {
    let source = Api::start();
    source.user("user-1", "sarah").await;
    let target = Api::start();
    import(&target, "", &export(&source, "?reveal=true").await)
        .await
        .ok();
    target.other_ids();
    let refused = target
        .command("user-2", &create_user("sarah"))
        .await
        .problem(422, "rejected");
    assert_eq!(refused["rule"], "username.taken");
}

#[tokio::test]
async fn importing_again_adds_nothing() {
    let source = Api::start();
    believable(&source).await;
    let lines = export(&source, "?reveal=true").await;
    let target = Api::start();
    import(&target, "", &lines).await.ok();
    let report = import(&target, "", &lines).await.ok();
    assert_eq!(counts(&report), [111, 0, 111, 0, 0, 0]);
    assert!(records(&export(&target, "?reveal=true").await).eq(records(&lines)));
    // Half an import, then all of it, as after a broken connection.
    let target = Api::start();
    let half: Vec<_> = lines.lines().take(50).collect();
    import(&target, "", &half.join("\n")).await.ok();
    let report = import(&target, "", &lines).await.ok();
    assert_eq!(
        (
            counts(&report)[0],
            counts(&report)[5],
            &report["renumbered"]
        ),
        (111, 0, &json!(0))
    );
    assert!(records(&export(&target, "?reveal=true").await).eq(records(&lines)));
}

#[tokio::test]
async fn into_a_log_with_other_events_positions_are_assigned_and_decisions_move_along() {
    let source = Api::start();
    source.user("user-1", "sarah").await;
    source
        .command("user-1", &create_user("sarah"))
        .await
        .problem(422, "rejected");
    source.command("user-1", &suspend("odd")).await.ok();
    let lines = export(&source, "?reveal=true").await;
    let target = Api::start();
    for _ in 0..5 {
        target.fact("door-1", "Opened", json!({})).await;
    }
    target
        .command("user-7", &suspend("nobody"))
        .await
        .problem(422, "rejected");
    // The target draws the same ids as the source did; a real one never would.
    let lines = lines.replace("\"id-", "\"from-source-");
    let report = import(&target, "", &lines).await.ok();
    assert_eq!(counts(&report), [5, 2, 0, 3, 0, 0]);
    assert_eq!(report["renumbered"], 2);
    let page = target.get("/v1/decisions?stream=user-1").await.ok();
    let field = |n: usize, name: &str| page["items"][n][name].clone();
    assert_eq!(
        [
            field(0, "sequence"),
            field(0, "base_position"),
            field(0, "position"),
            field(0, "revision")
        ],
        [2, 5, 6, 1]
    );
    assert_eq!(
        [
            field(1, "sequence"),
            field(1, "base_position"),
            field(1, "base_revision")
        ],
        [3, 6, 1]
    );
    assert_eq!(
        [
            field(2, "sequence"),
            field(2, "base_position"),
            field(2, "position"),
            field(2, "revision")
        ],
        [4, 6, 7, 2]
    );
    assert_eq!(
        counts(&import(&target, "", &lines).await.ok()),
        [5, 0, 5, 0, 0, 0]
    );
}

#[tokio::test]
async fn an_export_can_be_filtered() {
    let source = Api::start();
    believable(&source).await;
    let doors = export(
        &source,
        "?reveal=true&category=door&since=2025-03-05T00:00:00Z&until=2025-03-09T00:00:00Z",
    )
    .await;
    assert!(doors.lines().count() > 3);
    assert!(records(&doors).all(|line| line.contains("\"stream\":\"door-")));
    assert_eq!(
        export(&source, "?decisions=false&reveal=true")
            .await
            .lines()
            .count(),
        73,
        "and the first and the last line"
    );
    source
        .get("/v1/export?category=door&decisions=true")
        .await
        .problem(400, "bad_parameter");
    // A part of a log has holes: its streams do not begin at their beginning. Without the line that says so, they are refused.
    let target = Api::start();
    let bare: Vec<_> = records(&doors).collect();
    let report = import(&target, "", &bare.join("\n")).await.ok();
    assert_eq!(
        (&report["added"], &report["failed"]),
        (&json!(0), &json!(records(&doors).count()))
    );
    let report = import(&target, "?renumber=true", &doors).await.ok();
    assert_eq!(report["added"], records(&doors).count());
    assert_eq!(report["gaps"]["records"], report["added"]);
    assert_eq!(report["renumbered"], report["added"]);
}

#[tokio::test]
async fn thousands_of_records_share_commits_and_keep_their_order() {
    let api = Api::start();
    let lines: String = (0..5_000).map(|n| {
        format!("{{\"stream\":\"door-{}\",\"event_type\":\"T\",\"data\":{{\"n\":{n}}},\"event_id\":\"e{n}\"}}\n", n % 7)
    }).collect();
    assert_eq!(
        counts(&import(&api, "", &lines).await.ok()),
        [5_000, 5_000, 0, 0, 0, 0]
    );
    let exported = export(&api, "?reveal=true").await;
    for (n, line) in records(&exported).enumerate() {
        let event: Value = serde_json::from_str(line).unwrap();
        assert_eq!(
            (&event["position"], &event["data"]["n"]),
            (&json!(n + 1), &json!(n))
        );
    }
}
