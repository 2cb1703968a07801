//! SHA-256 of files. The one file that names `sha2`.
//!
//! The sum is what makes a download over plain HTTP trustworthy: it is written in the crate's source, and whoever
//! can change a file on its way cannot find another one with the same sum. A length alone, or a sum from the same
//! host, would not do.

use crate::error::{Error, ErrorKind};
use sha2::{Digest, Sha256};
use std::io::{self, Read, Write};

/// The SHA-256 of the bytes written so far.
///
/// It is a [`Write`], so that a copy and a sum can be one pass.
#[derive(Default)]
pub(super) struct Checksum(Sha256);

impl Checksum {
    /// The sum of all that a reader gives.
    pub(super) fn of(mut source: impl Read) -> io::Result<String> {
        let mut sum = Self::default();
        io::copy(&mut source, &mut sum)?;
        Ok(sum.hex())
    }

    /// The sum as 64 lower-case hexadecimal digits.
    ///
    /// In the form that `sha256sum` prints, so that people can compare.
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

/// The error of a file whose sum is not the published one.
///
/// `file` is a path or an address; both sums are in the error for programs.
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
