//! [`Arrays`]: samples in memory with several inputs.

use super::element::Element;
use super::stored::Stored;
use super::targets::{Targets, check_weights, read_weights};
use super::{Batch, Dataset, InputShapes, Pass, check_indices};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::Port;
use crate::nn::inputs::{id_too_large, largest_id};
use crate::shown::cut;
use ndarray::{Array, ArrayD, Dimension};
use std::fmt::Debug;
use std::sync::Arc;

/// Samples in memory with several inputs, by name: an array for each, `[samples, …]`, and the targets.
///
/// ```
/// use plywood::ndarray::{Array2, Array4};
/// use plywood::prelude::*;
///
/// // Bytes stay bytes; the model sees numbers from 0 to 1.
/// let (images, rows) = (Array4::<u8>::zeros((100, 1, 28, 28)), Array2::<f32>::zeros((100, 12)));
/// let targets = TargetArrays::new().classes("class", vec![0; 100]).numbers("size", Array2::zeros((100, 1)));
/// let data = Arrays::builder().input("image", images).scale(1.0 / 255.0).input("row", rows).targets(targets)?;
/// assert_eq!((data.len(), data.input_shapes().len()), (100, 2));
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// The targets of a model with one output need no name: `.targets(labels)`, as for an
/// [`ArrayDataset`](super::ArrayDataset), which is shorter if there is one input. A clone shares the inputs.
#[derive(Clone, Debug)]
pub struct Arrays<F: Scalar = f32, T = ()> {
    ports: Vec<Port>,
    inputs: Vec<Arc<dyn Input<F>>>,
    targets: T,
    weights: Option<Vec<f64>>,
    names: Vec<String>,
    samples: usize,
}

impl Arrays {
    /// Begins a data set for models of `f32`.
    #[must_use]
    pub fn builder() -> ArraysBuilder {
        Arrays::builder_of()
    }
}

impl<F: Scalar> Arrays<F> {
    /// Begins a data set for models of this element type: `Arrays::<f64>::builder_of()`.
    #[must_use]
    pub fn builder_of() -> ArraysBuilder<F> {
        ArraysBuilder { inputs: Vec::new(), error: None }
    }
}

impl<F: Scalar, T: Targets> Arrays<F, T> {
    /// Sets a weight for each sample, for all outputs; [`TargetArrays::weights`](super::TargetArrays::weights) sets those
    /// of one output.
    ///
    /// # Errors
    /// When there are not as many weights as samples, or one is below 0 or not finite.
    pub fn weights(mut self, weights: Vec<f64>) -> Result<Self> {
        check_weights(&weights, self.samples)?;
        self.weights = Some(weights);
        Ok(self)
    }

    /// Sets the names of the classes of targets without a name, in the order of their indices; reports use them. Targets by
    /// name have [`TargetArrays::class_names`](super::TargetArrays::class_names); this does not compile for them.
    #[must_use]
    pub fn with_class_names<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        const { assert!(!T::NAMED, "targets by name have class names of their own: `TargetArrays::class_names`") };
        self.names = names.into_iter().map(Into::into).collect();
        self
    }

    /// Returns the targets as they are stored.
    pub fn targets(&self) -> &T {
        &self.targets
    }
}

/// The inputs of an [`Arrays`] while it is put together.
///
/// What is wrong with an input is the error of [`targets`](ArraysBuilder::targets), the first one of all.
#[derive(Debug)]
pub struct ArraysBuilder<F: Scalar = f32> {
    inputs: Vec<(Port, Box<dyn Input<F>>)>,
    error: Option<Error>,
}

impl<F: Scalar> ArraysBuilder<F> {
    fn fail(&mut self, error: Error) {
        self.error.get_or_insert(error);
    }

    fn add(mut self, name: String, input: Result<Box<dyn Input<F>>>) -> Self {
        if name.is_empty() {
            self.fail(
                Error::data("the name of an input", "have at least one character", "\"\"")
                    .help("Name it as in the model."),
            );
        }
        if self.inputs.iter().any(|(port, _)| port.name() == name) {
            let found = format!("{:?} twice", cut(&name));
            self.fail(
                Error::data("the inputs", "have distinct names", found).help("Name one of them otherwise."),
            );
        }
        match input {
            Ok(input) => {
                let port = if input.is_ids() { Port::ids } else { Port::new };
                self.inputs.push((port(name, input.shape()), input));
            }
            Err(error) => self.fail(error),
        }
        self
    }

