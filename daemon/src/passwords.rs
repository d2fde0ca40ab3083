//! Password hashing: argon2id.
//!
//! Owns the cost. Never keeps, logs or returns a plaintext. Blocking, and meant to be slow: call it where blocking is
//! allowed.

use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

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

/// Hashes and verifies with argon2id. At most as many at a time as there are processors: each takes its memory.
pub struct Argon2id {
    argon2: Argon2<'static>,
    free: Mutex<usize>,
    freed: Condvar,
}

/// A processor's worth of hashing, given back when dropped.
struct Turn<'a>(&'a Argon2id);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
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
            free: Mutex::new(thread::available_parallelism().map_or(1, usize::from)),
            freed: Condvar::new(),
        }
    }

    fn turn(&self) -> Turn<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.freed.wait_while(free, |free| *free == 0);
        *waited.unwrap_or_else(PoisonError::into_inner) -= 1;
        Turn(self)
    }
}

impl Passwords for Argon2id {
    fn hash(&self, plaintext: &str) -> Result<String, String> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(|error| format!("no randomness for a salt: {error}"))?;
        let _turn = self.turn();
        self.argon2
            .hash_password_with_salt(plaintext.as_bytes(), &salt)
            .map(|hash| hash.to_string())
            .map_err(|error| format!("argon2id failed: {error}"))
    }

    fn verify(&self, plaintext: &str, hash: &str) -> Result<bool, String> {
        let Ok(hash) = PasswordHash::new(hash) else {
            return Ok(false);
        };
        let _turn = self.turn();
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
    fn more_at_a_time_than_there_are_processors_wait_for_their_turn() {
        let passwords = Argon2id::new(Cost::Light);
        let before = *passwords.free.lock().unwrap();
        thread::scope(|scope| {
            for n in 0..4 * before + 3 {
                let passwords = &passwords;
                scope.spawn(move || passwords.hash(&format!("password {n}")).unwrap());
            }
        });
        assert_eq!(*passwords.free.lock().unwrap(), before);
    }

    #[test]
    fn the_standard_cost_is_what_owasp_recommends() {
        let hash = Argon2id::new(Cost::Standard).hash("x").unwrap();
        assert!(hash.contains("m=19456,t=2,p=1"), "{hash}");
        // A hash of another cost verifies all the same: it names its own.
        assert_eq!(Argon2id::new(Cost::Light).verify("x", &hash), Ok(true));
    }
}
