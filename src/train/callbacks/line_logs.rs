//! A line of text for each epoch.

use super::{Callback, Context};
use crate::disk::{make_folder, regular, write_bytes};
use crate::error::{Error, Result};
use crate::history::Epoch;
use crate::kernels::Scalar;
use crate::nn::Sequential;
use crate::state::{Kind, State};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Adds a line of comma-separated values (RFC 4180) to a file after each epoch.
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
/// The columns are the epoch's number, its values by name, the learning rate and the seconds. Numbers are written so
/// that reading gives the same bits; one that is not finite is `NaN`, `inf` or `-inf`.
///
/// # The file
///
/// The folder is made where it is missing. A file that is there goes on: lines are added below, a last one that was
/// cut off is ended first, and a file with other columns is an error and stays as it is. Each line goes to the system
/// at once, so what a program has written is there after it was killed.
///
/// # A resumed run
///
/// A run that is [resumed](crate::train::Trainer::resume) trains the epochs behind its checkpoint once more. Their
/// lines are dropped when `fit` goes on, so that the log holds each epoch once: the shortened file is written beside
/// the old one and takes its place. The checkpoint says where the file ended and with which line. So lines of another
/// run in the same file stay, before and behind, and a file that is not as the checkpoint knows it is left whole and
/// goes on. So is the file of a log that is added when the run is resumed. One that was there has to be there again.
/// Give each run a file of its own: where a checkpoint comes before the first line, lines that another run has added at
/// that place cannot be told from those of the resumed one, and are dropped.
#[derive(Debug)]
pub struct CsvLog {
    lines: Lines,
}

impl CsvLog {
    /// A log in this file.
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

    fn load_state(&mut self, state: &mut State<F>, _: &Sequential<F>) -> Result<()> {
        self.lines.load_state(state).map_err(|error| error.at("csv log"))
    }
}

/// Adds a line with an object of JSON to a file after each epoch: <https://jsonlines.org>.
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
/// The members are "epoch", the values by name, "learning_rate" and "seconds". Numbers are written so that reading
/// gives the same bits; JSON has none that are not finite, so such a one is `null`. The file is treated as
/// [`CsvLog`]'s, except that lines need not have the same names.
#[derive(Debug)]
pub struct JsonLines {
    lines: Lines,
}

impl JsonLines {
    /// A log in this file.
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

    fn load_state(&mut self, state: &mut State<F>, _: &Sequential<F>) -> Result<()> {
        self.lines.load_state(state).map_err(|error| error.at("json lines"))
    }
}

/// A file that lines are added to; open during `fit`.
#[derive(Debug)]
struct Lines {
    path: PathBuf,
    file: Option<File>,
    /// How long the file was after the last line, or when it was opened.
    end: usize,
    /// The last line of this run, with its end; none where the file does not end with it.
    last: Vec<u8>,
}

impl Lines {
    fn new(path: PathBuf) -> Self {
        Self { path, file: None, end: 0, last: Vec::new() }
    }

    /// Before the first epoch, so that a path that cannot be written to costs no training.
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

    /// Where the file ends, so that a resumed run knows what lies behind.
    fn state<F: Scalar>(&self) -> State<F> {
        State::new().integer("end", self.end as u64).bytes("last", &self.last[..])
    }

    /// Drops what lies behind the checkpoint. In `resume`, where the state is loaded by way of trial, no file is open,
    /// and none is touched.
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
            self.file = None; // some systems replace no file that is open
            text.drain(dropped);
            write_bytes(&self.path, &text)?;
            self.open()?;
        }
        if text.ends_with(&last) {
            self.last = last;
        }
        Ok(())
    }

    /// Adds a line at the file's end; at the head of an empty one, or as the condition for another, the columns' names.
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

/// The lines of a run behind its checkpoint, when the file had this end and ended with this line: those of the epochs
/// that follow, one after the other, and one that was cut off. Nothing of a file that is another by now.
fn behind(text: &[u8], end: usize, last: &[u8]) -> Range<usize> {
    let Some((before, mut rest)) = text.split_at_checked(end).filter(|(before, _)| before.ends_with(last))
    else {
        return 0..0;
    };
    match before.last() {
        None if rest.starts_with(b"epoch,") => {
            // The names of the columns came after the checkpoint; they stay, unless they were cut off.
            rest = rest.iter().position(|&byte| byte == b'\n').map_or(rest, |at| &rest[at + 1..]);
        }
        None | Some(b'\n') => {}
        // A line of an earlier run that was cut off, and ended when this one wrote its first.
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

/// The number of a line's epoch, in either form.
fn number(line: &[u8]) -> Option<u64> {
    let line = line.strip_prefix(b"{\"epoch\":").unwrap_or(line);
    let digits = line.split(|&byte| byte == b',').next()?;
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|&number| number < u64::MAX)
}

/// The names of an epoch's columns, and its row.
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

/// An epoch as an object.
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

/// Everything about an epoch that is a number with a name, but for its own number.
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
        fs::write(&path, "a,b\n1,2\n3").unwrap(); // a program was cut off
        add("a,b", "5,6").unwrap();
        for other in ["a", "a,b,c", "x"] {
            let text = add(other, "7").unwrap_err().to_string();
            assert!(text.contains("log.csv") && text.contains("got a,b."), "{text}");
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "a,b\n1,2\n3\n5,6\n");
        fs::write(&path, "a,b").unwrap(); // cut off in the head
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
            ("3,5\n4,", ""),                   // the last was cut off
            ("3,5\n1,7\n2,8\n", "1,7\n2,8\n"), // another run went on in the file
            ("5,5\n", "5,5\n"),                // not what this run would write
            ("a note\n3,5\n", "a note\n3,5\n"),
        ] {
            assert_eq!(left(&format!("{csv}{behind}"), at, "2,2\n"), format!("{csv}{kept}"), "{behind}");
        }
        let longer = format!("{csv}3,5\n");
        for (end, last) in [(at, "2,3\n"), (999, "2,2\n"), (at + 1, "")] {
            assert_eq!(left(&longer, end, last), longer, "{end} {last}");
        }
        // Before the first line of the run, in a file that is new, and in one of an earlier run.
        assert_eq!(left(&longer, 0, ""), "epoch,a\n");
        assert_eq!(left("epoch,", 0, ""), "");
        assert_eq!(left(&longer, at, ""), csv);
        assert_eq!(left("epoch,a\n1\n1,2\n2,3\n", 9, ""), "epoch,a\n1\n"); // cut off in the earlier one
        assert_eq!(left(&json.repeat(2), 0, ""), json); // an earlier version's log, with epochs twice
        assert_eq!(left(&json.repeat(2), json.len(), ""), json);
        assert_eq!(left(&format!("{json}{{\"epoch\":2,\"a\":0}}\n{{\"ep"), json.len(), json), json);
    }
}
