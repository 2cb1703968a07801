//! Tests of the public API, one module per topic: `cargo test threads::` runs the tests of one module.
//!
//! They are one program, because generic code is compiled in the crate that uses it: forty programs would compile the
//! whole library forty times. Tests that count the memory of the process are separate programs beside this folder.

use std::sync::{Mutex, MutexGuard, PoisonError};

mod architecture;
mod augment;
mod augment_threads;
mod bits;
mod boxed;
mod branches;
mod checkpoint;
mod children;
mod columns;
mod compile_errors;
mod confusion;
mod containers;
mod context;
#[cfg(feature = "csv")]
mod csv_files;
#[cfg(feature = "csv")]
mod csv_peer;
#[cfg(all(unix, feature = "datasets", feature = "plots"))]
mod error_texts;
mod example_threads;
#[cfg(unix)]
mod files;
mod fits;
mod folder;
mod folds;
#[cfg(unix)]
mod formulas;
mod full_disk;
mod garments;
mod graph_losses;
mod graph_models;
mod graph_operations;
mod graphs;
#[cfg(feature = "datasets")]
mod idx;
#[cfg(feature = "images")]
mod image_folder;
mod image_threads;
mod images;
mod infer_only;
mod input_gradient;
mod keras;
mod kill;
mod layers;
mod left_out;
mod lengths;
mod levels;
mod links;
mod logs;
mod losses;
mod metrics;
mod models;
mod monitors;
mod multi_label;
mod names;
mod non_finite;
mod normalizer;
mod numbers;
mod ops;
mod optimizer_threads;
mod optimizers;
mod output_activation;
mod outside;
mod own_loops;
#[cfg(feature = "plots")]
mod plots;
mod ports;
mod predictors;
mod prefetch;
mod recipes;
mod reference;
mod saving;
mod search;
mod serde_values;
mod several;
mod several_data;
mod silent;
mod sizes;
mod sklearn;
mod source;
mod state_dict;
mod streams;
mod subsets;
mod tables;
mod text;
mod threads;
mod torch;
mod torch_graphs;
mod torch_images;
mod torch_layers;
mod torch_losses;
mod torch_optimizers;
mod torch_penalties;
mod torch_several;
mod training;
mod walk;

/// The project's root folder.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Sets the number of threads that the library uses until the guard is dropped. The number belongs to the whole
/// process, so only one test at a time can set it.
fn take_threads(number: usize) -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    let guard = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    plywood::set_threads(number).unwrap();
    guard
}
