//! The architecture's own rules, checked on the source: which package may use which, and that the core is pure.

#![expect(clippy::unwrap_used, reason = "in a test, a failure is the message")]

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, out: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, out);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                out.push((path, text));
            }
        }
    }
    let mut out = Vec::new();
    walk(&root().join(folder), &mut out);
    assert!(!out.is_empty(), "no sources under {folder}");
    out
}

fn dependencies(package: &str) -> Vec<String> {
    let manifest: toml::Table = fs::read_to_string(root().join(package).join("Cargo.toml"))
        .unwrap()
        .parse()
        .unwrap();
    manifest["dependencies"]
        .as_table()
        .unwrap()
        .keys()
        .cloned()
        .collect()
}

#[test]
fn the_core_does_no_io() {
    let banned = [
        "tokio",
        "redb",
        "reqwest",
        "axum",
        "ratatui",
        "crossterm",
        "getrandom",
        "uuid",
        "whodunit-daemon",
    ];
    let found: Vec<_> = dependencies("core")
        .into_iter()
        .filter(|name| banned.contains(&name.as_str()))
        .collect();
    assert!(
        found.is_empty(),
        "the core must stay pure, but depends on {found:?}"
    );
    for (path, text) in sources("core/src") {
        for word in [
            "std::fs",
            "std::net",
            "std::process",
            "std::env",
            "SystemTime",
            "Instant::now",
            "Utc::now",
        ] {
            assert!(!text.contains(word), "{} uses {word}", path.display());
        }
    }
}

