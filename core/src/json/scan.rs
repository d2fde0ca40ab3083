//! One pass over a JSON text: what serde accepts and could not be kept as it stands is refused, and white space dropped.
//!
//! Owns the refusals: a key twice in one object, a key that our JSON library keeps for itself, an unpaired surrogate, an
//! exponent too long to compare, nesting too deep to read back. Never judges syntax: the parser does.

use std::borrow::Cow;

use super::pointer_token;
use crate::number::exponent_fits;

/// Levels of objects and arrays that a text may have: what can be read back as a tree.
pub const DEPTH_MAX: usize = 127;
/// Characters of a pointer that a message repeats.
const POINTER_CHARS_MAX: usize = 64;
/// Objects with up to so many keys are searched for a repeated one pair by pair.
const FEW_KEYS: usize = 12;
/// Levels and keys that there is room for without allocating more: those of an event's envelope and a small payload.
const FRAMES_USUAL: usize = 4;
const KEYS_USUAL: usize = 32;
/// Keys by which our JSON library passes numbers and raw texts around; as data they would be taken for those.
const RESERVED: [&str; 2] = [
    "$serde_json::private::Number",
    "$serde_json::private::RawValue",
];

/// Why a JSON text cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unfit {
    /// It is not JSON; the parser says more.
    #[error("is not JSON")]
    Syntax,
    /// A key stands more than once in one object, so readers differ on what it says.
    #[error("the key at `{0}` is written more than once in its object")]
    DuplicateKey(String),
    /// A key that cannot be told from a number or raw text.
    #[error("the key at `{0}` is reserved and cannot be stored")]
    ReservedKey(String),
    /// A text with an unpaired surrogate, which is not a character.
    #[error(
        "the text at `{0}` has half a surrogate pair (`\\ud800` to `\\udfff`), which is not a character"
    )]
    LoneSurrogate(String),
    /// A number whose size cannot be told exactly.
    #[error("the number at `{0}` has an exponent of more than {max} digits", max = crate::number::EXPONENT_DIGITS_MAX)]
    Exponent(String),
    /// Too many levels of objects and arrays.
    #[error("`{0}` is nested deeper than {DEPTH_MAX} levels")]
    TooDeep(String),
}

impl Unfit {
    /// JSON Pointer of what cannot be taken, shortened; empty for the whole text.
    pub fn pointer(&self) -> &str {
        match self {
            Self::Syntax => "",
            Self::DuplicateKey(at)
            | Self::ReservedKey(at)
            | Self::LoneSurrogate(at)
            | Self::Exponent(at)
            | Self::TooDeep(at) => at,
        }
    }
}

/// Checks a text, and drops the white space between its tokens.
pub(super) fn compact(text: &str) -> Result<Cow<'_, str>, Unfit> {
    let mut scan = Scan::new(text);
    scan.run()?;
    Ok(match scan.out {
        None => Cow::Borrowed(text),
        Some(mut out) => {
            out.push_str(text.get(scan.copied..).unwrap_or_default());
            Cow::Owned(out)
        }
    })
}

struct Frame {
    /// Where the keys of this object begin in [`Scan::keys`].
    start: usize,
    /// The element that the scan is at, in an array.
    index: Option<usize>,
}

struct Scan<'a> {
    text: &'a str,
    at: usize,
    /// The text without white space up to `copied`; `None` as long as there was none.
    out: Option<String>,
    copied: usize,
    frames: Vec<Frame>,
    /// The keys of all open objects.
    keys: Vec<Cow<'a, str>>,
    expects_key: bool,
}

