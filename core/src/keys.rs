//! Unique keys: values that at most one live stream of a category may hold, such as a user's email.
//!
//! Owns their shape and comparison form. Who holds one is the store's knowledge.

use std::fmt;

use crate::caseless::name_form;
use crate::ids::StreamName;

/// A value that at most one stream may hold at a time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UniqueKey {
    /// What kind of value, such as `email`: the rule that guards it is `{name}.taken`.
    pub name: String,
    /// The value in the form in which two are compared (for the users: see [`name_form`]).
    pub value: String,
}

impl UniqueKey {
    /// A key compared by NFKC and full case folding, without surrounding white space.
    pub fn caseless(name: impl Into<String>, value: &str) -> Self {
        Self {
            name: name.into(),
            value: name_form(value),
        }
    }

    /// The rule that refuses a second holder.
    pub fn rule(&self) -> String {
        format!("{}.taken", self.name)
    }

    /// The rejection of a command that would take a key another stream holds. Does not name the holder: who may see
    /// a rejection need not be allowed to see the other account.
    pub fn rejection(&self) -> crate::command::Rejection {
        crate::command::Rejection::new(
            self.rule(),
            format!("the {} `{}` is already taken", self.name, self.value),
        )
    }
}

impl fmt::Display for UniqueKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}`", self.name, self.value)
    }
}

/// Says which stream holds a key at one moment: the head for a command, the base for a what-if.
pub trait KeyHolders {
    /// A stream of this category, other than `except`, that holds the key, if any.
    fn holder(&self, category: &str, key: &UniqueKey, except: &StreamName) -> Option<StreamName>;
}

/// No stream holds any key.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHolders;

impl KeyHolders for NoHolders {
    fn holder(
        &self,
        _category: &str,
        _key: &UniqueKey,
        _except: &StreamName,
    ) -> Option<StreamName> {
        None
    }
}
