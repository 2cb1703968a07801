//! A byte source that counts the bytes read and, if known, those left, and decodes arrays of numbers.

use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crc32fast::Hasher;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The number of bytes that are decoded at once: few enough to stay in a core's cache.
const SOME: usize = 1 << 18;

/// A reader with the number of bytes read so far and, if known, of those left.
pub(super) struct Source<R> {
    reader: R,
    /// For errors.
    name: PathBuf,
    read: u64,
    left: Option<u64>,
    some: Vec<u8>,
}

impl Source<File> {
    /// Opens a file, whose length the system knows. (A pipe has no length, even if it has a file name.)
    pub fn open(path: &Path) -> Result<Self> {
        let failed = |source| Error::io("read", path, source).help("Check the path.");
        let reader = File::open(path).map_err(failed)?;
        let data = reader.metadata().map_err(failed)?;
        let left = data.is_file().then_some(data.len());
        Ok(Self { reader, name: path.to_owned(), read: 0, left, some: Vec::new() })
    }
}

impl<'a> Source<&'a [u8]> {
    /// Reads bytes in memory.
    pub fn of(bytes: &'a [u8]) -> Self {
        Self {
            reader: bytes,
            name: "bytes".into(),
            read: 0,
            left: Some(bytes.len() as u64),
            some: Vec::new(),
        }
    }
}

impl<R: Read> Source<R> {
    /// Wraps any reader; its length is unknown until its end.
    pub fn new(reader: R) -> Self {
        Self { reader, name: "a reader".into(), read: 0, left: None, some: Vec::new() }
    }

    /// Fills the buffer with as many bytes as there are, and returns their number.
    pub fn take(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.reader.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(more) => filled += more.min(buffer.len() - filled),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(error)),
            }
        }
        self.read += filled as u64;
        self.left = self.left.map(|left| left.saturating_sub(filled as u64));
        Ok(filled)
    }

    /// Returns the next `N` bytes.
    pub fn exactly<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        let found = self.take(&mut bytes)?;
        if found == N { Ok(bytes) } else { Err(self.truncated((N - found) as u64)) }
    }

    /// Refuses a source that is known to have fewer bytes left.
    pub fn expect(&self, bytes: u64) -> Result<()> {
        match self.left {
            Some(left) if left < bytes => Err(Error::format(
                "the file",
                format!("have {} bytes", self.read.saturating_add(bytes)),
                self.read + left,
            )
            .help("The file is truncated; get it again, or save it again.")),
            _ => Ok(()),
        }
    }

    /// Returns how many bytes are left, if known.
    pub fn left(&self) -> Option<u64> {
        self.left
    }

    /// Returns the next `count` bytes, or fewer at the end. If all are known to be there, memory for all is allocated
    /// at once. Otherwise it grows as they arrive, by doubling and never beyond `count`.
    pub fn bytes(&mut self, count: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        loop {
            let missing = count - bytes.len() as u64;
            let more = match self.left {
                Some(left) => missing.min(left),
                None => missing.min(bytes.len().max(SOME) as u64),
            };
            if more == 0 {
                return Ok(bytes);
            }
            bytes.try_reserve_exact(usize::try_from(more).unwrap_or(usize::MAX)).map_err(|_| {
                Error::format("the file", "fit into memory", format!("{count} bytes"))
                    .help("Load it on a machine with more memory.")
            })?;
            // Read into the spare capacity; `take` would need it to be zeroed first.
            let found =
                (&mut self.reader).take(more).read_to_end(&mut bytes).map_err(|e| self.failed(e))? as u64;
            self.read += found;
            self.left = self.left.map(|left| left.saturating_sub(found));
            if found < more {
                return Ok(bytes);
            }
        }
    }

    /// The error of a reader that fails.
    fn failed(&self, error: io::Error) -> Error {
        Error::io("read", &self.name, error).help("Check the disk or the connection.")
    }

    /// The error of a source that ends too early, by at least `missing` bytes.
    pub fn truncated(&self, missing: u64) -> Error {
        let expected = format!("have at least {} bytes", self.read.saturating_add(missing));
        Error::format("the file", expected, self.read)
            .help("The file is truncated; get it again, or save it again.")
    }

    /// Skips `bytes` bytes, which are added to the checksum.
    pub fn pass(&mut self, bytes: u64, sum: &mut Hasher) -> Result<()> {
        let (mut some, mut missing) = (vec![0; SOME], bytes);
        while missing > 0 {
            let next = &mut some[..missing.min(SOME as u64) as usize];
            let found = self.take(next)?;
            if found < next.len() {
                return Err(self.truncated(missing - found as u64));
            }
            sum.update(next);
            missing -= next.len() as u64;
        }
        Ok(())
    }

    /// Returns exactly `count` bytes, and adds them to the checksum.
    pub fn whole_bytes(&mut self, count: u64, sum: &mut Hasher) -> Result<Vec<u8>> {
        self.expect(count)?;
        let bytes = self.bytes(count)?;
        if (bytes.len() as u64) < count {
            return Err(self.truncated(count - bytes.len() as u64));
        }
        sum.update(&bytes);
        Ok(bytes)
    }

    /// Returns exactly `count` numbers, and adds their bytes to the checksum. If they are known to be there, memory for
    /// all is allocated at once; otherwise it grows as they arrive.
    pub fn numbers<F: Scalar>(&mut self, count: u64, sum: &mut Hasher) -> Result<Vec<F>> {
        let width = size_of::<F>() as u64;
        let bytes = count.saturating_mul(width);
        self.expect(bytes)?;
        let mut numbers = Vec::new();
        if self.left.is_some() {
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            numbers.try_reserve_exact(count).map_err(|_| {
                Error::format("the array", "fit into memory", format!("{bytes} bytes"))
                    .help("Load it on a machine with more memory.")
            })?;
        }
        let mut some = std::mem::take(&mut self.some);
        some.resize(SOME, 0);
        let mut missing = bytes;
        while missing > 0 {
            let next = &mut some[..missing.min(SOME as u64) as usize];
            let found = self.take(next)?;
            if found < next.len() {
                return Err(self.truncated(missing - found as u64));
            }
            sum.update(next);
            let (more, room) = (next.len() / size_of::<F>(), numbers.capacity() - numbers.len());
            if room < more {
                // Doubles what is there, but never goes beyond `count`.
                numbers.reserve_exact(((missing / width) as usize).min(numbers.len().max(more)));
            }
            F::extend(next, &mut numbers);
            missing -= next.len() as u64;
        }
        self.some = some;
        Ok(numbers)
    }
}
