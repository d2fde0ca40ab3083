//! Reading a scenario file: TOML in, a scenario or the first mistake with its line out.

use serde_json::{Map, Value, json};
use toml::de::DeTable;

use super::toml_value::{Node, Table, Text};
use super::{
    Base, Expected, History, SCENARIO_BYTES_MAX, Scenario, ScenarioError, Source, Then, When,
};
use crate::api::what_if::{
    Action, DecisionRef, DropCommandEdit, DropEdit, Edit, InsertEdit, ReplaceEdit, StepOutcome,
    WhatIfCommand,
};
use crate::event::NewEvent;
use crate::ids::{Position, Revision, StreamName};
use crate::json::Json;
use crate::pointer::Pointer;
use crate::predicate::Predicate;
use crate::time::Timestamp;

/// What a step may be, each with the word that says so.
const KINDS: [&str; 7] = [
    "command",
    "event",
    "drop",
    "replace",
    "insert_after",
    "drop_command",
    "edit_json",
];

pub(super) fn scenario(text: &str) -> Result<Scenario, ScenarioError> {
    let source = Text(text);
    if text.len() > SCENARIO_BYTES_MAX {
        let message = format!("the scenario is larger than {SCENARIO_BYTES_MAX} bytes");
        return Err(source.wrong(0, "", message));
    }
    let document = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        source.wrong(at, "", error.message())
    })?;
    let mut table = Table::new(source, "", 0, document.get_ref());
    let name = required(
        table.text_of("name")?,
        &table,
        "name",
        "what it says, in a sentence",
    )?;
    let password_correct = table.flag("password_correct")?;
    let continuation = one_of(&mut table, "continue")?.unwrap_or_default();
    let causes = one_of(&mut table, "causes")?.unwrap_or_default();
    let given = table.table("given")?;
    let steps = table.tables("when")?;
    let then = table.table("then")?;
    let Some(given) = given else {
        return Err(table.wrong("it needs a table `[given]` that names a stream"));
    };
    let (stream, base, history) = self::given(given)?;
    let scenario = Scenario {
        name,
        history,
        stream,
        base,
        password_correct,
        when: steps.into_iter().map(step).collect::<Result<_, _>>()?,
        continuation,
        causes,
        then: then.map_or_else(|| Ok(Then::default()), end)?,
    };
    table.end()?;
    if !scenario.expects() {
        return Err(source.wrong(
            0,
            "",
            "it expects nothing, so it would always pass: add `outcome`, `rule` or `events` to a step, or a table `[then]`",
        ));
    }
    Ok(scenario)
}

fn required<T>(
    value: Option<T>,
    table: &Table<'_, '_>,
    key: &str,
    what: &str,
) -> Result<T, ScenarioError> {
    value.ok_or_else(|| table.wrong(format!("it needs `{key}`: {what}")))
}

/// A word of a closed set, as the API spells it.
fn one_of<T: serde::de::DeserializeOwned>(
    table: &mut Table<'_, '_>,
    key: &'static str,
) -> Result<Option<T>, ScenarioError> {
    let Some(node) = table.take(key) else {
        return Ok(None);
    };
    let word = node.get_ref().as_str().unwrap_or_default();
    serde_json::from_value(Value::String(word.to_owned()))
        .map(Some)
        .map_err(|error| table.wrong_at(node, key, error.to_string()))
}

