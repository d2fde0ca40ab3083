//! The demo's incident as a file: opened without its daemon, as a page in a browser, and as a post-mortem draft.

#![expect(clippy::unwrap_used, reason = "in a test, a failure is the message")]

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use whodunit_tests::{Daemon, whodunit};

const SARAH: &str = "user-7f3c7329";

fn run(url: &str, args: &[&str], code: i32) -> (String, String) {
    let (actual, out, err) = whodunit(url, args);
    assert_eq!(actual, code, "whodunit {args:?}\n{out}\n{err}");
    (out, err)
}

fn state(url: &str) -> Value {
    let args = ["state", SARAH, "--as-of", "2025-03-24T15:47:00Z", "--json"];
    let all: Value = serde_json::from_str(&run(url, &args, 0).0).unwrap();
    serde_json::json!([all["revision"], all["state"]])
}

/// What a page shows in a browser, or why there is none to try.
fn in_browser(page: &Path, profile: &Path) -> Result<String, String> {
    for browser in ["chromium", "chromium-browser", "google-chrome"] {
        let started = Command::new(browser)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"])
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg(format!("file://{}", page.display()))
            .output();
        match started {
            Ok(done) => {
                let said = String::from_utf8_lossy(&done.stderr);
                assert!(done.status.success(), "{browser}: {said}");
                return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
            }
            Err(_not_there) => {}
        }
    }
    Err("skipped: there is no Chromium on PATH, so no page was opened".to_owned())
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one file through all its uses")]
async fn the_demos_incident_is_told_without_its_daemon() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let file = at("incident.ndjson");
    let demo = Daemon::run("whodunit", &["demo", "--no-tui"], None).unwrap();
    let create = ["branch", "create", "no-suspension", SARAH, "--drop", "3"];
    run(demo.url(), &create, 0);
    let event = format!("{SARAH}@4");
    // A text that would be markup.
    let note = "<script>document.title='ran'</script> \u{202e}and `more`";
    run(
        demo.url(),
        &["note", "add", &event, note, "--actor", "ann"],
        0,
    );
    let (_, said) = run(demo.url(), &["bundle", "--around", &event, "-o", &file], 0);
    assert!(
        said.contains("events") && said.contains("without secrets"),
        "{said}"
    );
    run(demo.url(), &["bundle", "--around", &event, "-o", &file], 2);
    let before = state(demo.url());
    demo.stop().unwrap();

    // Without its daemon.
    let nowhere = "http://127.0.0.1:1";
    let (page, draft) = (at("incident.html"), at("post-mortem.md"));
    run(
        nowhere,
        &["bundle", "--from", &file, "--html", "-o", &page],
        0,
    );
    run(
        nowhere,
        &["bundle", "--from", &file, "--md", "-o", &draft],
        0,
    );
    let opened = Daemon::run("whodunit", &["open", &file, "--no-tui"], None).unwrap();
    assert_eq!(state(opened.url()), before);
    let (compared, _) = run(opened.url(), &["branch", "compare", "no-suspension"], 1);
    assert!(
        compared.contains("DeleteUser") && compared.contains("absent"),
        "{compared}"
    );
    assert!(run(opened.url(), &["note", "list"], 0).0.contains("ann"));
    opened.stop().unwrap();
    let (checked, _) = run(nowhere, &["check", &file], 0);
    assert!(checked.contains("3 passed"), "{checked}");

    let texts = [&file, &page, &draft].map(|path| std::fs::read_to_string(path).unwrap());
    for text in &texts {
        assert!(!text.contains("$argon2"), "{text}");
    }
    for answer in [
        "job:inactive-cleanup",
        "Mon 24 Mar 2025 15:47:23 UTC",
        "inactive for 90 days",
        "because of rev 3",
        "fraud-scan",
        "Who else was hit",
    ] {
        assert!(texts[1].contains(answer), "{answer}");
    }
    for heading in [
        "Summary",
        "Impact",
        "Timeline",
        "Root cause",
        "Checks to keep",
        "Follow-ups",
    ] {
        assert!(texts[2].contains(&format!("\n## {heading}\n")), "{heading}");
    }

    let mut damaged = texts[0].clone().into_bytes();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    let broken = at("broken.ndjson");
    std::fs::write(&broken, &damaged).unwrap();
    let (_, said) = run(
        nowhere,
        &["bundle", "--from", &broken, "--html", "-o", &at("x")],
        1,
    );
    assert!(said.contains("damaged"), "{said}");
    let opened = Daemon::run("whodunit", &["open", &broken, "--no-tui"], None).unwrap();
    let (_, log) = opened.stop().unwrap();
    assert!(log.contains("damaged"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_shows_the_answer_and_runs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("incident.html");
    let demo = Daemon::run("whodunit", &["demo", "--no-tui"], None).unwrap();
    let event = format!("{SARAH}@4");
    let note = "<script>document.title='ran'</script><img src=x onerror=\"document.title='ran'\">";
    run(
        demo.url(),
        &["note", "add", &event, note, "--actor", "ann"],
        0,
    );
    let path = page.display().to_string();
    run(
        demo.url(),
        &["bundle", "--around", &event, "--html", "-o", &path],
        0,
    );
    demo.stop().unwrap();
    let shown = match in_browser(&page, &folder.path().join("profile")) {
        Ok(shown) => shown,
        Err(skipped) => {
            println!("{skipped}");
            return;
        }
    };
    assert!(
        shown.contains("<title>sarah@example.com · incident</title>"),
        "{shown}"
    );
    let answer = shown.split("id=\"answer\"").nth(1).unwrap();
    let answer = answer.split("</section>").next().unwrap();
    for part in [
        "DELETED",
        "job:inactive-cleanup",
        "Mon 24 Mar 2025 15:47:23 UTC",
        "inactive for 90 days",
        "because of rev 3",
        "fraud-scan",
        "fraud_detected",
        "14 streams",
    ] {
        assert!(answer.contains(part), "{part} in {answer}");
    }
    let others = shown.split("id=\"others\"").nth(1).unwrap();
    assert!(others.matches("<tr>").count() > 13, "{others}");
}

/// What is asked of a file is answered as a daemon does; what is written there is in a copy, and gone with it.
#[tokio::test(flavor = "multi_thread")]
async fn an_opened_file_can_be_asked_and_written_to_and_keeps_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("incident.ndjson").display().to_string();
    let demo = Daemon::run("whodunit", &["demo", "--no-tui"], None).unwrap();
    let event = format!("{SARAH}@4");
    run(demo.url(), &["bundle", "--around", &event, "-o", &file], 0);
    demo.stop().unwrap();
    let before = std::fs::read(&file).unwrap();
    let opened = Daemon::run("whodunit", &["open", &file, "--no-tui"], None).unwrap();
    let url = opened.url();
    let (answer, _) = run(url, &["what-if", SARAH, "--drop", "3"], 0);
    assert!(answer.contains("would not have been deleted"), "{answer}");
    run(url, &["branch", "create", "mine", SARAH, "--drop", "3"], 0);
    let (state, _) = run(url, &["state", SARAH, "--branch", "mine", "--json"], 0);
    assert!(state.contains("\"active\""), "{state}");
    run(url, &["note", "add", &event, "seen", "--actor", "ann"], 0);
    let data = ["--data", "{\"text\": \"x\"}", "--actor", "ann"];
    let append = ["append", SARAH, "Looked"];
    run(url, &[&append[..], &data[..]].concat(), 0);
    let (head, _) = run(url, &["events", SARAH, "--json"], 0);
    assert!(head.contains("Looked"), "{head}");
    opened.stop().unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), before);
    let again = Daemon::run("whodunit", &["open", &file, "--no-tui"], None).unwrap();
    let (events, _) = run(again.url(), &["events", SARAH, "--json"], 0);
    assert!(!events.contains("Looked"), "{events}");
    run(again.url(), &["branch", "show", "mine"], 3);
    again.stop().unwrap();
}

/// Without a model there are no commands to ask about; events can be dropped, and that can be kept as a scenario.
#[tokio::test(flavor = "multi_thread")]
async fn a_what_if_of_a_category_without_a_model_is_saved_and_checked() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(&folder.path().join("data")).unwrap();
    let url = daemon.url();
    for n in ["1", "2", "3"] {
        let data = format!("{{\"n\": {n}, \"only-{n}\": true}}");
        let append = [
            "append", "list-1", "Noted", "--data", &data, "--actor", "ann",
        ];
        run(url, &append, 0);
    }
    let path = folder.path().join("noted.toml").display().to_string();
    let (_, said) = run(
        url,
        &["what-if", "list-1", "--drop", "2", "--save", &path],
        0,
    );
    assert!(!said.contains("model"), "{said}");
    let (checked, _) = run(url, &["check", &path], 0);
    assert!(checked.contains("1 passed"), "{checked}");
    let text = std::fs::read_to_string(&path).unwrap();
    let other = text.replace("only-2", "only-3");
    assert_ne!(text, other, "{text}");
    std::fs::write(&path, other).unwrap();
    run(url, &["check", &path], 1);
    daemon.stop().unwrap();
}
