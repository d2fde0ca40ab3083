//! Structural check of command payloads against their JSON Schema.
//!
//! Owns the wording of what is malformed. A message never quotes a value: it might be a secret. What is *allowed* is not
//! checked here but by the rules, whose refusals are decisions on record.
//!
//! Of JSON Schema 2020-12 it knows what the payload of a command needs ([`PayloadSchema::compile`] lists it) and refuses a schema
//! that says more, so that nothing goes unchecked. A full implementation would do as well; it brings engines for
//! regular expressions, fractions and references that take a sixth of the time of a release build. The tests hold this one to it.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::json::pointer_token;
use crate::same::same;

/// The dialect, where a schema names one.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";
/// Say something to people, and check nothing.
const ANNOTATIONS: [&str; 7] = [
    "$schema",
    "title",
    "description",
    "default",
    "examples",
    "readOnly",
    "writeOnly",
];

/// A field of a payload that does not fit the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// JSON Pointer of the field in the payload.
    pub pointer: String,
    /// What is wrong with it, such as `is required`.
    pub message: String,
}

/// The JSON Schema of a command's payload, compiled.
#[derive(Debug, Clone)]
pub struct PayloadSchema(Arc<Schema>);

/// What a value must be; nothing of what is `None` or empty is asked for.
#[derive(Debug, Default)]
struct Schema {
    types: Vec<Type>,
    options: Option<Vec<Value>>,
    min_length: Option<u64>,
    max_length: Option<u64>,
    required: Vec<String>,
    properties: Vec<(String, Schema)>,
    is_closed: bool,
    items: Option<Box<Schema>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Null,
    Boolean,
    Integer,
    Number,
    String,
    Array,
    Object,
}

impl Type {
    const ALL: [Self; 7] = [
        Self::Null,
        Self::Boolean,
        Self::Integer,
        Self::Number,
        Self::String,
        Self::Array,
        Self::Object,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::String => "string",
            Self::Array => "array",
            Self::Object => "object",
        }
    }

    fn has(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Integer, Value::Number(number)) => crate::number::is_integer(number),
            (Self::Null, Value::Null)
            | (Self::Boolean, Value::Bool(_))
            | (Self::Number, Value::Number(_))
            | (Self::String, Value::String(_))
            | (Self::Array, Value::Array(_))
            | (Self::Object, Value::Object(_)) => true,
            _ => false,
        }
    }
}

impl PayloadSchema {
    /// Compiles a schema. It may say `type`, `enum`, `minLength`, `maxLength`, `properties`, `required`, `additionalProperties` (true or
    /// false), `items`, what people read (`title`, `description`, `default`, `examples`, `readOnly`, `writeOnly`), and anything that begins with
    /// `x-`.
    ///
    /// # Errors
    /// Where the schema says something else, or says it wrongly.
    pub fn compile(schema: &Value) -> Result<Self, String> {
        Schema::compile(schema, "").map(|schema| Self(Arc::new(schema)))
    }

    /// What is malformed in a payload, by field; empty when it is well formed.
    pub fn check(&self, payload: &Map<String, Value>) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let payload = Value::Object(payload.clone());
        self.0.check(&payload, "", &mut errors);
        errors.sort_by(|a, b| a.pointer.cmp(&b.pointer));
        errors
    }
}

