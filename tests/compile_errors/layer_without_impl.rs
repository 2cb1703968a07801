//! E0277 `Swish` is neither a layer nor a layer's spec, for models of `f32`
//! implement `plywood::nn::Layer<f32>` or `plywood::nn::LayerSpec<f32>` for it
use plywood::prelude::*;

struct Swish;

fn main() -> Result<()> {
    let model = Sequential::builder([4]).layer(Dense::units(2)).layer(Swish).build()?;
    println!("{:?}", model.output_shape());
    Ok(())
}
