//! [`NamedTargets`]: the targets of several outputs.

use super::{AsTarget, first_non_finite_row};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::predictions::check_weights;
use crate::shown::cut;
use crate::tensor::{Tensor, slice_mut};
use ndarray::IxDyn;
use std::borrow::Cow;

/// The targets of a batch for several outputs, by the name of the output: class indices or numbers, each with weights of
/// its own if some are missing.
///
/// A data set with such targets fills them in [`Dataset::read`](crate::data::Dataset::read); its buffers are reused from
/// batch to batch:
///
/// ```
/// use plywood::data::NamedTargets;
/// use plywood::prelude::*;
///
/// let mut targets = NamedTargets::<f32>::default();
/// targets.classes_mut("class").extend([2, 0, 1]);
/// targets.numbers_mut("size", 3, &[1]).copy_from_slice(&[0.5, 0.7, 0.0]);
/// targets.weights_mut("size").extend([1.0, 1.0, 0.0]); // the third has no size
/// assert_eq!(targets.classes("class"), Some(&[2, 0, 1][..]));
/// assert_eq!(targets.numbers("size").map(|t| t.shape().to_vec()), Some(vec![3, 1]));
/// ```
///
/// | | class indices | numbers |
/// |---|---|---|
/// | whole values | [`set_classes`](Self::set_classes) | [`set_numbers`](Self::set_numbers) |
/// | the buffer | [`classes_mut`](Self::classes_mut) | [`numbers_mut`](Self::numbers_mut) |
/// | read | [`classes`](Self::classes) | [`numbers`](Self::numbers) |
///
/// The loss for them is [`Losses`](crate::losses::Losses). A sample whose target is missing has the weight 0 for that
/// output, and any valid value in its place.
#[derive(Clone, Debug)]
pub struct NamedTargets<F: Scalar = f32> {
    list: Vec<Named<F>>,
}

#[derive(Clone, Debug)]
struct Named<F: Scalar> {
    name: String,
    form: Form,
    /// The targets of one form; the other is empty, or a buffer.
    classes: Vec<usize>,
    numbers: Tensor<F>,
    weights: Vec<F>,
    /// False if `weights` is a buffer of an earlier batch.
    weighted: bool,
    /// Whether the weights are set before the targets, which then leave them.
    weights_first: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    Unset,
    Classes,
    Numbers,
}

/// Writes class indices as rows of numbers.
pub(super) type Write<'a, F> = &'a mut dyn FnMut(&[usize], &mut Tensor<F>) -> Result<()>;

/// No targets.
impl<F: Scalar> Default for NamedTargets<F> {
    fn default() -> Self {
        Self { list: Vec::new() }
    }
}

impl<F: Scalar> NamedTargets<F> {
    const fn none() -> Self {
        Self { list: Vec::new() }
    }

    fn find(&self, name: &str) -> Option<&Named<F>> {
        self.list.iter().find(|named| named.name == name)
    }

    /// The entry with this name, a new one if there is none.
    fn entry(&mut self, name: &str) -> &mut Named<F> {
        let at = self.list.iter().position(|named| named.name == name).unwrap_or_else(|| {
            self.list.push(Named {
                name: name.to_owned(),
                form: Form::Unset,
                classes: Vec::new(),
                numbers: Tensor::zeros(IxDyn(&[0])),
                weights: Vec::new(),
                weighted: false,
                weights_first: false,
            });
            self.list.len() - 1
        });
        &mut self.list[at]
    }

    /// [`entry`](Self::entry) for new targets of this form, without the weights of earlier ones.
    fn renewed(&mut self, name: &str, form: Form) -> &mut Named<F> {
        let entry = self.entry(name);
        entry.form = form;
        entry.weighted &= entry.weights_first;
        entry
    }

