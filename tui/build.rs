//! Tells the program which commit it is built from: `WHODUNIT_COMMIT`, or `unknown` outside a checkout.
//!
//! Reads the repository's files and runs nothing. Runs again only when the checkout moves.

use std::fs;
use std::path::{Path, PathBuf};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let commit = git_folder().and_then(|git| {
        // The log of what was checked out grows with each commit; a file that is not there would run this at every build.
        for watched in [git.join("HEAD"), git.join("logs/HEAD")] {
            if watched.is_file() {
                println!("cargo::rerun-if-changed={}", watched.display());
            }
        }
        commit(&git)
    });
    let commit = commit
        .filter(|id| id.len() >= 12 && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .map_or_else(|| "unknown".to_owned(), |id| id.chars().take(12).collect());
    println!("cargo::rustc-env=WHODUNIT_COMMIT={commit}");
}

/// The folder of the checkout; of a linked one, what the file in its place names.
fn git_folder() -> Option<PathBuf> {
    let place = Path::new(&std::env::var_os("CARGO_MANIFEST_DIR")?).join("../.git");
    if place.is_dir() {
        return Some(place);
    }
    let text = fs::read_to_string(&place).ok()?;
    let named = Path::new(text.strip_prefix("gitdir: ")?.trim());
    Some(place.parent()?.join(named))
}

fn commit(git: &Path) -> Option<String> {
    let head = fs::read_to_string(git.join("HEAD")).ok()?;
    let Some(name) = head.trim().strip_prefix("ref: ") else {
        return Some(head.trim().to_owned());
    };
    // A linked checkout shares its branches with the others.
    let shared = fs::read_to_string(git.join("commondir")).ok();
    let shared = shared.map_or_else(|| git.to_owned(), |text| git.join(text.trim()));
    if let Ok(id) = fs::read_to_string(shared.join(name)) {
        return Some(id.trim().to_owned());
    }
    let packed = fs::read_to_string(shared.join("packed-refs")).ok()?;
    packed.lines().find_map(|line| {
        let (id, of) = line.split_once(' ')?;
        (of == name).then(|| id.to_owned())
    })
}