fn given(mut table: Table<'_, '_>) -> Result<(StreamName, Base, Option<History>), ScenarioError> {
    let named = table.take("stream");
    let Some(named) = named else {
        return Err(table.wrong("it needs `stream`: the stream that it is about"));
    };
    let stream: StreamName = parsed(&table, named, "stream")?;
    let base = base(&mut table)?;
    let path = table.text_of("history")?;
    let models = table.texts("models")?;
    let events = table.tables("events")?;
    let source = match (path, events.is_empty()) {
        (Some(_), false) => {
            return Err(table.wrong("give either `history` or `events`"));
        }
        (Some(path), true) => Some(Source::Path(path)),
        (None, false) => {
            let records = events.into_iter().map(|event| record(event, &stream));
            Some(Source::Events(records.collect::<Result<_, _>>()?))
        }
        (None, true) => None,
    };
    let history = match (source, models) {
        (Some(source), models) => Some(History {
            source,
            models: models.unwrap_or_default(),
        }),
        (None, Some(_)) => {
            return Err(table.wrong(
                "`models` go with a history of its own (`history` or `events`): a daemon has its models",
            ));
        }
        (None, None) => None,
    };
    table.end()?;
    Ok((stream, base, history))
}

fn parsed<T: std::str::FromStr>(
    table: &Table<'_, '_>,
    node: &Node<'_>,
    key: &str,
) -> Result<T, ScenarioError>
where
    T::Err: std::fmt::Display,
{
    let Some(text) = node.get_ref().as_str() else {
        return Err(table.wrong_at(node, key, "must be a text in quotes"));
    };
    text.parse()
        .map_err(|error: T::Err| table.wrong_at(node, key, error.to_string()))
}

fn base(table: &mut Table<'_, '_>) -> Result<Base, ScenarioError> {
    let mut bases = Vec::new();
    if let Some(revision) = table.count("at_revision")? {
        bases.push(Base::Revision(Revision(revision)));
    }
    if let Some(node) = table.take("as_of") {
        let time: Timestamp = parsed(table, node, "as_of")?;
        bases.push(Base::AsOf(time));
    }
    if let Some(position) = table.count("at_position")? {
        bases.push(Base::Position(Position(position)));
    }
    if let Some(node) = table.take("at_decision") {
        let decision = decision(table, node, "at_decision")?;
        bases.push(Base::Decision(decision));
    }
    if bases.len() > 1 {
        return Err(
            table.wrong("give one of `at_revision`, `as_of`, `at_position` and `at_decision`")
        );
    }
    Ok(bases.pop().unwrap_or(Base::Head))
}

/// A record as `import` takes it.
fn record(mut table: Table<'_, '_>, stream: &StreamName) -> Result<Value, ScenarioError> {
    let event_type = required(table.text_of("type")?, &table, "type", "what happened")?;
    let mut record = Map::new();
    let own = table.text_of("stream")?;
    record.insert(
        "stream".to_owned(),
        json!(own.unwrap_or_else(|| stream.to_string())),
    );
    record.insert("event_type".to_owned(), json!(event_type));
    let data = table.object("data", "data_json")?.unwrap_or_default();
    record.insert("data".to_owned(), Value::Object(data));
    if let Some(at) = table.take("at") {
        let time: Timestamp = parsed(&table, at, "at")?;
        record.insert("recorded_at".to_owned(), json!(time));
    } else {
        return Err(table.wrong("it needs `at`: when it happened"));
    }
    for (key, name) in [
        ("actor", "actor"),
        ("reason", "reason"),
        ("correlation", "correlation_id"),
        ("causation", "causation_id"),
        ("id", "event_id"),
    ] {
        if let Some(text) = table.text_of(key)? {
            record.insert(name.to_owned(), Value::String(text));
        }
    }
    table.end()?;
    Ok(Value::Object(record))
}

