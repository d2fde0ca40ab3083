//! The configuration: what a file may say, and what is said about one that is wrong.

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use whodunit_daemon::clock::{Clock, SystemClock};
use whodunit_daemon::handlers::{PipelineConfig, Security, Transport, handlers};

use crate::support::configure;

#[test]
fn without_a_file_mails_go_to_a_folder_and_nothing_else_happens() {
    let config =
        PipelineConfig::load(None, Path::new("data"), |name| panic!("asked for {name}")).unwrap();
    let mail = config.mail.unwrap();
    assert!(
        matches!(&mail.transport, Transport::Folder(path) if *path == Path::new("data").join("mail"))
    );
    assert!(config.webhooks.list.is_empty());
}

#[test]
fn a_whole_file() {
    let folder = TempDir::new().unwrap();
    let text = r#"
        [mail]
        from = "Accounts <accounts@example.com>"
        reply_to = "help@example.com"
        smtp = "smtp+starttls://mail.example.com"
        ca_file = "private.pem"
        timeout_seconds = 7

        [webhooks]
        allow = ["hooks.example.com", "10.0.0.0/8"]

        [[webhook]]
        name = "crm"
        url = "https://hooks.example.com/x"
        events = ["user/UserCreated", "order/*", "Audited"]
        secret_env = "CRM_WEBHOOK_SECRET"
        timeout_seconds = 3
        state = true

        [[webhook]]
        name = "inside"
        url = "http://10.1.2.3:9000/"
        events = ["*"]
    "#;
    let env = [
        (
            "CRM_WEBHOOK_SECRET",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        ),
        ("WHODUNIT_SMTP_USERNAME", "u"),
        ("WHODUNIT_SMTP_PASSWORD", "p"),
    ];
    let config = configure(folder.path(), text, &env).unwrap();
    let mail = config.mail.unwrap();
    assert_eq!(mail.from.to_string(), "Accounts <accounts@example.com>");
    assert_eq!(mail.reply_to.unwrap().to_string(), "help@example.com");
    let Transport::Smtp(smtp) = mail.transport else {
        panic!()
    };
    assert_eq!(
        (smtp.host.as_str(), smtp.port, smtp.security),
        ("mail.example.com", 587, Security::StartTls)
    );
    assert_eq!(smtp.ca_file.unwrap(), folder.path().join("private.pem"));
    assert_eq!(smtp.timeout, Duration::from_secs(7));
    assert!(smtp.login.is_some());
    let [crm, inside] = config.webhooks.list.try_into().unwrap();
    assert_eq!(
        (crm.name.as_str(), crm.target().as_str(), crm.state),
        ("crm", "https://hooks.example.com/…", true)
    );
    assert_eq!(
        (crm.timeout, crm.secret.is_some()),
        (Duration::from_secs(3), true)
    );
    let fits = |category, event| {
        crm.events
            .iter()
            .any(|pattern| pattern.fits(category, event))
    };
    assert!(fits("order", "OrderPlaced") && fits("user", "UserCreated") && fits("x", "Audited"));
    assert!(!fits("user", "UserDeleted"));
    assert_eq!(
        (inside.timeout, inside.secret.is_some(), inside.state),
        (Duration::from_secs(10), false, false)
    );
}

#[test]
fn ways_to_a_mail_server() {
    let folder = TempDir::new().unwrap();
    for (address, expected) in [
        ("smtp://relay", ("relay", 25, Security::Plain)),
        (
            "smtps://Mail.Example.COM",
            ("mail.example.com", 465, Security::Tls),
        ),
        (
            "smtp+starttls://127.0.0.1:2525",
            ("127.0.0.1", 2525, Security::StartTls),
        ),
        ("smtp://[::1]:2525/", ("::1", 2525, Security::Plain)),
    ] {
        let text = format!("[mail]\nfrom = 'a@example.com'\nsmtp = '{address}'");
        let config = configure(folder.path(), &text, &[]).unwrap();
        let Transport::Smtp(smtp) = config.mail.unwrap().transport else {
            panic!()
        };
        assert_eq!(
            (smtp.host.as_str(), smtp.port, smtp.security),
            expected,
            "{address}"
        );
        assert!(smtp.login.is_none());
    }
}

