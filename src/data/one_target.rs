//! [`OneTarget`]: a data set with one of several targets.

use super::{Batch, Dataset, InputShapes, Pass};
use crate::error::Result;
use crate::kernels::Scalar;
use crate::target::{NamedTargets, OfName};
use std::marker::PhantomData;

/// A data set with one of several targets ([`NamedTargets`]) as its only one: for reports and pictures, which are of one
/// output, and for models with one output.
///
/// ```
/// use plywood::data::OneTarget;
/// use plywood::ndarray::{Array2, array};
/// use plywood::prelude::*;
///
/// let targets = TargetArrays::new().classes("class", vec![1, 0]).class_names(["cat", "dog"]).numbers("size", array![[3.0f32], [4.0]]);
/// let data = Arrays::builder().input("x", Array2::<f32>::zeros((2, 3))).targets(targets)?;
/// let classes = OneTarget::classes("class", &data);
/// let mut batch = Batch::<f32, Vec<usize>>::default();
/// classes.read(&[1, 0], Pass::Evaluate, &mut batch)?;
/// assert_eq!((batch.target, Dataset::<f32>::class_names(&classes)[1].as_str()), (vec![0, 1], "dog"));
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// The weights of a sample are those of all outputs times those of the target, so samples whose target is missing have
/// the weight 0.
#[derive(Clone, Debug)]
pub struct OneTarget<D, T> {
    data: D,
    target: String,
    form: PhantomData<fn() -> T>,
}

impl<D> OneTarget<D, Vec<usize>> {
    /// Takes the class indices of the target with this name. `data` may be a reference.
    pub fn classes(target: impl Into<String>, data: D) -> Self {
        Self { data, target: target.into(), form: PhantomData }
    }
}

impl<D, F: Scalar> OneTarget<D, crate::tensor::Tensor<F>> {
    /// Takes the numbers of the target with this name. `data` may be a reference.
    pub fn numbers(target: impl Into<String>, data: D) -> Self {
        Self { data, target: target.into(), form: PhantomData }
    }
}

impl<D, T> OneTarget<D, T> {
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

    fn len(&self) -> usize {
        self.data.len()
    }

    fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    fn input_shapes(&self) -> InputShapes<'_> {
        self.data.input_shapes()
    }

    fn class_names(&self) -> &[String] {
        self.data.class_names_of(&self.target)
    }

    fn class_names_of(&self, target: &str) -> &[String] {
        self.data.class_names_of(target)
    }

    fn remarks(&self) -> &[String] {
        self.data.remarks()
    }

    fn prefetch(&self) -> usize {
        self.data.prefetch()
    }

    fn is_finite(&self) -> bool {
        self.data.is_finite()
    }

    fn read(&self, indices: &[usize], pass: Pass, batch: &mut Batch<F, T>) -> Result<()> {
        let inputs = std::mem::take(&mut batch.inputs);
        let mut inner = Batch { inputs, target: NamedTargets::default(), weights: None };
        self.data.read(indices, pass, &mut inner)?;
        self.pick(inner, batch)
    }

    fn read_targets(&self, indices: &[usize], batch: &mut Batch<F, T>) -> Result<bool> {
        let mut inner = Batch::default();
        let read = self.data.read_targets(indices, &mut inner)?;
        if read {
            self.pick(inner, batch)?;
        }
        Ok(read)
    }
}
