//! Sizes, positions and ranges of positions, of any type of integer.

use std::ops::{Range, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive};

/// A size for [`Value::reshape`](super::Value::reshape), or a position for [`Value::slice`](super::Value::slice) and [`Value::index_axis`](super::Value::index_axis): an `i32`, `i64`, `isize` or
/// `usize`. A size of -1 is what the others leave, a position of -1 the last one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a size or a position",
    note = "give an integer: `i32`, `i64`, `isize` or `usize`"
)]
pub trait Size: Copy {
    /// Returns the size as a number that can be -1.
    fn size(self) -> i64;
}

macro_rules! sizes {
    ($($type:ty)*) => {$(
        impl Size for $type {
            fn size(self) -> i64 {
                i64::try_from(self).unwrap_or(i64::MAX)
            }
        }
    )*};
}
sizes!(i32 i64 isize usize);

/// A range of positions for [`Value::slice`](super::Value::slice): `1..4`, `..-1`, `2..`, `1..=3`, `..`, of numbers of any
/// type of [`Size`].
///
/// ```
/// use plywood::nn::Positions;
/// use plywood::prelude::*;
///
/// assert_eq!(((1..4).bounds(), (..-1).bounds(), (2usize..=3).bounds()), ((1, Some(4)), (0, Some(-1)), (2, Some(4))));
/// let g = Graph::builder();
/// let x = g.input("x", [6, 4]);
/// assert_eq!((x.slice(1, 0..x.size(1) / 2).shape(), x.slice(1, 2..).shape()), (vec![3, 4], vec![4, 4]));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a range of positions",
    note = "write a range: `1..4`, `..-1`, `2..`; one position is `index_axis`"
)]
pub trait Positions {
    /// Returns the first position, and that behind the last; `None` is the end.
    fn bounds(self) -> (i64, Option<i64>);
}

/// The position behind this one, which is included; behind -1 is the end.
fn behind(last: impl Size) -> Option<i64> {
    let last = last.size();
    if last == -1 { None } else { Some(last.saturating_add(1)) }
}

macro_rules! positions {
    ($($type:ident, $range:ident: $from:expr, $to:expr;)*) => {$(
        impl<S: Size> Positions for $type<S> {
            fn bounds(self) -> (i64, Option<i64>) {
                let $range = self;
                ($from, $to)
            }
        }
    )*};
}
positions! {
    Range, range: range.start.size(), Some(range.end.size());
    RangeFrom, range: range.start.size(), None;
    RangeTo, range: 0, Some(range.end.size());
    RangeInclusive, range: range.start().size(), behind(*range.end());
    RangeToInclusive, range: 0, behind(range.end);
}

impl Positions for RangeFull {
    fn bounds(self) -> (i64, Option<i64>) {
        (0, None)
    }
}
