//! Mails to a mail server: every way of protecting the connection, and every way in which a server fails.

use std::collections::HashMap;
use std::sync::Arc;

use tempfile::TempDir;
use whodunit_daemon::handlers::PipelineConfig;
use whodunit_daemon::outbox::Handler;

use crate::smtp_server::{Act, Habits, SmtpServer};
use crate::support::{Authority, Names, configure, created, delivery, failure, set_up};

pub(crate) const USERNAME: &str = "postmaster-of-tests";
pub(crate) const PASSWORD: &str = "a-very-secret-password";
pub(crate) const LOGIN: [(&str, &str); 2] = [
    ("WHODUNIT_SMTP_USERNAME", USERNAME),
    ("WHODUNIT_SMTP_PASSWORD", PASSWORD),
];

pub(crate) fn config(
    folder: &TempDir,
    address: &str,
    more: &str,
    env: &[(&str, &str)],
) -> PipelineConfig {
    let text = format!("[mail]\nfrom = 'accounts@example.com'\nsmtp = '{address}'\n{more}");
    configure(folder.path(), &text, env).unwrap()
}

pub(crate) fn welcome(config: &PipelineConfig) -> Arc<dyn Handler> {
    Arc::clone(&set_up(config, Names::default())["send_welcome_email"])
}

