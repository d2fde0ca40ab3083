//! `whodunitd` as a program: what it prints, refuses and leaves.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

fn whodunitd(data: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_whodunitd"));
    command
        .arg("--data")
        .arg(data)
        .args(["--model", "users"])
        .args(args);
    command
        .env_remove("WHODUNIT_LOG")
        .env("RUST_BACKTRACE", "0");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A running one and the address it printed.
pub(crate) fn start(data: &Path, args: &[&str]) -> (Child, String) {
    let mut child = whodunitd(data, args).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    let address = line
        .strip_prefix("listening on http://")
        .unwrap()
        .trim_end()
        .to_owned();
    (child, address)
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill")
        .args([name, &child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
}

/// Asks it to stop, waits, and returns its log.
pub(crate) fn stop(mut child: Child) -> String {
    signal(&child, "-TERM");
    let mut log = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut log)
        .unwrap();
    assert!(child.wait().unwrap().success(), "{log}");
    log
}

/// Runs to its end, which must be a refusal with words and without a backtrace.
fn refused(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{said}");
    assert!(output.stdout.is_empty());
    assert!(
        !said.contains("panicked") && !said.contains("backtrace"),
        "{said}"
    );
    said
}

#[tokio::test]
async fn it_says_where_it_listens_and_stops_on_a_signal() {
    for name in ["-TERM", "-INT"] {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        let (mut child, address) = start(&data, &["--listen", "127.0.0.1:0", "--log", "json"]);
        let url = format!("http://{address}/v1/streams/door-1/events");
        let body = serde_json::json!({"events": [{"event_type": "Opened", "data": {}}]});
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        assert_eq!(
            client.post(url).json(&body).send().await.unwrap().status(),
            200
        );
        let mut feed = client
            .get(format!("http://{address}/v1/live"))
            .send()
            .await
            .unwrap();
        assert!(feed.chunk().await.unwrap().is_some());
        signal(&child, name);
        let status = tokio::task::spawn_blocking(move || {
            let status = child.wait().unwrap();
            let mut log = String::new();
            child
                .stderr
                .take()
                .unwrap()
                .read_to_string(&mut log)
                .unwrap();
            for line in log.lines() {
                let entry: serde_json::Value = serde_json::from_str(line).unwrap();
                assert_eq!(entry["level"], "INFO", "{line}");
            }
            status
        });
        assert!(status.await.unwrap().success(), "{name}");
        while feed.chunk().await.unwrap().is_some() {}
        // What was acknowledged is there when it starts again.
        let (mut child, address) = start(&data, &["--listen", "127.0.0.1:0"]);
        let events = reqwest::get(format!("http://{address}/v1/events"))
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
        assert!(events.contains("Opened"), "{events}");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

#[test]
#[cfg(unix)]
fn it_warns_of_a_data_directory_that_others_may_look_into() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    for (mode, warns) in [(0o755, true), (0o710, true), (0o700, false)] {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(directory.path(), permissions).unwrap();
        let (child, _) = start(directory.path(), &["--listen", "127.0.0.1:0"]);
        let log = stop(child);
        assert_eq!(log.contains("chmod 700"), warns, "{mode:o}: {log}");
    }
}

#[test]
fn it_refuses_what_it_should_not_do() {
    let directory = tempfile::tempdir().unwrap();
    let run = |data: &Path, args: &[&str]| refused(&whodunitd(data, args).output().unwrap());
    let said = run(directory.path(), &["--listen", "0.0.0.0:0"]);
    assert!(
        said.contains("there are no access tokens yet") && said.contains("--allow-remote"),
        "{said}"
    );
    let said = run(
        directory.path(),
        &["--log-level", "whodunit=loud", "--listen", "127.0.0.1:0"],
    );
    assert!(said.contains("`--log-level whodunit=loud`"), "{said}");

    let (mut child, address) = start(directory.path(), &["--listen", "127.0.0.1:0"]);
    let said = run(directory.path(), &["--listen", "127.0.0.1:0"]);
    assert!(said.contains("already open in another process"), "{said}");
    let other = tempfile::tempdir().unwrap();
    let said = run(other.path(), &["--listen", &address]);
    assert!(
        said.contains("cannot listen on") && said.contains("hint:"),
        "{said}"
    );
    child.kill().unwrap();
    child.wait().unwrap();

    let foreign = tempfile::tempdir().unwrap();
    std::fs::write(
        foreign.path().join("events.redb"),
        b"this is no store of ours, not at all",
    )
    .unwrap();
    let said = run(foreign.path(), &["--listen", "127.0.0.1:0"]);
    assert!(said.contains("store format"), "{said}");
    let usage = whodunitd(directory.path(), &["--nope"]).output().unwrap();
    assert_eq!(usage.status.code(), Some(2));
}
