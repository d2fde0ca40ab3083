//! The rules of the users domain.
//!
//! State is checked before credentials, and credentials before the payload, so that a rejection discloses as little as
//! possible. Whether a username or email is taken is not decided here: the append claims the unique keys.

use icu_normalizer::ComposingNormalizer;
use serde_json::{Map, Value, json};

use super::rules::Rules;
use super::spelling;
use crate::command::{Command, Rejection};
use crate::event::NewEvent;
use crate::json::State;

/// The status of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AccountStatus {
    Absent,
    Active,
    Suspended,
    Deleted,
}

impl AccountStatus {
    pub(super) fn from_state(state: &State) -> Self {
        match state.get("status").and_then(Value::as_str) {
            _ if !state.contains_key("username") => Self::Absent,
            Some("deleted") => Self::Deleted,
            Some("suspended") => Self::Suspended,
            _ => Self::Active,
        }
    }
}

type RuleOutcome = Result<Vec<NewEvent>, Rejection>;

pub(super) fn decide(rules: &Rules, state: &State, command: &Command) -> RuleOutcome {
    let payload = &command.payload;
    let reason = given_reason(command);
    let events = match command.command_type.as_str() {
        "CreateUser" => create(rules, state, payload),
        "ChangeName" => change_name(rules, state, payload),
        "ChangeEmail" => change_email(rules, state, payload),
        "ChangePassword" => change_password(rules, state, payload),
        "SuspendUser" => suspend(rules, state, reason),
        "ReactivateUser" => reactivate(rules, state),
        "DeleteUser" => delete(state, reason),
        other => refuse(
            "command.unknown",
            format!("users have no command `{other}`"),
        ),
    }?;
    if rules.needs_reason(&command.command_type) && reason.is_none() {
        return refuse("reason.required", "this command needs a reason");
    }
    rules.permit(state, command)?;
    Ok(events)
}

fn create(rules: &Rules, state: &State, payload: &Map<String, Value>) -> RuleOutcome {
    if AccountStatus::from_state(state) != AccountStatus::Absent {
        return refuse("user.exists", "this user already exists");
    }
    let username = trimmed(payload, "username");
    let username_min = rules.username_min;
    if username.chars().count() < username_min {
        return refuse(
            "username.too_short",
            format!("a username needs at least {username_min} characters"),
        );
    }
    if rules.is_on("username.invalid") && !spelling::is_plain(&username) {
        return refuse(
            "username.invalid",
            "a username must not contain invisible characters, mix letters of several scripts, or use letters that are not in general use",
        );
    }
    let email = valid_email(rules, payload)?;
    if payload.get("password_check").and_then(Value::as_str) != Some("ok") {
        return too_short(rules);
    }
    accept(
        "UserCreated",
        json!({
            "username": username,
            "email": email,
            "first_name": trimmed(payload, "first_name"),
            "last_name": trimmed(payload, "last_name"),
            "password_hash": payload.get("password_hash"),
        }),
    )
}

fn change_name(rules: &Rules, state: &State, payload: &Map<String, Value>) -> RuleOutcome {
    must_be_active(rules, state)?;
    let changed: Map<String, Value> = ["first_name", "last_name"]
        .into_iter()
        .filter(|name| payload.contains_key(*name))
        .map(|name| (name.to_owned(), Value::String(trimmed(payload, name))))
        .filter(|(name, value)| state.get(name) != Some(value))
        .collect();
    if changed.is_empty() && rules.is_on("name.unchanged") {
        return refuse(
            "name.unchanged",
            "neither the first nor the last name would change",
        );
    }
    accept("UserNameChanged", Value::Object(changed))
}

fn change_email(rules: &Rules, state: &State, payload: &Map<String, Value>) -> RuleOutcome {
    must_be_active(rules, state)?;
    let email = valid_email(rules, payload)?;
    let is_current = state.get("email").and_then(Value::as_str) == Some(&email);
    if is_current && rules.is_on("email.unchanged") {
        return refuse("email.unchanged", "this is the current email address");
    }
    accept("UserEmailChanged", json!({"email": email}))
}

