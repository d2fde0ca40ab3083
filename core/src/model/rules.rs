//! Other rules: a model with other parameters.
//!
//! Owns the seam through which a back-test gets the rules that it asks in place of those in use. Other rules decide otherwise; events
//! are applied as the model in use applies them.

use serde_json::{Map, Value};

use super::{Model, Models};
use crate::nearest::did_you_mean;
use crate::text::shown;

/// Why parameters of rules are not taken: which, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{pointer}` {message}")]
pub struct RulesError {
    /// JSON Pointer of the parameter.
    pub pointer: String,
    /// What is wrong with it, as in "must be a number".
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl RulesError {
    /// A parameter that does not fit.
    pub fn new(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            message: message.into(),
            hint: None,
        }
    }

    /// The same, with what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// A name that is not one of those that may stand there.
    pub fn unknown(pointer: impl Into<String>, what: &str, name: &str, known: &[&str]) -> Self {
        let name: String = name.chars().take(64).collect();
        let listed: Vec<String> = known.iter().map(|known| format!("`{known}`")).collect();
        let hint = did_you_mean(&name, known.iter().copied())
            .unwrap_or_else(|| format!("there is {}", listed.join(", ")));
        Self::new(pointer, format!("is no {what}: `{}`", shown(&name))).hint(hint)
    }
}

/// Makes a model of which some rules are others.
pub trait OtherRules: Send + Sync {
    /// The model with these parameters; what they do not say is as in the model that comes with the daemon. Every parameter must be
    /// known. Its rules hash covers them.
    fn with_rules(&self, parameters: &Map<String, Value>) -> Result<Model, RulesError>;
}

impl Models {
    /// The models, one of them with other rules: `model` in the parameters names it, and may be left out where there is only one
    /// that takes any. Also answers the model as it is with them.
    ///
    /// # Errors
    /// Which parameter does not fit.
    pub fn with_rules(&self, rules: &Map<String, Value>) -> Result<(Self, Model), RulesError> {
        let mut parameters = rules.clone();
        let named = parameters.shift_remove("model");
        let takes: Vec<&Model> = self.all().filter(|model| model.takes_rules()).collect();
        let names: Vec<&str> = takes.iter().map(|model| model.name()).collect();
        let no_model = |message: &str| {
            RulesError::new("/model", message.to_owned())
                .hint("models are chosen when the daemon starts: `--model users`")
        };
        let model = match (named, takes.as_slice()) {
            (_, []) => return Err(no_model("finds no model in use whose rules can be changed")),
            (Some(Value::String(name)), _) => takes
                .iter()
                .find(|model| model.name() == name)
                .ok_or_else(|| RulesError::unknown("/model", "model in use", &name, &names))?,
            (Some(_), _) => return Err(RulesError::new("/model", "must be a text")),
            (None, [model]) => model,
            (None, _) => return Err(no_model("is needed: several models are in use")),
        };
        let other = model.with_rules(&parameters)?;
        Ok((self.clone().replacing(other.clone()), other))
    }
}
