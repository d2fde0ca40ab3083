//! Numbers, sameness, diffs and search over 10,000 random histories, against an account of their own: a JSON of its own,
//! decimals as lists of digits that are added up column by column, and a search through every text there is.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, and prints its seed"
)]

use std::cmp::Ordering;
use std::fmt::Write as _;

use serde_json::{Map, Number, Value};
use whodunit_core::diff::{apply, diff, revert};
use whodunit_core::event::Event;
use whodunit_core::fold::{EventEffect, Folded};
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::json::Json;
use whodunit_core::merge;
use whodunit_core::number;
use whodunit_core::same::{same, same_text};
use whodunit_core::search::Search;
use whodunit_core::time::Timestamp;

const HISTORIES: u64 = 10_000;
const SEED: u64 = 0x5eed_0007;

/// `SplitMix64`.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> usize {
        usize::try_from(self.next() % bound).unwrap()
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64)]
    }
}

/// A decimal: digits of a whole number, most significant first, times ten to the power.
#[derive(Debug, Clone)]
struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    power: i32,
}

#[derive(Debug, Clone)]
enum Own {
    Null,
    Bool(bool),
    Number(Decimal),
    Text(String),
    List(Vec<Own>),
    Object(Vec<(String, Own)>),
}

impl Decimal {
    fn random(random: &mut Random) -> Self {
        // Few values, so that equal ones meet; now and then beyond 64 bits or 17 digits.
        let digits: &[u8] = random.pick::<&[u8]>(&[
            b"0",
            b"1",
            b"10",
            b"100",
            b"199",
            b"18446744073709551616",
            b"18446744073709551617",
            b"1234567890123456789012345678901",
            b"1234567890123456789012345678902",
        ]);
        Self {
            negative: random.below(4) == 0,
            digits: digits.iter().map(|digit| digit - b'0').collect(),
            power: i32::try_from(random.below(7)).unwrap() - 3,
        }
    }

    /// Reads what serde or we wrote, digit by digit.
    fn read(text: &str) -> Self {
        let (mut digits, mut power, mut after_point) = (Vec::new(), 0_i32, false);
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        for c in mantissa.chars() {
            match c.to_digit(10) {
                Some(digit) => {
                    digits.push(u8::try_from(digit).unwrap());
                    power -= i32::from(after_point);
                }
                None => after_point |= c == '.',
            }
        }
        Self {
            negative: text.starts_with('-'),
            digits,
            power: power + exponent.parse::<i32>().unwrap(),
        }
    }

    /// In units of ten to the power of -40, as a number of 120 columns.
    fn columns(&self) -> Vec<u8> {
        let mut columns = vec![0; 120];
        let first = usize::try_from(self.power + 40).unwrap();
        for (at, digit) in (first..).zip(self.digits.iter().rev()) {
            columns[at] = *digit;
        }
        columns.reverse();
        columns
    }

    fn cmp(&self, other: &Self) -> Ordering {
        let (a, b) = (self.columns(), other.columns());
        let zero = |columns: &[u8]| columns.iter().all(|digit| *digit == 0);
        match (self.negative && !zero(&a), other.negative && !zero(&b)) {
            (false, false) => a.cmp(&b),
            (true, true) => b.cmp(&a),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }

    /// One of its spellings.
    fn write(&self, random: &mut Random, out: &mut String) {
        if self.negative {
            out.push('-');
        }
        let mut digits: String = self.digits.iter().map(|d| char::from(b'0' + d)).collect();
        let mut power = self.power;
        for _ in 0..random.below(3) {
            if digits != "0" {
                digits.push('0');
                power -= 1;
            }
        }
        let point = random.below(digits.len() as u64 + 1);
        if point > 0 && point < digits.len() {
            power += i32::try_from(digits.len() - point).unwrap();
            digits.insert(point, '.');
        }
        out.push_str(&digits);
        if power != 0 || random.below(4) == 0 {
            out.push(*random.pick(&['e', 'E']));
            if power >= 0 && random.below(2) == 0 {
                out.push('+');
            }
            write!(out, "{power}").unwrap();
        }
    }
}

impl Own {
    fn random(random: &mut Random, depth: u64) -> Self {
        match random.below(if depth == 0 { 5 } else { 8 }) {
            0 => Self::Null,
            1 => Self::Bool(random.below(2) == 0),
            2 | 3 => Self::Number(Decimal::random(random)),
            4 => Self::Text(text(random)),
            5 => {
                let with_id = random.below(2) == 0;
                let items = (0..random.below(5)).map(|_| {
                    if with_id {
                        let id = Self::Text(random.pick(&["a", "b", "c", "d", "e"]).to_string());
                        let rest = Self::random(random, 0);
                        Self::Object(vec![("id".to_owned(), id), ("x".to_owned(), rest)])
                    } else {
                        Self::random(random, depth - 1)
                    }
                });
                Self::List(items.collect())
            }
            _ => Self::object(random, depth - 1),
        }
    }

