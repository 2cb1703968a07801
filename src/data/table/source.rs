//! [`Source`]: where the bytes of a CSV file come from; and their encoding.

use crate::data::csv::{Plain, open};
use crate::disk::sort;
use crate::error::{Error, Result};
use std::io::{self, Cursor, Read};
use std::path::PathBuf;
use std::sync::Arc;

/// Bytes that can be read from their beginning again and again.
#[derive(Clone, Debug)]
pub(super) enum Source {
    File(PathBuf),
    Bytes(String, Arc<[u8]>),
}

/// The unpacked bytes of a source, as UTF-8 if its encoding is known.
pub(super) type Bytes = Decoded<Plain<Box<dyn Read + Send + Sync>>>;

impl Source {
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Bytes(name, _) => name.clone(),
        }
    }

    /// Returns the bytes from the first on.
    pub fn open(&self) -> Result<Box<dyn Read + Send + Sync>> {
        let path = match self {
            Self::Bytes(_, bytes) => return Ok(Box::new(Cursor::new(bytes.clone()))),
            Self::File(path) => path,
        };
        // A pipe can be read only once, and opening one would wait until somebody writes to it.
        if let Ok(found) = std::fs::metadata(path)
            && !found.is_file()
        {
            let found = sort(found.file_type());
            return Err(Error::format("the file", "be one that can be read twice", found)
                .help("Write it into a file, or read it into memory and give it as `Csv::bytes`."));
        }
        Ok(Box::new(open(path)?))
    }
}

/// Returns the unpacked bytes of a source.
pub(super) fn decoded(
    source: Box<dyn Read + Send + Sync>,
    name: &str,
    encoding: &str,
    most: u64,
) -> Result<Bytes> {
    Decoded::new(Plain::new(source, name, most)?, encoding)
}

/// The name of the encoding that needs no decoder.
pub(super) const UTF_8: &str = "UTF-8";

/// Returns the name of an encoding, as the Encoding Standard has it.
pub(super) fn encoding_name(label: &str) -> Result<String> {
    if ["utf-8", "utf8"].iter().any(|name| label.eq_ignore_ascii_case(name)) {
        return Ok(UTF_8.to_owned());
    }
    #[cfg(feature = "csv")]
    {
        match encoding_rs::Encoding::for_label(label.as_bytes()) {
            Some(encoding) => Ok(encoding.name().to_owned()),
            None => {
                Err(Error::argument("the encoding", "one of the Encoding Standard", format!("{label:?}"))
                    .help("\"windows-1252\", \"UTF-16LE\", \"ISO-8859-15\" and \"Shift_JIS\" are some."))
            }
        }
    }
    #[cfg(not(feature = "csv"))]
    Err(Error::argument("the encoding", "UTF-8 without Plywood's feature `csv`", format!("{label:?}"))
        .help("Switch the feature `csv` on, or save the file as UTF-8."))
}

/// Returns the encoding of a file that begins with these bytes, if they say it.
pub(super) fn marked(start: &[u8]) -> Option<&'static str> {
    match start {
        [0xff, 0xfe, ..] => Some("UTF-16LE"),
        [0xfe, 0xff, ..] => Some("UTF-16BE"),
        _ => None,
    }
}

/// Bytes as UTF-8.
pub(super) enum Decoded<R> {
    /// They are UTF-8 already, or are found not to be where they are read.
    AsIs(R),
    #[cfg(feature = "csv")]
    Decoder(Box<Decoder<R>>),
}

impl<R: Read> Decoded<R> {
    fn new(source: R, encoding: &str) -> Result<Self> {
        if encoding == UTF_8 {
            return Ok(Self::AsIs(source));
        }
        #[cfg(feature = "csv")]
        if let Some(encoding) = encoding_rs::Encoding::for_label(encoding.as_bytes()) {
            let decoder = encoding.new_decoder_with_bom_removal();
            let (packed, out, at, ended) = (Vec::new(), Vec::new(), 0, false);
            return Ok(Self::Decoder(Box::new(Decoder { source, decoder, packed, out, at, ended })));
        }
        encoding_name(encoding).map(|_| Self::AsIs(source))
    }
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::AsIs(source) => source.read(buffer),
            #[cfg(feature = "csv")]
            Self::Decoder(decoder) => decoder.read(buffer),
        }
    }
}

/// Bytes of another encoding, and what was decoded of them.
#[cfg(feature = "csv")]
pub(super) struct Decoder<R> {
    source: R,
    decoder: encoding_rs::Decoder,
    packed: Vec<u8>,
    out: Vec<u8>,
    /// How much of `out` was returned.
    at: usize,
    ended: bool,
}

#[cfg(feature = "csv")]
impl<R: Read> Decoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        const PIECE: u64 = 1 << 15;
        while self.at == self.out.len() && !self.ended {
            self.packed.clear();
            self.ended = (&mut self.source).take(PIECE).read_to_end(&mut self.packed)? == 0;
            // A byte becomes at most 3; and some of the piece before may be left.
            (self.at, self.out) = (0, vec![0; 3 * self.packed.len() + 16]);
            let (result, _, written) =
                self.decoder.decode_to_utf8_without_replacement(&self.packed, &mut self.out, self.ended);
            if let encoding_rs::DecoderResult::Malformed(..) = result {
                let found = format!("some bytes are no text in {}", self.decoder.encoding().name());
                return Err(io::Error::other(found));
            }
            self.out.truncate(written);
        }
        let count = buffer.len().min(self.out.len() - self.at);
        buffer[..count].copy_from_slice(&self.out[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}
