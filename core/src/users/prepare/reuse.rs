//! What preparing made of a recorded command, taken to another state or under other rules. Pure: no password is looked at.

use serde_json::{Map, Value};

use super::super::decide::AccountStatus;
use super::super::rules::Rules;
use super::PASSWORD_CHARS_MIN;
use crate::decider::{Hypothesis, PrepareError, SAY_PASSWORD_CORRECT};
use crate::json::State;
use crate::shown::REDACTED;

/// How a length that was looked at when a password was recorded reads under rules that ask for another one: nothing else is kept
/// of it. `None` where that cannot be told.
fn length_under(rules: &Rules, recorded: &str) -> Option<&'static str> {
    let (min, was) = (rules.password_min, PASSWORD_CHARS_MIN);
    match recorded {
        "too_short" if min == 0 => Some("ok"),
        "too_short" if min >= was => Some("too_short"),
        "ok" | "unchanged" if min <= was => Some("ok"),
        _ => None,
    }
}

fn unknown_length(rules: &Rules) -> PrepareError {
    PrepareError::Unknown(format!(
        "it depends on whether the password has {} characters; of a recorded one, only whether it has {PASSWORD_CHARS_MIN} is known",
        rules.password_min
    ))
}

/// Takes a recorded creation to another state. A password that was not hashed, as the user was there already, is not known: a
/// placeholder stands for its hash.
pub(super) fn reuse_creation(
    rules: &Rules,
    state: &State,
    payload: &mut Map<String, Value>,
    command_id: &str,
) -> Result<(), PrepareError> {
    if AccountStatus::from_state(state) != AccountStatus::Absent {
        return Ok(());
    }
    let recorded = payload.get("password_check").and_then(Value::as_str);
    let check = match recorded {
        Some(recorded) => length_under(rules, recorded).ok_or_else(|| unknown_length(rules))?,
        None => return Ok(()),
    };
    let is_other = recorded != Some(check);
    let unhashed = payload.get("password_hash").is_none_or(Value::is_null);
    if check == "ok" && unhashed {
        let placeholder = Hypothesis::unknown_hash(command_id);
        payload.insert("password_hash".to_owned(), placeholder.into());
    }
    if is_other {
        payload.insert("password_check".to_owned(), check.into());
    }
    Ok(())
}

/// Takes a recorded change of password to another state. What was found out about the current password holds as long as it is
/// the same one.
pub(super) fn reuse_change(
    rules: &Rules,
    (recorded, state): (&State, &State),
    payload: &mut Map<String, Value>,
    (command_id, hypothesis): (&str, &Hypothesis),
) -> Result<(), PrepareError> {
    let may_change = |state: &State| rules.may_change(AccountStatus::from_state(state));
    if !may_change(state) {
        return Ok(());
    }
    let Some(now) = stored(state) else {
        // There is no password: nothing that is given is the current one.
        payload.insert("current_password_check".to_owned(), "not_checked".into());
        return Ok(());
    };
    let check = |name: &str| payload.get(name).and_then(Value::as_str);
    let was_compared =
        AccountStatus::from_state(recorded) == AccountStatus::Active && stored(recorded).is_some();
    // Of two redacted passwords it cannot be told whether they are one.
    let is_known = was_compared && stored(recorded) == Some(now) && now != REDACTED;
    let correct = match (is_known, hypothesis.password_correct) {
        (true, _) => check("current_password_check") == Some("correct"),
        (false, Some(correct)) => correct,
        (false, None) => {
            return Err(PrepareError::Unknown(format!(
                "it depends on whether the current password is right, which was not checked against this state when it was recorded{SAY_PASSWORD_CORRECT}"
            )));
        }
    };
    if is_known && (!correct || rules.password_min == PASSWORD_CHARS_MIN) {
        return Ok(());
    }
    // Nothing is known of a new password that was not looked at.
    let new_check = match check("new_password_check") {
        Some("not_checked") | None => "ok",
        Some(recorded) if correct => match (recorded, length_under(rules, recorded)) {
            (_, None) => return Err(unknown_length(rules)),
            ("unchanged", Some("ok")) => "unchanged",
            (_, Some(check)) => check,
        },
        Some("too_short") => "too_short",
        Some(_) => "ok",
    };
    let has_hash = payload
        .get("new_password_hash")
        .is_some_and(|hash| !hash.is_null());
    if correct && new_check == "ok" && !has_hash {
        let placeholder = Hypothesis::unknown_hash(command_id);
        payload.insert("new_password_hash".to_owned(), placeholder.into());
    }
    let current_check = if correct { "correct" } else { "incorrect" };
    payload.insert("current_password_check".to_owned(), current_check.into());
    payload.insert("new_password_check".to_owned(), new_check.into());
    Ok(())
}

fn stored(state: &State) -> Option<&str> {
    state.get("password_hash").and_then(Value::as_str)
}
