//! Weights: about how many bytes of memory JSON takes as values.
//!
//! Owns the estimate and what is bounded by it. A list of small numbers takes fifty times the bytes of its text, so memory
//! is bounded by weight, not by text. A state is weighed as it is folded: what its events bring is added up, and it is
//! looked at as a whole only where that sum goes beyond the bound.

use serde_json::{Map, Value};

use crate::json::State;
use crate::stop::{Stop, Stopped};

/// Weight of a state that requests work on. One that is heavier is refused.
pub const STATE_WEIGHT_MAX: usize = 48 << 20;
/// Weight of a difference of two states.
pub const DIFF_WEIGHT_MAX: usize = 48 << 20;

/// Of a value itself, without what it points to.
const VALUE_BYTES: usize = size_of::<Value>();
/// Of a key in an object, beside its text: the entry's own bytes and its place in the index.
const KEY_BYTES: usize = size_of::<String>() + 2 * size_of::<u64>();
/// What an allocation takes beyond the bytes that were asked for.
const ALLOCATION_BYTES: usize = 24;

/// Something would take more memory than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} would take more than {} MiB of memory", max >> 20)]
pub struct TooLarge {
    /// What, as a noun with its article.
    pub what: &'static str,
    /// The bound, in bytes.
    pub max: usize,
}

/// Why work ended before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfinished {
    /// Its caller no longer waits.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// What it makes is too large.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
}

/// The weight of a value.
pub fn of_value(value: &Value) -> usize {
    VALUE_BYTES
        + match value {
            Value::Null | Value::Bool(_) => 0,
            Value::Number(number) => number.as_str().len() + ALLOCATION_BYTES,
            Value::String(text) => text.len() + ALLOCATION_BYTES,
            Value::Array(items) => items.iter().map(of_value).sum::<usize>() + ALLOCATION_BYTES,
            Value::Object(map) => of_object(map),
        }
}

/// The weight of what an object points to.
pub fn of_object(map: &Map<String, Value>) -> usize {
    let entry = |(key, value): (&String, &Value)| {
        KEY_BYTES + key.len() + ALLOCATION_BYTES + of_value(value)
    };
    map.iter().map(entry).sum::<usize>() + 2 * ALLOCATION_BYTES
}

/// At least the weight of the value that a JSON text reads as; found without reading it.
pub fn of_text(text: &str) -> usize {
    let (mut values, mut keys) = (1, 0);
    for byte in text.bytes() {
        match byte {
            b',' | b'[' | b'{' => values += 1,
            b':' => keys += 1,
            _ => {}
        }
    }
    text.len()
        + values * (VALUE_BYTES + 2 * ALLOCATION_BYTES)
        + keys * (KEY_BYTES + ALLOCATION_BYTES)
}

/// Bounds the weight of a state while it is folded.
#[derive(Debug, Clone, Copy)]
pub struct StateBound {
    max: usize,
    /// At least what the state weighs.
    weight: usize,
}

impl StateBound {
    /// A bound for a state of at most this weight.
    pub fn new(max: usize, state: &State) -> Self {
        Self {
            max,
            weight: of_object(state),
        }
    }

    /// Adds what an event of this payload may bring. Call it before the event is folded; `weigh` weighs the state as it is.
    ///
    /// The state may outweigh the bound by an eighth: it is not weighed again for every event.
    pub fn add(&mut self, payload: &str, weigh: impl FnOnce() -> usize) -> Result<(), TooLarge> {
        self.weight += of_text(payload);
        if self.weight <= self.max + self.max / 8 {
            return Ok(());
        }
        self.weight = weigh() + of_text(payload);
        if self.weight <= self.max {
            return Ok(());
        }
        Err(TooLarge {
            what: "the state",
            max: self.max,
        })
    }
}

/// A copy of a state, unless it is stopped.
pub fn copy(state: &State, stop: &Stop) -> Result<State, Stopped> {
    let mut out = State::with_capacity(state.len());
    for (key, value) in state {
        stop.check()?;
        let value = match value {
            Value::Object(inner) => Value::Object(copy(inner, stop)?),
            other => other.clone(),
        };
        out.insert(key.clone(), value);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::merge_patch;
    use serde_json::json;

    fn object(value: Value) -> State {
        match value {
            Value::Object(map) => map,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_text_never_weighs_less_than_its_value() {
        let deep = (0..60).fold(json!(1), |inner, _| json!({ "a": [inner] }));
        for value in [
            json!(null),
            json!([[], {}, "", 0]),
            json!((0..1_000).collect::<Vec<_>>()),
            json!({"a": {"b": {"c": "x".repeat(1_000)}}, "n": 1.5, "list": [true, false, null]}),
            deep,
        ] {
            let text = value.to_string();
            assert!(of_text(&text) >= of_value(&value), "{text:.80}");
        }
        let numbers = json!(vec![1; 100_000]);
        assert!(of_value(&numbers) > 20 * numbers.to_string().len());
    }

    #[test]
    fn a_state_may_change_for_ever_and_grow_to_its_bound() {
        let mut state = State::new();
        let mut bound = StateBound::new(1 << 20, &state);
        for n in 0..1_000 {
            let change = json!({"text": format!("{n}{}", "x".repeat(10_000))});
            bound
                .add(&change.to_string(), || of_object(&state))
                .unwrap();
            merge_patch(&mut state, &object(change));
        }
        let grown = (0..1_000).find(|n| {
            let change = json!({ format!("field-{n}"): "x".repeat(10_000) });
            let refused = bound
                .add(&change.to_string(), || of_object(&state))
                .is_err();
            merge_patch(&mut state, &object(change));
            refused
        });
        let weight = of_object(&state);
        assert!(grown.is_some(), "it is refused");
        assert!((1 << 20..(1 << 20) * 5 / 4).contains(&weight), "{weight}");
    }

    #[test]
    fn a_copy_is_the_same_or_stopped() {
        let state = object(json!({"a": {"b": [1, {"c": 2}]}, "d": "e"}));
        let stop = Stop::new();
        assert_eq!(copy(&state, &stop), Ok(state.clone()));
        stop.set();
        assert_eq!(copy(&state, &stop), Err(Stopped));
    }
}