impl Schema {
    fn compile(schema: &Value, at: &str) -> Result<Self, String> {
        let place = if at.is_empty() { "the schema" } else { at };
        let Value::Object(keywords) = schema else {
            return Err(format!("{place} must be an object"));
        };
        let mut compiled = Self::default();
        for (keyword, value) in keywords {
            let must_be = |what: &str| format!("`{keyword}` of {place} must be {what}");
            match keyword.as_str() {
                "type" => {
                    let types = types(value);
                    compiled.types = types.ok_or_else(|| must_be("a type or a list of types"))?;
                }
                "enum" => {
                    let options = value.as_array().ok_or_else(|| must_be("a list"))?;
                    compiled.options = Some(options.clone());
                }
                "minLength" | "maxLength" => {
                    let length = value
                        .as_u64()
                        .ok_or_else(|| must_be("a number of characters"))?;
                    let bound = match keyword.as_str() {
                        "minLength" => &mut compiled.min_length,
                        _ => &mut compiled.max_length,
                    };
                    *bound = Some(length);
                }
                "required" => {
                    compiled.required = names(value).ok_or_else(|| must_be("a list of names"))?;
                }
                "additionalProperties" => {
                    let more = value.as_bool().ok_or_else(|| must_be("true or false"))?;
                    compiled.is_closed = !more;
                }
                "properties" => {
                    let properties = value.as_object().ok_or_else(|| must_be("an object"))?;
                    for (name, schema) in properties {
                        let at = format!("{at}/properties/{}", pointer_token(name));
                        compiled
                            .properties
                            .push((name.clone(), Self::compile(schema, &at)?));
                    }
                }
                "items" => {
                    let schema = Self::compile(value, &format!("{at}/items"))?;
                    compiled.items = Some(Box::new(schema));
                }
                "$schema" if value != DIALECT => {
                    return Err(must_be(&format!("`{DIALECT}`, 2020-12")));
                }
                known if ANNOTATIONS.contains(&known) || known.starts_with("x-") => {}
                _ => {
                    return Err(format!(
                        "`{keyword}` of {place} is not a keyword that payloads can be checked by"
                    ));
                }
            }
        }
        Ok(compiled)
    }

    fn check(&self, value: &Value, at: &str, errors: &mut Vec<FieldError>) {
        let mut wrong =
            |pointer: String, message: String| errors.push(FieldError { pointer, message });
        if !self.types.is_empty() && !self.types.iter().any(|kind| kind.has(value)) {
            let names: Vec<_> = self.types.iter().map(|kind| kind.name()).collect();
            wrong(
                at.to_owned(),
                format!("must be of type {}", names.join(" or ")),
            );
        }
        if let Some(options) = &self.options
            && !options.iter().any(|option| same(option, value))
        {
            let options: Vec<_> = options.iter().map(ToString::to_string).collect();
            wrong(
                at.to_owned(),
                format!("must be one of {}", options.join(", ")),
            );
        }
        match value {
            Value::String(text) => {
                let length = text.chars().count() as u64;
                if let Some(least) = self.min_length.filter(|least| length < *least) {
                    wrong(
                        at.to_owned(),
                        format!("must be at least {least} characters long"),
                    );
                }
                if let Some(most) = self.max_length.filter(|most| length > *most) {
                    wrong(
                        at.to_owned(),
                        format!("must be at most {most} characters long"),
                    );
                }
            }
            Value::Array(elements) => {
                if let Some(items) = &self.items {
                    for (index, element) in elements.iter().enumerate() {
                        items.check(element, &format!("{at}/{index}"), errors);
                    }
                }
            }
            Value::Object(fields) => self.check_fields(fields, at, errors),
            _ => {}
        }
    }

    fn check_fields(&self, fields: &Map<String, Value>, at: &str, errors: &mut Vec<FieldError>) {
        let field = |name: &str| format!("{at}/{}", pointer_token(name));
        let absent = self
            .required
            .iter()
            .filter(|name| !fields.contains_key(*name));
        errors.extend(absent.map(|name| FieldError {
            pointer: field(name),
            message: "is required".to_owned(),
        }));
        for (name, value) in fields {
            match self.properties.iter().find(|(known, _)| known == name) {
                Some((_, schema)) => schema.check(value, &field(name), errors),
                None if self.is_closed => errors.push(FieldError {
                    pointer: field(name),
                    message: "is not a field of this command".to_owned(),
                }),
                None => {}
            }
        }
    }
}

fn types(value: &Value) -> Option<Vec<Type>> {
    let known = |name: &Value| Type::ALL.into_iter().find(|kind| name == kind.name());
    match value {
        Value::Array(names) if !names.is_empty() => names.iter().map(known).collect(),
        name => Some(vec![known(name)?]),
    }
}

fn names(value: &Value) -> Option<Vec<String>> {
    let name = |name: &Value| name.as_str().map(str::to_owned);
    value.as_array()?.iter().map(name).collect()
}
