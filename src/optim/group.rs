//! Groups of parameters, selected by a pattern of their names.

use super::penalty::Penalty;
use super::{Step, check_not_negative};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::Parameters;

/// Settings for the parameters whose names match a pattern: learning rate, weight decay, penalties, a limit on norms.
///
/// A `*` in the pattern matches any number of characters, including none; every other character matches itself. Names
/// are those of [`visit_params`](crate::nn::Layer::visit_params): "0.weight", "2.body.1.bias".
///
/// | pattern | parameters |
/// |---|---|
/// | `*.bias` | all biases |
/// | `0.*` | those of layer 0 |
/// | `1.weight` | the weight of layer 1, and not of layer 11 |
/// | `*` | all |
///
/// ```
/// use plywood::prelude::*;
/// use plywood::optim::Group;
///
/// // No decay of biases, and a tenth of the learning rate for the first layer.
/// let optimizer: Optimizer = Optimizer::new(AdamW::default().weight_decay(0.05))
///     .group(Group::matching("*.bias").weight_decay(0.0))
///     .group(Group::matching("0.*").learning_rate_factor(0.1));
/// let trainer = Trainer::new(CrossEntropy::default(), optimizer);
/// ```
///
/// A parameter is in every group whose pattern matches its name. The learning-rate factors of its groups are
/// multiplied; if several groups set a decay, a penalty or a limit, the one added last applies. So in the example the
/// bias of layer 0 has a tenth of the learning rate and no decay. Parameters that no pattern matches use the rule's own
/// decay and the schedule's learning rate. The factor multiplies the schedule's learning rate at each step, so all
/// groups follow one schedule. A pattern that matches no parameter of the model is an error of the first step.
///
/// PyTorch's `param_groups` are lists of tensors, each with its own learning rate; Keras has
/// `exclude_from_weight_decay`.
///
/// # Penalties and limits
///
/// In Keras these belong to a layer. Here they belong to the optimizer, which finds the parameter by the layer's
/// position:
///
/// | Keras, for layer 1 | here |
/// |---|---|
/// | `kernel_regularizer=L2(1e-4)` | `Group::matching("1.weight").l2(1e-4)` |
/// | `kernel_regularizer=L1L2(l1=1e-5, l2=1e-4)` | `Group::matching("1.weight").l1(1e-5).l2(1e-4)` |
/// | `bias_regularizer=L2(1e-4)` | `Group::matching("1.bias").l2(1e-4)` |
/// | `kernel_constraint=MaxNorm(3)` | `Group::matching("1.weight").max_norm(3.0)` |
///
/// ```
/// use plywood::ndarray::{Array2, Ix2};
/// use plywood::prelude::*;
/// use plywood::optim::Group;
///
/// let inputs = Array2::from_shape_fn((40, 3), |(i, j)| (i * (j + 2) % 7) as f32);
/// let data = ArrayDataset::new(inputs, (0..40).map(|i| i % 2).collect::<Vec<_>>())?;
/// let layers = Sequential::builder([3]).layer(Dense::units(8)).layer(ReLU).layer(Dense::units(2)).layer(Softmax);
/// let mut model = layers.build()?;
/// let group = Group::matching("*.weight").l1(1e-5).l2(1e-4).max_norm(1.0);
/// let mut trainer = Trainer::new(CrossEntropy::default(), SGD::default().momentum(0.9)).group(group);
/// trainer.progress(Progress::Silent).fit(&mut model, &data)?;
/// model.each_param(&mut |name, param| {
///     if let Ok(weight) = param.value().view().into_dimensionality::<Ix2>() {
///         assert!(weight.columns().into_iter().all(|unit| unit.dot(&unit).sqrt() < 1.0 + 1e-5), "{name}");
///     }
/// });
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// The reported losses, of training and of validation, do not include penalties; those of Keras do. [`Optimizer::penalty`](crate::optim::Optimizer::penalty) returns their sum.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    pattern: String,
    factor: f64,
    decay: Option<f64>,
    l1: Option<f64>,
    l2: Option<f64>,
    max_norm: Option<f64>,
}

impl Group {
    /// Creates a group of the parameters whose names match this pattern, without any settings yet.
    pub fn matching(pattern: impl Into<String>) -> Self {
        let (decay, l1, l2, max_norm) = (None, None, None, None);
        Self { pattern: pattern.into(), factor: 1.0, decay, l1, l2, max_norm }
    }

    /// Sets the factor of the learning rate: at least 0 and finite, default 1.
    ///
    /// With 0 the parameters do not change, but their optimizer state still does. To save the computation too, freeze
    /// them.
    #[must_use]
    pub fn learning_rate_factor(mut self, factor: f64) -> Self {
        self.factor = factor;
        self
    }