    /// Adds an input: an array of `u8`, `f32` or `f64`, `[samples, …]`.
    ///
    /// An array in another order than row-major is copied once.
    #[must_use]
    pub fn input<E: Element, D: Dimension>(self, name: impl Into<String>, array: Array<E, D>) -> Self {
        let name = name.into();
        let stored = Stored::new(&format!("the input {:?}", cut(&name)), array);
        self.add(name, stored.map(|stored| Box::new(stored) as Box<dyn Input<F>>))
    }

    /// Adds an input of ids for an [`Embedding`](crate::nn::Embedding): `[samples]` or `[samples, steps]`. Ids are never
    /// scaled or mixed.
    ///
    /// ```
    /// use plywood::ndarray::{Array2, arr1};
    /// use plywood::prelude::*;
    ///
    /// let (users, ratings) = (arr1(&[0, 1, 1]), Array2::<f32>::ones((3, 1)));
    /// let data = Arrays::builder().ids("user", users).ids("film", arr1(&[4, 0, 2])).targets(ratings)?;
    /// assert_eq!(data.input_shapes().to_string(), "user [], film []");
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[must_use]
    pub fn ids<D: Dimension>(self, name: impl Into<String>, ids: Array<usize, D>) -> Self {
        let name = name.into();
        let ids = ids.into_dyn().as_standard_layout().into_owned();
        let largest = ids.iter().copied().max().unwrap_or(0);
        let input = if ids.ndim() == 0 {
            let what = format!("the input {:?}", cut(&name));
            Err(Error::shape(what, "[samples, …]", &[]).help("Axis 0 counts the samples."))
        } else if largest > largest_id::<F>() {
            Err(id_too_large::<F>(&name, largest))
        } else {
            Ok(Box::new(Ids(ids)) as Box<dyn Input<F>>)
        };
        self.add(name, input)
    }

    /// Sets the factor that each stored number of the last input is multiplied by when it is read: `1.0 / 255.0` for
    /// bytes.
    #[must_use]
    pub fn scale(self, scale: f64) -> Self {
        self.set("scale", |input| input.set(Some(scale), None))
    }

    /// Sets the number that is added to each value of the last input after scaling.
    #[must_use]
    pub fn offset(self, offset: f64) -> Self {
        self.set("offset", |input| input.set(None, Some(offset)))
    }

    fn set(mut self, what: &str, set: impl FnOnce(&mut dyn Input<F>) -> bool) -> Self {
        let done = self.inputs.last_mut().is_some_and(|(_, input)| set(&mut **input));
        if !done {
            let error = Error::data(format!("the {what}"), "follow an input of numbers", "none before it");
            self.fail(error.help("Call `input` first; ids have none."));
        }
        self
    }

    /// Ends with the targets: class indices, an array of numbers,
    /// [`TargetArrays`](super::TargetArrays) for several outputs, or `()` for losses that read none.
    ///
    /// ```
    /// use plywood::ndarray::Array2;
    /// use plywood::prelude::*;
    ///
    /// let error = Arrays::builder()
    ///     .input("a", Array2::<f32>::zeros((3, 2)))
    ///     .input("b", Array2::<f32>::zeros((4, 2)))
    ///     .targets(vec![0, 1, 0])
    ///     .unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "the input \"b\" must have 3 samples, as \"a\", got 4. Row i of every input and target is of sample i."
    /// );
    /// ```
    ///
    /// # Errors
    /// When there is no input, one has no axis of samples or a name that another has, or the numbers of samples differ.
    pub fn targets<T: Targets>(self, targets: T) -> Result<Arrays<F, T>> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let Some((first, input)) = self.inputs.first() else {
            return Err(Error::data("the data", "have an input", "none").help("Call `input` first."));
        };
        let samples = input.samples();
        if let Some((port, input)) = self.inputs.iter().find(|(_, input)| input.samples() != samples) {
            let expected = format!("have {samples} samples, as {:?}", cut(first.name()));
            return Err(Error::data(format!("the input {:?}", cut(port.name())), expected, input.samples())
                .help("Row i of every input and target is of sample i."));
        }
        targets.check(samples)?;
        let (ports, inputs): (Vec<Port>, Vec<_>) =
            self.inputs.into_iter().map(|(port, input)| (port, Arc::from(input))).unzip();
        Ok(Arrays { ports, inputs, targets, weights: None, names: Vec::new(), samples })
    }
}