pub(crate) fn doing(at: &'static str, act: Act) -> HashMap<&'static str, Act> {
    HashMap::from([(at, act)])
}

#[tokio::test]
async fn plain_as_it_stands_in_a_folder() {
    let server = SmtpServer::start(Habits::default()).await;
    let folder = TempDir::new().unwrap();
    let handler = welcome(&config(
        &folder,
        &format!("smtp://127.0.0.1:{}", server.port),
        "",
        &[],
    ));
    assert_eq!(
        handler.target(),
        format!("smtp://127.0.0.1:{}", server.port)
    );
    handler.handle(created()).await.unwrap();
    handler.handle(created()).await.unwrap();

    let files = configure(
        folder.path(),
        "[mail]\nfrom = 'accounts@example.com'\n",
        &[],
    )
    .unwrap();
    welcome(&files).handle(created()).await.unwrap();
    let file = std::fs::read_dir(folder.path().join("mail"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let expected = std::fs::read_to_string(file.path()).unwrap();

    let mails = server.mails();
    assert_eq!(mails.len(), 2);
    for mail in mails {
        assert_eq!(
            (mail.from.as_str(), mail.to),
            ("accounts@example.com", vec!["sarah@example.com".to_owned()])
        );
        assert_eq!(mail.text.trim_end(), expected.trim_end());
        assert!(!mail.protected && !mail.logged_in);
    }
}

#[tokio::test]
async fn an_address_beyond_ascii_goes_where_it_is_understood() {
    let server = SmtpServer::start(Habits::default()).await;
    let folder = TempDir::new().unwrap();
    let handler = welcome(&config(
        &folder,
        &format!("smtp://127.0.0.1:{}", server.port),
        "",
        &[],
    ));
    let event = || {
        delivery(
            "UserCreated",
            &serde_json::json!({"email": "jürgen@bücher.example"}),
        )
    };
    handler.handle(event()).await.unwrap();
    assert_eq!(server.mails()[0].to, ["jürgen@bücher.example"]);

    let acts = doing("EHLO", Act::Say("250-test.example\r\n250 8BITMIME"));
    let server = SmtpServer::start(Habits {
        acts,
        ..Habits::default()
    })
    .await;
    let handler = welcome(&config(
        &folder,
        &format!("smtp://127.0.0.1:{}", server.port),
        "",
        &[],
    ));
    let error = failure(&handler, event()).await;
    assert!(error.contains("SMTPUTF8"), "{error}");
}

#[tokio::test]
async fn with_a_login_in_either_manner() {
    for login_only in [false, true] {
        let server = SmtpServer::start(Habits {
            login: Some((USERNAME, PASSWORD)),
            login_only,
            ..Habits::default()
        })
        .await;
        let folder = TempDir::new().unwrap();
        let address = format!("smtp://127.0.0.1:{}", server.port);
        welcome(&config(&folder, &address, "", &LOGIN))
            .handle(created())
            .await
            .unwrap();
        assert!(server.mails()[0].logged_in);
        let error = failure(&welcome(&config(&folder, &address, "", &[])), created()).await;
        assert!(error.contains("530 log in first"), "{error}");
        assert_eq!(server.mails().len(), 1);
    }
}

#[tokio::test]
async fn tls_by_an_authority_of_ones_own() {
    let (authority, folder) = (Authority::new(), TempDir::new().unwrap());
    authority.write(folder.path());
    let tls = authority.server("127.0.0.1");
    let login = Some((USERNAME, PASSWORD));
    for (scheme, habits) in [
        (
            "smtps",
            Habits {
                tls: Some(Arc::clone(&tls)),
                login,
                ..Habits::default()
            },
        ),
        (
            "smtp+starttls",
            Habits {
                starttls: Some(Arc::clone(&tls)),
                login,
                ..Habits::default()
            },
        ),
    ] {
        let server = SmtpServer::start(habits).await;
        let address = format!("{scheme}://127.0.0.1:{}", server.port);
        let handler = welcome(&config(&folder, &address, "ca_file = 'ca.pem'", &LOGIN));
        assert_eq!(handler.target(), address);
        handler.handle(created()).await.unwrap();
        let mails = server.mails();
        assert!(
            mails.len() == 1 && mails[0].protected && mails[0].logged_in,
            "{scheme}: {mails:?}"
        );
        let clear = server.in_clear();
        assert!(
            clear
                .iter()
                .all(|line| line.starts_with("EHLO") || line == "STARTTLS"),
            "{scheme}: {clear:?}"
        );
        assert!(
            server
                .protected()
                .iter()
                .any(|line| line.starts_with("AUTH")),
            "{scheme}"
        );
    }
}

#[tokio::test]
async fn a_server_that_cannot_prove_who_it_is_gets_nothing() {
    let (known, unknown, folder) = (Authority::new(), Authority::new(), TempDir::new().unwrap());
    known.write(folder.path());
    for (case, tls) in [
        ("another authority", unknown.server("127.0.0.1")),
        ("another name", known.server("mail.example.com")),
    ] {
        for (scheme, habits) in [
            (
                "smtps",
                Habits {
                    tls: Some(Arc::clone(&tls)),
                    ..Habits::default()
                },
            ),
            (
                "smtp+starttls",
                Habits {
                    starttls: Some(Arc::clone(&tls)),
                    ..Habits::default()
                },
            ),
        ] {
            let server = SmtpServer::start(habits).await;
            let address = format!("{scheme}://127.0.0.1:{}", server.port);
            let handler = welcome(&config(&folder, &address, "ca_file = 'ca.pem'", &LOGIN));
            let error = failure(&handler, created()).await;
            assert!(error.contains("certificate"), "{case}, {scheme}: {error}");
            assert!(
                server.mails().is_empty() && server.protected().is_empty(),
                "{case}, {scheme}"
            );
            assert!(
                server
                    .in_clear()
                    .iter()
                    .all(|line| line.starts_with("EHLO") || line == "STARTTLS"),
                "{scheme}"
            );
        }
    }
}

#[tokio::test]
async fn starttls_or_nothing() {
    let (authority, folder) = (Authority::new(), TempDir::new().unwrap());
    authority.write(folder.path());
    let tls = Some(authority.server("127.0.0.1"));
    let login = Some((USERNAME, PASSWORD));
    for (case, habits, expected) in [
        (
            "not offered",
            Habits {
                login,
                ..Habits::default()
            },
            "STARTTLS is not supported",
        ),
        (
            "offered and refused",
            Habits {
                starttls: tls.clone(),
                login,
                acts: doing("STARTTLS", Act::Say("454 TLS not available")),
                ..Habits::default()
            },
            "454 TLS not available",
        ),
        (
            "an answer slipped in before the protection",
            Habits {
                starttls: tls.clone(),
                login,
                slipped_in: "250-evil.example\r\n250 AUTH PLAIN",
                ..Habits::default()
            },
            "STARTTLS",
        ),
    ] {
        let server = SmtpServer::start(habits).await;
        let address = format!("smtp+starttls://127.0.0.1:{}", server.port);
        let handler = welcome(&config(&folder, &address, "ca_file = 'ca.pem'", &LOGIN));
        let error = failure(&handler, created()).await;
        assert!(error.contains(expected), "{case}: {error}");
        assert!(
            server.mails().is_empty() && server.protected().is_empty(),
            "{case}"
        );
        let clear = server.in_clear();
        // What follows a refused STARTTLS in the clear is a goodbye; a TLS hello that the server does not read has no lines.
        let harmless =
            |line: &String| line.starts_with("EHLO") || line == "STARTTLS" || line == "QUIT";
        assert!(clear.iter().all(harmless), "{case}: {clear:?}");
    }
}

#[tokio::test]
async fn a_mail_that_was_taken_is_sent() {
    let folder = TempDir::new().unwrap();
    for act in [Act::Hang, Act::Drop, Act::Say("500 no goodbye")] {
        let server = SmtpServer::start(Habits {
            acts: doing("QUIT", act.clone()),
            ..Habits::default()
        })
        .await;
        let handler = welcome(&config(
            &folder,
            &format!("smtp://127.0.0.1:{}", server.port),
            "",
            &[],
        ));
        assert_eq!(handler.handle(created()).await, Ok(()), "{act:?}");
        assert_eq!(server.mails().len(), 1);
    }
}
