//! [`Losses`]: a loss for each output of a model.

use super::LossSum;
use super::loss::{Loss, Term, Terms};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::{OutputActivation, Outputs};
use crate::shown::cut;
use crate::target::{FromNamed, NamedTargets};
use crate::tensor::Tensor;
use std::fmt;

/// A loss for each output of a model, with weights:
///
/// ```text
/// loss = Σ_k w_k · loss_k          class_loss, size_loss, … are the loss_k
/// ```
///
/// Each `loss_k` is the mean over the samples, weighted by the samples' weights and those of the output's targets, as for
/// a model with one output. The gradient of a step is that of `Σ_k w_k · Σ_i w_i · l_ki / n` over its `n` samples, so a
/// sample whose target is missing for an output (its weight is 0 there) adds nothing to that output's part. So an output of
/// which 19 of 20 targets are missing has a twentieth of the gradient that its `loss_k` suggests: give it a larger weight if
/// it should count as much.
///
/// ```
/// use plywood::data::{Arrays, TargetArrays};
/// use plywood::losses::Losses;
/// use plywood::ndarray::{Array2, array};
/// use plywood::prelude::*;
///
/// let g = Graph::builder().seed(1);
/// let x = g.input("x", [2]).layer(Dense::units(8)).layer(Tanh);
/// g.output("class", x.layer(Dense::units(3)).layer(Softmax));
/// g.output("size", x.layer(Dense::units(1)));
/// let mut model = g.build()?;
///
/// let x: Array2<f32> = array![[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];
/// let targets = TargetArrays::new().classes("class", vec![0, 1, 2]).numbers("size", array![[1.0], [0.0], [2.0]]);
/// let data = Arrays::builder().input("x", x).targets(targets)?;
/// let losses = Losses::of("class", CrossEntropy::default()).and("size", MeanSquaredError, 0.5);
/// let mut trainer = Trainer::new(losses, Adam::default()).epochs(5).progress(Progress::Silent);
/// let history = trainer.fit(&mut model, &data)?;
/// let epoch = &history.epochs[4];
/// let sum = epoch.get("class_loss").unwrap() + 0.5 * epoch.get("size_loss").unwrap();
/// assert_eq!(epoch.get("loss"), Some(sum));
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// Targets are by name, too: [`NamedTargets`](crate::data::NamedTargets). An output without a loss is an error, unless
/// [`without_loss`](Losses::without_loss) names it. In Keras these are the arguments `loss` and `loss_weights` of
/// `compile`, as dictionaries; in PyTorch the sum is written in the loop.
pub struct Losses<F: Scalar = f32>(Terms<F, NamedTargets<F>>);

/// No losses.
impl<F: Scalar> Default for Losses<F> {
    fn default() -> Self {
        Self::new()
    }
}

impl<F: Scalar> Losses<F> {
    /// Makes a list without losses, to which [`and`](Losses::and) adds some, each with a weight.
    pub fn new() -> Self {
        Self(Terms { list: Vec::new(), without: Vec::new() })
    }

    /// Makes the loss of a model's output, with the weight 1.
    ///
    /// The loss may be any whose targets are class indices or numbers, or one that reads none
    /// ([`OutputLoss`](super::OutputLoss), [`GraphLoss::output`](super::GraphLoss::output)).  A loss of numbers is the mean over the
    /// numbers of a sample, as everywhere: of an image of 784 pixels it is a 784th of their sum.
    pub fn of<L: Loss<F> + 'static>(output: impl Into<String>, loss: L) -> Self
    where
        L::Target: FromNamed<F>,
    {
        Self::new().and(output, loss, 1.0)
    }

    /// Adds the loss of another output, with a weight of at least 0.
    #[must_use]
    pub fn and<L: Loss<F> + 'static>(mut self, output: impl Into<String>, loss: L, weight: f64) -> Self
    where
        L::Target: FromNamed<F>,
    {
        let output = output.into();
        let loss = Box::new(OfOutput { output: output.clone(), loss });
        self.0.list.push(Term {
            output,
            weight,
            loss,
            reads: <L::Target as FromNamed<F>>::READ,
            weights_of: NamedTargets::weights_with,
        });
        self
    }

    /// Allows an output to have no loss: an embedding that is only read, for example.
    ///
    /// ```
    /// use plywood::losses::Losses;
    /// use plywood::prelude::*;
    ///
    /// let losses: Losses = Losses::of("class", CrossEntropy::default()).without_loss("embedding");
    /// assert_eq!(format!("{losses:?}"), "Losses { class: 1.0 · CrossEntropy, embedding: none }");
    /// ```
    #[must_use]
    pub fn without_loss(mut self, output: impl Into<String>) -> Self {
        self.0.without.push(output.into());
        self
    }
}

