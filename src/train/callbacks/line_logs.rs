//! [`CsvLog`] and [`JsonLines`]: logs with a line of text for each epoch.

use super::{Callback, Context};
use crate::disk::{make_folder, regular, write_bytes};
use crate::error::{Error, Result};
use crate::history::Epoch;
use crate::kernels::Scalar;
use crate::nn::Model;
use crate::state::{Kind, State};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Appends a line of comma-separated values (RFC 4180) to a file after each epoch.
///
/// ```
/// use plywood::ndarray::Array2;
/// use plywood::prelude::*;
/// use plywood::train::CsvLog;
///
/// let path = std::env::temp_dir().join("plywood-doc-log.csv");
/// # let _ = std::fs::remove_file(&path);
/// let data = ArrayDataset::new(Array2::<f32>::ones((8, 2)), Array2::<f32>::ones((8, 1)))?;
/// let mut model = Sequential::builder([2]).layer(Dense::units(1)).build()?;
/// let trainer = Trainer::new(MeanSquaredError, SGD::default()).epochs(2).callback(CsvLog::new(&path));
/// trainer.progress(Progress::Silent).fit(&mut model, &data)?;
/// let text = std::fs::read_to_string(&path).unwrap();
/// assert!(text.starts_with("epoch,loss,learning_rate,seconds\n1,"));
/// assert_eq!(text.lines().count(), 3);
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// The columns are the epoch's number, its values by name, the learning rate and the seconds. Numbers are written with
/// enough digits to read back the same bits; those that are not finite are `NaN`, `inf` or `-inf`.
///
/// # The file
///
/// The folder is created if it is missing. An existing file is continued: lines are appended, and an incomplete last
/// line is ended first. A file with other columns is an error and is left unchanged. Each line is written to the
/// operating system at once, so it is not lost if the program is killed.
///
/// # A resumed run
///
/// A run that is [resumed](crate::train::Trainer::resume) repeats the epochs after its checkpoint. `fit` removes their
/// lines when it continues, so that the log contains each epoch once; the shortened file is written under a temporary
/// name and then replaces the old one. The checkpoint contains the length of the file and its last line. So lines of
/// other runs in the same file are kept, before and after. A file that does not match the checkpoint is kept in full
/// and continued, and so is the file of a log that was added for the resumed run. A log of the original run must be
/// added again. Use a separate file for each run: if a checkpoint was written before the first line, lines that another
/// run has added at that place look like those of the resumed run and are removed.
#[derive(Debug)]
pub struct CsvLog {
    lines: Lines,
}

impl CsvLog {
    /// Makes a log in this file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { lines: Lines::new(path.into()) }
    }
}

impl<F: Scalar> Callback<F> for CsvLog {
    fn on_train_begin(&mut self, _: &mut Context<'_, F>) -> Result<()> {
        self.lines.open().map_err(|error| error.at("csv log"))
    }

    fn on_epoch_end(&mut self, context: &mut Context<'_, F>) -> Result<()> {
        let Some((head, row)) = context.ended().map(csv) else { return Ok(()) };
        self.lines.add(Some(&head), &row).map_err(|error| error.at("csv log"))
    }

    fn on_train_end(&mut self, _: &mut Context<'_, F>) -> Result<()> {
        self.lines.file = None;
        Ok(())
    }

    fn kind(&self) -> Option<Kind> {
        Some(Kind::builtin("csv_log"))
    }

    fn state(&self) -> Option<State<F>> {
        Some(self.lines.state())
    }

    fn load_state(&mut self, state: &mut State<F>, _: &dyn Model<F>) -> Result<()> {
        self.lines.load_state(state).map_err(|error| error.at("csv log"))
    }
}

