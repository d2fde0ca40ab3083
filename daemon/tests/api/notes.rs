//! Notes: written, found, removed; beside the log in exports, imports, backups and verifications.

use std::sync::Arc;

use axum::body::Body;
use serde_json::{Value, json};
use tower::ServiceExt;
use whodunit_daemon::Config;
use whodunit_daemon::store::Store;
use whodunit_daemon::store::backup::restore;
use whodunit_daemon::store::engine::{LoggedStore, StoreOptions};
use whodunit_daemon::store::salvage::salvage;

use crate::support::{Api, Reply, config, request};
use crate::transfer::{export, import};

async fn note(api: &Api, body: Value) -> Reply {
    api.post("/v1/notes", &body).await
}

async fn delete(api: &Api, id: &str) -> Reply {
    let request = request("DELETE", &format!("/v1/notes/{id}"));
    api.send(request.body(Body::empty()).unwrap()).await
}

fn texts(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().unwrap().iter();
    items.map(|note| note["text"].as_str().unwrap()).collect()
}

/// A daemon on a directory, with what is kept beside its store.
fn on(directory: &std::path::Path) -> Api {
    let store: Arc<dyn Store> =
        Arc::new(LoggedStore::open(directory, StoreOptions::Durable).unwrap());
    let config = Config {
        data: Some(directory.to_owned()),
        ..config()
    };
    Api::with(config, store)
}

/// A user with three notes: about the stream, revision 1 and the event of revision 2.
async fn noted(api: &Api) -> Value {
    api.user("user-1", "sarah").await;
    let suspended = api
        .command("user-1", &crate::support::suspend("odd"))
        .await
        .ok();
    let event_id = suspended["events"][0]["event_id"].clone();
    note(
        api,
        json!({"stream": "user-1", "text": "the one who called", "actor": "ann"}),
    )
    .await
    .ok();
    let first = json!({"stream": "user-1", "revision": 1, "text": "made by hand", "actor": "bob", "note_id": "n-2"});
    note(api, first).await.ok();
    note(
        api,
        json!({"event_id": event_id, "text": "See the Batch", "actor": "ann"}),
    )
    .await
    .ok();
    event_id
}

#[tokio::test]
async fn notes_are_about_streams_revisions_and_events_and_leave_the_log_as_it_is() {
    let api = Api::start();
    let before = {
        api.user("user-1", "sarah").await;
        api.get("/v1/health").await.ok()["head_hash"].clone()
    };
    let event_id = api.get("/v1/events").await.ok()["items"][0]["event_id"].clone();
    let by_event = note(
        &api,
        json!({"event_id": event_id, "text": "x", "actor": "ann"}),
    )
    .await
    .ok();
    assert_eq!(
        (&by_event["stream"], &by_event["revision"]),
        (&json!("user-1"), &json!(1))
    );
    assert_eq!(by_event["written_at"], "2025-03-01T09:00:00Z");
    let by_revision =
        json!({"stream": "user-1", "revision": 1, "text": "y", "actor": "ann", "note_id": "mine"});
    let first = note(&api, by_revision.clone()).await.ok();
    assert_eq!(first["event_id"], event_id);
    // The same again, later.
    api.clock.set("2025-04-01T09:00:00Z");
    assert_eq!(note(&api, by_revision.clone()).await.ok(), first);
    let other = json!({"stream": "user-1", "text": "y", "actor": "ann", "note_id": "mine"});
    note(&api, other).await.problem(409, "note_id_conflict");
    assert_eq!(api.get("/v1/health").await.ok()["head_hash"], before);
    assert_eq!(api.get("/v1/notes").await.ok()["notes"], 2);
}