fn step(mut table: Table<'_, '_>) -> Result<When, ScenarioError> {
    let nodes: Vec<(&str, &Node<'_>)> = KINDS
        .into_iter()
        .filter_map(|kind| Some((kind, table.take(kind)?)))
        .collect();
    let [(kind, node)] = nodes.as_slice() else {
        return Err(table.wrong(format!(
            "a step is exactly one of {}",
            KINDS.map(|kind| format!("`{kind}`")).join(", ")
        )));
    };
    let when = match *kind {
        "command" => command(&mut table, node)?,
        "event" => event(&mut table, node)?,
        edit => When::Edit(Box::new(self::edit(&mut table, edit, node)?)),
    };
    table.end()?;
    Ok(when)
}

fn text(table: &Table<'_, '_>, node: &Node<'_>, key: &str) -> Result<String, ScenarioError> {
    let text = node.get_ref().as_str().map(str::to_owned);
    text.ok_or_else(|| table.wrong_at(node, key, "must be a type, as a text in quotes"))
}

fn command(table: &mut Table<'_, '_>, node: &Node<'_>) -> Result<When, ScenarioError> {
    let command = WhatIfCommand {
        command_type: text(table, node, "command")?,
        payload: table.object("payload", "payload_json")?.unwrap_or_default(),
        actor: Some(
            table
                .text_of("actor")?
                .unwrap_or_else(|| "what-if".to_owned()),
        ),
        reason: table.text_of("reason")?,
        command_id: table.text_of("id")?,
        correlation_id: table.text_of("correlation")?,
        causation_id: table.text_of("causation")?,
        expected_revision: None,
        password_correct: table.flag("password_correct")?,
    };
    Ok(When::Action {
        action: Box::new(Action::Command(command)),
        expected: expected(table)?,
    })
}

fn event(table: &mut Table<'_, '_>, node: &Node<'_>) -> Result<When, ScenarioError> {
    let data = table.object("data", "data_json")?.unwrap_or_default();
    let mut event = NewEvent::new(
        text(table, node, "event")?,
        Json::from(&Value::Object(data)),
    );
    event.actor = Some(
        table
            .text_of("actor")?
            .unwrap_or_else(|| "what-if".to_owned()),
    );
    event.reason = table.text_of("reason")?;
    event.correlation_id = table.text_of("correlation")?;
    event.causation_id = table.text_of("causation")?;
    Ok(When::Action {
        action: Box::new(Action::Event(event)),
        expected: expected(table)?,
    })
}

fn expected(table: &mut Table<'_, '_>) -> Result<Expected, ScenarioError> {
    let expected = Expected {
        outcome: one_of::<StepOutcome>(table, "outcome")?,
        rule: table.text_of("rule")?,
        events: table.texts("events")?,
    };
    let refused = matches!(expected.outcome, None | Some(StepOutcome::Rejected));
    if expected.rule.is_some() && !refused {
        return Err(table.wrong("a `rule` refuses: with it, `outcome` is \"rejected\""));
    }
    Ok(expected)
}

/// A decision: its sequence, or its command's id in quotes.
fn decision(
    table: &Table<'_, '_>,
    node: &Node<'_>,
    key: &str,
) -> Result<DecisionRef, ScenarioError> {
    let named = match table.json(node, key)? {
        Value::String(id) => Some(DecisionRef::Command(id)),
        number => number.as_u64().map(DecisionRef::Sequence),
    };
    let message = "must be a decision's sequence, or its command's id in quotes";
    named.ok_or_else(|| table.wrong_at(node, key, message))
}

fn edit(table: &mut Table<'_, '_>, kind: &str, node: &Node<'_>) -> Result<Edit, ScenarioError> {
    if kind == "drop_command" {
        let decision = decision(table, node, kind)?;
        return Ok(Edit::DropCommand(DropCommandEdit { decision }));
    }
    if kind == "edit_json" {
        let value = table.json_text(node, kind)?;
        return serde_json::from_value(value).map_err(|error| {
            let message =
                format!("must be an edit as the API takes it, as JSON in quotes: {error}");
            table.wrong_at(node, kind, message)
        });
    }
    let revision = table
        .json(node, kind)?
        .as_u64()
        .map(Revision)
        .ok_or_else(|| table.wrong_at(node, kind, "must be a revision, a whole number"))?;
    Ok(match kind {
        "drop" => Edit::Drop(DropEdit { revision }),
        "replace" => {
            let data = table.object("data", "data_json")?;
            let data = required(data, table, "data", "what the event would have said")?;
            Edit::Replace(ReplaceEdit {
                revision,
                data: Json::from(&Value::Object(data)),
            })
        }
        _ => {
            let event_type = table.text_of("type")?;
            let data = table.object("data", "data_json")?.unwrap_or_default();
            Edit::Insert(InsertEdit {
                after_revision: revision,
                event_type: required(event_type, table, "type", "what would have happened")?,
                data: Json::from(&Value::Object(data)),
            })
        }
    })
}

fn end(mut table: Table<'_, '_>) -> Result<Then, ScenarioError> {
    let mut then = Then::default();
    if let Some(mut state) = table.table("state")? {
        for (key, node) in state.rest() {
            let value = state.json(node, &key)?;
            then.state.push((field(&state, node, &key)?, value));
        }
    }
    if let Some(mut state) = table.table("state_json")? {
        for (key, node) in state.rest() {
            let value = state.json_text(node, &key)?;
            then.state.push((field(&state, node, &key)?, value));
        }
    }
    then.absent = paths(&mut table, "absent")?.unwrap_or_default();
    then.differs = paths(&mut table, "differs")?;
    if let Some(node) = table.take("holds") {
        for text in table_texts(&table, node, "holds")? {
            then.holds.push(condition(&table, node, &text)?);
        }
    }
    then.revision = table.count("revision")?.map(Revision);
    if let Some(node) = table.take("first_divergence") {
        let value = table.json(node, "first_divergence")?;
        then.first_divergence = Some(match (value.as_str(), value.as_u64()) {
            (Some("none"), _) => None,
            (_, Some(revision)) => Some(Revision(revision)),
            _ => {
                let message = "must be a revision, or \"none\"";
                return Err(table.wrong_at(node, "first_divergence", message));
            }
        });
    }
    then.flips = table.texts("flips")?;
    table.end()?;
    Ok(then)
}

fn table_texts(
    table: &Table<'_, '_>,
    node: &Node<'_>,
    key: &str,
) -> Result<Vec<String>, ScenarioError> {
    let texts: Option<Vec<String>> = match table.json(node, key)? {
        Value::String(text) => Some(vec![text]),
        Value::Array(items) => items
            .iter()
            .map(|item| item.as_str().map(str::to_owned))
            .collect(),
        _ => None,
    };
    texts.ok_or_else(|| table.wrong_at(node, key, "must be a list of texts in quotes"))
}

fn condition(
    table: &Table<'_, '_>,
    node: &Node<'_>,
    text: &str,
) -> Result<Predicate, ScenarioError> {
    let predicate = Predicate::parse(text)
        .map_err(|error| table.wrong_at(node, "holds", format!("`{text}`: {error}")))?;
    let needs = predicate.needs();
    let of_state =
        needs.before == crate::predicate::Before::Nothing && !needs.event && !needs.decision;
    if !of_state {
        let message = format!("`{text}` asks about more than the state at the end");
        return Err(table.wrong_at(node, "holds", message));
    }
    Ok(predicate)
}

fn paths(
    table: &mut Table<'_, '_>,
    key: &'static str,
) -> Result<Option<Vec<Pointer>>, ScenarioError> {
    let Some(node) = table.take(key) else {
        return Ok(None);
    };
    let texts = table_texts(table, node, key)?;
    let all = texts.iter().map(|text| field(table, node, text));
    Ok(Some(all.collect::<Result<_, _>>()?))
}

/// A path: a JSON Pointer, or the name of a field.
fn field(table: &Table<'_, '_>, node: &Node<'_>, text: &str) -> Result<Pointer, ScenarioError> {
    if !text.starts_with('/') {
        return Ok(Pointer::new(vec![text.to_owned()]));
    }
    text.parse().map_err(|error: crate::pointer::PointerError| {
        table.wrong_at(node, text, error.to_string())
    })
}
