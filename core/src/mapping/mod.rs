//! Mappings: how records of another system become events.
//!
//! Owns the rules of a mapping file (TOML): which records a rule takes, and what it makes of them. The first rule whose
//! conditions hold takes a record. `docs/MAPPING.md` is the manual. Never reads a file or a clock, and never guesses:
//! what a record does not say is left out; what an event cannot be without, and what is there and cannot be used, is an
//! error that names the rule and the value. What it makes is bounded while it is made.

mod bounds;
mod condition;
mod expr;
mod function;
mod lists;
mod moment;
mod parse;
mod reader;
mod shape;
mod template;
mod unused;
mod when;

#[cfg(test)]
mod mistake_tests;
#[cfg(test)]
mod tests;

use serde_json::Value;

use crate::event::NewEvent;
use crate::ids::{StreamName, check_id};
use crate::json::{Json, Unfit, check};
use crate::time::Timestamp;

use bounds::{Budget, cut, values_in};
pub use bounds::{MADE_BYTES_MAX, VALUES_MAX};
use condition::Condition;
use expr::lookup;
use lists::List;
use shape::Shape;
use template::{Template, Text, Use};
use unused::Used;
pub use unused::{UNUSED_FIELDS_MAX, Unused};

/// Largest mapping file, in bytes.
pub const MAPPING_BYTES_MAX: usize = 1024 * 1024;
/// Most rules a mapping may have.
pub const RULES_MAX: usize = 1000;

/// A mapping file's rules, in their order.
#[derive(Debug, Clone)]
pub struct Mapping {
    rules: Vec<Rule>,
}

/// What is wrong with a mapping file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {}{message}", field_prefix(field))]
pub struct MappingError {
    /// The line, from 1.
    pub line: usize,
    /// The field, such as `rule "deleted users" / stream`; empty when the text is not TOML.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

fn field_prefix(field: &str) -> String {
    if field.is_empty() {
        String::new()
    } else {
        format!("{field}: ")
    }
}

/// What became of a record.
#[derive(Debug, Clone, PartialEq)]
pub enum Applied {
    /// No rule takes it.
    Unmatched,
    /// The rule of this index takes it, and says to skip it.
    Skipped(usize),
    /// An event.
    Mapped(Box<Mapped>),
}

/// What a rule made of a record.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapped {
    /// The stream the event belongs to.
    pub stream: StreamName,
    /// The event.
    pub event: NewEvent,
    /// Which rule took the record: its index in [`Mapping::rules`].
    pub rule: usize,
    /// Elements of lists that the rule does not look at though it looks at others of them: the list's index in
    /// [`Mapping::lists`], and how many.
    pub dropped: Vec<(usize, usize)>,
    /// The time as the record says it, where that is finer than a timestamp.
    pub full_time: Option<String>,
    /// Fields of the record that the rule does not use.
    pub unused: Unused,
}

/// Why the rule that takes a record can make no event of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rule \"{name}\": {message}")]
pub struct ApplyError {
    /// The rule: its index in [`Mapping::rules`].
    pub rule: usize,
    /// The rule's name.
    pub name: String,
    /// What is wrong, with the value that is.
    pub message: String,
}

/// Why a line holds no record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// It is not JSON.
    #[error("it is not JSON: {0}")]
    NotJson(String),
    /// It is JSON that is taken nowhere, such as an object with a key twice.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// It holds too much to be read within bounds.
    #[error("it holds {0} JSON values, at most {VALUES_MAX} are allowed in a record")]
    TooManyValues(usize),
}

/// Reads a record.
pub fn record(line: &[u8]) -> Result<Value, RecordError> {
    let no_json = |error: &dyn std::fmt::Display| RecordError::NotJson(error.to_string());
    let text = std::str::from_utf8(line).map_err(|_invalid| no_json(&"it is not UTF-8"))?;
    let values = values_in(text);
    if values > VALUES_MAX {
        return Err(RecordError::TooManyValues(values));
    }
    check(text)?;
    serde_json::from_str(text).map_err(|error| {
        let said = error.to_string();
        let line = format!(" at line {} column", error.line());
        no_json(&said.replace(&line, " at column"))
    })
}

