//! Webhooks: events posted to another server.
//!
//! Owns what a delivery says, a `CloudEvent`, and how it is signed, by Standard Webhooks. Idempotent through its `webhook-id`
//! header, which is the same for every attempt at one event: the receiver can tell that it has seen it.

mod request;
mod resolve;
mod signature;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Serialize;
use whodunit_core::api::segment;
use whodunit_core::event::Event;
use whodunit_core::json::State;
use whodunit_core::time::Timestamp;

use super::HandlersError;
use super::secret::Scrub;
use super::settings::{WebhookSettings, Webhooks};
use super::tls;
use crate::clock::Clock;
use crate::limits::WEBHOOK_BODY_BYTES_MAX;
use crate::outbox::{Delivery, EventPattern, Handler, HandlerError};
use crate::store::BoxFuture;
use request::{Answer, Client};

pub use resolve::{Resolve, SystemResolver};
pub use signature::{key as signing_key, signature};

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
const ATTEMPT: HeaderName = HeaderName::from_static("whodunit-attempt");
/// What an id in a header is encoded by: `%` too, so that no two ids become the same, and `.`, which ends it where it is
/// signed.
const IN_A_HEADER: &AsciiSet = &CONTROLS.add(b' ').add(b'%').add(b'.');

/// A webhook as a handler.
pub struct Webhook(Arc<Inner>);

struct Inner {
    name: String,
    settings: WebhookSettings,
    client: Arc<Client>,
    clock: Arc<dyn Clock>,
    scrub: Scrub,
}

/// The body of a delivery: a `CloudEvent` (1.0, structured JSON).
#[derive(Serialize)]
struct CloudEvent<'a> {
    specversion: &'static str,
    id: &'a str,
    source: String,
    #[serde(rename = "type")]
    event_type: &'a str,
    subject: &'a str,
    time: Timestamp,
    datacontenttype: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<String>,
    data: Payload<'a>,
}

/// What a delivery says of its event.
#[derive(Serialize)]
struct Payload<'a> {
    handler: &'a str,
    event: &'a Event,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'a State>,
}

impl Webhook {
    /// The webhooks of a configuration.
    ///
    /// # Errors
    /// When one of them needs TLS and the authorities to trust cannot be read.
    pub fn all(
        webhooks: &Webhooks,
        clock: &Arc<dyn Clock>,
        resolver: &Arc<dyn Resolve>,
    ) -> Result<Vec<Self>, HandlersError> {
        let secure = |settings: &WebhookSettings| settings.url.scheme() == "https";
        let tls = if webhooks.list.iter().any(secure) {
            Some(tls::client(tls::roots(webhooks.ca_file.as_deref())?)?)
        } else {
            None
        };
        let client = Arc::new(Client {
            allow: webhooks.allow.clone(),
            resolver: Arc::clone(resolver),
            tls,
        });
        let webhook = |settings: &WebhookSettings| {
            Self(Arc::new(Inner {
                name: format!("webhook:{}", settings.name),
                settings: settings.clone(),
                client: Arc::clone(&client),
                clock: Arc::clone(clock),
                scrub: Scrub::key(settings.secret.as_ref()),
            }))
        };
        Ok(webhooks.list.iter().map(webhook).collect())
    }
}

impl Handler for Webhook {
    fn name(&self) -> &str {
        &self.0.name
    }

    fn kind(&self) -> &'static str {
        "webhook"
    }

    fn target(&self) -> String {
        self.0.settings.target()
    }

    fn takes(&self) -> &[EventPattern] {
        &self.0.settings.events
    }

    fn handle(&self, delivery: Delivery) -> BoxFuture<Result<(), HandlerError>> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            inner
                .deliver(&delivery)
                .await
                .map_err(|text| HandlerError(inner.scrub.quote(&text)))
        })
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Webhook").field(&self.0.settings).finish()
    }
}

impl Inner {
    async fn deliver(&self, delivery: &Delivery) -> Result<(), String> {
        let body = self.body(delivery)?;
        let headers = self.headers(delivery, &body)?;
        let limit = self.settings.timeout;
        let posted = self.client.post(&self.settings.url, headers, body);
        match tokio::time::timeout(limit, posted).await {
            Ok(answer) => Self::judge(&answer?),
            Err(_late) => Err(format!("no answer within {}", seconds(limit))),
        }
    }

    fn body(&self, delivery: &Delivery) -> Result<Bytes, String> {
        let event = &delivery.event;
        let message = CloudEvent {
            specversion: "1.0",
            id: &event.event_id,
            source: format!("/v1/streams/{}", segment(event.stream.as_str())),
            event_type: &event.event_type,
            subject: event.stream.as_str(),
            time: event.recorded_at,
            datacontenttype: "application/json",
            traceparent: traceparent(event),
            data: Payload {
                handler: &self.name,
                event,
                state: self.settings.state.then_some(&delivery.state),
            },
        };
        let body = serde_json::to_vec(&message)
            .map_err(|error| format!("the delivery cannot be written as JSON: {error}"))?;
        if body.len() > WEBHOOK_BODY_BYTES_MAX {
            return Err(format!(
                "the delivery is {} bytes long, at most {WEBHOOK_BODY_BYTES_MAX} are sent; `state = false` leaves the state out",
                body.len()
            ));
        }
        Ok(body.into())
    }

    fn headers(&self, delivery: &Delivery, body: &[u8]) -> Result<HeaderMap, String> {
        let seconds = self.clock.now().as_micros().div_euclid(1_000_000);
        let id = format!("{}:{}", self.name, delivery.event.event_id);
        let id = utf8_percent_encode(&id, IN_A_HEADER).to_string();
        let mut headers = HeaderMap::new();
        let mut set = |name: HeaderName, value: String| {
            let value = HeaderValue::from_str(&value)
                .map_err(|error| format!("the header `{name}` cannot be sent: {error}"))?;
            headers.insert(name, value);
            Ok::<_, String>(())
        };
        set(
            CONTENT_TYPE,
            "application/cloudevents+json; charset=utf-8".to_owned(),
        )?;
        set(
            USER_AGENT,
            concat!("whodunit/", env!("CARGO_PKG_VERSION")).to_owned(),
        )?;
        set(TIMESTAMP, seconds.to_string())?;
        set(ATTEMPT, delivery.attempt.to_string())?;
        if let Some(secret) = &self.settings.secret {
            set(SIGNATURE, signature(secret, &id, seconds, body)?)?;
        }
        set(ID, id)?;
        Ok(headers)
    }

    /// Whether an answer is a success. What it is comes first: where an error is shown there is often room for its first
    /// words only, and where the webhook goes is shown with the handler.
    fn judge(answer: &Answer) -> Result<(), String> {
        let status = answer.status;
        if status.is_success() {
            return Ok(());
        }
        if status.is_redirection() {
            return Err(format!("answered {status}; redirects are not followed"));
        }
        let body = String::from_utf8_lossy(&answer.body);
        Err(match body.trim() {
            "" => format!("answered {status}"),
            text => format!("answered {status}: {text}"),
        })
    }
}

/// The `traceparent` of the request that made the event, if its metadata has one.
fn traceparent(event: &Event) -> Option<String> {
    let metadata = event.metadata.as_ref()?.to_value();
    Some(metadata.get("traceparent")?.as_str()?.to_owned())
}

fn seconds(limit: Duration) -> String {
    format!("{} s", limit.as_secs_f64())
}
