//! Files of other formats, and files of records that look like them.

use super::*;

fn message_for(first: impl AsRef<[u8]>) -> String {
    foreign(first.as_ref(), true).unwrap_or_default()
}

fn check(cases: &[(&[u8], &str)]) {
    for (first, expected) in cases {
        let got = message_for(first);
        let first = String::from_utf8_lossy(first);
        assert!(got.contains(expected), "{first:?}: {got}");
    }
}

#[test]
fn files_of_other_formats_are_known_by_their_first_bytes() {
    let utf_16: Vec<u8> = "{\"a\":1}"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let cases: [(&[u8], &str); 22] = [
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
        (
            b"{\"whodunit_backup\":{\"format\":1",
            "whodunit restore FILE FOLDER",
        ),
    ];
    check(&cases);
}

#[test]
fn what_is_nearly_a_file_of_records_is_told_from_one() {
    let mut tar = [0; 512];
    tar[..4].copy_from_slice(b"name");
    tar[TAR_NAME].copy_from_slice(b"ustar");
    let utf_32 = b"\xff\xfe\0\0{\0\0\0";
    check(&[
        (tar.as_slice(), "tar archive"),
        ([0; 64].as_slice(), "zero bytes"),
        (utf_32, "UTF-32"),
        (b"\x7fELF\x02\x01\x01\0", "binary"),
        (b"\x83\xa1a\x01\xa1b\x02\n\x01", "binary"),
        (b"\x1e{\"a\":1}\n\x1e{\"a\":2}\n", "text sequence"),
        (b"{\"a\":1}{\"a\":2}", "several JSON values on one line"),
        (b"{\"a\":1} {\"a\":2}\n", "several JSON values on one line"),
        (b"{\"a\":1},\n{\"a\":2}\n", "end with commas"),
        (b"{\"a\":1}\r{\"a\":2}\r", "carriage returns"),
        (
            b"<34>1 a su - x\n<34>1 b su - y\n<34>1 c su - z\n",
            "text, but not JSON",
        ),
        (b"<html></html>", "XML or HTML"),
        (
            b"data: {\"a\":1,\"b\":2}\n\ndata: {\"a\":1,\"b\":2}\n\ndata: {}\n",
            "text, but not JSON",
        ),
        (
            b"12:00 {\"a\":1,\"b\":2}\n12:01 {\"a\":1,\"b\":2}\n12:02 {}\n",
            "text, but not JSON",
        ),
        (b"Rar!\x1a\x07", "RAR"),
        (b"PK\x05\x06\0\0", "zip archive without"),
    ]);
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
    assert!(
        of(r#"{"next":null,"the items":[{"a":12345678901234567890},{"b":12345678901234567890}]}"#)
            .is_some()
    );
    let found = of(
        r#"{"response":{"items":[{"a":"123456789012345678901234567890"},{"a":"123456789012345678901234567890"},{"a":"123456789012345678901234567890"}]}}"#,
    );
    assert!(found.unwrap().contains("jq -c '.response.items[]'"));
    assert_eq!(of(r#"{"id":"1234567890123456789","tags":[{"a":1}]}"#), None);
    assert_eq!(of(r#"{"a":[1,2,3]}"#), None);
    assert_eq!(of(r#"{"a":[]}"#), None);
}
