//! Decompression of gzip files.
//!
//! A file is one member or several in a row (RFC 1952, 2.2), which are read as one stream. Zero bytes behind a member
//! are skipped, as gzip(1) and Python do: tapes and some file systems pad blocks with them.

use crate::error::Error;
use flate2::bufread::GzDecoder;
use std::io::{self, BufRead, BufReader, Read};

/// The first bytes of gzip data.
pub(super) const START: [u8; 2] = [0x1f, 0x8b];

/// A reader of the contents of all members, one after another.
pub(super) struct Members<R: Read> {
    /// `None` behind the last member.
    member: Option<GzDecoder<BufReader<R>>>,
}

impl<R: Read> Members<R> {
    pub fn new(source: R) -> Self {
        Self { member: Some(GzDecoder::new(BufReader::new(source))) }
    }
}

impl<R: Read> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let count = member.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            pass_over_zeros(member.get_mut())?;
            match member.get_mut().fill_buf()?.first() {
                None => self.member = None,
                Some(&byte) if byte == START[0] => {
                    self.member = self.member.take().map(|member| GzDecoder::new(member.into_inner()));
                }
                Some(byte) => {
                    let found = format!("bytes that are not gzip data follow it, from {byte:#04x} on");
                    return Err(io::Error::new(io::ErrorKind::InvalidData, found));
                }
            }
        }
        Ok(0)
    }
}

fn pass_over_zeros(source: &mut impl BufRead) -> io::Result<()> {
    loop {
        let bytes = source.fill_buf()?;
        let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
        let all = zeros == bytes.len();
        source.consume(zeros);
        if zeros == 0 || !all {
            return Ok(());
        }
    }
}

/// The error for gzip data that are gzip data again once unpacked.
pub(super) fn twice() -> Error {
    Error::format("the file", "be compressed once", "gzip data within gzip data: it is compressed twice")
        .help("Unpack it once (`gunzip`) and give the file that comes out.")
}

/// The bytes that a row of CSV takes in memory besides its text: its label, and an entry in a list of texts or
/// numbers, whose capacity may be twice its length.
const ROW: u64 = 64;

/// A limited [`Members`]: reading fails once it has returned more than `most` bytes, where each line end counts
/// [`ROW`] bytes more. Without the limit, a small file could unpack to more than the machine's memory; line ends
/// count because a line of four bytes makes a row just as a long one does.
pub(super) struct Unpacked<R: Read> {
    source: Members<R>,
    most: u64,
    left: u64,
}

impl<R: Read> Unpacked<R> {
    pub fn new(source: R, most: u64) -> Self {
        Self { source: Members::new(source), most, left: most }
    }
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        let rows = buffer[..count].iter().filter(|&&byte| byte == b'\n').count();
        self.left = self.left.checked_sub(count as u64 + ROW * rows as u64).ok_or_else(|| {
            let what = format!(
                "it unpacks to more than {} bytes, where each line takes {ROW} beside its text",
                self.most
            );
            io::Error::new(io::ErrorKind::FileTooLarge, what)
        })?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// Reads in pieces of this length, from a source that returns as few bytes at a time.
    fn read(file: &[u8], piece: usize) -> io::Result<Vec<u8>> {
        struct Slow<'a>(&'a [u8], usize);
        impl Read for Slow<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let most = buffer.len().min(self.1);
                self.0.read(&mut buffer[..most])
            }
        }
        let (mut members, mut all, mut some) = (Members::new(Slow(file, piece)), Vec::new(), vec![0; piece]);
        loop {
            match members.read(&mut some)? {
                0 => return Ok(all),
                count => all.extend_from_slice(&some[..count]),
            }
        }
    }

    #[test]
    fn members_are_one_stream_and_zeros_behind_them_are_nothing() {
        let (a, b, zeros) = (packed(b"one,"), packed(b"two"), vec![0; 20_000]);
        for piece in [1, 7, 1 << 16] {
            for file in [
                [&a[..], &b].concat(),
                [&a[..], &b, &[0]].concat(),
                [&a[..], &zeros, &b, &zeros].concat(),
                [&a[..], &packed(b""), &b].concat(),
            ] {
                assert_eq!(read(&file, piece).unwrap(), b"one,two");
            }
            assert_eq!(read(&packed(b""), piece).unwrap(), b"");
            let behind = read(&[&a[..], &[0, 0, 7]].concat(), piece).unwrap_err().to_string();
            assert_eq!(behind, "bytes that are not gzip data follow it, from 0x07 on");
            assert!(read(&[&a[..], &b[..b.len() - 1]].concat(), piece).is_err());
            assert!(read(&a[..5], piece).is_err());
        }
    }
}