impl<'a> Scan<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            out: None,
            copied: 0,
            frames: Vec::with_capacity(FRAMES_USUAL),
            keys: Vec::with_capacity(KEYS_USUAL),
            expects_key: false,
        }
    }

    fn run(&mut self) -> Result<(), Unfit> {
        let bytes = self.text.as_bytes();
        while let Some(byte) = bytes.get(self.at) {
            match byte {
                b'"' => self.string()?,
                b'{' => self.open(None)?,
                b'[' => self.open(Some(0))?,
                b'}' | b']' => self.close()?,
                b',' => {
                    if let Some(frame) = self.frames.last_mut() {
                        match &mut frame.index {
                            Some(index) => *index += 1,
                            None => self.expects_key = true,
                        }
                    }
                    self.at += 1;
                }
                b' ' | b'\t' | b'\n' | b'\r' => self.drop_space(bytes),
                b'-' | b'0'..=b'9' => self.number(bytes)?,
                _ => self.at += 1,
            }
        }
        Ok(())
    }

    fn drop_space(&mut self, bytes: &[u8]) {
        let out = self
            .out
            .get_or_insert_with(|| String::with_capacity(self.text.len()));
        out.push_str(self.text.get(self.copied..self.at).unwrap_or_default());
        while matches!(bytes.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        self.copied = self.at;
    }

    fn number(&mut self, bytes: &[u8]) -> Result<(), Unfit> {
        let start = self.at;
        let mut has_exponent = false;
        while let Some(b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E') = bytes.get(self.at) {
            has_exponent |= matches!(bytes.get(self.at), Some(b'e' | b'E'));
            self.at += 1;
        }
        let number = self.text.get(start..self.at).unwrap_or_default();
        if has_exponent && !exponent_fits(number) {
            return Err(Unfit::Exponent(self.pointer()));
        }
        Ok(())
    }

    fn open(&mut self, index: Option<usize>) -> Result<(), Unfit> {
        if self.frames.len() == DEPTH_MAX {
            return Err(Unfit::TooDeep(self.pointer()));
        }
        self.expects_key = index.is_none();
        let start = self.keys.len();
        self.frames.push(Frame { start, index });
        self.at += 1;
        Ok(())
    }

    fn close(&mut self) -> Result<(), Unfit> {
        let Some(frame) = self.frames.last() else {
            return Err(Unfit::Syntax);
        };
        let start = frame.start;
        if let Some(key) = repeated(&mut self.keys[start..]) {
            // As if the scan were at that key.
            self.keys.truncate(start);
            self.keys.push(key);
            return Err(Unfit::DuplicateKey(self.pointer()));
        }
        self.keys.truncate(start);
        self.frames.pop();
        self.expects_key = false;
        self.at += 1;
        Ok(())
    }

    fn string(&mut self) -> Result<(), Unfit> {
        let bytes = self.text.as_bytes();
        let start = self.at + 1;
        let mut end = start;
        let (mut escaped, mut lone) = (false, false);
        loop {
            match bytes.get(end) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    let length = escape(bytes.get(end..).unwrap_or_default());
                    lone |= length.is_none();
                    end += length.unwrap_or(2);
                }
                Some(_) => end += 1,
                None => return Err(Unfit::Syntax),
            }
        }
        self.at = end + 1;
        if self.expects_key {
            self.expects_key = false;
            let raw = self.text.get(start..end).ok_or(Unfit::Syntax)?;
            let key = if escaped && !lone {
                let quoted = self.text.get(start - 1..=end).ok_or(Unfit::Syntax)?;
                Cow::Owned(serde_json::from_str(quoted).map_err(|_bad_escape| Unfit::Syntax)?)
            } else {
                Cow::Borrowed(raw)
            };
            let reserved = RESERVED.contains(&key.as_ref());
            self.keys.push(key);
            if reserved {
                return Err(Unfit::ReservedKey(self.pointer()));
            }
        }
        if lone {
            return Err(Unfit::LoneSurrogate(self.pointer()));
        }
        Ok(())
    }

    /// Where the scan is.
    fn pointer(&self) -> String {
        let mut out = String::new();
        for (depth, frame) in self.frames.iter().enumerate() {
            let end = match self.frames.get(depth + 1) {
                Some(inner) => inner.start,
                None => self.keys.len(),
            };
            out.push('/');
            match frame.index {
                Some(index) => out.push_str(&index.to_string()),
                None => match end.checked_sub(1).filter(|last| *last >= frame.start) {
                    Some(last) => out.push_str(&pointer_token(&self.keys[last])),
                    None => {
                        out.pop();
                    }
                },
            }
        }
        shortened(&out)
    }
}

/// A pointer as messages repeat it.
fn shortened(pointer: &str) -> String {
    if pointer.chars().count() <= POINTER_CHARS_MAX {
        return pointer.to_owned();
    }
    let mut short: String = pointer.chars().take(POINTER_CHARS_MAX - 1).collect();
    short.push('…');
    short
}

