//! Saving a what-if, with what came of it, as a scenario file.

use tui_input::Input;

/// The name of a file is typed.
#[derive(Debug, Clone)]
pub(crate) struct Saving {
    pub(crate) input: Input,
    /// Why it was not written.
    pub(crate) error: Option<String>,
    /// The name of a file that is there already: written over when it is chosen again.
    pub(crate) is_there: Option<String>,
}

impl Saving {
    pub(crate) fn new(name: String) -> Self {
        Self {
            input: Input::new(name),
            error: None,
            is_there: None,
        }
    }
}
