//! Buffers that were used before.

use std::cell::RefCell;

/// One thread's spare buffers of one element type. Public only because `Scalar` names it; not reachable from outside.
#[derive(Debug)]
pub struct Spare<F>(Vec<Vec<F>>);

/// More than a training step of a deep network holds at once.
const MOST_SPARE: usize = 64;

impl<F> Spare<F> {
    pub(crate) const EMPTY: Self = Self(Vec::new());

    /// The smallest spare buffer of at least this capacity, unless it is more than four times too large.
    pub(crate) fn take(&mut self, len: usize) -> Vec<F> {
        let best = (0..self.0.len())
            .filter(|&i| self.0[i].capacity() >= len && self.0[i].capacity() / 4 <= len)
            .min_by_key(|&i| self.0[i].capacity());
        best.map_or_else(Vec::new, |i| self.0.remove(i))
    }

    /// Keeps a buffer; where there are too many, the one that has lain longest goes.
    pub(crate) fn put(&mut self, data: Vec<F>) {
        if data.capacity() == 0 {
            return;
        }
        if self.0.len() == MOST_SPARE {
            self.0.remove(0);
        }
        self.0.push(data);
    }
}

/// Where a thread keeps its spare buffers.
pub(crate) type SpareKey<F> = std::thread::LocalKey<RefCell<Spare<F>>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_is_bounded() {
        let mut spare = Spare::<f32>::EMPTY;
        for n in 0..200 {
            spare.put(vec![0.0; n]);
        }
        assert_eq!(spare.0.len(), MOST_SPARE);
        assert!(spare.take(150).capacity() >= 150);
        assert_eq!(spare.take(10).capacity(), 0, "the small ones were the oldest");
    }
}