/// An array of inputs of any element type.
trait Input<F: Scalar>: Debug + Send + Sync {
    fn samples(&self) -> usize;
    fn shape(&self) -> Vec<usize>;
    fn is_finite(&self) -> bool;
    fn is_ids(&self) -> bool;
    /// Sets scale and offset; false if it has none.
    fn set(&mut self, scale: Option<f64>, offset: Option<f64>) -> bool;
    fn read(&self, indices: &[usize], out: &mut [F]) -> Result<()>;
}

impl<F: Scalar, E: Element> Input<F> for Stored<E> {
    fn samples(&self) -> usize {
        self.len()
    }

    fn shape(&self) -> Vec<usize> {
        self.shape().to_vec()
    }

    fn is_finite(&self) -> bool {
        self.is_finite::<F>()
    }

    fn is_ids(&self) -> bool {
        false
    }

    fn set(&mut self, scale: Option<f64>, offset: Option<f64>) -> bool {
        (self.scale, self.offset) = (scale.unwrap_or(self.scale), offset.unwrap_or(self.offset));
        true
    }

    fn read(&self, indices: &[usize], out: &mut [F]) -> Result<()> {
        self.read(indices, out)
    }
}

/// Ids, all of which are exact as `F`.
#[derive(Debug)]
struct Ids(ArrayD<usize>);

impl<F: Scalar> Input<F> for Ids {
    fn samples(&self) -> usize {
        self.0.shape()[0]
    }

    fn shape(&self) -> Vec<usize> {
        self.0.shape()[1..].to_vec()
    }

    fn is_finite(&self) -> bool {
        true
    }

    fn is_ids(&self) -> bool {
        true
    }

    fn set(&mut self, _: Option<f64>, _: Option<f64>) -> bool {
        false
    }

    fn read(&self, indices: &[usize], out: &mut [F]) -> Result<()> {
        let columns: usize = self.0.shape()[1..].iter().product();
        let ids = self.0.as_slice().unwrap_or_default();
        for (row, &i) in out.chunks_mut(columns.max(1)).zip(indices) {
            for (place, &id) in row.iter_mut().zip(&ids[i * columns..(i + 1) * columns]) {
                *place = F::of(id as f64);
            }
        }
        Ok(())
    }
}

impl<F: Scalar, T: Targets> Dataset<F> for Arrays<F, T> {
    type Target = T::Batch;

    fn len(&self) -> usize {
        self.samples
    }

    fn input_shapes(&self) -> InputShapes<'_> {
        InputShapes::Named(&self.ports)
    }

    fn class_names(&self) -> &[String] {
        &self.names
    }

    fn class_names_of(&self, target: &str) -> &[String] {
        self.targets.class_names_of(target)
    }

    fn is_finite(&self) -> bool {
        self.inputs.iter().all(|input| input.is_finite())
    }

    fn read(&self, indices: &[usize], _: Pass, batch: &mut Batch<F, T::Batch>) -> Result<()> {
        check_indices(indices, self.samples)?;
        batch.inputs.truncate(self.inputs.len());
        for (at, (port, input)) in self.ports.iter().zip(&self.inputs).enumerate() {
            let out = batch.input_at(at, indices.len(), port.shape());
            input.read(indices, out).map_err(|error| error.at(format!("input {}", cut(port.name()))))?;
        }
        self.read_targets(indices, batch).map(drop)
    }

    fn read_targets(&self, indices: &[usize], batch: &mut Batch<F, T::Batch>) -> Result<bool> {
        check_indices(indices, self.samples)?;
        self.targets.gather(indices, &mut batch.target);
        read_weights(self.weights.as_deref(), indices, &mut batch.weights)?;
        Ok(true)
    }
}
