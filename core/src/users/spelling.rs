//! How names are spelt: without what deceives a reader.
//!
//! Owns the check of names that must be told apart by eye: nothing that cannot be seen, and no letters of several scripts in
//! one name (UTS #39, "highly restrictive": Latin beside Chinese, Japanese or Korean is fine; letters that are not in general
//! use, such as those of phonetic alphabets, are not).

use icu_normalizer::ComposingNormalizer;
use unicode_security::{RestrictionLevel, RestrictionLevelDetection};

use crate::text::is_unsafe;

/// Whether a name can be told by eye from any other that is spelt otherwise.
pub(super) fn is_plain(name: &str) -> bool {
    if name.is_ascii() {
        return !name.bytes().any(|byte| byte.is_ascii_control());
    }
    if name
        .chars()
        .any(|c| is_unsafe(c) || (c.is_whitespace() && c != ' '))
    {
        return false;
    }
    // As names are compared: a full-width letter or a ligature is what it stands for. Scripts are a matter of letters;
    // spaces, hyphens and the like stand beside any.
    let letters: String = ComposingNormalizer::new_nfkc()
        .normalize(name)
        .chars()
        .filter(|c| !c.is_ascii() || c.is_ascii_alphabetic())
        .collect();
    letters.detect_restriction_level() <= RestrictionLevel::HighlyRestrictive
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_one_script_are_plain() {
        for name in [
            "sarah",
            "Sarah K. (2)",
            "Müller",
            "mu\u{308}ller",
            "José",
            "Ολυμπία",
            "Владимир",
            "山田太郎",
            "やまだTaro",
            "김민수 Kim",
            "李 Lee",
            "דוד",
            "محمد",
            "เอก",
            "Ngọc",
            "ﬁnley",
            "Ｓarah",
            "\u{212a}im",
        ] {
            assert!(is_plain(name), "{name}");
        }
    }

    #[test]
    fn what_deceives_is_not() {
        for name in [
            "sa\u{200b}rah",
            "sarah\u{200d}",
            "\u{feff}sarah",
            "sar\u{ad}ah",
            "sarah\u{2800}",
            "\u{3164}\u{3164}\u{3164}",
            "sa\u{202e}rah",
            "sar\u{e0061}ah",
            "sarah\u{a0}k",
            "sarah\n",
            // Latin with Cyrillic or Greek letters that look alike.
            "s\u{430}rah",
            "раураl",
            "sαrah",
            // Letters that are not in general use.
            "s\u{251}rah",
            "\u{1d00}nna",
            "ᏣᎳᎩ",
        ] {
            assert!(!is_plain(name), "{name:?}");
        }
    }
}
