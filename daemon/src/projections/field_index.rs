//! The read model `field-index`: which streams ever had which value of a field whose values are indexed.
//!
//! Owns which fields these are, and what is kept of a stream: the values that its events and states had, up to a bound, beyond
//! which it counts as having had any. A search reads the streams that it names and asks each event all the same, so the index
//! may name too many streams and must never leave one out.

use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value};
use whodunit_core::event::Event;
use whodunit_core::fold::step;
use whodunit_core::ids::StreamName;
use whodunit_core::json::{Json, State};
use whodunit_core::model::{Model, Models};
use whodunit_core::predicate::{FieldOf, FieldPath, NoField};
use whodunit_core::shown::redact_state;

use super::projection::{Field, Projection, Sort};
use super::users::POSITION;
use crate::limits::{INDEXED_FIELDS_MAX, INDEXED_VALUES_MAX};

/// Its name.
pub(crate) const FIELD_INDEX: &str = "field-index";
/// Stands in place of the values of a stream that had more of them than are kept.
const ANY: &str = "*";
/// The state that the next event is applied to, and the values so far, in a document.
const STATE: &str = "state";
const VALUES: &str = "values";

/// A field whose values are indexed, of one category or of every.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct IndexedField {
    /// The category; `None` for all.
    pub category: Option<String>,
    /// The field.
    pub field: FieldPath,
}

/// Why the fields cannot be indexed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// It is not written `CATEGORY=FIELD`.
    #[error(
        "`{text}` is not `CATEGORY=FIELD`, such as `user=state.email` or `*=event.metadata.ip`"
    )]
    Spelling {
        /// What was given.
        text: String,
    },
    /// The part behind the `=` names no field.
    #[error(transparent)]
    NoField(#[from] NoField),
    /// The field, or what holds it, is a secret.
    #[error("`{0}` cannot be indexed: it is a secret of its category")]
    Secret(IndexedField),
    /// There are too many.
    #[error("{0} fields are to be indexed; {INDEXED_FIELDS_MAX} at most can be")]
    TooMany(usize),
}

impl IndexedField {
    /// Whether it is one of this category.
    pub(crate) fn is_of(&self, category: &str) -> bool {
        self.category.as_ref().is_none_or(|own| own == category)
    }
}

impl FromStr for IndexedField {
    type Err = IndexError;

    fn from_str(text: &str) -> Result<Self, IndexError> {
        let spelling = || IndexError::Spelling {
            text: text.to_owned(),
        };
        let (category, field) = text.split_once('=').ok_or_else(spelling)?;
        let category = match category {
            "*" => None,
            name => {
                let stream = StreamName::new(format!("{name}-x")).map_err(|_error| spelling())?;
                if stream.category() != name {
                    return Err(spelling());
                }
                Some(name.to_owned())
            }
        };
        let field = field.parse()?;
        Ok(Self { category, field })
    }
}

/// As it is declared.
impl fmt::Display for IndexedField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}={}",
            self.category.as_deref().unwrap_or("*"),
            self.field
        )
    }
}

/// The fields that are indexed: those that the models declare, and those that were asked for.
///
/// # Errors
/// When one names no field or a secret, or when there are too many.
pub fn indexed_fields(
    models: &Models,
    asked: &[IndexedField],
) -> Result<Vec<IndexedField>, IndexError> {
    let mut fields = asked.to_vec();
    for model in models.all() {
        for field in &model.spec().indexed {
            fields.push(IndexedField {
                category: model.spec().category.clone(),
                field: field.parse()?,
            });
        }
    }
    fields.sort();
    fields.dedup();
    if fields.len() > INDEXED_FIELDS_MAX {
        return Err(IndexError::TooMany(fields.len()));
    }
    let is_secret = |indexed: &&IndexedField| {
        let hides = |model: &Model| {
            let mut tokens = indexed.field.tokens().iter();
            tokens.any(|token| model.is_secret(token))
        };
        match &indexed.category {
            Some(category) => hides(models.for_category(category)),
            None => models.all().any(hides),
        }
    };
    match fields.iter().find(is_secret) {
        Some(secret) => Err(IndexError::Secret(secret.clone())),
        None => Ok(fields),
    }
}

/// Keeps the values.
pub struct FieldIndex {
    fields: Vec<IndexedField>,
    category: Option<String>,
    description: String,
    version: String,
}