    fn object(random: &mut Random, depth: u64) -> Self {
        let mut fields: Vec<(String, Self)> = Vec::new();
        for _ in 0..random.below(4) {
            let key = text(random);
            if fields.iter().all(|(known, _)| *known != key) {
                fields.push((key, Self::random(random, depth)));
            }
        }
        Self::Object(fields)
    }

    fn from_value(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => Self::Number(Decimal::read(number.as_str())),
            Value::String(text) => Self::Text(text.clone()),
            Value::Array(items) => Self::List(items.iter().map(Self::from_value).collect()),
            Value::Object(map) => Self::of_map(map),
        }
    }

    fn of_map(map: &Map<String, Value>) -> Self {
        Self::Object(
            map.iter()
                .map(|(key, value)| (key.clone(), Self::from_value(value)))
                .collect(),
        )
    }

    fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Number(a), Self::Number(b)) => a.cmp(b) == Ordering::Equal,
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::List(a), Self::List(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.equals(b))
            }
            (Self::Object(a), Self::Object(b)) => {
                a.len() == b.len()
                    && a.iter()
                        .all(|(key, a)| b.iter().any(|(other, b)| key == other && a.equals(b)))
            }
            _ => false,
        }
    }

    /// RFC 7396, on fields in no particular order.
    fn patch(&mut self, change: &Self) {
        let Self::Object(change) = change else {
            *self = change.clone();
            return;
        };
        if !matches!(self, Self::Object(_)) {
            *self = Self::Object(Vec::new());
        }
        let Self::Object(fields) = self else {
            unreachable!()
        };
        for (key, value) in change {
            if matches!(value, Self::Null) {
                fields.retain(|(known, _)| known != key);
                continue;
            }
            if fields.iter().all(|(known, _)| known != key) {
                fields.push((key.clone(), Self::Null));
            }
            let slot = fields.iter_mut().find(|(known, _)| known == key).unwrap();
            slot.1.patch(value);
        }
    }

    /// One of its spellings: order of keys, white space, escapes, numbers.
    fn write(&self, random: &mut Random, out: &mut String) {
        let space = |random: &mut Random, out: &mut String| {
            out.push_str(random.pick::<&str>(&["", "", "", " ", "\n\t"]));
        };
        space(random, out);
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => write!(out, "{value}").unwrap(),
            Self::Number(number) => number.write(random, out),
            Self::Text(text) => write_text(text, random, out),
            Self::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    out.push(if index == 0 { '[' } else { ',' });
                    item.write(random, out);
                }
                out.push_str(if items.is_empty() { "[]" } else { "]" });
            }
            Self::Object(fields) => {
                let first = random.below(fields.len().max(1) as u64);
                let turned = fields[first..].iter().chain(&fields[..first]);
                for (index, (key, value)) in turned.enumerate() {
                    out.push(if index == 0 { '{' } else { ',' });
                    write_text(key, random, out);
                    space(random, out);
                    out.push(':');
                    value.write(random, out);
                }
                out.push_str(if fields.is_empty() { "{}" } else { "}" });
            }
        }
        space(random, out);
    }

    fn json(&self, random: &mut Random) -> Json {
        let mut out = String::new();
        self.write(random, &mut out);
        Json::parse(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
    }

    /// Every key and text there is.
    fn texts<'a>(&'a self, out: &mut Vec<&'a str>) {
        match self {
            Self::Text(text) => out.push(text),
            Self::List(items) => items.iter().for_each(|item| item.texts(out)),
            Self::Object(fields) => {
                for (key, value) in fields {
                    out.push(key);
                    value.texts(out);
                }
            }
            Self::Null | Self::Bool(_) | Self::Number(_) => {}
        }
    }
}

const LETTERS: [char; 16] = [
    'a', 'B', 'ü', 'Ü', 'é', '"', '\\', '/', ':', ',', '{', ']', '\n', '😀', ' ', '~',
];

fn text(random: &mut Random) -> String {
    (0..random.below(4))
        .map(|_| *random.pick(&LETTERS))
        .collect()
}

fn write_text(text: &str, random: &mut Random, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match (c, random.below(3)) {
            ('"' | '\\', 0 | 1) => out.extend(['\\', c]),
            ('/', 0) => out.push_str("\\/"),
            ('\n', 0 | 1) => out.push_str("\\n"),
            (_, 0 | 1) => out.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(out, "\\u{unit:04x}").unwrap();
                }
            }
        }
    }
    out.push('"');
}

