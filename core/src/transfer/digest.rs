//! A digest of an export's lines, by which a file that was changed since is known.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// The digest of the lines so far, from the first line of the export on. How lines end does not count.
#[derive(Debug, Clone, Default)]
pub struct LinesDigest(Sha256);

impl LinesDigest {
    /// Takes a line, without its end.
    pub fn line(&mut self, line: &[u8]) {
        self.0.update(line);
        self.0.update(b"\n");
    }

    /// Takes whole lines, each with `\n` at its end.
    pub fn lines(&mut self, lines: &[u8]) {
        self.0.update(lines);
    }

    /// The digest, in hexadecimal.
    pub fn hex(&self) -> String {
        let mut out = String::with_capacity(64);
        for byte in self.0.clone().finalize() {
            // Writing into a text does not fail.
            let _ = write!(out, "{byte:02x}");
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_that_of_the_lines_however_they_were_taken() {
        let (mut one, mut whole) = (LinesDigest::default(), LinesDigest::default());
        one.line(b"a");
        one.line(b"b");
        whole.lines(b"a\nb\n");
        assert_eq!(one.hex(), whole.hex());
        // As `printf 'a\nb\n' | sha256sum` says.
        assert_eq!(
            one.hex(),
            "911169ddaaf146aff539f58c26c489af3b892dff0fe283c1c264c65ae5aa59a2"
        );
    }
}
