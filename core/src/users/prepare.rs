//! What has to happen to a user command before the rules see it: passwords become hashes and verdicts.
//!
//! The prepared command says of each password only what the rules need to know (`ok`, `too_short`, …) and, where it is to
//! be kept, its hash. The plaintext ends here.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::decide::Standing;
use crate::command::Command;
use crate::decider::{Hypothesis, Prepare, PrepareError};
use crate::json::State;

/// Shortest password, in characters.
const PASSWORD_CHARS_MIN: usize = 8;

/// Hashes and verifies passwords. Needs randomness for salts, so the daemon brings it.
pub trait Passwords: Send + Sync {
    /// A salted hash, in a text form that names its own parameters.
    fn hash(&self, plaintext: &str) -> Result<String, String>;

    /// Whether the hash is of this plaintext. An unreadable hash is of none.
    fn verify(&self, plaintext: &str, hash: &str) -> Result<bool, String>;
}

pub(super) struct PrepareUsers {
    passwords: Arc<dyn Passwords>,
}

impl PrepareUsers {
    pub(super) fn new(passwords: Arc<dyn Passwords>) -> Self {
        Self { passwords }
    }
}

/// Where answers about passwords come from.
trait Secrets {
    fn hash(&self, plaintext: &str) -> Result<String, PrepareError>;

    /// Whether the current password was given, and whether the new one is the same.
    fn compare(&self, current: &str, new: &str, stored: &str)
    -> Result<(bool, bool), PrepareError>;
}

/// From the passwords themselves.
impl Secrets for dyn Passwords {
    fn hash(&self, plaintext: &str) -> Result<String, PrepareError> {
        Passwords::hash(self, plaintext).map_err(PrepareError::Failed)
    }

    fn compare(
        &self,
        current: &str,
        new: &str,
        stored: &str,
    ) -> Result<(bool, bool), PrepareError> {
        let matches = |text: &str| self.verify(text, stored).map_err(PrepareError::Failed);
        let is_current = matches(current)?;
        Ok((is_current, length(new) == "ok" && matches(new)?))
    }
}

/// From what a what-if supposes: a recorded hash is never compared with anything.
impl Secrets for Hypothesis {
    fn hash(&self, plaintext: &str) -> Result<String, PrepareError> {
        Ok(Hypothesis::hash(self, plaintext))
    }

    fn compare(
        &self,
        current: &str,
        new: &str,
        stored: &str,
    ) -> Result<(bool, bool), PrepareError> {
        if let Some(is_current) = self.verify(current, stored) {
            return Ok((is_current, self.verify(new, stored) == Some(true)));
        }
        match self.password_correct {
            // The current password and the one given are then the same text.
            Some(correct) => Ok((correct, correct && current == new)),
            None => Err(PrepareError::Unknown(
                "it depends on whether the current password is right, and a what-if never looks at a recorded password; \
                 say `password_correct`: `true` or `false`"
                    .to_owned(),
            )),
        }
    }
}

fn create(
    secrets: &(impl Secrets + ?Sized),
    state: &State,
    payload: &mut Map<String, Value>,
) -> Result<(), PrepareError> {
    let password = take(payload, "password")?;
    let check = length(&password);
    // Hashing costs tens of milliseconds: not spent where the rules refuse whatever the password.
    let hash = if check == "ok" && Standing::of(state) == Standing::Absent {
        Value::String(secrets.hash(&password)?)
    } else {
        Value::Null
    };
    payload.insert("password_check".to_owned(), check.into());
    payload.insert("password_hash".to_owned(), hash);
    Ok(())
}

fn change_password(
    secrets: &(impl Secrets + ?Sized),
    state: &State,
    payload: &mut Map<String, Value>,
) -> Result<(), PrepareError> {
    let (current, new) = (
        take(payload, "current_password")?,
        take(payload, "new_password")?,
    );
    let stored = state.get("password_hash").and_then(Value::as_str);
    let (mut current_check, mut new_check, mut hash) = ("not_checked", "not_checked", Value::Null);
    if let (Standing::Active, Some(stored)) = (Standing::of(state), stored) {
        let (is_current, is_same) = secrets.compare(&current, &new, stored)?;
        current_check = if is_current { "correct" } else { "incorrect" };
        new_check = length(&new);
        if new_check == "ok" && is_same {
            new_check = "unchanged";
        }
        if current_check == "correct" && new_check == "ok" {
            hash = Value::String(secrets.hash(&new)?);
        }
    }
    payload.insert("current_password_check".to_owned(), current_check.into());
    payload.insert("new_password_check".to_owned(), new_check.into());
    payload.insert("new_password_hash".to_owned(), hash);
    Ok(())
}

fn prepare(
    secrets: &(impl Secrets + ?Sized),
    state: &State,
    mut command: Command,
) -> Result<Command, PrepareError> {
    let payload = &mut command.payload;
    match command.command_type.as_str() {
        "CreateUser" => create(secrets, state, payload)?,
        "ChangePassword" => change_password(secrets, state, payload)?,
        _ => {}
    }
    Ok(command)
}

impl Prepare for PrepareUsers {
    fn prepare(&self, state: &State, command: Command) -> Result<Command, PrepareError> {
        prepare(self.passwords.as_ref(), state, command)
    }

    fn suppose(
        &self,
        state: &State,
        command: Command,
        hypothesis: &Hypothesis,
    ) -> Result<Command, PrepareError> {
        prepare(hypothesis, state, command)
    }
}

fn length(password: &str) -> &'static str {
    if password.chars().count() < PASSWORD_CHARS_MIN {
        "too_short"
    } else {
        "ok"
    }
}

/// Takes a plaintext out of the payload.
fn take(payload: &mut Map<String, Value>, name: &str) -> Result<String, PrepareError> {
    match payload.shift_remove(name) {
        Some(Value::String(text)) => Ok(text),
        _ => Err(PrepareError::Malformed {
            pointer: format!("/{name}"),
            message: "must be of type string".to_owned(),
        }),
    }
}
