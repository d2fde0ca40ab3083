//! Contrasts: what tells a selection from the rest.
//!
//! Owns the comparison: of every attribute and value, how many of the selection have it and how many of the rest, sorted by
//! how surprising that is. The order is that of the log-likelihood ratio G² of the table of two by two (Dunning 1993, *Accurate
//! methods for the statistics of surprise and coincidence*), which, unlike Pearson's χ², holds for rare values too. Beside it
//! stand the difference of the two shares with its 95 % interval (Newcombe 1998, method 10, from Wilson's intervals) and the
//! exact one-sided probability of so many by chance (Fisher), times the number of values looked at (Bonferroni).
//!
//! Only values that the selection has more often are told: what it has less often shows as another value, or as absence. Pure:
//! what the attributes of a thing are is decided elsewhere.

mod statistics;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};

use self::statistics::{LogFactorials, g_squared, newcombe};

/// Distinct values of an attribute that are kept apart; further ones are counted as left out.
pub const VALUES_MAX: usize = 2_000;
/// Attributes that are kept apart.
pub const ATTRIBUTES_MAX: usize = 1_000;
/// Distinct numbers up to which each is a value of its own; with more of them they are put into quarters.
const NUMBERS_MAX: usize = 8;

/// What a thing has for an attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum Feature {
    /// A value that is equal to others or not.
    Value(String),
    /// A number, which is smaller than others or larger; with how it reads.
    Number(f64, String),
}

/// Things that are compared, as they are added.
#[derive(Debug, Default)]
pub struct Contrast {
    attributes: BTreeMap<String, Attribute>,
    totals: Pair,
    left_out: u64,
}

/// How many of the selection and of the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Pair {
    selected: u64,
    rest: u64,
}

impl Pair {
    fn add(&mut self, selected: bool) {
        if selected {
            self.selected += 1;
        } else {
            self.rest += 1;
        }
    }

    fn all(self) -> u64 {
        self.selected + self.rest
    }
}

#[derive(Debug, Default)]
struct Attribute {
    values: HashMap<String, Pair>,
    numbers: Vec<(f64, String, bool)>,
    /// Things that have it at all.
    present: Pair,
}

/// A value that the selection has more often than the rest.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The attribute.
    pub attribute: String,
    /// The value; `None` for its absence.
    pub value: Option<String>,
    /// How many of the selection have it.
    pub selected: u64,
    /// How many of the rest have it.
    pub rest: u64,
    /// G², by which differences are sorted.
    pub g2: f64,
    /// The share of the selection less that of the rest, and the 95 % interval around it.
    pub difference: f64,
    /// The lower end of the interval.
    pub low: f64,
    /// The upper end of the interval.
    pub high: f64,
    /// The chance that at least one of all values looked at differs so much when nothing does, at most 1.
    pub p: f64,
}

/// What a comparison came to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Differences {
    /// The largest ones, the most surprising first.
    pub differences: Vec<Difference>,
    /// How many things were selected.
    pub selected: u64,
    /// How many were not.
    pub rest: u64,
    /// How many values were looked at.
    pub looked_at: u64,
    /// How many features had no room: of too many values, or of too many attributes.
    pub left_out: u64,
}

impl Contrast {
    /// Adds a thing with its features. An attribute may have several values; one that is given twice counts once.
    pub fn add(
        &mut self,
        is_selected: bool,
        features: impl IntoIterator<Item = (String, Feature)>,
    ) {
        self.totals.add(is_selected);
        let mut seen: HashSet<(String, String)> = HashSet::new();
        let mut present: HashSet<String> = HashSet::new();
        for (name, feature) in features {
            let has_room = self.attributes.len() < ATTRIBUTES_MAX;
            if !has_room && !self.attributes.contains_key(&name) {
                self.left_out += 1;
                continue;
            }
            let attribute = self.attributes.entry(name.clone()).or_default();
            if present.insert(name.clone()) {
                attribute.present.add(is_selected);
            }
            match feature {
                Feature::Number(number, text) => {
                    attribute.numbers.push((number, text, is_selected));
                }
                Feature::Value(value) => {
                    if !seen.insert((name, value.clone())) {
                        continue;
                    }
                    let is_known = attribute.values.contains_key(&value);
                    if is_known || attribute.values.len() < VALUES_MAX {
                        attribute.values.entry(value).or_default().add(is_selected);
                    } else {
                        self.left_out += 1;
                    }
                }
            }
        }
    }