    /// Sets a weight decay that replaces the rule's: at least 0 and finite; 0 for none.
    ///
    /// The rule decides how it is applied: [`SGD`](crate::optim::SGD) adds it to the gradient,
    /// [`AdamW`](crate::optim::AdamW) applies it separately. For a rule without decay it is an error.
    #[must_use]
    pub fn weight_decay(mut self, decay: f64) -> Self {
        self.decay = Some(decay);
        self
    }

    /// Adds `l1 · Σ|w|` to the minimized objective, that is, `l1 · sign(w)` to the gradient. At least 0 and finite.
    ///
    /// It drives weights that have little effect to 0. It is added before clipping and before the rule, as a part of
    /// the loss, so Adam divides it by the size of the gradients too. Tibshirani, "Regression shrinkage and selection
    /// via the lasso", 1996; Keras: `L1`.
    #[must_use]
    pub fn l1(mut self, l1: f64) -> Self {
        self.l1 = Some(l1);
        self
    }

    /// Adds `l2 · Σw²` to the minimized objective, that is, `2 · l2 · w` to the gradient. At least 0 and finite.
    ///
    /// Keras: `L2`. The `weight_decay` of `SGD` and `Adam`, in PyTorch as here, is twice this number: a decay of 2e-4
    /// is an `l2` of 1e-4. A penalty is added before clipping, a rule's decay after it.
    ///
    /// A penalty covers all elements of a parameter. So the sparse gradient of an embedding is expanded to the whole
    /// table, and a step costs as much as the whole table; a rule's decay reaches the touched rows only.
    #[must_use]
    pub fn l2(mut self, l2: f64) -> Self {
        self.l2 = Some(l2);
        self
    }

    /// Limits the norm of the weights that lead into each unit: above 0 and finite, usually 3 or 4.
    ///
    /// After the rule's step a unit's weights `w` are multiplied by `norm / (‖w‖ + 1e-7)` if `‖w‖` is above `norm`, and
    /// otherwise unchanged: PyTorch's `renorm`. Srivastava and others, "Dropout: a simple way to prevent neural
    /// networks from overfitting", 2014. Keras' `MaxNorm` also multiplies the shorter ones, by `‖w‖ / (‖w‖ + 1e-7)`.
    ///
    /// | parameter | a unit's weights |
    /// |---|---|
    /// | weight of [`Dense`](crate::nn::Dense), and other parameters that are [transposed](crate::nn::Param::transposed_in_state_dicts) | a column |
    /// | weight of a convolution, `[filters, …]` | a filter |
    /// | table of an embedding | an id's row |
    ///
    /// For the table of an embedding only the rows that the step has changed are checked, as in PyTorch. Parameters
    /// with one axis, such as biases, are not limited; a group that matches only such parameters is an error. So is a
    /// rule that averages by itself, such as [`ScheduleFreeAdamW`](crate::optim::ScheduleFreeAdamW): its slots would no
    /// longer agree with the weights.
    #[must_use]
    pub fn max_norm(mut self, norm: f64) -> Self {
        self.max_norm = Some(norm);
        self
    }

    fn fits(&self, name: &str) -> bool {
        fits(&self.pattern, name)
    }

    /// Returns whether the group adds anything to gradients.
    pub(super) fn penalises(&self) -> bool {
        self.l1.is_some() || self.l2.is_some()
    }
}

/// Returns the penalty of the parameter with this name, if it has one.
pub(super) fn penalty_of(groups: &[Group], name: &str) -> Option<Penalty> {
    let mut penalty = Penalty { l1: 0.0, l2: 0.0 };
    for group in groups.iter().filter(|group| group.penalises() && group.fits(name)) {
        penalty = Penalty { l1: group.l1.unwrap_or(penalty.l1), l2: group.l2.unwrap_or(penalty.l2) };
    }
    (penalty.l1 > 0.0 || penalty.l2 > 0.0).then_some(penalty)
}

/// Returns the limit on the norms of the units' weights, if there is one.
pub(super) fn max_norm_of(groups: &[Group], name: &str) -> Option<f64> {
    groups.iter().rev().find(|group| group.max_norm.is_some() && group.fits(name))?.max_norm
}

/// Returns the step with the settings of the groups that match this name.
pub(super) fn step_of(groups: &[Group], mut step: Step, name: &str) -> Step {
    for group in groups.iter().filter(|group| group.fits(name)) {
        step.learning_rate *= group.factor;
        step.weight_decay = group.decay.unwrap_or(step.weight_decay);
    }
    step
}

