//! Webhooks: what is posted, how it is signed, where it never goes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use whodunit_daemon::handlers::PipelineConfig;
use whodunit_daemon::limits::WEBHOOK_BODY_BYTES_MAX;
use whodunit_daemon::outbox::Handler;

use crate::receiver::{Receiver, Reply};
use crate::support::{Authority, NOW, Names, configure, created, failure, log, set_up};

const SECRET: &str = "whsec_YS1zZWNyZXQtdGhhdC10d28tcGFydGllcy1zaGFyZQ==";

fn config(allow: &[&str], url: &str, more: &str) -> Result<PipelineConfig, String> {
    let folder = TempDir::new().unwrap();
    let text = format!(
        "[webhooks]\nallow = {allow:?}\n[[webhook]]\nname = 'crm'\nurl = '{url}'\nevents = ['user/UserCreated', 'order/*']\n{more}"
    );
    configure(folder.path(), &text, &[("CRM_SECRET", SECRET)])
}

fn crm(config: &PipelineConfig, names: Names) -> Arc<dyn Handler> {
    Arc::clone(&set_up(config, names)["webhook:crm"])
}

/// A webhook to a receiver on this machine.
fn local(receiver: &Receiver, more: &str) -> Arc<dyn Handler> {
    let address = format!("127.0.0.1:{}", receiver.port);
    crm(
        &config(
            &[&address],
            &format!("http://{address}/x?key=capability"),
            more,
        )
        .unwrap(),
        Names::default(),
    )
}

/// HMAC-SHA-256 by its definition (RFC 2104), from nothing but the hash.
fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    assert!(key.len() <= 64);
    let mut block = [0u8; 64];
    block[..key.len()].copy_from_slice(key);
    let inner = Sha256::new()
        .chain_update(block.map(|byte| byte ^ 0x36))
        .chain_update(text)
        .finalize();
    let outer = Sha256::new()
        .chain_update(block.map(|byte| byte ^ 0x5c))
        .chain_update(inner)
        .finalize();
    outer.to_vec()
}

#[tokio::test]
async fn a_delivery_says_what_happened() {
    let receiver = Receiver::start(Reply::With(204, String::new())).await;
    let handler = local(&receiver, "");
    assert_eq!((handler.name(), handler.kind()), ("webhook:crm", "webhook"));
    assert_eq!(
        handler.target(),
        format!("http://127.0.0.1:{}/…", receiver.port)
    );
    assert!(
        handler
            .takes()
            .iter()
            .any(|pattern| pattern.fits("order", "OrderPlaced"))
    );
    handler.handle(created()).await.unwrap();
    let got = receiver.received().remove(0);
    assert_eq!(
        (got.method.as_str(), got.path.as_str()),
        ("POST", "/x?key=capability")
    );
    assert_eq!(got.header("host"), format!("127.0.0.1:{}", receiver.port));
    assert_eq!(
        got.header("content-type"),
        "application/cloudevents+json; charset=utf-8"
    );
    assert_eq!(
        got.header("webhook-id"),
        "webhook:crm:0195c8a0-0000-7000-8000-000000000001"
    );
    assert_eq!(got.header("webhook-timestamp"), NOW.to_string());
    assert!(got.headers.get("webhook-signature").is_none());
    let event = serde_json::to_value(created().event).unwrap();
    assert_eq!(
        got.json(),
        json!({
            "specversion": "1.0",
            "id": event["event_id"],
            "source": format!("/v1/streams/{}", created().event.stream),
            "type": event["event_type"],
            "subject": event["stream"],
            "time": event["recorded_at"],
            "datacontenttype": "application/json",
            "data": {"handler": "webhook:crm", "event": event},
        })
    );
}

#[tokio::test]
async fn the_state_goes_along_when_asked_for() {
    let receiver = Receiver::start(Reply::With(200, "thanks".to_owned())).await;
    local(&receiver, "state = true")
        .handle(created())
        .await
        .unwrap();
    let body = receiver.received()[0].json();
    assert_eq!(
        body["data"]["state"],
        serde_json::Value::Object(created().state)
    );
}

#[tokio::test]
async fn a_signature_is_what_the_receiver_computes() {
    let receiver = Receiver::start(Reply::With(200, String::new())).await;
    let handler = local(&receiver, "secret_env = 'CRM_SECRET'");
    for attempt in [1, 2] {
        let mut delivery = created();
        delivery.attempt = attempt;
        handler.handle(delivery).await.unwrap();
    }
    let received = receiver.received();
    for got in &received {
        let (id, at) = (got.header("webhook-id"), got.header("webhook-timestamp"));
        let signed = [format!("{id}.{at}.").as_bytes(), &got.body].concat();
        let signature = |key: &[u8]| format!("v1,{}", STANDARD.encode(hmac(key, &signed)));
        assert_eq!(
            got.header("webhook-signature"),
            signature(b"a-secret-that-two-parties-share")
        );
        assert_ne!(
            got.header("webhook-signature"),
            signature(b"another secret")
        );
    }
    assert_eq!(
        received[0].header("webhook-id"),
        received[1].header("webhook-id")
    );
    // A repetition is the same message: only a header tells that it is one.
    assert_eq!(received[0].body, received[1].body);
    let attempts = received.iter().map(|got| got.header("whodunit-attempt"));
    assert_eq!(attempts.collect::<Vec<_>>(), ["1", "2"]);
}

