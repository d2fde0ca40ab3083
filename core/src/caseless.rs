//! Case-insensitive comparison of texts by Unicode case folding.
//!
//! Owns the two forms in which texts are compared: one for finding a text in another, one for names that must be unique.
//! Full case folding: `ß` is `ss`, `Σ`, `σ` and `ς` are one letter.

use std::borrow::Cow;

use icu_casemap::CaseMapper;
use icu_normalizer::ComposingNormalizer;

/// The form in which a text is sought in another: case folded, and composed so that it does not matter how an accent is
/// written.
pub fn fold(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return ascii_lower(text);
    }
    let nfc = ComposingNormalizer::new_nfc();
    let composed = nfc.normalize(text);
    let folded = CaseMapper::new().fold_string(&composed);
    let form = nfc.normalize(&folded);
    if form.as_ref() == text {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(form.into_owned())
    }
}

/// The form in which names that must be unique are compared: NFKC and case folded, without surrounding white space.
pub fn name_form(text: &str) -> String {
    let text = text.trim();
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let nfkc = ComposingNormalizer::new_nfkc();
    let mut form = nfkc.normalize(text).into_owned();
    // Folding may make new compatibility characters and the other way round; twice is enough for both to be at rest.
    for _ in 0..2 {
        let folded = CaseMapper::new().fold_string(&form);
        form = nfkc.normalize(&folded).into_owned();
    }
    form.trim().to_owned()
}

/// The form in which two texts that a reader takes for one another are equal (UTS #39).
pub fn skeleton(text: &str) -> String {
    unicode_security::skeleton(text).collect()
}

fn ascii_lower(text: &str) -> Cow<'_, str> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_the_writing_of_accents_make_no_difference() {
        for (a, b) in [
            ("MÜLLER", "mu\u{308}ller"),
            ("Straße", "STRASSE"),
            ("STRAẞE", "strasse"),
            ("ΟΣ", "ος"),
            ("ΟΣ", "οσ"),
            ("İ", "i\u{307}"),
            ("Plain", "pLAIN"),
        ] {
            assert_eq!(fold(a), fold(b), "{a} {b}");
            assert_eq!(name_form(a), name_form(b), "{a} {b}");
        }
        assert_ne!(fold("e"), fold("é"));
    }

    #[test]
    fn names_are_also_alike_when_only_their_form_differs() {
        for (a, b) in [
            ("ﬁn", "fin"),
            ("Ｊｏ", "jo"),
            (" Jo ", "jo"),
            ("ſam", "SAM"),
            ("\u{1E9E}", "ss"),
        ] {
            assert_eq!(name_form(a), name_form(b), "{a} {b}");
        }
        for text in ["ﬁ", "ᾳ", "\u{345}\u{301}a", "K", "Å", "ŉ"] {
            let form = name_form(text);
            assert_eq!(name_form(&form), form, "{text}");
        }
    }
}
