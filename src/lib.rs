#![doc = include_str!("page_links.md")]
#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod codec;
pub mod data;
mod disk;
mod error;
pub mod evaluate;
mod gradient_trace;
mod history;
mod infer;
pub mod init;
#[cfg(debug_assertions)]
#[doc(hidden)]
pub mod instances;
pub mod io;
mod level;
pub mod losses;
pub mod metrics;
mod monitor;
pub mod nn;
pub mod optim;
mod param;
#[cfg(feature = "plots")]
pub mod plot;
mod predictions;
pub mod predictor;
pub mod prelude;
pub mod preprocessing;
pub mod random;
pub mod recipe;
mod shown;
mod state;
mod target;
mod tensor;
pub mod testing;
mod threads;
pub mod train;

use plywood_kernels as kernels;

pub use error::{Error, ErrorKind, Result};
pub use io::{load, load_with};
/// The element type of tensors: `f32`, or `f64` for checks and reference computations.
///
/// The trait is sealed. Its arithmetic comes from [`ndarray::NdFloat`] (and so from `num_traits::Float`), and arrays of
/// it have all of ndarray's numeric methods. Its hidden methods are the crate's loops over slices.
///
/// ```
/// use plywood::Scalar;
///
/// /// The mean of squares, for either type.
/// fn mean_square<F: Scalar>(x: &[F]) -> F {
///     x.iter().map(|&x| x * x).sum::<F>() / F::of(x.len() as f64)
/// }
/// assert_eq!(mean_square(&[1.0f32, 3.0]), 5.0);
/// assert_eq!((mean_square(&[0.5f64]), <f64 as Scalar>::NAME), (0.25, "f64"));
/// ```
///
/// `f32` has 24 bits of precision, about seven decimal digits. It is the default everywhere, because it takes half the
/// memory and is about twice as fast. `f64` is for checking gradients by finite differences, where seven digits are too
/// few.
#[doc(inline)]
pub use kernels::Scalar;
pub use level::level;
pub use ndarray;
pub use predictions::argmax_rows;
pub use tensor::{CowTensor, Tensor, recycle, release_buffers, scratch, standard};
pub use threads::{set_threads, threads};

/// The pages of the repository's folder docs/.
///
/// The module exists only in this documentation, not in a build. The examples of the pages are compiled and run with the
/// others.
#[cfg(any(doc, doctest))]
pub mod pages {
    /// Includes a page behind the link definitions of `page_links.md`. The first definition of a name counts, so they
    /// replace the relative links that the page itself defines for the repository.
    macro_rules! pages {
        ($($page:ident $file:literal),+ $(,)?) => {$(
            #[doc = include_str!("page_links.md")]
            #[doc = include_str!($file)]
            pub mod $page {}
        )+};
    }
    pages! {
        data "../docs/data.md",
        guide "../docs/guide.md",
        extending "../docs/extending.md",
        graph "../docs/graph.md",
        names "../docs/names.md",
        paths "../docs/paths.md",
        performance "../docs/performance.md",
        kernels "../docs/kernels.md",
        platforms "../docs/platforms.md",
        saving "../docs/saving.md",
        study "../docs/study.md",
        transfer "../docs/transfer.md",
    }
}
