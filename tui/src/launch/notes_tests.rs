//! Notes, links and exports of a part on the command line, against a real daemon inside the test.

use serde_json::Value;

use super::tour_tests::Stage;
use crate::cli::Exit;

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "one thing after another, on one store"
)]
async fn notes_are_written_listed_shown_and_removed() {
    let stage = Stage::demo().await;
    let short = stage.sarah.get(..9).unwrap().to_owned();
    let at = format!("{short}@2");
    let (out, _) = stage
        .run(
            &[
                "note",
                "add",
                &at,
                "see incident 12\n\u{1b}[2Jtwo",
                "--actor",
                "anna",
                "--id",
                "n-1",
            ],
            Exit::Ok,
        )
        .await;
    assert!(
        out.contains("noted  n-1") && out.contains(&format!("{}@2", stage.sarah)),
        "{out}"
    );
    stage
        .run(
            &[
                "note",
                "add",
                &stage.sarah,
                "the caller",
                "--actor",
                "ben",
                "--id",
                "n-2",
            ],
            Exit::Ok,
        )
        .await;
    let (_, err) = stage
        .run(
            &["note", "add", "user-nothing-like", "x", "--actor", "a"],
            Exit::NotFound,
        )
        .await;
    assert!(err.contains("there is no"), "{err}");
    stage
        .run(
            &["note", "add", &at, "$argon2id$v=19$", "--actor", "a"],
            Exit::Usage,
        )
        .await;
    // Newest first; of an event only its own.
    let (out, _) = stage.run(&["note", "list"], Exit::Ok).await;
    let (first, last) = (
        out.find("the caller").unwrap(),
        out.find("see incident 12").unwrap(),
    );
    assert!(first < last && !out.contains('\u{1b}'), "{out}");
    let (out, _) = stage.run(&["note", "list", &at], Exit::Ok).await;
    assert!(out.contains("incident") && !out.contains("caller"), "{out}");
    let (out, _) = stage
        .run(
            &["note", "list", "--text", "CALLER", "--by", "ben"],
            Exit::Ok,
        )
        .await;
    assert!(out.contains("caller") && !out.contains("incident"), "{out}");
    let (_, err) = stage.run(&["note", "list", "--by", "nemo"], Exit::Ok).await;
    assert!(err.contains("there are no notes"), "{err}");
    // Beside the event, and beside the stream's history.
    let (out, _) = stage.run(&["event", &at], Exit::Ok).await;
    assert!(
        out.contains("notes\n") && out.contains("    see incident 12\n    ␛[2Jtwo\n"),
        "{out}"
    );
    let (out, _) = stage.run(&["event", &at, "--json"], Exit::Ok).await;
    let event: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(event["notes"][0]["note_id"], "n-1");
    let (out, _) = stage
        .run(&["event", &format!("{short}@1"), "--json"], Exit::Ok)
        .await;
    assert!(!out.contains("notes"), "{out}");
    let (out, _) = stage.run(&["events", &stage.sarah], Exit::Ok).await;
    assert!(
        out.contains("the caller") && out.contains("revision 2"),
        "{out}"
    );
    let (out, _) = stage.run(&["note", "remove", "n-1"], Exit::Ok).await;
    assert!(out.contains("removed  n-1"), "{out}");
    stage.run(&["note", "remove", "n-1"], Exit::NotFound).await;
    stage.embedded.stop().await.unwrap();
}

#[tokio::test]
async fn a_part_is_exported_and_imported_as_one() {
    let stage = Stage::demo().await;
    let short = stage.sarah.get(..9).unwrap().to_owned();
    stage
        .run(
            &["note", "add", &stage.sarah, "the caller", "--actor", "ben"],
            Exit::Ok,
        )
        .await;
    let (lines, err) = stage
        .run(&["export", "--stream", &short, "--reveal"], Exit::Ok)
        .await;
    assert!(
        err.contains("part of the log: ") && err.contains("1 note, no decisions"),
        "{err}"
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("part.ndjson");
    std::fs::write(&file, &lines).unwrap();
    let target = Stage::empty().await;
    let (out, err) = target
        .run(&["import", file.to_str().unwrap()], Exit::Ok)
        .await;
    assert!(
        out.contains("notes added") && err.contains("the file is part of a log of"),
        "{out}{err}"
    );
    let (out, _) = target.run(&["note", "list"], Exit::Ok).await;
    assert!(out.contains("the caller"), "{out}");
    // A query line; what it does not decide is said.
    let line = "category:user where:event.data.no_such_field == 1";
    let (_, err) = stage.run(&["export", "--query", line], Exit::Ok).await;
    assert!(
        err.contains("0 of") && err.contains("could not be evaluated"),
        "{err}"
    );
    stage
        .run(&["export", "--query", "type:"], Exit::Usage)
        .await;
    stage
        .run(&["export", "--stream", "no-such-stream"], Exit::NotFound)
        .await;
    target.embedded.stop().await.unwrap();
    stage.embedded.stop().await.unwrap();
}
