//! Who may look into what the daemon writes, and how it is ended.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::daemon::{Daemon, eventually};

fn modes(path: &Path, out: &mut Vec<(String, u32)>) {
    for entry in fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        // Files come and go while the daemon runs.
        let Ok(meta) = fs::metadata(&path) else {
            continue;
        };
        out.push((
            path.display().to_string(),
            meta.permissions().mode() & 0o777,
        ));
        if meta.is_dir() {
            modes(&path, out);
        }
    }
}

#[test]
fn what_is_written_is_its_owners_alone_in_a_folder_that_exists_too() {
    let mut daemon = Daemon::start();
    let folder = daemon.folder.path().to_owned();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    let answer = daemon.post(
        "/v1/streams/user-1/commands",
        &json!({"type": "CreateUser", "actor": "api", "payload": {"username": "sarah", "email": "sarah@example.com",
            "first_name": "Sarah", "last_name": "Kim", "password": "correct horse battery"}}),
    );
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    eventually("the mail is there", Duration::from_secs(10), || {
        fs::read_dir(folder.join("mail")).is_ok_and(|mails| mails.count() > 0)
    });
    let mut found = Vec::new();
    modes(&folder, &mut found);
    assert!(found.len() >= 4, "{found:?}");
    for (path, mode) in found {
        assert_eq!(mode & 0o077, 0, "{path}: {mode:o}");
    }
    assert!(daemon.end("-TERM"));
}

#[test]
fn a_hangup_stops_it_in_order() {
    let mut daemon = Daemon::start();
    assert!(daemon.end("-HUP"));
}
