//! Reading a mapping file: TOML in, rules or the first error with its line out.
//!
//! Owns the names of keys. Unknown ones are refused: a misspelt `corelation` must not be silence.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::condition::Condition;
use super::lists::List;
use super::shape::Shape;
use super::template::Template;
use super::unused::Used;
use super::{Build, MAPPING_BYTES_MAX, Mapping, MappingError, RULES_MAX, Rule};

pub(super) type Node<'i> = Spanned<DeValue<'i>>;

/// Keys of a rule that hold a template.
const TEXTS: [&str; 8] = [
    "stream",
    "type",
    "id",
    "time",
    "actor",
    "reason",
    "correlation",
    "causation",
];

pub(super) fn mapping(text: &str) -> Result<Mapping, MappingError> {
    let source = Source { text };
    if text.len() > MAPPING_BYTES_MAX {
        return Err(source.error(
            0,
            "",
            format!("the mapping is larger than {MAPPING_BYTES_MAX} bytes"),
        ));
    }
    let document = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        source.error(at, "", error.message())
    })?;
    source.document(document.get_ref())
}

pub(super) struct Source<'i> {
    text: &'i str,
}

/// A rule's fields, gathered from the defaults, the parts it uses and itself.
#[derive(Default)]
struct Fields<'a, 'i> {
    when: Vec<Condition>,
    texts: Vec<(&'a str, &'a Node<'i>)>,
    data: Vec<(&'a str, &'a Node<'i>)>,
    metadata: Vec<(&'a str, &'a Node<'i>)>,
    skip: bool,
}

impl Source<'_> {
    pub(super) fn error(&self, at: usize, field: &str, message: impl Into<String>) -> MappingError {
        let before = self.text.get(..at).unwrap_or_default();
        MappingError {
            line: before.matches('\n').count() + 1,
            field: field.to_owned(),
            message: message.into(),
        }
    }

    pub(super) fn wrong<T>(
        &self,
        node: &Node<'_>,
        field: &str,
        message: impl Into<String>,
    ) -> Result<T, MappingError> {
        Err(self.error(node.span().start, field, message))
    }

    fn document(&self, document: &DeTable<'_>) -> Result<Mapping, MappingError> {
        let mut defaults: Option<&Node<'_>> = None;
        let mut parts: Option<&Node<'_>> = None;
        let mut rules: Option<&Node<'_>> = None;
        for (key, node) in document {
            match key.get_ref().as_ref() {
                "defaults" => defaults = Some(node),
                "part" => parts = Some(node),
                "rule" => rules = Some(node),
                "description" => {
                    self.string(node, "description")?;
                }
                other => {
                    return Err(self.error(
                        key.span().start,
                        "",
                        format!("`{other}` is not a key of a mapping; the keys are `description`, `defaults`, `part`, `rule`"),
                    ));
                }
            }
        }
        let Some(rules) = rules else {
            return Err(self.error(0, "", "a mapping needs at least one `[[rule]]`"));
        };
        let DeValue::Array(list) = rules.get_ref() else {
            return self.wrong(rules, "rule", "write each rule as `[[rule]]`");
        };
        if list.len() > RULES_MAX {
            return self.wrong(rules, "rule", format!("at most {RULES_MAX} rules"));
        }
        let mut out = Vec::with_capacity(list.len());
        for (index, node) in list.iter().enumerate() {
            out.push(self.rule(index, node, defaults, parts)?);
        }
        // A mistake in a part that no rule uses is still a mistake.
        if let Some(parts) = parts {
            for (name, part) in self.table(parts, "part")? {
                self.gather(
                    part,
                    &format!("part \"{}\"", name.get_ref()),
                    &mut Fields::default(),
                )?;
            }
        }
        Ok(Mapping { rules: out })
    }

    fn rule<'a, 'i>(
        &self,
        index: usize,
        node: &'a Node<'i>,
        defaults: Option<&'a Node<'i>>,
        parts: Option<&'a Node<'i>>,
    ) -> Result<Rule, MappingError> {
        let table = self.table(node, "rule")?;
        let name = match table.get("name") {
            Some(name) => self.string(name, "rule / name")?.to_owned(),
            None => format!("rule {}", index + 1),
        };
        let place = format!("rule \"{name}\"");
        let mut fields = Fields::default();
        if let Some(defaults) = defaults {
            self.gather(defaults, "defaults", &mut fields)?;
        }
        for used in self.used(table, &place)? {
            let part = match parts {
                Some(parts) => self.table(parts, "part")?.get(used.0),
                None => None,
            };
            let Some(part) = part else {
                return self.wrong(
                    used.1,
                    &place,
                    format!("uses `{}`, but there is no `[part.{}]`", used.0, used.0),
                );
            };
            self.gather(part, &format!("part \"{}\"", used.0), &mut fields)?;
        }
        self.gather(node, &place, &mut fields)?;
        let build = if fields.skip {
            None
        } else {
            Some(self.build(node, &place, &fields)?)
        };
        Ok(Rule {
            name,
            when: fields.when,
            build,
        })
    }

    fn used<'a, 'i>(
        &self,
        rule: &'a DeTable<'i>,
        place: &str,
    ) -> Result<Vec<(&'a str, &'a Node<'i>)>, MappingError> {
        let Some(node) = rule.get("use") else {
            return Ok(Vec::new());
        };
        let field = format!("{place} / use");
        match node.get_ref() {
            DeValue::Array(list) => list
                .iter()
                .map(|item| Ok((self.string(item, &field)?, item)))
                .collect(),
            _ => Ok(vec![(self.string(node, &field)?, node)]),
        }
    }

    /// Adds a table's fields: conditions are added to those before, tables merged key by key, everything else replaced.
    fn gather<'a, 'i>(
        &self,
        node: &'a Node<'i>,
        place: &str,
        fields: &mut Fields<'a, 'i>,
    ) -> Result<(), MappingError> {
        let is_rule = place.starts_with("rule ");
        for (key, value) in self.table(node, place)? {
            let name: &'a str = key.get_ref().as_ref();
            let field = format!("{place} / {name}");
            match name {
                "when" => fields.when.push(self.condition(value, &field)?),
                "data" => self.merge(value, &field, &mut fields.data)?,
                "metadata" => self.merge(value, &field, &mut fields.metadata)?,
                text if TEXTS.contains(&text) => {
                    self.template(value, &field)?;
                    fields.texts.retain(|(before, _)| *before != text);
                    fields.texts.push((text, value));
                }
                "name" | "use" if is_rule => {}
                "skip" if is_rule => match value.get_ref() {
                    DeValue::Boolean(skip) => fields.skip = *skip,
                    _ => return self.wrong(value, &field, "must be `true` or `false`"),
                },
                other => {
                    return Err(self.error(
                        key.span().start,
                        place,
                        format!(
                            "`{other}` is not a key of it; the keys are {}",
                            known(is_rule)
                        ),
                    ));
                }
            }
        }
        Ok(())
    }

    fn merge<'a, 'i>(
        &self,
        node: &'a Node<'i>,
        field: &str,
        into: &mut Vec<(&'a str, &'a Node<'i>)>,
    ) -> Result<(), MappingError> {
        for (key, value) in self.table(node, field)? {
            let name: &'a str = key.get_ref().as_ref();
            let place = format!("{field} / {name}");
            Template::parse(name)
                .map_err(|message| self.error(key.span().start, &place, message))?;
            self.shape(value, &place)?;
            into.retain(|(before, _)| *before != name);
            into.push((name, value));
        }
        Ok(())
    }

    fn build(
        &self,
        node: &Node<'_>,
        place: &str,
        fields: &Fields<'_, '_>,
    ) -> Result<Build, MappingError> {
        let find = |name: &str| {
            fields
                .texts
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| self.template(value, &format!("{place} / {name}")))
                .transpose()
        };
        let must = |name: &str| match find(name)? {
            Some(template) => Ok(template),
            None => self.wrong(
                node,
                place,
                format!("has no `{name}`, neither here nor in its parts or `[defaults]`"),
            ),
        };
        let table = |pairs: &[(&str, &Node<'_>)], name: &str| {
            let mut shape = Vec::with_capacity(pairs.len());
            for (key, value) in pairs {
                let field = format!("{place} / {name} / {key}");
                let key = Template::parse(key)
                    .map_err(|message| self.error(value.span().start, &field, message))?;
                shape.push((key, self.shape(value, &field)?));
            }
            Ok(Shape::Table(shape))
        };
        let mut build = Build {
            stream: must("stream")?,
            event_type: must("type")?,
            id: find("id")?,
            time: find("time")?,
            actor: find("actor")?,
            reason: find("reason")?,
            correlation: find("correlation")?,
            causation: find("causation")?,
            data: table(&fields.data, "data")?,
            metadata: match fields.metadata.as_slice() {
                [] => None,
                pairs => Some(table(pairs, "metadata")?),
            },
            lists: Vec::new(),
            used: Used::default(),
        };
        build.lists = List::from_build(&build);
        build.used = Used::new(&build.pointers(), &fields.when);
        Ok(build)
    }

    fn shape(&self, node: &Node<'_>, field: &str) -> Result<Shape, MappingError> {
        match node.get_ref() {
            DeValue::String(_) => self.template(node, field).map(Shape::Template),
            DeValue::Array(list) => list
                .iter()
                .map(|item| self.shape(item, field))
                .collect::<Result<_, _>>()
                .map(Shape::List),
            DeValue::Table(table) => {
                let mut fields = Vec::new();
                for (key, value) in table {
                    let field = format!("{field} / {}", key.get_ref());
                    let key = Template::parse(key.get_ref())
                        .map_err(|message| self.error(key.span().start, &field, message))?;
                    fields.push((key, self.shape(value, &field)?));
                }
                Ok(Shape::Table(fields))
            }
            DeValue::Boolean(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Datetime(_) => self.literal(node, field).map(Shape::Literal),
        }
    }

    fn template(&self, node: &Node<'_>, field: &str) -> Result<Template, MappingError> {
        Template::parse(self.string(node, field)?)
            .map_err(|message| self.error(node.span().start, field, message))
    }

    pub(super) fn string<'a>(
        &self,
        node: &'a Node<'_>,
        field: &str,
    ) -> Result<&'a str, MappingError> {
        match node.get_ref() {
            DeValue::String(text) => Ok(text),
            other => self.wrong(
                node,
                field,
                format!("must be a text, not {}", other.type_str()),
            ),
        }
    }

    pub(super) fn table<'a, 'i>(
        &self,
        node: &'a Node<'i>,
        field: &str,
    ) -> Result<&'a DeTable<'i>, MappingError> {
        match node.get_ref() {
            DeValue::Table(table) => Ok(table),
            other => self.wrong(
                node,
                field,
                format!("must be a table, not {}", other.type_str()),
            ),
        }
    }
}

fn known(is_rule: bool) -> String {
    let own = if is_rule { "name, use, skip, " } else { "" };
    format!("{own}when, {}, data, metadata", TEXTS.join(", "))
}