#[tokio::test]
async fn what_a_note_cannot_be_about_or_say_is_refused() {
    let api = Api::start();
    api.user("user-1", "sarah").await;
    let hash = api.get("/v1/events?reveal=true").await.ok()["items"][0]["data"]["password_hash"]
        .as_str()
        .unwrap()
        .to_owned();
    let long = "x".repeat(4_097);
    for (body, status, code) in [
        (json!({"text": "x", "actor": "a"}), 400, "malformed"),
        (
            json!({"stream": "user-2", "text": "x", "actor": "a"}),
            404,
            "no_such_stream",
        ),
        (
            json!({"event_id": "nope", "text": "x", "actor": "a"}),
            404,
            "no_such_event",
        ),
        (
            json!({"stream": "user-1", "event_id": "id-1", "text": "x", "actor": "a"}),
            400,
            "malformed",
        ),
        (
            json!({"stream": "user-1", "revision": 2, "text": "x", "actor": "a"}),
            404,
            "revision_beyond_head",
        ),
        (
            json!({"stream": "user-1", "revision": 0, "text": "x", "actor": "a"}),
            400,
            "malformed",
        ),
        (
            json!({"stream": "user-1", "text": " ", "actor": "a"}),
            400,
            "malformed",
        ),
        (
            json!({"stream": "user-1", "text": long, "actor": "a"}),
            400,
            "malformed",
        ),
        (
            json!({"stream": "user-1", "text": "x", "actor": ""}),
            400,
            "malformed",
        ),
        (json!({"stream": "user-1", "text": "x"}), 400, "malformed"),
        (
            json!({"stream": "user-1", "revision": 1, "text": format!("it is {hash}"), "actor": "a"}),
            400,
            "plaintext_secret",
        ),
        (
            json!({"stream": "user-1", "text": "$argon2id$v=19$m=8", "actor": "a"}),
            400,
            "plaintext_secret",
        ),
    ] {
        let problem = note(&api, body.clone()).await.problem(status, code);
        assert!(!problem.to_string().contains(&hash), "{body}");
    }
    assert_eq!(api.get("/v1/notes").await.ok()["notes"], 0);
    delete(&api, "nope").await.problem(404, "no_such_note");
    api.get("/v1/notes?cursor=f3")
        .await
        .problem(400, "bad_parameter");
}

#[tokio::test]
async fn notes_are_found_newest_first_and_removed() {
    let api = Api::start();
    let event_id = noted(&api).await;
    let all = api.get("/v1/notes").await.ok();
    assert_eq!(
        texts(&all),
        ["See the Batch", "made by hand", "the one who called"]
    );
    for (query, found) in [
        ("?stream=user-1&limit=1", vec!["See the Batch"]),
        ("?stream=user-2", vec![]),
        ("?stream=user-1&revision=1", vec!["made by hand"]),
        ("?actor=ann", vec!["See the Batch", "the one who called"]),
        ("?text=BATCH", vec!["See the Batch"]),
    ] {
        let page = api.get(&format!("/v1/notes{query}")).await.ok();
        assert_eq!(texts(&page), found, "{query}");
    }
    let of_event = format!("/v1/notes?event_id={}", event_id.as_str().unwrap());
    assert_eq!(texts(&api.get(&of_event).await.ok()), ["See the Batch"]);
    let first = api.get("/v1/notes?limit=2").await.ok();
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = api
        .get(&format!("/v1/notes?limit=2&cursor={cursor}"))
        .await
        .ok();
    assert_eq!(
        (texts(&rest), &rest["next_cursor"]),
        (vec!["the one who called"], &Value::Null)
    );
    assert_eq!(delete(&api, "n-2").await.ok()["text"], "made by hand");
    delete(&api, "n-2").await.problem(404, "no_such_note");
    assert_eq!(api.get("/v1/notes").await.ok()["notes"], 2);
}

#[tokio::test]
async fn notes_go_along_with_exports_redacted_ones_too() {
    let source = Api::start();
    noted(&source).await;
    for query in ["?reveal=true", ""] {
        let lines = export(&source, query).await;
        assert_eq!(lines.matches("{\"note\":").count(), 3, "{lines}");
        assert!(lines.contains("\"notes\":3"));
        let target = Api::start();
        let report = import(&target, "?dry_run=true", &lines).await.ok();
        assert_eq!(
            (&report["notes"], &report["failed"]),
            (&json!(3), &json!(0))
        );
        assert_eq!(target.get("/v1/notes").await.ok()["notes"], 0);
        let report = import(&target, "", &lines).await.ok();
        assert_eq!(
            (&report["notes"], &report["failed"]),
            (&json!(3), &json!(0)),
            "{report}"
        );
        assert_eq!(
            (&report["incomplete"], &report["changed"]),
            (&json!(false), &json!(false))
        );
        let notes = target.get("/v1/notes").await.ok();
        assert_eq!(notes["items"], source.get("/v1/notes").await.ok()["items"]);
        // Again: nothing is added. A line less is missed.
        let report = import(&target, "", &lines).await.ok();
        assert_eq!(
            (&report["notes"], &report["added"], &report["failed"]),
            (&json!(0), &json!(0), &json!(0))
        );
        let cut: Vec<_> = lines
            .lines()
            .filter(|line| !line.contains("made by hand"))
            .collect();
        let report = import(&Api::start(), "", &cut.join("\n")).await.ok();
        assert_eq!(
            (&report["missing"], &report["changed"]),
            (&json!(1), &json!(true))
        );
    }
}

