//! Random predicates and what they are evaluated over, from a seed.
//!
//! Owns the generator. Each pair has the predicate in our spelling and in CEL's, where a JSON Pointer and `was(…)` are written out.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

/// `SplitMix64`.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap_or_default()]
    }
}

pub(crate) struct Pair {
    pub(crate) state: Map<String, Value>,
    pub(crate) before: Map<String, Value>,
    /// In our spelling.
    pub(crate) ours: String,
    /// In CEL's.
    #[allow(dead_code, reason = "read where the outcomes are written")]
    pub(crate) cel: String,
}

const KEYS: [&str; 5] = ["a", "b", "c", "d", "key with space"];
const TEXTS: [&str; 7] = ["", "a", "ab", "B", "é", "job:x", "a\"\\b"];

pub(crate) fn value(random: &mut Random, depth: u64) -> Value {
    match random.below(if depth == 0 { 6 } else { 9 }) {
        0 => Value::Null,
        1 => Value::Bool(random.below(2) == 0),
        2 => json!(i64::try_from(random.below(6)).unwrap_or_default() - 2),
        3 => json!([0.5, 1.0, 2.25, -1.5][usize::try_from(random.below(4)).unwrap_or_default()]),
        4 | 5 => Value::from(random.pick(&TEXTS)),
        6 => {
            let items = random.below(4);
            Value::Array((0..items).map(|_| value(random, depth - 1)).collect())
        }
        _ => Value::Object(object(random, depth - 1)),
    }
}

/// An object: most of its fields are there, and most of them of the type that predicates expect.
pub(crate) fn object(random: &mut Random, depth: u64) -> Map<String, Value> {
    let mut map = Map::new();
    for key in KEYS {
        if random.below(6) == 0 {
            continue;
        }
        let inner = match (random.below(6), key) {
            (0, _) => value(random, depth),
            (_, "a" | "key with space") => Value::from(random.pick(&TEXTS)),
            (_, "b") => json!([-2, 0, 1, 2][usize::try_from(random.below(4)).unwrap_or_default()]),
            (_, "c") if depth > 0 => {
                let items = random.below(4);
                let item = |random: &mut Random| match random.below(3) {
                    0 => Value::from(random.pick(&TEXTS)),
                    _ => Value::Object(object(random, depth - 1)),
                };
                Value::Array((0..items).map(|_| item(random)).collect())
            }
            (_, "d") if depth > 0 => Value::Object(object(random, depth - 1)),
            _ => value(random, 0),
        };
        map.insert(key.to_owned(), inner);
    }
    map
}

/// A pair of this seed.
pub(crate) fn pair(seed: u64) -> Pair {
    let mut random = Random(seed);
    let (state, before) = (object(&mut random, 3), object(&mut random, 3));
    let mut text = Text::default();
    text.condition(&mut random, 3);
    Pair {
        state,
        before,
        ours: text.ours,
        cel: text.cel,
    }
}

/// A predicate as it is written, in both spellings.
#[derive(Default)]
struct Text {
    ours: String,
    cel: String,
    variables: Vec<String>,
}

impl Text {
    fn both(&mut self, text: &str) {
        self.ours.push_str(text);
        self.cel.push_str(text);
    }

    fn condition(&mut self, random: &mut Random, depth: u64) {
        if depth == 0 {
            return self.simple(random);
        }
        match random.below(12) {
            0 | 1 => self.joined(random, " && ", depth),
            2 | 3 => self.joined(random, " || ", depth),
            4 => {
                self.both("!(");
                self.condition(random, depth - 1);
                self.both(")");
            }
            5 => {
                self.both("(");
                self.condition(random, depth - 1);
                self.both(" ? ");
                self.joined(random, " || ", depth);
                self.both(" : ");
                self.condition(random, depth - 1);
                self.both(")");
            }
            6 | 7 => {
                let variable = ["v", "w", "x"][self.variables.len().min(2)];
                self.path(random, &["c", "c", "d"]);
                let quantifier = random.pick(&["exists", "all", "exists_one"]);
                self.both(&format!(".{quantifier}({variable}, "));
                self.variables.push(variable.to_owned());
                self.condition(random, depth - 1);
                self.variables.pop();
                self.both(")");
            }
            _ => self.simple(random),
        }
    }

    fn joined(&mut self, random: &mut Random, sign: &str, depth: u64) {
        self.both("(");
        self.condition(random, depth - 1);
        for _ in 0..=random.below(2) {
            self.both(sign);
            self.condition(random, depth - 1);
        }
        self.both(")");
    }

