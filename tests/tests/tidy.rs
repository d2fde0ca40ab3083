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
        let store = path_text.contains("store/redb");
        // Read models are files of their own beside the store; their tests look into them.
        let read_models =
            path_text.contains("projections/read_model") || path_text.contains("projections/tests");
        // Naming our own implementation is fine where a daemon is put together; speaking to the engine is not.
        let reaches = text
            .lines()
            .any(|line| line.replace("store::redb::", "").contains("redb::"));
        assert!(
            store || read_models || !reaches,
            "{} reaches around the store seam",
            path.display()
        );
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
fn no_source_file_is_a_house() {
    for folder in ["core", "daemon", "tui", "tests"] {
        for (path, text) in sources(folder) {
            let lines = text.lines().count();
            assert!(
                lines <= 800,
                "{} has {lines} lines; what are its rooms called?",
                path.display()
            );
        }
    }
}
