//! A model with what it takes and what it says: from raw values to answers.
//!
//! A [`Predictor`] is a trained model with a block in front of each input, which prepares raw values, and a block behind
//! each output, which says what the numbers mean. All of it is one file, so a program that predicts repeats no
//! scaling, vocabulary or list of classes.
//!
//! ```text
//!              prepare                infer                 answer
//! Row, Table ───────────> Prepared ───────────> Predictions ───────────> Answer
//!      blocks in front of inputs     the model      blocks behind outputs
//! ```
//!
//! | values | blocks in front of inputs |
//! |---|---|
//! | images | [`Image`](crate::preprocessing::Image) |
//! | texts | [`Text`](crate::preprocessing::Text) |
//! | numbers | [`Features`](crate::preprocessing::Features) |
//! | rows of a table | [`Columns`](crate::preprocessing::Columns), [`CategoryIds`](crate::preprocessing::CategoryIds) |
//! | your own | [`InputBlock`](crate::preprocessing::InputBlock) |
//!
//! | answers | blocks behind outputs |
//! |---|---|
//! | one of several classes | [`Classes`] |
//! | several labels | [`Labels`] |
//! | numbers | [`Numbers`] |
//! | your own | [`OutputBlock`] |

// | file | what is in it |
// |---|---|
// | `build.rs` | `PredictorBuilder`: the checks of a model and its blocks |
// | `predict.rs` | the three stages |
// | `csv.rs` | CSV files of any size |
// | `file.rs`, `blocks.rs` | files; the kinds of blocks that they may contain |
// | `raw.rs`, `from_serde.rs` | `Raw`, `Row`, and rows from anything that serde can write |
// | `fields.rs` | rows and tables as the columns that the blocks take |
// | `prepared.rs`, `answer.rs` | what goes into the second stage and comes out of the third |
// | `output.rs` | `OutputBlock` |
// | `classes.rs`, `labels.rs`, `numbers.rs`, `scores.rs` | the crate's blocks behind outputs; probabilities |

mod answer;
mod blocks;
mod build;
mod classes;
mod csv;
mod fields;
mod file;
mod from_serde;
mod labels;
mod numbers;
mod output;
mod predict;
mod prepared;
mod raw;
mod scores;

pub use answer::{Answer, AnswerNumber, AnswerValue};
pub use blocks::Blocks;
pub(crate) use build::{Parts, named_fields};
pub use build::{Predictor, PredictorBuilder};
pub use classes::Classes;
pub(crate) use fields::columns_of_table;
pub use labels::Labels;
pub use numbers::Numbers;
pub(crate) use output::AnyOutput;
pub use output::OutputBlock;
pub use prepared::Prepared;
pub use raw::{Raw, Row};
