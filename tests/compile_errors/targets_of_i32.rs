//! E0277 `Vec<i32>` cannot be targets
//! class indices are a `Vec<usize>`
//! numbers are an array of the model's element type, `[samples, …]`, for one number a sample `[samples, 1]`
use plywood::ndarray::Array2;
use plywood::prelude::*;

fn main() -> Result<()> {
    let data = ArrayDataset::new(Array2::<f32>::zeros((2, 3)), vec![0_i32, 1])?;
    println!("{data:?}");
    Ok(())
}
