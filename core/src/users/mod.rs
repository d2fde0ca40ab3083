//! Users: the built-in reference model.
//!
//! Owns the reference model of category `user`: its commands, rules, events and upcaster. Pure: passwords are hashed and
//! verified by the [`Passwords`] that the daemon brings, in `prepare`, before the rules run.

mod decide;
mod evolve;
mod prepare;
mod rules;
mod schema;
mod spelling;

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::json::State;
use crate::keys::UniqueKey;
use crate::model::{Model, ModelError, ModelSpec, OtherRules, RulesError, Upcast, Upcaster};

use decide::AccountStatus;
pub use prepare::Passwords;
use rules::Rules;

/// The model `users`, for category `user`.
///
/// # Errors
/// When one of its schemas does not compile, which a test rules out.
pub fn model(passwords: Arc<dyn Passwords>) -> Result<Model, ModelError> {
    with_rules(passwords, Rules::default())
}

/// The model with these rules. Its version, and so its rules hash, covers them.
fn with_rules(passwords: Arc<dyn Passwords>, rules: Rules) -> Result<Model, ModelError> {
    let rules = Arc::new(rules);
    let names = |list: &[&str]| list.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let spec = ModelSpec {
        name: "users".to_owned(),
        category: Some("user".to_owned()),
        description: "user accounts: creation, names, email, password, suspension, deletion"
            .to_owned(),
        version: format!("users-2{}", rules.spelt()),
        commands: schema::commands(),
        events: EVENTS.iter().map(|&name| (name.to_owned(), 1)).collect(),
        upcasters: vec![Upcaster {
            event_type: "UserStatusChanged".to_owned(),
            from: 1,
            upcast: status_changed,
        }],
        secret_fields: names(&SECRET_FIELDS),
        plaintext_fields: names(&["password", "current_password", "new_password"]),
        title: Some("/email".to_owned()),
        status: Some("/status".to_owned()),
        unique_keys: Some(unique_keys),
        indexed: names(&INDEXED),
    };
    let other = Arc::new(Parameters {
        passwords: Arc::clone(&passwords),
    });
    let prepare = prepare::PrepareUsers::new(passwords, Arc::clone(&rules));
    let model = Model::new(spec, Arc::new(Users { rules }), Some(Arc::new(prepare)))?;
    Ok(model.taking_rules(other))
}

/// Makes the model with other rules.
struct Parameters {
    passwords: Arc<dyn Passwords>,
}

impl OtherRules for Parameters {
    fn with_rules(&self, parameters: &Map<String, Value>) -> Result<Model, RulesError> {
        let rules = Rules::read(parameters)?;
        // Its schemas do not depend on the parameters, and they compiled before.
        with_rules(Arc::clone(&self.passwords), rules)
            .map_err(|error| RulesError::new("/model", error.to_string()))
    }
}

/// Fields that hold secrets. They stay hidden where this model is not asked for: a log that it wrote may be opened without it.
pub const SECRET_FIELDS: [&str; 2] = ["password_hash", "new_password_hash"];

/// What a person on call knows of a user who complains.
const INDEXED: [&str; 4] = [
    "state.email",
    "state.username",
    "event.data.email",
    "event.data.username",
];

/// The decider of category `user`.
#[derive(Debug, Clone)]
struct Users {
    rules: Arc<Rules>,
}

const EVENTS: [&str; 7] = [
    "UserCreated",
    "UserNameChanged",
    "UserEmailChanged",
    "UserPasswordChanged",
    "UserSuspended",
    "UserReactivated",
    "UserDeleted",
];

/// Schema 1 of the older event `UserStatusChanged`, `{status}`, became two events that say what happened.
fn status_changed(data: &Map<String, Value>) -> Result<Upcast, String> {
    let event_type = match data.get("status").and_then(Value::as_str) {
        Some("suspended") => "UserSuspended",
        Some("active") => "UserReactivated",
        Some(_) => return Err("its status is neither `active` nor `suspended`".to_owned()),
        None => return Err("it has no text field `status`".to_owned()),
    };
    Ok(Upcast {
        event_type: event_type.to_owned(),
        schema_version: 1,
        data: Map::new(),
    })
}

/// A live user holds its username and its email. A stream without a user, or whose user is deleted, holds nothing.
fn unique_keys(state: &State) -> Vec<UniqueKey> {
    match AccountStatus::from_state(state) {
        AccountStatus::Absent | AccountStatus::Deleted => return Vec::new(),
        AccountStatus::Active | AccountStatus::Suspended => {}
    }
    ["username", "email"]
        .into_iter()
        .filter_map(|name| Some(UniqueKey::caseless(name, state.get(name)?.as_str()?)))
        .collect()
}

#[cfg(test)]
mod tests;