    /// The largest differences, at most so many.
    pub fn finish(self, limit: usize) -> Differences {
        let totals = self.totals;
        let mut found = Vec::new();
        let mut looked_at = 0;
        for (name, attribute) in self.attributes {
            for (value, pair) in attribute.counted(totals) {
                // What only one of them has, and what all have, tells nothing.
                if pair.all() < 2 || pair.all() == totals.all() {
                    continue;
                }
                looked_at += 1;
                found.push((name.clone(), value, pair));
            }
        }
        let factorials = LogFactorials::up_to(totals.all());
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
        let tests = looked_at as f64;
        let mut differences: Vec<Difference> = found
            .into_iter()
            .filter_map(|(attribute, value, pair)| {
                let table = [pair.selected, totals.selected, pair.rest, totals.rest];
                let (difference, low, high) = newcombe(table);
                (difference > 0.0).then(|| Difference {
                    attribute,
                    value,
                    selected: pair.selected,
                    rest: pair.rest,
                    g2: g_squared(table),
                    difference,
                    low,
                    high,
                    p: (factorials.at_least(table) * tests).min(1.0),
                })
            })
            .collect();
        differences.sort_by(|one, other| {
            let by_surprise = other.g2.total_cmp(&one.g2);
            let by_name = || (&one.attribute, &one.value).cmp(&(&other.attribute, &other.value));
            by_surprise.then_with(by_name)
        });
        differences.truncate(limit);
        Differences {
            differences,
            selected: totals.selected,
            rest: totals.rest,
            looked_at,
            left_out: self.left_out,
        }
    }
}

impl Attribute {
    /// Each of its values, and its absence, with how many have it.
    fn counted(mut self, totals: Pair) -> Vec<(Option<String>, Pair)> {
        let absent = Pair {
            selected: totals.selected - self.present.selected,
            rest: totals.rest - self.present.rest,
        };
        self.put_numbers_into_values();
        let mut counted: Vec<_> = self
            .values
            .into_iter()
            .map(|(value, pair)| (Some(value), pair))
            .collect();
        counted.sort_by(|one, other| one.0.cmp(&other.0));
        counted.push((None, absent));
        counted
    }

    fn put_numbers_into_values(&mut self) {
        let mut numbers = std::mem::take(&mut self.numbers);
        numbers.sort_by(|one, other| one.0.total_cmp(&other.0));
        let mut distinct: Vec<(f64, String)> = Vec::new();
        for (number, text, _) in &numbers {
            if distinct
                .last()
                .is_none_or(|(last, _)| last.total_cmp(number).is_ne())
            {
                distinct.push((*number, text.clone()));
            }
        }
        let of_all = |quarter: usize| numbers.get(numbers.len() * quarter / 4).cloned();
        let mut cuts: Vec<(f64, String)> = (1..4)
            .filter_map(of_all)
            .map(|(number, text, _)| (number, text))
            .collect();
        cuts.dedup_by(|one, other| one.0.total_cmp(&other.0).is_eq());
        for (number, text, is_selected) in numbers {
            let value = if distinct.len() <= NUMBERS_MAX {
                text
            } else {
                let below = cuts.partition_point(|(cut, _)| *cut <= number);
                let from = below.checked_sub(1).and_then(|below| cuts.get(below));
                match (from, cuts.get(below)) {
                    (None, Some((_, to))) => format!("below {to}"),
                    (Some((_, from)), Some((_, to))) => format!("{from} to below {to}"),
                    (Some((_, from)), None) => format!("{from} and above"),
                    (None, None) => text,
                }
            };
            self.values.entry(value).or_default().add(is_selected);
        }
    }
}