impl FieldIndex {
    /// The index of these fields.
    pub fn new(fields: Vec<IndexedField>) -> Self {
        let spelt: Vec<String> = fields.iter().map(IndexedField::to_string).collect();
        let first = fields.first().and_then(|field| field.category.clone());
        let is_one = fields.iter().all(|field| field.category == first);
        Self {
            category: first.filter(|_| is_one),
            description: format!(
                "which streams ever had which value, for searches: {}",
                spelt.join(", ")
            ),
            version: format!("{FIELD_INDEX}-1({})", spelt.join(",")),
            fields,
        }
    }
}

impl Projection for FieldIndex {
    fn name(&self) -> &'static str {
        FIELD_INDEX
    }

    fn description(&self) -> &str {
        &self.description
    }

    fn version(&self) -> &str {
        &self.version
    }

    fn category(&self) -> Option<&str> {
        self.category.as_deref()
    }

    /// A document begins empty.
    fn keep(&self, _model: &Model, state: &mut State) {
        state.clear();
    }

    fn apply(&self, model: &Model, document: &mut State, event: &Event) -> Result<(), String> {
        let category = event.stream.category();
        let fields: Vec<&FieldPath> = self
            .fields
            .iter()
            .filter(|indexed| indexed.is_of(category))
            .map(|indexed| &indexed.field)
            .collect();
        let mut values = match document.remove(VALUES) {
            Some(Value::Object(values)) => values,
            _ => Map::new(),
        };
        let mut note = |of: FieldOf, root: &State| {
            for field in fields.iter().filter(|field| field.root() == of) {
                add(&mut values, field, root);
            }
        };
        note(FieldOf::Data, &object(Some(&event.data)));
        note(FieldOf::Metadata, &object(event.metadata.as_ref()));
        if fields.iter().any(|field| field.root() == FieldOf::State) {
            let mut state = match document.remove(STATE) {
                Some(Value::Object(state)) => state,
                _ => {
                    let mut state = model.decider().initial_state();
                    redact_state(model, &mut state);
                    // It is the state before the first event.
                    note(FieldOf::State, &state);
                    state
                }
            };
            step(model, &mut state, event);
            redact_state(model, &mut state);
            note(FieldOf::State, &state);
            document.insert(STATE.to_owned(), state.into());
        }
        document.insert(VALUES.to_owned(), values.into());
        Ok(())
    }

    fn places(&self, document: &State) -> Vec<Vec<u8>> {
        let Some(Value::Object(values)) = document.get(VALUES) else {
            return Vec::new();
        };
        let of_field = |(field, words): (&String, &Value)| match words {
            Value::Array(words) => {
                let words = words.iter().filter_map(Value::as_str);
                words.map(|word| place(field, word)).collect()
            }
            _ => vec![place(field, ANY)],
        };
        values.iter().flat_map(of_field).collect::<Vec<_>>()
    }

    fn sorts(&self) -> &'static [Sort] {
        const SORTS: &[Sort] = &[POSITION];
        SORTS
    }

    fn fields(&self) -> &'static [Field] {
        &[]
    }
}

fn object(json: Option<&Json>) -> State {
    match json.map(Json::to_value) {
        Some(Value::Object(map)) => map,
        _ => State::new(),
    }
}

/// Adds the values that stand at a field, until there are too many.
fn add(values: &mut State, field: &FieldPath, root: &State) {
    field.words(root, &mut |word| {
        let known = values
            .entry(field.to_string())
            .or_insert_with(|| Value::Array(Vec::new()));
        let Value::Array(words) = known else {
            return;
        };
        if words.iter().any(|known| known.as_str() == Some(&word)) {
            return;
        }
        if words.len() < INDEXED_VALUES_MAX {
            words.push(word.into());
        } else {
            *known = ANY.into();
        }
    });
}

fn place(field: &str, word: &str) -> Vec<u8> {
    let mut place = Vec::with_capacity(field.len() + 1 + word.len());
    place.extend_from_slice(field.as_bytes());
    place.push(0);
    place.extend_from_slice(word.as_bytes());
    place
}

/// Where streams stand that had one of these values of a field, or too many to tell.
pub(super) fn places_of<'a>(
    field: &FieldPath,
    words: impl Iterator<Item = &'a String>,
) -> Vec<Vec<u8>> {
    let field = field.to_string();
    let words = words.map(String::as_str).chain([ANY]);
    words.map(|word| place(&field, word)).collect()
}
