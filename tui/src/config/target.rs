//! Which daemon is meant: by flag, environment, context or default.

use super::{Config, Context};

/// A daemon, and what is known of it beforehand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// Its address.
    pub(crate) address: String,
    /// The context that names it.
    pub(crate) context: Option<(String, Context)>,
}

/// What was said about the daemon, apart from the settings.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Said<'a> {
    /// `--daemon`.
    pub(crate) daemon: Option<&'a str>,
    /// `--context`.
    pub(crate) context: Option<&'a str>,
    /// `WHODUNIT_DAEMON`.
    pub(crate) variable: Option<&'a str>,
}

impl Config {
    /// The daemon that is meant. A flag goes before the environment, that before the context in use.
    ///
    /// # Errors
    /// When there is no such context.
    pub(crate) fn target(&self, said: Said<'_>, default: &str) -> Result<Target, String> {
        let by_address = |address: &str| Target {
            address: address.to_owned(),
            context: None,
        };
        let by_context = |name: &str| match self.contexts.get(name) {
            Some(context) => Ok(Target {
                address: context.address.clone(),
                context: Some((name.to_owned(), context.clone())),
            }),
            None => Err(self.no_context(name)),
        };
        match (said.daemon, said.context, said.variable, &self.context) {
            (Some(address), ..) => Ok(by_address(address)),
            (_, Some(name), ..) => by_context(name),
            (_, _, Some(address), _) => Ok(by_address(address)),
            (_, _, _, Some(name)) => by_context(name),
            _ => Ok(by_address(default)),
        }
    }
}

impl Target {
    /// The context's name, where commands that write are refused.
    pub(crate) fn read_only(&self) -> Option<&str> {
        let (name, context) = self.context.as_ref()?;
        context.read_only.then_some(name)
    }
}
