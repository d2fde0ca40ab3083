//! Tokens in the answers of commands: the terminal's codes for them.

pub(crate) use crate::theme::Token;

impl Token {
    /// The terminal's code for it; of the 16 colours every scheme has.
    fn sgr(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Heading => Some("1"),
            Self::Muted | Self::Future => Some("2"),
            Self::Accent => Some("36"),
            Self::Added => Some("32"),
            Self::Removed | Self::Rejected => Some("31"),
            Self::Changed => Some("33"),
            Self::Warn => Some("1;33"),
            Self::Error => Some("1;31"),
            Self::Key => Some("1;36"),
            Self::Selected => Some("7"),
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
