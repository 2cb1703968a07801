//! Files that several threads read at any offset at the same time.

use crate::disk::sort;
use crate::error::{Error, Result};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The number of bytes at the beginning of a file that identify its compression.
pub(super) const BYTES_THAT_TELL: usize = 10;

/// Returns an error if these first bytes are those of a compressed format other than gzip.
pub(super) fn check_packed(start: &[u8], expected: &str) -> Result<()> {
    // `BZh` alone might begin a column name, so the mark of a block or of the end must follow `BZh` and a digit.
    let (format, program) = match start {
        [0x28, 0xb5, 0x2f, 0xfd, ..] => ("zstd", "unzstd"),
        [b'P', b'K', 3, 4, ..] => ("zip", "unzip"),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => ("xz", "unxz"),
        [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, ..]
        | [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, 0x45, 0x38, 0x50, 0x90, ..] => ("bzip2", "bunzip2"),
        _ => return Ok(()),
    };
    Err(Error::format("the file", expected, format!("{format} data"))
        .help(format!("Unpack it (`{program}`) and give the file that comes out.")))
}

/// An open file that is read by offset. It has no shared position that a read would move.
#[derive(Debug)]
pub(super) struct PlacedFile {
    file: File,
    path: PathBuf,
    length: u64,
}

impl PlacedFile {
    /// Opens a regular file that is not compressed by gzip. A gzip file, a pipe or a device can only be read from its
    /// beginning, and is an error.
    pub fn open(path: &Path) -> Result<Self> {
        let failed = |action: &str, error| {
            Error::io(action, path, error).help("Check the path and the permission to read it.")
        };
        // Checked before opening, because opening a named pipe would block until somebody writes to it.
        let found = std::fs::metadata(path).map_err(|e| failed("open", e))?.file_type();
        if !found.is_file() {
            return Err(Error::format(
                path.display().to_string(),
                "be a file that can be read from any position",
                sort(found),
            )
            .help(
                "Name a file: the output of a pipe can be written into one, or be read whole by `TableCsv::read` \
                 and `idx::read`.",
            ));
        }
        let file = File::open(path).map_err(|e| failed("open", e))?;
        let length = file.metadata().map_err(|e| failed("look at", e))?.len();
        let file = Self { file, path: path.to_owned(), length };
        let mut start = vec![0; length.min(BYTES_THAT_TELL as u64) as usize];
        file.read_at(0, &mut start)?;
        check_packed(&start, "be uncompressed").map_err(|error| error.at(path.display()))?;
        if start.starts_with(&[0x1f, 0x8b]) {
            return Err(Error::format("the file", "be uncompressed", "gzip data")
                .help(
                    "Unpack it (`gunzip`) to read it batch by batch, or read it whole into memory: `TableCsv::read`, \
                     `idx::read`.",
                )
                .at(path.display()));
        }
        Ok(file)
    }

    /// The length in bytes when the file was opened.
    pub fn length(&self) -> u64 {
        self.length
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns a reader that starts at the first byte.
    pub fn reader(&self) -> FromStart<'_> {
        FromStart { file: self, place: 0 }
    }

    /// Fills the buffer with the bytes that begin at offset `place`.
    pub fn read_at(&self, place: u64, buffer: &mut [u8]) -> Result<()> {
        read_exact_at(&self.file, place, buffer).map_err(|error| {
            let help = if error.kind() == io::ErrorKind::UnexpectedEof {
                "The file has become shorter since it was opened."
            } else {
                "Check that the file is on a healthy disk."
            };
            Error::io("read", &self.path, error).help(help)
        })
    }
}

/// A reader of the file from its beginning, with a position that is not shared.
pub(super) struct FromStart<'a> {
    file: &'a PlacedFile,
    place: u64,
}

impl Read for FromStart<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = (self.file.length - self.place).min(buffer.len() as u64) as usize;
        read_exact_at(&self.file.file, self.place, &mut buffer[..count])?;
        self.place += count as u64;
        Ok(count)
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, place: u64, buffer: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, place)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut place: u64, mut buffer: &mut [u8]) -> io::Result<()> {
    while !buffer.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buffer, place) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                buffer = &mut buffer[count..];
                place += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// On other systems the file has one position, so a lock admits one reader at a time.
#[cfg(not(any(unix, windows)))]
fn read_exact_at(mut file: &File, place: u64, buffer: &mut [u8]) -> io::Result<()> {
    use std::io::{Seek, SeekFrom};
    static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    file.seek(SeekFrom::Start(place))?;
    file.read_exact(buffer)
}

/// Calls `read` for each run of consecutive positions, of at most `most`, with the first position, the length of the
/// run and its start in the list. One read serves a whole run, so data that are read in order are read in large
/// pieces.
pub(super) fn each_run(
    indices: &[usize],
    most: usize,
    mut read: impl FnMut(usize, usize, usize) -> Result<()>,
) -> Result<()> {
    let mut begin = 0;
    while begin < indices.len() {
        let mut end = begin + 1;
        while end < indices.len() && end - begin < most && indices[end] == indices[end - 1] + 1 {
            end += 1;
        }
        read(indices[begin], end - begin, begin)?;
        begin = end;
    }
    Ok(())
}
