//! Where webhooks may go: allowed addresses, names that resolve, TLS authorities.

use std::collections::HashMap;

use tempfile::TempDir;

use crate::receiver::{Receiver, Reply};
use crate::support::{Authority, Names, configure, created, failure};
use crate::webhook::{config, crm, local};

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Receiver::start(Reply::With(200, String::new())).await;
    for status in [301, 302, 303, 307, 308] {
        let to = format!("http://127.0.0.1:{}/elsewhere", elsewhere.port);
        let receiver = Receiver::start(Reply::Redirect(status, to)).await;
        let error = failure(&local(&receiver, ""), created()).await;
        assert!(
            error.contains(&status.to_string()) && error.ends_with("redirects are not followed"),
            "{error}"
        );
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn a_name_goes_where_it_resolves_to() {
    let receiver = Receiver::start(Reply::With(200, String::new())).await;
    let url = format!("http://hooks.example.com:{}/", receiver.port);
    let names = || {
        Names(HashMap::from([(
            "hooks.example.com",
            vec!["127.0.0.1".parse().unwrap()],
        )]))
    };
    let listed = config(&["hooks.example.com", "127.0.0.0/8"], &url, "").unwrap();
    crm(&listed, names()).handle(created()).await.unwrap();
    assert_eq!(
        receiver.received()[0].header("host"),
        format!("hooks.example.com:{}", receiver.port)
    );

    // The name alone does not open the network around the daemon.
    let unlisted = config(&["hooks.example.com"], &url, "").unwrap();
    let error = failure(&crm(&unlisted, names()), created()).await;
    assert!(
        error.starts_with("`hooks.example.com` is at 127.0.0.1, this machine itself"),
        "{error}"
    );
    assert_eq!(receiver.connections(), 1);
    let error = failure(&crm(&unlisted, Names::default()), created()).await;
    assert_eq!(
        error,
        "`hooks.example.com` cannot be resolved: no such name"
    );
}

#[tokio::test]
async fn a_name_that_resolves_to_where_no_webhook_goes_is_refused() {
    let receiver = Receiver::start(Reply::With(200, String::new())).await;
    let url = format!("http://hooks.example.com:{}/", receiver.port);
    // Even where everything is listed.
    let config = config(&["hooks.example.com", "0.0.0.0/0", "::/0"], &url, "").unwrap();
    for bad in [
        "169.254.169.254",
        "169.254.0.1",
        "100.100.100.200",
        "168.63.129.16",
        "0.0.0.0",
        "255.255.255.255",
        "224.0.0.1",
        "::",
        "fe80::1",
        "ff02::1",
        "fd00:ec2::254",
        "::ffff:169.254.169.254",
        "::ffff:0.0.0.0",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::",
    ] {
        // Also when it is only one of several, beside one that is fine.
        for addresses in [vec![bad], vec!["127.0.0.1", bad], vec![bad, "127.0.0.1"]] {
            let addresses = addresses
                .iter()
                .map(|address| address.parse().unwrap())
                .collect();
            let names = Names(HashMap::from([("hooks.example.com", addresses)]));
            let error = failure(&crm(&config, names), created()).await;
            assert!(
                error.ends_with("webhooks are never sent there"),
                "{bad}: {error}"
            );
        }
    }
    assert_eq!(receiver.connections(), 0);
    // The receiver is there: it is the address alone that was refused.
    let names = Names(HashMap::from([(
        "hooks.example.com",
        vec!["::ffff:127.0.0.1".parse().unwrap()],
    )]));
    crm(&config, names).handle(created()).await.unwrap();
    let names = Names(HashMap::from([("hooks.example.com", Vec::new())]));
    let error = failure(&crm(&config, names), created()).await;
    assert_eq!(error, "`hooks.example.com` has no address");
}

#[test]
fn a_url_that_must_not_be_called_is_refused_at_start() {
    let everything = ["0.0.0.0/0", "::/0", "hooks.example.com"];
    for (allow, url, expected) in [
        (
            [].as_slice(),
            "https://hooks.example.com/x",
            "add \"hooks.example.com\" to `allow` under `[webhooks]`",
        ),
        (
            &["hooks.example.com"],
            "https://hooks.example.org/x",
            "is not on the allow-list",
        ),
        (
            &["127.0.0.1:9000"],
            "http://127.0.0.1:9001/x",
            "add \"127.0.0.1:9001\"",
        ),
        (
            &everything,
            "http://169.254.169.254/latest/meta-data",
            "webhooks are never sent there",
        ),
        (
            &everything,
            "http://2852039166/",
            "`169.254.169.254` is a link-local address",
        ),
        (
            &everything,
            "http://0xa9.0xfe.0xa9.0xfe/",
            "webhooks are never sent there",
        ),
        (
            &everything,
            "http://[::ffff:a9fe:a9fe]/",
            "webhooks are never sent there",
        ),
        (
            &everything,
            "http://[fe80::1]/",
            "webhooks are never sent there",
        ),
        (&everything, "http://0/", "webhooks are never sent there"),
        (
            &["169.254.169.254"],
            "https://hooks.example.com/",
            "even when listed",
        ),
        (
            &["https://hooks.example.com"],
            "https://hooks.example.com/",
            "`webhooks.allow[0]`",
        ),
        (
            &everything,
            "ftp://hooks.example.com/",
            "only `https` and `http`",
        ),
        (
            &everything,
            "https://user:hunter2@hooks.example.com/",
            "credentials do not belong in a URL",
        ),
        (&everything, "https://hooks.example.com/#x", "never sent"),
        (&everything, "hooks.example.com/hunter2", "this is no URL"),
    ] {
        let error = config(allow, url, "").map(drop).unwrap_err();
        assert!(error.contains(expected), "{url}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn https_by_an_authority_of_ones_own_and_no_other() {
    let (known, unknown, folder) = (Authority::new(), Authority::new(), TempDir::new().unwrap());
    known.write(folder.path());
    for (case, tls, taken) in [
        ("known", known.server("hooks.example.com"), true),
        ("another name", known.server("other.example.com"), false),
        (
            "another authority",
            unknown.server("hooks.example.com"),
            false,
        ),
    ] {
        let receiver = Receiver::start_with(Reply::With(200, String::new()), Some(tls)).await;
        let text = format!(
            "[webhooks]\nallow = ['hooks.example.com', '127.0.0.1']\nca_file = 'ca.pem'\n\
             [[webhook]]\nname = 'crm'\nurl = 'https://hooks.example.com:{}/x'\nevents = ['*/*']",
            receiver.port
        );
        let config = configure(folder.path(), &text, &[]).unwrap();
        let names = Names(HashMap::from([(
            "hooks.example.com",
            vec!["127.0.0.1".parse().unwrap()],
        )]));
        let handler = crm(&config, names);
        if taken {
            handler.handle(created()).await.unwrap();
        } else {
            let error = failure(&handler, created()).await;
            assert!(
                error.contains("TLS with `hooks.example.com` failed")
                    && error.contains("certificate"),
                "{case}: {error}"
            );
        }
        assert_eq!(receiver.received().len(), usize::from(taken), "{case}");
    }
}
