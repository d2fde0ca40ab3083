//! Detection of other file formats (gzip, XML, CSV, a JSON array, a pretty-printed document) by their first bytes.
//!
//! Owns the sentences that say what such a file is and what to do about it: an error for each line would say neither.

use serde::de::IgnoredAny;
use serde_json::Value;

/// How many bytes of a file are enough to tell.
pub const SNIFFED_BYTES: usize = 64 << 10;
/// The share of a record, in percent, that a list must be for the record to be a document around it.
const LIST_PERCENT: usize = 60;
/// The same, where the list does not stand in the record itself.
const DEEP_LIST_PERCENT: usize = 80;
/// How deep in a document its list of records may stand to be found.
const DOCUMENT_DEPTH_MAX: usize = 4;
/// Formats by the bytes they begin with.
const MAGIC: [(&[u8], &str); 21] = [
    (
        b"\x1f\x8b",
        "the file is compressed with gzip: unpack it first, as in `gunzip -c FILE | whodunit import -`",
    ),
    (
        b"\x28\xb5\x2f\xfd",
        "the file is compressed with zstd: unpack it first, as in `zstd -dc FILE | whodunit import -`",
    ),
    (
        b"BZh",
        "the file is compressed with bzip2: unpack it first, as in `bunzip2 -c FILE | whodunit import -`",
    ),
    (
        b"\xfd7zXZ\0",
        "the file is compressed with xz: unpack it first, as in `xz -dc FILE | whodunit import -`",
    ),
    (
        b"\x04\x22\x4d\x18",
        "the file is compressed with lz4: unpack it first, as in `lz4 -dc FILE | whodunit import -`",
    ),
    (
        b"PK\x03\x04",
        "the file is a zip archive: unpack it first, and import the files in it",
    ),
    (
        b"PK\x05\x06",
        "the file is a zip archive without anything in it",
    ),
    (
        b"Rar!",
        "the file is a RAR archive: unpack it first, and import the files in it",
    ),
    (
        b"\x1f\x9d",
        "the file is compressed with compress: unpack it first, as in `uncompress -c FILE | whodunit import -`",
    ),
    (
        b"LZIP",
        "the file is compressed with lzip: unpack it first, as in `lzip -dc FILE | whodunit import -`",
    ),
    (
        b"{\"whodunit_backup\":",
        "the file is a backup, not an export: make a store of it with `whodunit restore FILE FOLDER`",
    ),
    (
        b"PGDMP",
        "the file is a dump of a PostgreSQL database: write its rows as JSON first, one a line, as in `COPY (SELECT row_to_json(e) FROM events e) TO STDOUT`",
    ),
    (
        b"7z\xbc\xaf\x27\x1c",
        "the file is a 7z archive: unpack it first, and import the files in it",
    ),
    (
        b"PAR1",
        "the file is Parquet: write its rows as JSON first, one a line",
    ),
    (
        b"ORC",
        "the file is ORC: write its rows as JSON first, one a line",
    ),
    (
        b"ARROW1",
        "the file is Arrow: write its rows as JSON first, one a line",
    ),
    (
        b"Obj\x01",
        "the file is Avro: write its records as JSON first, one a line, as in `avro-tools tojson FILE | whodunit import -`",
    ),
    (
        b"SQLite format 3\0",
        "the file is a SQLite database: write the rows as JSON first, one a line",
    ),
    (
        b"redb\x1a\x0a\xa9\x0d\x0a",
        "the file is a store, not an export: look at it with `whodunit open FOLDER`",
    ),
    (
        b"%PDF",
        "the file is a PDF: records must be JSON, one a line",
    ),
    (
        b"---\n",
        "the file is YAML: write its records as JSON first, one a line, as in `yq -o json -I 0 FILE | whodunit import -`",
    ),
];
const UTF_16: &str = "the file is UTF-16: convert it first, as in `iconv -f UTF-16 -t UTF-8 FILE | whodunit import -`";
const UTF_32: &str = "the file is UTF-32: convert it first, as in `iconv -f UTF-32 -t UTF-8 FILE | whodunit import -`";
const ZEROS: &str = "the file begins with zero bytes: its beginning was lost, or it is not text";
const TAR: &str = "the file is a tar archive: unpack it first, and import the files in it, as in `tar -xOf FILE | whodunit import -`";
const BINARY: &str =
    "the file is binary, in a format that is not known here: records must be JSON, one a line";
const SEQUENCE: &str = "the file is a JSON text sequence (RFC 7464): take its marks out first, as in \
     `tr -d '\\036' < FILE | whodunit import -`";
const CONCATENATED: &str = "the file has several JSON values on one line: write each on a line of its own first, as in \
     `jq -c . FILE | whodunit import -`";
