//! Predictions of a [`Sequential`], for arrays of any size and on several threads.

use super::sequential::Sequential;
use crate::error::{Error, Result};
use crate::layer::{Layer, batch_error};
use crate::ops;
use crate::pool;
use crate::scalar::Scalar;
use crate::tensor::{CowTensor, Tensor, owned, recycle};
use ndarray::{ArrayBase, ArrayViewD, ArrayViewMutD, Axis, Data, DataMut, Dimension, IxDyn, Slice};
use std::sync::{Mutex, PoisonError};

/// How many samples a thread takes through the layers at once: memory is bounded by this, not by the input.
///
/// A multiple of the rows of all kernels, enough to keep them busy, and few enough that a piece of 784 pixels, 0.45 MB in
/// `f32`, is still in a core's cache when the first layer reads it.
const PIECE: usize = 144;

impl<F: Scalar> Sequential<F> {
    /// The predictions for a batch, `[batch, …]`, from an array or a view in any order of memory.
    ///
    /// The batch goes through in pieces, so memory stays bounded; a sample's bits do not depend on its company.
    ///
    /// | | shape |
    /// |---|---|
    /// | `input` | `[batch, …]`, the model's input shape behind the batch |
    /// | the answer | `[batch, …]`, the model's output shape behind the batch |
    ///
    /// Each thread ([`set_threads`](crate::set_threads)) takes samples in pieces of 144, so
    /// activations inside the model are there for 144 samples a thread. Links are applied: a model that ends in softmax
    /// gives probabilities. An empty batch gives an empty answer.
    ///
    /// ```
    /// use ndarray::{Array2, Axis, s};
    /// use plywood::prelude::*;
    ///
    /// let model = Sequential::builder([3]).seed(1).layer(Dense::units(4)).layer(Softmax).build()?;
    /// let x = Array2::from_shape_fn((1000, 3), |(i, j)| (i as f32 * 0.01).sin() + j as f32);
    /// let all = model.predict(&x)?;
    /// let some = model.predict(&x.slice(s![300..303, ..]))?; // a view
    /// assert_eq!(some.index_axis(Axis(0), 1), all.index_axis(Axis(0), 301)); // to the bit
    ///
    /// let error = model.predict(&x.row(0)).unwrap_err().to_string();
    /// assert!(error.starts_with("predict: expected an input of shape [batch, 3], found [3]."));
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the input's shape is not `[batch, …]` with the model's input shape behind the batch axis, or holds what
    /// a layer cannot take.
    pub fn predict<S: Data<Elem = F>, D: Dimension>(&self, input: &ArrayBase<S, D>) -> Result<Tensor<F>> {
        let mut shape = IxDyn::zeros(1 + self.output.len());
        shape[0] = input.shape().first().copied().unwrap_or(0);
        shape.slice_mut()[1..].copy_from_slice(&self.output);
        let mut output = Tensor::zeros(shape);
        self.predict_into(input, &mut output)?;
        Ok(output)
    }

    /// [`predict`](Sequential::predict) into an array that is there already: after the first calls nothing is
    /// allocated, so that a service answers without the allocator's help.
    ///
    /// ```
    /// use ndarray::{Array2, Array3};
    /// use plywood::prelude::*;
    ///
    /// let model = Sequential::builder([28, 28]).layer(Flatten).layer(Dense::units(10)).layer(Softmax).build()?;
    /// let (mut image, mut probabilities) = (Array3::<f32>::zeros((1, 28, 28)), Array2::zeros((1, 10)));
    /// for brightness in [0.0, 0.5, 1.0] {
    ///     image.fill(brightness); // the next request
    ///     model.predict_into(&image, &mut probabilities)?;
    ///     assert!((probabilities.sum() - 1.0).abs() < 1e-6);
    /// }
    ///
    /// let error = model.predict_into(&image, &mut Array2::zeros((1, 9))).unwrap_err().to_string();
    /// assert!(error.starts_with("predict: expected an array for the output of shape [1, 10], found [1, 9]."));
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// Input and output may lie in memory in any order; row-major is the fastest. Layers of your own keep the promise
    /// where they take their outputs from [`scratch`](crate::scratch) and hand inputs to [`recycle`](crate::recycle).
    /// Where several threads call it, each has buffers of its own.
    ///
    /// # Errors
    /// As [`predict`](Sequential::predict), and when the output is not `[batch, …]` with the model's output shape. After
    /// an error the output may hold some of the answers.
    pub fn predict_into<S: Data<Elem = F>, D: Dimension, T: DataMut<Elem = F>, E: Dimension>(
        &self,
        input: &ArrayBase<S, D>,
        output: &mut ArrayBase<T, E>,
    ) -> Result<()> {
        self.predict_view(input.view().into_dyn(), output.view_mut().into_dyn())
            .map_err(|error| error.at("predict"))
    }

