//! What has to happen to a user command before the rules see it: passwords become hashes and verdicts.
//!
//! The prepared command says of each password only what the rules need to know (`ok`, `too_short`, …) and, where it is to
//! be kept, its hash. The plaintext ends here.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::decide::Standing;
use crate::command::Command;
use crate::decider::{Prepare, PrepareError};
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

    fn create(&self, state: &State, payload: &mut Map<String, Value>) -> Result<(), PrepareError> {
        let password = take(payload, "password")?;
        let check = length(&password);
        // Hashing costs tens of milliseconds: not spent where the rules refuse whatever the password.
        let hash = if check == "ok" && Standing::of(state) == Standing::Absent {
            Value::String(
                self.passwords
                    .hash(&password)
                    .map_err(PrepareError::Failed)?,
            )
        } else {
            Value::Null
        };
        payload.insert("password_check".to_owned(), check.into());
        payload.insert("password_hash".to_owned(), hash);
        Ok(())
    }

    fn change_password(
        &self,
        state: &State,
        payload: &mut Map<String, Value>,
    ) -> Result<(), PrepareError> {
        let (current, new) = (
            take(payload, "current_password")?,
            take(payload, "new_password")?,
        );
        let stored = state.get("password_hash").and_then(Value::as_str);
        let (mut current_check, mut new_check, mut hash) =
            ("not_checked", "not_checked", Value::Null);
        if let (Standing::Active, Some(stored)) = (Standing::of(state), stored) {
            let matches = |text: &str| {
                self.passwords
                    .verify(text, stored)
                    .map_err(PrepareError::Failed)
            };
            current_check = if matches(&current)? {
                "correct"
            } else {
                "incorrect"
            };
            new_check = length(&new);
            if new_check == "ok" && matches(&new)? {
                new_check = "unchanged";
            }
            if current_check == "correct" && new_check == "ok" {
                hash = Value::String(self.passwords.hash(&new).map_err(PrepareError::Failed)?);
            }
        }
        payload.insert("current_password_check".to_owned(), current_check.into());
        payload.insert("new_password_check".to_owned(), new_check.into());
        payload.insert("new_password_hash".to_owned(), hash);
        Ok(())
    }
}

impl Prepare for PrepareUsers {
    fn prepare(&self, state: &State, mut command: Command) -> Result<Command, PrepareError> {
        match command.command_type.as_str() {
            "CreateUser" => self.create(state, &mut command.payload)?,
            "ChangePassword" => self.change_password(state, &mut command.payload)?,
            _ => {}
        }
        Ok(command)
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
