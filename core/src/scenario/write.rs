//! Writing a scenario file, and making a scenario of a what-if and its answer.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::{Base, Expected, Scenario, Then, When, is_step};
use crate::api::what_if::{
    Action, Causes, Continuation, DecisionRef, Edit, Flip, StepOutcome, WhatIfIn, WhatIfOut,
    WhatIfStep,
};
use crate::json::Json;
use crate::pointer::Pointer;

impl Scenario {
    /// A what-if that expects the answer that was given: the outcome of each step, and what differs at the end. Secrets are not in
    /// an answer, so nothing is expected of them.
    pub fn of(name: &str, asked: &WhatIfIn, out: &WhatIfOut) -> Self {
        let edits = asked.edits.iter().cloned().map(Box::new).map(When::Edit);
        let mut steps = out.steps.iter().filter(|step| is_step(step));
        let actions = asked.actions.iter().map(|action| When::Action {
            action: Box::new(action.clone()),
            expected: steps.next().map(expected).unwrap_or_default(),
        });
        let when = edits.chain(actions).collect();
        let hidden: Vec<Pointer> = out.redacted.iter().flat_map(|path| path.parse()).collect();
        let mut then = Then {
            differs: Some(Vec::new()),
            first_divergence: Some(out.first_divergence),
            flips: flips(out),
            ..Then::default()
        };
        for entry in &out.diff {
            let Ok(path) = entry.path.parse::<Pointer>() else {
                continue;
            };
            if let Some(differs) = &mut then.differs {
                differs.push(path.clone());
            }
            match &entry.after {
                _ if hidden
                    .iter()
                    .any(|hidden| hidden.covers(&path) || path.covers(hidden)) => {}
                Some(value) => then.state.push((path, value.clone())),
                None => then.absent.push(path),
            }
        }
        Self {
            name: name.to_owned(),
            history: None,
            stream: asked.stream.clone(),
            base: base(asked, out),
            password_correct: asked.password_correct,
            when,
            // What it came to is kept, and not the choice: more may be on record when it is asked again.
            causes: asked.causes,
            continuation: match asked.continuation {
                Continuation::Auto => out.mode,
                continuation => continuation,
            },
            then,
        }
    }

    /// The file: what [`Scenario::parse`] reads as the same scenario. A history of its own is not written.
    pub fn to_toml(&self) -> String {
        let mut out = String::new();
        line(&mut out, "name", &text(&self.name));
        if let Some(correct) = self.password_correct {
            line(&mut out, "password_correct", &correct.to_string());
        }
        if self.continuation != Continuation::None {
            line(&mut out, "continue", &word(&self.continuation));
        }
        if self.causes != Causes::default() {
            line(&mut out, "causes", &word(&self.causes));
        }
        out.push_str("\n[given]\n");
        line(&mut out, "stream", &text(self.stream.as_str()));
        match &self.base {
            Base::Head => {}
            Base::Revision(revision) => line(&mut out, "at_revision", &revision.to_string()),
            Base::AsOf(time) => line(&mut out, "as_of", &text(&time.to_string())),
            Base::Position(position) => line(&mut out, "at_position", &position.to_string()),
            Base::Decision(DecisionRef::Sequence(sequence)) => {
                line(&mut out, "at_decision", &sequence.to_string());
            }
            Base::Decision(DecisionRef::Command(id)) => line(&mut out, "at_decision", &text(id)),
        }
        for when in &self.when {
            out.push_str("\n[[when]]\n");
            match when {
                When::Edit(edit) => write_edit(&mut out, edit),
                When::Action { action, expected } => {
                    write_action(&mut out, action);
                    write_expected(&mut out, expected);
                }
            }
        }
        write_then(&mut out, &self.then);
        out
    }
}

/// The base as it was asked for: by a revision where that was the head, so that the file means the same when the log has grown.
fn base(asked: &WhatIfIn, out: &WhatIfOut) -> Base {
    if let Some(time) = asked.as_of {
        Base::AsOf(time)
    } else if let Some(position) = asked.at_position {
        Base::Position(position)
    } else if let Some(decision) = &asked.at_decision {
        Base::Decision(decision.clone())
    } else {
        Base::Revision(asked.at_revision.unwrap_or(out.base_revision))
    }
}

/// The flips of an answer, in words; `None` where no rules were asked, or where it does not name them all.
pub(super) fn flips(out: &WhatIfOut) -> Option<Vec<String>> {
    let redecided = out.redecided.as_ref()?;
    let in_words = |flip: &Flip| {
        let came = match (flip.outcome.as_str(), &flip.rule) {
            ("not_issued", _) => "not issued".to_owned(),
            (outcome, Some(rule)) => format!("{outcome} by {rule}"),
            (outcome, None) => outcome.to_owned(),
        };
        format!("{} of {}: {came}", flip.command_type, flip.stream)
    };
    (redecided.flips_left_out == 0).then(|| out.flips.iter().map(in_words).collect())
}

fn expected(step: &WhatIfStep) -> Expected {
    let events = step.events.iter().map(|event| event.event_type.clone());
    let accepted = step.outcome == StepOutcome::Accepted;
    Expected {
        outcome: Some(step.outcome),
        rule: step.rule.clone(),
        events: accepted.then(|| events.collect()),
    }
}

