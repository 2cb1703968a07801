//! Bytes that are read: how many there are, as far as it is known, and numbers out of them.

use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crc32fast::Hasher;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// How many bytes are turned into numbers at once: few enough to stay in a core's cache on their way.
const SOME: usize = 1 << 18;

/// A reader, with the number of bytes read and of those left, where it can be known.
pub(super) struct Source<R> {
    reader: R,
    /// For errors.
    name: PathBuf,
    read: u64,
    left: Option<u64>,
    some: Vec<u8>,
}

impl Source<File> {
    /// A file, whose length the system knows. (A pipe under a file's name has none.)
    pub fn open(path: &Path) -> Result<Self> {
        let failed = |source| Error::io("read", path, source).help("Check the path.");
        let reader = File::open(path).map_err(failed)?;
        let data = reader.metadata().map_err(failed)?;
        let left = data.is_file().then_some(data.len());
        Ok(Self { reader, name: path.to_owned(), read: 0, left, some: Vec::new() })
    }
}

impl<'a> Source<&'a [u8]> {
    /// Bytes in memory.
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
    /// Any reader; how much it has is seen at its end.
    pub fn new(reader: R) -> Self {
        Self { reader, name: "a reader".into(), read: 0, left: None, some: Vec::new() }
    }

    /// Fills the buffer as far as there are bytes, and says how far.
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

    /// The next `N` bytes.
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

    /// How many bytes are left, where it is known.
    pub fn left(&self) -> Option<u64> {
        self.left
    }

    /// The next bytes, so many or as many as there are. Room for all is made where they are known to be there, else it
    /// grows as they come in: to twice what is there, and never beyond what was asked for.
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
            // Into the room behind, which `take` would want to be filled with zeros first.
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

    /// The error of an end that comes too early, by this many bytes or more.
    pub fn truncated(&self, missing: u64) -> Error {
        let expected = format!("have at least {} bytes", self.read.saturating_add(missing));
        Error::format("the file", expected, self.read)
            .help("The file is truncated; get it again, or save it again.")
    }

    /// Passes over so many bytes, which go into the sum.
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

    /// As many bytes, all of them, and into the sum.
    pub fn whole_bytes(&mut self, count: u64, sum: &mut Hasher) -> Result<Vec<u8>> {
        self.expect(count)?;
        let bytes = self.bytes(count)?;
        if (bytes.len() as u64) < count {
            return Err(self.truncated(count - bytes.len() as u64));
        }
        sum.update(&bytes);
        Ok(bytes)
    }

    /// So many numbers, and their bytes into the sum. Room for all is made where they are known to be there, else it
    /// grows as they come in.
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
                // To twice what is there, and never beyond what was claimed.
                numbers.reserve_exact(((missing / width) as usize).min(numbers.len().max(more)));
            }
            F::extend(next, &mut numbers);
            missing -= next.len() as u64;
        }
        self.some = some;
        Ok(numbers)
    }
}
