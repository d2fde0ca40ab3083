//! Where the binaries under test are.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::OnceLock;

/// The path of a binary of this workspace, freshly built in the profile of the running test.
///
/// # Panics
/// When it cannot be built.
pub fn binary(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let test = std::env::current_exe().unwrap_or_default();
        // target/debug/deps/test-0123: two up.
        let folder = test
            .parent()
            .and_then(|deps| deps.parent())
            .map(PathBuf::from)
            .unwrap_or_default();
        build(folder.ends_with("release"));
        folder
    });
    let path = folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(path.is_file(), "there is no binary at {}", path.display());
    path
}

/// Builds the workspace's binaries. `cargo test --workspace` has done so already and this is a look at time stamps; run
/// alone, this package would otherwise test binaries of another day.
fn build(release: bool) {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--workspace", "--bins"]);
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    if release {
        command.arg("--release");
    }
    // What cargo tells a test of its package, it takes for a change of `ring`'s build script: the TLS libraries, the daemon and
    // the terminal would be built here, and once more by the next `cargo test`.
    for (name, _) in std::env::vars_os() {
        let of_package = name.to_str().is_some_and(|name| {
            name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
        });
        if of_package || name == "OUT_DIR" {
            command.env_remove(name);
        }
    }
    let status = command.status().map(|status| status.success());
    assert!(
        matches!(status, Ok(true)),
        "the binaries do not build: {status:?}"
    );
}

/// Runs `whodunit` against a daemon and returns what it printed, with its exit code.
///
/// # Panics
/// When it cannot be started.
pub fn whodunit(daemon: &str, args: &[&str]) -> (i32, String, String) {
    let output = Command::new(binary("whodunit"))
        .args(args)
        .env("WHODUNIT_DAEMON", daemon)
        .env("NO_COLOR", "1")
        .env("COLUMNS", "120")
        // The settings of the user who runs the tests are none of theirs.
        .env("WHODUNIT_CONFIG", "/nowhere/config.toml")
        .output();
    match output {
        Ok(Output {
            status,
            stdout,
            stderr,
        }) => (
            status.code().unwrap_or(-1),
            String::from_utf8_lossy(&stdout).into_owned(),
            String::from_utf8_lossy(&stderr).into_owned(),
        ),
        Err(error) => unreachable!("whodunit does not start: {error}"),
    }
}
