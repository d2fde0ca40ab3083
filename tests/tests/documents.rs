//! The documents that come along: what they link to exists, and what they name is there.

#![expect(clippy::unwrap_used, reason = "in a test, a failure is the message")]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use whodunit_tests::Daemon;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every document, with its text.
fn documents() -> Vec<(PathBuf, String)> {
    let folders = [root(), root().join("docs")];
    let entries = folders
        .iter()
        .flat_map(|folder| fs::read_dir(folder).unwrap());
    entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            (path, text)
        })
        .collect()
}

/// The name that a heading is linked by.
fn anchor(heading: &str) -> String {
    heading
        .trim_start_matches('#')
        .trim()
        .to_lowercase()
        .chars()
        .filter_map(|character| match character {
            ' ' => Some('-'),
            character if character.is_alphanumeric() || "-_".contains(character) => Some(character),
            _ => None,
        })
        .collect()
}

#[test]
fn every_link_leads_somewhere() {
    let documents = documents();
    assert!(documents.len() >= 5, "{documents:?}");
    for (path, text) in &documents {
        for link in text.split("](").skip(1) {
            let (target, _) = link.split_once(')').unwrap();
            if target.starts_with("https://") {
                continue;
            }
            let (file, heading) = match target.split_once('#') {
                Some((file, heading)) => (file, Some(heading)),
                None => (target, None),
            };
            let file = if file.is_empty() {
                path.clone()
            } else {
                path.parent().unwrap().join(file)
            };
            let place = format!("`{target}` in {}", path.display());
            assert!(file.exists(), "{place}: there is no such file");
            if let Some(heading) = heading {
                let headings = fs::read_to_string(&file).unwrap();
                let found = headings
                    .lines()
                    .any(|line| line.starts_with('#') && anchor(line) == heading);
                assert!(found, "{place}: there is no such heading");
            }
        }
    }
}

/// Paths of the source that the documents name, `{a,b}` standing for each of its parts.
#[test]
fn every_path_of_the_source_is_there() {
    let roots = ["core/", "daemon/", "tui/", "tests/", "docs/", "mappings/"];
    for (path, text) in documents() {
        for named in text.split('`').skip(1).step_by(2) {
            if !roots.iter().any(|root| named.starts_with(root)) || named.contains(' ') {
                continue;
            }
            let names: Vec<String> = match named.split_once('{') {
                Some((before, rest)) => {
                    let (parts, after) = rest.split_once('}').unwrap();
                    parts
                        .split(',')
                        .map(|part| format!("{before}{part}{after}"))
                        .collect()
                }
                None => vec![named.to_owned()],
            };
            for name in names {
                let there =
                    root().join(&name).exists() || root().join(format!("{name}.rs")).exists();
                assert!(there, "{} names `{name}`", path.display());
            }
        }
    }
}

/// `cargo bench -p PACKAGE --bench NAME` and what else is named there exists in that package.
#[test]
fn every_benchmark_that_is_named_exists() {
    let manifest: toml::Table = fs::read_to_string(root().join("daemon/Cargo.toml"))
        .unwrap()
        .parse()
        .unwrap();
    let declared: Vec<&str> = manifest["bench"]
        .as_array()
        .unwrap()
        .iter()
        .map(|bench| bench["name"].as_str().unwrap())
        .collect();
    for (path, text) in documents() {
        for named in text.split("--bench ").skip(1) {
            let name = named
                .split(|character: char| !character.is_alphanumeric())
                .next()
                .unwrap();
            assert!(declared.contains(&name), "{} names {name}", path.display());
            assert!(root().join(format!("daemon/benches/{name}.rs")).is_file());
        }
    }
}

/// What the README tells a newcomer to send is taken, word for word.
#[tokio::test]
async fn the_readmes_requests_are_accepted() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path()).unwrap();
    let mut sent = 0;
    for call in readme.split("curl -s localhost:4780").skip(1) {
        let path = call.split_whitespace().next().unwrap();
        let (status, answer) = match call.split_once(" -d '") {
            Some((head, rest)) if !head.contains('`') => {
                let (body, _) = rest.split_once('\'').unwrap();
                let body: Value = serde_json::from_str(body).unwrap();
                daemon.post(path, &body).await.unwrap()
            }
            _ => daemon.get(path).await.unwrap(),
        };
        assert_eq!(status, 200, "{path}: {answer}");
        sent += 1;
    }
    assert_eq!(sent, 3, "a command, an append and a read");
}
