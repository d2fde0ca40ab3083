//! JSON as the log keeps it: compact text, exactly the tokens that were given.
//!
//! Owns the payload type, states, RFC 7396 merge and JSON Pointer helpers. Never reorders keys or rewrites numbers of
//! a payload: what was acknowledged is what is stored and exported.

mod scan;
mod tokens;
mod words;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
pub use serde_json::{Map, Value};

pub use scan::{DEPTH_MAX, Unfit};
pub use tokens::{Quoted, Token, Tokens};
pub use words::without_values;

/// The state of a stream: a JSON object. Revision 0 is the empty object.
pub type State = Map<String, Value>;

/// The name by which our JSON library takes a text as it is.
pub(crate) const RAW: &str = "$serde_json::private::RawValue";
/// Keys that a patch removes one by one.
const REMOVALS_ONE_BY_ONE_MAX: usize = 16;

/// A JSON payload as compact text, shared and immutable.
///
/// White space between tokens is dropped on the way in (a stored payload is one line), everything else is kept to the
/// letter: order of keys, spelling of numbers, escapes. Two are `==` when they are spelt alike; whether they say the same is asked of
/// [`crate::same`].
#[derive(Clone)]
pub struct Json(Arc<str>);

impl Json {
    /// Checks that `text` is one JSON value without a repeated key and takes it over, without its white space.
    ///
    /// # Errors
    /// When the text is not one JSON value, or one that [`check`] refuses.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        let raw: &RawValue = serde_json::from_str(text)?;
        Self::from_raw(raw)
    }

    /// Takes over a text that [`Json::as_str`] gave earlier: checked once more, but not made compact again.
    ///
    /// # Errors
    /// As for [`Json::parse`].
    pub fn from_compact(text: &str) -> Result<Self, serde_json::Error> {
        let raw: &RawValue = serde_json::from_str(text)?;
        Ok(Self(raw.get().into()))
    }

    /// Takes over a text that [`Json::as_str`] gave earlier and that is known to be the same still, by a checksum over it: it
    /// is not looked at again. Of a text that is no JSON, what is made of this value is none either.
    pub fn from_stored(text: &str) -> Self {
        Self(text.into())
    }

    fn from_raw(raw: &RawValue) -> Result<Self, serde_json::Error> {
        let text = scan::compact(raw.get()).map_err(serde::de::Error::custom)?;
        Ok(Self(text.into()))
    }

    /// The empty object, `{}`.
    pub fn empty_object() -> Self {
        Self::from(&Value::Object(Map::new()))
    }

    /// The compact text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The payload as a tree.
    pub fn to_value(&self) -> Value {
        // The text was checked on the way in, so there is nothing to report.
        serde_json::from_str(&self.0).unwrap_or(Value::Null)
    }

    /// Its tokens.
    pub fn tokens(&self) -> Tokens<'_> {
        Tokens::new(self.as_str())
    }

    /// Whether the payload is a JSON object.
    pub fn is_object(&self) -> bool {
        self.as_str().starts_with('{')
    }
}

impl From<&Value> for Json {
    fn from(value: &Value) -> Self {
        Self(value.to_string().into())
    }
}

impl From<Value> for Json {
    fn from(value: Value) -> Self {
        Self::from(&value)
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Json {}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // What `RawValue` does, which would have to parse the text to be made of it.
        let mut raw = serializer.serialize_struct(RAW, 1)?;
        raw.serialize_field(RAW, &*self.0)?;
        raw.end()
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Self::from_raw(&raw).map_err(serde::de::Error::custom)
    }
}

/// Checks a JSON text for what a parser would let pass and we do not, such as a key twice in one object. Syntax is left to
/// the parser.
///
/// # Errors
/// What is refused, with its JSON Pointer; see [`Unfit`].
pub fn check(text: &str) -> Result<(), Unfit> {
    match scan::compact(text) {
        Ok(_) | Err(Unfit::Syntax) => Ok(()),
        Err(unfit) => Err(unfit),
    }
}

/// Checks a text as [`check`] does; whether no white space stands between its tokens. Syntax is left to the parser.
///
/// # Errors
/// Those of [`check`].
pub(crate) fn is_compact(text: &str) -> Result<bool, Unfit> {
    match scan::compact(text) {
        Ok(compact) => Ok(matches!(compact, Cow::Borrowed(_))),
        Err(Unfit::Syntax) => Ok(false),
        Err(unfit) => Err(unfit),
    }
}

/// Reads JSON, as [`serde_json::from_str`] does, and refuses what [`check`] refuses.
///
/// # Errors
/// The parser's error, or what [`check`] refuses.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
    check(text).map_err(serde::de::Error::custom)?;
    serde_json::from_str(text)
}

