//! A layer's numbers: trained, frozen, or kept beside (buffers).

use crate::codec;
use crate::error::{Error, Result};
use crate::scalar::Scalar;
use crate::tensor::{Tensor, slice, slice_mut, standard};
use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

/// What becomes of a parameter in training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ParamKind {
    /// The optimiser changes it.
    Trainable,
    /// The optimiser leaves it alone, until it is made trainable again; its gradient is not computed.
    Frozen,
    /// The layer itself keeps it (a running mean); it is saved and restored with the rest, and has no gradient.
    Buffer,
}

/// What backward passes have added up for one parameter since the last step.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Gradient<F = f32> {
    /// A number for each number of the parameter, in its shape.
    Dense(Tensor<F>),
    /// Only some rows (positions along axis 0), as an embedding has it; an id may come up more than once, and its
    /// rows then add up.
    Rows {
        /// The row that each row of `values` belongs to.
        ids: Vec<usize>,
        /// One row after the other.
        values: Vec<F>,
    },
}

/// An array that a layer owns, with its gradient.
///
/// The value and the kind are saved with the layer; the gradient is not. The value is always in row-major order.
///
/// ```
/// use ndarray::{arr1, arr2};
/// use plywood::{Gradient, Param};
///
/// let mut scale = Param::new(arr1(&[1.0, 2.0]));
/// scale.add_gradient(&arr1(&[0.5, 0.5]).into_dyn())?;
/// assert!(matches!(scale.gradient(), Some(Gradient::Dense(g)) if g[[1]] == 0.5));
///
/// let mut table = Param::new(arr2(&[[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]));
/// table.add_gradient_rows(&[2], arr2(&[[1.0, 1.0]]).view())?; // costs what it touches
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Param<F: Scalar = f32> {
    #[serde(with = "codec::tensor")]
    value: Tensor<F>,
    kind: ParamKind,
    #[serde(skip)]
    gradient: Stored<F>,
}

/// The gradient's buffers outlive the steps; `Fresh` holds one whose numbers are of a step that is over.
#[derive(Clone, Debug, Default)]
enum Stored<F> {
    #[default]
    None,
    Fresh(Gradient<F>),
    Filled(Gradient<F>),
}

impl<F: Scalar> Param<F> {
    /// A trainable parameter with this initial value.
    pub fn new<D: ndarray::Dimension>(value: ndarray::Array<F, D>) -> Self {
        Self { value: standard(value.into_dyn()), kind: ParamKind::Trainable, gradient: Stored::None }
    }

    /// A buffer with this initial value.
    pub fn buffer<D: ndarray::Dimension>(value: ndarray::Array<F, D>) -> Self {
        Self { kind: ParamKind::Buffer, ..Self::new(value) }
    }

    /// The numbers.
    pub fn value(&self) -> &Tensor<F> {
        &self.value
    }

    /// The numbers as a slice, in row-major order.
    pub fn as_slice(&self) -> &[F] {
        slice(&self.value)
    }

    /// The numbers as a mutable slice, in row-major order.
    pub fn as_slice_mut(&mut self) -> &mut [F] {
        slice_mut(&mut self.value)
    }

    /// Puts other numbers in their place.
    ///
    /// # Errors
    /// When the shape is another one.
    pub fn set_value(&mut self, value: Tensor<F>) -> Result<()> {
        if value.shape() != self.value.shape() {
            let expected = format!("{:?}", self.value.shape());
            return Err(Error::shape("a value", expected, value.shape())
                .help("A parameter keeps its shape; build the layer anew to change it."));
        }
        self.value = standard(value);
        Ok(())
    }

    /// The shape.
    pub fn shape(&self) -> &[usize] {
        self.value.shape()
    }

    /// How many numbers there are.
    pub fn len(&self) -> usize {
        self.value.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.value.is_empty()
    }

    /// The kind.
    pub fn kind(&self) -> ParamKind {
        self.kind
    }

    /// Whether the optimiser changes it, and a backward pass has to compute its gradient.
    pub fn is_trainable(&self) -> bool {
        self.kind == ParamKind::Trainable
    }

    /// Freezes a trainable parameter; a buffer stays one.
    pub fn freeze(&mut self) {
        if self.kind == ParamKind::Trainable {
            self.kind = ParamKind::Frozen;
            self.gradient = Stored::None;
        }
    }

    /// Makes a frozen parameter trainable again; a buffer stays one.
    pub fn unfreeze(&mut self) {
        if self.kind == ParamKind::Frozen {
            self.kind = ParamKind::Trainable;
        }
    }