/// Checks values and patterns; `decays` says whether the rule has a weight decay, `averages` whether it averages by
/// itself.
pub(super) fn check<F: Scalar, M: Parameters<F> + ?Sized>(
    groups: &[Group],
    model: &M,
    decays: bool,
    averages: bool,
) -> Result<()> {
    for group in groups {
        let at = |error: Error| error.at(format!("group \"{}\"", group.pattern));
        if !(group.factor >= 0.0 && group.factor.is_finite()) {
            return Err(at(Error::argument(
                "the factor of the learning rate",
                "at least 0 and finite",
                group.factor,
            )
            .help("1 is the trainer's rate; 0 leaves these parameters unchanged.")));
        }
        check_not_negative("the weight decay", group.decay.unwrap_or(0.0)).map_err(at)?;
        check_not_negative("the L1 penalty", group.l1.unwrap_or(0.0)).map_err(at)?;
        check_not_negative("the L2 penalty", group.l2.unwrap_or(0.0)).map_err(at)?;
        if let Some(norm) = group.max_norm
            && !(norm > 0.0 && norm.is_finite())
        {
            let error = Error::argument("the max norm", "positive and finite", norm);
            return Err(at(error.help("Usual norms lie between 1 and 4; leave it out for none.")));
        }
        if group.max_norm.is_some() && averages {
            return Err(at(Error::data(
                "the rule of a group with a max norm",
                "keep no averages of its own",
                "one that does",
            )
            .help("Leave the max norm out, or use a rule such as `AdamW` with `average`.")));
        }
        if group.decay.is_some() && !decays {
            return Err(at(Error::data(
                "the rule of a group with weight decay",
                "have weight decay",
                "one without",
            )
            .help("Leave the weight decay out, or use a rule that has one, such as `AdamW`.")));
        }
        let (mut found, mut matrix, mut names) = (false, false, Vec::new());
        model.each_param(&mut |name, param| {
            found |= group.fits(name);
            matrix |= group.fits(name) && param.shape().len() > 1;
            if names.len() < 4 {
                names.push(name.to_owned());
            }
        });
        if !found {
            let found = format!("names such as {}", names.join(", "));
            return Err(at(Error::data("the pattern", "match a parameter's name", found)
                .help("Write names as the model has them; `*` stands for any characters.")));
        }
        if group.max_norm.is_some() && !matrix {
            return Err(at(Error::data(
                "the parameters of a group with a max norm",
                "include weights of two axes or more",
                "parameters of one axis",
            )
            .help("Name the weight: \"0.weight\" is that of layer 0.")));
        }
    }
    Ok(())
}

/// Returns whether a pattern with `*` matches the whole text: the pieces between the stars are searched from left to
/// right.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((first, mut pattern)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    while let Some((piece, rest)) = pattern.split_once('*') {
        let Some(at) = text.find(piece) else { return false };
        (text, pattern) = (&text[at + piece.len()..], rest);
    }
    text.ends_with(pattern)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, text, expected) in [
            ("0.weight", "0.weight", true),
            ("0.weight", "10.weight", false),
            ("*", "", true),
            ("*.bias", "3.bias", true),
            ("*.bias", "3.bias.x", false),
            ("0.*", "0.body.1.weight", true),
            ("0.*", "10.weight", false),
            ("*.body.*.weight", "4.body.0.weight", true),
            ("*.body.*.weight", "4.body.weight", false),
            ("*a*a", "aa", true),
            ("*a*a", "a", false),
            ("a**b", "ab", true),
            ("*ab*", "aab", true),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn factors_multiply_and_the_last_decay_counts() {
        let step = Step { weight_decay: 0.5, ..Step::new(1, 0.1) };
        let groups = [
            Group::matching("*.bias").weight_decay(0.0).learning_rate_factor(2.0),
            Group::matching("0.*").learning_rate_factor(0.5).weight_decay(0.25),
        ];
        let of = |name| {
            let step = step_of(&groups, step, name);
            (step.learning_rate, step.weight_decay)
        };
        assert_eq!(of("0.bias"), (0.1, 0.25));
        assert_eq!(of("1.bias"), (0.2, 0.0));
        assert_eq!(of("1.weight"), (0.1, 0.5));
    }

    #[test]
    fn the_last_penalty_and_the_last_limit_count() {
        let groups = [
            Group::matching("*.weight").l1(1.0).l2(2.0).max_norm(3.0),
            Group::matching("0.*").l2(0.5),
            Group::matching("1.*").l1(0.0).l2(0.0).max_norm(4.0),
        ];
        assert_eq!(penalty_of(&groups, "0.weight"), Some(Penalty { l1: 1.0, l2: 0.5 }));
        assert_eq!(penalty_of(&groups, "0.bias"), Some(Penalty { l1: 0.0, l2: 0.5 }));
        assert_eq!((penalty_of(&groups, "1.weight"), penalty_of(&groups, "10.bias")), (None, None));
        let limits = ["0.weight", "1.weight", "10.weight", "0.bias"].map(|name| max_norm_of(&groups, name));
        assert_eq!(limits, [Some(3.0), Some(4.0), Some(3.0), None]);
    }
}
