//! What shells complete, by running them; and manual pages.

#![expect(clippy::unwrap_used, reason = "in a test, a failure is the message")]

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;
use whodunit_tests::{Daemon, binary, whodunit};

/// Whether a shell is there; says so where it is not.
fn is_there(shell: &str) -> bool {
    let found = Command::new(shell)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let there = found.is_ok_and(|status| status.success());
    if !there {
        #[expect(clippy::print_stderr, reason = "a test that is left out says so")]
        {
            eprintln!("left out: there is no {shell} on this machine");
        }
    }
    there
}

/// Runs a script in a shell that finds our program, with the daemon's address in its environment.
fn run(shell: &str, script: &str, daemon: &str, folder: &Path) -> String {
    let bin = binary("whodunit");
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new(shell)
        .args(["-c", script])
        .env(
            "PATH",
            format!("{}:{path}", bin.parent().unwrap().display()),
        )
        .env("WHODUNIT_DAEMON", daemon)
        .env("WHODUNIT_CONFIG", folder.join("config.toml"))
        .env("HOME", folder)
        .current_dir(folder)
        .output()
        .unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{shell}: {out}\n{err}");
    out.into_owned()
}

/// What bash completes a line to, word by word.
fn bash(line: &[&str], daemon: &str, folder: &Path) -> Vec<String> {
    let words: Vec<String> = line.iter().map(|word| format!("'{word}'")).collect();
    let script = format!(
        "source <(whodunit completions bash)\nCOMP_WORDS=({}); COMP_CWORD={}; COMP_TYPE=9\n\
         _clap_complete_whodunit whodunit '{}' '' || exit 3\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"",
        words.join(" "),
        line.len() - 1,
        line.last().unwrap(),
    );
    let out = run("bash", &script, daemon, folder);
    out.lines()
        .map(|word| word.trim().to_owned())
        .filter(|word| !word.is_empty())
        .collect()
}

async fn history(daemon: &Daemon) {
    for (stream, kind, actor) in [
        ("order-1", "OrderPlaced", "clerk-7"),
        ("order-2", "OrderPaid", "clerk-9"),
        ("door-1", "DoorOpened", "porter"),
    ] {
        let body = json!({"events": [{"event_type": kind, "actor": actor, "correlation_id": format!("c-{stream}"), "data": {}}]});
        let (status, answer) = daemon
            .post(&format!("/v1/streams/{stream}/events"), &body)
            .await
            .unwrap();
        assert_eq!(status, 200, "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bash_completes_commands_options_and_names_of_the_daemon() {
    if !is_there("bash") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(&folder.path().join("data")).unwrap();
    history(&daemon).await;
    std::fs::write(
        folder.path().join("config.toml"),
        "[contexts.prod]\naddress = \"http://127.0.0.1:9\"\n",
    )
    .unwrap();
    let complete = |line: &[&str], url: &str| bash(line, url, folder.path());
    let url = daemon.url();
    for (line, found) in [
        (vec!["whodunit", "bla"], vec!["blame"]),
        (vec!["whodunit", "completions", "f"], vec!["fish"]),
        (vec!["whodunit", "state", "ord"], vec!["order-1", "order-2"]),
        (
            vec!["whodunit", "events", "--type", "OrderP"],
            vec!["OrderPaid", "OrderPlaced"],
        ),
        (
            vec!["whodunit", "events", "--actor", "cl"],
            vec!["clerk-7", "clerk-9"],
        ),
        (vec!["whodunit", "events", "--category", "d"], vec!["door"]),
        (
            vec!["whodunit", "events", "--correlation", "c-d"],
            vec!["c-door-1"],
        ),
        (vec!["whodunit", "note", "add", "door"], vec!["door-1"]),
        (vec!["whodunit", "--context", "pr"], vec!["prod"]),
        (vec!["whodunit", "state", "nothing-like"], vec![]),
    ] {
        assert_eq!(complete(&line, url), found, "{line:?}");
    }
    assert!(complete(&["whodunit", "state", "--at"], url).contains(&"--at-revision".to_owned()));
    // The line's own daemon is asked; one that is not there says nothing, and nothing is waited for.
    let line = ["whodunit", "--daemon", url, "state", "door"];
    assert_eq!(complete(&line, "http://127.0.0.1:9"), ["door-1"]);
    let begun = std::time::Instant::now();
    assert!(complete(&["whodunit", "state", "door"], "http://127.0.0.1:9").is_empty());
    assert!(begun.elapsed() < std::time::Duration::from_secs(20));
}

#[tokio::test(flavor = "multi_thread")]
async fn zsh_and_fish_take_their_scripts() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(&folder.path().join("data")).unwrap();
    history(&daemon).await;
    if is_there("zsh") {
        let script = "autoload -U compinit && compinit -u; source <(whodunit completions zsh); print -r -- $_comps[whodunit]";
        assert!(run("zsh", script, daemon.url(), folder.path()).contains("whodunit"));
    }
    if is_there("fish") {
        let script = "whodunit completions fish | source; complete -C 'whodunit state ord'";
        let out = run("fish", script, daemon.url(), folder.path());
        assert!(out.contains("order-1") && out.contains("order-2"), "{out}");
    }
    // Whether the shells are there or not, there is a script for each, and none for another.
    for shell in ["bash", "zsh", "fish"] {
        let (code, out, err) = whodunit(daemon.url(), &["completions", shell]);
        assert!(
            code == 0 && out.contains("whodunit") && out.contains("WHODUNIT_COMPLETE"),
            "{out}{err}"
        );
    }
    assert_eq!(whodunit(daemon.url(), &["completions", "tcsh"]).0, 2);
}

#[test]
fn there_is_a_manual_page_for_each_command() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man1");
    let (code, out, err) = whodunit("http://127.0.0.1:9", &["man", pages.to_str().unwrap()]);
    assert_eq!(code, 0, "{out}{err}");
    for (name, said) in [
        ("whodunit.1", "whodunit\\-blame(1)"),
        ("whodunit-blame.1", "\\-\\-at\\-revision"),
        ("whodunit-note-add.1", "about"),
        ("whodunit-open-link.1", "\\-\\-no\\-tui"),
    ] {
        let text = std::fs::read_to_string(pages.join(name)).unwrap();
        assert!(
            text.contains(".TH") && text.contains(said),
            "{name}: {text}"
        );
    }
}