    /// Returns the names of the outputs that have targets, in the order in which they were given first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let set = self.list.iter().filter(|named| named.form != Form::Unset || named.weighted);
        set.map(|named| &named.name[..])
    }

    /// Sets the class indices of an output, one for each sample.
    pub fn set_classes(&mut self, name: &str, classes: Vec<usize>) {
        self.renewed(name, Form::Classes).classes = classes;
    }

    /// Sets the numbers of an output, `[batch, …]`.
    pub fn set_numbers(&mut self, name: &str, numbers: Tensor<F>) {
        self.renewed(name, Form::Numbers).numbers = numbers;
    }

    /// Sets a weight for each sample's target of an output, after the targets.
    pub fn set_weights(&mut self, name: &str, weights: Vec<F>) {
        *self.weights_mut(name) = weights;
    }

    /// Returns an empty list for the class indices of an output, one for each sample.
    pub fn classes_mut(&mut self, name: &str) -> &mut Vec<usize> {
        let classes = &mut self.renewed(name, Form::Classes).classes;
        classes.clear();
        classes
    }

    /// Makes room for the numbers of an output, `samples` times this shape, and returns all of them, to be overwritten.
    pub fn numbers_mut(&mut self, name: &str, samples: usize, shape: &[usize]) -> &mut [F] {
        let numbers = &mut self.renewed(name, Form::Numbers).numbers;
        if numbers.shape().split_first() != Some((&samples, shape)) || !numbers.is_standard_layout() {
            *numbers = Tensor::zeros(IxDyn(&[&[samples], shape].concat()));
        }
        slice_mut(numbers)
    }

    /// The numbers of an output, to be changed.
    pub(super) fn number_buffer(&mut self, name: &str) -> &mut Tensor<F> {
        &mut self.entry(name).numbers
    }

    /// Puts numbers that are written from the classes of an output in their place. The weights stay.
    pub(super) fn rewrite_classes(&mut self, name: &str, write: Write<'_, F>) -> Result<()> {
        <[usize]>::pick(self, name)?;
        let entry = self.entry(name);
        write(&entry.classes, &mut entry.numbers)?;
        entry.form = Form::Numbers;
        Ok(())
    }

    /// Gives the targets of an output that were mixed with those of other samples their weights: the lower one of each
    /// pair, so that a mixture with a target that is missing is missing, too.
    pub(super) fn mix_weights(&mut self, name: &str, other: &Self) {
        // A target without a weight has the weight 1, so that the result does not depend on the batch.
        let own = self.weights(name).map(<[F]>::to_vec);
        let others = other.weights(name);
        let Some(samples) = own.as_deref().or(others).map(<[F]>::len) else { return };
        let weight =
            |weights: Option<&[F]>, i: usize| weights.and_then(|w| w.get(i).copied()).unwrap_or(F::one());
        let mixed = (0..samples).map(|i| weight(own.as_deref(), i).min(weight(others, i)));
        self.weights_mut(name).extend(mixed);
    }

    /// Returns an empty list for the weights of an output's targets, one for each sample; 0 where a target is missing.
    ///
    /// Set the targets first: those of a new batch forget the weights of the one before.
    pub fn weights_mut(&mut self, name: &str) -> &mut Vec<F> {
        let entry = self.entry(name);
        entry.weights_first |= entry.form == Form::Unset;
        entry.weighted = true;
        entry.weights.clear();
        &mut entry.weights
    }

    /// Returns the class indices of an output; `None` if it has none.
    pub fn classes(&self, name: &str) -> Option<&[usize]> {
        self.find(name).filter(|named| named.form == Form::Classes).map(|named| &named.classes[..])
    }

    /// Returns the numbers of an output; `None` if it has none.
    pub fn numbers(&self, name: &str) -> Option<&Tensor<F>> {
        self.find(name).filter(|named| named.form == Form::Numbers).map(|named| &named.numbers)
    }

    /// Returns the weights of an output's targets; `None` for equal weights.
    pub fn weights(&self, name: &str) -> Option<&[F]> {
        self.find(name).filter(|named| named.weighted).map(|named| &named.weights[..])
    }

    /// The weights of the samples times those of an output's targets.
    pub(crate) fn weights_with<'a>(
        &'a self,
        name: &str,
        all: Option<&'a [F]>,
    ) -> Result<Option<Cow<'a, [F]>>> {
        let own = self.weights(name);
        for weights in [all, own].into_iter().flatten() {
            check_weights(Some(weights), weights.len())?;
        }
        match (all, own) {
            (weights, None) | (None, weights) => Ok(weights.map(Cow::Borrowed)),
            (Some(all), Some(own)) if all.len() == own.len() => {
                Ok(Some(Cow::Owned(all.iter().zip(own).map(|(a, b)| *a * *b).collect())))
            }
            (Some(all), Some(own)) => {
                let expected = format!("be {}, one for each sample", all.len());
                Err(Error::data(format!("the number of weights for {:?}", cut(name)), expected, own.len())
                    .help("Give one weight for each sample."))
            }
        }
    }

    /// The first row with a number that is not finite, and the name of its output.
    fn non_finite(&self) -> Option<(usize, &str)> {
        let numbers = self.list.iter().filter(|named| named.form == Form::Numbers);
        numbers.filter_map(|named| Some((first_non_finite_row(&named.numbers)?, &named.name[..]))).min()
    }

    /// Moves the classes of an output out.
    pub(crate) fn take_classes(&mut self, name: &str) -> Result<Vec<usize>> {
        <[usize]>::pick(self, name)?;
        Ok(std::mem::take(&mut self.entry(name).classes))
    }

    /// Moves the numbers of an output out.
    pub(crate) fn take_numbers(&mut self, name: &str) -> Result<Tensor<F>> {
        Tensor::pick(self, name)?;
        Ok(std::mem::take(&mut self.entry(name).numbers))
    }
}

