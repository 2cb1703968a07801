//! [`Rows`]: where a column's numbers go.

use crate::data::Column;
use crate::preprocessing::{Notes, Remark};

/// Some rows of a tensor: where the numbers of a column go.
pub(super) struct Rows<'a> {
    /// Where the numbers come from, and the number of the field.
    pub source: Source<'a>,
    /// The numbers of the rows.
    pub numbers: &'a mut [f32],
    /// The number of numbers of a row.
    pub width: usize,
    /// The place of the column's first number in a row.
    pub first: usize,
    /// The position of the first row in the table.
    pub begin: usize,
}

/// A column, and the number of its field in notes.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub column: &'a Column,
    pub field: usize,
}

impl Source<'_> {
    pub fn note(&self, notes: &mut Notes, row: usize, remark: Remark) {
        notes.add(row, self.field, remark);
    }
}

impl Rows<'_> {
    /// Returns the numbers of each row, from the column's first number on, and the row's position.
    pub fn each(&mut self) -> impl Iterator<Item = (usize, &mut [f32])> {
        let (first, rows) = (self.first, self.numbers.chunks_exact_mut(self.width));
        rows.zip(self.begin..).map(move |(row, position)| (position, &mut row[first..]))
    }
}
