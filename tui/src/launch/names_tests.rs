//! Names as people type them, and raw appends, against a real daemon inside the test.

use serde_json::{Value, json};

use super::tour_tests::Stage;
use crate::cli::Exit;

/// Appends one event to each of these streams, without a model, titled by nothing.
async fn streams(stage: &Stage, names: &[&str]) {
    for name in names {
        let line = ["append", name, "Noted", "--expected-revision", "no_stream"];
        stage.run(&line, Exit::Ok).await;
    }
}

fn revision(state: &Value) -> u64 {
    state["revision"].as_u64().unwrap()
}

#[tokio::test]
async fn a_stream_is_named_by_a_prefix_or_its_title_and_an_exact_name_wins() {
    let stage = Stage::demo().await;
    let short = stage.sarah.get(..9).unwrap().to_owned();
    let (out, err) = stage.run(&["state", &short], Exit::Ok).await;
    assert!(out.contains("sarah@example.com"), "{out}");
    let said = format!("`{short}` is `{}` (sarah@example.com)\n", stage.sarah);
    assert_eq!(err, said);
    // A title, without regard to case; every command that takes a stream takes it.
    for line in [
        ["blame", "Sarah@example.com"],
        ["steps", "sarah@example.com"],
        ["events", "sarah@example.com"],
    ] {
        let (_, err) = stage.run(&line, Exit::Ok).await;
        assert!(err.contains(&stage.sarah), "{line:?}: {err}");
    }
    let line = ["decisions", "--stream", "sarah@example.com"];
    let (out, _) = stage.run(&line, Exit::Ok).await;
    assert!(out.contains("ChangeEmail"), "{out}");
    let line = ["bisect", &short, "/status == \"deleted\""];
    let (out, _) = stage.run(&line, Exit::Ok).await;
    assert!(out.contains("UserDeleted"), "{out}");
    let line = [
        "what-if",
        &short,
        "--at-revision",
        "2",
        "--event",
        "UserSuspended",
    ];
    let (out, _) = stage.run(&line, Exit::Ok).await;
    assert!(out.contains(&stage.sarah), "{out}");
    // An exact name is never the beginning of another one.
    streams(&stage, &["note-1", "note-12", "note-13"]).await;
    let (_, err) = stage.run(&["state", "note-1"], Exit::Ok).await;
    assert_eq!(err, "");
    // With the mark, it is a beginning.
    let (_, err) = stage.run(&["state", "note-13…"], Exit::Ok).await;
    assert!(err.contains("note-13"), "{err}");
    stage.embedded.stop().await.unwrap();
}

#[tokio::test]
async fn what_is_ambiguous_or_unknown_is_refused_with_what_was_meant() {
    let stage = Stage::demo().await;
    streams(&stage, &["order-abc1", "order-abc2"]).await;
    for text in ["order-abc", "order-", "order-abc*"] {
        let (_, err) = stage.run(&["state", text], Exit::Usage).await;
        let both = err.contains("`order-abc1`") && err.contains("`order-abc2`");
        assert!(err.contains("ambiguous") && both, "{text}: {err}");
    }
    let (_, err) = stage.run(&["state", "order-abd1"], Exit::NotFound).await;
    assert!(err.contains("did you mean `order-abc1`"), "{err}");
    let (_, err) = stage
        .run(&["state", "sarah@exmaple.com"], Exit::NotFound)
        .await;
    assert!(err.contains("did you mean `sarah@example.com`"), "{err}");
    let (_, err) = stage
        .run(&["state", "nothing-like-it"], Exit::NotFound)
        .await;
    assert!(
        err.contains("there is no stream `nothing-like-it`"),
        "{err}"
    );
    for line in [
        ["decisions", "--stream", "nothing-like-it"],
        ["outbox", "--stream", "nothing-like-it"],
    ] {
        stage.run(&line, Exit::NotFound).await;
    }
    stage.embedded.stop().await.unwrap();
}

