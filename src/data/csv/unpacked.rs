//! The bytes of a file, unpacked if they are those of gzip.

use super::records::unreadable;
use crate::data::file::{BYTES_THAT_TELL, check_packed};
#[cfg(any(feature = "csv", feature = "datasets", feature = "plots"))]
use crate::data::gzip::{self, Unpacked};
#[cfg(not(any(feature = "csv", feature = "datasets", feature = "plots")))]
use crate::error::Error;
use crate::error::Result;
use std::io::{self, Chain, Cursor, Read};

/// A source whose first bytes were looked at.
type Whole<R> = Chain<Cursor<Vec<u8>>, R>;

/// A reader of a source's bytes, unpacked if its first two bytes are those of gzip.
pub(in crate::data) enum Plain<R: Read> {
    /// They were plain.
    AsIs(Whole<R>),
    #[cfg(any(feature = "csv", feature = "datasets", feature = "plots"))]
    Gzip(Box<Whole<Unpacked<Whole<R>>>>),
}

impl<R: Read> Plain<R> {
    /// Reading fails behind `most` unpacked bytes, and for gzip data within gzip data.
    pub fn new(mut source: R, name: &str, most: u64) -> Result<Self> {
        let start = first(BYTES_THAT_TELL as u64, &mut source, name)?;
        check_packed(&start, "be plain or compressed by gzip")?;
        let gzip = start.starts_with(&[0x1f, 0x8b]);
        let source = Cursor::new(start).chain(source);
        if !gzip {
            return Ok(Self::AsIs(source));
        }
        #[cfg(any(feature = "csv", feature = "datasets", feature = "plots"))]
        {
            let mut source = Unpacked::new(source, most);
            let start = first(2, &mut source, name)?;
            if start == gzip::START {
                return Err(gzip::twice());
            }
            Ok(Self::Gzip(Box::new(Cursor::new(start).chain(source))))
        }
        #[cfg(not(any(feature = "csv", feature = "datasets", feature = "plots")))]
        {
            let _ = most;
            Err(Error::format("the file", "be uncompressed", "gzip data")
                .help("Unpack it (`gunzip`), or switch Plywood's feature `csv` on."))
        }
    }
}

impl<R: Read> Read for Plain<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::AsIs(source) => source.read(buffer),
            #[cfg(any(feature = "csv", feature = "datasets", feature = "plots"))]
            Self::Gzip(source) => source.read(buffer),
        }
    }
}

/// Returns a source's bytes, unpacked if they are packed, of any kind.
pub(super) fn unpacked<'a>(source: impl Read + 'a, name: &str, most: u64) -> Result<Box<dyn Read + 'a>> {
    Ok(Box::new(Plain::new(source, name, most)?))
}

/// Reads the first bytes of a source, which identify its format.
fn first(count: u64, source: &mut impl Read, name: &str) -> Result<Vec<u8>> {
    let mut start = Vec::new();
    source.take(count).read_to_end(&mut start).map_err(|error| unreadable(error, name))?;
    Ok(start)
}
