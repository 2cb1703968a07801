//! SIMD vectors of `f32`, for loops whose order of operations is not left to the compiler.
//!
//! Functions that are generic over [`Vector`] are `#[inline(always)]` and called from a function that enables the
//! instructions (`#[target_feature]`), so that one source text is compiled for each level.
#![allow(unsafe_code, reason = "vector instructions and addresses need it")]
#![cfg_attr(
    not(target_arch = "x86_64"),
    allow(dead_code, reason = "others have kernels of products only, or none")
)]

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// A vector of `f32`, with the instructions of a level.
///
/// # Safety
/// Each operation does what its name says, on [`LANES`](Vector::LANES) numbers. It must not be executed on a processor
/// without the instructions. The addresses of `load` and `store` must be valid for as many contiguous numbers.
pub unsafe trait Vector: Copy {
    /// The number of lanes.
    const LANES: usize;

    /// Returns a vector with the same number in each lane.
    unsafe fn splat(x: f32) -> Self;
    /// Reads contiguous numbers.
    unsafe fn load(from: *const f32) -> Self;
    /// Writes contiguous numbers.
    unsafe fn store(self, to: *mut f32);
    /// `self + x`.
    unsafe fn plus(self, x: Self) -> Self;
    /// `self - x`.
    unsafe fn minus(self, x: Self) -> Self;
    /// `self · x`.
    unsafe fn times(self, x: Self) -> Self;
    /// `self + x · y`, rounded once.
    unsafe fn plus_product(self, x: Self, y: Self) -> Self;
    /// `self - x · y`, rounded once.
    unsafe fn minus_product(self, x: Self, y: Self) -> Self;
    /// `self - x / y`, where the quotient may be wrong by two units in its last place; `y` and its reciprocal must be
    /// normal numbers.
    unsafe fn minus_quotient(self, x: Self, y: Self) -> Self;
    /// The square root.
    unsafe fn root(self) -> Self;
    /// The larger of the two; NaN if `self` is NaN.
    unsafe fn at_least(self, least: Self) -> Self;
    /// Returns whether any number is NaN.
    unsafe fn any_nan(self) -> bool;
}

/// Implements [`Vector`] with the instructions of one width.
#[cfg(target_arch = "x86_64")]
macro_rules! vector {
    ($vector:ident of $lanes:literal:
     $splat:ident $load:ident $store:ident $add:ident $sub:ident $mul:ident $fmadd:ident $fnmadd:ident $sqrt:ident $max:ident,
     $w:ident $x:ident $y:ident => $minus_quotient:expr, $any:ident => $any_nan:expr) => {
        // SAFETY: the operations do what their documentation says.
#[rustfmt::skip]
        unsafe impl Vector for $vector {
            const LANES: usize = $lanes;

            #[inline(always)]
            unsafe fn splat(x: f32) -> Self { unsafe { $splat(x) } }
            #[inline(always)]
            unsafe fn load(from: *const f32) -> Self { unsafe { $load(from) } }
            #[inline(always)]
            unsafe fn store(self, to: *mut f32) { unsafe { $store(to, self) } }
            #[inline(always)]
            unsafe fn plus(self, x: Self) -> Self { unsafe { $add(self, x) } }
            #[inline(always)]
            unsafe fn minus(self, x: Self) -> Self { unsafe { $sub(self, x) } }
            #[inline(always)]
            unsafe fn times(self, x: Self) -> Self { unsafe { $mul(self, x) } }
            #[inline(always)]
            unsafe fn plus_product(self, x: Self, y: Self) -> Self { unsafe { $fmadd(x, y, self) } }
            #[inline(always)]
            unsafe fn minus_product(self, x: Self, y: Self) -> Self { unsafe { $fnmadd(x, y, self) } }
            #[inline(always)]
            unsafe fn minus_quotient(self, $x: Self, $y: Self) -> Self { let $w = self; unsafe { $minus_quotient } }
            #[inline(always)]
            unsafe fn root(self) -> Self { unsafe { $sqrt(self) } }
            // If one of the two is NaN, the instruction returns the second.
            #[inline(always)]
            unsafe fn at_least(self, least: Self) -> Self { unsafe { $max(least, self) } }
            #[inline(always)]
            unsafe fn any_nan(self) -> bool { let $any = self; unsafe { $any_nan } }
        }
    };
}

#[cfg(target_arch = "x86_64")]
vector! { __m512 of 16:
    _mm512_set1_ps _mm512_loadu_ps _mm512_storeu_ps
    _mm512_add_ps _mm512_sub_ps _mm512_mul_ps _mm512_fmadd_ps _mm512_fnmadd_ps _mm512_sqrt_ps _mm512_max_ps,
    // A reciprocal to 14 bits, and a step of Newton's method, which gives 28. The divider is left to the roots.
    w x y => {
        let inverse = _mm512_rcp14_ps(y);
        let rest = _mm512_fnmadd_ps(y, inverse, _mm512_set1_ps(1.0));
        _mm512_fnmadd_ps(x, _mm512_fmadd_ps(inverse, rest, inverse), w)
    },
    x => _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(x, x) != 0
}

#[cfg(target_arch = "x86_64")]
vector! { __m256 of 8:
    _mm256_set1_ps _mm256_loadu_ps _mm256_storeu_ps
    _mm256_add_ps _mm256_sub_ps _mm256_mul_ps _mm256_fmadd_ps _mm256_fnmadd_ps _mm256_sqrt_ps _mm256_max_ps,
    // Approximate reciprocals have 12 bits here, and take longer than the division.
    w x y => _mm256_sub_ps(w, _mm256_div_ps(x, y)),
    x => _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_UNORD_Q>(x, x)) != 0
}
