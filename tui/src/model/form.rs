//! Forms: fields to fill in, checked as one types.
//!
//! Owns how a command's JSON Schema becomes fields and how fields become a payload again.

use serde_json::{Map, Value};
use tui_input::Input;
use whodunit_core::api::browse::CommandOut;
use whodunit_core::api::pipeline::BackfillIn;
use whodunit_core::api::what_if::WhatIfCommand;
use whodunit_core::api::write::CommandIn;
use whodunit_core::event::Event;
use whodunit_core::json::Json;
use whodunit_core::payload::PayloadSchema;
use whodunit_core::time::Timestamp;
use whodunit_core::time::input::{self, Clock};

use super::backfill;
use super::what_if::{EventEdit, Place};
use crate::zone::Zone;

/// What a form is for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Purpose {
    /// A command that a what-if adds.
    Command(CommandOut, Target),
    /// A raw event that a what-if adds.
    Event(Target),
    /// What a recorded event would have been.
    Recorded(Box<Event>),
    /// What a recorded command would have been: of which decision, and when that was made.
    Given(CommandOut, u64, Timestamp),
    /// A backfill; relative times are counted from this moment.
    Backfill(Timestamp),
}

/// What becomes of what a form says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Target {
    /// It is added at a place.
    Add(Place),
    /// It takes the place of a change.
    Again(usize),
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
    /// A recorded event as it would have been.
    Recorded {
        data: Json,
        actor: Option<String>,
        reason: Option<String>,
        at: Option<Timestamp>,
    },
    /// A recorded command as it would have been, and when.
    Given(CommandIn, Option<Timestamp>),
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
const WHEN: &str = "when";

/// Reads a time; what it leaves out is that of the recorded one, from which `+1h` and `-2d` count.
fn read_time(text: &str, recorded: Timestamp) -> Result<Timestamp, String> {
    let clock = Clock {
        now: recorded,
        zone: Zone::Utc.for_input(),
    };
    let moment = input::read(text, &clock).map_err(|_unread| {
        "is not a time; try 2025-03-24T15:47:00Z, 15:47, -2d or +1h".to_owned()
    })?;
    Ok(moment.first)
}

fn when(at: Timestamp) -> Field {
    let rule = "its place in the history stays; +1h and -2d count from the recorded time";
    field("", WHEN, Kind::Text, false, rule, &at.to_string())
}

/// Whether a field stands beside the payload and says when.
fn is_when(field: &Field) -> bool {
    field.name.is_empty() && field.title == WHEN
}

impl Form {
    /// A form for a command, filled with an earlier version of it.
    pub(crate) fn command(
        command: &CommandOut,
        earlier: Option<&CommandIn>,
        target: Target,
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
        Self::new(Purpose::Command(command.clone(), target), title, fields)
    }

    /// A form for a recorded command, as it would have been.
    pub(crate) fn given(
        command: &CommandOut,
        earlier: &WhatIfCommand,
        sequence: u64,
        at: Timestamp,
    ) -> Self {
        let earlier = CommandIn::from(earlier.clone());
        let mut form = Self::command(command, Some(&earlier), Target::Again(0));
        form.title = format!("what if {} had been another one", command.name);
        form.fields.push(when(at));
        form.purpose = Purpose::Given(command.clone(), sequence, at);
        form.check();
        form
    }

    /// A form for a raw event at the base.
    pub(crate) fn event(event_type: &str, data: &str, target: Target) -> Self {
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
            Purpose::Event(target),
            "raw event · no rules run".to_owned(),
            fields,
        )
    }

    /// A form for a recorded event, as it would have been: filled with what is on record, or with an earlier edit of it.
    pub(crate) fn recorded(event: &Event, earlier: Option<&EventEdit>) -> Self {
        let edit = earlier.cloned().unwrap_or_default();
        let data = edit.data.as_ref().unwrap_or(&event.data).as_str();
        let or = |own: Option<String>, recorded: &Option<String>| {
            own.or_else(|| recorded.clone()).unwrap_or_default()
        };
        let actor = or(edit.around.actor, &event.actor);
        let reason = or(edit.around.reason, &event.reason);
        let fields = vec![
            field("", DATA, Kind::Json, true, "a JSON object", data),
            field(
                "",
                REASON,
                Kind::Text,
                false,
                "why; empty is as it was",
                &reason,
            ),
            field(
                "",
                ACTOR,
                Kind::Text,
                false,
                "who; empty is as it was",
                &actor,
            ),
            when(edit.around.at.unwrap_or(event.recorded_at)),
        ];
        let title = format!(
            "what if rev {} {} had been different",
            event.revision, event.event_type
        );
        Self::new(Purpose::Recorded(Box::new(event.clone())), title, fields)
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
                    Purpose::Recorded(event) if is_when(field) && !text.is_empty() => {
                        read_time(text, event.recorded_at).err()
                    }
                    Purpose::Given(_, _, at) if is_when(field) && !text.is_empty() => {
                        read_time(text, *at).err()
                    }
                    _ => None,
                },
            };
        }
        if let Purpose::Command(command, _) | Purpose::Given(command, ..) = &self.purpose {
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

    fn command_in(&self, command: &CommandOut) -> CommandIn {
        CommandIn {
            command_type: command.name.clone(),
            payload: self.payload(),
            actor: self.extra(ACTOR),
            reason: self.extra(REASON),
            command_id: None,
            correlation_id: None,
            causation_id: None,
            expected_revision: None,
        }
    }

    /// What the form says, if all of it is well formed.
    pub(crate) fn filled(&self) -> Option<Filled> {
        if self.fields.iter().any(|field| field.error.is_some()) {
            return None;
        }
        let data = || Json::parse(&self.extra(DATA).unwrap_or_default()).ok();
        let at = |recorded: Timestamp| {
            let text = self.extra(WHEN)?;
            read_time(&text, recorded).ok()
        };
        Some(match &self.purpose {
            Purpose::Command(command, _) => Filled::Command(self.command_in(command)),
            Purpose::Given(command, _, recorded) => {
                Filled::Given(self.command_in(command), at(*recorded))
            }
            Purpose::Event(_) => Filled::Event {
                event_type: self.extra(TYPE)?,
                data: data()?,
                reason: self.extra(REASON),
                actor: self.extra(ACTOR),
            },
            Purpose::Recorded(event) => Filled::Recorded {
                data: data()?,
                actor: self.extra(ACTOR),
                reason: self.extra(REASON),
                at: at(event.recorded_at),
            },
            Purpose::Backfill(now) => Filled::Backfill(backfill::read(&self.fields, *now)?),
        })
    }
}

#[cfg(test)]
#[path = "form_tests.rs"]
mod tests;
