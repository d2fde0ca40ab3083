//! Mails as files: complete, the same every time, and only to their recipient.

use std::fs;
use std::path::Path;

use mail_parser::MessageParser;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Names, configure, created, delivery, failure, password_changed, set_up};

const CONFIG: &str = "[mail]\nfrom = 'Accounts <accounts@example.com>'\nreply_to = 'help@example.com'\nfolder = 'spool'\n";

fn files(folder: &Path) -> Vec<(String, String)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            (
                entry.file_name().into_string().unwrap(),
                fs::read_to_string(entry.path()).unwrap(),
            )
        })
        .collect();
    files.sort();
    files
}

/// Sends one mail into a fresh folder and gives its text.
async fn mail(handler: &str, delivery: whodunit_daemon::outbox::Delivery) -> String {
    let folder = TempDir::new().unwrap();
    let handlers = set_up(
        &configure(folder.path(), CONFIG, &[]).unwrap(),
        Names::default(),
    );
    handlers[handler].handle(delivery).await.unwrap();
    let mut files = files(&folder.path().join("spool"));
    assert_eq!(files.len(), 1);
    files.remove(0).1
}

#[tokio::test]
async fn a_welcome_mail_to_the_letter() {
    let text = mail("send_welcome_email", created()).await;
    insta::assert_snapshot!(text.replace("\r\n", "\n"));
}

#[tokio::test]
async fn a_security_notification_to_the_letter() {
    let text = mail("send_security_notification", password_changed()).await;
    insta::assert_snapshot!(text.replace("\r\n", "\n"));
}

#[tokio::test]
async fn a_mail_reads_as_what_was_meant() {
    let event = delivery(
        "UserCreated",
        &json!({"username": "zoë", "email": "zoe@example.com", "first_name": "Zoë", "last_name": "O'Neil, \"Jr\" 王"}),
    );
    let text = mail("send_welcome_email", event).await;
    assert!(text.is_ascii(), "{text}");
    let parsed = MessageParser::default().parse(text.as_bytes()).unwrap();
    let to = parsed.to().unwrap();
    let to: Vec<_> = to.iter().collect();
    assert_eq!(to.len(), 1);
    assert_eq!(to[0].address(), Some("zoe@example.com"));
    assert_eq!(to[0].name(), Some("Zoë O'Neil, \"Jr\" 王"));
    assert_eq!(parsed.subject(), Some("Welcome, Zoë"));
    assert_eq!(
        parsed.from().unwrap().first().unwrap().address(),
        Some("accounts@example.com")
    );
    assert_eq!(parsed.date().unwrap().to_rfc3339(), "2025-03-24T15:47:23Z");
    let body = parsed.body_text(0).unwrap();
    assert!(
        body.contains("Hello Zoë,") && body.contains("User name:  zoë"),
        "{body}"
    );
}