/// Appends a line with a JSON object to a file after each epoch: <https://jsonlines.org>.
///
/// ```
/// use plywood::ndarray::Array2;
/// use plywood::prelude::*;
/// use plywood::train::JsonLines;
///
/// let path = std::env::temp_dir().join("plywood-doc-log.jsonl");
/// # let _ = std::fs::remove_file(&path);
/// let data = ArrayDataset::new(Array2::<f32>::ones((8, 2)), Array2::<f32>::ones((8, 1)))?;
/// let mut model = Sequential::builder([2]).layer(Dense::units(1)).build()?;
/// let trainer = Trainer::new(MeanSquaredError, SGD::default()).epochs(2).callback(JsonLines::new(&path));
/// let history = trainer.progress(Progress::Silent).fit(&mut model, &data)?;
/// let text = std::fs::read_to_string(&path).unwrap();
/// let second: serde_json::Value = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
/// assert_eq!(second["loss"].as_f64(), history.last("loss"));
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// The members are "epoch", the values by name, "learning_rate" and "seconds". Numbers are written with enough digits
/// to read back the same bits; JSON cannot represent those that are not finite, so they are `null`. The file is handled
/// as by [`CsvLog`], except that lines may have different names.
#[derive(Debug)]
pub struct JsonLines {
    lines: Lines,
}

impl JsonLines {
    /// Makes a log in this file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { lines: Lines::new(path.into()) }
    }
}

impl<F: Scalar> Callback<F> for JsonLines {
    fn on_train_begin(&mut self, _: &mut Context<'_, F>) -> Result<()> {
        self.lines.open().map_err(|error| error.at("json lines"))
    }

    fn on_epoch_end(&mut self, context: &mut Context<'_, F>) -> Result<()> {
        let Some(line) = context.ended().map(json) else { return Ok(()) };
        self.lines.add(None, &line).map_err(|error| error.at("json lines"))
    }

    fn on_train_end(&mut self, _: &mut Context<'_, F>) -> Result<()> {
        self.lines.file = None;
        Ok(())
    }

    fn kind(&self) -> Option<Kind> {
        Some(Kind::builtin("json_lines"))
    }

    fn state(&self) -> Option<State<F>> {
        Some(self.lines.state())
    }

    fn load_state(&mut self, state: &mut State<F>, _: &dyn Model<F>) -> Result<()> {
        self.lines.load_state(state).map_err(|error| error.at("json lines"))
    }
}

/// A file to which lines are appended; open during `fit`.
#[derive(Debug)]
struct Lines {
    path: PathBuf,
    file: Option<File>,
    /// The length of the file after the last line, or when it was opened.
    end: usize,
    /// The last line of this run, with its line end; empty if the file does not end with it.
    last: Vec<u8>,
}

impl Lines {
    fn new(path: PathBuf) -> Self {
        Self { path, file: None, end: 0, last: Vec::new() }
    }

    /// Opens the file before the first epoch, so that a path without write permission is found before training.
    fn open(&mut self) -> Result<()> {
        make_folder(self.path.parent().unwrap_or(Path::new("")))?;
        regular(&self.path)?;
        let file = OpenOptions::new().read(true).append(true).create(true).open(&self.path);
        let io = |source| {
            Error::io("open", &self.path, source).help("Name a file in a folder that can be written to.")
        };
        let mut file = file.map_err(io)?;
        self.end = file.seek(SeekFrom::End(0)).map_err(io)? as usize;
        self.file = Some(file);
        self.last.clear();
        Ok(())
    }

    /// The length of the file, by which a resumed run finds the lines after its checkpoint.
    fn state<F: Scalar>(&self) -> State<F> {
        State::new().integer("end", self.end as u64).bytes("last", &self.last[..])
    }

    /// Removes the lines after the checkpoint. During `resume`, which loads the state only as a check, no file is open
    /// or changed.
    fn load_state<F: Scalar>(&mut self, state: &mut State<F>) -> Result<()> {
        let (end, last) = (state.take_integer("end")?, state.take_bytes("last")?);
        if self.file.is_none() {
            (self.end, self.last) = (end, last);
            return Ok(());
        }
        let mut text = fs::read(&self.path).map_err(|source| {
            Error::io("read", &self.path, source).help("A resumed run drops the lines after its checkpoint.")
        })?;
        let dropped = behind(&text, end, &last);
        if !dropped.is_empty() {
            self.file = None; // some systems cannot replace an open file
            text.drain(dropped);
            write_bytes(&self.path, &text)?;
            self.open()?;
        }
        if text.ends_with(&last) {
            self.last = last;
        }
        Ok(())
    }

