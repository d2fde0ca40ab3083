//! Secrets of handlers: passwords and signing keys, and their removal from quoted texts.
//!
//! Owns the only type in which a password or a signing key is kept. Never shows one.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use whodunit_core::shown::REDACTED;
use whodunit_core::text::shown;

use crate::limits::ANSWER_CHARS_MAX;

/// A password, a user name that goes with one, or a key. Its `Debug` form does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that uses it.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

/// Takes secrets, in the forms in which they travel, out of what a server answers: a server may echo what it was sent.
#[derive(Clone, Default)]
pub(super) struct Scrub(Vec<String>);

impl Scrub {
    /// Of a key that never travels.
    pub(super) fn key(secret: Option<&Secret>) -> Self {
        // Also without the prefix that says what it is.
        let bare = |text: &str| text.rsplit('_').next().unwrap_or(text).to_owned();
        let forms = secret.map(|secret| [secret.reveal().to_owned(), bare(secret.reveal())]);
        Self::from_forms(forms.into_iter().flatten())
    }

    /// Of what a mail server is sent: alone, and in the forms of `AUTH LOGIN` and `AUTH PLAIN`.
    pub(super) fn login(username: &Secret, password: &Secret) -> Self {
        let (username, password) = (username.reveal(), password.reveal());
        let both = format!("\0{username}\0{password}");
        Self::from_forms(
            [both.as_str(), password, username]
                .into_iter()
                .flat_map(|text| [STANDARD.encode(text), text.to_owned()]),
        )
    }

    fn from_forms(forms: impl IntoIterator<Item = String>) -> Self {
        let mut forms: Vec<String> = forms.into_iter().filter(|form| !form.is_empty()).collect();
        // A form that holds another goes first, or a part of it would stay behind.
        forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        Self(forms)
    }

    /// The text as an error may quote it: without secrets, without what could drive a terminal, on one line, not long.
    pub(super) fn quote(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for form in &self.0 {
            text = text.replace(form, REDACTED);
        }
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        cut(&shown(&text), ANSWER_CHARS_MAX)
    }
}

impl fmt::Debug for Scrub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} forms", self.0.len())
    }
}

/// The first so many characters, and a mark that there were more.
pub(super) fn cut(text: &str, chars_max: usize) -> String {
    let mut chars = text.chars();
    let mut head: String = chars.by_ref().take(chars_max).collect();
    if chars.next().is_some() {
        head.push('…');
    }
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_in_its_debug_form() {
        let secret = Secret::new("hunter2");
        assert_eq!(
            format!("{secret:?} {:?}", Some(&secret)),
            "[redacted] Some([redacted])"
        );
    }

    #[test]
    fn what_travels_is_taken_out_of_an_answer() {
        let scrub = Scrub::login(&Secret::new("jo"), &Secret::new("hunter2"));
        let plain = STANDARD.encode("\0jo\0hunter2");
        let answer = format!(
            "no: AUTH PLAIN {plain}; {}; hunter2",
            STANDARD.encode("hunter2")
        );
        assert_eq!(
            scrub.quote(&answer),
            "no: AUTH PLAIN [redacted]; [redacted]; [redacted]"
        );
    }

    #[test]
    fn an_answer_is_quoted_safely_and_shortly() {
        let scrub = Scrub::default();
        assert_eq!(scrub.quote("a\x1b[31m\r\n  b"), "a␛[31m b");
        assert_eq!(
            scrub.quote(&"x".repeat(5_000)).chars().count(),
            ANSWER_CHARS_MAX + 1
        );
    }
}
