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

/// All that is in a folder is its owner's alone.
#[track_caller]
fn private(folder: &Path) {
    let mut found = Vec::new();
    modes(folder, &mut found);
    assert!(found.len() >= 4, "{found:?}");
    for (path, mode) in found {
        assert_eq!(mode & 0o077, 0, "{path}: {mode:o}");
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
    private(&folder);
    // A rebuild fills another file beside the read model's.
    let request = format!(
        "POST /v1/projections/users/rebuild HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
        daemon.address
    );
    let answer = daemon.raw(request.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    let request = format!(
        "GET /v1/projections/users HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
        daemon.address
    );
    eventually("the rebuild has ended", Duration::from_secs(10), || {
        private(&folder);
        let answer = daemon.raw(request.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        !answer.contains("rebuilding")
    });
    assert!(daemon.end("-TERM"));
    private(&folder);
}

#[test]
fn a_hangup_stops_it_in_order() {
    let mut daemon = Daemon::start();
    assert!(daemon.end("-HUP"));
}
