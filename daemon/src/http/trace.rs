//! Trace context of a request: `x-request-id` and `traceparent` (W3C Trace Context).
//!
//! Owns their bounds, and where they are kept: in the metadata of the events that the request makes, as `request_id` and
//! `traceparent`, and the trace's id as the correlation id of what has none. A request that names its own ids may be a
//! repetition, whose content must stay the same: its events are kept as they were given, and its correlation id too.

use axum::extract::FromRequestParts;
use axum::http::request::Parts as Head;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};
use whodunit_core::api::problem::{Code, Problem};
use whodunit_core::api::write::CommandIn;
use whodunit_core::event::NewEvent;
use whodunit_core::json::Json;

use super::error::ApiError;
use crate::limits::REQUEST_ID_BYTES_MAX;

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: &str = "traceparent";

/// The trace context of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Trace {
    request_id: Option<String>,
    traceparent: Option<String>,
}

/// A request's id as it may be kept and sent back: visible ASCII, bounded.
pub(super) fn request_id(headers: &HeaderMap) -> Option<&HeaderValue> {
    headers.get(REQUEST_ID).filter(|value| {
        let bytes = value.as_bytes();
        (1..=REQUEST_ID_BYTES_MAX).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic)
    })
}

/// Whether a text is a `traceparent`: version, trace id, parent id and flags in lower-case hexadecimal, ids not zero.
fn is_traceparent(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [version, trace, parent, flags] = parts.as_slice() else {
        return false;
    };
    let hex = |part: &str, length: usize| {
        part.len() == length
            && part
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_zero = |part: &str| part.bytes().all(|byte| byte == b'0');
    *version == "00"
        && hex(trace, 32)
        && hex(parent, 16)
        && hex(flags, 2)
        && !is_zero(trace)
        && !is_zero(parent)
}

impl Trace {
    fn of_headers(headers: &HeaderMap) -> Result<Self, ApiError> {
        let refused = |name: &str, what: String| {
            ApiError::from(Problem::new(Code::BadParameter, format!("`{name}` {what}")).field(name))
        };
        let text = |value: &HeaderValue| value.to_str().map(str::to_owned).ok();
        let request_id = request_id(headers).and_then(text);
        if request_id.is_none() && headers.contains_key(REQUEST_ID) {
            let what = format!("must be 1 to {REQUEST_ID_BYTES_MAX} visible ASCII characters");
            return Err(refused(REQUEST_ID.as_str(), what));
        }
        let traceparent = headers
            .get(TRACEPARENT)
            .and_then(text)
            .filter(|text| is_traceparent(text));
        if traceparent.is_none() && headers.contains_key(TRACEPARENT) {
            let what = "is not a W3C Trace Context value of version 00".to_owned();
            return Err(refused(TRACEPARENT, what));
        }
        Ok(Self {
            request_id,
            traceparent,
        })
    }

    fn trace_id(&self) -> Option<String> {
        let traceparent = self.traceparent.as_ref()?;
        traceparent.split('-').nth(1).map(str::to_owned)
    }

    /// What of it is kept with an event; `None` when there is nothing.
    pub(crate) fn metadata(&self) -> Option<Json> {
        let mut metadata = Map::new();
        self.add_to(&mut metadata);
        (!metadata.is_empty()).then(|| Json::from(Value::Object(metadata)))
    }

    fn add_to(&self, metadata: &mut Map<String, Value>) {
        let fields = [
            ("request_id", &self.request_id),
            (TRACEPARENT, &self.traceparent),
        ];
        for (name, value) in fields {
            if let Some(value) = value {
                metadata.entry(name).or_insert_with(|| value.clone().into());
            }
        }
    }

    /// Gives a command without ids the trace's id to correlate by.
    pub(crate) fn correlate(&self, command: &mut CommandIn) {
        if command.command_id.is_none() && command.correlation_id.is_none() {
            command.correlation_id = self.trace_id();
        }
    }

    /// The same for raw events without an id, whose metadata keeps the trace beside what it has.
    pub(crate) fn mark(&self, events: &mut [NewEvent]) {
        for event in events.iter_mut().filter(|event| event.event_id.is_none()) {
            if event.correlation_id.is_none() {
                event.correlation_id = self.trace_id();
            }
            match event.metadata.as_ref().map(Json::to_value) {
                None | Some(Value::Null) => event.metadata = self.metadata(),
                Some(Value::Object(mut metadata)) if *self != Self::default() => {
                    self.add_to(&mut metadata);
                    event.metadata = Some(Json::from(Value::Object(metadata)));
                }
                Some(_) => {}
            }
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Trace {
    type Rejection = ApiError;

    async fn from_request_parts(head: &mut Head, _state: &S) -> Result<Self, ApiError> {
        Self::of_headers(&head.headers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_valid_traceparent_is_taken() {
        assert!(is_traceparent(
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        ));
        for text in [
            "",
            "00",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        ] {
            assert!(!is_traceparent(text), "{text}");
        }
    }
}
