//! A parameter's gradient: how it is accumulated and stored.
//!
//! A gradient's buffer has three states, so that a step neither allocates nor zeroes memory:
//!
//! ```text
//!            accumulate / add_gradient              clear_gradient
//!   None ──────────────────────────────> Filled <─────────────────> Fresh
//!  (no buffer)                    (values valid)    accumulate   (buffer kept, values outdated)
//! ```
//!
//! The gradient of a layer's weights is a product of two matrices, the layer's input and the gradient of its output,
//! and is usually larger than both. So it may be kept as a product ([`Param::add_gradient_product`]) until the
//! optimizer multiplies it out tile by tile, using each tile while it is still in the caches.
//!
//! The first write after a step goes to a `Fresh` buffer with `beta = 0`, which overwrites; later writes add with
//! `beta = 1`. PyTorch's `zero_grad(set_to_none=True)` is similar, but frees the buffer instead of keeping it. Since
//! gradients add up until they are cleared, a batch may be split over several backward passes. The number of samples is
//! stored with them, so that [`accumulate`](crate::train::accumulate) can keep the mean over all.

use super::Param;
use super::stored::{Gradient, GradientMut, PendingGradient, Product, Stored};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::tensor::{Tensor, recycle, slice, slice_mut, standard, zeros};
use ndarray::{ArrayView2, ArrayViewMutD};
use std::sync::OnceLock;

impl<F: Scalar> Param<F> {
    /// Returns the gradient accumulated since the last step, or `None` if there is none.
    ///
    /// `None` means "no backward pass since the last step", which differs from a gradient of zeros: an optimizer with
    /// momentum moves a parameter whose gradient is 0, and skips one without a gradient.
    pub fn gradient(&self) -> Option<&Gradient<F>> {
        match &self.gradient {
            Stored::Filled(gradient) => Some(gradient),
            Stored::Product(product) => Some(product.multiplied(&self.value)),
            Stored::None | Stored::Fresh(_) => None,
        }
    }

    /// Returns whether there is a gradient. Unlike [`gradient`](Param::gradient), it does not multiply anything out.
    pub(crate) fn has_gradient(&self) -> bool {
        matches!(self.gradient, Stored::Filled(_) | Stored::Product(_))
    }

    /// Discards the gradient and keeps its buffer for the next one.
    ///
    /// [`Optimizer::step`](crate::optim::Optimizer::step) calls it at its end. It is free: no value is written.
    pub fn clear_gradient(&mut self) {
        self.gradient = match std::mem::take(&mut self.gradient) {
            Stored::Filled(gradient) => Stored::Fresh(gradient),
            Stored::Product(product) => {
                recycle(product.left);
                recycle(product.right);
                product.multiplied.into_inner().map_or(Stored::None, Stored::Fresh)
            }
            as_it_was => as_it_was,
        };
        self.samples = 0;
    }

    /// Returns the number of samples that the gradient is a mean over; 0 if there is no gradient, or the number was not
    /// set.
    pub(crate) fn samples(&self) -> u64 {
        if self.has_gradient() { self.samples } else { 0 }
    }

    /// Sets the number of samples that the gradient is a mean over.
    pub(crate) fn set_samples(&mut self, samples: u64) {
        self.samples = samples;
    }

    /// Multiplies the gradient by `factor`, if there is one.
    pub(crate) fn scale_gradient(&mut self, factor: F) {
        match self.both() {
            Some((_, Gradient::Dense(gradient))) => F::scale(slice_mut(gradient), factor),
            Some((_, Gradient::Rows { values, .. })) => F::scale(values, factor),
            None => {}
        }
    }

