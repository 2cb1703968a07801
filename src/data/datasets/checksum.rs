//! SHA-256 of files. This is the only file that names `sha2`.
//!
//! The checksum makes a download over plain HTTP trustworthy: it is part of the crate's source, and an attacker who
//! can change a file in transit cannot find another file with the same checksum. A length alone, or a checksum from
//! the same host, would not be enough.

use crate::error::{Error, ErrorKind};
use sha2::{Digest, Sha256};
use std::io::{self, Read, Write};

/// The SHA-256 of the bytes written so far.
///
/// It is a [`Write`], so that a file is copied and hashed in one pass.
#[derive(Default)]
pub(super) struct Checksum(Sha256);

impl Checksum {
    /// Hashes all bytes of a reader.
    pub(super) fn of(mut source: impl Read) -> io::Result<String> {
        let mut sum = Self::default();
        io::copy(&mut source, &mut sum)?;
        Ok(sum.hex())
    }

    /// Returns the checksum as 64 lower-case hexadecimal digits.
    ///
    /// This is the form that `sha256sum` prints, so that people can compare.
    pub(super) fn hex(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Write for Checksum {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The error of a file whose checksum is not the published one.
///
/// `file` is a path or an address. The error holds both checksums, for use by programs.
pub(super) fn mismatch(file: String, expected: &str, found: String, help: String) -> Error {
    Error::new(ErrorKind::Checksum { file, expected: expected.to_owned(), found }).help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_the_published_one() {
        // FIPS 180-2, appendix B.1.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Checksum::of(&b"abc"[..]).unwrap(), expected);
    }
}