#[tokio::test]
async fn the_same_delivery_is_the_same_file() {
    let folder = TempDir::new().unwrap();
    let handlers = set_up(
        &configure(folder.path(), CONFIG, &[]).unwrap(),
        Names::default(),
    );
    let spool = folder.path().join("spool");
    let welcome = &handlers["send_welcome_email"];
    welcome.handle(created()).await.unwrap();
    let first = files(&spool);
    let mut again = created();
    again.attempt = 3;
    welcome.handle(again).await.unwrap();
    assert_eq!(files(&spool), first);

    // Nothing but handler, id and time of the event tells mails apart, and each of them does.
    let mut other_id = created();
    other_id.event.event_id.push('x');
    let mut other_time = created();
    other_time.event.recorded_at = other_time.event.recorded_at.plus_micros(1);
    for other in [other_id, other_time] {
        welcome.handle(other).await.unwrap();
    }
    let mut same_id = password_changed();
    same_id.event.event_id = created().event.event_id;
    handlers["send_security_notification"]
        .handle(same_id)
        .await
        .unwrap();
    let all = files(&spool);
    assert_eq!(all.len(), 4);
    assert!(all.contains(&first[0]));
    let ids: std::collections::BTreeSet<_> = all
        .iter()
        .map(|(_, text)| {
            MessageParser::default()
                .parse(text.as_bytes())
                .unwrap()
                .message_id()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(ids.len(), 4);
    let ends = |name: &str| Path::new(name).extension().is_some_and(|end| end == "eml");
    assert!(
        all.iter().all(|(name, _)| ends(name)),
        "no half-written file stays behind"
    );
}

#[tokio::test]
async fn many_at_once_are_each_whole() {
    let folder = TempDir::new().unwrap();
    let handlers = set_up(
        &configure(folder.path(), CONFIG, &[]).unwrap(),
        Names::default(),
    );
    let mut attempts = tokio::task::JoinSet::new();
    for index in 0..60 {
        let mut delivery = created();
        // Three attempts at each of twenty events, all at the same time.
        delivery.event.event_id = format!("event-{}", index % 20);
        attempts.spawn(handlers["send_welcome_email"].handle(delivery));
    }
    while let Some(done) = attempts.join_next().await {
        done.unwrap().unwrap();
    }
    let files = files(&folder.path().join("spool"));
    assert_eq!(files.len(), 20);
    assert!(
        files
            .iter()
            .all(|(_, text)| text.trim_end().ends_with("look into it."))
    );
}

#[tokio::test]
async fn names_smuggle_nothing() {
    let hostile = [
        "Sarah\r\nBcc: victim@example.com",
        "Sarah\nBcc: victim@example.com\n\nbody",
        "x\r\n\r\nFrom: boss@example.com",
        "\u{2028}Bcc: victim@example.com",
        "\" <victim@example.com>, \"",
        "<victim@example.com>",
        "=?utf-8?q?=0d=0aBcc:_victim=40example.com?=",
        "Sarah\0\u{85}\u{1b}[31m\u{202e}",
        "https://evil.example/login",
        "evil.example",
        &"A".repeat(5_000),
        &"ß".repeat(5_000),
    ];
    for name in hostile {
        for field in ["username", "first_name", "last_name"] {
            let mut data = json!({"username": "sarah", "email": "sarah@example.com", "first_name": "Sarah", "last_name": "Connor"});
            data[field] = name.into();
            let text = mail("send_welcome_email", delivery("UserCreated", &data)).await;
            let (head, _) = text.split_once("\r\n\r\n").unwrap();
            let names: Vec<_> = head
                .split("\r\n")
                .filter(|line| !line.starts_with([' ', '\t']))
                .map(|line| line.split_once(':').unwrap().0)
                .collect();
            assert_eq!(
                names,
                [
                    "From",
                    "To",
                    "Subject",
                    "Date",
                    "Message-ID",
                    "Auto-Submitted",
                    "Reply-To",
                    "MIME-Version",
                    "Content-Type",
                    "Content-Transfer-Encoding"
                ],
                "{name:?} as {field}: {head}"
            );
            assert!(
                text.replace("\r\n", "").chars().all(|c| !c.is_control()),
                "{text:?}"
            );
            assert!(text.split("\r\n").all(|line| line.len() <= 998), "{name:?}");
            let parsed = MessageParser::default().parse(text.as_bytes()).unwrap();
            let to = parsed.to().unwrap();
            let to: Vec<_> = to
                .iter()
                .map(|address| address.address().unwrap())
                .collect();
            assert_eq!(to, ["sarah@example.com"], "{name:?} as {field}");
            let subject = parsed.subject().unwrap();
            assert!(
                !subject.contains("evil.example") && subject.chars().count() < 80,
                "{subject}"
            );
        }
    }
}

#[tokio::test]
async fn who_cannot_be_written_to_is_a_clear_failure() {
    let folder = TempDir::new().unwrap();
    let handlers = set_up(
        &configure(folder.path(), CONFIG, &[]).unwrap(),
        Names::default(),
    );
    for (email, expected) in [
        (
            json!("sarah@example.com\r\nBcc: x@example.com"),
            "is not an email address",
        ),
        (
            json!("a@example.com,b@example.com"),
            "is not an email address",
        ),
        (json!("[redacted]"), "`[redacted]` is not an email address"),
        (json!(""), "`` is not an email address"),
        (json!(7), "`email` in the event's data is not a text"),
    ] {
        let event = delivery("UserCreated", &json!({"username": "sarah", "email": email}));
        let error = failure(&handlers["send_welcome_email"], event).await;
        assert!(error.contains(expected) && !error.contains('\n'), "{error}");
    }
    let event = delivery("UserCreated", &json!({}));
    let error = failure(&handlers["send_welcome_email"], event).await;
    assert_eq!(
        error,
        "the event's data has no `email`, so the mail has no recipient"
    );
    let mut event = password_changed();
    event.state.clear();
    let error = failure(&handlers["send_security_notification"], event).await;
    assert_eq!(
        error,
        "the user's state has no `email`, so the mail has no recipient"
    );
    assert_eq!(files(&folder.path().join("spool")), []);
}

#[tokio::test]
async fn any_time_that_an_event_may_claim_is_a_date() {
    for (at, date) in [
        ("0001-01-01T00:00:00Z", "Thu, 01 Jan 1970 00:00:00 +0000"),
        (
            "9999-12-31T23:59:59.999999Z",
            "Fri, 31 Dec 9999 23:59:59 +0000",
        ),
    ] {
        let mut event = created();
        event.event.recorded_at = at.parse().unwrap();
        let text = mail("send_welcome_email", event).await;
        assert!(text.contains(&format!("\r\nDate: {date}\r\n")), "{text}");
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_to_is_a_failed_attempt_and_then_not() {
    let folder = TempDir::new().unwrap();
    let handlers = set_up(
        &configure(folder.path(), CONFIG, &[]).unwrap(),
        Names::default(),
    );
    let spool = folder.path().join("spool");
    fs::remove_dir(&spool).unwrap();
    fs::write(&spool, "a file in the way").unwrap();
    let error = failure(&handlers["send_welcome_email"], created()).await;
    assert!(
        error.contains("cannot write a mail to") && error.contains("spool"),
        "{error}"
    );
    fs::remove_file(&spool).unwrap();
    handlers["send_welcome_email"]
        .handle(created())
        .await
        .unwrap();
    assert_eq!(files(&spool).len(), 1);
}

#[tokio::test]
async fn what_the_handlers_say_about_themselves() {
    let folder = TempDir::new().unwrap();
    let handlers = set_up(
        &configure(folder.path(), "", &[]).unwrap(),
        Names::default(),
    );
    let mut names: Vec<_> = handlers.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["send_security_notification", "send_welcome_email"]);
    let welcome = &handlers["send_welcome_email"];
    assert_eq!(welcome.kind(), "mail");
    assert_eq!(
        welcome.target(),
        folder.path().join("mail").display().to_string()
    );
    assert!(
        welcome.takes()[0].fits("user", "UserCreated")
            && !welcome.takes()[0].fits("order", "UserCreated")
    );
    assert!(handlers["send_security_notification"].takes()[0].fits("user", "UserPasswordChanged"));
    let data: Value = json!({"email": "x@example.com"});
    welcome
        .handle(delivery("UserCreated", &data))
        .await
        .unwrap();
    let text = &files(&folder.path().join("mail"))[0].1;
    assert!(
        text.contains("From: whodunit <whodunit@localhost>\r\n") && text.contains("\r\nHello,\r\n"),
        "{text}"
    );
}
