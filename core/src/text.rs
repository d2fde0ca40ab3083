//! Untrusted text: what events, commands and names carry is shown, never obeyed.
//!
//! Owns the one list of characters that could drive a terminal or disguise a text.

use std::borrow::Cow;
use std::fmt::Write;

/// Whether a character may change how a terminal or a reader takes the text around it: C0 and C1 controls, line and
/// paragraph separators, bidirectional overrides and isolates, zero-width and other invisible format characters.
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// The text with every unsafe character written out: `␛`-style pictures for C0 controls, `\u{…}` for the others.
///
/// ```
/// assert_eq!(whodunit_core::text::shown("a\x1b[31mb\u{202e}"), "a␛[31mb\\u{202e}");
/// ```
pub fn shown(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match u32::from(c) {
            // The Unicode block "Control Pictures" mirrors the C0 controls one to one.
            code @ 0..=0x1f => out.push(char::from_u32(0x2400 + code).unwrap_or('?')),
            0x7f => out.push('\u{2421}'),
            code if is_unsafe(c) => {
                let _ = write!(out, "\\u{{{code:x}}}");
            }
            _ => out.push(c),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_are_shown_not_sent() {
        assert_eq!(shown("\u{1b}]52;c;aGk=\u{7}"), "␛]52;c;aGk=␇");
        assert_eq!(shown("a\u{9b}31m"), "a\\u{9b}31m");
        assert_eq!(shown("a\u{7f}"), "a␡");
        assert!(matches!(shown("plain, ünïcode 漢字"), Cow::Borrowed(_)));
    }
}
