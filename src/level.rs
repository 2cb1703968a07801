//! Which vector instructions are used.

use crate::error::{Error, Result};
use crate::kernels::level::{self, Level, VARIABLE};
use crate::shown::cut;

/// The level of vector instructions in use: `"avx512"`, `"avx2"` or `"portable"` on x86-64, `"neon"` or
/// `"portable"` on aarch64, elsewhere `"portable"`.
///
/// It is the highest level that the processor has. The environment variable `PLYWOOD_MAX_LEVEL` sets a bound: with
/// `PLYWOOD_MAX_LEVEL=avx2` no kernel uses AVX-512. The variable is read once, at the first use.
///
/// ```
/// let level = plywood::level()?;
/// assert!(["portable", "avx2", "avx512", "neon"].contains(&level));
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// | level | instructions |
/// |---|---|
/// | `avx512` | AVX-512 (F, DQ, BW, VL) and all of the next line |
/// | `avx2` | AVX2, FMA, BMI1, BMI2 |
/// | `neon` | NEON, for products of `f32` matrices; every aarch64 processor has it |
/// | `portable` | what the compiler was told the processor has: SSE2 on x86-64, unless `target-cpu` says otherwise |
///
/// A bound above what the processor has changes nothing. An empty variable is no bound. A name of another
/// architecture (`neon` on x86-64, `avx2` on aarch64) is an error, since it says nothing about the levels that
/// there are.
///
/// The bound is for Plywood's own kernels. Products in `f64` are those of the crate `matrixmultiply`, which chooses
/// its instructions by itself, as the standard library does.
///
/// # Which levels have the same bits
///
/// On one processor:
///
/// - Products of `f32` matrices have the same bits at `avx2` and `avx512`: each step is a fused multiply-add,
///   rounded once. `portable` has no fused multiply-add, rounds the product and then the sum, and agrees with them
///   to rounding.
/// - The weights that [`Adam`](crate::optim::Adam) and [`AdamW`](crate::optim::AdamW) write in `f32` agree to rounding
///   only: `avx512` divides by an estimate and a step of Newton's method, `avx2` divides, and `portable` does not fuse.
///   So do those of [`Muon`](crate::optim::Muon), which trains what is no matrix by AdamW.
/// - All other kernels have the same bits at all levels, and all of them do in `f64`.
///
/// `tests/library/levels.rs` and the tests of the kernels compare them. So a model predicts the same bits at `avx2` and
/// `avx512`, and one that is trained by [`SGD`](crate::optim::SGD) has the same weights. A bug report should name the
/// level; so should whoever writes down a result that is to be got again. PyTorch's counterparts are
/// `torch.backends.cpu.get_cpu_capability()` and the variable `ATEN_CPU_CAPABILITY`.
///
/// # Errors
/// When `PLYWOOD_MAX_LEVEL` is not the name of a level. Whatever makes a model, by building or by loading,
/// draws initial values or reads a tensor has the same error. What can still run without one of them, such as a loss that is
/// called by itself, computes at `portable`.
pub fn level() -> Result<&'static str> {
    level::check().map(Level::name).map_err(unknown)
}

/// The error of [`level`], for whatever makes a model, draws a parameter or reads one. So all that computes with a model is
/// behind it.
pub(crate) fn check_level() -> Result<()> {
    level().map(|_| ())
}

#[cold]
fn unknown(found: &str) -> Error {
    let names: Vec<_> = Level::ALL.iter().map(|level| format!("{:?}", level.name())).collect();
    let what = format!("the environment variable {VARIABLE}");
    Error::argument(what, names.join(" or "), format!("{:?}", cut(found))).help(
        "Those are the levels of vector instructions on this kind of processor. \
             Unset it to use all that there are.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn what_is_no_level_is_named_beside_those_that_are() {
        assert_eq!(
            unknown("sse9").to_string(),
            "the environment variable PLYWOOD_MAX_LEVEL must be \"portable\" or \"avx2\" or \"avx512\", got \
             \"sse9\". Those are the levels of vector instructions on this kind of processor. Unset it to use all \
             that there are."
        );
        assert!(unknown(&"a".repeat(100_000)).to_string().len() < 500);
    }
}
