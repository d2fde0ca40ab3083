//! The signature of a webhook, as Standard Webhooks has it (`v1`).
//!
//! Owns the form of a secret, `whsec_` and base64, and that of a signature: `v1,` and the base64 HMAC-SHA-256 of
//! `ID.TIMESTAMP.BODY`. The timestamp is signed too, so that an old delivery cannot be sent again as a new one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::handlers::secret::Secret;

const PREFIX: &str = "whsec_";
/// Bytes of a key, as Standard Webhooks asks for.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// The key that a secret holds.
///
/// # Errors
/// A sentence, without the secret, when it is not of the form.
pub fn key(secret: &Secret) -> Result<Vec<u8>, String> {
    let encoded = secret
        .reveal()
        .strip_prefix(PREFIX)
        .ok_or_else(|| format!("a webhook's secret begins with `{PREFIX}`"))?;
    let key = STANDARD
        .decode(encoded)
        .map_err(|_not_base64| format!("what follows `{PREFIX}` must be base64"))?;
    if KEY_BYTES.contains(&key.len()) {
        return Ok(key);
    }
    Err(format!(
        "the key must be {} to {} bytes long, but has {}",
        KEY_BYTES.start(),
        KEY_BYTES.end(),
        key.len()
    ))
}

/// The value of `webhook-signature` for a message of this id and body that is sent at `timestamp`, in seconds since 1970.
///
/// # Errors
/// When the secret is not of the form.
pub fn signature(secret: &Secret, id: &str, timestamp: i64, body: &[u8]) -> Result<String, String> {
    // HMAC takes a key of any length.
    let mut mac = Hmac::<Sha256>::new_from_slice(&key(secret)?)
        .map_err(|error| format!("the key cannot be used: {error}"))?;
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    Ok(format!(
        "v1,{}",
        STANDARD.encode(mac.finalize().into_bytes())
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_the_standard_webhooks_library_computes() {
        // standardwebhooks.Webhook(secret).sign("msg_1", datetime.fromtimestamp(1742831243, UTC), '{"a":1}')
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        assert_eq!(
            signature(&secret, "msg_1", 1_742_831_243, br#"{"a":1}"#).unwrap(),
            "v1,tO3R7XNuLx0JxcAUBZqvv5qQEbOf2uNNYtD1NPOISHs="
        );
    }

    #[test]
    fn a_secret_of_another_form_is_refused_without_showing_it() {
        for text in [
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_not base64",
            "whsec_c2hvcnQ=",
        ] {
            let error = key(&Secret::new(text)).unwrap_err();
            assert!(
                !error.contains("MfKQ") && !error.contains("c2hv"),
                "{error}"
            );
        }
    }
}
