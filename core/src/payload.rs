//! Structural check of command payloads against their JSON Schema.
//!
//! Owns the wording of what is malformed. A message never quotes a value: it might be a secret. What is *allowed* is not
//! checked here but by the rules, whose refusals are decisions on record.

use std::sync::Arc;

use jsonschema::error::ValidationErrorKind;
use serde_json::{Map, Value};

/// A field of a payload that does not fit the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// JSON Pointer of the field in the payload.
    pub pointer: String,
    /// What is wrong with it, such as `is required`.
    pub message: String,
}

/// The JSON Schema (2020-12) of a command's payload, compiled: building one takes longer than many checks.
#[derive(Clone)]
pub struct PayloadSchema(Arc<jsonschema::Validator>);

impl PayloadSchema {
    /// Compiles a schema.
    ///
    /// # Errors
    /// What is wrong with the schema, when it is not a valid one.
    pub fn compile(schema: &Value) -> Result<Self, String> {
        jsonschema::draft202012::new(schema)
            .map(|validator| Self(Arc::new(validator)))
            .map_err(|error| error.to_string())
    }

    /// What is malformed in a payload, by field; empty when it is well formed.
    pub fn check(&self, payload: &Map<String, Value>) -> Vec<FieldError> {
        let payload = Value::Object(payload.clone());
        let mut errors: Vec<FieldError> = self
            .0
            .iter_errors(&payload)
            .flat_map(|error| explain(&error))
            .collect();
        errors.sort_by(|a, b| a.pointer.cmp(&b.pointer));
        errors.dedup();
        errors
    }
}

fn explain(error: &jsonschema::ValidationError<'_>) -> Vec<FieldError> {
    let at = error.instance_path().to_string();
    let one = |pointer: String, message: String| vec![FieldError { pointer, message }];
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            one(
                format!("{at}/{}", crate::json::pointer_token(name)),
                "is required".to_owned(),
            )
        }
        ValidationErrorKind::AdditionalProperties { unexpected } => unexpected
            .iter()
            .map(|name| FieldError {
                pointer: format!("{at}/{}", crate::json::pointer_token(name)),
                message: "is not a field of this command".to_owned(),
            })
            .collect(),
        ValidationErrorKind::Type { kind } => {
            one(at, format!("must be of type {}", type_names(kind)))
        }
        ValidationErrorKind::MinLength { limit } => {
            one(at, format!("must be at least {limit} characters long"))
        }
        ValidationErrorKind::MaxLength { limit } => {
            one(at, format!("must be at most {limit} characters long"))
        }
        ValidationErrorKind::Enum { options } => one(at, format!("must be one of {options}")),
        ValidationErrorKind::Format { format } => one(at, format!("must be a valid {format}")),
        _ => one(
            at,
            format!("does not meet the schema at {}", error.schema_path()),
        ),
    }
}

fn type_names(kind: &jsonschema::error::TypeKind) -> String {
    match kind {
        jsonschema::error::TypeKind::Single(kind) => kind.to_string(),
        jsonschema::error::TypeKind::Multiple(kinds) => kinds
            .iter()
            .map(|kind| kind.to_string())
            .collect::<Vec<_>>()
            .join(" or "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(payload: Value) -> Vec<(String, String)> {
        let schema = PayloadSchema::compile(&json!({
            "type": "object",
            "required": ["name", "password"],
            "additionalProperties": false,
            "properties": {"name": {"type": "string", "maxLength": 5}, "password": {"type": "string"}},
        }))
        .unwrap();
        let Value::Object(payload) = payload else {
            unreachable!()
        };
        schema
            .check(&payload)
            .into_iter()
            .map(|e| (e.pointer, e.message))
            .collect()
    }

    fn pair(pointer: &str, message: &str) -> (String, String) {
        (pointer.to_owned(), message.to_owned())
    }

    #[test]
    fn each_malformed_field_is_named() {
        assert_eq!(check(json!({"name": "ok", "password": "x"})), []);
        assert_eq!(
            check(json!({"name": "ok"})),
            [pair("/password", "is required")]
        );
        assert_eq!(
            check(json!({"name": 1, "password": "x", "a/b": 1})),
            [
                pair("/a~1b", "is not a field of this command"),
                pair("/name", "must be of type string")
            ]
        );
        assert_eq!(
            check(json!({"name": "toolong", "password": ""})),
            [pair("/name", "must be at most 5 characters long")]
        );
    }

    #[test]
    fn a_schema_that_is_none_does_not_compile() {
        assert!(PayloadSchema::compile(&json!({"type": "objekt"})).is_err());
    }

    #[test]
    fn messages_never_quote_a_value() {
        for payload in [
            json!({"name": "toolong-hunter2", "password": ["hunter2"]}),
            json!({"password": {"hunter2": "hunter2"}}),
        ] {
            let text = format!("{:?}", check(payload));
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
}
