//! The shapes of a graph's values.

use crate::codec::MAX_AXES;
use crate::error::{Error, Result};
use crate::tensor::batch_shape;
use ndarray::IxDyn;
use std::fmt;

/// The maximum number of numbers in a value, for one sample.
pub(super) const MAX_NUMBERS: usize = 1 << 31;

/// The shape of a value: of one sample, or of what all samples share, such as a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Whether there is a batch axis in front of the sizes.
    pub batched: bool,
    /// The sizes without the batch axis.
    pub sizes: Vec<usize>,
}

impl Shape {
    pub fn new(batched: bool, sizes: impl Into<Vec<usize>>) -> Self {
        Self { batched, sizes: sizes.into() }
    }

    /// The number of numbers, of one sample.
    pub fn len(&self) -> usize {
        self.sizes.iter().product()
    }

    /// The number of axes, including the batch axis.
    pub fn rank(&self) -> usize {
        self.sizes.len() + self.lead()
    }

    /// The number of axes in front of the sizes: 1 for the batch axis.
    pub fn lead(&self) -> usize {
        usize::from(self.batched)
    }

    /// Refuses sizes of 0, and more axes or numbers than there may be. Sizes that passed can be multiplied safely.
    pub fn check(self) -> Result<Self> {
        let fits = |all: usize, &n: &usize| all.checked_mul(n).filter(|all| (1..=MAX_NUMBERS).contains(all));
        if self.rank() > MAX_AXES || self.sizes.iter().try_fold(1, fits).is_none() {
            let expected = format!(
                "with sizes of at least 1, at most {MAX_NUMBERS} numbers, and at most {MAX_AXES} axes with that of the batch"
            );
            return Err(Error::shape("the value", expected, &self.sizes)
                .help("Correct the sizes; merge axes with `reshape`."));
        }
        Ok(self)
    }

    /// Returns the position in `sizes` of an axis, which counts in the whole array: the batch axis is 0, and -1 is the
    /// last axis. The batch axis itself is refused.
    pub fn axis(&self, axis: isize) -> Result<usize> {
        let rank = self.rank() as isize;
        let found = if axis < 0 { axis.saturating_add(rank) } else { axis };
        match usize::try_from(found).ok().and_then(|found| found.checked_sub(self.lead())) {
            Some(found) if found < self.sizes.len() => Ok(found),
            _ => {
                let (but, help) = if self.batched {
                    let help = "Axes count in the whole array: 0 is the batch, which no operation mixes; -1 is the last.";
                    (" other than the batch axis", help)
                } else {
                    ("", "It has no batch axis: axes count from 0, and -1 is the last.")
                };
                Err(Error::argument("axis", format!("an axis of {self}{but}"), axis).help(help))
            }
        }
    }

    /// Returns the shape of the array of a batch. Up to four axes are on the stack.
    pub fn whole(&self, batch: usize) -> IxDyn {
        let mut whole = IxDyn::zeros(self.rank());
        if self.batched {
            whole[0] = batch;
        }
        for (i, &n) in self.sizes.iter().enumerate() {
            whole[i + self.lead()] = n;
        }
        whole
    }

    /// Returns the number of numbers in the array of a batch.
    pub fn whole_len(&self, batch: usize) -> usize {
        self.len() * if self.batched { batch } else { 1 }
    }

    /// Returns the number of blocks before an axis of `sizes`, its size, and the number of numbers behind it.
    pub fn split(&self, axis: usize, batch: usize) -> (usize, usize, usize) {
        let blocks = if self.batched { batch } else { 1 };
        let product = |sizes: &[usize]| sizes.iter().product::<usize>();
        (blocks * product(&self.sizes[..axis]), self.sizes[axis], product(&self.sizes[axis + 1..]))
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.batched { f.write_str(&batch_shape(&self.sizes)) } else { write!(f, "{:?}", self.sizes) }
    }
}
