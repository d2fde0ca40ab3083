//! Lists of which a rule looks at single elements: what it leaves out of a record is counted.

use std::collections::BTreeSet;

use super::Build;

/// Such a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct List {
    pub(super) pointer: String,
    pub(super) elements: BTreeSet<usize>,
}

impl List {
    /// Lists of which a rule looks at single elements (`/events/0/type`), and nowhere at the whole.
    pub(super) fn from_build(build: &Build) -> Vec<Self> {
        let pointers = build.pointers();
        let mut found: Vec<Self> = Vec::new();
        for pointer in &pointers {
            for (at, _) in pointer.match_indices('/') {
                let (list, rest) = pointer.split_at(at);
                let token = rest.get(1..).unwrap_or_default();
                let token = token.split('/').next().unwrap_or_default();
                let Some(element) = token.parse::<usize>().ok().filter(|_| !list.is_empty()) else {
                    continue;
                };
                let covers = |whole: &&str| {
                    list.strip_prefix(*whole)
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                };
                if pointers.iter().any(covers) {
                    continue;
                }
                match found.iter_mut().find(|known| known.pointer == list) {
                    Some(known) => drop(known.elements.insert(element)),
                    None => found.push(Self {
                        pointer: list.to_owned(),
                        elements: [element].into(),
                    }),
                }
            }
        }
        found
    }
}