#[tokio::test]
async fn an_event_is_named_by_stream_and_revision_position_or_the_beginning_of_its_id() {
    let stage = Stage::demo().await;
    let at = format!("{}@4", stage.sarah.get(..9).unwrap());
    let event = stage.json(&["event", &at]).await;
    assert_eq!(event["event_type"], "UserDeleted");
    let position = event["position"].as_u64().unwrap();
    let id = event["event_id"].as_str().unwrap();
    for name in [
        id.to_owned(),
        format!("pos:{position}"),
        format!("#{position}"),
        "sarah@example.com@4".to_owned(),
        id.get(..id.len() - 2).unwrap().to_owned(),
    ] {
        let found = stage.json(&["event", &name]).await;
        assert_eq!(found["event_id"], id, "{name}");
        let (traced, _) = stage.run(&["trace", &name], Exit::Ok).await;
        assert!(traced.contains("DeleteUser"), "{name}: {traced}");
    }
    let (_, err) = stage.run(&["trace", "zzzz-zzzz"], Exit::NotFound).await;
    assert!(err.contains("called `zzzz-zzzz`"), "{err}");
    let (_, err) = stage
        .run(&["event", id.get(..5).unwrap()], Exit::Usage)
        .await;
    assert!(err.contains("ambiguous"), "{err}");
    for (name, said) in [
        ("pos:99999", "the log's head"),
        ("SARAH@9", "no revision 9"),
        ("zzzz-zzzz", "no event whose id"),
        ("17", "`pos:17`"),
    ] {
        let name = name.replace("SARAH", &stage.sarah);
        let (_, err) = stage.run(&["event", &name], Exit::NotFound).await;
        assert!(err.contains(said), "{name}: {err}");
    }
    stage.embedded.stop().await.unwrap();
}

#[tokio::test]
async fn a_filter_by_a_name_that_there_is_not_is_no_empty_answer() {
    let stage = Stage::demo().await;
    for (line, meant) in [
        (["events", "--type", "UserDeletd"], "`UserDeleted`"),
        (["events", "--actor", "fraudscan"], "`fraud-scan`"),
        (["events", "--category", "usr"], "`user`"),
        (["streams", "--category", "users"], "`user`"),
        (["streams", "--status", "suspendet"], "`suspended`"),
    ] {
        for extra in [None, Some("--json"), Some("--all")] {
            let line: Vec<&str> = line.iter().copied().chain(extra).collect();
            let (out, err) = stage.run(&line, Exit::NotFound).await;
            assert!(err.contains("did you mean") && err.contains(meant), "{err}");
            assert_eq!(out, "", "{line:?}");
        }
    }
    let line = ["events", "--correlation", "none-such"];
    stage.run(&line, Exit::NotFound).await;
    // Each is known, and nothing is of both: that is an answer.
    let line = ["events", "--type", "UserDeleted", "--actor", "fraud-scan"];
    let (_, err) = stage.run(&line, Exit::Ok).await;
    assert_eq!(err, "no event matches\n");
    stage.embedded.stop().await.unwrap();
}