#[derive(Debug, Clone)]
struct Rule {
    name: String,
    when: Vec<Condition>,
    /// `None`: what this rule takes is skipped.
    build: Option<Build>,
}

/// How a rule makes an event.
#[derive(Debug, Clone)]
struct Build {
    stream: Template,
    event_type: Template,
    id: Option<Template>,
    time: Option<Template>,
    actor: Option<Template>,
    reason: Option<Template>,
    correlation: Option<Template>,
    causation: Option<Template>,
    data: Shape,
    metadata: Option<Shape>,
    lists: Vec<List>,
    used: Used,
}

impl Mapping {
    /// Reads a mapping file.
    pub fn parse(text: &str) -> Result<Self, MappingError> {
        parse::mapping(text)
    }

    /// The rules' names, in their order.
    pub fn rules(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().map(|rule| rule.name.as_str())
    }

    /// JSON Pointers of the lists of which a rule looks at single elements.
    pub fn lists(&self, rule: usize) -> impl Iterator<Item = &str> {
        let build = self.rules.get(rule).and_then(|rule| rule.build.as_ref());
        let lists = build.map(|build| build.lists.as_slice());
        lists
            .unwrap_or_default()
            .iter()
            .map(|list| list.pointer.as_str())
    }

    /// Makes an event of a record, by the first rule that takes it.
    ///
    /// The error says why the rule that took the record could not make an event of it.
    pub fn apply(&self, record: &Value) -> Result<Applied, ApplyError> {
        let Some((index, rule)) = self
            .rules
            .iter()
            .enumerate()
            .find(|(_, rule)| rule.when.iter().all(|condition| condition.holds(record)))
        else {
            return Ok(Applied::Unmatched);
        };
        let Some(build) = &rule.build else {
            return Ok(Applied::Skipped(index));
        };
        match build.event(record) {
            Ok(made) => Ok(Applied::Mapped(Box::new(Mapped {
                stream: made.stream,
                event: made.event,
                full_time: made.full_time,
                rule: index,
                dropped: build.dropped(record),
                unused: build.used.unused(record),
            }))),
            Err(message) => Err(ApplyError {
                rule: index,
                name: rule.name.clone(),
                message,
            }),
        }
    }
}

/// What to do where a record may be without a time, and without an id.
const TIME_HINT: &str =
    "; where a record may go without one, add `| null`, and it gets the import's time";
const ID_HINT: &str =
    "; where a record may go without one, add `| null`: importing it again then adds it again";

/// What a record becomes.
struct Made {
    stream: StreamName,
    event: NewEvent,
    full_time: Option<String>,
}

impl Build {
    fn event(&self, record: &Value) -> Result<Made, String> {
        let mut maker = Maker {
            record,
            budget: Budget::default(),
        };
        let name = maker.required(&self.stream, "stream")?;
        let stream = StreamName::new(name.as_str())
            .map_err(|error| format!("`stream` is `{}`, which {error}", cut(&name)))?;
        let event_type = maker.required(&self.event_type, "type")?;
        let time = maker.written(self.time.as_ref(), "time", TIME_HINT)?;
        let recorded_at = time
            .as_deref()
            .map(str::parse::<Timestamp>)
            .transpose()
            .map_err(|error| format!("`time`: {error}"))?;
        let event_id = maker.written(self.id.as_ref(), "id", ID_HINT)?;
        let event = NewEvent {
            event_type,
            data: maker
                .object(Some(&self.data), "data")?
                .unwrap_or_else(Json::empty_object),
            schema_version: None,
            event_id: checked_id(event_id, "id")?,
            recorded_at,
            actor: maker.text(self.actor.as_ref(), "actor", Use::Name)?,
            reason: maker.text(self.reason.as_ref(), "reason", Use::Words)?,
            correlation_id: maker.id(self.correlation.as_ref(), "correlation")?,
            causation_id: maker.id(self.causation.as_ref(), "causation")?,
            metadata: maker.object(self.metadata.as_ref(), "metadata")?,
        };
        Ok(Made {
            stream,
            event,
            full_time: time.filter(|time| Timestamp::leaves_digits_of(time)),
        })
    }