#[tokio::test]
async fn a_note_is_imported_only_with_what_it_is_about() {
    let api = Api::start();
    let event = api.fact("door-1", "Opened", json!({})).await["events"][0]["event_id"].clone();
    let line = |id: &str, stream: &str, revision: Value, event: Value, text: &str| {
        json!({"note": {"note_id": id, "stream": stream, "revision": revision, "event_id": event, "actor": "a",
            "written_at": "2025-01-01T00:00:00Z", "text": text}})
        .to_string()
    };
    let lines = [
        line("a", "door-1", Value::Null, Value::Null, "good"),
        line("b", "door-2", Value::Null, Value::Null, "no stream"),
        line("c", "door-1", json!(7), json!("gone"), "no event"),
        // Where its event stands here is what counts.
        line("d", "door-9", json!(7), event, "moved"),
        line("e", "door-1", json!(9), Value::Null, "no revision"),
        line(
            "f",
            "door-1",
            Value::Null,
            Value::Null,
            "$2b$10$abcdefghijk",
        ),
        "{\"note\":{\"note_id\":\"g\"}}".to_owned(),
        "{\"note\":[]}".to_owned(),
    ];
    let report = import(&api, "", &lines.join("\n")).await.ok();
    assert_eq!(
        (&report["notes"], &report["failed"]),
        (&json!(2), &json!(6)),
        "{report}"
    );
    let notes = api.get("/v1/notes").await.ok();
    assert_eq!(texts(&notes), ["moved", "good"]);
    assert_eq!(
        (&notes["items"][0]["stream"], &notes["items"][0]["revision"]),
        (&json!("door-1"), &json!(1))
    );
}

#[tokio::test]
async fn notes_are_there_after_a_restart_and_in_a_restored_backup() {
    let folder = tempfile::tempdir().unwrap();
    let (data, restored) = (folder.path().join("data"), folder.path().join("restored"));
    let backup = {
        let api = on(&data);
        noted(&api).await;
        let ask = request("POST", "/v1/backup").body(Body::empty()).unwrap();
        let response = api.router.clone().oneshot(ask).await.unwrap();
        assert!(
            response
                .headers()
                .get("whodunit-notes-unreadable")
                .is_none()
        );
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX)
            .await
            .unwrap();
        api.daemon.close().await.unwrap();
        bytes
    };
    let before = {
        let api = on(&data);
        let notes = api.get("/v1/notes").await.ok();
        assert_eq!(notes["notes"], 3);
        api.daemon.close().await.unwrap();
        notes
    };
    let made = restore(backup.as_ref(), &restored, &mut |_| {}).unwrap();
    let part = made
        .backup
        .end
        .parts
        .iter()
        .find(|part| part.name == "notes")
        .unwrap();
    assert_eq!(part.records, 3);
    let api = on(&restored);
    assert_eq!(api.get("/v1/notes").await.ok(), before);
    delete(&api, "n-2").await.ok();
    api.daemon.close().await.unwrap();
    assert_eq!(on(&restored).get("/v1/notes").await.ok()["notes"], 2);
}

/// What an export leaves out it says itself, to whom it is given and to whom imports it.
#[tokio::test]
async fn an_export_says_how_many_notes_are_damaged_and_an_import_repeats_it() {
    let folder = tempfile::tempdir().unwrap();
    {
        let api = on(folder.path());
        noted(&api).await;
        let whole = api.get("/v1/export?reveal=true").await;
        assert!(whole.headers.get("whodunit-notes-unreadable").is_none());
        assert!(!whole.text.contains("notes_unreadable"));
        api.daemon.close().await.unwrap();
    }
    let path = folder.path().join("notes.ndjson");
    let lines = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, lines.replacen("made by hand", "made by hnad", 1)).unwrap();
    let api = on(folder.path());
    for query in ["?reveal=true", "?stream=user-1"] {
        let export = api.get(&format!("/v1/export{query}")).await;
        assert_eq!(export.status, 200);
        assert_eq!(export.headers["whodunit-notes-unreadable"], "1");
        let last: Value = serde_json::from_str(export.text.lines().last().unwrap()).unwrap();
        let end = &last["export_end"];
        assert_eq!(
            (&end["notes"], &end["notes_unreadable"]),
            (&json!(2), &json!(1))
        );
        let other = Api::start();
        let report = import(&other, "", &export.text).await.ok();
        assert_eq!(report["notes_unreadable"], 1, "{report}");
        assert_eq!(report["incomplete"], false, "{report}");
    }
}

