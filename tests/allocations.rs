//! What a training step allocates, seen by the allocator itself.
#![expect(unsafe_code, reason = "an allocator that counts can be written in no other way")]

use plywood::garments::garments;
use plywood::prelude::*;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The largest allocation since the last look.
static LARGEST: AtomicUsize = AtomicUsize::new(0);

struct Watching;

// SAFETY: every call is handed to the system's allocator with the same arguments; counting touches no memory of theirs.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps `alloc`'s contract, which is the same.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `alloc` above, so from the system's allocator, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Watching = Watching;

#[test]
fn no_step_allocates_as_much_as_a_parameter_holds() {
    let (data, _) = garments(320, 10, 1).unwrap();
    let mut model = Sequential::builder([28, 28])
        .layer(Flatten)
        .layer(Dense::units(128))
        .layer(ReLU)
        .layer(Dense::units(10))
        .layer(Softmax)
        .build()
        .unwrap();
    let mut trainer = Trainer::new(CrossEntropy::default(), Adam::default());
    let mut batch = Batch::default();
    let order: Vec<usize> = (0..320).collect();
    let weight = 784 * 128 * size_of::<f32>();
    for (i, indices) in order.chunks(32).enumerate() {
        LARGEST.store(0, Ordering::Relaxed);
        data.read(indices, Pass::Train { epoch: 0 }, &mut batch).unwrap();
        trainer.step(&mut model, batch.take_input(), &batch.target, None).unwrap();
        let largest = LARGEST.load(Ordering::Relaxed);
        if i == 0 {
            assert!(
                largest >= weight,
                "the first step makes the gradients and the optimiser's state: {largest}"
            );
        } else {
            assert!(largest < weight / 2, "step {i} allocated {largest} bytes at once");
        }
    }
}
