//! Password hashing: argon2id.
//!
//! Owns the cost, and the memory that hashing takes: a few buffers, each used again and again, as many as hashes are worked
//! on at a time. Never keeps, logs or returns a plaintext. Blocking, and meant to be slow: call it where blocking is
//! allowed.

use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use whodunit_core::users::Passwords;

use crate::limits::{HASH_MEMORY_KIB_MAX, HASH_WORK_KIB_MAX, HASHES_AT_A_TIME_MAX};

/// Cost of a password hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cost {
    /// 19 MiB and two passes (OWASP's recommendation).
    #[default]
    Standard,
    /// The algorithm's minimum. Only for made-up passwords in temporary stores, such as the demo's.
    Light,
}

/// Hashes and verifies with argon2id, a few at a time.
pub struct Argon2id {
    params: Params,
    /// The buffers that are free: one for each hash that may be worked on. An empty one gets its memory when it is used.
    free: Mutex<Vec<Vec<Block>>>,
    freed: Condvar,
}

/// A buffer for one hash; returned to the pool when dropped.
struct BufferGuard<'a> {
    owner: &'a Argon2id,
    buffer: Vec<Block>,
}

impl Drop for BufferGuard<'_> {
    fn drop(&mut self) {
        let mut buffer = std::mem::take(&mut self.buffer);
        // What a more expensive hash than ours took is not kept.
        buffer.truncate(self.owner.params.block_count());
        buffer.shrink_to_fit();
        let free = self.owner.free.lock();
        free.unwrap_or_else(PoisonError::into_inner).push(buffer);
        self.owner.freed.notify_one();
    }
}

impl Argon2id {
    /// At this cost. Verifying costs what the hash at hand did.
    pub fn new(cost: Cost) -> Self {
        let params = match cost {
            Cost::Standard => Params::DEFAULT,
            Cost::Light => Params::new(Params::MIN_M_COST, 1, 1, None).unwrap_or(Params::DEFAULT),
        };
        let at_a_time = thread::available_parallelism().map_or(1, usize::from);
        let buffers = at_a_time.min(HASHES_AT_A_TIME_MAX);
        Self {
            params,
            free: Mutex::new((0..buffers).map(|_| Vec::new()).collect()),
            freed: Condvar::new(),
        }
    }

    fn turn(&self) -> BufferGuard<'_> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            // The buffer used last comes first: others may never need their memory.
            if let Some(buffer) = free.pop() {
                return BufferGuard {
                    owner: self,
                    buffer,
                };
            }
            let woken = self.freed.wait(free);
            free = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The hash of a plaintext, in a buffer of ours.
    fn compute(
        &self,
        (algorithm, version, params): (Algorithm, Version, &Params),
        plaintext: &str,
        salt: &[u8],
        out: &mut [u8],
    ) -> Result<(), argon2::Error> {
        let mut turn = self.turn();
        turn.buffer.resize(params.block_count(), Block::new());
        Argon2::new(algorithm, version, params.clone()).hash_password_into_with_memory(
            plaintext.as_bytes(),
            salt,
            out,
            turn.buffer.as_mut_slice(),
        )
    }
}

impl Passwords for Argon2id {
    fn hash(&self, plaintext: &str) -> Result<String, String> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(|error| format!("no randomness for a salt: {error}"))?;
        let failed = |error: &dyn std::fmt::Display| format!("argon2id failed: {error}");
        let mut out = [0; Params::DEFAULT_OUTPUT_LEN];
        let (algorithm, version) = (Algorithm::Argon2id, Version::V0x13);
        self.compute(
            (algorithm, version, &self.params),
            plaintext,
            &salt,
            &mut out,
        )
        .map_err(|error| failed(&error))?;
        let hash = PasswordHash {
            algorithm: algorithm.ident(),
            version: Some(version.into()),
            params: ParamsString::try_from(&self.params).map_err(|error| failed(&error))?,
            salt: Some(Salt::new(&salt).map_err(|error| failed(&error))?),
            hash: Some(Output::new(&out).map_err(|error| failed(&error))?),
        };
        Ok(hash.to_string())
    }

    fn verify(&self, plaintext: &str, hash: &str) -> Result<bool, String> {
        let Some(hash) = Stored::read(hash) else {
            return Ok(false);
        };
        let (memory, passes) = (hash.params.m_cost(), hash.params.t_cost());
        if memory > HASH_MEMORY_KIB_MAX || memory.saturating_mul(passes) > HASH_WORK_KIB_MAX {
            return Err(format!(
                "verifying the stored hash takes {memory} KiB and {passes} passes, more than this daemon allows"
            ));
        }
        let mut out = vec![0; hash.output.len()];
        let setting = (hash.algorithm, hash.version, &hash.params);
        match self.compute(setting, plaintext, &hash.salt, &mut out) {
            // Comparing outputs takes the same time wherever they differ.
            Ok(()) => Ok(Output::new(&out).is_ok_and(|out| out == hash.output)),
            Err(_no_hash_of_ours) => Ok(false),
        }
    }
}

