//! [`TargetArrays`]: the targets of several outputs in memory.

use super::targets::{Targets, check_weights};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::shown::cut;
use crate::target::NamedTargets;
use ndarray::{Array, ArrayD, Axis, Dimension, Slice};

/// The targets of several outputs, by the names of the outputs: class indices or numbers for each.
///
/// ```
/// use plywood::data::TargetArrays;
/// use plywood::ndarray::array;
///
/// let targets = TargetArrays::new()
///     .classes("class", vec![Some(2), None, Some(0)]) // the second sample has no class
///     .numbers("size", array![[0.5f32], [0.7], [f32::NAN]])
///     .nan_is_missing(); // and the third no size
/// # let _ = targets;
/// ```
///
/// They are the targets of [`Arrays`](super::Arrays) or of an [`ArrayDataset`](super::ArrayDataset). A sample whose target
/// is missing has the weight 0 for that output. What is wrong with a target is the error of the data set.
#[derive(Clone, Debug)]
pub struct TargetArrays<F: Scalar = f32> {
    list: Vec<Target<F>>,
    /// A method that was called before there was a target.
    early: Option<&'static str>,
}

#[derive(Clone, Debug)]
struct Target<F: Scalar> {
    name: String,
    values: Values<F>,
    weights: Option<Vec<f64>>,
    /// Where there is a target; empty if everywhere.
    present: Vec<bool>,
    nan_is_missing: bool,
    class_names: Vec<String>,
}

#[derive(Clone, Debug)]
enum Values<F: Scalar> {
    Classes(Vec<usize>),
    Numbers(ArrayD<F>),
}

impl TargetArrays {
    /// Makes targets for models of `f32`, none so far.
    #[allow(clippy::new_without_default)] // `default` would not choose the type.
    pub fn new() -> Self {
        Self::new_of()
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for Vec<usize> {}
    impl Sealed for Vec<Option<usize>> {}
}

/// Class indices in memory: a `Vec<usize>`, or a `Vec<Option<usize>>` with `None` where the class is missing.
pub trait ClassIndices: sealed::Sealed {
    /// Returns an index for each sample, `None` where it is missing.
    #[doc(hidden)]
    fn parts(self) -> (Vec<usize>, Vec<bool>);
}

impl ClassIndices for Vec<usize> {
    fn parts(self) -> (Vec<usize>, Vec<bool>) {
        (self, Vec::new())
    }
}

impl ClassIndices for Vec<Option<usize>> {
    fn parts(self) -> (Vec<usize>, Vec<bool>) {
        // A sample without a class has one that occurs, so that it is valid for the loss; its weight is 0.
        let any = self.iter().copied().flatten().next().unwrap_or(0);
        (self.iter().map(|class| class.unwrap_or(any)).collect(), self.iter().map(Option::is_some).collect())
    }
}

impl<F: Scalar> TargetArrays<F> {
    /// Makes targets for models of this element type: `TargetArrays::<f64>::new_of()`.
    pub fn new_of() -> Self {
        Self { list: Vec::new(), early: None }
    }

    fn add(mut self, name: String, values: Values<F>, present: Vec<bool>) -> Self {
        let (weights, class_names) = (None, Vec::new());
        self.list.push(Target { name, values, weights, present, nan_is_missing: false, class_names });
        self
    }

    /// The last target; a method that needs one and comes first is an error later.
    fn last(&mut self, method: &'static str) -> Option<&mut Target<F>> {
        if self.list.is_empty() {
            self.early.get_or_insert(method);
        }
        self.list.last_mut()
    }

    /// Adds the classes of an output, one for each sample; of a list of `Option<usize>`, `None` is missing.
    #[must_use]
    pub fn classes(self, output: impl Into<String>, classes: impl ClassIndices) -> Self {
        let (classes, present) = classes.parts();
        self.add(output.into(), Values::Classes(classes), present)
    }

    /// Adds the numbers of an output, `[samples, …]` with the shape of the output.
    #[must_use]
    pub fn numbers<D: Dimension>(self, output: impl Into<String>, numbers: Array<F, D>) -> Self {
        let numbers = numbers.into_dyn().as_standard_layout().into_owned();
        self.add(output.into(), Values::Numbers(numbers), Vec::new())
    }

    /// Counts a sample whose numbers of the last target include a NaN as one whose target is missing.
    ///
    /// Without it, a NaN is an error.
    #[must_use]
    pub fn nan_is_missing(mut self) -> Self {
        let Some(target) = self.last("nan_is_missing") else { return self };
        target.nan_is_missing = true;
        if let Values::Numbers(numbers) = &mut target.values
            && numbers.ndim() > 0
        {
            let present: Vec<bool> =
                numbers.axis_iter(Axis(0)).map(|row| row.iter().all(|x| !x.is_nan())).collect();
            // Such a sample has the numbers of one that has a target, so that they are valid for the loss.
            let any = present.iter().position(|present| *present);
            let any = any.map(|at| numbers.index_axis(Axis(0), at).to_owned());
            for (mut row, _) in numbers.axis_iter_mut(Axis(0)).zip(&present).filter(|(_, present)| !**present)
            {
                match &any {
                    Some(any) => row.assign(any),
                    None => row.fill(F::zero()),
                }
            }
            target.present = present;
        }
        self
    }

