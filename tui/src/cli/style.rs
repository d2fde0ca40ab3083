//! Meaning of colours: tokens, not colours, each with a mark of its own where it is used.

/// What a piece of text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Token {
    /// Nothing in particular.
    #[default]
    Plain,
    /// A heading.
    Heading,
    /// Less important.
    Muted,
    /// A name to look at.
    Accent,
    /// Something new.
    Added,
    /// Something gone.
    Removed,
    /// Something else than before.
    Changed,
    /// Refused by a rule.
    Rejected,
    /// Wrong.
    Error,
}

impl Token {
    /// The terminal's code for it; of the 16 colours every scheme has.
    fn sgr(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Heading => Some("1"),
            Self::Muted => Some("2"),
            Self::Accent => Some("36"),
            Self::Added => Some("32"),
            Self::Removed | Self::Rejected => Some("31"),
            Self::Changed => Some("33"),
            Self::Error => Some("1;31"),
        }
    }

    /// The text in this token's colour, if there are colours.
    pub(crate) fn paint(self, text: &str, colours: bool) -> String {
        match self.sgr() {
            Some(code) if colours && !text.is_empty() => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            _ => text.to_owned(),
        }
    }
}