#[tokio::test]
async fn a_raw_event_is_appended_once_and_only_where_it_is_expected() {
    let stage = Stage::demo().await;
    let data = ["--data", "{\"total\": 3.10}"];
    let first = [
        "append",
        "order-1",
        "OrderPlaced",
        "--event-id",
        "e1",
        "--actor",
        "shop",
    ];
    let first = [&first[..], &data, &["--expected-revision", "no_stream"]].concat();
    let (out, _) = stage.run(&first, Exit::Ok).await;
    assert!(out.starts_with("appended  order-1  revision 1"), "{out}");
    let (out, _) = stage.run(&first, Exit::Ok).await;
    assert!(out.contains("already recorded"), "{out}");
    let (out, _) = stage.run(&["event", "e1", "--json"], Exit::Ok).await;
    assert!(out.contains("3.10"), "digits are kept: {out}");
    let again = [
        "append",
        "order-1",
        "OrderPlaced",
        "--expected-revision",
        "no_stream",
    ];
    stage.run(&again, Exit::Conflict).await;
    let dry = [&again[..], &["--dry-run"]].concat();
    stage.run(&dry, Exit::Conflict).await;
    let dry = [
        "append",
        "order-1",
        "OrderPaid",
        "--dry-run",
        "--data",
        "{\"paid\": true}",
    ];
    let (out, err) = stage.run(&dry, Exit::Ok).await;
    assert!(
        out.contains("paid") && err.contains("nothing was written"),
        "{out}{err}"
    );
    assert_eq!(revision(&stage.json(&["state", "order-1"]).await), 1);
    for line in [
        ["append", "order-1", "X", "--data", "[1]"],
        ["append", "order-1", "X", "--data", "{"],
    ] {
        stage.run(&line, Exit::Usage).await;
    }
    // What may be a slip writes nothing.
    streams(&stage, &["order-77a"]).await;
    let (_, err) = stage.run(&["append", "order-77", "X"], Exit::Usage).await;
    assert!(
        err.contains("`order-77a`") && err.contains("no_stream"),
        "{err}"
    );
    stage.run(&["state", "order-77a"], Exit::Ok).await;
    let marked = ["append", "order-77…", "X", "--json"];
    let (out, _) = stage.run(&marked, Exit::Ok).await;
    let appended: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(appended["stream"], json!("order-77a"));
    stage.embedded.stop().await.unwrap();
}

/// A name that nothing has is no empty answer, whichever command it is given to; and what may have been meant is said.
#[tokio::test]
async fn a_name_that_is_not_known_at_all_is_exit_code_three_everywhere() {
    let stage = Stage::demo().await;
    let sarah = stage.sarah.clone();
    let none = "state.status == \"none\"";
    for (line, said) in [
        (vec!["world", "usr"], "did you mean `user`?"),
        (vec!["world", "usr", "-o", "json"], "did you mean `user`?"),
        (
            vec!["bisect", "--category", "usr", none],
            "did you mean `user`?",
        ),
        (
            vec!["export", "--type", "UserDeletd"],
            "did you mean `UserDeleted`?",
        ),
        (
            vec!["export", "--query", "type:UserDeletd"],
            "did you mean `UserDeleted`?",
        ),
        (
            vec!["what-differs", "type:UserDeletd"],
            "did you mean `UserDeleted`?",
        ),
        (
            vec!["find", "type:UserDeletd", "--facets"],
            "did you mean `UserDeleted`?",
        ),
        (
            vec!["find", "outcome:rejected type:DeleteUsr"],
            "did you mean `DeleteUser`?",
        ),
        (
            vec!["find", "rule:user.suspende"],
            "did you mean `user.suspended`?",
        ),
        (
            vec!["find", "correlation:no-such"],
            "no event has the correlation `no-such`",
        ),
        (
            vec!["find", "outcome:accepted actor:apu"],
            "did you mean `api`?",
        ),
        (vec!["read-model", "usrs"], "did you mean `users`?"),
        (vec!["rebuild", "usrs"], "did you mean `users`?"),
        (
            vec!["field", &sarah, "/stauts"],
            "`whodunit blame STREAM` lists all fields",
        ),
    ] {
        let (_, err) = stage.run(&line, Exit::NotFound).await;
        assert!(err.contains(said), "{line:?}: {err}");
    }
    let line = ["do", &sarah, "DeleteUsr", "--actor", "me"];
    let (_, err) = stage.run(&line, Exit::Usage).await;
    assert!(err.contains("did you mean `DeleteUser`?"), "{err}");
    // What is known and matches nothing is an answer.
    stage
        .run(&["find", "rule:user.suspended type:CreateUser"], Exit::Ok)
        .await;
    stage
        .run(&["world", "user", "--where", none], Exit::No)
        .await;
    stage.embedded.stop().await.unwrap();
}
