//! [`GraphTarget`]: the targets of a loss that is given by its formula; and what its graph must be.

use super::class_probabilities::check_classes;
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::{Graph, Infer, ParamKind, Parameters, Port};
use crate::target::{CLEAN, first_non_finite_row};
use crate::tensor::{Tensor, copy, scratch, slice_mut, standard};

/// The names of the inputs of the graph of a loss: the model's outputs, and the targets.
pub(super) const OUTPUTS: &str = "outputs";
pub(super) const TARGETS: &str = "targets";
pub(super) const LABELS: &str = "labels";

mod sealed {
    /// Implemented by the types of this crate.
    pub trait Sealed {}
    impl Sealed for super::Tensor {}
    impl Sealed for [usize] {}
    impl Sealed for () {}
}

/// The targets of a [`GraphLoss`](super::GraphLoss): [`Tensor`] for numbers, `[usize]` for class ids, `()` for none. Other crates
/// cannot implement it.
///
/// ```
/// use plywood::losses::GraphTarget;
/// use plywood::prelude::*;
///
/// /// Works with formulas of any targets.
/// fn parameters<T: GraphTarget + ?Sized>(loss: &GraphLoss<T>, outputs: &[usize]) -> Result<usize> {
///     Ok(loss.graph(outputs)?.parameter_count())
/// }
/// let loss = GraphLoss::output("sum", plywood::nn::Outputs::Numbers, |_, y| y.sum(-1));
/// assert_eq!(parameters(&loss, &[3])?, 0);
/// # Ok::<(), plywood::Error>(())
/// ```
pub trait GraphTarget: sealed::Sealed + 'static {
    /// The type for models of this element type.
    type Of<F: Scalar>: ?Sized;

    /// The name of the input of the targets in the graph of a loss.
    #[doc(hidden)]
    const INPUT: Option<&'static str>;

    /// Checks targets for outputs whose targets have this shape.
    #[doc(hidden)]
    fn check<F: Scalar>(target: &Self::Of<F>, output: &[usize], shape: &[usize]) -> Result<()>;

    /// Returns the targets as an input of the formula, if it has one.
    #[doc(hidden)]
    fn input<F: Scalar>(target: &Self::Of<F>, samples: usize) -> Result<Option<Tensor<F>>>;
}

impl GraphTarget for Tensor {
    type Of<F: Scalar> = Tensor<F>;
    const INPUT: Option<&'static str> = Some(TARGETS);

    fn check<F: Scalar>(target: &Tensor<F>, _: &[usize], shape: &[usize]) -> Result<()> {
        if target.shape().get(1..) != Some(shape) {
            let expected = [&[target.shape().first().copied().unwrap_or(0)], shape].concat();
            return Err(Error::shape("the targets", format!("{expected:?}"), target.shape())
                .help("They have the shape of the outputs, or that of `GraphLoss::target_shape`."));
        }
        match first_non_finite_row(target) {
            None => Ok(()),
            Some(row) => Err(Error::sample_not_finite("the target", row).help(CLEAN)),
        }
    }

    fn input<F: Scalar>(target: &Tensor<F>, samples: usize) -> Result<Option<Tensor<F>>> {
        check_count(target.shape()[0], samples)?;
        Ok(Some(if target.is_standard_layout() { copy(target) } else { standard(target.clone()) }))
    }
}

impl GraphTarget for [usize] {
    type Of<F: Scalar> = [usize];
    const INPUT: Option<&'static str> = Some(LABELS);

    fn check<F: Scalar>(labels: &[usize], output: &[usize], _: &[usize]) -> Result<()> {
        if let [columns] = *output {
            check_classes(labels, columns.max(2))?;
        }
        match labels.iter().position(|&label| F::of(label as f64).as_f64() != label as f64) {
            None => Ok(()),
            Some(i) => {
                Err(Error::sample("the label", i, format!("be a number that {} holds", F::NAME), labels[i])
                    .help("Number the classes from 0."))
            }
        }
    }

    fn input<F: Scalar>(labels: &[usize], samples: usize) -> Result<Option<Tensor<F>>> {
        check_count(labels.len(), samples)?;
        let mut numbers = scratch(&[samples]);
        slice_mut(&mut numbers).iter_mut().zip(labels).for_each(|(x, &label)| *x = F::of(label as f64));
        Ok(Some(numbers))
    }
}

impl GraphTarget for () {
    type Of<F: Scalar> = ();
    const INPUT: Option<&'static str> = None;

    fn check<F: Scalar>((): &(), _: &[usize], _: &[usize]) -> Result<()> {
        Ok(())
    }

    fn input<F: Scalar>((): &(), _: usize) -> Result<Option<Tensor<F>>> {
        Ok(None)
    }
}

fn check_count(targets: usize, samples: usize) -> Result<()> {
    if targets == samples {
        return Ok(());
    }
    Err(Error::data("the number of targets", format!("be {samples}, one for each prediction"), targets)
        .help("Give one target for each sample."))
}

/// Refuses a formula or a graph with other inputs than those of a loss with such targets, or with several outputs.
pub(super) fn check_ports<T: GraphTarget + ?Sized>(graph: &Graph) -> Result<()> {
    let expected: Vec<_> = std::iter::once(OUTPUTS).chain(T::INPUT).collect();
    let found: Vec<_> = graph.inputs().iter().map(Port::name).collect();
    if found == expected && graph.outputs().len() == 1 {
        return Ok(());
    }
    let found = format!("{found:?} and {} outputs", graph.outputs().len());
    let expected = format!("have the inputs {expected:?} and one output");
    Err(Error::data("the graph of a loss", expected, found).help(
        "A formula adds no inputs and outputs; a graph is made by `GraphLoss::graph` of a loss with such targets.",
    ))
}

/// Refuses losses that are not one number for each sample, and parameters that would be trained.
pub(super) fn check_losses(graph: &Graph) -> Result<()> {
    let made = graph.outputs()[0].shape();
    if made.iter().product::<usize>() != 1 {
        return Err(Error::shape("the loss", "[], one number for each sample", made)
            .help("Reduce it: `.mean(-1)` or `.sum(-1)` for each axis of a sample."));
    }
    let mut trained = None;
    graph.each_param(&mut |name, param| {
        if param.kind() == ParamKind::Trainable {
            trained.get_or_insert_with(|| name.to_owned());
        }
    });
    match trained {
        None => Ok(()),
        Some(name) => Err(Error::data("a loss", "have no parameters to train", format!("{name:?}"))
            .help("They would never be trained: use `g.constant`, or freeze a model that is applied.")),
    }
}
