//! Mail servers that fail: rejections, hangs, closed ports, and that no error shows a credential.

use std::collections::HashMap;

use std::time::Duration;

use tempfile::TempDir;
use whodunit_daemon::handlers::Transport;

use crate::smtp::{LOGIN, PASSWORD, USERNAME, config, doing, welcome};
use crate::smtp_server::{Act, Habits, SmtpServer};
use crate::support::{Authority, created, failure, log};

#[tokio::test]
async fn what_a_server_answers_is_what_the_failure_says() {
    let folder = TempDir::new().unwrap();
    for (at, act, expected) in [
        (
            "RCPT",
            Act::Say("550 mailbox unavailable"),
            "refused: 550 mailbox unavailable",
        ),
        (
            "RCPT",
            Act::Say("550-5.1.1 no such user\r\n550 5.1.1 try \x1b[31mpost"),
            "refused: 550 5.1.1 no such user",
        ),
        (
            "GREETING",
            Act::Say("421 too busy"),
            "cannot connect: 421 too busy",
        ),
        (
            "EHLO",
            Act::Say("421 closing"),
            "cannot connect: 421 closing",
        ),
        ("MAIL", Act::Say("451 later"), "refused: 451 later"),
        ("DATA", Act::Say("554 no"), "refused: 554 no"),
        ("MESSAGE", Act::Say("552 too much"), "refused: 552 too much"),
        ("GREETING", Act::Say("hello?"), "cannot connect"),
        ("MESSAGE", Act::Drop, "broken off: "),
        ("GREETING", Act::Drop, "cannot connect"),
    ] {
        let server = SmtpServer::start(Habits {
            acts: doing(at, act.clone()),
            ..Habits::default()
        })
        .await;
        let address = format!("smtp://127.0.0.1:{}", server.port);
        let error = failure(&welcome(&config(&folder, &address, "", &[])), created()).await;
        assert!(
            error.starts_with(expected) && error.ends_with(&format!(" ({address})")),
            "{at} {act:?}: {error}"
        );
        assert!(
            !error.contains('\x1b') && !error.contains('\n'),
            "{error:?}"
        );
        assert!(server.mails().is_empty());
    }
}

#[tokio::test]
async fn a_server_that_hangs_costs_one_attempt_and_its_time() {
    let folder = TempDir::new().unwrap();
    for at in ["GREETING", "EHLO", "MAIL", "RCPT", "DATA", "MESSAGE"] {
        let server = SmtpServer::start(Habits {
            acts: doing(at, Act::Hang),
            ..Habits::default()
        })
        .await;
        let mut config = config(
            &folder,
            &format!("smtp://127.0.0.1:{}", server.port),
            "",
            &[],
        );
        let Transport::Smtp(smtp) = &mut config.mail.as_mut().unwrap().transport else {
            panic!()
        };
        smtp.timeout = Duration::from_millis(200);
        let error = failure(&welcome(&config), created()).await;
        assert!(
            error.starts_with("not taken within 0.2 s (smtp://"),
            "{at}: {error}"
        );
        assert!(server.mails().is_empty());
    }
}

#[tokio::test]
async fn a_closed_port_is_a_failure() {
    let folder = TempDir::new().unwrap();
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    for scheme in ["smtp", "smtp+starttls"] {
        // A handler that trusts the system's authorities needs some to be installed; a private one stands in for them.
        let authority = Authority::new();
        authority.write(folder.path());
        let more = if scheme == "smtp" {
            ""
        } else {
            "ca_file = 'ca.pem'"
        };
        let handler = welcome(&config(
            &folder,
            &format!("{scheme}://127.0.0.1:{port}"),
            more,
            &[],
        ));
        let error = failure(&handler, created()).await;
        assert!(error.contains("cannot connect"), "{error}");
    }
}

#[tokio::test]
async fn credentials_are_in_no_error_no_debug_form_and_no_log() {
    let log = log();
    let folder = TempDir::new().unwrap();
    let login = Some(("somebody", "else"));
    let mut texts = Vec::new();
    for login_only in [false, true] {
        for acts in [HashMap::new(), doing("AUTH", Act::Echo)] {
            let server = SmtpServer::start(Habits {
                login,
                login_only,
                acts,
                ..Habits::default()
            })
            .await;
            let config = config(
                &folder,
                &format!("smtp://127.0.0.1:{}", server.port),
                "",
                &LOGIN,
            );
            let handlers =
                whodunit_daemon::handlers::MailHandler::all(config.mail.as_ref().unwrap()).unwrap();
            texts.push(format!("{config:?} {handlers:?}"));
            let error = failure(&welcome(&config), created()).await;
            assert!(error.contains("login refused: 535"), "{error}");
            texts.push(error);
            assert!(server.mails().is_empty());
        }
    }
    assert!(
        texts
            .iter()
            .any(|text| text.contains("not with") && text.contains("[redacted]")),
        "{texts:?}"
    );
    texts.push(log.text());
    assert!(texts.iter().any(|text| text.contains("the log is kept")));
    let encode =
        |text: &str| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, text);
    for secret in [
        PASSWORD.to_owned(),
        USERNAME.to_owned(),
        encode(PASSWORD),
        encode(USERNAME),
        encode(&format!("\0{USERNAME}\0{PASSWORD}")),
    ] {
        for text in &texts {
            assert!(!text.contains(&secret), "{secret} is in {text}");
        }
    }
}
