//! Features: what a stream or an event has that others may have too.

use chrono::{Datelike, FixedOffset, Timelike};
use whodunit_core::contrast::Feature;
use whodunit_core::event::Event;
use whodunit_core::json::{State, Value};
use whodunit_core::model::Model;
use whodunit_core::time::Timestamp;

/// Levels of a state that are looked into.
const DEPTH_MAX: usize = 4;
/// Fields of a state that are looked at.
const FIELDS_MAX: usize = 300;
/// Characters of a text up to which it is a value like others.
const CHARS_MAX: usize = 120;
/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// Seconds east of UTC, in which weekdays and hours are told.
pub(crate) type Zone = i32;

/// Features of one thing.
pub(super) struct Features {
    zone: Zone,
    found: Vec<(String, Feature)>,
}

impl Features {
    pub(super) fn new(zone: Zone) -> Self {
        let found = Vec::new();
        Self { zone, found }
    }

    pub(super) fn finish(self) -> Vec<(String, Feature)> {
        self.found
    }

    pub(super) fn value(&mut self, name: &str, value: String) {
        self.found.push((name.to_owned(), Feature::Value(value)));
    }

    pub(super) fn count(&mut self, name: &str, count: u64) {
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
        let number = Feature::Number(count as f64, count.to_string());
        self.found.push((name.to_owned(), number));
    }

    /// Whole days from one time to a later one.
    pub(super) fn days(&mut self, name: &str, from: Timestamp, to: Timestamp) {
        let days = (to.as_micros() - from.as_micros()).div_euclid(DAY);
        self.count(name, u64::try_from(days).unwrap_or_default());
    }

    /// The fields of a state; secrets are none.
    pub(super) fn state(&mut self, model: &Model, state: &State) {
        let mut room = FIELDS_MAX;
        self.fields(model, state, "before", DEPTH_MAX, &mut room);
    }

    fn fields(
        &mut self,
        model: &Model,
        fields: &State,
        path: &str,
        depth: usize,
        room: &mut usize,
    ) {
        for (name, value) in fields {
            if *room == 0 || model.is_secret(name) {
                continue;
            }
            *room -= 1;
            let path = format!("{path}.{name}");
            match value {
                Value::Object(inner) if depth > 1 => {
                    self.fields(model, inner, &path, depth - 1, room);
                }
                Value::Object(inner) => self.count(&format!("size of {path}"), inner.len() as u64),
                Value::Array(items) => self.count(&format!("size of {path}"), items.len() as u64),
                Value::Number(number) => {
                    let text = number.to_string();
                    let feature = match text.parse() {
                        Ok(real) => Feature::Number(real, text),
                        Err(_) => Feature::Value(text),
                    };
                    self.found.push((path, feature));
                }
                Value::String(text) => self.text(path, text),
                Value::Bool(_) | Value::Null => self.value(&path, value.to_string()),
            }
        }
    }

    fn text(&mut self, path: String, text: &str) {
        if let Ok(at) = text.parse::<Timestamp>() {
            #[expect(
                clippy::cast_precision_loss,
                reason = "a time need not be exact to be later than another"
            )]
            let number = at.as_micros() as f64;
            self.found
                .push((path, Feature::Number(number, text.to_owned())));
        } else if text.chars().count() <= CHARS_MAX {
            self.found.push((path, Feature::Value(text.to_owned())));
        }
    }

    /// That there was an event like this before.
    pub(super) fn earlier(&mut self, event: &Event) {
        self.value("earlier event", event.event_type.clone());
        if let Some(actor) = &event.actor {
            self.value("earlier actor", actor.clone());
        }
    }

    /// The last event before.
    pub(super) fn last(&mut self, event: &Event) {
        self.about("last", event);
    }

    /// The event itself.
    pub(super) fn event(&mut self, event: &Event) {
        self.about("event", event);
    }

    fn about(&mut self, which: &str, event: &Event) {
        self.value(&format!("{which}.event_type"), event.event_type.clone());
        if let Some(actor) = &event.actor {
            self.value(&format!("{which}.actor"), actor.clone());
        }
        if let Some(reason) = &event.reason {
            self.value(&format!("{which}.reason"), reason.clone());
        }
        if let Some(zone) = FixedOffset::east_opt(self.zone) {
            let at = event.recorded_at.to_datetime().with_timezone(&zone);
            self.value(&format!("{which} weekday"), at.weekday().to_string());
            self.value(&format!("{which} hour"), format!("{:02}", at.hour()));
        }
    }
}
