//! Hints for the processor and the compiler about addresses; they affect speed only.

use std::arch::asm;

/// Prefetches the cache line of an address, which need not be valid.
#[inline(always)]
pub(super) fn prefetch(address: *const f32) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint; nothing is read.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(address.cast());
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: a hint; nothing is read.
    unsafe {
        asm!("prfm pldl1keep, [{0}]", in(reg) address, options(readonly, nostack, preserves_flags));
    }
}

/// Returns the same address, hiding its origin from the compiler.
///
/// From addresses known to be equally spaced, the compiler would compute each from the one before, and that dependency
/// chain takes longer than the sums.
#[inline(always)]
#[allow(clippy::pointers_in_nomem_asm_block, reason = "the address is not used")]
pub(super) fn opaque(mut address: *const f32) -> *const f32 {
    // SAFETY: nothing is executed.
    unsafe { asm!("/* {0} */", inout(reg) address, options(pure, nomem, nostack, preserves_flags)) };
    address
}
