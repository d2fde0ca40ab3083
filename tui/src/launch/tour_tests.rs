//! The tour of the demo, command by command, against a real daemon inside the test.

use std::sync::Arc;

use serde_json::Value;
use whodunit_daemon::builtin::BuiltIn;
use whodunit_daemon::clock::Ids;

use super::embedded::{Embedded, Mails, Plan};
use super::play::{ScriptedIds, play};
use super::story::{SEED_DEFAULT, story};
use crate::cli::Exit;
use crate::cli::terminal::Form;
use crate::program::run_line;

/// A daemon in a temporary folder.
pub(super) struct Stage {
    pub(super) embedded: Embedded,
    pub(super) sarah: String,
    _folder: tempfile::TempDir,
}

impl Stage {
    pub(super) async fn empty() -> Self {
        Self::set(|_| {}).await
    }

    async fn set(prepare: impl FnOnce(&Arc<ScriptedIds>)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ids = Arc::new(ScriptedIds::default());
        prepare(&ids);
        let plan = Plan {
            thrown_away: true,
            models: vec![BuiltIn::Users],
            port: 0,
            ids: Arc::clone(&ids) as Arc<dyn Ids>,
            mails: Mails::Folder { full: None },
        };
        let embedded = Embedded::start(folder.path(), plan).await.unwrap();
        Self {
            embedded,
            sarah: String::new(),
            _folder: folder,
        }
    }

    pub(super) async fn demo() -> Self {
        let mut kept = None;
        let mut stage = Self::set(|ids| kept = Some(Arc::clone(ids))).await;
        let story = story(SEED_DEFAULT);
        stage.sarah = story.sarah().unwrap().to_string();
        let daemon = stage.embedded.daemon.clone();
        play(story, &daemon, &kept.unwrap(), |_, _| {})
            .await
            .unwrap();
        stage
    }

    /// Runs a command line, `SARAH` standing for her stream, and expects this exit.
    pub(super) async fn run(&self, line: &[&str], expected: Exit) -> (String, String) {
        let line: Vec<&str> = ["--daemon", self.embedded.client.url()]
            .into_iter()
            .chain(line.iter().copied())
            .map(|word| {
                if word == "SARAH" {
                    self.sarah.as_str()
                } else {
                    word
                }
            })
            .collect();
        let form = Form {
            width: Some(100),
            ..Form::default()
        };
        let (result, out, err) = run_line(&line, form).await;
        let exit = result.unwrap_or_else(|error| error.exit());
        assert_eq!(exit, expected, "{line:?}\n{out}\n{err}");
        (out, err)
    }

    pub(super) async fn json(&self, line: &[&str]) -> Value {
        let line: Vec<&str> = line.iter().copied().chain(["--json"]).collect();
        let (out, _) = self.run(&line, Exit::Ok).await;
        serde_json::from_str(&out).unwrap()
    }
}

#[tokio::test]
async fn who_when_why() {
    let stage = Stage::demo().await;
    let (out, _) = stage.run(&["streams", "sarah"], Exit::Ok).await;
    insta::assert_snapshot!("streams", out);
    let (out, _) = stage.run(&["events", "SARAH"], Exit::Ok).await;
    insta::assert_snapshot!("events", out);
    let (out, _) = stage
        .run(&["steps", "SARAH", "--from", "3"], Exit::Ok)
        .await;
    insta::assert_snapshot!("steps", out);
    let as_of = ["state", "SARAH", "--as-of", "2025-03-24T15:47:00Z"];
    let (out, _) = stage.run(&as_of, Exit::Ok).await;
    insta::assert_snapshot!("state", out);

    // The trail: from the deletion to its cause, from there to that night's batch.
    let deletion = &stage.json(&["events", "SARAH", "--limit", "1"]).await["items"][0];
    assert_eq!(deletion["actor"], "job:inactive-cleanup");
    let (out, _) = stage
        .run(&["event", deletion["event_id"].as_str().unwrap()], Exit::Ok)
        .await;
    insta::assert_snapshot!("event", out);
    let decisions = stage.json(&["decisions", "--stream", "SARAH"]).await;
    let cause = decisions["items"][0]["causation_id"].as_str().unwrap();
    let suspension = stage.json(&["event", cause]).await;
    assert_eq!(suspension["event_type"], "UserSuspended");
    let night = suspension["correlation_id"].as_str().unwrap();
    let batch = stage.json(&["events", "--correlation", night]).await;
    assert_eq!(batch["items"].as_array().unwrap().len(), 9);
    stage.embedded.stop().await.unwrap();
}