/// A hash as it was stored, of whatever cost.
struct Stored {
    algorithm: Algorithm,
    version: Version,
    params: Params,
    salt: Salt,
    output: Output,
}

impl Stored {
    /// `None` where it is not a whole hash of the argon2 family.
    fn read(text: &str) -> Option<Self> {
        let hash = PasswordHash::new(text).ok()?;
        Some(Self {
            algorithm: Algorithm::try_from(hash.algorithm.as_str()).ok()?,
            version: match hash.version {
                Some(version) => Version::try_from(version).ok()?,
                None => Version::default(),
            },
            params: Params::try_from(&hash).ok()?,
            salt: hash.salt?,
            output: hash.hash?,
        })
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
            "an unreadable hash matches no password"
        );
    }

    #[test]
    fn more_at_a_time_than_there_are_buffers_wait_for_their_turn_and_all_buffers_come_back() {
        let passwords = Argon2id::new(Cost::Light);
        let before = passwords.free.lock().unwrap().len();
        assert!(before <= HASHES_AT_A_TIME_MAX);
        thread::scope(|scope| {
            for n in 0..4 * before + 3 {
                let passwords = &passwords;
                scope.spawn(move || passwords.hash(&format!("password {n}")).unwrap());
            }
        });
        assert_eq!(passwords.free.lock().unwrap().len(), before);
    }

    #[test]
    fn buffers_keep_no_more_memory_than_a_hash_of_ours_takes() {
        let passwords = Argon2id::new(Cost::Light);
        let expensive = Argon2id::new(Cost::Standard).hash("x").unwrap();
        for _ in 0..4 {
            assert_eq!(passwords.verify("x", &expensive), Ok(true));
            passwords.hash("y").unwrap();
        }
        let own = passwords.params.block_count();
        let free = passwords.free.lock().unwrap();
        assert!(free.iter().all(|buffer| buffer.capacity() <= own));
    }

    #[test]
    fn a_stored_hash_does_not_decide_how_much_memory_is_spent_on_it() {
        let passwords = Argon2id::new(Cost::Light);
        for cost in ["m=4194304,t=1,p=1", "m=65536,t=4294967295,p=1"] {
            let hash = format!(
                "$argon2id$v=19${cost}$c29tZXNhbHRzb21lc2FsdA$WW91IHdpbGwgbm90IGZpbmQgdGhpcyBoYXNoIGhlcmUhISE"
            );
            let refused = passwords.verify("x", &hash).unwrap_err();
            assert!(
                refused.contains("more than this daemon allows"),
                "{refused}"
            );
        }
        for hash in [
            "$argon2id$v=19$m=19456,t=2,p=1",
            "$scrypt$ln=1$c29tZXNhbHQ$WW91IHdpbGw",
        ] {
            assert_eq!(passwords.verify("x", hash), Ok(false), "{hash}");
        }
    }

    #[test]
    fn the_standard_cost_is_what_owasp_recommends() {
        let hash = Argon2id::new(Cost::Standard).hash("x").unwrap();
        assert!(hash.contains("m=19456,t=2,p=1"), "{hash}");
        // A hash of another cost verifies all the same: it names its own.
        assert_eq!(Argon2id::new(Cost::Light).verify("x", &hash), Ok(true));
    }
}
