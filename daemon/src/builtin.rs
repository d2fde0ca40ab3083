//! Built-in models, by name.
//!
//! Owns the list. A category is folded by a model only if the operator asked for it: streams named `user-…` may be of
//! another system, with other rules.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use whodunit_core::model::{ModelError, Models};
use whodunit_core::users;

use crate::passwords::{Argon2id, Cost};

/// A model that comes with the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuiltIn {
    /// `users`, for category `user`: the reference model.
    Users,
}

impl BuiltIn {
    /// All built-in models.
    pub const ALL: [Self; 1] = [Self::Users];

    /// Its name, as in `--model NAME`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Users => "users",
        }
    }

    /// The category it is for.
    pub fn category(self) -> &'static str {
        match self {
            Self::Users => "user",
        }
    }

    /// The fields of its events and states that hold secrets.
    fn secret_fields(self) -> &'static [&'static str] {
        match self {
            Self::Users => &users::SECRET_FIELDS,
        }
    }

    /// How a model for a category is asked for, as a sentence without its end.
    pub fn how_to_ask_for(category: &str) -> String {
        match Self::for_category(category) {
            Some(model) => format!(
                "if these streams belong to the built-in model `{model}`, start the daemon with `--model {model}`"
            ),
            None => {
                let known = Self::ALL.map(|model| {
                    format!("`--model {model}` is for category `{}`", model.category())
                });
                format!(
                    "models are chosen when the daemon starts: {}",
                    known.join(", ")
                )
            }
        }
    }

    /// The model for a category, if one comes with the daemon.
    pub fn for_category(category: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|model| model.category() == category)
    }
}

impl fmt::Display for BuiltIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for BuiltIn {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|model| model.name() == name)
            .ok_or_else(|| {
                let known: Vec<_> = Self::ALL.iter().map(|m| format!("`{m}`")).collect();
                format!(
                    "whodunit has no built-in model of that name; there is {}",
                    known.join(", ")
                )
            })
    }
}

/// The models that were asked for; one that is asked for twice counts once. `cost` is that of their password hashes.
///
/// # Errors
/// When a model does not fit together.
pub fn models(asked: &[BuiltIn], cost: Cost) -> Result<Models, ModelError> {
    let mut models = Vec::new();
    for built_in in BuiltIn::ALL {
        if asked.contains(&built_in) {
            models.push(match built_in {
                BuiltIn::Users => users::model(Arc::new(Argon2id::new(cost)))?,
            });
        }
    }
    let mut models = Models::new(models)?;
    for built_in in BuiltIn::ALL {
        models = models.hiding(built_in.category(), built_in.secret_fields());
    }
    Ok(models)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_asked_for_is_used() {
        assert_eq!(models(&[], Cost::Light).unwrap().all().count(), 0);
        let asked = [BuiltIn::Users, BuiltIn::Users];
        let models = models(&asked, Cost::Light).unwrap();
        assert_eq!(models.for_category("user").name(), "users");
        assert_eq!(models.for_category("order").name(), "merge");
    }

    #[test]
    fn every_model_is_found_by_its_name_and_its_category() {
        for built_in in BuiltIn::ALL {
            let models = models(&[built_in], Cost::Light).unwrap();
            assert_eq!(built_in.name().parse(), Ok(built_in));
            assert_eq!(BuiltIn::for_category(built_in.category()), Some(built_in));
            assert_eq!(
                models.for_category(built_in.category()).name(),
                built_in.name()
            );
        }
        let error = "user".parse::<BuiltIn>().unwrap_err();
        assert!(error.contains("`users`"), "{error}");
    }
}
