//! Wire types and paths shared by daemon and terminal.
//!
//! Owns the JSON shapes of HTTP API v1. `Event` and `Decision` are wire types themselves and live in their own modules.

pub mod backtest;
pub mod browse;
pub mod causes;
pub mod find;
pub mod inevitable;
pub mod investigate;
pub mod minimal;
pub mod names;
pub mod notes;
pub mod ops;
pub mod pipeline;
pub mod problem;
pub mod time_travel;
pub mod undo;
pub mod verify;
pub mod warning;
pub mod what_if;
pub mod why;
pub mod world;
pub mod write;

use std::fmt::Write;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The items, in the order asked for.
    pub items: Vec<T>,
    /// Give it back as `cursor` for the next page; `null` at the end. May be set on a short or empty page when the scan
    /// budget was used up before the page was full.
    pub next_cursor: Option<String>,
    /// The log's head when the page was read.
    pub head: u64,
    /// How many entries were looked at to find these.
    #[serde(default)]
    pub scanned: u64,
    /// Whether the log is a redacted copy: some of what its events say is not what was recorded. Absent where it is not.
    #[serde(default, skip_serializing_if = "is_false")]
    pub redacted_copy: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks with a reference"
)]
pub(crate) fn is_false(flag: &bool) -> bool {
    !flag
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks with a reference"
)]
pub(crate) fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Percent-encodes one segment of a path.
pub fn segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

/// Reads a segment back; `None` where it is not percent-encoded UTF-8.
pub fn unsegment(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        out.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_percent_encoded() {
        assert_eq!(segment("user-a/b ü"), "user-a%2Fb%20%C3%BC");
        assert_eq!(unsegment("user-a%2fb%20%C3%BC").unwrap(), "user-a/b ü");
        assert!(unsegment("%4").is_none() && unsegment("%+1").is_none());
    }
}