#[tokio::test]
async fn what_would_have_been() {
    let stage = Stage::demo().await;
    // Suspended already: the rules refuse it, and a raw event asks no rules.
    let at = [
        "what-if",
        "SARAH",
        "--as-of",
        "2025-03-24T15:47:00Z",
        "--reason",
        "fraud_detected",
    ];
    let command: Vec<&str> = at
        .iter()
        .copied()
        .chain(["--command", "SuspendUser"])
        .collect();
    let (out, _) = stage.run(&command, Exit::No).await;
    insta::assert_snapshot!("what_if_command", out);
    let event: Vec<&str> = at
        .iter()
        .copied()
        .chain(["--event", "UserSuspended"])
        .collect();
    stage.run(&event, Exit::Ok).await;
    // Without the suspension her change of address goes through.
    let change = r#"ChangeEmail={"email":"sarah@example.org"}"#;
    let without = [
        "what-if",
        "SARAH",
        "--at-revision",
        "3",
        "--drop",
        "3",
        "--command",
        change,
    ];
    let (out, _) = stage.run(&without, Exit::Ok).await;
    insta::assert_snapshot!("what_if_without_the_suspension", out);
    // Asked again, the rules let the change through, and the deletion has no cause.
    let again = ["what-if", "SARAH", "--drop", "3"];
    let (out, _) = stage.run(&again, Exit::Ok).await;
    assert!(out.contains("rules asked again"), "{out}");
    assert!(out.contains("not issued"), "{out}");
    let world = stage.json(&again).await;
    let flips = world["flips"].as_array().unwrap().iter();
    let flips: Vec<_> = flips
        .map(|flip| (&flip["type"], &flip["outcome"]))
        .collect();
    assert_eq!(
        flips,
        [
            (&"ChangeEmail".into(), &"accepted".into()),
            (&"DeleteUser".into(), &"not_issued".into())
        ]
    );
    assert_eq!(world["state"]["status"], "active");
    stage.embedded.stop().await.unwrap();
}

#[tokio::test]
async fn six_kinds_of_absence_and_failure_have_their_exit_codes() {
    let stage = Stage::demo().await;
    let cases: [(&[&str], Exit, &str); 7] = [
        (
            &["state", "user-nobody"],
            Exit::NotFound,
            "whodunit streams PART",
        ),
        (
            &["state", "SARAH", "--at-revision", "9"],
            Exit::NotFound,
            "revision 4",
        ),
        (
            &["state", "SARAH", "--as-of", "2020-01-01T00:00:00Z"],
            Exit::NotFound,
            "whodunit events STREAM",
        ),
        (&["event", "nothing"], Exit::NotFound, "no event"),
        (
            &[
                "do",
                "SARAH",
                "DeleteUser",
                "--actor",
                "me",
                "--reason",
                "x",
            ],
            Exit::No,
            "rejected by `user.already_deleted`",
        ),
        (
            &["do", "SARAH", "Explode", "--actor", "me"],
            Exit::Usage,
            "whodunit models",
        ),
        (
            &[
                "do",
                "SARAH",
                "DeleteUser",
                "--actor",
                "me",
                "--reason",
                "x",
                "--expected-revision",
                "2",
            ],
            Exit::Conflict,
            "expected 2",
        ),
    ];
    for (line, exit, said) in cases {
        let (out, err) = stage.run(line, exit).await;
        assert_eq!(out, "", "{line:?}");
        assert!(
            err.starts_with("error: ") && err.contains(said),
            "{line:?}: {err}"
        );
    }
    let (_, err) = stage
        .run(&["--json", "state", "user-nobody"], Exit::NotFound)
        .await;
    let problem: Value = serde_json::from_str(&err).unwrap();
    assert_eq!(problem["code"], "no_such_stream");
    stage.embedded.stop().await.unwrap();
}

#[tokio::test]
async fn an_export_restores_an_identical_log() {
    let first = Stage::demo().await;
    let (log, _) = first.run(&["export", "--reveal"], Exit::Ok).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log.ndjson");
    std::fs::write(&file, &log).unwrap();
    let second = Stage::empty().await;
    let name = file.to_str().unwrap();
    let report = second.json(&["import", name]).await;
    assert_eq!(report["failed"], 0, "{report}");
    let (again, _) = second.run(&["export", "--reveal"], Exit::Ok).await;
    let records = |log: &str| {
        let lines: Vec<_> = log.lines().map(str::to_owned).collect();
        lines.get(1..lines.len() - 1).unwrap_or_default().to_vec()
    };
    assert!(records(&log) == records(&again), "the restored log differs");
    let report = second.json(&["import", name]).await;
    assert_eq!(
        (&report["added"], &report["failed"]),
        (&Value::from(0), &Value::from(0))
    );

    // Without secrets, an export says so and holds none.
    let (redacted, _) = first.run(&["export"], Exit::Ok).await;
    assert!(log.contains("$argon2id$") && !redacted.contains("$argon2id$"));
    first.embedded.stop().await.unwrap();
    second.embedded.stop().await.unwrap();
}

