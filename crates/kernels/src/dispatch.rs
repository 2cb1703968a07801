//! Loops that are compiled once per level of vector instructions; the level is chosen at run time.
//!
//! The crate `multiversion` does the same, but not with AVX-512 on processors that lower their clock for it (Skylake-X,
//! Cascade Lake). A program that multiplies matrices with AVX-512 runs at that clock anyway, and without AVX-512 Adam
//! takes 1.4 times as long there.

/// Declares a trait of kernels and implements it for `f32` and `f64`.
///
/// Each kernel is a generic function of the same name in the file's module `generic`, marked `#[inline(always)]`. The
/// macro compiles it once per type and level of vector instructions; the level is chosen at run time. `F` in a
/// signature stands for the element type. No level changes the result: the loops state every operation and its order,
/// and the compiler keeps to it.
///
/// A call costs a jump. `#[inline(always)]` makes the compiler compile the generic function inside each version, with
/// that version's instructions; without it, all versions would call one copy for the lowest level.
///
/// A kernel takes slices and numbers. Slices of different lengths are the caller's mistake; the loop ends at the
/// shortest one (`zip`), so nothing is read or written out of bounds.
macro_rules! kernels {
    ($(#[$about:meta])* $trait_name:ident {
        $($(#[$doc:meta])* fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $out:ty)?;)*
    }) => {
        $(#[$about])*
        #[doc(hidden)]
        pub trait $trait_name<F> {
            $($(#[$doc])* fn $name($($arg: $type),*) $(-> $out)?;)*
        }
        kernels!(@impl f32 $trait_name { $(fn $name($($arg: $type),*) $(-> $out)?;)* });
        kernels!(@impl f64 $trait_name { $(fn $name($($arg: $type),*) $(-> $out)?;)* });
    };
    (@impl $t:ident $trait_name:ident { $(fn $name:ident($($arg:ident: $type:ty),*) $(-> $out:ty)?;)* }) => {
        const _: () = {
            type F = $t;
            #[cfg(target_arch = "x86_64")]
            use $crate::level::Level;
            impl $trait_name<F> for F {
                $(fn $name($($arg: $type),*) $(-> $out)? {
                    #[cfg(target_arch = "x86_64")]
                    {
                        #[target_feature(enable = "avx2,fma,bmi1,bmi2")]
                        fn avx2($($arg: $type),*) $(-> $out)? {
                            generic::$name($($arg),*)
                        }
                        #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi1,bmi2")]
                        fn avx512($($arg: $type),*) $(-> $out)? {
                            generic::$name($($arg),*)
                        }
                        // SAFETY: the processor has the level.
                        #[allow(unsafe_code, reason = "a call where the processor has the level")]
                        match Level::in_use() {
                            Level::Avx512 => return unsafe { avx512($($arg),*) },
                            Level::Avx2 => return unsafe { avx2($($arg),*) },
                            Level::Portable => {}
                        }
                    }
                    generic::$name($($arg),*)
                })*
            }
        };
    };
}
pub(crate) use kernels;
