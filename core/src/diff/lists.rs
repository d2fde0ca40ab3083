//! List alignment: which elements of two lists are the same element.
//!
//! Owns the alignment. Elements that have an identity (`id`, `name`, `key`) are the same by it; others where they are equal,
//! by a longest common subsequence (dynamic programming; beyond a bound, the unique-anchor step of patience diff). The work is bounded: in lists too long for that, elements that occur once in both are
//! the anchors. Whatever the alignment, the diff made of it is right; a worse one is only longer.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::number::canonical;

/// Fields that tell an element of a list from the others, in the order they are looked for.
pub const IDENTITIES: [&str; 3] = ["id", "name", "key"];

/// Cells of the table that a longest common subsequence is looked up in.
const CELLS_MAX: usize = 1 << 20;

/// How two lists are aligned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Alignment {
    /// Pairs of an old and a new index, both ascending: the same element, unchanged or changed.
    pub(super) pairs: Vec<(usize, usize)>,
    /// The field by which elements are told apart.
    pub(super) identity: Option<&'static str>,
}

/// Aligns two lists.
pub(super) fn align(before: &[Value], after: &[Value]) -> Alignment {
    let identity = IDENTITIES
        .into_iter()
        .find(|field| is_identity(field, before) && is_identity(field, after));
    let pairs = match identity {
        Some(field) => by_identity(field, before, after),
        None => by_content(before, after),
    };
    Alignment { pairs, identity }
}

/// The text of an element's identity: one for all spellings of a number.
fn identity_of(element: &Value, field: &str) -> Option<String> {
    match element.get(field)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(canonical(number)),
        _ => None,
    }
}

/// The identity of an element as it is written.
pub(crate) fn identity_label(element: &Value, field: &str) -> Option<String> {
    match element.get(field)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.as_str().to_owned()),
        _ => None,
    }
}

/// The field that tells all elements of a list apart.
pub(crate) fn identity_field(elements: &[Value]) -> Option<&'static str> {
    IDENTITIES
        .into_iter()
        .find(|field| is_identity(field, elements))
}

/// Whether a field tells all elements apart.
fn is_identity(field: &str, elements: &[Value]) -> bool {
    let mut seen = HashSet::with_capacity(elements.len());
    elements.iter().all(|element| {
        let kind = element.get(field).map(Value::is_string);
        identity_of(element, field).is_some_and(|id| seen.insert((kind, id)))
    })
}

fn by_identity(field: &str, before: &[Value], after: &[Value]) -> Vec<(usize, usize)> {
    let of = |element: &Value| {
        let kind = element.get(field).map(Value::is_string);
        identity_of(element, field).map(|id| (kind, id))
    };
    let old: HashMap<_, usize> = before.iter().map(of).zip(0..).collect();
    let common = after
        .iter()
        .enumerate()
        .filter_map(|(new, element)| Some((*old.get(&of(element))?, new)));
    ascending(&common.collect::<Vec<_>>())
}

/// The longest part of these pairs in which the old indices ascend as the new ones do.
fn ascending(pairs: &[(usize, usize)]) -> Vec<(usize, usize)> {
    // Longest increasing subsequence by patience sorting: for each length the pair that ends the best run so far, and for
    // each pair its predecessor.
    let (mut ends, mut previous) = (Vec::<usize>::new(), vec![None; pairs.len()]);
    for (index, (old, _)) in pairs.iter().enumerate() {
        let length = ends.partition_point(|end| pairs[*end].0 < *old);
        previous[index] = length.checked_sub(1).map(|shorter| ends[shorter]);
        match ends.get_mut(length) {
            Some(end) => *end = index,
            None => ends.push(index),
        }
    }
    let mut run = Vec::with_capacity(ends.len());
    let mut next = ends.last().copied();
    while let Some(index) = next {
        run.push(pairs[index]);
        next = previous[index];
    }
    run.reverse();
    run
}

fn by_content(before: &[Value], after: &[Value]) -> Vec<(usize, usize)> {
    let mut numbers = HashMap::new();
    let mut number = |element: &Value| {
        let next = numbers.len();
        *numbers.entry(spelling(element)).or_insert(next)
    };
    let old: Vec<usize> = before.iter().map(&mut number).collect();
    let new: Vec<usize> = after.iter().map(&mut number).collect();
    let anchors = if old.len().saturating_mul(new.len()) <= CELLS_MAX {
        longest_common(&old, &new)
    } else {
        ascending(&once_in_both(&old, &new))
    };
    fill_gaps(&anchors, old.len(), new.len())
}

