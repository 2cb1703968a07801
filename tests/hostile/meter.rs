//! An allocator that records the memory in use and its peak.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

static USED: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// The size of a very large block, if it was the last allocation, else 0.
///
/// The crate tests whether a large output would fit into memory: it allocates a block and releases it at once,
/// untouched. A block counts only if it still exists at the next allocation.
static ASKED: AtomicUsize = AtomicUsize::new(0);

/// The size in bytes from which a block may be such a test.
const LARGE: usize = 1 << 31;

/// The system's allocator, with counting.
pub struct Meter;

// SAFETY: every call is forwarded to the system's allocator with the same arguments; counting does not touch the
// memory.
unsafe impl GlobalAlloc for Meter {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller upholds the contract of `alloc`, which is the same.
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
            // Large blocks are moved by remapping pages, not by copying, so the old and the new block do not exist at
            // once.
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

/// Counts a block, if the allocation succeeded.
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

/// Returns the result of `work`, and its peak memory use in bytes above that at its start. Other threads count, too.
pub fn peak<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = USED.load(Ordering::SeqCst);
    PEAK.store(before, Ordering::SeqCst);
    let result = work();
    if ASKED.swap(0, Ordering::SeqCst) > 0 {
        PEAK.fetch_max(USED.load(Ordering::SeqCst), Ordering::SeqCst);
    }
    (result, PEAK.load(Ordering::SeqCst).saturating_sub(before))
}
