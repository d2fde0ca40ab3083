//! Random JSON with an account of its own: decimals as lists of digits, objects as lists of fields, and every spelling of them.

#![allow(dead_code, reason = "each test that takes this in uses a part of it")]

use std::cmp::Ordering;
use std::fmt::Write as _;

use serde_json::{Map, Value};
use whodunit_core::event::Event;
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::json::Json;
use whodunit_core::time::Timestamp;

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

    pub(crate) fn below(&mut self, bound: u64) -> usize {
        usize::try_from(self.next() % bound).unwrap()
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64)]
    }
}

/// A decimal: digits of a whole number, most significant first, times ten to the power.
#[derive(Debug, Clone)]
pub(crate) struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    power: i32,
}

#[derive(Debug, Clone)]
pub(crate) enum Own {
    Null,
    Bool(bool),
    Number(Decimal),
    Text(String),
    List(Vec<Own>),
    Object(Vec<(String, Own)>),
}

impl Decimal {
    pub(crate) fn random(random: &mut Random) -> Self {
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
    pub(crate) fn read(text: &str) -> Self {
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
    pub(crate) fn columns(&self) -> Vec<u8> {
        let mut columns = vec![0; 120];
        let first = usize::try_from(self.power + 40).unwrap();
        for (at, digit) in (first..).zip(self.digits.iter().rev()) {
            columns[at] = *digit;
        }
        columns.reverse();
        columns
    }

    pub(crate) fn cmp(&self, other: &Self) -> Ordering {
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
    pub(crate) fn write(&self, random: &mut Random, out: &mut String) {
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
    pub(crate) fn random(random: &mut Random, depth: u64) -> Self {
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

    pub(crate) fn object(random: &mut Random, depth: u64) -> Self {
        let mut fields: Vec<(String, Self)> = Vec::new();
        for _ in 0..random.below(4) {
            let key = text(random);
            if fields.iter().all(|(known, _)| *known != key) {
                fields.push((key, Self::random(random, depth)));
            }
        }
        Self::Object(fields)
    }

    pub(crate) fn from_value(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => Self::Number(Decimal::read(number.as_str())),
            Value::String(text) => Self::Text(text.clone()),
            Value::Array(items) => Self::List(items.iter().map(Self::from_value).collect()),
            Value::Object(map) => Self::of_map(map),
        }
    }

    pub(crate) fn of_map(map: &Map<String, Value>) -> Self {
        Self::Object(
            map.iter()
                .map(|(key, value)| (key.clone(), Self::from_value(value)))
                .collect(),
        )
    }

    pub(crate) fn equals(&self, other: &Self) -> bool {
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
    pub(crate) fn patch(&mut self, change: &Self) {
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
    pub(crate) fn write(&self, random: &mut Random, out: &mut String) {
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

    pub(crate) fn json(&self, random: &mut Random) -> Json {
        let mut out = String::new();
        self.write(random, &mut out);
        Json::parse(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
    }

    /// Every key and text there is.
    pub(crate) fn texts<'a>(&'a self, out: &mut Vec<&'a str>) {
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

pub(crate) const LETTERS: [char; 16] = [
    'a', 'B', 'ü', 'Ü', 'é', '"', '\\', '/', ':', ',', '{', ']', '\n', '😀', ' ', '~',
];

pub(crate) fn text(random: &mut Random) -> String {
    (0..random.below(4))
        .map(|_| *random.pick(&LETTERS))
        .collect()
}

pub(crate) fn write_text(text: &str, random: &mut Random, out: &mut String) {
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

pub(crate) fn event(revision: u64, at: i64, data: Json) -> Event {
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