    /// Returns the value and the gradient together for mutation, as an optimizer needs them; `None` without a gradient.
    ///
    /// An update such as `value -= learning_rate · gradient` needs both borrows at once. Both are views, so that the
    /// shapes and the ids of the rows cannot change.
    ///
    /// ```
    /// use plywood::ndarray::arr1;
    /// use plywood::nn::{GradientMut, Param};
    ///
    /// let mut weight = Param::new(arr1(&[1.0f32, 1.0]));
    /// assert!(weight.value_and_gradient().is_none());
    /// weight.add_gradient(&arr1(&[10.0, -10.0]).into_dyn())?;
    /// if let Some((mut value, GradientMut::Dense(gradient))) = weight.value_and_gradient() {
    ///     value.scaled_add(-0.1, &gradient); // one step of gradient descent
    /// }
    /// assert_eq!(weight.as_slice(), [0.0, 2.0]);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    pub fn value_and_gradient(&mut self) -> Option<(ArrayViewMutD<'_, F>, GradientMut<'_, F>)> {
        let (value, gradient) = self.both()?;
        let gradient = match gradient {
            Gradient::Dense(gradient) => GradientMut::Dense(gradient.view_mut()),
            Gradient::Rows { ids, values } => GradientMut::Rows { ids, values },
        };
        Some((value, gradient))
    }

    /// [`value_and_gradient`](Param::value_and_gradient) for use inside the crate, where rows may be merged.
    pub(crate) fn both(&mut self) -> Option<(ArrayViewMutD<'_, F>, &mut Gradient<F>)> {
        self.multiply_out();
        match &mut self.gradient {
            Stored::Filled(gradient) => Some((self.value.view_mut(), gradient)),
            _ => None,
        }
    }

    /// Adds to the gradient. Does nothing if the parameter is not trainable.
    ///
    /// Takes one pass over the values: the first call after a step copies, later ones add. If the parameter has a
    /// gradient by rows, that is converted to a dense one first.
    ///
    /// # Errors
    /// When the shape differs from the parameter's.
    pub fn add_gradient(&mut self, gradient: &Tensor<F>) -> Result<()> {
        if gradient.shape() != self.shape() {
            return Err(Error::shape("the gradient", format!("{:?}", self.shape()), gradient.shape())
                .help("The gradient of a parameter has the parameter's shape."));
        }
        if let Some((_, sum, beta)) = self.accumulate() {
            let copy;
            let gradient = match gradient.as_slice() {
                Some(gradient) => gradient,
                None => {
                    copy = standard(gradient.clone());
                    slice(&copy)
                }
            };
            if beta == F::zero() {
                sum.copy_from_slice(gradient);
            } else {
                F::add_scaled(sum, F::one(), gradient);
            }
        }
        Ok(())
    }

    /// [`value_and_gradient`](Param::value_and_gradient) for the optimizer, which multiplies products out itself.
    pub(crate) fn pending(&mut self) -> Option<(&mut [F], PendingGradient<'_, F>)> {
        let shape = [self.value.shape().first(), self.value.shape().get(1)].map(|n| n.copied().unwrap_or(1));
        let pending = match &mut self.gradient {
            Stored::Filled(Gradient::Dense(gradient)) => PendingGradient::Dense(slice(gradient)),
            Stored::Filled(Gradient::Rows { ids, values }) => PendingGradient::Rows(ids, values),
            Stored::Product(product) => {
                let (left, right) = product.factors(shape);
                PendingGradient::Product(left, right)
            }
            Stored::None | Stored::Fresh(_) => return None,
        };
        Some((slice_mut(&mut self.value), pending))
    }

    /// Converts a product into a dense gradient.
    fn multiply_out(&mut self) {
        if let Stored::Product(product) = &self.gradient {
            product.multiplied(&self.value);
            let samples = self.samples;
            self.clear_gradient();
            self.samples = samples;
            if let Stored::Fresh(gradient) = std::mem::take(&mut self.gradient) {
                self.gradient = Stored::Filled(gradient);
            }
        }
    }

    /// Adds `leftᵀ · right` to the gradient of a matrix: for `y = x · W`, `left` is the input `x` and `right` the
    /// gradient of `y`. Does nothing if the parameter is not trainable.
    ///
    /// | | shape |
    /// |---|---|
    /// | the parameter | `[inputs, units]` |
    /// | `left` | `[batch, …, inputs]` |
    /// | `right` | `[batch, …, units]` |
    ///
    /// Equivalent to [`accumulate`](Param::accumulate) followed by a matrix product, but usually cheaper: a product
    /// that is small, or takes no more memory than the gradient, is kept as its two factors. The optimizer's step
    /// multiplies it out a few rows at a time and updates the weights with them at once, so the whole gradient is never
    /// in memory. Reading it with [`gradient`](Param::gradient) multiplies it out, with bit-identical results.
    ///
    /// ```
    /// use plywood::ndarray::arr2;
    /// use plywood::nn::{Gradient, Param};
    ///
    /// let mut weight = Param::new(arr2(&[[0.0, 0.0], [0.0, 0.0]]));
    /// let (x, at_y) = (arr2(&[[1.0, 2.0]]).into_dyn(), arr2(&[[10.0, 0.5]]).into_dyn());
    /// weight.add_gradient_product(x, at_y)?;
    /// assert!(matches!(weight.gradient(), Some(Gradient::Dense(g)) if *g == arr2(&[[10.0, 0.5], [20.0, 1.0]]).into_dyn()));
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the shapes do not agree.
    pub fn add_gradient_product(&mut self, left: Tensor<F>, right: Tensor<F>) -> Result<()> {
        let fits = match *self.shape() {
            [inputs, units] => {
                left.ndim() == right.ndim()
                    && left
                        .shape()
                        .split_last()
                        .zip(right.shape().split_last())
                        .is_some_and(|((i, x), (u, y))| x == y && (*i, *u) == (inputs, units))
            }
            _ => false,
        };
        if !fits {
            let found = format!("{:?} and {:?}", left.shape(), right.shape());
            let expected = format!("have a product of shape {:?}", self.shape());
            return Err(Error::data("the factors of the gradient", expected, found)
                .help("For y = x · W give x and the gradient at y: the same axes but for the last."));
        }
        if !self.is_trainable() {
            recycle(left);
            recycle(right);
            return Ok(());
        }
        let product = Product { left: standard(left), right: standard(right), multiplied: OnceLock::new() };
        if matches!(self.gradient, Stored::None) && product.may_wait(self.value.len()) {
            self.gradient = Stored::Product(product);
        } else if let Some((value, sum, beta)) = self.accumulate() {
            product.multiply(value, beta, sum);
            recycle(product.left);
            recycle(product.right);
        }
        Ok(())
    }

    /// Adds to the gradient of some rows (positions along axis 0): `values` has a row for each of `ids`, and the axes
    /// after axis 0, flattened, as its columns. Does nothing if the parameter is not trainable.
    ///
    /// Time and memory depend only on the rows given, unless the gradient is already dense; then the rows are added to
    /// it. An id may occur several times, in one call or over several calls:
    ///
    /// ```
    /// use plywood::ndarray::{Array2, arr2};
    /// use plywood::nn::{Gradient, Param};
    ///
    /// let mut table = Param::new(Array2::<f32>::zeros((1000, 2)));
    /// table.add_gradient_rows(&[7, 7], arr2(&[[1.0, 0.0], [2.0, 0.5]]).view())?;
    /// assert!(matches!(table.gradient(), Some(Gradient::Rows { ids, .. }) if ids == &[7, 7]));
    /// table.add_gradient(&Array2::zeros((1000, 2)).into_dyn())?; // from here on it is dense
    /// assert!(matches!(table.gradient(), Some(Gradient::Dense(g)) if g[[7, 0]] == 3.0 && g[[7, 1]] == 0.5));
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the number of rows is not that of the ids, a row has the wrong length, or an id is out of range.
    pub fn add_gradient_rows(&mut self, ids: &[usize], values: ArrayView2<'_, F>) -> Result<()> {
        let (rows, columns) = match self.shape() {
            [rows, rest @ ..] => (*rows, rest.iter().product::<usize>()),
            [] => (0, 0),
        };
        if values.dim() != (ids.len(), columns) {
            let expected = format!("[{}, {columns}]", ids.len());
            return Err(Error::shape("the gradient by rows", expected, values.shape())
                .help("Give one row for each id, as long as a row of the parameter."));
        }
        if let Some(id) = ids.iter().find(|&&id| id >= rows) {
            return Err(Error::data("the id of a row", format!("be below {rows}"), id)
                .help("Ids are positions along the parameter's axis 0."));
        }
        if !self.is_trainable() {
            return Ok(());
        }
        self.multiply_out();
        let values = values.as_standard_layout();
        let values = values.as_slice().unwrap_or_default();
        match &mut self.gradient {
            Stored::Filled(Gradient::Rows { ids: all_ids, values: all }) => {
                all_ids.extend_from_slice(ids);
                all.extend_from_slice(values);
            }
            Stored::Filled(Gradient::Dense(dense)) => {
                let dense = slice_mut(dense);
                for (row, &id) in ids.iter().enumerate() {
                    let (to, from) = (id * columns..(id + 1) * columns, row * columns..(row + 1) * columns);
                    F::add_scaled(&mut dense[to], F::one(), &values[from]);
                }
            }
            Stored::Fresh(Gradient::Rows { ids: all_ids, values: all }) => {
                let (mut all_ids, mut all) = (std::mem::take(all_ids), std::mem::take(all));
                all_ids.clear();
                all.clear();
                all_ids.extend_from_slice(ids);
                all.extend_from_slice(values);
                self.gradient = Stored::Filled(Gradient::Rows { ids: all_ids, values: all });
            }
            _ => {
                let (ids, values) = (ids.to_vec(), values.to_vec());
                self.gradient = Stored::Filled(Gradient::Rows { ids, values });
            }
        }
        Ok(())
    }

    /// Returns the value, the gradient to write into, and the factor for the gradient's old content: 0 for the first
    /// write after a step, when the old values are meaningless, then 1. Returns `None` if the parameter is not
    /// trainable.
    ///
    /// This is [`add_gradient`](Param::add_gradient) without an intermediate array: a matrix product writes directly
    /// into the gradient, as `gradient = beta · gradient + x · y`, and nothing has to be zeroed.
    ///
    /// ```
    /// use plywood::nn::Param;
    ///
    /// let mut bias = Param::<f32>::new(plywood::ndarray::Array1::zeros(2));
    /// for batch in [[1.0, 2.0], [10.0, 20.0]] {
    ///     if let Some((_, sum, beta)) = bias.accumulate() {
    ///         for (sum, g) in sum.iter_mut().zip(batch) {
    ///             *sum = if beta == 0.0 { g } else { beta * *sum + g };
    ///         }
    ///     }
    /// }
    /// assert_eq!(bias.accumulate().unwrap().1, [11.0, 22.0]);
    /// ```
    ///
    /// Every call must write the whole slice, including values whose gradient is 0 when `beta` is 0: all of it counts
    /// from then on. Multiplying the old values by 0 is not enough, since 0 · NaN is NaN.
    pub fn accumulate(&mut self) -> Option<(&Tensor<F>, &mut [F], F)> {
        if !self.is_trainable() {
            return None;
        }
        self.multiply_out();
        let (dense, beta) = match std::mem::take(&mut self.gradient) {
            Stored::Filled(Gradient::Dense(dense)) => (dense, F::one()),
            Stored::Fresh(Gradient::Dense(dense)) => (dense, F::zero()),
            Stored::Filled(Gradient::Rows { ids, values }) => {
                let mut dense = zeros(self.value.raw_dim());
                let columns = values.len() / ids.len().max(1);
                for (id, row) in ids.iter().zip(values.chunks_exact(columns.max(1))) {
                    F::add_scaled(&mut slice_mut(&mut dense)[id * columns..][..columns], F::one(), row);
                }
                (dense, F::one())
            }
            _ => (zeros(self.value.raw_dim()), F::zero()),
        };
        self.gradient = Stored::Filled(Gradient::Dense(dense));
        match &mut self.gradient {
            Stored::Filled(Gradient::Dense(dense)) => Some((&self.value, slice_mut(dense), beta)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{arr1, arr2};

    fn dense(param: &Param<f32>) -> Vec<f32> {
        match param.gradient() {
            Some(Gradient::Dense(g)) => g.iter().copied().collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn gradients_add_up_until_they_are_cleared() {
        let mut p = Param::new(arr1(&[1f32, 2.]));
        assert!(p.gradient().is_none());
        for _ in 0..2 {
            p.add_gradient(&arr1(&[1., 10.]).into_dyn()).unwrap();
        }
        assert_eq!(dense(&p), [2., 20.]);
        p.clear_gradient();
        assert!(p.gradient().is_none());
        p.add_gradient(&arr1(&[3., 4.]).into_dyn()).unwrap();
        assert_eq!(dense(&p), [3., 4.], "old numbers do not come back");
    }

    #[test]
    fn rows_and_dense_gradients_mix() {
        let row = arr2(&[[1f32, 1.]]);
        let mut p = Param::new(arr2(&[[0f32, 0.], [0., 0.]]));
        p.add_gradient_rows(&[1], row.view()).unwrap();
        p.add_gradient_rows(&[1], row.view()).unwrap();
        assert!(matches!(p.gradient(), Some(Gradient::Rows { ids, .. }) if ids == &[1, 1]));
        p.add_gradient(&arr2(&[[5., 5.], [5., 5.]]).into_dyn()).unwrap();
        assert_eq!(dense(&p), [5., 5., 7., 7.]);
        p.add_gradient_rows(&[0], row.view()).unwrap();
        assert_eq!(dense(&p), [6., 6., 7., 7.]);
        p.clear_gradient();
        p.add_gradient_rows(&[0], row.view()).unwrap();
        assert!(matches!(p.gradient(), Some(Gradient::Rows { ids, .. }) if ids == &[0]));
    }

    #[test]
    fn wrong_shapes_and_ids_are_errors() {
        let mut p = Param::new(arr2(&[[0f32, 0.], [0., 0.]]));
        assert!(p.add_gradient(&arr1(&[1.]).into_dyn()).is_err());
        assert!(p.add_gradient_rows(&[0], arr2(&[[1.]]).view()).is_err());
        let text = p.add_gradient_rows(&[2], arr2(&[[1., 1.]]).view()).unwrap_err().to_string();
        assert_eq!(
            text,
            "the id of a row must be below 2, got 2. Ids are positions along the parameter's axis 0."
        );
        assert!(p.set_value(arr1(&[1.]).into_dyn()).is_err());
    }
}