const COMMAS: &str = "the lines of the file end with commas: take them away first, as in \
     `sed 's/,[[:space:]]*$//' FILE | whodunit import -`";
const CARRIAGE_RETURNS: &str = "the lines of the file end with carriage returns alone: convert them first, as in \
     `tr '\\r' '\\n' < FILE | whodunit import -`";
/// Where the name of its format stands in a tar archive.
const TAR_NAME: std::ops::Range<usize> = 257..262;
const XML: &str = "the file is XML or HTML: records must be JSON, one a line";
const ARRAY: &str = "the file is one JSON array: write its elements one a line first, as in `jq -c '.[]' FILE | whodunit import -`";
const PRETTY: &str = "the file is JSON spread over several lines: write each record on one line first, as in \
     `jq -c . FILE | whodunit import -`";
const CSV: &str = "the file looks like CSV: write its rows as JSON first, one a line, as in \
     `mlr --icsv --ojsonl cat FILE | whodunit import -`";
const TEXT: &str = "the file is text, but not JSON: records must be JSON, one a line";

/// What a file is that is no file of JSON records, by its first bytes; `whole` says that they are all there are.
pub fn foreign(first: &[u8], whole: bool) -> Option<String> {
    if let Some((_, said)) = MAGIC.iter().find(|(magic, _)| first.starts_with(magic)) {
        return Some((*said).to_owned());
    }
    if first.get(TAR_NAME) == Some(b"ustar".as_slice()) {
        return Some(TAR.to_owned());
    }
    if first.len() >= 16 && first.iter().take(16).all(|byte| *byte == 0) {
        return Some(ZEROS.to_owned());
    }
    if first.starts_with(b"\xff\xfe\0\0") || first.starts_with(b"\0\0\xfe\xff") {
        return Some(UTF_32.to_owned());
    }
    if is_utf_16(first) {
        return Some(UTF_16.to_owned());
    }
    let first = first.strip_prefix("\u{feff}".as_bytes()).unwrap_or(first);
    let text = String::from_utf8_lossy(first);
    let text = text.trim_start();
    let mut lines = Lines { text, whole };
    let one = lines.next()?;
    let two = lines.next();
    match one.text.chars().next()? {
        '\u{1e}' => Some(SEQUENCE.to_owned()),
        '<' if is_markup(one.text) => Some(XML.to_owned()),
        _ if is_binary(one.text) => Some(BINARY.to_owned()),
        '[' => array(one, two),
        '{' => object(text, one, two),
        _ => plain(one, two, lines.next()),
    }
}

/// Lines that are not blank.
struct Lines<'a> {
    text: &'a str,
    whole: bool,
}

#[derive(Clone, Copy)]
struct FirstLine<'a> {
    text: &'a str,
    /// Whether its end is known.
    complete: bool,
}

impl FirstLine<'_> {
    fn is_json(&self) -> bool {
        serde_json::from_str::<IgnoredAny>(self.text).is_ok()
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = FirstLine<'a>;

    fn next(&mut self) -> Option<FirstLine<'a>> {
        self.text = self.text.trim_start();
        if self.text.is_empty() {
            return None;
        }
        let (line, complete) = match self.text.split_once('\n') {
            Some((line, rest)) => {
                self.text = rest;
                (line, true)
            }
            None => (std::mem::take(&mut self.text), self.whole),
        };
        Some(FirstLine {
            text: line.trim(),
            complete,
        })
    }
}

fn is_utf_16(first: &[u8]) -> bool {
    let zero_every_other = |from: usize| {
        let some = first.get(..16).unwrap_or(first);
        some.len() >= 4 && some.iter().skip(from).step_by(2).all(|byte| *byte == 0)
    };
    first.starts_with(b"\xff\xfe")
        || first.starts_with(b"\xfe\xff")
        || zero_every_other(0)
        || zero_every_other(1)
}

fn array(one: FirstLine<'_>, two: Option<FirstLine<'_>>) -> Option<String> {
    let inner = one.text.get(1..).unwrap_or_default().trim_start();
    let begins = inner.is_empty() || inner.starts_with(['{', '[', '"', ']']);
    if one.is_json() {
        // Records that are arrays themselves stand one a line.
        return two.is_none().then(|| ARRAY.to_owned());
    }
    if begins {
        return Some(ARRAY.to_owned());
    }
    plain(one, two, None)
}

/// Whether a text that begins with `<` goes on as XML and HTML do.
fn is_markup(line: &str) -> bool {
    let name = |c: char| c.is_alphabetic() || matches!(c, '?' | '!' | '_');
    line.get(1..).is_some_and(|rest| rest.starts_with(name))
}

/// Whether a line has control characters that texts do not have, near its beginning, where JSON would be broken by one.
fn is_binary(line: &str) -> bool {
    let odd = |c: char| c.is_control() && !c.is_whitespace();
    !line.starts_with('{') && line.chars().take(512).any(odd)
}

