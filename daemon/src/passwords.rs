//! Password hashing: argon2id.
//!
//! Owns the cost. Never keeps, logs or returns a plaintext. Blocking, and meant to be slow: call it where blocking is
//! allowed.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use whodunit_core::users::Passwords;

/// How much work a hash takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cost {
    /// 19 MiB and two passes (OWASP's recommendation).
    #[default]
    Standard,
    /// As little as the algorithm allows. Only for made-up passwords in stores that are thrown away, such as the demo's.
    Light,
}

/// Hashes and verifies with argon2id.
pub struct Argon2id {
    argon2: Argon2<'static>,
}

impl Argon2id {
    /// At this cost. Verifying costs what the hash at hand did.
    pub fn new(cost: Cost) -> Self {
        let params = match cost {
            Cost::Standard => Params::DEFAULT,
            Cost::Light => Params::new(Params::MIN_M_COST, 1, 1, None).unwrap_or(Params::DEFAULT),
        };
        Self {
            argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
        }
    }
}

impl Passwords for Argon2id {
    fn hash(&self, plaintext: &str) -> Result<String, String> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(|error| format!("no randomness for a salt: {error}"))?;
        self.argon2
            .hash_password_with_salt(plaintext.as_bytes(), &salt)
            .map(|hash| hash.to_string())
            .map_err(|error| format!("argon2id failed: {error}"))
    }

    fn verify(&self, plaintext: &str, hash: &str) -> Result<bool, String> {
        let Ok(hash) = PasswordHash::new(hash) else {
            return Ok(false);
        };
        Ok(self
            .argon2
            .verify_password(plaintext.as_bytes(), &hash)
            .is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_salted_names_its_parameters_and_fits_only_its_password() {
        let passwords = Argon2id::new(Cost::Light);
        let (one, two) = (
            passwords.hash("correct horse").unwrap(),
            passwords.hash("correct horse").unwrap(),
        );
        assert_ne!(one, two);
        assert!(one.starts_with("$argon2id$v=19$"), "{one}");
        assert_eq!(passwords.verify("correct horse", &one), Ok(true));
        assert_eq!(passwords.verify("battery staple", &one), Ok(false));
        assert_eq!(
            passwords.verify("correct horse", "not a hash"),
            Ok(false),
            "an unreadable hash is of no password"
        );
    }

    #[test]
    fn the_standard_cost_is_what_owasp_recommends() {
        let hash = Argon2id::new(Cost::Standard).hash("x").unwrap();
        assert!(hash.contains("m=19456,t=2,p=1"), "{hash}");
        // A hash of another cost verifies all the same: it names its own.
        assert_eq!(Argon2id::new(Cost::Light).verify("x", &hash), Ok(true));
    }
}
