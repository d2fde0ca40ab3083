//! Scenarios from the command line to the report, on the demo's store.

use std::path::Path;

use serde_json::Value;

use super::tour_tests::Stage;
use crate::cli::Exit;

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The scenarios that come with whodunit.
fn shipped() -> String {
    format!("{}/../scenarios", env!("CARGO_MANIFEST_DIR"))
}

#[tokio::test]
async fn the_scenarios_that_come_along_pass_on_the_demo_and_fail_readably_when_something_else_is_expected()
 {
    let stage = Stage::demo().await;
    let (out, _) = stage.run(&["check", &shipped()], Exit::Ok).await;
    assert!(out.lines().last().unwrap().ends_with(" passed"), "{out}");
    assert!(out.lines().count() >= 4, "{out}");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("email.toml");
    let email = std::fs::read_to_string(format!("{}/email.toml", shipped())).unwrap();
    let changed = email.replace("user.suspended", "user.deleted");
    let changed = changed.replace("status = \"suspended\"", "status = \"active\"");
    assert_ne!(changed, email);
    std::fs::write(&path, &changed).unwrap();
    let junit = folder.path().join("report.xml");
    let line = ["check", text(&path), "--junit", text(&junit)];
    let (out, _) = stage.run(&line, Exit::No).await;
    let out = out.replace(text(folder.path()), "DIR");
    insta::assert_snapshot!("a_failure", out);
    let junit = std::fs::read_to_string(&junit).unwrap();
    for part in [
        "failures=\"1\"",
        "<failure message=\"2 expectations do not hold\"",
        "expected  rejected by user.deleted",
    ] {
        assert!(junit.contains(part), "{junit}");
    }
    let report = stage
        .run(&["check", text(&path), "--json"], Exit::No)
        .await
        .0;
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["counts"]["failed"], 1);
    assert_eq!(report["scenarios"][0]["findings"][1]["place"], "/status");
    stage.embedded.stop().await.unwrap();
}

#[tokio::test]
async fn what_is_kept_of_a_what_if_or_of_a_decision_passes() {
    let stage = Stage::demo().await;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let sarah = stage.sarah.as_str();
    let story = [
        "what-if",
        sarah,
        "--at-revision",
        "2",
        "--drop",
        "2",
        "--refold",
        "--command",
        "SuspendUser",
        "--reason",
        "why",
    ];
    let kept = file("kept.toml");
    let line = [
        &story[..],
        &[
            "--save",
            text(&kept),
            "--name",
            "as if it had \"not\" been renamed",
        ],
    ]
    .concat();
    stage.run(&line, Exit::Ok).await;
    let (_, err) = stage.run(&line, Exit::Usage).await;
    assert!(err.contains("already exists"), "{err}");
    stage.run(&["check", text(&kept)], Exit::Ok).await;

    let at = format!("{sarah}@4");
    let event = file("event.toml");
    stage
        .run(
            &[
                "scenario",
                "from",
                "--decision",
                &at,
                "--save",
                text(&event),
            ],
            Exit::Ok,
        )
        .await;
    let decisions = stage
        .json(&["decisions", "--stream", sarah, "--outcome", "rejected"])
        .await;
    let id = decisions["items"][0]["command_id"].as_str().unwrap();
    let (refused, _) = stage
        .run(&["scenario", "from", "--decision", id], Exit::Ok)
        .await;
    assert!(refused.contains("rule = \"user.suspended\""), "{refused}");
    std::fs::write(file("refused.toml"), refused).unwrap();
    let (out, _) = stage.run(&["check", text(folder.path())], Exit::Ok).await;
    assert!(out.ends_with("3 scenarios: 3 passed\n"), "{out}");

    on_an_export(&stage, folder.path()).await;
    stage.embedded.stop().await.unwrap();
}