    /// The JSON Pointers that its templates look at.
    fn pointers(&self) -> Vec<&str> {
        let mut pointers = Vec::new();
        for template in [&self.stream, &self.event_type]
            .into_iter()
            .chain(&self.id)
            .chain(&self.time)
            .chain(&self.actor)
            .chain(&self.reason)
            .chain(&self.correlation)
            .chain(&self.causation)
        {
            pointers.extend(template.pointers());
        }
        self.data.pointers(&mut pointers);
        if let Some(metadata) = &self.metadata {
            metadata.pointers(&mut pointers);
        }
        pointers
    }

    fn dropped(&self, record: &Value) -> Vec<(usize, usize)> {
        let left_out = |(index, list): (usize, &List)| {
            let items = lookup(record, &list.pointer)?.as_array()?;
            let used = list
                .elements
                .iter()
                .filter(|element| **element < items.len());
            let dropped = items.len() - used.count();
            (dropped > 0).then_some((index, dropped))
        };
        self.lists.iter().enumerate().filter_map(left_out).collect()
    }
}

/// Makes the fields of an event.
struct Maker<'a> {
    record: &'a Value,
    budget: Budget,
}

impl Maker<'_> {
    /// A text that an event cannot be without.
    fn required(&mut self, template: &Template, field: &str) -> Result<String, String> {
        match self.fill_text(template, field, Use::Name)? {
            Text::Some(text) => Ok(text),
            Text::Absent | Text::Null => Err(nothing(template, field, "")),
        }
    }

    /// A text that is an error when the mapping has a template for it and the record has nothing; `null` is on purpose.
    fn written(
        &mut self,
        template: Option<&Template>,
        field: &str,
        hint: &str,
    ) -> Result<Option<String>, String> {
        let Some(template) = template else {
            return Ok(None);
        };
        match self.fill_text(template, field, Use::Name)? {
            Text::Some(text) => Ok(Some(text)),
            Text::Null => Ok(None),
            Text::Absent => Err(nothing(template, field, hint)),
        }
    }

    fn text(
        &mut self,
        template: Option<&Template>,
        field: &str,
        to: Use,
    ) -> Result<Option<String>, String> {
        let text = template.map(|template| self.fill_text(template, field, to));
        Ok(match text.transpose()? {
            Some(Text::Some(text)) => Some(text),
            Some(Text::Absent | Text::Null) | None => None,
        })
    }

    fn fill_text(&mut self, template: &Template, field: &str, to: Use) -> Result<Text, String> {
        template
            .text(self.record, to, &mut self.budget)
            .map_err(|misfit| format!("`{field}`: {misfit}"))
    }

    fn id(&mut self, template: Option<&Template>, field: &str) -> Result<Option<String>, String> {
        let id = self.text(template, field, Use::Name)?;
        checked_id(id, field)
    }

    /// An object; `None` when it would be empty.
    fn object(&mut self, shape: Option<&Shape>, field: &str) -> Result<Option<Json>, String> {
        let Some(shape) = shape else {
            return Ok(None);
        };
        let value = shape.value(self.record, &mut self.budget);
        let value = value.map_err(|at| format!("`{field}{}`: {}", at.path, at.misfit))?;
        let filled = |value: &Value| value.as_object().is_some_and(|object| !object.is_empty());
        Ok(value.filter(filled).map(|value| Json::from(&value)))
    }
}

fn nothing(template: &Template, field: &str, hint: &str) -> String {
    let pointers = template.pointers().join(" or ");
    format!("`{field}` has no value: the record has nothing at {pointers}{hint}")
}

fn checked_id(id: Option<String>, field: &str) -> Result<Option<String>, String> {
    if let Some(id) = &id {
        check_id(id).map_err(|error| format!("`{field}` {error}"))?;
    }
    Ok(id)
}
