//! The level of vector instructions in use.

use crate::error::{Error, Result};
use crate::kernels::level::{self, Level, VARIABLE};
use crate::shown::cut;

/// Returns the level of vector instructions in use: `"avx512"`, `"avx2"` or `"portable"` on x86-64, `"neon"` or
/// `"portable"` on aarch64, elsewhere `"portable"`.
///
/// It is the highest level that the processor supports. The environment variable `PLYWOOD_MAX_LEVEL` sets an upper
/// bound: with `PLYWOOD_MAX_LEVEL=avx2` no kernel uses AVX-512. The variable is read once, at the first use.
///
/// ```
/// let level = plywood::level()?;
/// assert!(["portable", "avx2", "avx512", "neon"].contains(&level));
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// | level | instructions |
/// |---|---|
/// | `avx512` | AVX-512 (F, DQ, BW, VL) and those of `avx2` |
/// | `avx2` | AVX2, FMA, BMI1, BMI2 |
/// | `neon` | NEON, for products of `f32` matrices; every aarch64 processor has it |
/// | `portable` | the features of the compilation target: SSE2 on x86-64, unless `target-cpu` is set |
///
/// A bound above what the processor supports changes nothing. An empty variable sets no bound. A level of another
/// architecture (`neon` on x86-64, `avx2` on aarch64) is an error, since it does not bound the levels available here.
///
/// The bound applies to Plywood's own kernels. Products in `f64` come from the crate `matrixmultiply`, which chooses
/// its own instructions, as the standard library does.
///
/// # Which levels give the same bits
///
/// On one processor:
///
/// - Products of `f32` matrices have the same bits at `avx2` and `avx512`: each step is a fused multiply-add, rounded
///   once. `portable` has no fused multiply-add: it rounds the product and then the sum, and agrees with the others
///   only up to rounding.
/// - The weights that [`Adam`](crate::optim::Adam) and [`AdamW`](crate::optim::AdamW) write in `f32` agree only up to
///   rounding: `avx512` divides by an estimate and a step of Newton's method, `avx2` divides, and `portable` does not
///   fuse. The same holds for [`Muon`](crate::optim::Muon), which trains parameters that are not matrices with AdamW.
/// - All other kernels have the same bits at all levels. In `f64` all kernels do.
///
/// `tests/library/levels.rs` and the tests of the kernels compare the levels. So a model's predictions have the same
/// bits at `avx2` and `avx512`, and a model trained with [`SGD`](crate::optim::SGD) has the same weights. State the
/// level in a bug report, and beside any result that is to be reproduced. PyTorch's counterparts are
/// `torch.backends.cpu.get_cpu_capability()` and the variable `ATEN_CPU_CAPABILITY`.
///
/// # Errors
/// If `PLYWOOD_MAX_LEVEL` is not the name of a level. Everything that builds or loads a model, draws initial values or
/// reads a tensor returns the same error. Code that can run without any of those, such as a loss that is called on its
/// own, computes at `portable`.
pub fn level() -> Result<&'static str> {
    level::check().map(Level::name).map_err(unknown)
}

/// The error of [`level`], for all code that makes a model or draws or reads a parameter. Every computation with a
/// model comes after such a call.
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

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    #[test]
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