/// Pairs of what occurs once in each list, by new index.
fn once_in_both(old: &[usize], new: &[usize]) -> Vec<(usize, usize)> {
    let mut places: HashMap<usize, (u32, usize, u32)> = HashMap::new();
    for (index, number) in old.iter().enumerate() {
        let place = places.entry(*number).or_insert((0, index, 0));
        place.0 += 1;
    }
    for number in new {
        if let Some(place) = places.get_mut(number) {
            place.2 += 1;
        }
    }
    let once = |(index, number): (usize, &usize)| match places.get(number) {
        Some((1, old, 1)) => Some((*old, index)),
        _ => None,
    };
    new.iter().enumerate().filter_map(once).collect()
}

/// Pairs of a longest common subsequence.
fn longest_common(old: &[usize], new: &[usize]) -> Vec<(usize, usize)> {
    let width = new.len() + 1;
    // `lengths[i * width + j]`: of what begins at old `i` and new `j`.
    let mut lengths = vec![0_u32; (old.len() + 1) * width];
    for (i, a) in old.iter().enumerate().rev() {
        for (j, b) in new.iter().enumerate().rev() {
            lengths[i * width + j] = if a == b {
                lengths[(i + 1) * width + j + 1] + 1
            } else {
                lengths[(i + 1) * width + j].max(lengths[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j, mut pairs) = (0, 0, Vec::new());
    while i < old.len() && j < new.len() {
        if old[i] == new[j] {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if lengths[(i + 1) * width + j] >= lengths[i * width + j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}

/// Adds to the anchors what stands between two of them in both lists, one by one: an element that was changed.
fn fill_gaps(anchors: &[(usize, usize)], old: usize, new: usize) -> Vec<(usize, usize)> {
    let mut pairs = Vec::with_capacity(old.min(new));
    let (mut from_old, mut from_new) = (0, 0);
    for (i, j) in anchors.iter().copied().chain([(old, new)]) {
        pairs.extend((from_old..i).zip(from_new..j));
        if i < old {
            pairs.push((i, j));
        }
        (from_old, from_new) = (i + 1, j + 1);
    }
    pairs
}

/// One text for all values that are equal as JSON.
fn spelling(value: &Value) -> String {
    fn write(value: &Value, out: &mut String) {
        match value {
            Value::Number(number) => out.push_str(&canonical(number)),
            Value::Array(items) => {
                out.push('[');
                for item in items {
                    write(item, out);
                    out.push(',');
                }
                out.push(']');
            }
            Value::Object(map) => {
                let mut fields: Vec<_> = map.iter().collect();
                fields.sort_unstable_by_key(|(key, _)| *key);
                out.push('{');
                for (key, inner) in fields {
                    out.push_str(&Value::from(key.as_str()).to_string());
                    write(inner, out);
                    out.push(',');
                }
                out.push('}');
            }
            plain => out.push_str(&plain.to_string()),
        }
    }
    let mut out = String::new();
    write(value, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pairs(before: Value, after: Value) -> (Vec<(usize, usize)>, Option<&'static str>) {
        let (Value::Array(before), Value::Array(after)) = (before, after) else {
            unreachable!()
        };
        let Alignment { pairs, identity } = align(&before, &after);
        (pairs, identity)
    }

    #[test]
    fn elements_are_the_same_by_identity_or_else_by_content() {
        let cases = [
            (
                json!(["Au", "Cu", "Fe"]),
                json!(["Au", "Ca", "Cu", "Fe", "Mg"]),
                vec![(0, 0), (1, 2), (2, 3)],
                None,
            ),
            (
                json!([1, 2.0, 3]),
                json!([2, 3, 1]),
                vec![(1, 0), (2, 1)],
                None,
            ),
            (
                json!([{"id": 1}, {"id": 2}]),
                json!([{"id": 2, "n": 1}, {"id": 1}]),
                vec![(0, 1)],
                Some("id"),
            ),
            // A number and a text are different identities; a value that occurs twice is not an identity.
            (json!([{"id": 1}]), json!([{"id": "1"}]), vec![], Some("id")),
            (
                json!([{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]),
                json!([{"id": 1, "name": "b"}]),
                vec![(1, 0)],
                Some("name"),
            ),
            (json!([{"id": 1}, 2]), json!([2]), vec![(1, 0)], None),
        ];
        for (before, after, expected, identity) in cases {
            let shown = format!("{before} {after}");
            assert_eq!(pairs(before, after), (expected, identity), "{shown}");
        }
    }

    #[test]
    fn long_lists_are_aligned_by_what_occurs_once() {
        let before: Vec<Value> = (0..3000).map(Value::from).collect();
        let mut after = before.clone();
        after.insert(10, json!("new"));
        after.remove(2000);
        let found = align(&before, &after).pairs;
        assert!(found.contains(&(9, 9)) && found.contains(&(10, 11)));
        assert!(found.contains(&(1998, 1999)) && found.contains(&(2999, 2999)));
        assert!(
            found
                .windows(2)
                .all(|two| two[0].0 < two[1].0 && two[0].1 < two[1].1)
        );
    }
}
