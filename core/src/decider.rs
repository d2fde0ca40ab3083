//! Deciders: pure domain logic.
//!
//! Owns the trait. A decider reads no clock, draws no random number and does no IO: `now` is the command's `issued_at`,
//! ids are assigned around it, and secrets are dealt with by `prepare` before it. So a recorded command decides the same
//! way again, today and in a what-if.

use std::cell::RefCell;

use serde_json::{Map, Value};

use crate::command::{Command, Rejection};
use crate::event::{Event, NewEvent};
use crate::json::State;
use crate::time::Timestamp;

/// An event as a decider sees it: its payload decoded and brought to the current schema version.
#[derive(Debug, Clone)]
pub struct DecodedEvent<'a> {
    /// Its type in the current shape.
    pub event_type: &'a str,
    /// The payload in the current shape.
    pub data: &'a Map<String, Value>,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// The event as it stands in the log.
    pub event: &'a Event,
}

/// What an event did to the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evolution {
    /// It is of a known type and was applied.
    Applied,
    /// Its type is unknown: the state is unchanged.
    Unknown,
}

/// Which part of a state an event may change.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Touched<'a> {
    /// The whole state.
    All,
    /// What a JSON Merge Patch of this shape reaches: its keys, and within objects the keys of its objects.
    Patch(&'a Map<String, Value>),
}

/// Domain logic of one category.
pub trait Decider: Send + Sync {
    /// The state at revision 0: the empty object unless the domain says otherwise.
    fn initial_state(&self) -> State {
        State::new()
    }

    /// Applies an event to the state.
    ///
    /// # Errors
    /// Why the event cannot be applied, in a sentence. The state must then be as it was before.
    fn evolve(&self, state: &mut State, event: &DecodedEvent<'_>) -> Result<Evolution, String>;

    /// Which part of a state [`Decider::evolve`] may change with this event: nothing else is compared to say what it did. A
    /// decider of large states narrows it down.
    fn touched<'a>(&self, _event: &DecodedEvent<'a>) -> Touched<'a> {
        Touched::All
    }

    /// Decides a prepared command: the events it leads to.
    ///
    /// # Errors
    /// The rule that rejects it.
    fn decide(&self, state: &State, command: &Command) -> Result<Vec<NewEvent>, Rejection>;
}

/// Why a command cannot be prepared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PrepareError {
    /// A field of the payload is missing or of the wrong kind. The message never quotes its value.
    #[error("`{pointer}` {message}")]
    Malformed {
        /// JSON Pointer of the field in the payload.
        pointer: String,
        /// What is wrong with it.
        message: String,
    },
    /// In a what-if: the outcome depends on a recorded secret. Says what the client can assume instead.
    #[error("{0}")]
    Unknown(String),
    /// It depends on a secret that is not on record: the log is a redacted copy. Says nothing about the command.
    #[error("{0}")]
    Redacted(String),
    /// The preparation itself failed (no randomness, out of memory), whatever the command.
    #[error("the command could not be prepared: {0}")]
    Failed(String),
}

/// How a message says what a client can assume about a recorded password. A program that offers that in its own way says so in
/// its place.
pub const SAY_PASSWORD_CORRECT: &str = "; set `password_correct` to `true` or `false`";

/// What a what-if assumes about passwords: it never compares one with a recorded hash.
#[derive(Debug, Default)]
pub struct Hypothesis {
    /// Whether the current password that a command gives is assumed to be correct; unknown when `None`.
    pub password_correct: Option<bool>,
    /// Passwords set within the what-if itself. In its states a placeholder stands for each: see [`Hypothesis::hash`].
    invented: RefCell<Vec<String>>,
}

const PLACEHOLDER: &str = "what-if-password-";

impl Hypothesis {
    /// A placeholder for the hash of a password. Nothing is hashed, and nothing of the password can be told from it.
    pub fn hash(&self, plaintext: &str) -> String {
        let mut invented = self.invented.borrow_mut();
        invented.push(plaintext.to_owned());
        format!("{PLACEHOLDER}{}", invented.len())
    }

    /// A placeholder for the hash of a password that is on no record, named after the command that sets it.
    pub fn unknown_hash(command_id: &str) -> String {
        format!("{PLACEHOLDER}of-{command_id}")
    }

    /// Whether a hash is the placeholder of this password; `None` for any other hash, which is never looked at.
    pub fn verify(&self, plaintext: &str, hash: &str) -> Option<bool> {
        let number: usize = hash.strip_prefix(PLACEHOLDER)?.parse().ok()?;
        let invented = self.invented.borrow();
        Some(invented.get(number.checked_sub(1)?)? == plaintext)
    }
}

/// The impure step before `decide`: what a decider must not do (hash a password, verify one against the state). Its
/// *result* is the command that is decided and recorded.
pub trait Prepare: Send + Sync {
    /// Turns a command as it was sent into the command that is decided: no plaintext secret is left in it.
    fn prepare(&self, state: &State, command: Command) -> Result<Command, PrepareError>;

    /// Whether preparing this command takes as long as hashing a password does. Then it is not done beside other requests.
    fn takes_long(&self, _command: &Command) -> bool {
        true
    }

    /// Whether a command as it was sent again is the one of which `recorded` is the prepared payload; `state` is the one it
    /// was prepared on. Of a secret nothing is kept but what preparing made of it: where that is a hash, the secret must fit
    /// it; where it is the result of a check, the secret must lead to the same result.
    fn repeats(
        &self,
        state: &State,
        command: &Command,
        recorded: &Map<String, Value>,
    ) -> Result<bool, PrepareError>;

    /// Takes what preparing made of a recorded command, on the state `recorded`, to another state: pure, for a what-if that
    /// decides it again. What depends on a secret that was not compared there comes from the hypothesis, or is
    /// [`PrepareError::Unknown`].
    fn reuse(
        &self,
        _recorded: &State,
        _state: &State,
        command: Command,
        _hypothesis: &Hypothesis,
    ) -> Result<Command, PrepareError> {
        Ok(command)
    }

    /// Prepares for a what-if: pure, and without looking at a recorded secret. What depends on one comes from the hypothesis,
    /// or is [`PrepareError::Unknown`].
    fn suppose(
        &self,
        state: &State,
        command: Command,
        hypothesis: &Hypothesis,
    ) -> Result<Command, PrepareError>;
}
