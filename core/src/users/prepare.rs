//! Prepare step of user commands: passwords become hashes and results of checks before the rules run.
//!
//! The prepared command says of each password only what the rules need to know (`ok`, `too_short`, …) and, where it is to
//! be kept, its hash. The plaintext ends here.

mod reuse;

use std::sync::Arc;

use serde_json::{Map, Value};

use super::decide::AccountStatus;
use super::rules::Rules;
use crate::command::Command;
use crate::decider::{Hypothesis, Prepare, PrepareError, SAY_PASSWORD_CORRECT};
use crate::json::State;
use crate::same::same_object;
use crate::shown::REDACTED;
use reuse::{reuse_change, reuse_creation};

/// Shortest password, in characters.
pub(super) const PASSWORD_CHARS_MIN: usize = 8;

/// Hashes and verifies passwords. Needs randomness for salts, so the daemon brings it.
pub trait Passwords: Send + Sync {
    /// A salted hash, in a text form that names its own parameters.
    fn hash(&self, plaintext: &str) -> Result<String, String>;

    /// Whether the hash is of this plaintext. An unreadable hash is of none.
    fn verify(&self, plaintext: &str, hash: &str) -> Result<bool, String>;
}

pub(super) struct PrepareUsers {
    passwords: Arc<dyn Passwords>,
    rules: Arc<Rules>,
}

impl PrepareUsers {
    pub(super) fn new(passwords: Arc<dyn Passwords>, rules: Arc<Rules>) -> Self {
        Self { passwords, rules }
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
        let matches = |text: &str| verified(self, text, stored);
        let is_current = matches(current)?;
        Ok((
            is_current,
            length(new, PASSWORD_CHARS_MIN) == "ok" && matches(new)?,
        ))
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
            None => Err(PrepareError::Unknown(format!(
                "it depends on whether the current password is right, and a what-if never checks a recorded password{SAY_PASSWORD_CORRECT}"
            ))),
        }
    }
}

fn create(
    (secrets, rules): (&(impl Secrets + ?Sized), &Rules),
    state: &State,
    payload: &mut Map<String, Value>,
) -> Result<(), PrepareError> {
    let password = take_text(payload, "password")?;
    let check = length(&password, rules.password_min);
    // Hashing costs tens of milliseconds: not spent where the rules refuse whatever the password.
    let hash = if check == "ok" && AccountStatus::from_state(state) == AccountStatus::Absent {
        Value::String(secrets.hash(&password)?)
    } else {
        Value::Null
    };
    payload.insert("password_check".to_owned(), check.into());
    payload.insert("password_hash".to_owned(), hash);
    Ok(())
}

