//! Looks: what a token looks like, and which glyph stands for what.
//!
//! Owns every colour and glyph. A meaning never hangs on colour alone: each token has a mark or a place as well.

use ratatui::style::{Color, Modifier, Style};

/// What a piece of text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    Plain,
    Added,
    Removed,
    Changed,
    Rejected,
    Future,
    Muted,
    Accent,
    Warn,
    Error,
    Selected,
    Title,
    Key,
}

/// A colour that a person chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Tint {
    Red,
    Yellow,
    Green,
    Blue,
    Magenta,
    Cyan,
}

impl Tint {
    pub(crate) const ALL: [Self; 6] = [
        Self::Red,
        Self::Yellow,
        Self::Green,
        Self::Blue,
        Self::Magenta,
        Self::Cyan,
    ];

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Red => "red",
            Self::Yellow => "yellow",
            Self::Green => "green",
            Self::Blue => "blue",
            Self::Magenta => "magenta",
            Self::Cyan => "cyan",
        }
    }
}

/// How the terminal is drawn on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Theme {
    /// Whether colours are used.
    pub(crate) colour: bool,
    /// Whether only ASCII is used.
    pub(crate) ascii: bool,
}

/// A mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Glyph {
    Live,
    Connecting,
    Stale,
    Rejected,
    Cursor,
    Here,
    Crumb,
    Mark,
    Back,
    Same,
    Done,
    Waiting,
    Busy,
    Held,
    Stalled,
    Full,
    Empty,
    Building,
}

impl Theme {
    /// The style of a token. Sixteen colours at most, on the terminal's own background.
    pub(crate) fn style(self, token: Token) -> Style {
        let colour =
            |style: Style, colour: Color| if self.colour { style.fg(colour) } else { style };
        let plain = Style::new();
        match token {
            Token::Plain => plain,
            Token::Added => colour(plain, Color::Green),
            Token::Removed => colour(plain.add_modifier(Modifier::CROSSED_OUT), Color::Red),
            Token::Changed => colour(plain.add_modifier(Modifier::BOLD), Color::Yellow),
            Token::Rejected => colour(plain, Color::Red),
            Token::Future | Token::Muted => plain.add_modifier(Modifier::DIM),
            Token::Accent => colour(plain.add_modifier(Modifier::BOLD), Color::Cyan),
            Token::Warn => colour(plain.add_modifier(Modifier::BOLD), Color::Yellow),
            Token::Error => colour(plain.add_modifier(Modifier::BOLD), Color::Red),
            Token::Selected => plain.add_modifier(Modifier::REVERSED),
            Token::Title => plain.add_modifier(Modifier::BOLD),
            Token::Key => colour(plain.add_modifier(Modifier::BOLD), Color::Cyan),
        }
    }

    /// The style of a colour that a person chose.
    pub(crate) fn tint(self, tint: Option<Tint>) -> Style {
        let style = Style::new().add_modifier(Modifier::BOLD | Modifier::REVERSED);
        let colour = match tint {
            _ if !self.colour => return style,
            None => return style,
            Some(Tint::Red) => Color::Red,
            Some(Tint::Yellow) => Color::Yellow,
            Some(Tint::Green) => Color::Green,
            Some(Tint::Blue) => Color::Blue,
            Some(Tint::Magenta) => Color::Magenta,
            Some(Tint::Cyan) => Color::Cyan,
        };
        style.fg(colour)
    }

    /// A stable style for an actor.
    pub(crate) fn actor(self, name: &str) -> Style {
        const HUES: [Color; 6] = [
            Color::Blue,
            Color::Magenta,
            Color::Cyan,
            Color::Green,
            Color::LightBlue,
            Color::LightMagenta,
        ];
        let hash = name.bytes().fold(5381usize, |hash, byte| {
            hash.wrapping_mul(33) ^ usize::from(byte)
        });
        let hue = HUES.get(hash % HUES.len()).copied().unwrap_or_default();
        if self.colour {
            Style::new().fg(hue)
        } else {
            Style::new()
        }
    }

    /// A glyph, or its ASCII stand-in.
    pub(crate) fn glyph(self, glyph: Glyph) -> &'static str {
        let (full, ascii) = match glyph {
            Glyph::Live => ("●", "*"),
            Glyph::Connecting => ("◌", "."),
            Glyph::Stale => ("○", "o"),
            Glyph::Rejected => ("✗", "x"),
            Glyph::Cursor => ("▶", ">"),
            Glyph::Here => ("▲", "^"),
            Glyph::Crumb => (" › ", " > "),
            Glyph::Mark => ("◆", "#"),
            Glyph::Back => ("←", "<-"),
            Glyph::Same => ("=", "="),
            Glyph::Done => ("✓", "v"),
            Glyph::Waiting => ("…", "."),
            Glyph::Busy => ("»", ">"),
            Glyph::Held => ("‖", "|"),
            Glyph::Stalled => ("!", "!"),
            Glyph::Full => ("█", "#"),
            Glyph::Empty => ("░", "."),
            Glyph::Building => ("▓", "="),
        };
        if self.ascii { ascii } else { full }
    }

    /// A bar of a sparkline: 0 is empty, `max` the highest.
    pub(crate) fn bar(self, count: u64, max: u64) -> &'static str {
        const FULL: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
        const ASCII: [&str; 9] = [" ", "_", ".", "-", "=", "+", "*", "#", "@"];
        let level = if count == 0 {
            0
        } else {
            1 + (count - 1) * 8 / max.max(1)
        };
        let level = usize::try_from(level).unwrap_or(8).min(8);
        let bars = if self.ascii { ASCII } else { FULL };
        bars.get(level).copied().unwrap_or(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_colour_no_style_has_one() {
        let theme = Theme {
            colour: false,
            ascii: true,
        };
        for token in [
            Token::Added,
            Token::Changed,
            Token::Rejected,
            Token::Accent,
            Token::Error,
            Token::Key,
        ] {
            assert_eq!(theme.style(token).fg, None, "{token:?}");
        }
        assert_eq!(theme.actor("api").fg, None);
    }

    #[test]
    fn the_ascii_set_is_ascii_and_one_event_is_seen_among_many() {
        let ascii = Theme {
            colour: true,
            ascii: true,
        };
        for glyph in [
            Glyph::Live,
            Glyph::Rejected,
            Glyph::Cursor,
            Glyph::Here,
            Glyph::Crumb,
            Glyph::Back,
            Glyph::Done,
            Glyph::Waiting,
            Glyph::Busy,
            Glyph::Held,
            Glyph::Stalled,
            Glyph::Full,
            Glyph::Empty,
            Glyph::Building,
        ] {
            assert!(ascii.glyph(glyph).is_ascii(), "{glyph:?}");
        }
        assert!((0..=9).all(|n| ascii.bar(n, 9).is_ascii()));
        let full = Theme {
            colour: true,
            ascii: false,
        };
        assert_eq!(
            (full.bar(0, 1000), full.bar(1, 1000), full.bar(1000, 1000)),
            (" ", "▁", "█")
        );
    }
}
