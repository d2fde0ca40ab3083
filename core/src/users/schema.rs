//! The commands of the users domain, as JSON Schema. What is well formed stands here, what is allowed in `decide`.

use serde_json::{Value, json};

use crate::model::CommandSpec;

/// Longest text of a field, in characters: beyond it a payload is malformed, not refused by a rule.
const TEXT_CHARS_MAX: u32 = 254;
/// Longest password, in characters: hashing is work, so its input is bounded.
const PASSWORD_CHARS_MAX: u32 = 1024;

pub(super) fn commands() -> Vec<CommandSpec> {
    vec![
        command(
            "CreateUser",
            "creates a user account",
            false,
            &["username", "email", "first_name", "last_name", "password"],
            &json!({
                "username": text("Username", "at least 3 characters, not taken"),
                "email": email(),
                "first_name": text("First name", ""),
                "last_name": text("Last name", ""),
                "password": password("Password", "at least 8 characters"),
            }),
        ),
        command(
            "ChangeName",
            "changes the first or the last name",
            false,
            &[],
            &json!({
                "first_name": text("First name", "one of the two must change"),
                "last_name": text("Last name", "one of the two must change"),
            }),
        ),
        command(
            "ChangeEmail",
            "changes the email address",
            false,
            &["email"],
            &json!({"email": email()}),
        ),
        command(
            "ChangePassword",
            "changes the password",
            false,
            &["current_password", "new_password"],
            &json!({
                "current_password": password("Current password", "must be the current one"),
                "new_password": password("New password", "at least 8 characters, not the current one"),
            }),
        ),
        command(
            "SuspendUser",
            "suspends the account until it is reactivated",
            true,
            &[],
            &json!({}),
        ),
        command(
            "ReactivateUser",
            "lifts a suspension",
            false,
            &[],
            &json!({}),
        ),
        command(
            "DeleteUser",
            "deletes the account for good",
            true,
            &[],
            &json!({}),
        ),
    ]
}

fn command(
    name: &str,
    description: &str,
    reason_required: bool,
    required: &[&str],
    properties: &Value,
) -> CommandSpec {
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": name,
        "type": "object",
        "required": required,
        "additionalProperties": false,
        "properties": properties,
    });
    CommandSpec {
        name: name.to_owned(),
        description: description.to_owned(),
        schema,
        reason_required,
    }
}

fn text(title: &str, rule: &str) -> Value {
    let mut field = json!({"type": "string", "title": title, "maxLength": TEXT_CHARS_MAX});
    if !rule.is_empty() {
        field["x-rule"] = rule.into();
    }
    field
}

fn email() -> Value {
    // No `format`: whether the address is acceptable is a rule (`email.invalid`), so that a refusal is on record.
    text("Email", "a well-formed address, not taken")
}

fn password(title: &str, rule: &str) -> Value {
    json!({"type": "string", "title": title, "maxLength": PASSWORD_CHARS_MAX, "writeOnly": true, "x-rule": rule})
}