/// A key that stands in a list more than once.
fn repeated<'a>(keys: &mut [Cow<'a, str>]) -> Option<Cow<'a, str>> {
    if keys.len() > FEW_KEYS {
        keys.sort_unstable();
        return keys
            .windows(2)
            .find(|pair| pair[0] == pair[1])
            .map(|pair| pair[0].clone());
    }
    let mut rest: &[Cow<'a, str>] = keys;
    while let Some((key, others)) = rest.split_first() {
        if others.contains(key) {
            return Some(key.clone());
        }
        rest = others;
    }
    None
}

/// Length of the escape at the beginning of `bytes`; `None` for one that is half a surrogate pair.
fn escape(bytes: &[u8]) -> Option<usize> {
    let unit = |at: usize| {
        let hex = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u16::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()
    };
    match unit(0) {
        Some(0xd800..=0xdbff) => matches!(unit(6), Some(0xdc00..=0xdfff)).then_some(12),
        Some(0xdc00..=0xdfff) => None,
        _ => Some(2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_between_tokens_goes_and_everything_else_stays() {
        for (text, expected) in [
            (" { \"a b\" : [ 1 , \"\\\" \" ] }\n", r#"{"a b":[1,"\" "]}"#),
            ("[1,2]", "[1,2]"),
            ("\t1e5 ", "1e5"),
        ] {
            assert_eq!(compact(text).unwrap(), expected);
        }
    }

    #[test]
    fn what_cannot_be_kept_is_refused_with_its_place() {
        let many: Vec<String> = (0..20).map(|i| format!("\"k{}\":1", i % 19)).collect();
        let at = |text: &str| text.to_owned();
        let cases = [
            (at(r#"{"a":1,"a":2}"#), Unfit::DuplicateKey(at("/a"))),
            (
                at(r#"{"x":[0,{"ab":1,"c":{},"a\u0062":1}]}"#),
                Unfit::DuplicateKey(at("/x/1/ab")),
            ),
            (
                at(r#"{"a/b":{"~":{},"~":[]}}"#),
                Unfit::DuplicateKey(at("/a~1b/~0")),
            ),
            (at(r#"{"":1,"":1}"#), Unfit::DuplicateKey(at("/"))),
            (
                format!("{{{}}}", many.join(",")),
                Unfit::DuplicateKey(at("/k0")),
            ),
            (
                at(r#"{"n":{"$serde_json::private::Number":"1"}}"#),
                Unfit::ReservedKey(at("/n/$serde_json::private::Number")),
            ),
            (
                at(r#"{"$serde_json::private::RawV\u0061lue":"{}"}"#),
                Unfit::ReservedKey(at("/$serde_json::private::RawValue")),
            ),
            (
                at(r#"{"a":["x\ud800y"]}"#),
                Unfit::LoneSurrogate(at("/a/0")),
            ),
            (at(r#"["\udc00\ud800"]"#), Unfit::LoneSurrogate(at("/0"))),
            (
                at(r#"{"n":1e1000000000000000000}"#),
                Unfit::Exponent(at("/n")),
            ),
            (
                "[".repeat(128),
                Unfit::TooDeep(shortened(&"/0".repeat(127))),
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(compact(&text).unwrap_err(), expected, "{text}");
        }
        for fine in [
            r#"{"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}],"A":1}"#,
            r#"{"a":"\ud83d\ude00","b":"\\ud800"}"#,
        ] {
            assert_eq!(compact(fine).unwrap(), fine);
        }
    }

    #[test]
    fn a_long_pointer_is_shortened() {
        let key = "k".repeat(100);
        let found = compact(&format!("{{\"{key}\":1,\"{key}\":1}}"))
            .unwrap_err()
            .to_string();
        assert!(
            found.chars().count() < 130 && found.contains('…'),
            "{found}"
        );
    }

    #[test]
    fn any_text_is_read_or_refused() {
        for text in [
            "{",
            "}",
            "\"",
            "\"\\",
            "\"\\u",
            "]]",
            "{\"a",
            "{\"\\x\":1,",
            "-",
            "ü{\"ü",
            "nul",
        ] {
            let _read_or_refused = compact(text);
        }
    }
}
