//! Parameters of the users' rules: which are on, how long a name or a password must be, who may do what.
//!
//! Owns how they are read, strictly, and their one spelling, which the rules hash covers. Without parameters the rules are those that
//! come with the daemon.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::decide::AccountStatus;
use super::{prepare, schema};
use crate::command::{Command, Rejection};
use crate::json::{State, pointer_token};
use crate::model::RulesError;
use crate::query::Pattern;

/// Rules that can be turned off, each with everything that is refused under its name.
const SWITCHES: [&str; 6] = [
    "email.invalid",
    "email.unchanged",
    "name.unchanged",
    "user.not_suspended",
    "user.suspended",
    "username.invalid",
];
/// Rules that cannot be, and why.
const FIXED: [(&str, &str); 10] = [
    ("command.unknown", "there is no such command"),
    ("email.taken", "unique keys are kept by the store"),
    ("password.incorrect", "all passwords would look the same"),
    (
        "password.too_short",
        "say `password_min` in `lengths`: 0 turns it off",
    ),
    ("password.unchanged", "all passwords would look the same"),
    (
        "reason.required",
        "list the commands in `reason_required`: `[]` turns it off",
    ),
    (
        "user.already_deleted",
        "nothing can be done with a deleted user",
    ),
    ("user.deleted", "nothing can be done with a deleted user"),
    ("user.exists", "a user is created once"),
    ("user.not_found", "there is nothing to change"),
];
const STATUSES: [&str; 3] = ["absent", "active", "suspended"];
/// Rules of who may do what, at most.
const FORBIDDEN_MAX: usize = 100;
/// Bytes of a text in the parameters.
const TEXT_BYTES_MAX: usize = 200;
/// Characters that a length may ask for, at most.
const LENGTH_MAX: u64 = 254;
const USERNAME_MIN: usize = 3;

/// The rules.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rules {
    pub(super) username_min: usize,
    pub(super) password_min: usize,
    off: BTreeSet<String>,
    reason_required: BTreeSet<String>,
    forbidden: Vec<Forbidden>,
}

/// Who may not do what.
#[derive(Debug, Clone, PartialEq)]
struct Forbidden {
    commands: BTreeSet<String>,
    /// Of these actors, if any are named; `*` is any text.
    actors: BTreeSet<String>,
    /// But not of these.
    unless: BTreeSet<String>,
    statuses: BTreeSet<String>,
    rule: String,
    message: String,
}

impl Default for Rules {
    fn default() -> Self {
        let with_reason = ["DeleteUser", "SuspendUser"];
        Self {
            username_min: USERNAME_MIN,
            password_min: prepare::PASSWORD_CHARS_MIN,
            off: BTreeSet::new(),
            reason_required: with_reason.map(str::to_owned).into(),
            forbidden: Vec::new(),
        }
    }
}

impl Rules {
    /// Whether a rule that can be turned off is on.
    pub(super) fn is_on(&self, rule: &str) -> bool {
        !self.off.contains(rule)
    }

    pub(super) fn needs_reason(&self, command: &str) -> bool {
        self.reason_required.contains(command)
    }

    /// Whether an account of this status may be changed.
    pub(super) fn may_change(&self, status: AccountStatus) -> bool {
        match status {
            AccountStatus::Active => true,
            AccountStatus::Suspended => !self.is_on("user.suspended"),
            AccountStatus::Absent | AccountStatus::Deleted => false,
        }
    }

    /// Asked last: what the other rules refuse stays refused by them.
    pub(super) fn permit(&self, state: &State, command: &Command) -> Result<(), Rejection> {
        let status = match AccountStatus::from_state(state) {
            AccountStatus::Absent => "absent",
            AccountStatus::Active => "active",
            AccountStatus::Suspended => "suspended",
            AccountStatus::Deleted => return Ok(()),
        };
        let actor = command.actor.as_deref().unwrap_or_default();
        match self.forbidden.iter().find(|forbidden| {
            forbidden.commands.contains(&command.command_type)
                && (forbidden.statuses.is_empty() || forbidden.statuses.contains(status))
                && (forbidden.actors.is_empty() || any_matches(&forbidden.actors, actor))
                && !any_matches(&forbidden.unless, actor)
        }) {
            Some(forbidden) => Err(Rejection::new(&forbidden.rule, &forbidden.message)),
            None => Ok(()),
        }
    }

