//! A password is nowhere: not in the store's bytes, not in a reply, not in the log. Its hash only on request.

#![expect(clippy::unwrap_used, reason = "in a test, a failure is the message")]

#[path = "secrets/what_ifs.rs"]
mod what_ifs;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use whodunit_tests::Daemon;

/// How long what follows after the events may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// Long and odd enough to occur nowhere by chance.
const CANARIES: [&str; 4] = [
    "Zq7-canary-one-Zq7",
    "Zq7-canary-two-Zq7",
    "Zq7-wrong-Zq7",
    "Zq7-raw-Zq7",
];

/// A password as a careless client may send it.
const NUMBER: u64 = 771_928_374_650_199;

fn find(haystack: &[u8], place: &str) {
    let number = NUMBER.to_string();
    for canary in CANARIES.into_iter().chain([number.as_str()]) {
        let found = haystack
            .windows(canary.len())
            .any(|window| window == canary.as_bytes());
        assert!(!found, "a password stands in {place}");
    }
}

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "one table of every way a password could leak"
)]
async fn a_password_is_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path()).unwrap();
    let [first, second, wrong, raw] = CANARIES;
    let command = |kind: &str, payload: Value| json!({"type": kind, "payload": payload, "actor": "api", "reason": "test"});
    let user = |password: &str| json!({"username": "sarah", "email": "sarah@example.com", "first_name": "S", "last_name": "K", "password": password});
    let change =
        |current: &str, new: &str| json!({"current_password": current, "new_password": new});
    let stream = "/v1/streams/user-sarah/commands";
    let what_if = |action: Value| json!({"stream": "user-sarah", "do": [{"command": action}]});
    let requests = [
        (stream, command("CreateUser", user(first)), 200),
        (
            "/v1/streams/user-other/commands",
            command("CreateUser", user(second)),
            422,
        ),
        (
            stream,
            command("ChangePassword", change(wrong, second)),
            422,
        ),
        (
            stream,
            command("ChangePassword", change(first, second)),
            200,
        ),
        (
            stream,
            command("ChangePassword", change(second, second)),
            422,
        ),
        // Malformed in every way a secret could be quoted from.
        (
            stream,
            command(
                "ChangePassword",
                json!({"current_password": [first], "new_password": {"x": second}}),
            ),
            400,
        ),
        (
            stream,
            command("ChangeEmail", json!({"email": "a@b.co", "password": first})),
            400,
        ),
        (
            stream,
            json!({"type": "CreateUser", "actor": "x", "payload": first}),
            400,
        ),
        (
            stream,
            json!({"type": "CreateUser", "actor": "x", "password": first}),
            400,
        ),
        (
            "/v1/streams/user-raw/events",
            json!({"events": [{"event_type": "UserCreated", "data": {"password": raw}}]}),
            400,
        ),
        (
            "/v1/streams/user-raw/events",
            json!({"events": [{"event_type": "X", "data": {}, "metadata": {"a": {"new_password": raw}}}]}),
            400,
        ),
        (
            "/v1/what-if",
            what_if(command("ChangePassword", change(second, first))),
            200,
        ),
        (
            "/v1/what-if",
            what_if(command("ChangePassword", change(wrong, first))),
            200,
        ),
    ];
    for (path, body, expected) in requests {
        let (status, answer) = daemon.post(path, &body).await.unwrap();
        assert_eq!(status, expected, "{path}: {answer}");
        find(
            answer.to_string().as_bytes(),
            &format!("the reply of {path}"),
        );
        assert!(
            !answer.to_string().contains("$argon2"),
            "a hash stands in the reply of {path}: {answer}"
        );
    }
    for path in [
        "/v1/events",
        "/v1/decisions",
        "/v1/streams/user-sarah/state",
        "/v1/streams/user-sarah/steps",
        "/v1/streams/user-sarah/diff?from=0&to=2",
    ] {
        let (status, answer) = daemon.get(path).await.unwrap();
        let text = answer.to_string();
        assert_eq!(status, 200, "{answer}");
        find(text.as_bytes(), path);
        assert!(
            !text.contains("$argon2") && text.contains("[redacted]"),
            "{path}: {text}"
        );
    }
    let (_, revealed) = daemon
        .get("/v1/streams/user-sarah/state?reveal=true")
        .await
        .unwrap();
    assert!(
        revealed["state"]["password_hash"]
            .as_str()
            .unwrap()
            .starts_with("$argon2id$"),
        "{revealed}"
    );
    let (status, log) = daemon.stop().unwrap();
    assert!(status.success());
    find(log.as_bytes(), "the log");
    assert!(log.contains("reveal"), "showing a secret is logged: {log}");
    for path in files(folder.path()) {
        find(&std::fs::read(&path).unwrap(), &path.display().to_string());
    }
}

