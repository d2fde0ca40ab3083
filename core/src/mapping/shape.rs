//! Shapes: JSON with templates in it, for an event's data and metadata.

use serde_json::{Map, Value};

use super::bounds::{Budget, Misfit};
use super::template::{Template, Text, Use};

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

/// A misfit, and where in the shape it is.
pub(super) struct Misplaced {
    /// From the shape's root, such as ` / address / street`.
    pub(super) path: String,
    pub(super) misfit: Misfit,
}

impl From<Misfit> for Misplaced {
    fn from(misfit: Misfit) -> Self {
        Self {
            path: String::new(),
            misfit,
        }
    }
}

impl Misplaced {
    fn under(mut self, key: &str) -> Self {
        self.path = format!(" / {key}{}", self.path);
        self
    }
}

impl Shape {
    /// The value for a record. What has no value is left out, and so is a table or list of which nothing is left.
    pub(super) fn value(
        &self,
        record: &Value,
        budget: &mut Budget,
    ) -> Result<Option<Value>, Misplaced> {
        match self {
            Self::Literal(value) => {
                budget.spend_value(value)?;
                Ok(Some(value.clone()))
            }
            Self::Template(template) => Ok(template.value(record, budget)?),
            Self::List(items) => {
                let mut values = Vec::new();
                for (index, item) in items.iter().enumerate() {
                    let value = item.value(record, budget);
                    values.extend(value.map_err(|error| error.under(&index.to_string()))?);
                }
                Ok((items.is_empty() || !values.is_empty()).then_some(Value::Array(values)))
            }
            Self::Table(fields) => {
                let mut map = Map::new();
                for (name, shape) in fields {
                    let key = name.text(record, Use::Key, budget);
                    let key = key.map_err(|misfit| Misplaced::from(misfit).under(name.source()))?;
                    let Text::Some(key) = key else { continue };
                    let value = shape.value(record, budget);
                    if let Some(value) = value.map_err(|error| error.under(&key))? {
                        map.insert(key, value);
                    }
                }
                Ok((fields.is_empty() || !map.is_empty()).then_some(Value::Object(map)))
            }
        }
    }

    /// The JSON Pointers it looks at.
    pub(super) fn pointers<'a>(&'a self, out: &mut Vec<&'a str>) {
        match self {
            Self::Literal(_) => {}
            Self::Template(template) => out.extend(template.pointers()),
            Self::List(items) => items.iter().for_each(|item| item.pointers(out)),
            Self::Table(fields) => {
                for (key, shape) in fields {
                    out.extend(key.pointers());
                    shape.pointers(out);
                }
            }
        }
    }
}