    /// The most probable class of each sample: the position of the largest prediction, or with a single output (a
    /// sigmoid's) 1 where it is above 0.5.
    ///
    /// Of equals the first; NaN counts as the largest (see [`argmax_rows`](crate::argmax_rows)).
    ///
    /// ```
    /// use ndarray::{Array2, arr1, arr2};
    /// use plywood::prelude::*;
    ///
    /// struct Given;
    /// impl LayerSpec for Given {
    ///     type Layer = Dense;
    ///     fn build(self, _: &[usize], _: &Random) -> Result<Dense> {
    ///         Dense::from_weights(Array2::eye(3), Some(arr1(&[0.0, 0.0, 1.0])))
    ///     }
    /// }
    ///
    /// let model = Sequential::builder([3]).layer(Given).layer(Softmax).build()?;
    /// assert_eq!(model.predict_classes(&arr2(&[[5.0, 0.0, 0.0], [0.0, 0.5, 0.0]]))?, [0, 2]);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`predict`](Sequential::predict).
    pub fn predict_classes<S: Data<Elem = F>, D: Dimension>(
        &self,
        input: &ArrayBase<S, D>,
    ) -> Result<Vec<usize>> {
        Ok(ops::classes(&self.predict(input)?))
    }

    /// Deals the samples out to the threads. Of several errors the one of the first samples is returned.
    fn predict_view(&self, input: ArrayViewD<'_, F>, mut output: ArrayViewMutD<'_, F>) -> Result<()> {
        if input.ndim() != self.input.len() + 1 || input.shape()[1..] != *self.input {
            return Err(batch_error(input.shape(), &self.input));
        }
        let batch = input.len_of(Axis(0));
        if output.ndim() != self.output.len() + 1
            || output.len_of(Axis(0)) != batch
            || output.shape()[1..] != *self.output
        {
            let expected: Vec<usize> = [batch].into_iter().chain(self.output.iter().copied()).collect();
            return Err(Error::shape("an array for the output", format!("{expected:?}"), output.shape())
                .help("Give it one row for each sample, of the model's output shape."));
        }
        let share = pool::share(batch, PIECE, pool::parts(batch.div_ceil(PIECE), 1));
        if share >= batch {
            return self.predict_share(input, output);
        }
        let first_error = Mutex::new(None::<(usize, Error)>);
        let shares = output.axis_chunks_iter_mut(Axis(0), share).zip(input.axis_chunks_iter(Axis(0), share));
        pool::each(shares.enumerate(), |(i, (output, input))| {
            if let Err(error) = self.predict_share(input, output) {
                let mut first = first_error.lock().unwrap_or_else(PoisonError::into_inner);
                if first.as_ref().is_none_or(|(known, _)| i < *known) {
                    *first = Some((i, error));
                }
            }
        });
        first_error
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
            .map_or(Ok(()), |(_, error)| Err(error))
    }

    /// A share of the samples, piece by piece. The first layer sees the caller's array, and copies its piece if it would
    /// change it.
    fn predict_share(&self, input: ArrayViewD<'_, F>, mut output: ArrayViewMutD<'_, F>) -> Result<()> {
        for from in (0..input.len_of(Axis(0))).step_by(PIECE) {
            let piece = Slice::from(from..input.len_of(Axis(0)).min(from + PIECE));
            let x = CowTensor::from(input.slice_axis(Axis(0), piece));
            let (y, mut place) = (self.forward_cow(x)?, output.slice_axis_mut(Axis(0), piece));
            if y.shape() != place.shape() {
                return Err(Error::shape("an output", format!("{:?}", place.shape()), y.shape())
                    .help("A layer's `output_shape` does not say what its `forward` does; mend the layer."));
            }
            match (place.as_slice_mut(), y.as_slice()) {
                (Some(values), Some(y)) => values.copy_from_slice(y),
                _ => place.assign(&y),
            }
            recycle(owned(y));
        }
        Ok(())
    }
}