#[tokio::test]
async fn a_mapping_brings_other_records_in() {
    let stage = Stage::empty().await;
    let sample = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../core/tests/fixtures/cloudtrail-sample.ndjson"
    );
    let import = ["import", sample, "--mapping", "cloudtrail"];
    let (out, _) = stage.run(&import, Exit::Ok).await;
    assert!(
        out.contains("records read  11\nevents added  10\n"),
        "{out}"
    );
    let again = stage.json(&import).await;
    assert_eq!(
        (&again["added"], &again["repeated"]),
        (&Value::from(0), &Value::from(10))
    );
    let (out, _) = stage
        .run(
            &["events", "--category", "iamuser", "--type", "DeleteUser"],
            Exit::Ok,
        )
        .await;
    insta::assert_snapshot!("who_deleted_bob", out);
    stage.embedded.stop().await.unwrap();
}

/// Finding: the batch's victims, what tells them from the others, and names that are not known.
/// What a README shows has to show something.
#[tokio::test]
async fn each_query_of_the_readme_finds_something_in_the_demo() {
    let stage = Stage::demo().await;
    let readme = include_str!("../../../README.md");
    let mut asked = 0;
    for line in readme.lines() {
        let Some(rest) = line.strip_prefix("whodunit ") else {
            continue;
        };
        if !(rest.starts_with("find ") || rest.starts_with("what-differs ")) {
            continue;
        }
        let rest = rest.split("   #").next().unwrap_or(rest);
        let parts = rest.split('\'').enumerate();
        let line: Vec<&str> = parts
            .flat_map(|(n, part)| match n % 2 {
                0 => part.split_whitespace().collect(),
                _ => vec![part],
            })
            .collect();
        let (out, err) = stage.run(&line, Exit::Ok).await;
        assert!(!out.contains("nothing matches"), "{line:?}: {out}{err}");
        asked += 1;
    }
    assert!(
        asked >= 4,
        "the queries stand where this test looks for them"
    );
    stage.embedded.stop().await.unwrap();
}

#[tokio::test]
async fn who_else_and_why_them() {
    let stage = Stage::demo().await;
    let line = "type:UserDeleted actor:job:inactive-cleanup";
    let found = stage.json(&["find", line]).await;
    let batch = found["items"].as_array().unwrap();
    assert!(batch.len() > 5, "{found}");
    let streams: std::collections::BTreeSet<_> = batch
        .iter()
        .map(|event| event["stream"].as_str().unwrap())
        .collect();
    assert!(streams.contains(stage.sarah.as_str()));
    assert_eq!(found["next_cursor"], Value::Null);
    let correlation = batch[0]["correlation_id"].as_str().unwrap();

    let line = format!("correlation:{correlation} type:UserDeleted");
    let differs = stage.json(&["what-differs", &line]).await;
    let of_it = |event: &&Value| event["correlation_id"] == correlation;
    assert_eq!(differs["selected"], batch.iter().filter(of_it).count());
    assert_eq!(differs["complete"], true);
    let first = &differs["differences"][0];
    assert_eq!(
        (&first["attribute"], &first["value"]),
        (&"before.status".into(), &"suspended".into()),
        "{differs}"
    );
    let (out, _) = stage
        .run(&["what-differs", &line, "-n", "5"], Exit::Ok)
        .await;
    insta::assert_snapshot!("what_differs", out);

    let (out, _) = stage
        .run(&["find", &line, "--facets", "--density"], Exit::Ok)
        .await;
    assert!(
        out.contains("job:inactive-cleanup") && out.contains('█'),
        "{out}"
    );
    let (_, err) = stage
        .run(&["find", "type:UserDelted"], Exit::NotFound)
        .await;
    assert!(err.contains("did you mean `UserDeleted`?"), "{err}");
    let (_, err) = stage.run(&["find", "actr:x"], Exit::Usage).await;
    assert!(
        err.contains("did you mean `actor`?") && err.contains("\n  ^"),
        "{err}"
    );
    let (out, _) = stage
        .run(&["find", "outcome:rejected rule:user.suspended"], Exit::Ok)
        .await;
    assert!(out.contains("ChangeEmail"), "{out}");
    let (_, err) = stage
        .run(&["find", "type:UserDeleted actor:api"], Exit::Ok)
        .await;
    assert!(err.contains("nothing matches"), "{err}");
}