impl<F: Scalar> fmt::Debug for Losses<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_struct("Losses");
        for term in &self.0.list {
            list.field(&term.output, &format_args!("{:?} · {}", term.weight, term.loss.name()));
        }
        for output in &self.0.without {
            list.field(output, &format_args!("none"));
        }
        list.finish()
    }
}

/// The trainer takes its parts one by one.
#[deny(clippy::missing_trait_methods)]
impl<F: Scalar> Loss<F> for Losses<F> {
    type Target = NamedTargets<F>;

    fn value_and_grad(
        &self,
        _: Tensor<F>,
        _: &NamedTargets<F>,
        _: Option<&[F]>,
        _: f64,
    ) -> Result<(LossSum, Tensor<F>)> {
        Err(Error::data("`Losses`", "be given all outputs, by a trainer or `accumulate`", "one output")
            .help("Call the loss of that output."))
    }

    fn name(&self) -> &str {
        "Losses"
    }

    fn outputs(&self) -> Outputs {
        Outputs::Unknown
    }

    fn check_output(&self, _: &[usize]) -> Result<()> {
        Ok(())
    }

    /// Checks the names of the targets.
    fn check_target(&self, _: &[usize], targets: &NamedTargets<F>) -> Result<()> {
        let reads = |name: &str| self.0.list.iter().any(|term| term.reads && term.output == name);
        if targets.names().all(reads) {
            return Ok(()); // The losses say what is missing.
        }
        let due: Vec<&str> =
            self.0.list.iter().filter(|term| term.reads).map(|term| &term.output[..]).collect();
        let found: Vec<&str> = targets.names().collect();
        let listed = |names: &[&str]| names.iter().map(|name| cut(name)).collect::<Vec<_>>().join(", ");
        let without = |names: &[&str], others: &[&str]| {
            listed(&names.iter().copied().filter(|name| !others.contains(name)).collect::<Vec<_>>())
        };
        let (missing, unknown) = (without(&due, &found), without(&found, &due));
        let expected = match &due[..] {
            [] => "be none, as no loss reads any".to_owned(),
            due => format!("be for the outputs with a loss that reads them: {}", listed(due)),
        };
        let help = match missing.is_empty() {
            true => format!("Leave {unknown} out, or give the output a loss."),
            false => format!("Give {missing}, and not {unknown}."),
        };
        Err(Error::data("the targets of the data", expected, listed(&found)).help(help))
    }

    fn fused_activation(&self) -> OutputActivation {
        OutputActivation::Unknown
    }

    fn value_and_grad_logits(
        &self,
        logits: Tensor<F>,
        targets: &NamedTargets<F>,
        weights: Option<&[F]>,
        divisor: f64,
    ) -> Result<(LossSum, Tensor<F>)> {
        self.value_and_grad(logits, targets, weights, divisor)
    }

    fn terms(&self) -> Option<&Terms<F, NamedTargets<F>>> {
        Some(&self.0)
    }
}

/// The loss of one output, which picks its target and weights from all.
struct OfOutput<L> {
    output: String,
    loss: L,
}

#[deny(clippy::missing_trait_methods)]
impl<F: Scalar, L: Loss<F>> Loss<F> for OfOutput<L>
where
    L::Target: FromNamed<F>,
{
    type Target = NamedTargets<F>;

    fn value_and_grad(
        &self,
        output: Tensor<F>,
        targets: &NamedTargets<F>,
        weights: Option<&[F]>,
        divisor: f64,
    ) -> Result<(LossSum, Tensor<F>)> {
        let weights = targets.weights_with(&self.output, weights)?;
        self.loss.value_and_grad(output, L::Target::pick(targets, &self.output)?, weights.as_deref(), divisor)
    }

    fn name(&self) -> &str {
        self.loss.name()
    }

    fn outputs(&self) -> Outputs {
        self.loss.outputs()
    }

    fn check_output(&self, output: &[usize]) -> Result<()> {
        self.loss.check_output(output)
    }

    fn check_target(&self, output: &[usize], targets: &NamedTargets<F>) -> Result<()> {
        self.loss.check_target(output, L::Target::pick(targets, &self.output)?)
    }

    fn fused_activation(&self) -> OutputActivation {
        self.loss.fused_activation()
    }

    fn value_and_grad_logits(
        &self,
        logits: Tensor<F>,
        targets: &NamedTargets<F>,
        weights: Option<&[F]>,
        divisor: f64,
    ) -> Result<(LossSum, Tensor<F>)> {
        let weights = targets.weights_with(&self.output, weights)?;
        let target = L::Target::pick(targets, &self.output)?;
        self.loss.value_and_grad_logits(logits, target, weights.as_deref(), divisor)
    }

    fn terms(&self) -> Option<&Terms<F, NamedTargets<F>>> {
        None
    }
}
