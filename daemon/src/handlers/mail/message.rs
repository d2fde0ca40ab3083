//! Mail messages (RFC 5322): headers and body as they are sent.
//!
//! Owns the headers. `Date`, `Message-ID` and the file's name come from the handler and the event alone, so that a mail
//! that is made again is the same mail.

use std::fmt::Write;
use std::time::{Duration, SystemTime};

use lettre::Message;
use lettre::address::Envelope;
use lettre::message::SinglePart;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use sha2::{Digest, Sha256};
use whodunit_core::event::Event;

use super::MailKind;
use super::texts::Letter;
use crate::handlers::settings::MailSettings;

/// A mail, ready to go.
pub(super) struct Mail {
    /// Name of its file: unlike that of any other mail.
    pub(super) file_name: String,
    /// From whom and to whom, for the mail server.
    pub(super) envelope: Envelope,
    /// Headers and body, with CRLF.
    pub(super) bytes: Vec<u8>,
}

/// Digits of a hash in a file's name and in a `Message-ID`: 128 bits.
const HASH_DIGITS: usize = 32;
/// 9999-12-31T23:59:59Z, the last date that a header can say.
const LAST_SECOND: u64 = 253_402_300_799;

/// Puts a letter into form.
///
/// # Errors
/// A sentence.
pub(super) fn mail(
    kind: MailKind,
    event: &Event,
    letter: Letter,
    settings: &MailSettings,
) -> Result<Mail, String> {
    let handler = kind.handler();
    let hash = identity(handler, event);
    let domain = Some(settings.from.email.domain())
        .filter(|domain| domain.is_ascii())
        .unwrap_or("whodunit.invalid");
    let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
    let mut builder = Message::builder()
        .from(settings.from.clone())
        .to(letter.to)
        .subject(letter.subject)
        .date(date(event))
        .message_id(Some(format!("<{hash}.{handler}@{domain}>")))
        // So that no vacation notice answers it.
        .raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()));
    if let Some(reply_to) = &settings.reply_to {
        builder = builder.reply_to(reply_to.clone());
    }
    let text = SinglePart::builder()
        .header(ContentType::TEXT_PLAIN)
        .body(letter.text);
    let message = builder
        .singlepart(text)
        .map_err(|error| format!("the mail cannot be put into form: {error}"))?;
    Ok(Mail {
        file_name: format!(
            "{}-{handler}-{hash}.eml",
            event.recorded_at.to_datetime().format("%Y%m%dT%H%M%SZ")
        ),
        envelope: message.envelope().clone(),
        bytes: message.formatted(),
    })
}

/// What tells this mail from every other: a hash, since ids are other people's texts.
fn identity(handler: &str, event: &Event) -> String {
    let mut hasher = Sha256::new();
    for part in [handler, &event.event_id, &event.recorded_at.to_string()] {
        // With its length before it, no part can pretend to be two.
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    let mut out = String::with_capacity(64);
    for byte in hasher.finalize() {
        let _ = write!(out, "{byte:02x}");
    }
    out.truncate(HASH_DIGITS);
    out
}

/// When it was recorded, or the nearest date that a header can say: events may claim any time from the year 1 on.
fn date(event: &Event) -> SystemTime {
    let seconds = event.recorded_at.as_micros().div_euclid(1_000_000);
    let seconds = u64::try_from(seconds).unwrap_or(0).min(LAST_SECOND);
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}
