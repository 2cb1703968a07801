//! Class indices as probabilities.

use super::pass_on;
use super::{Batch, ClassTargets, Dataset, Pass};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::tensor::{Tensor, slice_mut};
use ndarray::IxDyn;

/// The greatest number of classes. A larger number is taken for a mistake: a batch of 64 would have a gigabyte of
/// targets.
const MOST_CLASSES: usize = 1 << 22;

/// A data set whose class indices become rows of probabilities, for
/// [`SoftCrossEntropy`](crate::losses::SoftCrossEntropy).
///
/// With label smoothing `ε` and `K` classes, in training, the target of class `j` is
///
/// ```text
/// t_j = (1 - ε) · [j = label] + ε / K
/// ```
///
/// (Szegedy, Vanhoucke, Ioffe, Shlens and Wojna, "Rethinking the inception architecture for computer vision", 2016,
/// arXiv:1512.00567, section 7). In evaluation targets are 1 and 0, so that losses can be compared.
///
/// ```
/// use plywood::ndarray::{Array2, array};
/// use plywood::prelude::*;
///
/// let data = ArrayDataset::new(Array2::<f32>::zeros((3, 2)), vec![0, 3, 1])?;
/// let soft = OneHot::new(data, 4)?.smoothing(0.2)?;
/// let mut batch = Batch::<f32, Tensor>::default();
/// soft.read(&[1], Pass::Train { epoch: 0 }, &mut batch)?;
/// assert_eq!(batch.target, array![[0.05, 0.05, 0.05, 0.85]].into_dyn());
/// soft.read(&[1], Pass::Evaluate, &mut batch)?;
/// assert_eq!(batch.target, array![[0.0, 0.0, 0.0, 1.0]].into_dyn());
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// [`Accuracy`](crate::metrics::Accuracy) takes such targets too. Reports by class need indices: give them the
/// wrapped data set. It corresponds to Keras' `to_categorical` and `CategoricalCrossentropy(label_smoothing=0.2)`,
/// and to PyTorch's `one_hot` and `CrossEntropyLoss(label_smoothing=0.2)`, both of which smooth in evaluation too.
#[derive(Clone, Debug)]
pub struct OneHot<D> {
    data: D,
    classes: usize,
    smoothing: f64,
    /// The name of the target, of several.
    target: Option<String>,
}

impl<D> OneHot<D> {
    /// Wraps this data set, which may be a reference, so that targets are `[batch, classes]`.
    ///
    /// # Errors
    /// When the number of classes is 0, or above four million.
    pub fn new(data: D, classes: usize) -> Result<Self> {
        if classes == 0 || classes > MOST_CLASSES {
            return Err(Error::argument(
                "the number of classes",
                format!("from 1 to {MOST_CLASSES}"),
                classes,
            )
            .help("Give as many as the model has outputs."));
        }
        Ok(Self { data, classes, smoothing: 0.0, target: None })
    }

    /// [`new`](Self::new) for one of several targets ([`NamedTargets`](crate::data::NamedTargets)); the others stay as
    /// they are.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn on(target: impl Into<String>, data: D, classes: usize) -> Result<Self> {
        Ok(Self { target: Some(target.into()), ..Self::new(data, classes)? })
    }

    /// In training, spreads this share of each sample's probability over all classes; 0.1 is usual.
    ///
    /// # Errors
    /// When the share is below 0, or 1 or more.
    pub fn smoothing(mut self, share: f64) -> Result<Self> {
        if !(0.0..1.0).contains(&share) {
            return Err(Error::argument("the label smoothing", "at least 0 and below 1", share)
                .help("It is the share spread over all classes; 0.1 is usual.")
                .at("one-hot targets"));
        }
        self.smoothing = share;
        Ok(self)
    }
}

#[deny(clippy::missing_trait_methods)]
impl<F: Scalar, D: Dataset<F>> Dataset<F> for OneHot<D>
where
    D::Target: ClassTargets<F>,
{
    type Target = <D::Target as ClassTargets<F>>::Soft;

    pass_on!(
        len,
        is_empty,
        input_shapes,
        class_names,
        class_names_of,
        target_name,
        remarks,
        prefetch,
        is_finite
    );

    fn read(&self, indices: &[usize], pass: Pass, batch: &mut Batch<F, Self::Target>) -> Result<()> {
        let target = D::Target::from_soft(&mut batch.target);
        let inputs = std::mem::take(&mut batch.inputs);
        let mut inner = Batch { inputs, target, weights: batch.weights.take() };
        self.data.read(indices, pass, &mut inner)?;
        (batch.inputs, batch.weights) = (inner.inputs, inner.weights);
        let smoothing = if matches!(pass, Pass::Evaluate) { 0.0 } else { self.smoothing };
        self.soften(inner.target, smoothing, &mut batch.target)
    }

    fn read_targets(&self, indices: &[usize], batch: &mut Batch<F, Self::Target>) -> Result<bool> {
        let mut inner = Batch { target: D::Target::from_soft(&mut batch.target), ..Batch::default() };
        let read = self.data.read_targets(indices, &mut inner)?;
        batch.weights = inner.weights;
        if read {
            self.soften(inner.target, 0.0, &mut batch.target)?;
        }
        Ok(read)
    }
}

impl<D> OneHot<D> {
    fn soften<F: Scalar, T: ClassTargets<F>>(
        &self,
        target: T,
        smoothing: f64,
        soft: &mut T::Soft,
    ) -> Result<()> {
        let name = self.target.as_deref();
        target.soften(name, &mut |labels, rows| self.write(labels, smoothing, rows), soft)
    }

    /// Writes the labels as rows of probabilities, with the share `smoothing` spread over all classes.
    fn write<F: Scalar>(&self, labels: &[usize], smoothing: f64, target: &mut Tensor<F>) -> Result<()> {
        let classes = self.classes;
        if let Some((i, label)) = labels.iter().enumerate().find(|(_, label)| **label >= classes) {
            let expected = format!("be below {classes}, the number of classes");
            return Err(Error::sample("the label", i, expected, label).help("Labels count from 0."));
        }
        let shape = [labels.len(), classes];
        if target.shape() != shape || !target.is_standard_layout() {
            *target = Tensor::zeros(IxDyn(&shape));
        }
        let rest = smoothing / classes as f64;
        target.fill(F::of(rest));
        for (row, &label) in slice_mut(target).chunks_exact_mut(classes).zip(labels) {
            row[label] = F::of(1.0 - smoothing + rest);
        }
        Ok(())
    }
}
