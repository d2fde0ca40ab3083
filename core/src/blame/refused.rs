//! Refused attempts: rejected commands that would have changed a field, as far as their record tells.
//!
//! Owns what counts. The events that a refused command would have led to are not known. It counts as an attempt to change a
//! field if its payload names the field, or if the command that set the field is of the same type. A payload names a field where it has a
//! value whose keys are the last ones of the field's path, or all of them and others before: `city` and `address.city` name
//! `/address/city`, `billing.city` does not. Places in lists are left out of it.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use crate::api::why::{RefusedAttempt, RefusedAttempts};
use crate::command::Decision;
use crate::ids::Revision;
use crate::pointer::{Pointer, index};

/// Attempts that are named; all are counted.
pub const REFUSED_NAMED_MAX: usize = 20;

/// Refused commands of a stream, by what they name.
#[derive(Debug, Clone, Default)]
pub struct Refusals {
    /// In the order in which they were added.
    attempts: Vec<RefusedAttempt>,
    /// By the last key of what they name: which, and all keys.
    by_key: HashMap<String, Vec<(usize, Vec<String>)>>,
    by_type: HashMap<String, Vec<usize>>,
}

impl Refusals {
    /// Adds a decision, if it is a rejection. They are added in the order of their sequences.
    pub fn add(&mut self, decision: &Decision) {
        let Some(attempt) = RefusedAttempt::of_decision(decision) else {
            return;
        };
        let number = self.attempts.len();
        each_name(&decision.payload.to_value(), &mut Vec::new(), &mut |keys| {
            if let Some(last) = keys.last() {
                let named = self.by_key.entry(last.clone()).or_default();
                named.push((number, keys.to_vec()));
            }
        });
        let of_type = self
            .by_type
            .entry(attempt.command_type.clone())
            .or_default();
        of_type.push(number);
        self.attempts.push(attempt);
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.attempts.is_empty()
    }

    /// Attempts to change the field at a path, which a command of this type set, that were decided on one of these revisions:
    /// from the first to before the second.
    pub fn of_field(
        &self,
        path: &Pointer,
        set_by: Option<&str>,
        (from, before): (Revision, Revision),
    ) -> RefusedAttempts {
        if self.attempts.is_empty() {
            return RefusedAttempts::default();
        }
        let keys = keys(path);
        let named = keys.last().and_then(|last| self.by_key.get(*last));
        let named = named.into_iter().flatten();
        let mut numbers: BTreeSet<usize> = named
            .filter(|(_, own)| is_named(own, &keys))
            .map(|(number, _)| *number)
            .collect();
        numbers.extend(
            set_by
                .and_then(|kind| self.by_type.get(kind))
                .into_iter()
                .flatten(),
        );
        let attempts = numbers
            .into_iter()
            .filter_map(|number| self.attempts.get(number));
        let attempts: Vec<_> = attempts
            .filter(|attempt| (from..before).contains(&attempt.base_revision))
            .collect();
        let skipped = attempts.len().saturating_sub(REFUSED_NAMED_MAX);
        RefusedAttempts {
            total: attempts.len() as u64,
            last: attempts.into_iter().skip(skipped).cloned().collect(),
        }
    }
}

/// The keys of a path: its tokens without places in lists and without identities.
fn keys(path: &Pointer) -> Vec<&str> {
    let keys = path.tokens().iter().filter(|token| index(token).is_none());
    keys.map(|token| match token.split_once('[') {
        Some((key, rest)) if rest.ends_with(']') && rest.contains('=') => key,
        _ => token.as_str(),
    })
    .collect()
}

/// Whether the keys of a value in a payload name a field: one ends as the other.
fn is_named(own: &[String], field: &[&str]) -> bool {
    own.iter()
        .rev()
        .zip(field.iter().rev())
        .all(|(own, key)| own == key)
}

/// Hands the keys that lead to each value that holds no others to `each`.
fn each_name(value: &Value, keys: &mut Vec<String>, each: &mut impl FnMut(&[String])) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, inner) in map {
                keys.push(key.clone());
                each_name(inner, keys, each);
                keys.pop();
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for item in items {
                each_name(item, keys, each);
            }
        }
        _ => each(keys),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(sequence: u64, base: u64, kind: &str, payload: &Value) -> Decision {
        serde_json::from_value(json!({
            "sequence": sequence, "command_id": format!("c{sequence}"), "stream": "a-1", "command_type": kind,
            "payload": payload, "base_revision": base, "base_position": base, "rules_hash": "x",
            "decided_at": "2025-03-01T00:00:00Z", "outcome": "rejected", "rule": "r", "message": "m",
        }))
        .unwrap()
    }

    fn found(refusals: &Refusals, path: &str, set_by: Option<&str>, range: (u64, u64)) -> Vec<u64> {
        let range = (Revision(range.0), Revision(range.1));
        let found = refusals.of_field(&path.parse().unwrap(), set_by, range);
        assert_eq!(found.total, found.last.len() as u64);
        found.last.iter().map(|attempt| attempt.sequence).collect()
    }

    #[test]
    fn a_field_is_named_by_the_end_of_its_path() {
        let mut refusals = Refusals::default();
        for (sequence, payload) in [
            json!({"city": "Ulm"}),
            json!({"address": {"city": "Ulm", "zip": 1}}),
            json!({"billing": {"city": "Ulm"}}),
            json!({"order": {"address": [{"city": "Ulm"}, {"city": "Bonn"}]}}),
            json!({"address": "x"}),
            json!({}),
            json!({"tags": ["a"], "zip": null}),
        ]
        .iter()
        .enumerate()
        {
            refusals.add(&refused(sequence as u64, 2, "Move", payload));
        }
        let all = (0, 9);
        assert_eq!(found(&refusals, "/address/city", None, all), [0, 1, 3]);
        assert_eq!(found(&refusals, "/address/0/city", None, all), [0, 1, 3]);
        assert_eq!(
            found(&refusals, "/address[id=7]/city", None, all),
            [0, 1, 3]
        );
        assert_eq!(found(&refusals, "/city", None, all), [0, 1, 2, 3]);
        assert_eq!(found(&refusals, "/address/zip", None, all), [1, 6]);
        assert_eq!(found(&refusals, "/tags/0", None, all), [6]);
        assert_eq!(found(&refusals, "/tags", None, all), [6]);
        assert_eq!(found(&refusals, "/status", None, all), [0; 0]);
        // The same kind of command that set it, again.
        assert_eq!(found(&refusals, "/status", Some("Move"), all).len(), 7);
        assert_eq!(found(&refusals, "/status", Some("Stay"), all), [0; 0]);
        assert_eq!(found(&refusals, "/city", None, (3, 9)), [0; 0]);
        assert_eq!(found(&refusals, "/city", None, (2, 3)).len(), 4);
        assert_eq!(found(&refusals, "/city", None, (0, 2)), [0; 0]);
    }

    #[test]
    fn many_are_counted_and_the_last_are_named() {
        let mut refusals = Refusals::default();
        for sequence in 0..50 {
            refusals.add(&refused(sequence, sequence, "X", &json!({"n": 1})));
        }
        let range = (Revision(10), Revision(45));
        let found = refusals.of_field(&"/n".parse().unwrap(), None, range);
        assert_eq!((found.total, found.last.len()), (35, REFUSED_NAMED_MAX));
        assert_eq!(found.last.last().unwrap().sequence, 44);
    }
}