/// The forms of an output's target: class indices, a tensor, or none.
#[diagnostic::on_unimplemented(
    message = "a loss or metric with targets of `{Self}` cannot be that of one of several outputs",
    note = "several outputs have class indices (`[usize]`), numbers (a tensor) or no targets (`()`)"
)]
pub trait FromNamed<F: Scalar> {
    /// Whether there must be a target.
    const READ: bool;

    /// Returns the target of the output with this name.
    ///
    /// # Errors
    /// If there is none, or it is of another form.
    #[doc(hidden)]
    fn pick<'a>(targets: &'a NamedTargets<F>, name: &str) -> Result<&'a Self>;
}

impl<F: Scalar> FromNamed<F> for [usize] {
    const READ: bool = true;

    fn pick<'a>(targets: &'a NamedTargets<F>, name: &str) -> Result<&'a Self> {
        targets.classes(name).ok_or_else(|| other(targets, name, "class indices"))
    }
}

impl<F: Scalar> FromNamed<F> for Tensor<F> {
    const READ: bool = true;

    fn pick<'a>(targets: &'a NamedTargets<F>, name: &str) -> Result<&'a Self> {
        targets.numbers(name).ok_or_else(|| other(targets, name, "numbers"))
    }
}

/// For losses that read no target.
impl<F: Scalar> FromNamed<F> for () {
    const READ: bool = false;

    fn pick<'a>(_: &'a NamedTargets<F>, _: &str) -> Result<&'a Self> {
        Ok(&())
    }
}

/// The error for a target that is missing or of another form.
fn other<F: Scalar>(targets: &NamedTargets<F>, name: &str, due: &str) -> Error {
    let found = match targets.find(name).map(|named| named.form) {
        Some(Form::Classes) => "class indices".to_owned(),
        Some(Form::Numbers) => "numbers".to_owned(),
        None | Some(Form::Unset) => {
            let names: Vec<_> = targets.names().map(cut).collect();
            let found = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            return Error::data("the targets of the data", format!("have {:?}", cut(name)), found)
                .help("Name one of these, or give the data such a target.");
        }
    };
    Error::data(format!("the targets of {:?}", cut(name)), format!("be {due}"), found).help(
        "Class indices go with losses such as CrossEntropy, numbers with MeanSquaredError and the like.",
    )
}

impl<F: Scalar> AsTarget<NamedTargets<F>> for NamedTargets<F> {
    fn as_target(&self) -> &NamedTargets<F> {
        self
    }

    fn first_non_finite(&self) -> Option<usize> {
        self.non_finite().map(|(row, _)| row)
    }

    fn forget(&mut self) {
        self.list.iter_mut().for_each(|named| (named.form, named.weighted) = (Form::Unset, false));
    }

    fn non_finite_name(&self) -> Option<&str> {
        self.non_finite().map(|(_, name)| name)
    }
}

/// Data without targets, for [`Losses`](crate::losses::Losses) that read none.
impl<F: Scalar> AsTarget<NamedTargets<F>> for () {
    fn as_target(&self) -> &NamedTargets<F> {
        const { &NamedTargets::none() }
    }
}

/// For losses that read no targets.
impl<F: Scalar> AsTarget<()> for NamedTargets<F> {
    fn as_target(&self) -> &() {
        &()
    }
}
