//! Looks: what a token looks like, and which glyph stands for what.
//!
//! Owns every colour and glyph. A meaning never hangs on colour alone: each token has a mark or a place as well.

use ratatui::style::{Color, Modifier, Style};

/// What a piece of text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Token {
    #[default]
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
    Heading,
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

/// Which colours there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Palette {
    /// None: marks and places alone.
    None,
    /// The sixteen that the terminal's own scheme defines.
    #[default]
    Sixteen,
    /// Shades chosen for a dark background.
    Dark,
    /// Shades chosen for a light background.
    Light,
}

/// A colour by its name; each palette has its own shade of it.
#[derive(Debug, Clone, Copy)]
enum Hue {
    Green,
    Red,
    Yellow,
    Cyan,
    Blue,
    Magenta,
}

impl Palette {
    fn shade(self, hue: Hue) -> Option<Color> {
        let rgb = |[red, green, blue]: [u8; 3]| Some(Color::Rgb(red, green, blue));
        match self {
            Self::None => None,
            Self::Sixteen => Some(match hue {
                Hue::Green => Color::Green,
                Hue::Red => Color::Red,
                Hue::Yellow => Color::Yellow,
                Hue::Cyan => Color::Cyan,
                Hue::Blue => Color::Blue,
                Hue::Magenta => Color::Magenta,
            }),
            Self::Dark => rgb(match hue {
                Hue::Green => [135, 200, 120],
                Hue::Red => [240, 120, 110],
                Hue::Yellow => [225, 185, 90],
                Hue::Cyan => [100, 200, 210],
                Hue::Blue => [125, 170, 245],
                Hue::Magenta => [205, 145, 225],
            }),
            Self::Light => rgb(match hue {
                Hue::Green => [30, 110, 40],
                Hue::Red => [175, 30, 30],
                Hue::Yellow => [130, 90, 0],
                Hue::Cyan => [0, 105, 125],
                Hue::Blue => [25, 75, 170],
                Hue::Magenta => [130, 40, 130],
            }),
        }
    }
}

/// How the terminal is drawn on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Theme {
    pub(crate) palette: Palette,
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
    Same,
    Flip,
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
    /// The style of a token, on the terminal's own background.
    pub(crate) fn style(self, token: Token) -> Style {
        let plain = Style::new();
        let bold = plain.add_modifier(Modifier::BOLD);
        match token {
            Token::Plain => plain,
            Token::Added => self.coloured(plain, Hue::Green),
            Token::Removed => self.coloured(plain.add_modifier(Modifier::CROSSED_OUT), Hue::Red),
            Token::Changed | Token::Warn => self.coloured(bold, Hue::Yellow),
            Token::Rejected => self.coloured(plain, Hue::Red),
            Token::Future | Token::Muted => plain.add_modifier(Modifier::DIM),
            Token::Accent | Token::Key => self.coloured(bold, Hue::Cyan),
            Token::Error => self.coloured(bold, Hue::Red),
            Token::Selected => plain.add_modifier(Modifier::REVERSED),
            Token::Heading => bold,
        }
    }

    fn coloured(self, style: Style, hue: Hue) -> Style {
        match self.palette.shade(hue) {
            Some(colour) => style.fg(colour),
            None => style,
        }
    }

    /// The style of a colour that a person chose.
    pub(crate) fn tint(self, tint: Option<Tint>) -> Style {
        let style = Style::new().add_modifier(Modifier::BOLD | Modifier::REVERSED);
        let Some(tint) = tint else { return style };
        let hue = match tint {
            Tint::Red => Hue::Red,
            Tint::Yellow => Hue::Yellow,
            Tint::Green => Hue::Green,
            Tint::Blue => Hue::Blue,
            Tint::Magenta => Hue::Magenta,
            Tint::Cyan => Hue::Cyan,
        };
        self.coloured(style, hue)
    }

    /// A stable style for an actor.
    pub(crate) fn actor(self, name: &str) -> Style {
        const HUES: [Hue; 4] = [Hue::Blue, Hue::Magenta, Hue::Cyan, Hue::Green];
        let hash = name.bytes().fold(5381usize, |hash, byte| {
            hash.wrapping_mul(33) ^ usize::from(byte)
        });
        match HUES.get(hash % HUES.len()) {
            Some(hue) => self.coloured(Style::new(), *hue),
            None => Style::new(),
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
            Glyph::Same => ("=", "="),
            Glyph::Flip => ("⇄", "%"),
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
            palette: Palette::None,
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
            palette: Palette::Sixteen,
            ascii: true,
        };
        for glyph in [
            Glyph::Live,
            Glyph::Rejected,
            Glyph::Cursor,
            Glyph::Here,
            Glyph::Crumb,
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
            palette: Palette::Sixteen,
            ascii: false,
        };
        assert_eq!(
            (full.bar(0, 1000), full.bar(1, 1000), full.bar(1000, 1000)),
            (" ", "▁", "█")
        );
    }
}
