//! [`OneTarget`]: a data set with one of several targets.

use super::pass_on;
use super::{Batch, Dataset, Pass, check_indices};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::predictions::check_weights;
use crate::target::{NamedTargets, OfName};
use crate::tensor::Tensor;
use std::marker::PhantomData;

/// A data set with one of several targets ([`NamedTargets`]) as its only one: for reports and pictures, which are of one
/// output, and for models with one output.
///
/// Samples whose target is missing (its weight is 0) are left out; [`indices`](OneTarget::indices) are the positions of the
/// others in the whole.
///
/// ```
/// use plywood::ndarray::{Array2, array};
/// use plywood::prelude::*;
///
/// let targets = TargetArrays::new()
///     .classes("class", vec![Some(1), None, Some(0)])
///     .class_names(["cat", "dog"])
///     .numbers("size", array![[3.0f32], [4.0], [5.0]]);
/// let data = Arrays::builder().input("x", Array2::<f32>::zeros((3, 2))).targets(targets)?;
/// let classes = OneTarget::classes("class", &data)?;
/// assert_eq!((classes.indices(), classes.class_names()), (&[0, 2][..], &["cat".to_owned(), "dog".to_owned()][..]));
/// let mut batch = Batch::<f32, Vec<usize>>::default();
/// classes.read(&[1, 0], Pass::Evaluate, &mut batch)?;
/// assert_eq!(batch.target, [0, 1]);
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// The weight of a sample is that for all outputs times that of the target.
#[derive(Clone, Debug)]
pub struct OneTarget<D, T> {
    data: D,
    target: String,
    /// The samples that have the target.
    indices: Vec<usize>,
    form: PhantomData<fn() -> T>,
}

/// The number of samples whose targets are read at once to find those that are missing.
const PIECE: usize = 4096;

impl<D> OneTarget<D, Vec<usize>> {
    /// Takes the class indices of the target with this name. `data` may be a reference.
    ///
    /// The targets are read once; with the inputs, if the data cannot read them alone.
    ///
    /// # Errors
    /// When the data have no such target, it is of another form, or cannot be read.
    pub fn classes<F: Scalar>(target: impl Into<String>, data: D) -> Result<Self>
    where
        D: Dataset<F, Target = NamedTargets<F>>,
    {
        Self::new(target.into(), data)
    }
}

impl<D, F: Scalar> OneTarget<D, Tensor<F>> {
    /// Takes the numbers of the target with this name. `data` may be a reference.
    ///
    /// The targets are read once; with the inputs, if the data cannot read them alone.
    ///
    /// # Errors
    /// When the data have no such target, it is of another form, or cannot be read.
    pub fn numbers(target: impl Into<String>, data: D) -> Result<Self>
    where
        D: Dataset<F, Target = NamedTargets<F>>,
    {
        Self::new(target.into(), data)
    }
}

impl<D, T> OneTarget<D, T> {
    fn new<F: Scalar>(target: String, data: D) -> Result<Self>
    where
        T: OfName<F>,
        D: Dataset<F, Target = NamedTargets<F>>,
    {
        let (mut indices, mut batch) = (Vec::new(), Batch::default());
        let mut find = || {
            for from in (0..data.len()).step_by(PIECE) {
                let piece: Vec<usize> = (from..data.len().min(from + PIECE)).collect();
                let in_data = |error: Error| error.in_data(|row| Some(from + row));
                if !data.read_targets(&piece, &mut batch).map_err(in_data)? {
                    data.read(&piece, Pass::Evaluate, &mut batch).map_err(in_data)?;
                }
                let weights = batch.target.weights(&target).map(<[F]>::to_vec);
                check_weights(weights.as_deref(), piece.len())
                    .map_err(|e| e.in_data(|row| Some(from + row)))?;
                T::take(&mut batch.target, &target)?;
                let missing = |row: usize| weights.as_ref().is_some_and(|weights| weights[row] == F::zero());
                indices.extend(piece.iter().enumerate().filter(|(row, _)| !missing(*row)).map(|(_, i)| *i));
            }
            Ok(())
        };
        find().map_err(|error: Error| error.at("one target"))?;
        Ok(Self { data, target, indices, form: PhantomData })
    }

    /// Returns the positions in the whole data set of the samples that have the target.
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }

    /// Returns the names of the target's classes.
    pub fn class_names<F: Scalar>(&self) -> &[String]
    where
        D: Dataset<F, Target = NamedTargets<F>>,
    {
        self.data.class_names_of(&self.target)
    }

    /// The positions in the whole of these samples.
    fn whole(&self, indices: &[usize]) -> Result<Vec<usize>> {
        check_indices(indices, self.indices.len())?;
        Ok(indices.iter().map(|&i| self.indices[i]).collect())
    }

    /// Picks the target out of all, and its weights.
    fn pick<F: Scalar>(&self, inner: Batch<F, NamedTargets<F>>, batch: &mut Batch<F, T>) -> Result<()>
    where
        T: OfName<F>,
    {
        let Batch { inputs, mut target, weights } = inner;
        let weights =
            target.weights_with(&self.target, weights.as_deref())?.map(|weights| weights.into_owned());
        batch.target = T::take(&mut target, &self.target)?;
        (batch.inputs, batch.weights) = (inputs, weights);
        Ok(())
    }
}

#[deny(clippy::missing_trait_methods)]
impl<F: Scalar, T: OfName<F>, D: Dataset<F, Target = NamedTargets<F>>> Dataset<F> for OneTarget<D, T> {
    type Target = T;

    pass_on!(input_shapes, class_names_of, remarks, prefetch, is_finite);

    fn len(&self) -> usize {
        self.indices.len()
    }

    fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }

    fn class_names(&self) -> &[String] {
        self.data.class_names_of(&self.target)
    }

    fn target_name(&self) -> Option<&str> {
        Some(&self.target)
    }

    fn read(&self, indices: &[usize], pass: Pass, batch: &mut Batch<F, T>) -> Result<()> {
        let inputs = std::mem::take(&mut batch.inputs);
        let mut inner = Batch { inputs, target: NamedTargets::default(), weights: None };
        self.data.read(&self.whole(indices)?, pass, &mut inner)?;
        self.pick(inner, batch)
    }

    fn read_targets(&self, indices: &[usize], batch: &mut Batch<F, T>) -> Result<bool> {
        let mut inner = Batch::default();
        let read = self.data.read_targets(&self.whole(indices)?, &mut inner)?;
        if read {
            self.pick(inner, batch)?;
        }
        Ok(read)
    }
}
