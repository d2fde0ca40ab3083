//! `docs/LIMITS.md` lists every bound there is, as it is.

use std::collections::BTreeSet;

use whodunit_daemon::limits;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/limits.rs");
const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/LIMITS.md");
/// What stands before the list in the document; the rest is made from the source.
const BEGIN: &str = "<!-- made from daemon/src/limits.rs; UPDATE_LIMITS=1 writes it again -->\n";

/// A bound's value, as a reader wants it.
fn value(name: &str, source: &str) -> String {
    let number = |text: &str| -> u64 {
        text.split("<<")
            .map(|part| part.trim().replace('_', "").parse::<u64>().unwrap())
            .reduce(|n, bits| n << bits)
            .unwrap()
    };
    if let Some(duration) = source.strip_prefix("Duration::from_") {
        let (unit, count) = duration.trim_end_matches(')').split_once('(').unwrap();
        let unit = match unit {
            "mins" => "min",
            "secs" => "s",
            "millis" => "ms",
            other => panic!("{name}: {other}"),
        };
        return format!("{count} {unit}");
    }
    let n = number(source);
    let is_bytes = name.contains("BYTES") || name.contains("WEIGHT") || name.contains("MEMORY");
    let (n, unit) = match (is_bytes, name.contains("KIB")) {
        (true, false) if n >= 1 << 30 => (n >> 30, " GiB"),
        (true, false) if n >= 1 << 20 => (n >> 20, " MiB"),
        (true, false) if n >= 1 << 10 => (n >> 10, " KiB"),
        (true, false) => (n, " bytes"),
        (_, true) => (n >> 10, " MiB"),
        (false, false) => (n, ""),
    };
    let digits = n.to_string();
    let (mut out, first) = (String::new(), digits.len() % 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && place % 3 == first {
            out.push(',');
        }
        out.push(digit);
    }
    out + unit
}

/// A comment as a sentence of a document: what it links to is code.
fn sentence(comment: &str) -> String {
    let text = comment.replace("[`", "`").replace("`]", "`");
    text.replace('|', "\\|")
}

/// The list, made from the source.
fn list() -> String {
    let source = std::fs::read_to_string(SOURCE).unwrap();
    let mut out = "| bound | value | what it bounds |\n|---|---|---|\n".to_owned();
    let (mut comment, mut statement) = (Vec::new(), String::new());
    for line in source.lines() {
        if let Some(words) = line.strip_prefix("/// ") {
            comment.push(words);
            continue;
        }
        statement.push_str(line.trim());
        if !statement.ends_with(';') {
            if !statement.starts_with("pub const") {
                statement.clear();
                comment.clear();
            }
            continue;
        }
        if let Some(bound) = statement.strip_prefix("pub const ") {
            let (name, rest) = bound.split_once(':').unwrap();
            let (_, expression) = rest.split_once('=').unwrap();
            let value = value(name, expression.trim_end_matches(';').trim());
            let words = sentence(&comment.join(" "));
            out.push_str(&format!("| `{name}` | {value} | {words} |\n"));
        }
        statement.clear();
        comment.clear();
    }
    out
}

#[test]
fn the_document_lists_every_bound_as_it_is() {
    let document = std::fs::read_to_string(DOCUMENT).unwrap();
    let (words, listed) = document.split_once(BEGIN).unwrap();
    let current = list();
    if std::env::var_os("UPDATE_LIMITS").is_some() {
        std::fs::write(DOCUMENT, format!("{words}{BEGIN}{current}")).unwrap();
        return;
    }
    assert_eq!(
        listed, current,
        "UPDATE_LIMITS=1 cargo test -p whodunit-daemon --test api limits writes it again"
    );
    let names: BTreeSet<_> = current
        .lines()
        .filter_map(|line| line.split('`').nth(1))
        .collect();
    assert!(names.len() > 100, "{}", names.len());
    assert!(names.contains("HANDLER_TIMEOUT"));
    // Those that the core has are in the words before.
    for (name, mib) in [
        ("EVENT_BYTES_MAX", limits::EVENT_BYTES_MAX),
        ("STATE_WEIGHT_MAX", limits::STATE_WEIGHT_MAX),
        ("DIFF_WEIGHT_MAX", limits::DIFF_WEIGHT_MAX),
        ("WHAT_IF_STEPS_BYTES_MAX", limits::WHAT_IF_STEPS_BYTES_MAX),
    ] {
        let row = format!("| `{name}` | {} MiB |", mib >> 20);
        assert!(words.contains(&row), "{row}");
    }
}
