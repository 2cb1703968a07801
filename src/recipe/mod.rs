//! A recipe: from a raw table to a trained [`Predictor`](crate::predictor::Predictor).
//!
//! Preprocessing that is fitted to data must not see the rows that a model is measured on. So a [`Recipe`] is unfitted:
//! it states which columns make which input, which columns are predicted, and how the model and its trainer are made. Each
//! of its methods splits the rows first, fits the preprocessing on the training part, and then builds and trains the
//! model.
//!
//! | | |
//! |---|---|
//! | [`Recipe::fit`] | trains once, with or without a part for validation |
//! | [`Recipe::cross_validate`] | trains for each fold, and measures on what was held out |
//! | [`Search::run_recipes`](crate::train::Search::run_recipes) | compares recipes |
//! | [`Predictor::evaluate`](crate::predictor::Predictor::evaluate) | measures a predictor on another table |

// | file | what is in it |
// |---|---|
// | `settings.rs` | `Recipe`: its settings |
// | `plan.rs` | `Plan`: what the closures for model and trainer know |
// | `build_model.rs` | `BuildModel`: builders of models of any type |
// | `target.rs` | `TargetSpec`: columns as targets; how the blocks behind outputs are fitted |
// | `data.rs` | encoded rows as a data set for the trainer |
// | `trainer.rs` | trainers of any loss |
// | `rows.rs` | `RecipeRows`: what is divided into parts |
// | `bound.rs`, `fitted_blocks.rs` | a recipe with a table; what is fitted to the training part |
// | `fit.rs`, `validate.rs` | fitting; cross-validation and search |
// | `same_rows.rs` | a run is resumed on the same data only |
// | `evaluate.rs` | `Predictor::evaluate` |
// | `scores.rs`, `telling.rs` | measuring answers in the units of the targets; columns that alone tell the targets |

mod bound;
mod build_model;
mod data;
mod evaluate;
mod fit;
mod fitted_blocks;
mod plan;
mod rows;
mod same_rows;
mod scores;
mod settings;
mod target;
mod telling;
mod trainer;
mod validate;

pub use build_model::BuildModel;
pub use data::{EncodedRows, TargetKind};
pub use evaluate::Scores;
pub use fit::Fitted;
pub use plan::Plan;
pub use rows::RecipeRows;
pub use settings::Recipe;
pub use target::TargetSpec;