fn change_password(
    (secrets, rules): (&(impl Secrets + ?Sized), &Rules),
    state: &State,
    payload: &mut Map<String, Value>,
) -> Result<(), PrepareError> {
    let (current, new) = (
        take_text(payload, "current_password")?,
        take_text(payload, "new_password")?,
    );
    let stored = state.get("password_hash").and_then(Value::as_str);
    let (mut current_check, mut new_check, mut hash) = ("not_checked", "not_checked", Value::Null);
    let may_change = rules.may_change(AccountStatus::from_state(state));
    if let Some(stored) = stored.filter(|_| may_change) {
        let (is_current, is_same) = secrets.compare(&current, &new, stored)?;
        current_check = if is_current { "correct" } else { "incorrect" };
        new_check = length(&new, rules.password_min);
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
    with: (&(impl Secrets + ?Sized), &Rules),
    state: &State,
    mut command: Command,
) -> Result<Command, PrepareError> {
    let payload = &mut command.payload;
    match command.command_type.as_str() {
        "CreateUser" => create(with, state, payload)?,
        "ChangePassword" => change_password(with, state, payload)?,
        _ => {}
    }
    Ok(command)
}

/// Whether the password of a creation is the one on record. Takes it, and what is on record of it, out of the payloads.
fn same_creation(
    (passwords, min): (&dyn Passwords, usize),
    given: &mut Map<String, Value>,
    kept: &mut Map<String, Value>,
) -> Result<bool, PrepareError> {
    let password = take_text(given, "password")?;
    let (check, hash) = (
        kept.shift_remove("password_check"),
        hash(kept, "password_hash"),
    );
    let long_enough = check.as_ref().and_then(Value::as_str) == Some(length(&password, min));
    Ok(long_enough && fits(passwords, &password, hash.as_deref())?)
}

/// Whether the passwords of a change are those on record. Takes them, and what is on record of them, out of the payloads.
fn same_change(
    (passwords, min): (&dyn Passwords, usize),
    state: &State,
    given: &mut Map<String, Value>,
    kept: &mut Map<String, Value>,
) -> Result<bool, PrepareError> {
    let (current, new) = (
        take_text(given, "current_password")?,
        take_text(given, "new_password")?,
    );
    let mut check = |name: &str| match kept.shift_remove(name) {
        Some(Value::String(result)) => result,
        _ => String::new(),
    };
    let (current_check, new_check) = (check("current_password_check"), check("new_password_check"));
    let kept_hash = hash(kept, "new_password_hash");
    let stored = state.get("password_hash").and_then(Value::as_str);
    let matches = |text: &str| match stored {
        Some(stored) => verified(passwords, text, stored),
        None => Ok(false),
    };
    let same_current = match current_check.as_str() {
        "correct" => matches(&current)?,
        "incorrect" => !matches(&current)?,
        _ => true,
    };
    let same_new = match new_check.as_str() {
        "unchanged" => matches(&new)?,
        "ok" | "too_short" => new_check == length(&new, min),
        _ => true,
    };
    Ok(same_current && same_new && fits(passwords, &new, kept_hash.as_deref())?)
}

fn hash(kept: &mut Map<String, Value>, name: &str) -> Option<String> {
    match kept.shift_remove(name) {
        Some(Value::String(hash)) => Some(hash),
        _ => None,
    }
}

/// Whether a password fits a hash on record, if there is one.
fn fits(
    passwords: &dyn Passwords,
    password: &str,
    hash: Option<&str>,
) -> Result<bool, PrepareError> {
    hash.map_or(Ok(true), |hash| verified(passwords, password, hash))
}

/// Whether a hash is of this password. Of a redacted one it cannot be told, which is not a "no".
fn verified(passwords: &dyn Passwords, password: &str, hash: &str) -> Result<bool, PrepareError> {
    if hash == REDACTED {
        return Err(PrepareError::Redacted(
            "the recorded password is not in this log, which is a redacted copy: no password can be compared with it"
                .to_owned(),
        ));
    }
    passwords
        .verify(password, hash)
        .map_err(PrepareError::Failed)
}

impl Prepare for PrepareUsers {
    fn takes_long(&self, command: &Command) -> bool {
        matches!(
            command.command_type.as_str(),
            "CreateUser" | "ChangePassword"
        )
    }

    fn prepare(&self, state: &State, command: Command) -> Result<Command, PrepareError> {
        prepare((self.passwords.as_ref(), &self.rules), state, command)
    }

    fn repeats(
        &self,
        state: &State,
        command: &Command,
        recorded: &Map<String, Value>,
    ) -> Result<bool, PrepareError> {
        let mut given = command.payload.clone();
        let mut kept = recorded.clone();
        let with = (self.passwords.as_ref(), self.rules.password_min);
        let fits = match command.command_type.as_str() {
            "CreateUser" => same_creation(with, &mut given, &mut kept)?,
            "ChangePassword" => same_change(with, state, &mut given, &mut kept)?,
            _ => true,
        };
        Ok(fits && same_object(&given, &kept))
    }

    fn reuse(
        &self,
        recorded: &State,
        state: &State,
        mut command: Command,
        hypothesis: &Hypothesis,
    ) -> Result<Command, PrepareError> {
        let (id, payload) = (command.command_id.as_str(), &mut command.payload);
        let rules = &self.rules;
        match command.command_type.as_str() {
            "CreateUser" => reuse_creation(rules, state, payload, id)?,
            "ChangePassword" => {
                reuse_change(rules, (recorded, state), payload, (id, hypothesis))?;
            }
            _ => {}
        }
        Ok(command)
    }

    fn suppose(
        &self,
        state: &State,
        command: Command,
        hypothesis: &Hypothesis,
    ) -> Result<Command, PrepareError> {
        prepare((hypothesis, &self.rules), state, command)
    }
}

fn length(password: &str, min: usize) -> &'static str {
    if password.chars().count() < min {
        "too_short"
    } else {
        "ok"
    }
}

/// Takes a plaintext out of the payload.
fn take_text(payload: &mut Map<String, Value>, name: &str) -> Result<String, PrepareError> {
    match payload.shift_remove(name) {
        Some(Value::String(text)) => Ok(text),
        _ => Err(PrepareError::Malformed {
            pointer: format!("/{name}"),
            message: "must be of type string".to_owned(),
        }),
    }
}
