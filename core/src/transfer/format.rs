//! Detection of other file formats (gzip, XML, CSV, a JSON array, a pretty-printed document) by their first bytes.
//!
//! Owns the sentences that say what such a file is and what to do about it: an error for each line would say neither.

use serde::de::IgnoredAny;
use serde_json::Value;

/// How many bytes of a file are enough to tell.
pub const SNIFFED_BYTES: usize = 64 << 10;
/// The share of a record, in percent, that a list must be for the record to be a document around it.
const LIST_PERCENT: usize = 60;
/// Formats by the bytes they begin with.
const MAGIC: [(&[u8], &str); 15] = [
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
        '<' => Some(XML.to_owned()),
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

fn object(text: &str, one: FirstLine<'_>, two: Option<FirstLine<'_>>) -> Option<String> {
    if !one.complete || one.is_json() {
        return None;
    }
    let cut = serde_json::from_str::<IgnoredAny>(one.text).is_err_and(|error| error.is_eof());
    // The next record begins a line of its own: then this one is only damaged.
    let list = first_list(text);
    let goes_on =
        two.is_some_and(|two| !two.text.starts_with('{') || (list.is_some() && !two.is_json()));
    (cut && goes_on).then(|| list.map_or_else(|| PRETTY.to_owned(), document))
}

/// The first key of an object, when a list of objects stands under it.
fn first_list(text: &str) -> Option<&str> {
    let rest = text.strip_prefix('{')?.trim_start().strip_prefix('"')?;
    let (key, rest) = rest.split_once('"')?;
    let rest = rest.trim_start().strip_prefix(':')?.trim_start();
    let inner = rest.strip_prefix('[')?.trim_start();
    (inner.starts_with('{') && !key.contains('\\')).then_some(key)
}

fn document(key: &str) -> String {
    let plain = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let path = if plain {
        format!(".{key}[]")
    } else {
        ".LIST[]".to_owned()
    };
    format!(
        "the file is a JSON document with its records in a list: write them one a line first, as in \
         `jq -c '{path}' FILE | whodunit import -`"
    )
}

/// What the first record is when it is a document around a list of records.
pub fn document_around_a_list(line: &[u8], record: &Value) -> Option<String> {
    let fields = record.as_object()?;
    let is_list = |value: &Value| {
        let items = value.as_array().filter(|items| !items.is_empty());
        items.is_some_and(|items| items.iter().all(Value::is_object))
    };
    let (key, list) = fields.iter().find(|(_, value)| is_list(value))?;
    let share = list.to_string().len().saturating_mul(100) / line.len().max(1);
    (share >= LIST_PERCENT).then(|| document(key))
}

/// What a first line too long to be a record is, when it is the beginning of a document.
pub fn long_document(first: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(first);
    first_list(text.trim_start()).map(document)
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
    let counts = |mark: char| {
        let count = one.text.matches(mark).count();
        count > 0 && count == two.text.matches(mark).count()
    };
    if [',', ';', '\t'].into_iter().any(counts) {
        return Some(CSV.to_owned());
    }
    three.filter(no_json).map(|_| TEXT.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message_for(first: impl AsRef<[u8]>) -> String {
        foreign(first.as_ref(), true).unwrap_or_default()
    }

    #[test]
    fn files_of_other_formats_are_known_by_their_first_bytes() {
        let utf_16: Vec<u8> = "{\"a\":1}"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let cases: [(&[u8], &str); 21] = [
            (b"\x1f\x8b\x08\0", "gzip"),
            (b"PK\x03\x04", "zip archive"),
            (b"PAR1\x15", "Parquet"),
            (&utf_16, "UTF-16"),
            (b"\xff\xfe{\0", "UTF-16"),
            (b"<?xml version=\"1.0\"?><a/>", "XML"),
            (b"[{\"a\":1},{\"a\":2}]", "array"),
            (b"\xef\xbb\xbf [\n  {\"a\":1},\n", "array"),
            (b"[1,2]\n", "array"),
            (b"[]", "array"),
            (b"{\n  \"a\": 1\n}\n", "several lines"),
            (
                b"{ \"a\": 1,\n  \"b\": 2 }\n{ \"a\": 2,\n \"b\": 3 }",
                "several lines",
            ),
            (b"{\n  \"Records\": [\n    {\n", "jq -c '.Records[]'"),
            (b"{\"va-lue\":[{\"a\":1},\n{\"a\":2}]}", "jq -c '.LIST[]'"),
            (b"id,name\n1,ann\n", "CSV"),
            (b"\"id\";\"name\"\n\"1\";\"ann\"\n", "CSV"),
            (b"id\tname\n1\tann\n", "CSV"),
            (
                b"Jan 1 a started\nJan 1 b started\nJan 1 c\n",
                "text, but not JSON",
            ),
            (
                b"[2025-01-01 10:00] started, ok\n[2025-01-01 10:01] stopped, ok\n",
                "CSV",
            ),
            (b"---\na: 1\n", "YAML"),
            (b"SQLite format 3\0", "SQLite"),
        ];
        for (first, expected) in cases {
            let got = message_for(first);
            assert!(
                got.contains(expected),
                "{:?}: {got}",
                String::from_utf8_lossy(first)
            );
        }
    }

    #[test]
    fn files_of_records_are_left_alone() {
        for first in [
            "",
            "\n\n",
            "{\"a\":1}",
            "{\"a\":1}\n{\"a\":2}\n",
            "\u{feff}{\"a\":1}\r\n",
            // A damaged first line is an error of that line.
            "{\"a\":1,\"b\n{\"a\":2}\n",
            "not json\n{\"a\":2}\n",
            "{\"a\":1}\nnot json\nnor this\n",
            "[1,\"a\"]\n[2,\"b\"]\n",
            "1\n2\n3\n",
            "\"text\"\n\"text\"\n",
            "not json",
        ] {
            assert_eq!(message_for(first), "", "{first:?}");
        }
        // Of a long first line only the beginning is there.
        assert_eq!(foreign(b"{\"a\":[{\"b\":", false), None);
        assert!(long_document(b"{\"Records\":[{\"b\":").is_some());
    }

    #[test]
    fn a_record_that_is_mostly_a_list_is_a_document() {
        let of = |text: &str| {
            let record: Value = serde_json::from_str(text).unwrap();
            document_around_a_list(text.as_bytes(), &record)
        };
        let found = of(r#"{"Records":[{"eventName":"CreateUser","eventID":"e-1"}]}"#).unwrap();
        assert!(found.contains("jq -c '.Records[]'"), "{found}");
        assert!(of(r#"{"next":null,"the items":[{"a":12345678901234567890},{"b":12345678901234567890}]}"#).is_some());
        assert_eq!(of(r#"{"id":"1234567890123456789","tags":[{"a":1}]}"#), None);
        assert_eq!(of(r#"{"a":[1,2,3]}"#), None);
        assert_eq!(of(r#"{"a":[]}"#), None);
    }
}