fn object(text: &str, one: FirstLine<'_>, two: Option<FirstLine<'_>>) -> Option<String> {
    if one.is_json() {
        return None;
    }
    let several = several(one.text);
    if several.is_some() || !one.complete {
        return several;
    }
    let cut = serde_json::from_str::<IgnoredAny>(one.text).is_err_and(|error| error.is_eof());
    // The next record begins a line of its own: then this one is only damaged.
    let list = first_list(text);
    let goes_on =
        two.is_some_and(|two| !two.text.starts_with('{') || (list.is_some() && !two.is_json()));
    (cut && goes_on).then(|| list.map_or_else(|| PRETTY.to_owned(), |key| document(&step(key))))
}

/// What a line is that begins with a whole JSON value and goes on after it.
fn several(line: &str) -> Option<String> {
    let mut values = serde_json::Deserializer::from_str(line).into_iter::<IgnoredAny>();
    values.next()?.ok()?;
    let rest = line.get(values.byte_offset()..)?;
    let said = match rest.trim_start().chars().next()? {
        ',' if rest.trim() == "," => COMMAS,
        '{' if rest.starts_with('\r') => CARRIAGE_RETURNS,
        '{' => CONCATENATED,
        _ => return None,
    };
    Some(said.to_owned())
}

/// The first key of an object, when a list of objects stands under it.
fn first_list(text: &str) -> Option<&str> {
    let rest = text.strip_prefix('{')?.trim_start().strip_prefix('"')?;
    let (key, rest) = rest.split_once('"')?;
    let rest = rest.trim_start().strip_prefix(':')?.trim_start();
    let inner = rest.strip_prefix('[')?.trim_start();
    (inner.starts_with('{') && !key.contains('\\')).then_some(key)
}

fn document(path: &str) -> String {
    format!(
        "the file is a JSON document with its records in a list: write them one a line first, as in \
         `jq -c '{path}[]' FILE | whodunit import -`"
    )
}

/// What the first record is when it is a document around a list of records, at whatever depth that stands.
pub fn document_around_a_list(line: &[u8], record: &Value) -> Option<String> {
    let (path, list) = largest_list(record, String::new(), DOCUMENT_DEPTH_MAX)?;
    let share = list.to_string().len().saturating_mul(100) / line.len().max(1);
    // Deep in a record, a long list may well be a part of it.
    let least = if path.matches('.').count() > 1 {
        DEEP_LIST_PERCENT
    } else {
        LIST_PERCENT
    };
    (share >= least).then(|| document(&path))
}

/// The longest list of objects within objects, and where it stands.
fn largest_list(value: &Value, path: String, depth: usize) -> Option<(String, &Value)> {
    let items = match value {
        Value::Array(items) => items,
        Value::Object(fields) => {
            let depth = depth.checked_sub(1)?;
            let mut largest: Option<(String, &Value)> = None;
            let length = |(_, list): &(String, &Value)| list.as_array().map_or(0, Vec::len);
            for (key, value) in fields {
                let found = largest_list(value, format!("{path}{}", step(key)), depth);
                let more = found.as_ref().map_or(0, length) > largest.as_ref().map_or(0, length);
                if more {
                    largest = found;
                }
            }
            return largest;
        }
        _ => return None,
    };
    let list = !path.is_empty() && !items.is_empty() && items.iter().all(Value::is_object);
    list.then_some((path, value))
}

/// A key as a step of a path of `jq`.
fn step(key: &str) -> String {
    let plain = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let plain = plain && !key.starts_with(|c: char| c.is_ascii_digit());
    if plain {
        format!(".{key}")
    } else {
        ".LIST".to_owned()
    }
}

/// What a first line too long to be a record is, when it is the beginning of a document.
pub fn long_document(first: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(first);
    first_list(text.trim_start()).map(|key| document(&step(key)))
}

fn plain(
    one: FirstLine<'_>,
    two: Option<FirstLine<'_>>,
    three: Option<FirstLine<'_>>,
) -> Option<String> {
    let two = two?;
    let no_json = |line: &FirstLine<'_>| !line.text.starts_with('{') && !line.is_json();
    if !no_json(&one) || !no_json(&two) {
        return None;
    }
    // Of what a log says in its own words, commas say nothing.
    let is_head = !one.text.contains(['{', '(']) && !one.text.contains(": ");
    let counts = |mark: char| {
        let count = one.text.matches(mark).count();
        count > 0 && count == two.text.matches(mark).count()
    };
    if is_head && [',', ';', '\t'].into_iter().any(counts) {
        return Some(CSV.to_owned());
    }
    three.filter(no_json).map(|_| TEXT.to_owned())
}

#[cfg(test)]
#[path = "format_tests.rs"]
mod tests;