/// Applies a JSON Merge Patch to an object (RFC 7396): `null` removes, objects merge, everything else replaces.
pub fn merge_patch(target: &mut State, patch: &Map<String, Value>) {
    // Each single removal moves what stands behind it; many of them go in one pass.
    let removals = patch.values().filter(|change| change.is_null()).count();
    let in_one_pass = removals > REMOVALS_ONE_BY_ONE_MAX;
    if in_one_pass {
        target.retain(|key, _| patch.get(key).is_none_or(|change| !change.is_null()));
    }
    for (key, change) in patch {
        match change {
            Value::Null if in_one_pass => {}
            Value::Null => {
                target.shift_remove(key);
            }
            Value::Object(change) => {
                let slot = target.entry(key.clone()).or_insert(Value::Null);
                if !slot.is_object() {
                    *slot = Value::Object(Map::new());
                }
                if let Value::Object(inner) = slot {
                    merge_patch(inner, change);
                }
            }
            other => {
                target.insert(key.clone(), other.clone());
            }
        }
    }
}

/// One key of a path as a JSON Pointer token (RFC 6901): `~` and `/` escaped.
pub fn pointer_token(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// Looks a JSON Pointer up in an object.
pub fn at<'a>(state: &'a State, pointer: &str) -> Option<&'a Value> {
    let rest = pointer.strip_prefix('/')?;
    let (first, rest) = rest
        .split_once('/')
        .map_or((rest, None), |(first, rest)| (first, Some(rest)));
    let value = state.get(&first.replace("~1", "/").replace("~0", "~"))?;
    match rest {
        None => Some(value),
        Some(rest) => value.pointer(&format!("/{rest}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_payload_keeps_its_tokens_and_loses_its_white_space() {
        let text =
            "{ \"b\" : 1.50,\n \"a\":[ 1e3 , 12345678901234567890123 ], \"s\": \" \\\" x \" }";
        let json = Json::parse(text).unwrap();
        assert_eq!(
            json.as_str(),
            r#"{"b":1.50,"a":[1e3,12345678901234567890123],"s":" \" x "}"#
        );
        assert_eq!(serde_json::to_string(&json).unwrap(), json.as_str());
    }

    #[test]
    fn a_stored_payload_is_written_as_it_stands() {
        let text = r#"{"b":1.50,"a":[1e3,12345678901234567890123],"s":"\u00e9 \" x","n":null}"#;
        let json = Json::from_stored(text);
        assert_eq!(serde_json::to_string(&json).unwrap(), text);
        assert_eq!(
            serde_json::to_string(&[&json]).unwrap(),
            format!("[{text}]")
        );
        assert_eq!(
            serde_json::to_value(&json).unwrap(),
            Json::parse(text).unwrap().to_value()
        );
        // What is no JSON is none as a value: nothing of it is shown as if it were.
        let broken = Json::from_stored(r#"{"a":"#);
        assert!(serde_json::to_value(&broken).is_err());
        assert_eq!(broken.to_value(), Value::Null);
    }

    #[test]
    fn merge_patch_follows_the_test_cases_of_rfc_7396() {
        // Appendix A, the cases whose target and patch are objects.
        let cases = [
            (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
            (json!({"a":"b"}), json!({"a":null}), json!({})),
            (
                json!({"a":"b","b":"c"}),
                json!({"a":null}),
                json!({"b":"c"}),
            ),
            (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"c"}), json!({"a":["b"]}), json!({"a":["b"]})),
            (
                json!({"a":{"b":"c"}}),
                json!({"a":{"b":"d","c":null}}),
                json!({"a":{"b":"d"}}),
            ),
            (json!({"a":[{"b":"c"}]}), json!({"a":[1]}), json!({"a":[1]})),
            (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
            (
                json!({}),
                json!({"a":{"bb":{"ccc":null}}}),
                json!({"a":{"bb":{}}}),
            ),
        ];
        for (target, patch, expected) in cases {
            let (Value::Object(mut state), Value::Object(patch)) = (target, patch) else {
                unreachable!()
            };
            merge_patch(&mut state, &patch);
            assert_eq!(Value::Object(state), expected);
        }
    }

    #[test]
    fn many_removals_leave_the_rest_in_its_order_and_take_no_longer_than_reading_them() {
        let many = 60_000;
        let field = |n: usize| (format!("field-{n}"), json!(n));
        let mut state: State = (0..2 * many).map(field).collect();
        let patch: State = (0..many)
            .map(|n| (format!("field-{}", 2 * n), Value::Null))
            .chain([("new".to_owned(), json!(1))])
            .collect();
        // One by one this takes minutes.
        merge_patch(&mut state, &patch);
        let odd = (0..many).map(|n| format!("field-{}", 2 * n + 1));
        let expected: Vec<_> = odd.chain(["new".to_owned()]).collect();
        assert_eq!(state.keys().cloned().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn pointers_reach_escaped_and_nested_keys() {
        let Value::Object(state) = json!({"a/b": {"c~d": [1, 2]}}) else {
            unreachable!()
        };
        assert_eq!(at(&state, "/a~1b/c~0d/1"), Some(&json!(2)));
        assert_eq!(at(&state, "/nope"), None);
    }
}
