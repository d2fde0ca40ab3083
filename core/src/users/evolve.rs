//! How user events change a user's state.
//!
//! Tolerant of order (a what-if may drop the creation), strict about payloads: a field that is missing or of the wrong
//! kind leaves the state as it was and says so.

use serde_json::{Map, Value};

use crate::decider::{Decider, DecodedEvent, Evolution};
use crate::event::NewEvent;
use crate::json::State;

impl Decider for super::Users {
    fn evolve(&self, state: &mut State, event: &DecodedEvent<'_>) -> Result<Evolution, String> {
        let at = Value::String(event.recorded_at.to_string());
        // Everything that can fail comes before the first change: on an error the state is as it was.
        let mut set: Vec<(&str, Value)> = match event.event_type {
            "UserCreated" => vec![
                ("username", text(event.data, "username")?),
                ("email", text(event.data, "email")?),
                ("first_name", text(event.data, "first_name")?),
                ("last_name", text(event.data, "last_name")?),
                ("status", "active".into()),
                ("password_hash", text_or_null(event.data, "password_hash")?),
                ("created_at", at.clone()),
            ],
            "UserNameChanged" => ["first_name", "last_name"]
                .into_iter()
                .filter(|name| event.data.contains_key(*name))
                .map(|name| Ok((name, text(event.data, name)?)))
                .collect::<Result<_, String>>()?,
            "UserEmailChanged" => vec![("email", text(event.data, "email")?)],
            "UserPasswordChanged" => {
                vec![("password_hash", text_or_null(event.data, "password_hash")?)]
            }
            "UserSuspended" => vec![("status", "suspended".into())],
            "UserReactivated" => vec![("status", "active".into())],
            "UserDeleted" => vec![("status", "deleted".into()), ("deleted_at", at.clone())],
            _ => return Ok(Evolution::Unknown),
        };
        set.push(("updated_at", at));
        let lives = |(name, value): &(&str, Value)| *name == "status" && value != "deleted";
        if set.iter().any(lives) {
            state.shift_remove("deleted_at");
        }
        for (name, value) in set {
            state.insert(name.to_owned(), value);
        }
        Ok(Evolution::Applied)
    }

    fn decide(
        &self,
        state: &State,
        command: &crate::command::Command,
    ) -> Result<Vec<NewEvent>, crate::command::Rejection> {
        super::decide::decide(&self.rules, state, command)
    }
}

fn text(data: &Map<String, Value>, name: &str) -> Result<Value, String> {
    match data.get(name) {
        Some(value @ Value::String(_)) => Ok(value.clone()),
        Some(_) => Err(format!("its field `{name}` is not a text")),
        None => Err(format!("it has no field `{name}`")),
    }
}

fn text_or_null(data: &Map<String, Value>, name: &str) -> Result<Value, String> {
    match data.get(name) {
        None | Some(Value::Null) => Ok(Value::Null),
        Some(_) => text(data, name),
    }
}
