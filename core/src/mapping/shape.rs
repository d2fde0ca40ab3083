//! Shapes: JSON with templates in it, for an event's data and metadata.

use serde_json::{Map, Value};

use super::template::Template;

/// JSON with templates for its texts and keys.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    /// An object; keys are templates too.
    Table(Vec<(Template, Shape)>),
    /// An array.
    List(Vec<Shape>),
    /// A text or, for a lone placeholder, any value.
    Template(Template),
    /// A number or boolean, as it is.
    Literal(Value),
}

impl Shape {
    /// The value for a record. What has no value is left out, and so is a table or list of which nothing is left.
    pub(super) fn value(&self, record: &Value) -> Option<Value> {
        match self {
            Self::Literal(value) => Some(value.clone()),
            Self::Template(template) => template.value(record),
            Self::List(items) => {
                let values: Vec<Value> = items.iter().filter_map(|i| i.value(record)).collect();
                (items.is_empty() || !values.is_empty()).then_some(Value::Array(values))
            }
            Self::Table(fields) => {
                let mut map = Map::new();
                for (key, shape) in fields {
                    if let (Some(key), Some(value)) = (key.text(record), shape.value(record)) {
                        map.insert(key, value);
                    }
                }
                (fields.is_empty() || !map.is_empty()).then_some(Value::Object(map))
            }
        }
    }
}