    /// Appends a line. `head` is the names of the columns: they are written first if the file is empty, and otherwise
    /// must match it.
    fn add(&mut self, head: Option<&str>, line: &str) -> Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let io = |source| Error::io("write", &self.path, source).help("Is there space on the disk?");
        let length = file.seek(SeekFrom::End(0)).map_err(io)?;
        let mut text = String::new();
        if length > 0 {
            file.seek(SeekFrom::End(-1)).map_err(io)?;
            let mut last = [0];
            file.read_exact(&mut last).map_err(io)?;
            if last != *b"\n" {
                text.push('\n');
            }
        }
        match head {
            Some(head) if length == 0 => text = format!("{head}\n"),
            Some(head) => {
                file.seek(SeekFrom::Start(0)).map_err(io)?;
                let mut found = Vec::new();
                Read::take(&*file, head.len() as u64 + 1000).read_to_end(&mut found).map_err(io)?;
                let rest = found.strip_prefix(head.as_bytes());
                if !rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'\n' | b'\r'))) {
                    let found = String::from_utf8_lossy(&found).lines().next().unwrap_or_default().to_owned();
                    return Err(Error::format(
                        self.path.display().to_string(),
                        format!("have the columns {head}"),
                        found,
                    )
                    .help("Name another file: this one has other columns, and is left as it is."));
                }
            }
            None => {}
        }
        text.push_str(line);
        text.push('\n');
        file.write_all(text.as_bytes()).map_err(io)?;
        self.end = length as usize + text.len();
        self.last = format!("{line}\n").into_bytes();
        Ok(())
    }
}

/// Returns the range of the lines that a run has written after its checkpoint, when the file had the length `end` and
/// ended with the line `last`: those of the following epochs in order, and an incomplete one. Empty if the file has
/// been replaced since.
fn behind(text: &[u8], end: usize, last: &[u8]) -> Range<usize> {
    let Some((before, mut rest)) = text.split_at_checked(end).filter(|(before, _)| before.ends_with(last))
    else {
        return 0..0;
    };
    match before.last() {
        None if rest.starts_with(b"epoch,") => {
            // The names of the columns were written after the checkpoint; they are kept, unless they are incomplete.
            rest = rest.iter().position(|&byte| byte == b'\n').map_or(rest, |at| &rest[at + 1..]);
        }
        None | Some(b'\n') => {}
        // An incomplete line of an earlier run, which was ended when this run wrote its first line.
        Some(_) => match rest.strip_prefix(b"\n") {
            Some(behind) => rest = behind,
            None => return 0..0,
        },
    }
    let start = text.len() - rest.len();
    let (mut stop, mut next) = (start, number(last).map(|number| number + 1));
    for line in rest.split_inclusive(|&byte| byte == b'\n') {
        if line.ends_with(b"\n") {
            match number(line) {
                Some(number) if next.is_none_or(|next| next == number) => next = Some(number + 1),
                _ => break,
            }
        }
        stop += line.len();
    }
    start..stop
}

/// Returns the epoch's number in a line of either format.
fn number(line: &[u8]) -> Option<u64> {
    let line = line.strip_prefix(b"{\"epoch\":").unwrap_or(line);
    let digits = line.split(|&byte| byte == b',').next()?;
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|&number| number < u64::MAX)
}

/// Returns the names of an epoch's columns, and its row.
fn csv(epoch: &Epoch) -> (String, String) {
    let quoted = |name: &str| match name.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", name.replace('"', "\"\"")),
        false => name.to_owned(),
    };
    let (mut head, mut row) = (String::from("epoch"), epoch.number.to_string());
    for (name, value) in columns(epoch) {
        head.push_str(&format!(",{}", quoted(name)));
        row.push_str(&format!(",{value:?}"));
    }
    (head, row)
}

/// Returns an epoch as a JSON object.
fn json(epoch: &Epoch) -> String {
    let mut text = format!("{{\"epoch\":{}", epoch.number);
    for (name, value) in columns(epoch) {
        text.push_str(",\"");
        for c in name.chars() {
            match c {
                '"' | '\\' => text.extend(['\\', c]),
                c if c < ' ' => text.push_str(&format!("\\u{:04x}", u32::from(c))),
                c => text.push(c),
            }
        }
        let value = if value.is_finite() { format!("{value:?}") } else { "null".into() };
        text.push_str(&format!("\":{value}"));
    }
    text + "}"
}

