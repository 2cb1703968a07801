//! Saves a small, untrained model of each kind: what the tests serve, and a place to try the server without training.
//!
//! ```sh
//! cargo run -p plywood-serve --example small_models -- FOLDER
//! cargo run -p plywood-serve -- FOLDER/fashion.plywood FOLDER/table.plywood
//! ```

#[path = "../tests/server/models.rs"]
mod models;

use plywood::prelude::*;
use std::path::PathBuf;

fn main() -> Result<()> {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "small-models".to_owned()));
    models::save_all(&folder)?;
    println!("saved into {}", folder.display());
    Ok(())
}