    /// What has been added up since the last step; none if nothing was.
    pub fn gradient(&self) -> Option<&Gradient<F>> {
        match &self.gradient {
            Stored::Filled(gradient) => Some(gradient),
            _ => None,
        }
    }

    /// Forgets the gradient, and keeps its buffer for the next.
    pub fn clear_gradient(&mut self) {
        if let Stored::Filled(gradient) = std::mem::take(&mut self.gradient) {
            self.gradient = Stored::Fresh(gradient);
        }
    }

    /// The value and the gradient together, to be changed: what an optimiser works on. None without a gradient.
    pub fn value_and_gradient(&mut self) -> Option<(&mut Tensor<F>, &mut Gradient<F>)> {
        match &mut self.gradient {
            Stored::Filled(gradient) => Some((&mut self.value, gradient)),
            _ => None,
        }
    }

    /// Adds to the gradient. Does nothing unless the parameter is trainable.
    ///
    /// # Errors
    /// When the shape is not the parameter's.
    pub fn add_gradient(&mut self, gradient: &Tensor<F>) -> Result<()> {
        if gradient.shape() != self.shape() {
            return Err(Error::shape("a gradient", format!("{:?}", self.shape()), gradient.shape())
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

    /// Adds to the gradient of some rows (positions along axis 0): `values` has a row for each of `ids`, with what
    /// lies behind axis 0 as its columns. Does nothing unless the parameter is trainable.
    ///
    /// # Errors
    /// When there are not as many rows as ids, a row has another length, or an id is out of range.
    pub fn add_gradient_rows(&mut self, ids: &[usize], values: ArrayView2<'_, F>) -> Result<()> {
        let (rows, columns) = match self.shape() {
            [rows, rest @ ..] => (*rows, rest.iter().product::<usize>()),
            [] => (0, 0),
        };
        if values.dim() != (ids.len(), columns) {
            let expected = format!("[{}, {columns}]", ids.len());
            return Err(Error::shape("a gradient by rows", expected, values.shape())
                .help("Give one row for each id, as long as a row of the parameter."));
        }
        if let Some(id) = ids.iter().find(|&&id| id >= rows) {
            return Err(Error::data("a row's id", format!("below {rows}"), id)
                .help("Ids are positions along the parameter's axis 0."));
        }
        if !self.is_trainable() {
            return Ok(());
        }
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

    /// The value, the gradient to write into, and the factor for what the gradient holds: 0 for the first write
    /// after a step (its old numbers mean nothing), then 1. None unless the parameter is trainable.
    ///
    /// This is [`add_gradient`](Param::add_gradient) without an array between: a product of matrices goes straight
    /// into the gradient, as `gradient = beta · gradient + x · y`, and nothing has to be zeroed.
    pub fn accumulate(&mut self) -> Option<(&Tensor<F>, &mut [F], F)> {
        if !self.is_trainable() {
            return None;
        }
        let (dense, beta) = match std::mem::take(&mut self.gradient) {
            Stored::Filled(Gradient::Dense(dense)) => (dense, F::one()),
            Stored::Fresh(Gradient::Dense(dense)) => (dense, F::zero()),
            Stored::Filled(Gradient::Rows { ids, values }) => {
                let mut dense = Tensor::zeros(self.value.raw_dim());
                let columns = values.len() / ids.len().max(1);
                for (id, row) in ids.iter().zip(values.chunks_exact(columns.max(1))) {
                    F::add_scaled(&mut slice_mut(&mut dense)[id * columns..][..columns], F::one(), row);
                }
                (dense, F::one())
            }
            _ => (Tensor::zeros(self.value.raw_dim()), F::zero()),
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
            "expected a row's id below 2, found 2. Ids are positions along the parameter's axis 0."
        );
        assert!(p.set_value(arr1(&[1.]).into_dyn()).is_err());
    }

    #[test]
    fn frozen_parameters_and_buffers_have_no_gradient() {
        let mut p = Param::new(arr1(&[1f32]));
        p.freeze();
        p.add_gradient(&arr1(&[1.]).into_dyn()).unwrap();
        assert!(p.gradient().is_none() && p.accumulate().is_none());
        p.unfreeze();
        assert!(p.is_trainable());
        let mut b = Param::buffer(arr1(&[1f32]));
        b.freeze();
        b.unfreeze();
        assert_eq!(b.kind(), ParamKind::Buffer);
    }
}