    fn simple(&mut self, random: &mut Random) {
        match random.below(12) {
            0 | 1 => {
                self.path(random, &["a", "b", "c", "d"]);
                self.both(random.pick(&[" == ", " != "]));
                if random.below(3) == 0 {
                    self.path(random, &["a", "b", "c", "d"]);
                } else {
                    self.constant(random);
                }
            }
            2 | 3 => {
                self.path(random, &["b"]);
                self.both(random.pick(&[" < ", " <= ", " > ", " >= "]));
                self.both(random.pick(&["0", "1", "-1", "0.5", "1.0", "-2.25e0", "'a'"]));
            }
            4 => {
                self.both("has(");
                self.field(random);
                self.both(")");
            }
            5 => self.is_in(random),
            6 => {
                let key = random.pick(&KEYS);
                self.both(&format!("\"{key}\" in "));
                self.path(random, &["c", "d", "d"]);
            }
            7 => {
                self.path(random, &["a"]);
                let method = random.pick(&["startsWith", "endsWith", "contains"]);
                let part = random.pick(&["\"\"", "\"a\"", "'b'", "\"job:\""]);
                self.both(&format!(".{method}({part})"));
            }
            8 => {
                self.path(random, &["a"]);
                let pattern = random.pick(&["^a", "b$", ".", "^job:[x-z]$", r"\\W"]);
                self.both(&format!(".matches(\"{pattern}\")"));
            }
            9 => {
                self.path(random, &["a"]);
                self.both(random.pick(&[" < ", " >= "]));
                self.path(random, &["a"]);
            }
            _ => {
                self.both("size(");
                self.path(random, &["a", "c", "d"]);
                let sign = random.pick(&[" == ", " < ", " >= "]);
                self.both(&format!("){sign}{}", random.below(4)));
            }
        }
    }

    fn is_in(&mut self, random: &mut Random) {
        self.path(random, &["a", "b"]);
        self.both(" in [");
        for index in 0..random.below(4) {
            if index > 0 {
                self.both(", ");
            }
            if random.below(4) == 0 {
                self.path(random, &["a", "b"]);
            } else {
                self.constant(random);
            }
        }
        self.both("]");
    }

    /// A root or a variable.
    fn base(&mut self, random: &mut Random) {
        match self.variables.last().cloned() {
            Some(variable) if random.below(2) == 0 => self.both(&variable),
            _ => self.both(random.pick(&["state", "state", "before"])),
        }
    }

    fn field(&mut self, random: &mut Random) {
        let key = random.pick(&["a", "b", "c"]);
        if random.below(4) == 0 {
            let outer = random.pick(&["a", "b"]);
            write!(self.ours, "/{outer}/{key}").unwrap_or_default();
            write!(self.cel, "state.{outer}.{key}").unwrap_or_default();
            return;
        }
        self.base(random);
        if random.below(3) == 0 {
            self.both(random.pick(&[".a", "[\"b\"]", "[\"key with space\"]"]));
        }
        self.both(&format!(".{key}"));
    }

    /// A path whose last key is one of these, mostly.
    fn path(&mut self, random: &mut Random, keys: &[&str]) {
        let key = random.pick(keys);
        match random.below(10) {
            0 => {
                write!(self.ours, "was(\"/{key}\")").unwrap_or_default();
                write!(self.cel, "before.{key}").unwrap_or_default();
            }
            1 => {
                write!(self.ours, "/{key}").unwrap_or_default();
                write!(self.cel, "state.{key}").unwrap_or_default();
            }
            2 => {
                self.base(random);
                self.both(random.pick(&[
                    "",
                    ".c[0]",
                    ".c[1]",
                    ".c[-1]",
                    "[\"a\"]",
                    ".c[size(state)]",
                ]));
            }
            way => {
                self.base(random);
                if way == 3 {
                    self.both(random.pick(&[".d", "[\"d\"]", ".c[0]"]));
                }
                if random.below(4) == 0 {
                    self.both(&format!("[\"{key}\"]"));
                } else {
                    self.both(&format!(".{key}"));
                }
            }
        }
    }

    fn constant(&mut self, random: &mut Random) {
        self.both(random.pick(&[
            "null",
            "true",
            "false",
            "0",
            "1",
            "-2",
            "1.0",
            "0.5",
            "2.25e0",
            "\"\"",
            "\"a\"",
            "'ab'",
            "r'B'",
            "\"\\u00e9\"",
            "\"job:x\"",
            "[]",
            "[1, \"a\"]",
            "[1.0, 'a']",
        ]));
    }
}
