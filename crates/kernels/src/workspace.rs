//! Reusable buffers.
//!
//! A training step needs the same buffers as the one before: outputs, caches, gradients. Allocating them anew is cheap
//! for small ones. But the usual allocators get a buffer of more than some 128 KB from the system and return it each
//! time, and every page of it faults on first use. So used buffers are kept, in a list per thread and element type, and
//! Plywood's `scratch` takes them from here.
//!
//! This affects only speed: the old content of a buffer is never used, and code that does not return buffers only
//! allocates more.

use std::cell::RefCell;

/// A thread's spare buffers of one element type. Public only because `Scalar` names it; not reachable from outside.
#[derive(Debug)]
pub struct Workspace<F> {
    /// The one that has been unused longest comes first.
    buffers: Vec<Vec<F>>,
    /// Their total size.
    bytes: usize,
}

/// The most buffers that are kept: more than a training step of a deep network uses at once.
const MOST_BUFFERS: usize = 64;

/// Their largest total size: 256 MiB. If a step returns more than that, the rest is allocated anew.
const MOST_BYTES: usize = 1 << 28;

impl<F> Workspace<F> {
    /// For a thread-local that needs no initialization at run time.
    pub(crate) const EMPTY: Self = Self { buffers: Vec::new(), bytes: 0 };

    /// Takes the smallest spare buffer of at least this capacity, unless it is more than four times too large.
    ///
    /// A linear search through at most 64 lengths. The bound of four keeps a small request from taking the one large
    /// buffer that the next layer needs. Returns an empty `Vec` if nothing fits, and the caller resizes it.
    pub fn take(&mut self, len: usize) -> Vec<F> {
        let best = (0..self.buffers.len())
            .filter(|&i| self.buffers[i].capacity() >= len && self.buffers[i].capacity() / 4 <= len)
            .min_by_key(|&i| self.buffers[i].capacity());
        best.map_or_else(Vec::new, |i| self.remove(i))
    }

    /// Keeps a buffer. If there are too many, or their total size is too large, those unused longest are freed. A
    /// buffer without memory is not kept, nor is one above the total limit by itself.
    pub fn put(&mut self, data: Vec<F>) {
        let bytes = bytes_of(&data);
        if bytes == 0 || bytes > MOST_BYTES {
            return;
        }
        while self.buffers.len() == MOST_BUFFERS || self.bytes + bytes > MOST_BYTES {
            self.remove(0);
        }
        self.bytes += bytes;
        self.buffers.push(data);
    }

    fn remove(&mut self, i: usize) -> Vec<F> {
        let data = self.buffers.remove(i);
        self.bytes -= bytes_of(&data);
        data
    }

    /// Frees all buffers.
    pub fn clear(&mut self) {
        *self = Self::EMPTY;
    }
}

fn bytes_of<F>(data: &Vec<F>) -> usize {
    data.capacity() * size_of::<F>()
}

/// The thread-local in which a thread keeps its spare buffers.
pub type WorkspaceKey<F> = std::thread::LocalKey<RefCell<Workspace<F>>>;

thread_local! {
    /// The thread's spare buffers for marks.
    static MARKS: RefCell<Workspace<u32>> = const { RefCell::new(Workspace::EMPTY) };
}

/// Integers that a forward pass keeps for the backward pass: where a maximum was, which elements were above 0. When it
/// is dropped, the buffer returns to the thread's spare ones.
#[derive(Debug)]
pub struct Marks(Vec<u32>);

impl Marks {
    /// Frees the thread's spare buffers for marks.
    pub(crate) fn clear_spare() {
        let _ = MARKS.try_with(|spare| spare.borrow_mut().clear());
    }

    /// Returns `len` marks with arbitrary content.
    pub fn new(len: usize) -> Self {
        let mut marks = MARKS.try_with(|spare| spare.borrow_mut().take(len)).unwrap_or_default();
        marks.resize(len, 0);
        Self(marks)
    }

    /// Returns all marks.
    pub fn as_slice(&self) -> &[u32] {
        &self.0
    }

    /// Returns all marks, mutably.
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
    fn the_store_is_bounded_in_number() {
        let mut spare = Workspace::<f32>::EMPTY;
        for n in 0..200 {
            spare.put(vec![0.0; n]);
        }
        assert_eq!(spare.buffers.len(), MOST_BUFFERS);
        assert!(spare.take(150).capacity() >= 150);
        assert_eq!(spare.take(10).capacity(), 0, "the small ones were the oldest");
    }

    #[test]
    fn the_store_is_bounded_in_bytes() {
        let mut spare = Workspace::<f64>::EMPTY;
        // 70 buffers of 10 MB; none of their pages is touched.
        for _ in 0..70 {
            spare.put(Vec::with_capacity(1_250_000));
            assert!(spare.bytes <= MOST_BYTES);
        }
        let held = |spare: &Workspace<f64>| spare.buffers.iter().map(bytes_of).sum::<usize>();
        assert_eq!((spare.buffers.len(), spare.bytes), (26, held(&spare)));
        spare.put(Vec::with_capacity(MOST_BYTES / 8 + 1));
        assert_eq!(spare.buffers.len(), 26, "one that is too large by itself drives nothing out");
        spare.put(Vec::with_capacity(MOST_BYTES / 8));
        assert_eq!((spare.buffers.len(), spare.bytes), (1, MOST_BYTES));
        assert_eq!(spare.take(MOST_BYTES / 8).capacity(), MOST_BYTES / 8);
        assert_eq!(spare.bytes, 0);
        spare.put(Vec::with_capacity(100));
        spare.clear();
        assert_eq!((spare.buffers.capacity(), spare.bytes), (0, 0));
    }
}