/// All named numbers of an epoch, except for its own number.
pub(super) fn columns(epoch: &Epoch) -> impl Iterator<Item = (&str, f64)> {
    let values = epoch.values.iter().map(|(name, value)| (name.as_str(), *value));
    values.chain([("learning_rate", epoch.learning_rate), ("seconds", epoch.seconds)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn epoch() -> Epoch {
        let values = [("loss", 0.1 + 0.2), ("a,\"b\"\n", f64::NAN), ("tiny", 5e-324)];
        Epoch::new(3, values.map(|(name, value)| (name.to_owned(), value)).to_vec(), 1e-3, 2.0)
    }

    #[test]
    fn numbers_come_back_and_names_are_quoted() {
        let (head, row) = csv(&epoch());
        assert_eq!(head, "epoch,loss,\"a,\"\"b\"\"\n\",tiny,learning_rate,seconds");
        assert_eq!(row, "3,0.30000000000000004,NaN,5e-324,0.001,2.0");
        assert_eq!(
            json(&epoch()),
            r#"{"epoch":3,"loss":0.30000000000000004,"a,\"b\"\u000a":null,"tiny":5e-324,"learning_rate":0.001,"seconds":2.0}"#
        );
    }

    #[test]
    fn a_file_goes_on_and_one_with_other_columns_stays_as_it_is() {
        let folder = std::env::temp_dir().join(format!("plywood-lines-{}", std::process::id()));
        let path = folder.join("new").join("log.csv");
        let add = |head: &str, line: &str| {
            let mut lines = Lines::new(path.clone());
            lines.open().and_then(|()| lines.add(Some(head), line))
        };
        add("a,b", "1,2").unwrap();
        add("a,b", "3,4").unwrap();
        fs::write(&path, "a,b\n1,2\n3").unwrap(); // a program was killed
        add("a,b", "5,6").unwrap();
        for other in ["a", "a,b,c", "x"] {
            let text = add(other, "7").unwrap_err().to_string();
            assert!(text.contains("log.csv") && text.contains("got a,b."), "{text}");
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "a,b\n1,2\n3\n5,6\n");
        fs::write(&path, "a,b").unwrap(); // incomplete head
        add("a,b", "1,2").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "a,b\n1,2\n");
        let mut wrong = Lines::new(folder.clone());
        assert!(wrong.open().unwrap_err().to_string().contains(", a folder."));
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn only_what_a_run_wrote_behind_its_checkpoint_is_dropped() {
        let left = |text: &str, end: usize, last: &str| {
            let mut text = text.as_bytes().to_vec();
            text.drain(behind(&text.clone(), end, last.as_bytes()));
            String::from_utf8(text).unwrap()
        };
        let (csv, json) = ("epoch,a\n1,2\n2,2\n", "{\"epoch\":1,\"a\":0}\n");
        let at = csv.len();
        for (behind, kept) in [
            ("", ""),
            ("3,5\n4,6\n", ""),
            ("3,5\n4,", ""),                   // the last line is incomplete
            ("3,5\n1,7\n2,8\n", "1,7\n2,8\n"), // another run continued the file
            ("5,5\n", "5,5\n"),                // not a line of this run
            ("a note\n3,5\n", "a note\n3,5\n"),
        ] {
            assert_eq!(left(&format!("{csv}{behind}"), at, "2,2\n"), format!("{csv}{kept}"), "{behind}");
        }
        let longer = format!("{csv}3,5\n");
        for (end, last) in [(at, "2,3\n"), (999, "2,2\n"), (at + 1, "")] {
            assert_eq!(left(&longer, end, last), longer, "{end} {last}");
        }
        // Before the first line of the run: in a new file, and in one of an earlier run.
        assert_eq!(left(&longer, 0, ""), "epoch,a\n");
        assert_eq!(left("epoch,", 0, ""), "");
        assert_eq!(left(&longer, at, ""), csv);
        assert_eq!(left("epoch,a\n1\n1,2\n2,3\n", 9, ""), "epoch,a\n1\n"); // incomplete line of the earlier run
        assert_eq!(left(&json.repeat(2), 0, ""), json); // a log of an earlier version, with duplicate epochs
        assert_eq!(left(&json.repeat(2), json.len(), ""), json);
        assert_eq!(left(&format!("{json}{{\"epoch\":2,\"a\":0}}\n{{\"ep"), json.len(), json), json);
    }
}
