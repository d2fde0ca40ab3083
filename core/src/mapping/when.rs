//! Reading conditions and plain values of a mapping file.

use serde_json::Value;
use toml::de::DeValue;

use super::MappingError;
use super::condition::{Condition, Test};
use super::parse::{Node, Source};
use super::reader::check_pointer;

impl Source<'_> {
    pub(super) fn condition(
        &self,
        node: &Node<'_>,
        field: &str,
    ) -> Result<Condition, MappingError> {
        let mut all = Vec::new();
        for (key, value) in self.table(node, field)? {
            let name = key.get_ref().as_ref();
            let field = format!("{field} / {name}");
            match name {
                "all" => all.push(Condition::All(self.conditions(value, &field)?)),
                "any" => all.push(Condition::Any(self.conditions(value, &field)?)),
                "not" => all.push(Condition::Not(Box::new(self.condition(value, &field)?))),
                pointer => {
                    check_pointer(pointer).map_err(|_not_one| {
                        self.error(
                            key.span().start,
                            &field,
                            "a condition is about a JSON Pointer such as \"/user/name\", or is `all`, `any` or `not`",
                        )
                    })?;
                    self.tests(pointer, value, &field, &mut all)?;
                }
            }
        }
        match all.pop() {
            Some(only) if all.is_empty() => Ok(only),
            Some(last) => {
                all.push(last);
                Ok(Condition::All(all))
            }
            None => Ok(Condition::All(all)),
        }
    }

    fn conditions(&self, node: &Node<'_>, field: &str) -> Result<Vec<Condition>, MappingError> {
        match node.get_ref() {
            DeValue::Array(list) if !list.is_empty() => list
                .iter()
                .map(|item| self.condition(item, field))
                .collect(),
            _ => self.wrong(node, field, "must be a list of conditions: [{ … }, { … }]"),
        }
    }

    /// `"/pointer" = value`, or `"/pointer" = { test = …, … }`.
    fn tests(
        &self,
        pointer: &str,
        node: &Node<'_>,
        field: &str,
        out: &mut Vec<Condition>,
    ) -> Result<(), MappingError> {
        let at = |test| Condition::At(pointer.to_owned(), test);
        let not = |test| Condition::Not(Box::new(at(test)));
        let DeValue::Table(tests) = node.get_ref() else {
            out.push(at(Test::OneOf(vec![self.literal(node, field)?])));
            return Ok(());
        };
        for (key, value) in tests {
            let name = key.get_ref().as_ref();
            let field = format!("{field} / {name}");
            out.push(match name {
                "exists" => match value.get_ref() {
                    DeValue::Boolean(wanted) => at(Test::Exists(*wanted)),
                    _ => return self.wrong(value, &field, "must be `true` or `false`"),
                },
                "equals" => at(Test::OneOf(vec![self.literal(value, &field)?])),
                "not" => not(Test::OneOf(vec![self.literal(value, &field)?])),
                "one_of" => at(Test::OneOf(self.literals(value, &field)?)),
                "none_of" => not(Test::OneOf(self.literals(value, &field)?)),
                "starts_with" => at(Test::StartsWith(self.string(value, &field)?.to_owned())),
                "ends_with" => at(Test::EndsWith(self.string(value, &field)?.to_owned())),
                "contains" => at(Test::Contains(self.string(value, &field)?.to_owned())),
                other => {
                    return Err(self.error(
                        key.span().start,
                        &field,
                        format!(
                            "`{other}` is not a test; the tests are exists, equals, not, one_of, none_of, starts_with, \
                             ends_with, contains"
                        ),
                    ));
                }
            });
        }
        Ok(())
    }

    fn literals(&self, node: &Node<'_>, field: &str) -> Result<Vec<Value>, MappingError> {
        match node.get_ref() {
            DeValue::Array(list) if !list.is_empty() => {
                list.iter().map(|item| self.literal(item, field)).collect()
            }
            _ => self.wrong(node, field, "must be a list of values"),
        }
    }

    pub(super) fn literal(&self, node: &Node<'_>, field: &str) -> Result<Value, MappingError> {
        match node.get_ref() {
            DeValue::String(text) => Ok(Value::String(text.to_string())),
            DeValue::Boolean(value) => Ok(Value::Bool(*value)),
            DeValue::Integer(number) => {
                match i64::from_str_radix(&number.as_str().replace('_', ""), number.radix()) {
                    Ok(number) => Ok(Value::from(number)),
                    Err(_too_large) => self.wrong(node, field, "is not a 64-bit integer"),
                }
            }
            DeValue::Float(number) => {
                let text = number.as_str().replace('_', "");
                match text.trim_start_matches('+').parse::<serde_json::Number>() {
                    Ok(number) => Ok(Value::Number(number)),
                    Err(_not_finite) => {
                        self.wrong(node, field, "is not a number that JSON can hold")
                    }
                }
            }
            DeValue::Datetime(time) => Ok(Value::String(time.to_string())),
            DeValue::Array(_) | DeValue::Table(_) => {
                self.wrong(node, field, "must be a text, number or boolean")
            }
        }
    }
}
