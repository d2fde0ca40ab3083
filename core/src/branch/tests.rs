//! Branches: what their definitions and files may say.

use serde_json::{Value, json};

use super::*;

const MAX: Counts = Counts {
    edits: 3,
    actions: 1,
};

fn file() -> Value {
    json!({"whodunit_branch": 1, "branch": {
        "name": "no-suspension", "stream": "user-1", "revision": 2, "note": "what for", "actor": "ann",
        "created_at": "2025-03-01T09:00:00Z", "changed_at": "2025-03-02T09:00:00Z", "on": null,
        "layers": [{"stream": "user-1", "base": {"revision": 2, "position": 4, "at": "2025-03-01T09:00:00Z"},
            "edits": [{"drop": {"revision": 2}}]}],
        "log": {"store_id": "s", "position": 9, "decision": 3, "head_hash": "00"}, "rules": {"user": "abc"}}})
}

fn read(file: &Value) -> Result<Branch, String> {
    let file: BranchFile =
        serde_json::from_value(file.clone()).map_err(|error| error.to_string())?;
    file.read(MAX).map_err(|bad| bad.pointer)
}

#[test]
fn a_file_is_read_as_it_was_written() {
    let branch = read(&file()).unwrap();
    let again = serde_json::to_value(BranchFile::of(branch.clone())).unwrap();
    assert_eq!(read(&again), Ok(branch));
}

#[test]
fn a_file_that_does_not_fit_is_refused_by_field() {
    let wrong = |pointer: &str, value: Value| {
        let mut file = file();
        *file.pointer_mut(pointer).unwrap() = value;
        read(&file).unwrap_err()
    };
    for (pointer, value) in [
        ("/whodunit_branch", json!(2)),
        ("/branch/name", json!("log")),
        ("/branch/name", json!("../x")),
        ("/branch/name", json!("")),
        ("/branch/name", json!("x".repeat(65))),
        ("/branch/revision", json!(0)),
        ("/branch/note", json!("x".repeat(1_025))),
        ("/branch/actor", json!(" ")),
        ("/branch/layers", json!([])),
        ("/branch/stream", json!("user-2")),
    ] {
        assert_eq!(wrong(pointer, value), pointer);
    }
    let drops: Vec<Value> = (1..=4).map(|n| json!({"drop": {"revision": n}})).collect();
    assert_eq!(
        wrong("/branch/layers/0/edits", json!(drops)),
        "/branch/edits"
    );
    let far = wrong("/branch/layers/0/base/position", json!(10));
    assert_eq!(far, "/branch/layers/0/base");
    let both = json!({"revision": 2, "position": 4, "at": "2025-03-01T09:00:00Z", "before_decision": 1, "after_decision": 1});
    assert_eq!(
        wrong("/branch/layers/0/base", both),
        "/branch/layers/0/base"
    );
    let large = json!([{"replace": {"revision": 1, "data": {"x": "y".repeat(BRANCH_BYTES_MAX)}}}]);
    assert_eq!(wrong("/branch/layers/0/edits", large), "/branch/layers");
    assert!(wrong("/branch/layers/0/base/at", json!("yesterday")).contains("time"));
    let mut more = file();
    more["branch"]["x"] = json!(1);
    assert!(read(&more).unwrap_err().contains("unknown field"));
}
