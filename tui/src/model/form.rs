//! Forms: fields to fill in, checked as one types.
//!
//! Owns how a command's JSON Schema becomes fields and how fields become a payload again.

use serde_json::{Map, Value};
use tui_input::Input;
use whodunit_core::api::browse::CommandOut;
use whodunit_core::api::pipeline::BackfillIn;
use whodunit_core::api::write::CommandIn;
use whodunit_core::json::Json;
use whodunit_core::payload::PayloadSchema;
use whodunit_core::time::Timestamp;

use super::backfill;

/// What a form is for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Purpose {
    /// A command at the base; the index of the action it replaces, if it edits one.
    Command(CommandOut, Option<usize>),
    /// A raw event at the base; likewise.
    Event(Option<usize>),
    /// Another payload for a recorded event.
    Replace(u64),
    /// An event after a recorded revision.
    Insert(u64),
    /// A backfill; relative times are counted from this moment.
    Backfill(Timestamp),
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Secret,
    /// Anything but a text: typed as JSON.
    Json,
}

#[derive(Debug, Clone)]
pub(crate) struct Field {
    /// The payload's field; empty for what stands beside the payload (type, actor, reason).
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) kind: Kind,
    pub(crate) required: bool,
    /// What the rules will ask of it.
    pub(crate) rule: String,
    pub(crate) input: Input,
    pub(crate) error: Option<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Form {
    pub(crate) purpose: Purpose,
    pub(crate) title: String,
    pub(crate) fields: Vec<Field>,
    pub(crate) focus: usize,
    /// Whether errors are shown of fields that were not touched yet.
    pub(crate) submitted: bool,
}

/// What a filled form says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Filled {
    Command(CommandIn),
    Event {
        event_type: String,
        data: Json,
        reason: Option<String>,
        actor: Option<String>,
    },
    Data(Json),
    Backfill(BackfillIn),
}

fn field(name: &str, title: &str, kind: Kind, required: bool, rule: &str, value: &str) -> Field {
    Field {
        name: name.to_owned(),
        title: title.to_owned(),
        kind,
        required,
        rule: rule.to_owned(),
        input: Input::new(value.to_owned()),
        error: None,
    }
}

const ACTOR: &str = "actor";
const REASON: &str = "reason";
const TYPE: &str = "event type";
const DATA: &str = "data";

impl Form {
    /// A form for a command, filled with an earlier version of it.
    pub(crate) fn command(
        command: &CommandOut,
        earlier: Option<&CommandIn>,
        index: Option<usize>,
    ) -> Self {
        let required: Vec<&str> = command.schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let mut fields = Vec::new();
        for (name, schema) in command.schema["properties"]
            .as_object()
            .into_iter()
            .flatten()
        {
            let kind = match (schema["writeOnly"].as_bool(), schema["type"].as_str()) {
                (Some(true), _) => Kind::Secret,
                (_, Some("string")) => Kind::Text,
                _ => Kind::Json,
            };
            let title = schema["title"].as_str().unwrap_or(name);
            let rule = schema["x-rule"]
                .as_str()
                .or(schema["description"].as_str())
                .unwrap_or_default();
            let value = match earlier.and_then(|command| command.payload.get(name)) {
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
                None => String::new(),
            };
            fields.push(field(
                name,
                title,
                kind,
                required.contains(&name.as_str()),
                rule,
                &value,
            ));
        }
        let of = |get: fn(&CommandIn) -> &Option<String>| {
            earlier.and_then(|c| get(c).clone()).unwrap_or_default()
        };
        let rule = if command.reason_required {
            "required by the rules"
        } else {
            ""
        };
        fields.push(field(
            "",
            REASON,
            Kind::Text,
            false,
            rule,
            &of(|command| &command.reason),
        ));
        fields.push(field(
            "",
            ACTOR,
            Kind::Text,
            false,
            "who sends it",
            &of(|command| &command.actor),
        ));
        let title = format!("{} · the rules decide", command.name);
        Self::new(Purpose::Command(command.clone(), index), title, fields)
    }

    /// A form for a raw event at the base.
    pub(crate) fn event(event_type: &str, data: &str, index: Option<usize>) -> Self {
        let fields = vec![
            field(
                "",
                TYPE,
                Kind::Text,
                true,
                "such as UserSuspended",
                event_type,
            ),
            field(
                "",
                DATA,
                Kind::Json,
                true,
                "a JSON object",
                if data.is_empty() { "{}" } else { data },
            ),
        ];
        Self::new(
            Purpose::Event(index),
            "raw event · no rules run".to_owned(),
            fields,
        )
    }

