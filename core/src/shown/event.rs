//! Events as they may be shown, written without a copy of their texts where there is nothing to take out.
//!
//! Owns when that is so: a payload in which no name of a secret field can stand is spliced as it was recorded, every other one
//! goes through redaction.

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use super::payload::may_hold_secret;
use super::{Reveal, Shown};
use crate::event::{Event, EventView};
use crate::json::RAW;
use crate::model::{Model, Models};

/// A [`Shown`] event as JSON text.
#[derive(Clone, PartialEq, Eq)]
pub struct ShownEvent(String);

impl std::fmt::Debug for ShownEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for ShownEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut raw = serializer.serialize_struct(RAW, 1)?;
        raw.serialize_field(RAW, &self.0)?;
        raw.end()
    }
}

impl ShownEvent {
    /// The text of what is shown.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn of(event: &Shown<Event>) -> Result<Self, serde_json::Error> {
        serde_json::to_string(event).map(Self)
    }
}

impl Reveal {
    /// An event as it may be shown, as text.
    ///
    /// # Errors
    /// When what is stored as its payload is no text at all.
    pub fn show_event(
        self,
        models: &Models,
        event: &EventView<'_>,
    ) -> Result<ShownEvent, serde_json::Error> {
        let mut text = Vec::new();
        self.write_event(models, event, &mut text)?;
        String::from_utf8(text)
            .map(ShownEvent)
            .map_err(serde::ser::Error::custom)
    }

    /// Appends an event as it may be shown: the JSON of `self.show(models, event)`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_event(
        self,
        models: &Models,
        event: &EventView<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), serde_json::Error> {
        if self.yes() || is_plain(models.for_stream(event.stream), event) {
            event.write(out);
            return Ok(());
        }
        let shown: Shown<Event> = self.show(models, event.to_event());
        serde_json::to_writer(out, &shown)
    }
}

/// Whether no secret can stand in an event.
fn is_plain(model: &Model, event: &EventView<'_>) -> bool {
    let mut payloads = [Some(event.data), event.metadata].into_iter().flatten();
    !model.has_secrets() || !payloads.any(|text| may_hold_secret(model, text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::IdText;
    use crate::ids::{Position, Revision, StreamName};
    use crate::json::Json;
    use crate::time::Timestamp;

    fn models() -> Models {
        Models::default().hiding("user", &["password_hash", "pin"])
    }

    /// The JSON that serde writes of the same event, shown.
    fn by_serde(reveal: Reveal, event: &Event) -> String {
        serde_json::to_string(&reveal.show(&models(), event.clone())).unwrap()
    }

    fn spliced(reveal: Reveal, event: &EventView<'_>) -> String {
        let shown = reveal.show_event(&models(), event).unwrap();
        let text = serde_json::to_string(&shown).unwrap();
        let mut out = Vec::new();
        reveal.write_event(&models(), event, &mut out).unwrap();
        assert_eq!(text.as_bytes(), out);
        text
    }

    fn event(stream: &str, data: &str, metadata: Option<&str>) -> Event {
        Event {
            position: Position(7),
            stream: StreamName::new(stream).unwrap(),
            revision: Revision(3),
            event_id: "0195d3a1-7c2e-7000-8000-000000000001".to_owned(),
            event_type: "Changed".to_owned(),
            schema_version: 2,
            recorded_at: Timestamp::from_micros(1_741_000_000_123_000),
            actor: Some("a \"quoted\" \\ \u{1} name ü".to_owned()),
            reason: None,
            correlation_id: Some("c-1".to_owned()),
            causation_id: None,
            data: Json::parse(data).unwrap(),
            metadata: metadata.map(|text| Json::parse(text).unwrap()),
        }
    }

    #[test]
    fn secrets_are_taken_out_wherever_they_stand_and_however_their_names_are_spelt() {
        for (data, metadata) in [
            (r#"{"a":1}"#, None),
            (r#"{"password_hash":"S3CRET"}"#, None),
            (r#"{"a":{"b":[{"pin":"S3CRET"}]},"c":1.50}"#, Some("{}")),
            (r#"{"pass\u0077ord_hash":"S3CRET"}"#, None),
            (r#"{"a":1}"#, Some(r#"{"x":{"pin":["S3CRET"]}}"#)),
            (r#"{"note":"the pin is S3CRET-no-field"}"#, None),
            (r#"{"pin":null}"#, None),
        ] {
            for stream in ["user-1", "order-1"] {
                let event = event(stream, data, metadata);
                for reveal in [Reveal::NO, Reveal::asked(true, || ())] {
                    let said = spliced(reveal, &EventView::from(&event));
                    assert_eq!(said, by_serde(reveal, &event));
                    let hidden = stream == "user-1" && !reveal.yes();
                    let is_field = !data.contains("no-field");
                    assert!(!(hidden && is_field && said.contains("S3CRET")), "{said}");
                }
            }
        }
    }

    #[test]
    fn a_uuid_kept_as_bytes_is_written_as_its_text() {
        let event = event("order-1", "{}", None);
        let mut view = EventView::from(&event);
        let spelt: [u8; 36] = event.event_id.as_bytes().try_into().unwrap();
        view.event_id = IdText::Uuid(spelt);
        assert_eq!(view.to_event(), event);
        assert_eq!(spliced(Reveal::NO, &view), by_serde(Reveal::NO, &event));
    }

    proptest! {
        #![proptest_config(crate::seeded::seeded(256))]

        #[test]
        fn what_is_spliced_is_what_serde_writes(
            texts in prop::collection::vec(prop::option::of("\\PC{0,12}|[\\x00-\\x7f]{0,8}"), 4),
            keys in prop::collection::vec("pin|password_hash|pi|a|\\PC{1,3}", 0..4),
            value in "\\PC{0,8}",
            is_user: bool,
            reveal: bool,
            micros in -62_135_596_800_000_000_i64..=253_402_300_799_999_999,
        ) {
            let stream = if is_user { "user-1" } else { "order-1" };
            let mut data = serde_json::Map::new();
            for (n, key) in keys.into_iter().enumerate() {
                let inner = serde_json::json!({"pin": value, "n": n});
                data.insert(key, if n % 2 == 0 { inner } else { value.clone().into() });
            }
            let data = serde_json::Value::Object(data);
            let mut event = event(stream, &data.to_string(), (!is_user).then_some("{\"pin\":1}"));
            let mut texts = texts.into_iter();
            event.actor = texts.next().flatten();
            event.reason = texts.next().flatten();
            event.correlation_id = texts.next().flatten();
            event.causation_id = texts.next().flatten();
            event.recorded_at = Timestamp::from_micros(micros);
            let reveal = Reveal::asked(reveal, || ());
            let view = EventView::from(&event);
            prop_assert_eq!(spliced(reveal, &view), by_serde(reveal, &event));
            prop_assert_eq!(view.to_event(), event);
        }
    }
}