#[tokio::test]
async fn an_id_of_any_characters_is_one_header() {
    let receiver = Receiver::start(Reply::With(200, String::new())).await;
    let handler = local(&receiver, "");
    for (id, header) in [
        ("a b%20c", "a%20b%2520c"),
        ("bestellung-ß", "bestellung-%C3%9F"),
        ("order.1", "order%2E1"),
    ] {
        let mut delivery = created();
        delivery.event.event_id = id.to_owned();
        handler.handle(delivery).await.unwrap();
        let got = receiver.received().pop().unwrap();
        assert_eq!(got.header("webhook-id"), format!("webhook:crm:{header}"));
        assert_eq!(got.json()["id"], id);
    }
}

#[tokio::test]
async fn what_is_no_success_is_a_failure_that_says_why() {
    for (status, text, expected) in [
        (
            500,
            "out of\u{1b}[31m order\n",
            "500 Internal Server Error: out of␛[31m order",
        ),
        (400, "", "400 Bad Request"),
        (410, "gone", "410 Gone: gone"),
        (503, &"x".repeat(100_000), "xxx…"),
    ] {
        let receiver = Receiver::start(Reply::With(status, text.to_owned())).await;
        let error = failure(&local(&receiver, ""), created()).await;
        // What it answered comes first.
        assert!(
            error.starts_with("answered ") && error.ends_with(expected),
            "{error}"
        );
        assert!(
            error.chars().count() < 400 && !error.contains("capability"),
            "{error}"
        );
    }
    let receiver = Receiver::start(Reply::Endless(500, "and so on ")).await;
    let error = failure(&local(&receiver, ""), created()).await;
    assert!(
        error.contains("500 Internal Server Error: and so on and so on"),
        "{error}"
    );
    // Of a success nobody waits for the body.
    let receiver = Receiver::start(Reply::Endless(200, "and so on ")).await;
    local(&receiver, "").handle(created()).await.unwrap();
}

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
async fn a_receiver_that_hangs_costs_one_attempt_and_its_time() {
    let receiver = Receiver::start(Reply::Hang).await;
    let address = format!("127.0.0.1:{}", receiver.port);
    let mut config = config(&[&address], &format!("http://{address}/"), "").unwrap();
    config.webhooks.list[0].timeout = Duration::from_millis(200);
    let error = failure(&crm(&config, Names::default()), created()).await;
    assert_eq!(error, "no answer within 0.2 s");
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test]
async fn nobody_there() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    let config = config(&[&address], &format!("http://{address}/"), "").unwrap();
    let error = failure(&crm(&config, Names::default()), created()).await;
    assert!(
        error.starts_with(&format!("cannot connect to `127.0.0.1` at {address}")),
        "{error}"
    );
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
            assert!(error.ends_with("no webhook goes there"), "{bad}: {error}");
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
            "no webhook goes there",
        ),
        (
            &everything,
            "http://2852039166/",
            "`169.254.169.254` is a link-local address",
        ),
        (
            &everything,
            "http://0xa9.0xfe.0xa9.0xfe/",
            "no webhook goes there",
        ),
        (
            &everything,
            "http://[::ffff:a9fe:a9fe]/",
            "no webhook goes there",
        ),
        (&everything, "http://[fe80::1]/", "no webhook goes there"),
        (&everything, "http://0/", "no webhook goes there"),
        (
            &["169.254.169.254"],
            "https://hooks.example.com/",
            "listed or not",
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
            "credentials do not belong into a URL",
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
                error.contains("no TLS with `hooks.example.com`") && error.contains("certificate"),
                "{case}: {error}"
            );
        }
        assert_eq!(receiver.received().len(), usize::from(taken), "{case}");
    }
}

#[tokio::test]
async fn a_delivery_beyond_its_bound_is_not_sent() {
    let receiver = Receiver::start(Reply::With(200, String::new())).await;
    let mut delivery = created();
    delivery
        .state
        .insert("all".to_owned(), "x".repeat(WEBHOOK_BODY_BYTES_MAX).into());
    let error = failure(&local(&receiver, "state = true"), delivery.clone()).await;
    assert!(
        error.contains("`state = false` leaves the state out"),
        "{error}"
    );
    assert_eq!(receiver.connections(), 0);
    local(&receiver, "").handle(delivery).await.unwrap();
}

#[tokio::test]
async fn the_secret_is_in_no_error_no_debug_form_and_no_log() {
    let log = log();
    let receiver = Receiver::start(Reply::With(500, format!("I know {SECRET}, and you?"))).await;
    let address = format!("127.0.0.1:{}", receiver.port);
    let config = config(
        &[&address],
        &format!("http://{address}/capability"),
        "secret_env = 'CRM_SECRET'",
    )
    .unwrap();
    let clock: Arc<dyn whodunit_daemon::clock::Clock> =
        Arc::new(whodunit_daemon::clock::SystemClock);
    let names: Arc<dyn whodunit_daemon::handlers::Resolve> = Arc::new(Names::default());
    let webhooks =
        whodunit_daemon::handlers::Webhook::all(&config.webhooks, &clock, &names).unwrap();
    let error = failure(&crm(&config, Names::default()), created()).await;
    assert!(
        error.ends_with("500 Internal Server Error: I know [redacted], and you?"),
        "{error}"
    );
    for text in [format!("{config:?} {webhooks:?}"), error, log.text()] {
        assert!(
            !text.contains(SECRET) && !text.contains("capability"),
            "{text}"
        );
    }
    assert!(log.text().contains("the log is kept"));
    assert!(!String::from_utf8_lossy(&receiver.received()[0].body).contains(SECRET));
}
