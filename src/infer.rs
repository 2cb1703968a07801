//! A model over a whole data set, piece by piece and on several threads.

use crate::data::{Batch, Dataset, Pass};
use crate::error::{Error, Result};
use crate::layer::Layer;
use crate::layers::Sequential;
use crate::pool;
use crate::scalar::Scalar;
use crate::tensor::Tensor;

/// How many samples go through the model at once.
const PIECE: usize = 256;

/// Checks that there are data, of the shape that the model takes.
pub(crate) fn check_data<F: Scalar, D: Dataset<F>>(model: &Sequential<F>, data: &D) -> Result<()> {
    if data.is_empty() {
        return Err(
            Error::data("data", "with at least one sample", "none").help("Look at where they are read.")
        );
    }
    if data.input_shape() != model.input_shape() {
        let expected = format!("{:?}", model.input_shape());
        return Err(Error::shape("samples", expected, data.input_shape())
            .help("The model was built for the shape given to `Sequential::builder`."));
    }
    Ok(())
}

/// Calls `take` with the outputs of each piece of the data and with what was read, in order; outputs are logits
/// where asked for.
pub(crate) fn outputs<F: Scalar, D: Dataset<F>>(
    model: &Sequential<F>,
    data: &D,
    logits: bool,
    mut take: impl FnMut(Tensor<F>, &Batch<F, D::Target>) -> Result<()>,
) -> Result<()> {
    check_data(model, data)?;
    let samples = data.len();
    let pieces = samples.div_ceil(PIECE);
    // A wave of pieces is worked out side by side and then taken in order, so memory stays bounded.
    let wave = pool::threads();
    for first in (0..pieces).step_by(wave) {
        let outputs = pool::map(wave.min(pieces - first), |i| {
            let from = (first + i) * PIECE;
            let indices: Vec<usize> = (from..samples.min(from + PIECE)).collect();
            let mut batch = Batch::default();
            data.read(&indices, Pass::Evaluate, &mut batch)?;
            let input = batch.take_input();
            let output = if logits { model.forward_logits(input) } else { model.forward(input) }?;
            Ok((output, batch))
        });
        for output in outputs {
            let (output, batch) = output?;
            take(output, &batch)?;
        }
    }
    Ok(())
}