    /// One spelling for all that say the same; empty for the rules that come with the daemon.
    pub(super) fn spelt(&self) -> String {
        let mut text = String::new();
        if *self != Self::default() {
            // Of sets and texts, in the order of their fields.
            let _ = write!(text, "{self:?}");
        }
        text
    }

    /// Reads parameters; what they do not say is as it is without them.
    pub(super) fn read(parameters: &Map<String, Value>) -> Result<Self, RulesError> {
        const KEYS: [&str; 4] = ["lengths", "rules", "reason_required", "forbid"];
        let mut rules = Self::default();
        known("", parameters, &KEYS)?;
        if let Some(value) = parameters.get("lengths") {
            let lengths = table("/lengths", value)?;
            known("/lengths", lengths, &["username_min", "password_min"])?;
            rules.username_min = length(lengths, "username_min", rules.username_min)?;
            rules.password_min = length(lengths, "password_min", rules.password_min)?;
        }
        if let Some(value) = parameters.get("rules") {
            rules.off = switched_off(table("/rules", value)?)?;
        }
        if let Some(value) = parameters.get("reason_required") {
            rules.reason_required = command_names("/reason_required", value)?;
        }
        if let Some(value) = parameters.get("forbid") {
            let Value::Array(all) = value else {
                return Err(RulesError::new(
                    "/forbid",
                    "must be a list of tables: `[[forbid]]`",
                ));
            };
            if all.len() > FORBIDDEN_MAX {
                return Err(RulesError::new(
                    "/forbid",
                    format!(
                        "has {} tables, at most {FORBIDDEN_MAX} are allowed",
                        all.len()
                    ),
                ));
            }
            for (index, value) in all.iter().enumerate() {
                let pointer = format!("/forbid/{index}");
                rules
                    .forbidden
                    .push(forbidden(&pointer, table(&pointer, value)?)?);
            }
        }
        Ok(rules)
    }
}

fn any_matches(patterns: &BTreeSet<String>, actor: &str) -> bool {
    patterns
        .iter()
        .any(|pattern| Pattern::with_stars(pattern).matches(actor))
}

fn known(pointer: &str, table: &Map<String, Value>, keys: &[&str]) -> Result<(), RulesError> {
    match table.keys().find(|key| !keys.contains(&key.as_str())) {
        Some(key) => {
            let pointer = format!("{pointer}/{}", pointer_token(key));
            Err(RulesError::unknown(pointer, "parameter", key, keys))
        }
        None => Ok(()),
    }
}

fn table<'a>(pointer: &str, value: &'a Value) -> Result<&'a Map<String, Value>, RulesError> {
    value
        .as_object()
        .ok_or_else(|| RulesError::new(pointer, "must be a table"))
}

fn length(lengths: &Map<String, Value>, name: &str, default: usize) -> Result<usize, RulesError> {
    let Some(value) = lengths.get(name) else {
        return Ok(default);
    };
    let number = value.as_u64().filter(|number| *number <= LENGTH_MAX);
    number
        .and_then(|number| usize::try_from(number).ok())
        .ok_or_else(|| {
            let message = format!("must be a number of characters from 0 to {LENGTH_MAX}");
            RulesError::new(format!("/lengths/{name}"), message)
        })
}

