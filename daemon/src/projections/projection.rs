//! Projection trait: which events a projection takes, and what its documents contain.
//!
//! Owns the trait. A projection is pure: it gets a state and an event and changes the state; where documents are kept,
//! how far it has come and what is wrong with them is the engine's business.

use whodunit_core::event::Event;
use whodunit_core::fold::step;
use whodunit_core::ids::Position;
use whodunit_core::json::{State, Value};
use whodunit_core::model::{Model, Models};

/// A projection, which keeps one document per stream.
pub trait Projection: Send + Sync + 'static {
    /// Its name, which is its read model's and its file's: letters, digits, `-` and `_`.
    fn name(&self) -> &'static str;

    /// What it keeps, in one sentence.
    fn description(&self) -> &str;

    /// Names its code; changes whenever what it makes of an event does.
    fn version(&self) -> &str;

    /// The one category it takes; `None` for all.
    fn category(&self) -> Option<&str>;

    /// Takes out of a state what is not to be kept: secrets at least.
    ///
    /// What is taken out must have no bearing on what later events do to the rest: the next event is applied to what was
    /// kept. This holds for secrets, which events set and never read.
    fn keep(&self, model: &Model, state: &mut State);

    /// Moves what it keeps of a stream past one event. Must not depend on anything else.
    ///
    /// # Errors
    /// A sentence; the projection is stalled until it succeeds. An event that cannot be decoded is none: as
    /// everywhere, it leaves the last good state.
    fn apply(&self, model: &Model, state: &mut State, event: &Event) -> Result<(), String> {
        step(model, state, event);
        self.keep(model, state);
        Ok(())
    }

    /// Hands what `match=` searches of a document to `each`, piece by piece; all its keys, texts and numbers unless it
    /// says otherwise.
    fn texts(&self, state: &State, each: &mut dyn FnMut(&str)) {
        for (key, value) in state {
            each(key);
            texts(value, each);
        }
    }

    /// Further places of a document in the index `PLACES`: any number, of `SORT_BYTES_MAX` bytes at most each.
    fn places(&self, _state: &State) -> Vec<Vec<u8>> {
        Vec::new()
    }

    /// The orders, beside that of the keys, in which its documents can be listed.
    fn sorts(&self) -> &'static [Sort];

    /// The parameters that find documents by the whole value of a field.
    fn fields(&self) -> &'static [Field];
}

fn texts(value: &Value, each: &mut dyn FnMut(&str)) {
    match value {
        Value::String(text) => each(text),
        Value::Array(items) => items.iter().for_each(|item| texts(item, each)),
        Value::Object(map) => map.iter().for_each(|(key, inner)| {
            each(key);
            texts(inner, each);
        }),
        Value::Number(number) => each(number.as_str()),
        Value::Null | Value::Bool(_) => {}
    }
}

/// An order of documents, kept in an index.
#[derive(Debug, Clone, Copy)]
pub struct Sort {
    /// Its name, as in `sort=`.
    pub name: &'static str,
    /// The bytes by which two documents are compared.
    pub value: fn(&State, Position) -> Vec<u8>,
    /// Whether a document keeps its value for good, so that it never moves in this order.
    pub fixed: bool,
}

/// A field by which documents are found.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name, which is the parameter's and that of the [`Sort`] whose index finds it.
    pub name: &'static str,
    /// The form in which a value that was asked for is compared with [`Field::value`].
    pub wanted: fn(&str) -> String,
    /// The document's value, in that form; `None` when it has none.
    pub value: fn(&State) -> Option<String>,
}

/// The rules that a read model was made by: the projection's code and the models it folds by.
pub(super) fn rules_hash(projection: &dyn Projection, models: &Models) -> String {
    let model_rules = match projection.category() {
        Some(category) => models.for_category(category).rules_hash().to_owned(),
        None => models
            .all()
            .chain([models.merge()])
            .map(Model::rules_hash)
            .collect::<Vec<_>>()
            .join("+"),
    };
    format!("{}+{model_rules}", projection.version())
}

/// The index of further places; no sort has its name.
pub(super) const PLACES: &str = "places";

/// Bytes of a sort value that are kept; documents that differ only beyond them are in the order of their keys.
pub(super) const SORT_BYTES_MAX: usize = 256;

/// A sort value within its bound.
pub(super) fn sort_value(sort: &Sort, state: &State, position: Position) -> Vec<u8> {
    let mut value = (sort.value)(state, position);
    value.truncate(SORT_BYTES_MAX);
    value
}
