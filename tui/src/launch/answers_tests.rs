//! How answers are written, and what a read-only context refuses, against a real daemon inside the test.

use serde_json::Value;
use whodunit_core::api::pipeline::BackfillIn;
use whodunit_core::api::write::{AppendIn, CommandIn};

use super::tour_tests::Stage;
use crate::cli::Exit;
use crate::cli::terminal::Form;
use crate::client::{Client, ClientError, ImportQuery};
use crate::program::run_line;

#[tokio::test]
async fn a_list_is_written_in_every_format_with_the_fields_that_were_asked_for() {
    let stage = Stage::demo().await;
    let lines = |text: &str| text.lines().count();
    for (format, expected) in [("csv", 4), ("ndjson", 3), ("table", 4), ("wide", 4)] {
        let line = [
            "streams",
            "-n",
            "3",
            "--fields",
            "stream,title,revision",
            "-o",
            format,
        ];
        let (out, err) = stage.run(&line, Exit::Ok).await;
        assert_eq!(lines(&out), expected, "{format}: {out}");
        if format != "table" && format != "wide" {
            assert!(
                err.contains("--cursor"),
                "that there are more is said: {err}"
            );
        }
    }
    let (out, _) = stage
        .run(&["streams", "-n", "2", "-o", "yaml"], Exit::Ok)
        .await;
    assert!(out.starts_with("items:\n  - stream: user-"), "{out}");
    let (out, _) = stage.run(&["events", "--all", "-o", "csv"], Exit::Ok).await;
    assert!(out.starts_with("position,stream,revision,"), "{out}");
    let head = stage.json(&["health"]).await["head"].as_u64().unwrap();
    assert!(
        lines(&out) as u64 > head,
        "a heading, and a line for each event at least"
    );
    let (_, err) = stage
        .run(&["streams", "--fields", "titel"], Exit::Usage)
        .await;
    assert!(err.contains("did you mean `title`"), "{err}");
    stage.embedded.stop().await.unwrap();
}

#[tokio::test]
async fn long_lists_are_newest_first_and_turn_round() {
    let stage = Stage::demo().await;
    let places = |page: &Value, field: &str| -> Vec<u64> {
        let items = page["items"].as_array().unwrap();
        items
            .iter()
            .map(|item| item[field].as_u64().unwrap())
            .collect()
    };
    for (line, field) in [
        (vec!["events"], "position"),
        (vec!["events", &stage.sarah], "revision"),
        (vec!["decisions"], "sequence"),
        (vec!["outbox", "--status", "completed"], "id"),
    ] {
        let newest = places(&stage.json(&line).await, field);
        assert!(newest.is_sorted_by(|a, b| a > b), "{line:?}: {newest:?}");
        let line: Vec<&str> = line.iter().copied().chain(["--oldest"]).collect();
        let oldest = places(&stage.json(&line).await, field);
        assert!(oldest.is_sorted_by(|a, b| a < b), "{line:?}: {oldest:?}");
    }
    let recent = stage.json(&["streams"]).await;
    let positions = places(&recent, "last_position");
    let times: Vec<&str> = recent["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|stream| stream["last_recorded_at"].as_str().unwrap())
        .collect();
    assert!(positions.is_sorted_by(|a, b| a > b), "{times:?}");
    stage.embedded.stop().await.unwrap();
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "answers are given as they come"
)]
fn refused<T>(answer: Result<T, ClientError>) -> bool {
    matches!(answer, Err(ClientError::ReadOnlyContext { .. }))
}

/// Nothing listens there: what is not refused cannot reach anything either, and says so differently.
#[tokio::test]
async fn a_read_only_context_refuses_all_that_writes_before_anything_is_sent() {
    let client = Client::new("127.0.0.1:9")
        .unwrap()
        .with_read_only(Some("prod"));
    let stream = "user-1".parse().unwrap();
    let command: CommandIn = serde_json::from_str(r#"{"type": "X"}"#).unwrap();
    let append: AppendIn = serde_json::from_str(r#"{"events": []}"#).unwrap();
    let nothing = || futures_util::stream::empty::<std::io::Result<Vec<u8>>>();
    assert!(refused(client.command(&stream, &command).await));
    assert!(refused(client.append(&stream, &append).await));
    assert!(refused(client.rebuild("users").await));
    assert!(refused(client.cancel_rebuild("users").await));
    assert!(refused(client.retry_job(1).await));
    assert!(refused(client.retry_failed("x").await));
    assert!(refused(client.backfill(&BackfillIn::default()).await));
    assert!(refused(client.cancel_backfill(1).await));
    assert!(refused(
        client.import(&ImportQuery::default(), nothing()).await
    ));
    // These only ask.
    let dry = ImportQuery {
        dry_run: true,
        ..ImportQuery::default()
    };
    assert!(!refused(client.import(&dry, nothing()).await));
    assert!(!refused(client.plan_backfill(&BackfillIn::default()).await));
    assert!(!refused(client.check("users").await));
    assert!(!refused(client.health().await));
}

#[tokio::test]
async fn the_doctor_finds_what_is_wrong_and_nothing_else() {
    let stage = Stage::empty().await;
    let (out, _) = stage.run(&["doctor"], Exit::Ok).await;
    for part in ["version", "clock", "projections", "outbox"] {
        assert!(out.contains(part), "{out}");
    }
    assert!(!out.contains('✗'), "{out}");
    stage.embedded.stop().await.unwrap();
    let line = ["--daemon", "127.0.0.1:9", "doctor"];
    let (result, out, _) = run_line(&line, Form::default()).await;
    assert_eq!(result.unwrap(), Exit::No);
    assert!(
        out.contains("no daemon reachable") && out.contains("whodunit serve"),
        "{out}"
    );
}