#[test]
fn mails_can_be_off() {
    let folder = TempDir::new().unwrap();
    let text = "[mail]\noff = true\nsmtp = 'smtps://mail.example.com'\nfrom = 'a@example.com'";
    let config = configure(folder.path(), text, &[]).unwrap();
    assert!(config.mail.is_none());
    let clock: std::sync::Arc<dyn Clock> = std::sync::Arc::new(SystemClock);
    assert!(handlers(&config, &clock).unwrap().is_empty());
}

/// A file, the environment, and what is said about them.
type Case<'a> = (String, Vec<(&'a str, &'a str)>, Vec<&'a str>);

#[test]
fn what_is_wrong_is_named_with_what_would_be_right() {
    let folder = TempDir::new().unwrap();
    let hook = |more: &str| {
        format!(
            "[webhooks]\nallow = ['h.example']\n[[webhook]]\nname = 'crm'\nurl = 'https://h.example/'\nevents = ['*']\n{more}"
        )
    };
    let smtp = |address: &str| format!("[mail]\nfrom = 'a@example.com'\nsmtp = '{address}'");
    let user = ("WHODUNIT_SMTP_USERNAME", "u");
    let password = ("WHODUNIT_SMTP_PASSWORD", "hunter2");
    let cases: Vec<Case<'_>> = vec![
        ("[mail".into(), vec![], vec!["line 1"]),
        (
            "\n\n[mail]\nfron = 'x'".into(),
            vec![],
            vec!["line 4", "mail", "unknown field `fron`", "`from`"],
        ),
        ("[mails]".into(), vec![], vec!["unknown field `mails`"]),
        (
            "[mail]\npassword = 'hunter2'".into(),
            vec![],
            vec!["unknown field `password`"],
        ),
        (
            "[mail]\noff = 'yes'".into(),
            vec![],
            vec!["`mail.off`", "expected a boolean"],
        ),
        (
            "[mail]\nfrom = 'nobody'".into(),
            vec![],
            vec!["`mail.from`", "write `Accounts <accounts@example.com>`"],
        ),
        (
            "[mail]\nreply_to = 'a@b@c'".into(),
            vec![],
            vec!["`mail.reply_to`"],
        ),
        (
            "[mail]\nfolder = 'x'\nsmtp = 'smtp://x'".into(),
            vec![],
            vec!["cannot both be set"],
        ),
        (
            "[mail]\nsmtp = 'smtp://x'".into(),
            vec![],
            vec!["`mail.from`", "need a sender"],
        ),
        (
            "[mail]\nca_file = 'x'".into(),
            vec![],
            vec!["`mail.ca_file`", "add `smtp`"],
        ),
        (
            "[mail]\ntimeout_seconds = 3".into(),
            vec![],
            vec!["`mail.timeout_seconds`", "add `smtp`"],
        ),
        (
            smtp("mail.example.com"),
            vec![],
            vec!["`mail.smtp`", "write `smtp+starttls://"],
        ),
        (
            smtp("http://mail.example.com"),
            vec![],
            vec!["unknown scheme"],
        ),
        (
            smtp("smtps://u:hunter2@mail.example.com"),
            vec![],
            vec!["credentials do not belong", "WHODUNIT_SMTP_PASSWORD"],
        ),
        (
            smtp("smtps://mail.example.com/x"),
            vec![],
            vec!["nothing may follow"],
        ),
        (smtp("smtps:///"), vec![], vec!["names no host"]),
        (
            smtp("smtp://mail.example.com"),
            vec![user, password],
            vec!["unencrypted"],
        ),
        (
            smtp("smtps://mail.example.com"),
            vec![user],
            vec!["WHODUNIT_SMTP_PASSWORD is not"],
        ),
        (
            smtp("smtps://mail.example.com"),
            vec![password],
            vec!["WHODUNIT_SMTP_USERNAME is not"],
        ),
        (
            format!("{}\nca_file = 'x'", smtp("smtp://x")),
            vec![],
            vec!["`mail.ca_file`", "checks no certificate"],
        ),
        (
            format!("{}\ntimeout_seconds = 0", smtp("smtp://x")),
            vec![],
            vec!["`mail.timeout_seconds`", "use 1 to 60"],
        ),
        (
            hook("secret_env = 'CRM'"),
            vec![],
            vec!["webhook \"crm\", `secret_env`", "`CRM` is not set"],
        ),
        (
            hook("secret_env = 'CRM'"),
            vec![("CRM", "")],
            vec!["`CRM` is not set"],
        ),
        (
            hook("secret_env = 'CRM'"),
            vec![("CRM", "a plain key")],
            vec![
                "not a Standard Webhooks secret",
                "begins with `whsec_`",
                "openssl",
            ],
        ),
        (
            hook("timeout_seconds = 61"),
            vec![],
            vec!["`webhook[0].timeout_seconds`", "use 1 to 60"],
        ),
        (
            hook("timeout_seconds = -1"),
            vec![],
            vec!["`webhook[0].timeout_seconds`"],
        ),
        (
            hook("color = 1"),
            vec![],
            vec!["`webhook[0]", "unknown field `color`"],
        ),
        (
            hook("[[webhook]]\nname = 'crm'\nurl = 'https://h.example/'\nevents = ['*']"),
            vec![],
            vec!["`webhook[1].name`", "another webhook `crm`"],
        ),
        (
            hook("").replace("'crm'", "'C R M'"),
            vec![],
            vec!["`webhook[0].name`", "a-z"],
        ),
        (
            hook("").replace("['*']", "[]"),
            vec![],
            vec!["webhook \"crm\", `events`", "`order/*`"],
        ),
        (
            hook("").replace("['*']", "['user/']"),
            vec![],
            vec!["`user/` is not an event pattern"],
        ),
        (
            hook("").replace("events = ['*']", ""),
            vec![],
            vec!["missing field `events`"],
        ),
    ];
    for (text, env, expected) in cases {
        let error = configure(folder.path(), &text, &env).map(drop).unwrap_err();
        assert!(error.contains("pipeline.toml"), "{text}\n{error}");
        for part in expected {
            assert!(error.contains(part), "{text}\n{error}\nlacks {part}");
        }
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn a_file_that_cannot_be_read() {
    let folder = TempDir::new().unwrap();
    let missing = folder.path().join("missing.toml");
    let error = PipelineConfig::load(Some(&missing), folder.path(), |_| None).unwrap_err();
    assert!(
        error.to_string().contains("missing.toml` cannot be read"),
        "{error}"
    );
    let error = configure(folder.path(), &"#\n".repeat(1 << 20), &[])
        .map(drop)
        .unwrap_err();
    assert!(error.contains("larger than 1048576 bytes"), "{error}");
}

#[test]
fn what_cannot_be_set_up_is_said_at_start() {
    let folder = TempDir::new().unwrap();
    let clock: std::sync::Arc<dyn Clock> = std::sync::Arc::new(SystemClock);
    std::fs::write(folder.path().join("empty.pem"), "nothing here").unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let smtps = "[mail]\nfrom = 'a@example.com'\nsmtp = 'smtps://mail.example.com'\n";
    let https = "[mail]\noff = true\n[[webhook]]\nname = 'crm'\nurl = 'https://h.example/'\nevents = ['*']\n[webhooks]\nallow = ['h.example']\n";
    for (text, expected) in [
        (
            format!("{smtps}ca_file = 'missing.pem'"),
            "missing.pem` cannot be used",
        ),
        (
            format!("{smtps}ca_file = 'empty.pem'"),
            "it holds no certificate",
        ),
        (
            format!("{https}ca_file = 'missing.pem'"),
            "missing.pem` cannot be used",
        ),
        (
            format!("{https}ca_file = 'empty.pem'"),
            "it holds no certificate",
        ),
        ("[mail]\nfolder = 'file/below'".to_owned(), "cannot be made"),
    ] {
        let config = configure(folder.path(), &text, &[]).unwrap();
        let error = handlers(&config, &clock).map(drop).unwrap_err().to_string();
        assert!(
            error.contains(expected) && error.contains("hint: "),
            "{text}\n{error}"
        );
    }
}
