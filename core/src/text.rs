//! Untrusted text: text from events, commands and names, made safe to print on a terminal.
//!
//! Owns which characters could drive a terminal, disguise a text, or stand in it unseen. They are chosen by their Unicode
//! properties, not by a list of cases.

use std::borrow::Cow;
use std::fmt::Write;

use icu_properties::props::{
    BidiControl, DefaultIgnorableCodePoint, GeneralCategory, PatternWhiteSpace,
};
use icu_properties::{CodePointMapData, CodePointSetData};

/// Characters that are drawn as nothing though no property says so: the empty braille pattern, the musical null notehead,
/// the Khitan filler, the blank Egyptian hieroglyphs.
const BLANK: [char; 5] = [
    '\u{2800}',
    '\u{13441}',
    '\u{13442}',
    '\u{16fe4}',
    '\u{1d159}',
];

/// Whether a character may change how a terminal or a reader takes the text around it, or may not be seen at all: controls,
/// format characters, line and paragraph separators, surrogates and what else is default-ignorable (fillers, joiners,
/// variation selectors, tags), bidirectional controls, and blanks that are not spaces. A plain space is safe.
pub fn is_unsafe(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    let category = CodePointMapData::<GeneralCategory>::new().get(c);
    matches!(
        category,
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
            | GeneralCategory::Surrogate
    ) || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
        || CodePointSetData::new::<BidiControl>().contains(c)
        || CodePointSetData::new::<PatternWhiteSpace>().contains(c)
        || BLANK.contains(&c)
}

/// The text with every unsafe character written out: `␛`-style pictures for C0 controls, `\u{…}` for the others.
///
/// ```
/// assert_eq!(whodunit_core::text::shown("a\x1b[31mb\u{202e}"), "a␛[31mb\\u{202e}");
/// assert_eq!(whodunit_core::text::shown("admin\u{3164}"), "admin\\u{3164}");
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

    /// Every character of the kinds that are not seen, from ranges of the standard's own property files (Unicode 17:
    /// `DerivedCoreProperties.txt`, `DerivedGeneralCategory.txt`), so that a change of the tables does not pass unnoticed.
    #[test]
    fn what_cannot_be_seen_is_written_out() {
        let unseen = [
            // Controls.
            0x00..=0x1f,
            0x7f..=0x9f,
            // Soft hyphen, grapheme joiner, Arabic letter mark, and the format characters of Arabic and Syriac.
            0xad..=0xad,
            0x34f..=0x34f,
            0x600..=0x605,
            0x61c..=0x61c,
            0x6dd..=0x6dd,
            0x70f..=0x70f,
            // Hangul fillers, Khmer inherent vowels, Mongolian selectors.
            0x115f..=0x1160,
            0x17b4..=0x17b5,
            0x180b..=0x180f,
            // Zero width, joiners, directions, separators, invisible operators and what is reserved beside them.
            0x200b..=0x200f,
            0x2028..=0x202e,
            0x2060..=0x206f,
            // Blank braille, the other Hangul fillers, variation selectors, the byte order mark, annotations.
            0x2800..=0x2800,
            0x3164..=0x3164,
            0xfe00..=0xfe0f,
            0xfeff..=0xfeff,
            0xffa0..=0xffa0,
            0xfff0..=0xfffb,
            // Shorthand and musical format controls, tags, more variation selectors.
            0x1bca0..=0x1bca3,
            0x1d173..=0x1d17a,
            0xe0000..=0xe0fff,
        ];
        for c in unseen.into_iter().flatten().filter_map(char::from_u32) {
            let text = format!("a{c}b");
            let out = shown(&text);
            assert!(!out.contains(c), "U+{:04X} is not shown", u32::from(c));
            assert!(!out.chars().any(is_unsafe), "{out:?}");
        }
    }

    #[test]
    fn what_people_write_stays_as_it_is() {
        for text in [
            "François Müller, 12\u{a0}000 €",
            "Ελληνικά, русский, עברית, العربية, हिन्दी, 한국어, 日本語\u{3000}です",
            "e\u{301} is decomposed, → ✗ ● ▲ │ too, 🎃",
        ] {
            assert_eq!(shown(text), text);
        }
    }
}
