//! The read model `users`: every user's profile, without secrets.

use whodunit_core::ids::Position;
use whodunit_core::json::State;
use whodunit_core::keys::UniqueKey;
use whodunit_core::model::Model;
use whodunit_core::time::Timestamp;

use super::projection::{Field, Projection, Sort};

/// Keeps users.
#[derive(Debug, Clone, Copy, Default)]
pub struct Users;

impl Projection for Users {
    fn name(&self) -> &'static str {
        "users"
    }

    fn description(&self) -> &'static str {
        "every user's profile, without secrets"
    }

    fn version(&self) -> &'static str {
        "users-2"
    }

    fn category(&self) -> Option<&str> {
        Some("user")
    }

    /// A profile has no place for a secret, not even for a mark where one was.
    fn keep(&self, model: &Model, state: &mut State) {
        state.retain(|name, _| !model.is_secret(name));
        // What lies deeper is not taken out but marked.
        whodunit_core::shown::redact_state(model, state);
    }

    fn texts(&self, state: &State, each: &mut dyn FnMut(&str)) {
        for name in ["username", "email", "first_name", "last_name"] {
            field(state, name).into_iter().for_each(&mut *each);
        }
        // A person is looked for by both names together as well.
        name(state).as_deref().into_iter().for_each(each);
    }

    fn sorts(&self) -> &'static [Sort] {
        &[
            Sort {
                name: "username",
                value: |state, _| text(username(state)),
                fixed: false,
            },
            Sort {
                name: "email",
                value: |state, _| text(email(state)),
                fixed: false,
            },
            Sort {
                name: "name",
                value: |state, _| text(name(state)),
                fixed: false,
            },
            Sort {
                name: "status",
                value: |state, _| text(status(state)),
                fixed: false,
            },
            Sort {
                name: "created_at",
                value: |state, _| created_at(state),
                fixed: true,
            },
            POSITION,
        ]
    }

    fn fields(&self) -> &'static [Field] {
        &[
            Field {
                name: "username",
                wanted: |text| caseless(text),
                value: username,
            },
            Field {
                name: "email",
                wanted: |text| caseless(text),
                value: email,
            },
            Field {
                name: "name",
                wanted: |text| caseless(text),
                value: name,
            },
            Field {
                name: "status",
                wanted: str::to_owned,
                value: status,
            },
        ]
    }
}

/// By the last change, oldest first.
pub(super) const POSITION: Sort = Sort {
    name: "position",
    value: |_, Position(position)| position.to_be_bytes().to_vec(),
    fixed: false,
};

fn field<'a>(state: &'a State, name: &str) -> Option<&'a str> {
    state.get(name)?.as_str()
}

/// As the domain compares names that must be unique.
fn caseless(text: &str) -> String {
    UniqueKey::caseless("", text).value
}

fn username(state: &State) -> Option<String> {
    field(state, "username").map(caseless)
}

fn email(state: &State) -> Option<String> {
    field(state, "email").map(caseless)
}

/// First and last name, as one would write them.
fn name(state: &State) -> Option<String> {
    let parts = ["first_name", "last_name"].map(|part| field(state, part).unwrap_or_default());
    let name = caseless(&parts.join(" "));
    (!name.is_empty()).then_some(name)
}

fn status(state: &State) -> Option<String> {
    field(state, "status").map(str::to_owned)
}

fn text(value: Option<String>) -> Vec<u8> {
    value.unwrap_or_default().into_bytes()
}

/// Moments as bytes that are in the order of time; none comes first.
fn created_at(state: &State) -> Vec<u8> {
    let at = field(state, "created_at").and_then(|text| text.parse::<Timestamp>().ok());
    at.map_or_else(Vec::new, |at| {
        at.as_micros().wrapping_sub(i64::MIN).to_be_bytes().to_vec()
    })
}
