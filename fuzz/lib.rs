//! What the targets share: an allocator that counts, and files made of a fuzzer's bytes.

use plywood::prelude::*;
use plywood::Layer;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Counts the bytes that are in use, and the most there were.
pub struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

fn add(bytes: usize) {
    PEAK.fetch_max(IN_USE.fetch_add(bytes, Relaxed) + bytes, Relaxed);
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(at, layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        add(size);
        IN_USE.fetch_sub(layout.size(), Relaxed);
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Reads a file of so many bytes, and checks that it took at most twice as many bytes of memory and 64 MB.
pub fn measured<T>(bytes: usize, read: impl FnOnce() -> T) -> T {
    let before = IN_USE.load(Relaxed);
    PEAK.store(before, Relaxed);
    let result = read();
    let taken = PEAK.load(Relaxed) - before;
    assert!(taken <= 2 * bytes + (64 << 20), "{taken} bytes of memory for a file of {bytes}");
    result
}

/// A file of Plywood's out of a fuzzer's bytes: they are the file (first byte even), or what is in it (odd): the
/// length of the description in two bytes, the description, the numbers. Lengths of the second kind are right, as a
/// fuzzer would seldom make them agree. Sums are not checked under a fuzzer.
pub fn file(content: u8, data: &[u8]) -> Vec<u8> {
    let Some((kind, rest)) = data.split_first() else { return Vec::new() };
    if kind % 2 == 0 || rest.len() < 2 {
        return rest.to_vec();
    }
    let (length, rest) = rest.split_at(2);
    let description = usize::from(u16::from_le_bytes([length[0], length[1]])).min(rest.len());
    let mut file = b"PLYWOOD\n\x02\0\0\0".to_vec();
    file.extend([content, 4, 0, 0]);
    file.extend((description as u64).to_le_bytes());
    file.extend(((rest.len() - description) as u64).to_le_bytes());
    file.extend([0; 8]);
    file.extend(rest);
    file.extend([0; 4]);
    file
}

/// The way back: what `file` would make this file of.
pub fn seed(file: &[u8]) -> Vec<u8> {
    let mut data = vec![1];
    data.extend(&file[16..18]);
    data.extend(&file[40..file.len() - 4]);
    data
}

/// Runs a model that came out of a file, if that does not take much: what loads must not panic.
pub fn run(model: &mut Sequential) {
    let summary = format!("{model}");
    let large = summary.split(|c: char| !c.is_ascii_digit() && c != '.').any(|n| n.len() > 4);
    let size = model.input_shape().iter().product::<usize>();
    if large || size > 4096 || summary.len() > 4096 {
        return;
    }
    let shape = [&[2], model.input_shape()].concat();
    let _ = model.forward(Tensor::zeros(shape.clone()));
    if let Ok((output, cache)) = model.forward_train(Tensor::zeros(shape)) {
        let _ = model.backward(cache, output);
    }
}