fn switched_off(switches: &Map<String, Value>) -> Result<BTreeSet<String>, RulesError> {
    let mut off = BTreeSet::new();
    for (rule, value) in switches {
        let pointer = format!("/rules/{}", pointer_token(rule));
        if let Some((_, why)) = FIXED.iter().find(|(fixed, _)| fixed == rule) {
            return Err(RulesError::new(
                pointer,
                format!("cannot be turned off: {why}"),
            ));
        }
        if !SWITCHES.contains(&rule.as_str()) {
            let hint = crate::nearest::did_you_mean(
                rule,
                SWITCHES
                    .iter()
                    .copied()
                    .chain(FIXED.map(|(fixed, _)| fixed)),
            );
            let error =
                RulesError::unknown(pointer, "rule that can be turned off", rule, &SWITCHES);
            return Err(match hint {
                Some(hint) => error.hint(hint),
                None => error,
            });
        }
        match value {
            Value::Bool(true) => {}
            Value::Bool(false) => drop(off.insert(rule.clone())),
            _ => {
                return Err(RulesError::new(
                    pointer,
                    "must be `true` (on) or `false` (off)",
                ));
            }
        }
    }
    Ok(off)
}

fn forbidden(pointer: &str, given: &Map<String, Value>) -> Result<Forbidden, RulesError> {
    const KEYS: [&str; 6] = [
        "command",
        "actor",
        "unless_actor",
        "status",
        "rule",
        "message",
    ];
    known(pointer, given, &KEYS)?;
    let at = |key: &str| format!("{pointer}/{key}");
    let Some(commands) = given.get("command") else {
        return Err(RulesError::new(
            at("command"),
            "is needed: which command is forbidden",
        ));
    };
    let listed = |key: &str| {
        given
            .get(key)
            .map_or_else(|| Ok(BTreeSet::new()), |value| texts(&at(key), value))
    };
    let text = |key: &str, default: &str| match given.get(key) {
        None => Ok(default.to_owned()),
        Some(value) => one_text(&at(key), value),
    };
    let statuses = listed("status")?;
    if let Some(status) = statuses
        .iter()
        .find(|status| !STATUSES.contains(&status.as_str()))
    {
        return Err(RulesError::unknown(
            at("status"),
            "status that a command can change",
            status,
            &STATUSES,
        ));
    }
    Ok(Forbidden {
        commands: command_names(&at("command"), commands)?,
        actors: listed("actor")?,
        unless: listed("unless_actor")?,
        statuses,
        rule: text("rule", "actor.not_allowed")?,
        message: text("message", "the actor may not do this")?,
    })
}

/// A text, or a list of some.
fn texts(pointer: &str, value: &Value) -> Result<BTreeSet<String>, RulesError> {
    match value {
        Value::Array(all) if all.len() <= FORBIDDEN_MAX => all
            .iter()
            .enumerate()
            .map(|(index, value)| one_text(&format!("{pointer}/{index}"), value))
            .collect(),
        Value::Array(all) => Err(RulesError::new(
            pointer,
            format!(
                "has {} texts, at most {FORBIDDEN_MAX} are allowed",
                all.len()
            ),
        )),
        one => Ok([one_text(pointer, one)?].into()),
    }
}

fn one_text(pointer: &str, value: &Value) -> Result<String, RulesError> {
    match value {
        Value::String(text) if !text.is_empty() && text.len() <= TEXT_BYTES_MAX => Ok(text.clone()),
        Value::String(_) => Err(RulesError::new(
            pointer,
            format!("must have 1 to {TEXT_BYTES_MAX} bytes"),
        )),
        _ => Err(RulesError::new(pointer, "must be a text")),
    }
}

fn command_names(pointer: &str, value: &Value) -> Result<BTreeSet<String>, RulesError> {
    let names = texts(pointer, value)?;
    let commands = schema::commands();
    let known: Vec<&str> = commands
        .iter()
        .map(|command| command.name.as_str())
        .collect();
    match names.iter().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(RulesError::unknown(
            pointer,
            "command of users",
            name,
            &known,
        )),
        None => Ok(names),
    }
}
