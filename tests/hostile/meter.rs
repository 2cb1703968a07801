//! An allocator that knows how much memory is in use, and the most that has been.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

static USED: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// A very large block that nothing has been done behind yet.
///
/// The crate asks the system whether a large output would fit, and gives the block back at once, untouched. Only what
/// is kept until the next allocation counts.
static ASKED: AtomicUsize = AtomicUsize::new(0);

/// From how many bytes on a block may be such a question.
const LARGE: usize = 1 << 31;

/// The system's allocator, counted.
pub struct Meter;

// SAFETY: every call is handed to the system's allocator with the same arguments; counting touches no memory of theirs.
unsafe impl GlobalAlloc for Meter {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps `alloc`'s contract, which is the same.
        counted(unsafe { System.alloc(layout) }, layout.size())
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        counted(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the pointer came from `alloc` here, so from the system's allocator, with this layout.
        let moved = unsafe { System.realloc(pointer, layout, size) };
        if !moved.is_null() {
            // Large blocks are moved by their pages, not copied, so old and new are not both there.
            USED.fetch_sub(layout.size(), Ordering::Relaxed);
        }
        counted(moved, size)
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        let _ = ASKED.compare_exchange(layout.size(), 0, Ordering::Relaxed, Ordering::Relaxed);
        USED.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as in `realloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Counts a block, if the system had one.
fn counted(pointer: *mut u8, size: usize) -> *mut u8 {
    if pointer.is_null() {
        return pointer;
    }
    let kept = ASKED.swap(0, Ordering::Relaxed) > 0;
    let used = USED.fetch_add(size, Ordering::Relaxed) + size;
    if size >= LARGE && !kept {
        ASKED.store(size, Ordering::Relaxed);
    } else {
        PEAK.fetch_max(used, Ordering::Relaxed);
    }
    pointer
}

/// What `work` gives, and the most bytes it had in use beyond those at its beginning. Other threads count too.
pub fn peak<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = USED.load(Ordering::SeqCst);
    PEAK.store(before, Ordering::SeqCst);
    let result = work();
    if ASKED.swap(0, Ordering::SeqCst) > 0 {
        PEAK.fetch_max(USED.load(Ordering::SeqCst), Ordering::SeqCst);
    }
    (result, PEAK.load(Ordering::SeqCst).saturating_sub(before))
}
