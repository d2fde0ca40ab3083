//! What the rules refuse and allow, command by command.

use super::*;

/// Given, command, payload, reason, and the rule that refuses it.
type Case<'a> = (
    &'a [(&'a str, Value)],
    &'a str,
    Value,
    Option<&'a str>,
    &'a str,
);

#[test]
#[expect(clippy::too_many_lines, reason = "one table of every rule")]
fn every_rule_of_the_design_refuses_what_it_should() {
    let suspended = [created(), ("UserSuspended", json!({"reason": "fraud"}))];
    let deleted = [created(), ("UserDeleted", json!({"reason": "asked"}))];
    let active = [created()];
    let password =
        |current: &str, new: &str| json!({"current_password": current, "new_password": new});
    let long_password = "x".repeat(8);
    let cases: Vec<Case<'_>> = vec![
        (
            &active,
            "CreateUser",
            create_payload("sarah", "s@example.com", &long_password),
            None,
            "user.exists",
        ),
        (
            &deleted,
            "CreateUser",
            create_payload("sarah", "s@example.com", &long_password),
            None,
            "user.exists",
        ),
        (
            &[],
            "CreateUser",
            create_payload("  ab ", "s@example.com", &long_password),
            None,
            "username.too_short",
        ),
        (
            &[],
            "CreateUser",
            create_payload("abc", "not-an-address", &long_password),
            None,
            "email.invalid",
        ),
        (
            &[],
            "CreateUser",
            create_payload("abc", "s@example.com", "1234567"),
            None,
            "password.too_short",
        ),
        (
            &[],
            "ChangeName",
            json!({"first_name": "x"}),
            None,
            "user.not_found",
        ),
        (
            &deleted,
            "ChangeName",
            json!({"first_name": "x"}),
            None,
            "user.deleted",
        ),
        (
            &suspended,
            "ChangeName",
            json!({"first_name": "x"}),
            None,
            "user.suspended",
        ),
        (&active, "ChangeName", json!({}), None, "name.unchanged"),
        (
            &active,
            "ChangeName",
            json!({"first_name": "Sarah"}),
            None,
            "name.unchanged",
        ),
        (
            &[],
            "ChangeEmail",
            json!({"email": "a@b.co"}),
            None,
            "user.not_found",
        ),
        (
            &suspended,
            "ChangeEmail",
            json!({"email": "nonsense"}),
            None,
            "user.suspended",
        ),
        (
            &active,
            "ChangeEmail",
            json!({"email": "nonsense"}),
            None,
            "email.invalid",
        ),
        (
            &active,
            "ChangeEmail",
            json!({"email": "sarah@example.com"}),
            None,
            "email.unchanged",
        ),
        (
            &[],
            "ChangePassword",
            password("password", &long_password),
            None,
            "user.not_found",
        ),
        (
            &suspended,
            "ChangePassword",
            password("wrong", "short"),
            None,
            "user.suspended",
        ),
        (
            &active,
            "ChangePassword",
            password("wrong", "short"),
            None,
            "password.incorrect",
        ),
        (
            &active,
            "ChangePassword",
            password("password", "short"),
            None,
            "password.too_short",
        ),
        (
            &active,
            "ChangePassword",
            password("password", "password"),
            None,
            "password.unchanged",
        ),
        (&[], "SuspendUser", json!({}), Some("x"), "user.not_found"),
        (
            &deleted,
            "SuspendUser",
            json!({}),
            Some("x"),
            "user.deleted",
        ),
        (&suspended, "SuspendUser", json!({}), None, "user.suspended"),
        (&active, "SuspendUser", json!({}), None, "reason.required"),
        (
            &active,
            "SuspendUser",
            json!({}),
            Some("  "),
            "reason.required",
        ),
        (&[], "ReactivateUser", json!({}), None, "user.not_found"),
        (&deleted, "ReactivateUser", json!({}), None, "user.deleted"),
        (
            &active,
            "ReactivateUser",
            json!({}),
            None,
            "user.not_suspended",
        ),
        (&[], "DeleteUser", json!({}), Some("x"), "user.not_found"),
        (
            &deleted,
            "DeleteUser",
            json!({}),
            None,
            "user.already_deleted",
        ),
        (&active, "DeleteUser", json!({}), None, "reason.required"),
    ];
    for (given, command_type, payload, reason, rule) in cases {
        let answer =
            run(given, command_type, payload.clone(), reason).map(|accepted| accepted.events);
        assert_eq!(
            answer,
            Err(rule.to_owned()),
            "{command_type} {payload} on {} events",
            given.len()
        );
    }
}

#[test]
fn what_the_rules_allow_leads_to_the_event_that_says_it() {
    let suspended = [created(), ("UserSuspended", json!({"reason": "fraud"}))];
    let active = [created()];
    assert_eq!(
        accepted(
            &active,
            "ChangeName",
            json!({"first_name": "Sara", "last_name": "Kim"}),
            None
        ),
        ("UserNameChanged".to_owned(), json!({"first_name": "Sara"}))
    );
    assert_eq!(
        accepted(
            &active,
            "ChangeEmail",
            json!({"email": " sk@new.org "}),
            None
        ),
        (
            "UserEmailChanged".to_owned(),
            json!({"email": "sk@new.org"})
        )
    );
    assert_eq!(
        accepted(
            &active,
            "ChangePassword",
            json!({"current_password": "password", "new_password": "12345678"}),
            None
        ),
        (
            "UserPasswordChanged".to_owned(),
            json!({"password_hash": "hash:87654321"})
        )
    );
    assert_eq!(
        accepted(&active, "SuspendUser", json!({}), Some("fraud_detected")),
        (
            "UserSuspended".to_owned(),
            json!({"reason": "fraud_detected"})
        )
    );
    assert_eq!(
        accepted(&suspended, "ReactivateUser", json!({}), None),
        ("UserReactivated".to_owned(), json!({}))
    );
    assert_eq!(
        accepted(&suspended, "DeleteUser", json!({}), Some("asked")),
        ("UserDeleted".to_owned(), json!({"reason": "asked"}))
    );
}
