//! A look at the quotes of a CSV file while it is read.
//!
//! A reader of CSV takes a quote that is never closed for a field that goes on to the end of the file, with all rows
//! in it, and says nothing. So the bytes pass through here first:
//!
//! ```text
//!             quote                quote               comma or line end
//! field's start ──> inside of quotes <──> behind a quote ──> field's start
//! ```
//!
//! Two faults are noticed: any other character behind a closing quote, and an end of the file inside of quotes.

use std::io::{self, Read};

/// Bytes on their way, and the first fault in their quotes.
pub(super) struct Quotes<R> {
    source: R,
    state: State,
    /// How many bytes have passed.
    passed: u64,
    /// Where the last opening quote was.
    opened: u64,
    /// Where a quote was opened behind whose end something else stands than the field's.
    torn: Option<u64>,
    ended: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// At a field's first character.
    Start,
    /// In a field without quotes, where a quote is a character like others.
    Plain,
    Inside,
    /// Behind a quote inside of quotes: the closing one, or the first of two that stand for one.
    Behind,
}

impl<R: Read> Quotes<R> {
    pub(super) fn new(source: R) -> Self {
        Self { source, state: State::Start, passed: 0, opened: 0, torn: None, ended: false }
    }

    /// What is wrong with the quotes of a record that lies between these bytes, where something is.
    pub(super) fn fault(&self, from: u64, to: u64) -> Option<&'static str> {
        if self.torn.is_some_and(|at| (from..to).contains(&at)) {
            return Some("a closing quote with something else behind it than a comma or the line's end");
        }
        let open = self.ended && self.state == State::Inside && self.opened >= from;
        open.then_some("a quote that is never closed")
    }

    fn look(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            let ends = matches!(byte, b',' | b'\n' | b'\r');
            self.state = match (self.state, byte) {
                (State::Start, b'"') => {
                    self.opened = self.passed;
                    State::Inside
                }
                (State::Inside, b'"') => State::Behind,
                (State::Inside, _) | (State::Behind, b'"') => State::Inside,
                _ if ends => State::Start,
                (State::Behind, _) => {
                    self.torn = self.torn.or(Some(self.opened));
                    State::Plain
                }
                (State::Start | State::Plain, _) => State::Plain,
            };
            self.passed += 1;
        }
    }
}

impl<R: Read> Read for Quotes<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.ended |= count == 0 && !buffer.is_empty();
        self.look(&buffer[..count]);
        Ok(count)
    }
}