/// A store that does not open gives its notes all the same; what of them is damaged is counted.
#[tokio::test]
async fn a_salvage_brings_the_notes_and_says_how_many_are_damaged() {
    let folder = tempfile::tempdir().unwrap();
    {
        let api = on(folder.path());
        noted(&api).await;
        api.daemon.close().await.unwrap();
    }
    let path = folder.path().join("notes.ndjson");
    for damaged in [0, 1] {
        if damaged > 0 {
            let lines = std::fs::read_to_string(&path).unwrap();
            std::fs::write(&path, lines.replacen("made by hand", "made by hnad", 1)).unwrap();
        }
        let mut lines = Vec::new();
        let found = salvage(folder.path(), &mut lines, &mut |_| {}).unwrap();
        assert_eq!(
            (found.user_notes, found.is_whole()),
            (3 - damaged, damaged == 0)
        );
        let said = found.notes.join("\n");
        assert_eq!(said.contains("notes.ndjson"), damaged > 0, "{said}");
        let other = Api::start();
        let report = import(&other, "", &String::from_utf8(lines).unwrap())
            .await
            .ok();
        assert_eq!(
            report["notes_unreadable"].as_u64().unwrap_or_default(),
            damaged
        );
        let notes = other.get("/v1/notes").await.ok();
        assert_eq!(notes["notes"], 3 - damaged, "{report}");
        assert!(texts(&notes).contains(&"the one who called"));
    }
}

#[tokio::test]
async fn a_verification_compares_notes_with_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.ndjson");
    {
        let api = on(folder.path());
        noted(&api).await;
        let end = verified(&api).await;
        assert_eq!(
            (&end["checked"]["notes"], &end["warnings"]),
            (&json!(3), &json!(0))
        );
        api.daemon.close().await.unwrap();
    }
    // A line that was changed.
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("made by hand", "made by hond")).unwrap();
    {
        let api = on(folder.path());
        let end = verified(&api).await;
        assert_eq!((&end["ok"], &end["warnings"]), (&json!(true), &json!(1)));
        assert_eq!(end["findings"][0]["code"], "note_unreadable");
        let notes = api.get("/v1/notes").await.ok();
        assert_eq!(
            (&notes["notes"], &notes["unreadable"]),
            (&json!(2), &json!(1))
        );
        api.daemon.close().await.unwrap();
    }
    // The notes of another history of this store: what they are about is another event, or is not there.
    let other = tempfile::tempdir().unwrap();
    {
        let api = on(other.path());
        api.fact("user-1", "Other", json!({})).await;
        let id = api.get("/v1/health").await.ok()["store_id"]
            .as_str()
            .unwrap()
            .to_owned();
        api.daemon.close().await.unwrap();
        let first = format!(r#"{{"whodunit_notes":{{"format":1,"store_id":"{id}"}}}}"#);
        let foreign = r#"{"note_id":"n","stream":"user-1","revision":1,"event_id":"e","actor":"a","written_at":"2025-01-01T00:00:00Z","text":"t"}"#;
        let beyond = foreign
            .replace("\"revision\":1", "\"revision\":5")
            .replace("\"n\"", "\"m\"");
        let lines = [first.as_str(), foreign, &beyond].map(|line| {
            format!(
                "{:016x} {line}\n",
                xxhash_rust::xxh3::xxh3_64(line.as_bytes())
            )
        });
        std::fs::write(other.path().join("notes.ndjson"), lines.concat()).unwrap();
    }
    {
        let api = on(other.path());
        let end = verified(&api).await;
        assert_eq!(
            (&end["ok"], &end["warnings"]),
            (&json!(true), &json!(2)),
            "{end}"
        );
        assert_eq!(end["findings"][0]["code"], "note_wrong");
        api.daemon.close().await.unwrap();
    }
    // Of another store: nothing of it is read or written, and everything else works.
    std::fs::copy(&path, other.path().join("notes.ndjson")).unwrap();
    let api = on(other.path());
    let problem = note(&api, json!({"stream": "user-1", "text": "x", "actor": "a"}))
        .await
        .problem(500, "damaged");
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("belongs to store")
    );
    api.get("/v1/notes").await.problem(500, "damaged");
    api.fact("user-1", "Other", json!({})).await;
    assert_eq!(
        verified(&api).await["findings"][0]["code"],
        "note_unreadable"
    );
}

async fn verified(api: &Api) -> Value {
    let reply = api
        .send(request("POST", "/v1/verify").body(Body::empty()).unwrap())
        .await;
    let last = reply.text.lines().next_back().unwrap();
    serde_json::from_str::<Value>(last).unwrap()["end"].clone()
}
