//! The signature of a webhook's body.
//!
//! Owns its form, which receivers rely on: `v1=` and the hex HMAC-SHA-256 of `TIMESTAMP.BODY`. The timestamp is signed
//! too, so that an old delivery cannot be sent again as a new one.

use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::handlers::secret::Secret;

/// The value of `whodunit-signature` for a body sent at `timestamp`, in seconds since 1970.
pub fn signature(secret: &Secret, timestamp: i64, body: &[u8]) -> String {
    let mut out = String::from("v1=");
    // A key of any length will do for HMAC, so there is no error to come.
    if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes()) {
        mac.update(timestamp.to_string().as_bytes());
        mac.update(b".");
        mac.update(body);
        for byte in mac.finalize().into_bytes() {
            let _ = write!(out, "{byte:02x}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_another_tool_computes() {
        // printf '1742831243.{"a":1}' | openssl dgst -sha256 -hmac 'key of a test'
        assert_eq!(
            signature(&Secret::new("key of a test"), 1_742_831_243, br#"{"a":1}"#),
            "v1=15b7868cf28a72c7e0989a5b816b1407af849afb2121b2c3ea9de46e2097c0d0"
        );
    }
}