    /// Sets a weight for each sample's last target; 0 leaves the sample out of that output's loss and metrics.
    #[must_use]
    pub fn weights(mut self, weights: Vec<f64>) -> Self {
        if let Some(target) = self.last("weights") {
            target.weights = Some(weights);
        }
        self
    }

    /// Sets the names of the classes of the last target, in the order of their indices; reports use them.
    #[must_use]
    pub fn class_names<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        if let Some(target) = self.last("class_names") {
            target.class_names = names.into_iter().map(Into::into).collect();
        }
        self
    }
}

impl<F: Scalar> Target<F> {
    fn count(&self) -> usize {
        match &self.values {
            Values::Classes(classes) => classes.len(),
            Values::Numbers(numbers) => numbers.shape().first().copied().unwrap_or(0),
        }
    }

    /// Whether samples have unequal weights.
    fn is_weighted(&self) -> bool {
        self.weights.is_some() || self.present.contains(&false)
    }

    fn weight(&self, i: usize) -> f64 {
        let present = self.present.get(i).copied().unwrap_or(true);
        if present { self.weights.as_ref().map_or(1.0, |weights| weights[i]) } else { 0.0 }
    }

    fn check(&self, samples: usize) -> Result<()> {
        let what = || format!("the targets of {:?}", cut(&self.name));
        if let Values::Numbers(numbers) = &self.values
            && numbers.ndim() == 0
        {
            return Err(Error::shape(what(), "[samples, …]", &[]).help("Axis 0 counts the samples."));
        }
        if self.count() != samples {
            return Err(Error::data(what(), format!("be {samples}, one for each sample"), self.count())
                .help("Give one target for each sample."));
        }
        if self.nan_is_missing && matches!(self.values, Values::Classes(_)) {
            return Err(Error::data(what(), "be numbers for `nan_is_missing`", "class indices")
                .help("Give a list of `Option<usize>`, with `None` for a missing class."));
        }
        if let Some(weights) = &self.weights {
            check_weights(weights, samples).map_err(|error| error.at(what()))?;
        }
        Ok(())
    }
}

impl<F: Scalar> Targets for TargetArrays<F> {
    const NAMED: bool = true;
    type Batch = NamedTargets<F>;

    fn count(&self) -> usize {
        self.list.first().map_or(0, Target::count)
    }

    fn check(&self, samples: usize) -> Result<()> {
        if let Some(method) = self.early {
            return Err(Error::data(format!("`{method}`"), "follow a target", "none before it")
                .help("Call `classes` or `numbers` first."));
        }
        if self.list.is_empty() {
            return Err(Error::data("the targets", "be for at least one output", "none")
                .help("Call `classes` or `numbers`; for losses that read no target, give `()`."));
        }
        for (at, target) in self.list.iter().enumerate() {
            if self.list[..at].iter().any(|before| before.name == target.name) {
                let found = format!("{:?} twice", cut(&target.name));
                return Err(Error::data("the targets", "be one for each output", found)
                    .help("Name the outputs as in the model."));
            }
            target.check(samples)?;
        }
        Ok(())
    }

    fn class_names_of(&self, target: &str) -> &[String] {
        self.list.iter().find(|known| known.name == target).map_or(&[], |known| &known.class_names)
    }

    fn gather(&self, indices: &[usize], batch: &mut NamedTargets<F>) {
        for target in &self.list {
            match &target.values {
                Values::Classes(classes) => {
                    batch.classes_mut(&target.name).extend(indices.iter().map(|&i| classes[i]));
                }
                Values::Numbers(numbers) => {
                    let (shape, values) = (&numbers.shape()[1..], numbers.as_slice().unwrap_or_default());
                    let columns: usize = shape.iter().product();
                    let out = batch.numbers_mut(&target.name, indices.len(), shape);
                    for (row, &i) in out.chunks_exact_mut(columns.max(1)).zip(indices) {
                        row.copy_from_slice(&values[i * columns..(i + 1) * columns]);
                    }
                }
            }
            if target.is_weighted() {
                let weights = indices.iter().map(|&i| F::of(target.weight(i)));
                batch.weights_mut(&target.name).extend(weights);
            }
        }
    }

    fn first(mut self, count: usize) -> Self {
        for target in &mut self.list {
            match &mut target.values {
                Values::Classes(classes) => classes.truncate(count),
                Values::Numbers(numbers) => {
                    *numbers = numbers.slice_axis(Axis(0), Slice::from(..count)).to_owned();
                }
            }
            target.present.truncate(count);
            if let Some(weights) = &mut target.weights {
                weights.truncate(count);
            }
        }
        self
    }
}
