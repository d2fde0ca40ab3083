//! What a what-if refuses, and that it says why.

use super::*;

#[test]
fn edits_out_of_reach_are_refused_and_say_why() {
    let cases = [
        (json!([{"drop": {"revision": 3}}]), "lies after the base"),
        (json!([{"drop": {"revision": 0}}]), "no revision 0"),
        (
            json!([{"drop": {"revision": 1}}, {"replace": {"revision": 1, "data": {}}}]),
            "edited twice",
        ),
    ];
    for (edits, part) in cases {
        let error = refused(2, edits.clone(), json!([]));
        assert!(
            matches!(&error, WhatIfError::BadEdit { message, .. } if message.contains(part)),
            "{edits}: {error}"
        );
    }
    let beyond = tell_with(
        &sarah(),
        &Request {
            base: 2,
            edits: json!([{"drop": {"revision": 5}}]),
            actions: json!([]),
            continuation: Continuation::Refold,
        },
        &NoHolders,
    );
    assert!(
        matches!(beyond, Err(WhatIfError::BadEdit { message, .. }) if message.contains("1 to 4"))
    );
}

#[test]
fn malformed_actions_name_the_field_and_never_the_value() {
    let unknown = refused(2, json!([]), json!([{"command": {"type": "Explode"}}]));
    assert!(unknown.to_string().contains("`SuspendUser`"), "{unknown}");
    let payload = json!({"username": "x", "email": "e", "first_name": "f", "last_name": "l", "password": 12_345_678});
    let malformed = refused(
        2,
        json!([]),
        json!([{"command": {"type": "CreateUser", "actor": "a", "payload": payload}}]),
    );
    assert_eq!(
        problem(malformed).detail,
        "`/do/0/command/payload/password` must be of type string"
    );
    let secret = refused(
        2,
        json!([]),
        json!([{"event": {"event_type": "UserCreated", "data": {"password": "hunter2"}}}]),
    );
    let secret = problem(secret);
    assert_eq!(
        (secret.code, secret.field.as_deref()),
        (Code::PlaintextSecret, Some("/do/0/event/data/password"))
    );
    let not_object = refused(
        2,
        json!([]),
        json!([{"event": {"event_type": "X", "data": [1]}}]),
    );
    assert_eq!(
        problem(not_object).detail,
        "`/do/0/event/data` must be a JSON object"
    );
}

#[test]
fn a_category_without_a_model_has_no_commands() {
    let model = merge::model();
    let history = events(&[("Made", json!({"a": 1}))]);
    let actions: Vec<Action> = serde_json::from_str(&json!([suspend()]).to_string()).unwrap();
    let scenario = Scenario {
        model: &model,
        stream: &stream(),
        start: &Folded::start(&model),
        events: &history,
        start_at: time(1),
        base: base(1, time(1)),
        edits: &[],
        actions: &actions,
        continuation: Continuation::None,
        holders: &NoHolders,
        password_correct: None,
        steps: StepsWanted::CHANGED,
    };
    assert_eq!(
        evaluate(&scenario),
        Err(WhatIfError::NoModel {
            category: "user".to_owned(),
            at: "/do/0/command".to_owned()
        })
    );
}

#[test]
fn a_key_that_another_stream_held_at_the_base_refuses_the_command() {
    struct Other;
    impl KeyHolders for Other {
        fn holder(&self, category: &str, key: &UniqueKey, _: &StreamName) -> Option<StreamName> {
            let taken =
                category == "user" && *key == UniqueKey::caseless("email", "taken@example.com");
            taken.then(|| StreamName::new("user-other").unwrap())
        }
    }
    let history = sarah();
    let request = |email: &str| Request {
        base: 2,
        edits: json!([]),
        actions: json!([{"command": {"type": "ChangeEmail", "actor": "a", "payload": {"email": email}}}]),
        continuation: Continuation::None,
    };
    let out = tell_with(&history[..2], &request("Taken@example.com"), &Other).unwrap();
    assert_eq!(out.steps[0].rule.as_deref(), Some("email.taken"));
    let out = tell_with(&history[..2], &request("free@example.com"), &Other).unwrap();
    assert_eq!(out.steps[0].outcome, StepOutcome::Accepted);
}
