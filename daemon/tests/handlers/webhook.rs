//! Webhooks: what is posted, how it is signed, where it never goes.

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
use crate::support::{NOW, Names, configure, created, failure, log, set_up};

pub(crate) const SECRET: &str = "whsec_YS1zZWNyZXQtdGhhdC10d28tcGFydGllcy1zaGFyZQ==";

pub(crate) fn config(allow: &[&str], url: &str, more: &str) -> Result<PipelineConfig, String> {
    let folder = TempDir::new().unwrap();
    let text = format!(
        "[webhooks]\nallow = {allow:?}\n[[webhook]]\nname = 'crm'\nurl = '{url}'\nevents = ['user/UserCreated', 'order/*']\n{more}"
    );
    configure(folder.path(), &text, &[("CRM_SECRET", SECRET)])
}

pub(crate) fn crm(config: &PipelineConfig, names: Names) -> Arc<dyn Handler> {
    Arc::clone(&set_up(config, names)["webhook:crm"])
}

/// A webhook to a receiver on this machine.
pub(crate) fn local(receiver: &Receiver, more: &str) -> Arc<dyn Handler> {
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
pub(crate) fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
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
    // The body of a success is not waited for.
    let receiver = Receiver::start(Reply::Endless(200, "and so on ")).await;
    local(&receiver, "").handle(created()).await.unwrap();
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
async fn a_closed_port_is_a_failure() {
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