fn write_edit(out: &mut String, edit: &Edit) {
    match edit {
        Edit::Drop(edit) => line(out, "drop", &edit.revision.to_string()),
        Edit::Replace(edit) => {
            line(out, "replace", &edit.revision.to_string());
            object(out, "data", "data_json", &fields(&edit.data));
        }
        Edit::Insert(edit) => {
            line(out, "insert_after", &edit.after_revision.to_string());
            line(out, "type", &text(&edit.event_type));
            object(out, "data", "data_json", &fields(&edit.data));
        }
        Edit::DropCommand(edit) => {
            let named = match &edit.decision {
                DecisionRef::Sequence(sequence) => sequence.to_string(),
                DecisionRef::Command(id) => text(id),
            };
            line(out, "drop_command", &named);
        }
        other => {
            let json = serde_json::to_string(other).unwrap_or_default();
            line(out, "edit_json", &text(&json));
        }
    }
}

fn write_action(out: &mut String, action: &Action) {
    let optional = |out: &mut String, key: &str, value: Option<&String>| {
        if let Some(value) = value {
            line(out, key, &text(value));
        }
    };
    match action {
        Action::Command(command) => {
            line(out, "command", &text(&command.command_type));
            object(out, "payload", "payload_json", &command.payload);
            optional(out, "actor", command.actor.as_ref());
            optional(out, "reason", command.reason.as_ref());
            optional(out, "id", command.command_id.as_ref());
            optional(out, "correlation", command.correlation_id.as_ref());
            optional(out, "causation", command.causation_id.as_ref());
            if let Some(correct) = command.password_correct {
                line(out, "password_correct", &correct.to_string());
            }
        }
        Action::Event(event) => {
            line(out, "event", &text(&event.event_type));
            object(out, "data", "data_json", &fields(&event.data));
            optional(out, "actor", event.actor.as_ref());
            optional(out, "reason", event.reason.as_ref());
            optional(out, "correlation", event.correlation_id.as_ref());
            optional(out, "causation", event.causation_id.as_ref());
        }
    }
}

fn write_expected(out: &mut String, expected: &Expected) {
    if let Some(outcome) = &expected.outcome {
        line(out, "outcome", &word(outcome));
    }
    if let Some(rule) = &expected.rule {
        line(out, "rule", &text(rule));
    }
    if let Some(events) = &expected.events {
        let events: Vec<_> = events.iter().map(|event| text(event)).collect();
        line(out, "events", &format!("[{}]", events.join(", ")));
    }
}

fn write_then(out: &mut String, then: &Then) {
    out.push_str("\n[then]\n");
    let paths = |paths: &[Pointer]| {
        let paths: Vec<_> = paths.iter().map(|path| text(&path.to_string())).collect();
        format!("[{}]", paths.join(", "))
    };
    if let Some(differs) = &then.differs {
        line(out, "differs", &paths(differs));
    }
    if !then.absent.is_empty() {
        line(out, "absent", &paths(&then.absent));
    }
    if !then.holds.is_empty() {
        let holds: Vec<_> = then.holds.iter().map(|holds| text(holds.text())).collect();
        line(out, "holds", &format!("[{}]", holds.join(", ")));
    }
    if let Some(revision) = then.revision {
        line(out, "revision", &revision.to_string());
    }
    match then.first_divergence {
        Some(Some(revision)) => line(out, "first_divergence", &revision.to_string()),
        Some(None) => line(out, "first_divergence", &text("none")),
        None => {}
    }
    if let Some(flips) = &then.flips {
        let flips: Vec<_> = flips.iter().map(|flip| text(flip)).collect();
        line(out, "flips", &format!("[{}]", flips.join(", ")));
    }
    let (plain, as_json): (Vec<_>, Vec<_>) =
        then.state.iter().partition(|(_, value)| is_plain(value));
    for (name, values) in [("state", plain), ("state_json", as_json)] {
        if values.is_empty() {
            continue;
        }
        let _ = write!(out, "\n[then.{name}]\n");
        for (path, value) in values {
            let value = if name == "state" {
                toml(value)
            } else {
                text(&value.to_string())
            };
            line(out, &text(&path.to_string()), &value);
        }
    }
}

fn line(out: &mut String, key: &str, value: &str) {
    let _ = writeln!(out, "{key} = {value}");
}

fn word<T: serde::Serialize>(value: &T) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    text(value.as_str().unwrap_or_default())
}

fn fields(json: &Json) -> Map<String, Value> {
    match json.to_value() {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn object(out: &mut String, key: &str, text_key: &str, fields: &Map<String, Value>) {
    if fields.is_empty() {
        return;
    }
    if fields.values().all(is_plain) {
        line(out, key, &table(fields));
    } else {
        let json = Value::Object(fields.clone()).to_string();
        line(out, text_key, &text(&json));
    }
}

/// Whether TOML has such values: it has no `null`, and no numbers beyond what its readers promise.
fn is_plain(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(_) | Value::String(_) => true,
        Value::Number(number) => number.as_i64().is_some(),
        Value::Array(items) => items.iter().all(is_plain),
        Value::Object(fields) => fields.values().all(is_plain),
    }
}

fn toml(value: &Value) -> String {
    match value {
        Value::String(string) => text(string),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(toml).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(fields) => table(fields),
        plain => plain.to_string(),
    }
}

fn table(fields: &Map<String, Value>) -> String {
    if fields.is_empty() {
        return "{}".to_owned();
    }
    let fields: Vec<_> = fields
        .iter()
        .map(|(key, value)| format!("{} = {}", key_of(key), toml(value)))
        .collect();
    format!("{{ {} }}", fields.join(", "))
}

fn key_of(key: &str) -> String {
    let is_bare = !key.is_empty()
        && key
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if is_bare { key.to_owned() } else { text(key) }
}

/// A text in quotes: TOML's escapes are JSON's, and it wants one character more of them.
fn text(text: &str) -> String {
    Value::String(text.to_owned())
        .to_string()
        .replace('\u{7f}', "\\u007f")
}