    /// A form for another payload of a recorded event.
    pub(crate) fn replace(revision: u64, event_type: &str, data: &str) -> Self {
        let fields = vec![field("", DATA, Kind::Json, true, "a JSON object", data)];
        let title = format!("change revision {revision}: {event_type}");
        Self::new(Purpose::Replace(revision), title, fields)
    }

    /// A form for an event after a recorded revision.
    pub(crate) fn insert(after: u64) -> Self {
        let mut form = Self::event("", "", None);
        form.title = format!("insert an event after revision {after}");
        form.purpose = Purpose::Insert(after);
        form
    }

    /// A form for a backfill through a handler.
    pub(crate) fn backfill(handler: &str, now: Timestamp) -> Self {
        let fields = backfill::FIELDS
            .iter()
            .map(|(title, required, rule)| {
                let value = if *required { handler } else { "" };
                field("", title, Kind::Text, *required, rule, value)
            })
            .collect();
        let title = "backfill · run history through handlers again".to_owned();
        Self::new(Purpose::Backfill(now), title, fields)
    }

    fn new(purpose: Purpose, title: String, fields: Vec<Field>) -> Self {
        let mut form = Self {
            purpose,
            title,
            fields,
            focus: 0,
            submitted: false,
        };
        form.check();
        form
    }

    fn extra(&self, title: &str) -> Option<String> {
        let field = self
            .fields
            .iter()
            .find(|field| field.name.is_empty() && field.title == title)?;
        let text = field.input.value().trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// Checks every field; what is wrong is noted beside it.
    pub(crate) fn check(&mut self) {
        for field in &mut self.fields {
            let text = field.input.value().trim();
            field.error = match field.kind {
                _ if text.is_empty() && field.required => Some("is required".to_owned()),
                Kind::Json if !text.is_empty() => match whodunit_core::json::read::<Value>(text) {
                    Err(error) if error.is_data() => Some(error.to_string()),
                    Err(error) => Some(format!("is not JSON (column {})", error.column())),
                    Ok(value)
                        if field.title == DATA && field.name.is_empty() && !value.is_object() =>
                    {
                        Some("must be a JSON object".to_owned())
                    }
                    Ok(_) => None,
                },
                Kind::Text | Kind::Secret | Kind::Json => match &self.purpose {
                    Purpose::Backfill(now) if !text.is_empty() => {
                        backfill::check(&field.title, text, *now)
                    }
                    _ => None,
                },
            };
        }
        if let Purpose::Command(command, _) = &self.purpose {
            // A schema that does not compile checks nothing here; the daemon, which compiled it, does.
            let wrong = PayloadSchema::compile(&command.schema)
                .map(|schema| schema.check(&self.payload()))
                .unwrap_or_default();
            for wrong in wrong {
                let name = wrong.pointer.trim_start_matches('/').to_owned();
                if let Some(field) = self
                    .fields
                    .iter_mut()
                    .find(|field| field.name == name && field.error.is_none())
                {
                    field.error = Some(wrong.message);
                }
            }
        }
    }

    fn payload(&self) -> Map<String, Value> {
        let mut payload = Map::new();
        for field in self.fields.iter().filter(|field| !field.name.is_empty()) {
            let text = field.input.value();
            if text.is_empty() {
                continue;
            }
            let value = match field.kind {
                Kind::Text | Kind::Secret => Value::String(text.to_owned()),
                Kind::Json => whodunit_core::json::read(text)
                    .unwrap_or_else(|_not_json| Value::String(text.to_owned())),
            };
            payload.insert(field.name.clone(), value);
        }
        payload
    }

    /// What the form says, if all of it is well formed.
    pub(crate) fn filled(&self) -> Option<Filled> {
        if self.fields.iter().any(|field| field.error.is_some()) {
            return None;
        }
        let data = || Json::parse(&self.extra(DATA).unwrap_or_default()).ok();
        Some(match &self.purpose {
            Purpose::Command(command, _) => Filled::Command(CommandIn {
                command_type: command.name.clone(),
                payload: self.payload(),
                actor: self.extra(ACTOR),
                reason: self.extra(REASON),
                command_id: None,
                correlation_id: None,
                causation_id: None,
                expected_revision: None,
            }),
            Purpose::Event(_) | Purpose::Insert(_) => Filled::Event {
                event_type: self.extra(TYPE)?,
                data: data()?,
                reason: self.extra(REASON),
                actor: self.extra(ACTOR),
            },
            Purpose::Replace(_) => Filled::Data(data()?),
            Purpose::Backfill(now) => Filled::Backfill(backfill::read(&self.fields, *now)?),
        })
    }
}

#[cfg(test)]
#[path = "form_tests.rs"]
mod tests;