/// A receiver of webhooks that keeps what it is sent and is content with it. Its address, and what came.
fn receiver() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let received = Arc::new(Mutex::new(Vec::new()));
    let to = Arc::clone(&received);
    // Ends with the test's process.
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = BufReader::new(connection.unwrap());
            let (mut head, mut length) = (String::new(), 0);
            while !head.ends_with("\r\n\r\n") && connection.read_line(&mut head).unwrap() > 0 {
                let last = head.trim_end().lines().last().unwrap_or_default();
                if let Some(n) = last.to_lowercase().strip_prefix("content-length:") {
                    length = n.trim().parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            connection.read_exact(&mut body).unwrap();
            let body = String::from_utf8(body).unwrap();
            to.lock().unwrap().push(format!("{head}{body}"));
            let answer = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
            connection.get_mut().write_all(answer).unwrap();
        }
    });
    (address, received)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

/// Neither a password nor a hash.
fn find_nothing(text: &[u8], place: &str) {
    find(text, place);
    let hash = text.windows(7).any(|window| window == b"$argon2");
    assert!(!hash, "a hash stands in {place}");
}

/// Waits until all jobs are done and all read models are level with the log.
async fn settled(daemon: &Daemon) -> Value {
    let began = Instant::now();
    loop {
        let (_, outbox) = daemon.get("/v1/outbox").await.unwrap();
        let (_, projections) = daemon.get("/v1/projections").await.unwrap();
        let jobs = outbox["items"].as_array().unwrap();
        let done = jobs.iter().all(|job| job["status"] == "completed");
        let mut read_models = projections["items"].as_array().unwrap().iter();
        if done && read_models.all(|own| own["checkpoint"] == outbox["head"]) {
            return outbox;
        }
        assert!(began.elapsed() < PATIENCE, "{outbox}\n{projections}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_pipeline_makes_of_events_holds_neither_password_nor_hash() {
    let folder = tempfile::tempdir().unwrap();
    let (address, received) = receiver();
    let config = folder.path().join("pipeline.toml");
    let webhook = format!(
        "[webhooks]\nallow = ['{address}']\n[[webhook]]\nname = 'all'\nurl = 'http://{address}/'\nevents = ['user/*']\nstate = true\n"
    );
    std::fs::write(&config, webhook).unwrap();
    let data = folder.path().join("data");
    let mut args = vec!["--listen", "127.0.0.1:0", "--model", "users"];
    args.extend(["--data", data.to_str().unwrap()]);
    args.extend(["--pipeline", config.to_str().unwrap()]);
    let daemon = Daemon::run("whodunitd", &args, None).unwrap();
    let [first, second, ..] = CANARIES;
    let user = json!({"username": "sarah", "email": "sarah@example.com", "first_name": "S", "last_name": "K", "password": first});
    let change = json!({"current_password": first, "new_password": second});
    for (kind, payload) in [("CreateUser", user), ("ChangePassword", change)] {
        let command = json!({"type": kind, "payload": payload, "actor": "api", "reason": "test"});
        let path = "/v1/streams/user-sarah/commands";
        let (status, answer) = daemon.post(path, &command).await.unwrap();
        assert_eq!(status, 200, "{answer}");
    }
    let outbox = settled(&daemon).await;
    assert_eq!(outbox["items"].as_array().unwrap().len(), 4, "{outbox}");
    let (status, run) = daemon
        .post("/v1/projections/states/rebuild", &json!({}))
        .await
        .unwrap();
    assert_eq!(status, 202, "{run}");
    for path in [
        "/v1/outbox",
        "/v1/outbox/1",
        "/v1/projections",
        "/v1/read-models",
        "/v1/read-models/users",
        "/v1/read-models/users/user-sarah",
        "/v1/read-models/states",
        "/v1/read-models/states/user-sarah",
        "/metrics",
    ] {
        let answer = reqwest::get(format!("{}{path}", daemon.url()));
        let text = answer.await.unwrap().error_for_status().unwrap();
        let text = text.text().await.unwrap();
        assert!(!text.is_empty(), "{path}");
        find_nothing(text.as_bytes(), path);
    }
    let (status, log) = daemon.stop().unwrap();
    assert!(status.success(), "{status}");
    find_nothing(log.as_bytes(), "the log");
    let received = received.lock().unwrap();
    assert_eq!(received.len(), 2, "{received:?}");
    for request in received.iter() {
        assert!(
            request.contains("password_hash"),
            "the state goes along: {request}"
        );
        find_nothing(request.as_bytes(), "a webhook's request");
    }
    let (mut mails, mut read_models, mut log_bytes) = (0, 0, Vec::new());
    for path in files(&data) {
        let (bytes, place) = (std::fs::read(&path).unwrap(), path.display().to_string());
        // The hash is in the log, and nowhere else.
        if place.ends_with("events.redb") {
            find(&bytes, &place);
            continue;
        }
        if path.parent() == Some(&data.join("log")) {
            // Each sector ends in a check of four bytes.
            let sectors = bytes.chunks(512);
            log_bytes.extend(sectors.flat_map(|sector| sector.iter().take(508)));
            continue;
        }
        find_nothing(&bytes, &place);
        mails += usize::from(path.extension().is_some_and(|kind| kind == "eml"));
        read_models += usize::from(place.contains("read-models"));
    }
    find(&log_bytes, "the log's files");
    // The rebuild may have been cut short, and its file be there beside the two.
    assert!(mails == 2 && read_models >= 2, "{mails}, {read_models}");
}
