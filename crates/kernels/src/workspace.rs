//! Buffers that were used before.
//!
//! A training step needs the same buffers as the one before: outputs, caches, gradients. To allocate them anew
//! costs little for small ones; but what is larger than some 128 KB the usual allocators take from the system and
//! give back each time, and every page of it faults on first use. So spent buffers are kept, a list for each thread
//! and element type, and Plywood's `scratch` asks here first.
//!
//! Nothing depends on it but speed: a buffer's old content is never relied on, and who does not hand buffers back
//! only allocates more.

use std::cell::RefCell;

/// One thread's spare buffers of one element type. Public only because `Scalar` names it; not reachable from outside.
#[derive(Debug)]
pub struct Workspace<F>(Vec<Vec<F>>);

/// More than a training step of a deep network holds at once.
///
/// It is the bound on what is kept; the oldest goes first.
const MOST_SPARE: usize = 64;

impl<F> Workspace<F> {
    /// For a thread-local that needs no initialisation at run time.
    pub(crate) const EMPTY: Self = Self(Vec::new());

    /// The smallest spare buffer of at least this capacity, unless it is more than four times too large.
    ///
    /// A linear search through at most 64 lengths. The bound of four keeps a small request from taking the one
    /// large buffer that the next layer wants. An empty `Vec` where nothing fits: the caller makes it the size it
    /// needs.
    pub fn take(&mut self, len: usize) -> Vec<F> {
        let best = (0..self.0.len())
            .filter(|&i| self.0[i].capacity() >= len && self.0[i].capacity() / 4 <= len)
            .min_by_key(|&i| self.0[i].capacity());
        best.map_or_else(Vec::new, |i| self.0.remove(i))
    }

    /// Keeps a buffer; where there are too many, the one that has lain longest goes. One without memory is not
    /// worth a place.
    pub fn put(&mut self, data: Vec<F>) {
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
pub type WorkspaceKey<F> = std::thread::LocalKey<RefCell<Workspace<F>>>;

thread_local! {
    /// Spare marks.
    static MARKS: RefCell<Workspace<u32>> = const { RefCell::new(Workspace::EMPTY) };
}

/// Small whole numbers that a forward pass leaves for the backward pass: where a maximum was, which numbers were
/// above 0. The buffer goes back to the thread's spare ones when it is dropped.
#[derive(Debug)]
pub struct Marks(Vec<u32>);

impl Marks {
    /// So many; what they are is left over.
    pub fn new(len: usize) -> Self {
        let mut marks = MARKS.try_with(|spare| spare.borrow_mut().take(len)).unwrap_or_default();
        marks.resize(len, 0);
        Self(marks)
    }

    /// All of them.
    pub fn as_slice(&self) -> &[u32] {
        &self.0
    }

    /// All of them, to be set.
    pub fn as_mut_slice(&mut self) -> &mut [u32] {
        &mut self.0
    }
}

impl Drop for Marks {
    fn drop(&mut self) {
        // A thread that is ending keeps nothing.
        let _ = MARKS.try_with(|spare| spare.borrow_mut().put(std::mem::take(&mut self.0)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_is_bounded() {
        let mut spare = Workspace::<f32>::EMPTY;
        for n in 0..200 {
            spare.put(vec![0.0; n]);
        }
        assert_eq!(spare.0.len(), MOST_SPARE);
        assert!(spare.take(150).capacity() >= 150);
        assert_eq!(spare.take(10).capacity(), 0, "the small ones were the oldest");
    }
}