/// The same scenarios, on an export, without the daemon.
async fn on_an_export(stage: &Stage, folder: &Path) {
    let (export, _) = stage.run(&["export", "--reveal"], Exit::Ok).await;
    let export_file = folder.join("log.ndjson");
    std::fs::write(&export_file, export).unwrap();
    let line = [
        "check",
        text(folder),
        "--on",
        text(&export_file),
        "--model",
        "users",
    ];
    let (out, err) = stage.run(&line, Exit::Ok).await;
    assert!(out.ends_with("3 scenarios: 3 passed\n"), "{out}{err}");
    // Without the model there are no rules to ask.
    let (out, _) = stage.run(&line[..4], Exit::No).await;
    assert!(out.contains("could not be run"), "{out}");
}

#[tokio::test]
async fn secrets_are_not_written_into_a_scenario() {
    let stage = Stage::demo().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new.toml");
    let change =
        r#"ChangePassword={"current_password": "old horse", "new_password": "correct horse"}"#;
    let line = [
        "what-if",
        &stage.sarah,
        "--at-revision",
        "2",
        "--command",
        change,
        "--save",
        text(&path),
    ];
    let (out, err) = stage.run(&line, Exit::Usage).await;
    assert!(
        err.contains("_password` is a secret") && !err.contains("horse"),
        "{err}"
    );
    assert!(!out.contains("horse") && !path.exists());
    let first = format!("{}@1", stage.sarah);
    let (_, err) = stage
        .run(&["scenario", "from", "--decision", &first], Exit::Usage)
        .await;
    assert!(
        err.contains("has secret parameters, which are not on record"),
        "{err}"
    );
    stage.embedded.stop().await.unwrap();
}

#[tokio::test]
async fn a_scenario_may_bring_its_own_history() {
    let stage = Stage::empty().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.toml");
    let own = r#"
name = "a discount is not taken twice"
[given]
stream = "order-1"
[[given.events]]
type = "OrderPlaced"
at = "2025-01-01T10:00:00Z"
actor = "shop"
data = { total = 20.50, lines = 2 }
[[when]]
event = "DiscountTaken"
data = { total = 18.45 }
outcome = "applied"
[then]
differs = ["total"]
holds = "/total < 20 && /lines == 2"
[then.state]
total = 18.45
"#;
    std::fs::write(&path, own).unwrap();
    stage.run(&["check", text(&path)], Exit::Ok).await;
    let users = own.replace("[given]\n", "[given]\nmodels = [\"nobody\"]\n");
    std::fs::write(&path, users).unwrap();
    let (out, _) = stage.run(&["check", text(&path)], Exit::No).await;
    assert!(out.contains("no built-in model of that name"), "{out}");
    let gone = own.replace("[given]\n", "[given]\nhistory = \"gone.ndjson\"\n");
    let (start, rest) = gone.split_once("[[given").unwrap();
    let (_, end) = rest.split_once("[[when").unwrap();
    std::fs::write(&path, format!("{start}[[when{end}")).unwrap();
    let (out, _) = stage.run(&["check", text(&path)], Exit::No).await;
    assert!(
        out.contains("there is no `") && out.contains("gone.ndjson"),
        "{out}"
    );
    stage.embedded.stop().await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_checked_is_said_and_never_passes() {
    let stage = Stage::demo().await;
    let folder = tempfile::tempdir().unwrap();
    let (_, err) = stage
        .run(&["check", text(folder.path())], Exit::NotFound)
        .await;
    assert!(err.contains("there is no scenario in"), "{err}");
    let path = folder.path().join("a.toml");
    stage.run(&["check", text(&path)], Exit::NotFound).await;
    std::fs::write(&path, "name = 'a'\nnam = 1\n").unwrap();
    let other = folder.path().join("b.toml");
    let late =
        "name = 'b'\n[given]\nstream = 'user-7f3c7329'\nat_revision = 99\n[then]\nrevision = 1\n";
    std::fs::write(&other, late).unwrap();
    let (out, _) = stage
        .run(&["check", text(folder.path())], Exit::Usage)
        .await;
    assert!(
        out.contains("not a scenario") && out.contains("could not be run"),
        "{out}"
    );
    assert!(
        out.ends_with("2 scenarios: 0 passed, 1 could not be run, 1 not a scenario\n"),
        "{out}"
    );
    stage.embedded.stop().await.unwrap();
}