fn change_password(rules: &Rules, state: &State, payload: &Map<String, Value>) -> RuleOutcome {
    must_be_active(rules, state)?;
    let check = |name: &str| payload.get(name).and_then(Value::as_str);
    if check("current_password_check") != Some("correct") {
        return refuse("password.incorrect", "the current password is not correct");
    }
    match check("new_password_check") {
        Some("ok") => accept(
            "UserPasswordChanged",
            json!({"password_hash": payload.get("new_password_hash")}),
        ),
        Some("unchanged") => refuse("password.unchanged", "the new password is the current one"),
        _ => too_short(rules),
    }
}

fn suspend(rules: &Rules, state: &State, reason: Option<&str>) -> RuleOutcome {
    must_exist(state)?;
    let is_suspended = AccountStatus::from_state(state) == AccountStatus::Suspended;
    if is_suspended && rules.is_on("user.suspended") {
        return refuse("user.suspended", "this user is already suspended");
    }
    accept("UserSuspended", json!({"reason": reason}))
}

fn reactivate(rules: &Rules, state: &State) -> RuleOutcome {
    must_exist(state)?;
    let is_suspended = AccountStatus::from_state(state) == AccountStatus::Suspended;
    if !is_suspended && rules.is_on("user.not_suspended") {
        return refuse("user.not_suspended", "this user is not suspended");
    }
    accept("UserReactivated", json!({}))
}

fn delete(state: &State, reason: Option<&str>) -> RuleOutcome {
    match AccountStatus::from_state(state) {
        AccountStatus::Absent => refuse("user.not_found", "there is no such user"),
        AccountStatus::Deleted => refuse("user.already_deleted", "this user is already deleted"),
        AccountStatus::Active | AccountStatus::Suspended => {
            accept("UserDeleted", json!({"reason": reason}))
        }
    }
}

fn must_exist(state: &State) -> Result<(), Rejection> {
    match AccountStatus::from_state(state) {
        AccountStatus::Absent => Err(Rejection::new("user.not_found", "there is no such user")),
        AccountStatus::Deleted => Err(Rejection::new("user.deleted", "this user is deleted")),
        AccountStatus::Active | AccountStatus::Suspended => Ok(()),
    }
}

fn must_be_active(rules: &Rules, state: &State) -> Result<(), Rejection> {
    must_exist(state)?;
    match AccountStatus::from_state(state) {
        AccountStatus::Suspended if rules.is_on("user.suspended") => {
            Err(Rejection::new("user.suspended", "this user is suspended"))
        }
        _ => Ok(()),
    }
}

fn given_reason(command: &Command) -> Option<&str> {
    let reason = command.reason.as_deref().map(str::trim);
    reason.filter(|reason| !reason.is_empty())
}

fn too_short(rules: &Rules) -> RuleOutcome {
    let min = rules.password_min;
    refuse(
        "password.too_short",
        format!("a password needs at least {min} characters"),
    )
}

fn valid_email(rules: &Rules, payload: &Map<String, Value>) -> Result<String, Rejection> {
    let email = trimmed(payload, "email");
    let is_valid = is_email(&email) && email.split(['@', '.']).all(spelling::is_plain);
    if is_valid || !rules.is_on("email.invalid") {
        Ok(email)
    } else {
        Err(Rejection::new(
            "email.invalid",
            "this is not a well-formed email address",
        ))
    }
}

/// The common form of an address: a local part of printable ASCII without quotes or white space, and a domain of at least
/// two labels of letters, digits and inner hyphens (RFC 5321 §4.1.2 without quoted strings and address literals).
fn is_email(text: &str) -> bool {
    // An accent may be written as a character of its own.
    let text = ComposingNormalizer::new_nfc().normalize(text);
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let local_fits = (1..=64).contains(&local.len())
        && local.split('.').all(|atom| !atom.is_empty())
        && local
            .chars()
            .all(|c| c.is_alphanumeric() || "!#$%&'*+/=?^_`{|}~-.".contains(c));
    let label_fits = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    local_fits && text.len() <= 254 && domain.contains('.') && domain.split('.').all(label_fits)
}

fn trimmed(payload: &Map<String, Value>, name: &str) -> String {
    payload
        .get(name)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .trim()
        .to_owned()
}

#[expect(clippy::unnecessary_wraps, reason = "it is the other half of `refuse`")]
fn accept(event_type: &str, data: Value) -> RuleOutcome {
    Ok(vec![NewEvent::new(event_type, data)])
}

fn refuse(rule: &str, message: impl Into<String>) -> RuleOutcome {
    Err(Rejection::new(rule, message))
}