#[test]
fn the_daemon_knows_no_terminal() {
    let banned = ["ratatui", "crossterm", "reqwest", "whodunit"];
    let found: Vec<_> = dependencies("daemon")
        .into_iter()
        .filter(|name| banned.contains(&name.as_str()))
        .collect();
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn only_the_launcher_embeds_the_daemon() {
    for (path, text) in sources("tui/src") {
        let launcher = path
            .components()
            .any(|part| part.as_os_str().to_string_lossy().starts_with("launch"));
        assert!(
            launcher || !text.contains("whodunit_daemon"),
            "{} speaks to the daemon's library",
            path.display()
        );
    }
}

#[test]
fn only_the_embedded_store_and_the_read_models_know_redb() {
    for (path, text) in sources("daemon/src") {
        let path_text = path.to_string_lossy();
        // The campaigns are tests that damage the engine's files.
        let store = path_text.contains("store/redb") || path_text.contains("store/campaigns");
        // Read models are files of their own beside the store; their tests look into them.
        let read_models =
            path_text.contains("projections/read_model") || path_text.contains("projections/tests");
        // Naming our own implementation is fine where a daemon is put together; speaking to the engine is not.
        let reaches = text
            .lines()
            .map(|line| {
                line.replace("store::redb::", "")
                    .replace("super::redb::", "")
            })
            .any(|line| line.contains("redb::"));
        assert!(
            store || read_models || !reaches,
            "{} reaches around the store seam",
            path.display()
        );
    }
}

/// A failure of a property can be run again: its seed is fixed, and printed.
#[test]
fn properties_print_their_seed() {
    for folder in ["core", "daemon", "tui", "tests/tests", "tests/src"] {
        for (path, text) in sources(folder) {
            let unseeded = text.contains("TestRunner::deterministic()")
                || text.matches("proptest! {").count() + text.matches("TestRunner::new(").count()
                    > text.matches("seeded::seeded(").count();
            let own = path.ends_with("tests/tests/tidy.rs");
            assert!(own || !unseeded, "{}", path.display());
        }
    }
}

/// A stream that is over must not be polled again, and a layer that compresses does so.
#[test]
fn replies_that_come_in_pieces_are_fused() {
    for (path, text) in sources("daemon/src/http") {
        let (pieces, fused) = (
            text.matches("stream::unfold(").count(),
            text.matches(".fuse()").count(),
        );
        assert!(pieces <= fused, "{}", path.display());
    }
}

#[test]
fn every_module_says_what_it_owns() {
    for folder in ["core/src", "daemon/src", "tui/src", "tests/src"] {
        for (path, text) in sources(folder) {
            assert!(
                text.trim_start().starts_with("//!"),
                "{} does not start with `//!`",
                path.display()
            );
        }
    }
}

#[test]
fn source_files_are_short() {
    for folder in ["core", "daemon", "tui", "tests"] {
        for (path, text) in sources(folder) {
            let lines = text.lines().count();
            assert!(
                lines <= 800,
                "{} has {lines} lines; split it by concept",
                path.display()
            );
        }
    }
}

/// Words that name no actor, and private words for things that the field has a name for.
const FORBIDDEN: [(&str, &str); 16] = [
    ("whoever", "name the actor: client, handler, operator"),
    ("somebody", "name the actor: client, handler, operator"),
    ("nobody", "name the actor: client, handler, operator"),
    ("anew", "rebuilt, re-folded, again"),
    ("stands still", "stalled, or not moving"),
    ("held still", "paused"),
    ("give back", "release, or send"),
    ("given back", "released"),
    ("consistent picture", "read view"),
    ("teller", "what-if run"),
    ("verdict", "outcome, or result"),
    ("spoken", "describe it"),
    ("unfounded", "orphan"),
    ("truth check", "consistency check"),
    ("obey", "handle"),
    ("a fact on its way", "new event"),
];

/// Names that say nothing about what a function does.
const NOT_FUNCTIONS: [&str; 6] = ["of", "own", "take", "one", "list", "page"];

fn words(line: &str) -> String {
    let plain: String = line
        .chars()
        .map(|c| if c.is_alphanumeric() { c } else { ' ' })
        .flat_map(char::to_lowercase)
        .collect();
    format!(
        " {} ",
        plain.split_whitespace().collect::<Vec<_>>().join(" ")
    )
}

fn forbidden(line: &str) -> Option<(&'static str, &'static str)> {
    let line = words(line);
    FORBIDDEN
        .into_iter()
        .find(|(word, _)| line.contains(&format!(" {word} ")))
}

#[test]
fn a_forbidden_word_is_found() {
    assert_eq!(forbidden("/// Whoever asks.").unwrap().0, "whoever");
    assert_eq!(forbidden("the model is made Anew;").unwrap().0, "anew");
    assert!(forbidden("let trailing = held;").is_none());
}

/// A source's path within the project: what leads to the project is no part of it.
fn inside(path: &Path) -> String {
    let path = path.to_string_lossy();
    let path = path
        .rsplit_once("/../")
        .map_or(&*path, |(_, inside)| inside);
    path.to_owned()
}

/// Comments are held to the list everywhere, texts in code where a user may read them: not in tests.
#[test]
fn comments_and_texts_use_the_words_of_the_field() {
    let mut found = Vec::new();
    for folder in ["core", "daemon", "tests"] {
        for (path, text) in sources(folder) {
            let name = path.to_string_lossy();
            if name.ends_with("tidy.rs") || name.contains("/target/") {
                continue;
            }
            let inside = inside(&path);
            let is_test = ["tests", "store/redb", "conformance"]
                .iter()
                .any(|part| inside.contains(part));
            for (number, line) in text.lines().enumerate() {
                let read = if is_test {
                    line.split_once("//").map_or("", |(_, comment)| comment)
                } else {
                    line
                };
                if let Some((word, instead)) = forbidden(read) {
                    found.push(format!(
                        "{}:{}: `{word}`; instead: {instead}",
                        path.display(),
                        number + 1
                    ));
                }
            }
        }
    }
    for document in [
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "docs/INVESTIGATE.md",
        "docs/MAPPING.md",
        "docs/PIPELINE.md",
        "docs/PREDICATES.md",
        "docs/QUERY.md",
        "docs/READ_MODEL_FORMAT.md",
        "docs/STORE_FORMAT.md",
        "docs/WHAT_IF.md",
    ] {
        let text = fs::read_to_string(root().join(document)).unwrap();
        for (number, line) in text.lines().enumerate() {
            if let Some((word, instead)) = forbidden(line) {
                found.push(format!(
                    "{document}:{}: `{word}`; instead: {instead}",
                    number + 1
                ));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn functions_have_names_that_say_what_they_do() {
    for folder in ["core/src", "daemon/src"] {
        for (path, text) in sources(folder) {
            let name = path.to_string_lossy();
            if name.contains("tests") || name.contains("daemon/src/store") {
                continue;
            }
            for short in NOT_FUNCTIONS {
                assert!(
                    !text.contains(&format!("fn {short}("))
                        && !text.contains(&format!("fn {short}<")),
                    "{} has a function `{short}`",
                    path.display()
                );
            }
        }
    }
}

/// Nouns that are counted in texts.
const COUNTED: [&str; 35] = [
    "attempts",
    "branches",
    "bytes",
    "categories",
    "changes",
    "commands",
    "decisions",
    "documents",
    "edits",
    "entries",
    "errors",
    "events",
    "fields",
    "files",
    "findings",
    "folds",
    "jobs",
    "keys",
    "levels",
    "lines",
    "moments",
    "notes",
    "others",
    "pages",
    "records",
    "revisions",
    "rows",
    "scenarios",
    "seconds",
    "sectors",
    "snapshots",
    "steps",
    "streams",
    "users",
    "values",
];

/// Words that stand between a number and its noun.
const BETWEEN: [&str; 9] = [
    "approved", "failed", "later", "more", "new", "older", "other", "recorded", "saved",
];

/// What only looks like a count, or is one that is never one.
const NEVER_ONE: [(&str, &str); 13] = [
    ("changes hands", "a verb"),
    ("bytes long, at most", "beyond a limit"),
    ("bytes are too many for one write", "beyond a limit"),
    ("bytes, at most", "beyond a limit"),
    ("entries, at most", "beyond a limit"),
    ("events, at most", "beyond a limit"),
    ("fields are to be indexed", "beyond a limit"),
    (
        "entries, with those of the branches below; at most",
        "beyond a limit",
    ),
    ("is larger than {max} bytes", "a limit"),
    ("to {} bytes long", "a limit"),
    ("seconds, and a body must", "limits"),
    ("within {seconds} seconds", "a limit"),
    ("not {} bytes at byte", "of a page"),
];

/// A count that does not agree with its noun when it is one: `{} events`, `{n} more streams`.
fn count_by_hand(line: &str) -> Option<&str> {
    if NEVER_ONE.iter().any(|(text, _)| line.contains(text)) {
        return None;
    }
    line.match_indices("} ").find_map(|(at, _)| {
        let (before, rest) = (line.get(..at)?, line.get(at + 2..)?);
        let (_, name) = before.rsplit_once('{')?;
        // A limit is a constant, and above one.
        if name.chars().any(|c| c.is_ascii_uppercase() || c == ' ') {
            return None;
        }
        let mut words = rest
            .split(|c: char| !c.is_alphanumeric() && c != '/')
            .skip_while(|word| BETWEEN.contains(word));
        words.next().filter(|word| COUNTED.contains(word))
    })
}

#[test]
fn a_count_by_hand_is_found() {
    assert_eq!(
        count_by_hand(r#"format!("{} events of {}", 1, 2)"#),
        Some("events")
    );
    assert_eq!(count_by_hand(r#""{n} more streams""#), Some("streams"));
    assert_eq!(count_by_hand(r#""at most {EVENTS_MAX} events""#), None);
    assert_eq!(count_by_hand(r#""{} events/s""#), None);
    assert_eq!(count_by_hand(r#""{} of {}", counted(2, "event")"#), None);
}

/// `1 events` is not English: `core::counted` writes a number with its noun and its verb.
#[test]
fn counts_agree_with_their_nouns() {
    let mut found = Vec::new();
    for folder in ["core/src", "daemon/src", "tui/src"] {
        for (path, text) in sources(folder) {
            let name = inside(&path);
            let is_test = name.contains("test") && !name.contains("backtest");
            let is_limits = name.ends_with("http/openapi/mod.rs");
            let proves = ["conformance", "campaigns", "fuzz"];
            if is_test || is_limits || proves.iter().any(|part| name.contains(part)) {
                continue;
            }
            let lines = text.lines().take_while(|line| *line != "#[cfg(test)]");
            for (number, line) in lines.enumerate() {
                let code = line.trim_start();
                if let Some(noun) = count_by_hand(code)
                    && !code.starts_with("//")
                {
                    found.push(format!("{name}:{}: `{noun}`", number + 1));
                }
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Turns of phrase that no native speaker on call would write, and what to write instead.
const STIFF: [(&str, &str); 11] = [
    (" upon the ", "on"),
    ("all the same", "anyway, or still"),
    ("neither yes nor no", "could not be evaluated"),
    ("says nothing of", "could not be evaluated for"),
    ("cannot be told", "is unknown"),
    ("could not be told", "could not be computed"),
    ("been otherwise", "been different"),
    ("record a line", "record per line"),
    ("is there already", "already exists"),
    ("Ends with 1", "Exit code 1:"),
    ("what became of", "what changed"),
];

/// Texts that users read: everything but comments.
#[test]
fn texts_read_plainly() {
    let mut found = Vec::new();
    for folder in ["core/src", "daemon/src", "tui/src"] {
        for (path, text) in sources(folder) {
            let name = inside(&path);
            if name.contains("tests") {
                continue;
            }
            for (number, line) in text.lines().enumerate() {
                let stiff = STIFF.iter().find(|(phrase, _)| line.contains(phrase));
                if let Some((phrase, instead)) = stiff
                    && !line.trim_start().starts_with("//")
                {
                    found.push(format!(
                        "{name}:{}: `{phrase}`; instead: {instead}",
                        number + 1
                    ));
                }
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
