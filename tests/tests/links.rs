//! Links to a revision of a stream, followed to the daemon that has it.

#![expect(clippy::unwrap_used, reason = "in a test, a failure is the message")]

use std::path::Path;
use std::process::Command;

use serde_json::json;
use whodunit_tests::{Daemon, binary};

/// Runs `whodunit` with these settings; its exit code, and what it printed.
fn run(config: &Path, args: &[&str]) -> (i32, String, String) {
    let output = Command::new(binary("whodunit"))
        .args(args)
        .env_remove("WHODUNIT_DAEMON")
        .env("WHODUNIT_CONFIG", config)
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code().unwrap(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

async fn fill(daemon: &Daemon, who: &str) {
    for status in ["new", "paid", "sent"] {
        let body =
            json!({"events": [{"event_type": "Changed", "data": {"status": status, "who": who}}]});
        let (code, answer) = daemon
            .post("/v1/streams/order-1/events", &body)
            .await
            .unwrap();
        assert_eq!(code, 200, "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_leads_to_the_store_it_names_whichever_daemon_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    let (one, other) = (Daemon::start(&one).unwrap(), Daemon::start(&other).unwrap());
    fill(&one, "anna").await;
    fill(&other, "bert").await;
    let config = folder.path().join("config.toml");
    let settings = format!(
        "context = \"other\"\n[contexts.one]\naddress = \"{}\"\n[contexts.other]\naddress = \"{}\"\n[contexts.gone]\naddress = \"http://127.0.0.1:9\"\n",
        one.url(),
        other.url()
    );
    std::fs::write(&config, settings).unwrap();
    let run = |args: &[&str]| run(&config, args);
    let (code, link, err) = run(&[
        "--context",
        "one",
        "state",
        "order-1",
        "--at-revision",
        "2",
        "--link",
    ]);
    assert_eq!(code, 0, "{err}");
    let link = link.trim();
    assert!(
        link.starts_with("whodunit://") && link.ends_with("/order-1@2"),
        "{link}"
    );
    let (_, same, _) = run(&["--context", "one", "event", "order-1@2", "--link"]);
    assert_eq!(same.trim(), link);
    // Another daemon is in use; the link finds its own.
    let (code, out, err) = run(&["open-link", link, "--no-tui"]);
    assert_eq!(code, 0, "{err}");
    assert!(
        out.contains("anna") && out.contains("paid") && out.contains("revision 2 of 3"),
        "{out}"
    );
    // By a context's name.
    let (code, out, err) = run(&["open-link", "whodunit://other/order-1", "--no-tui"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("bert") && out.contains("sent"), "{out}");
    // Where the command line names the daemon, no other is asked: the error says both stores.
    let (code, _, err) = run(&["--context", "other", "open-link", link, "--no-tui"]);
    let store = link.split('/').nth(2).unwrap();
    assert!(
        code == 3 && err.contains(store) && err.contains(other.url()) && err.contains("has store"),
        "{err}"
    );
    // A store that no daemon has: all of them are named, with those that do not answer.
    let nowhere = format!("whodunit://{}/order-1@1", "0".repeat(32));
    let (code, _, err) = run(&["open-link", &nowhere, "--no-tui"]);
    assert!(
        code == 3
            && err.contains(one.url())
            && err.contains(other.url())
            && err.contains("does not answer"),
        "{err}"
    );
    for (bad, exit, said) in [
        (
            "whodunit://nosuch/order-1@1",
            3,
            "neither the id of a store nor a context",
        ),
        ("whodunit://other/order-1@9", 3, "ends at revision 3"),
        ("whodunit://other/order-7@1", 3, "no stream `order-7`"),
        ("http://other/order-1@1", 2, "a link looks like"),
    ] {
        let (code, _, err) = run(&["open-link", bad, "--no-tui"]);
        assert!(code == exit && err.contains(said), "{bad}: {code} {err}");
    }
    // Without a terminal there are no screens.
    assert_eq!(run(&["open-link", link]).0, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_line_is_kept_by_name_and_put_into_others() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(&folder.path().join("data")).unwrap();
    fill(&daemon, "anna").await;
    let config = folder.path().join("config.toml");
    std::fs::write(
        &config,
        format!(
            "context = \"one\"\n[contexts.one]\naddress = \"{}\"\n",
            daemon.url()
        ),
    )
    .unwrap();
    let run = |args: &[&str]| run(&config, args);
    let (code, out, err) = run(&[
        "find",
        "stream:order-1 where:event.data.status == \"paid\"",
        "--save",
        "paid",
    ]);
    assert!(code == 0 && out.contains("saved `@paid`"), "{out}{err}");
    let (code, out, err) = run(&["find", "@paid type:Changed", "--json"]);
    assert_eq!(code, 0, "{err}");
    let found: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (
            found["items"].as_array().unwrap().len(),
            &found["items"][0]["revision"]
        ),
        (1, &json!(2))
    );
    assert!(run(&["find", "--saved"]).1.contains("@paid"));
    // The rest of the settings is kept, and what cannot be read is not saved.
    assert_eq!(run(&["find", "type:", "--save", "broken"]).0, 2);
    assert_eq!(run(&["find", "@paid", "--save", "paid"]).0, 2);
    let (code, _, err) = run(&["find", "@nope"]);
    assert!(code == 2 && err.contains("no saved line `nope`"), "{err}");
    assert_eq!(run(&["find", "--forget", "paid"]).0, 0);
    assert_eq!(run(&["find", "--forget", "paid"]).0, 3);
    assert!(run(&["streams"]).1.contains("order-1"));
}