fn check_search(random: &mut Random, own: &Own, json: &Json) {
    let mut texts = Vec::new();
    own.texts(&mut texts);
    let wanted: String = match random.below(2) {
        0 => text(random),
        _ => random
            .pick(&texts.iter().copied().chain(["a"]).collect::<Vec<_>>())
            .to_string(),
    };
    let Some(search) = Search::new(&wanted.to_uppercase()) else {
        assert!(wanted.is_empty());
        return;
    };
    let folded = wanted.to_lowercase();
    let expected = texts
        .iter()
        .any(|text| text.to_lowercase().contains(&folded));
    // Numbers hold none of the letters but for an exponent's.
    assert_eq!(search.in_json(json), expected, "{wanted:?} in {json:?}");
}

fn check_numbers(random: &mut Random) {
    let [a, b] = [0, 1].map(|_| Decimal::random(random));
    let mut number = |decimal: &Decimal| {
        let mut out = String::new();
        decimal.write(random, &mut out);
        let number: Number = serde_json::from_str(&out).unwrap();
        assert_eq!(Decimal::read(number.as_str()).cmp(decimal), Ordering::Equal);
        number
    };
    let (x, y) = (number(&a), number(&b));
    assert_eq!(number::compare(&x, &y), a.cmp(&b), "{x} {y}");
    let spelt_alike = number::canonical(&x) == number::canonical(&y);
    assert_eq!(spelt_alike, a.cmp(&b) == Ordering::Equal, "{x} {y}");
}

fn event(revision: u64, at: i64, data: Json) -> Event {
    Event {
        position: Position(revision),
        stream: StreamName::new("thing-1").unwrap(),
        revision: Revision(revision),
        event_id: format!("e{revision}"),
        event_type: "Changed".to_owned(),
        schema_version: 1,
        recorded_at: Timestamp::from_micros(at),
        actor: None,
        reason: None,
        correlation_id: None,
        causation_id: None,
        data,
        metadata: None,
    }
}

fn check_history(random: &mut Random) {
    let model = merge::model();
    let mut folded = Folded::start(&model);
    let mut own = Own::Object(Vec::new());
    let mut states = vec![(folded.state.clone(), own.clone())];
    let mut at = 0;
    for revision in 1..=1 + random.below(6) as u64 {
        // The clock goes back as often as forward.
        at += i64::try_from(random.below(100)).unwrap() - 50;
        let change = Own::object(random, 3);
        let data = change.json(random);
        assert!(same_text(&data, &change.json(random)), "{data:?}");
        check_search(random, &change, &data);
        own.patch(&change);
        assert_eq!(
            folded.push(&model, &event(revision, at, data)),
            EventEffect::Applied
        );
        assert!(Own::of_map(&folded.state).equals(&own), "{own:?}");
        states.push((folded.state.clone(), own.clone()));
    }
    let (before, own_before) = random.pick(&states);
    let (after, own_after) = random.pick(&states);
    let entries = diff(before, after);
    let equal = own_before.equals(own_after);
    assert_eq!(entries.is_empty(), equal);
    let whole = |state: &Map<String, Value>| Value::Object(state.clone());
    assert_eq!(same(&whole(before), &whole(after)), equal);
    let forth = apply(before, &entries).unwrap();
    assert!(
        Own::of_map(&forth).equals(own_after),
        "{before:?} {after:?} {entries:?}"
    );
    let back = revert(after, &entries).unwrap();
    assert!(
        Own::of_map(&back).equals(own_before),
        "{before:?} {after:?} {entries:?}"
    );
}

#[test]
fn values_mean_what_an_account_of_their_own_says() {
    println!("seed {SEED:#x}");
    for history in 0..HISTORIES {
        let mut random = Random(SEED ^ history.wrapping_mul(0x9e37_79b9));
        check_numbers(&mut random);
        check_history(&mut random);
    }
}

#[test]
fn a_mapped_number_keeps_its_digits() {
    let mapping = whodunit_core::mapping::Mapping::parse(
        "[[rule]]\nstream = \"wallet-{/w}\"\ntype = \"Changed\"\ndata = { wei = \"{/wei}\", rate = \"{/rate}\", text = \"{text(/wei)}\", limit = 0.12345678901234567890123 }",
    )
    .unwrap();
    let record: Value = whodunit_core::json::read(
        r#"{"w":"w1","wei":12345678901234567890123,"rate":0.1234567890123456789}"#,
    )
    .unwrap();
    let applied = format!("{:?}", mapping.apply(&record).unwrap());
    let data = r#"{"wei":12345678901234567890123,"rate":0.1234567890123456789,"text":"12345678901234567890123","limit":0.12345678901234567890123}"#;
    assert!(applied.contains(data), "{applied}");
}
