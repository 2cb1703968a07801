//! Groups of parameters, by patterns of their names.

use super::{Step, check_not_negative};
use crate::error::{Error, Result};
use crate::layer::Layer;
use crate::scalar::Scalar;

/// Parameters that have a learning rate or a weight decay of their own, by a pattern of their names.
///
/// A `*` in the pattern stands for any characters, also none; all else stands for itself. Names are those of
/// [`visit_params`](crate::Layer::visit_params): "0.weight", "2.body.1.bias".
///
/// | pattern | parameters |
/// |---|---|
/// | `*.bias` | all biases |
/// | `0.*` | those of layer 0 |
/// | `*` | all |
///
/// ```
/// use plywood::prelude::*;
/// use plywood::Group;
///
/// // No decay of biases, and a tenth of the rate for the first layer.
/// let optimizer: Optimizer<_> = Optimizer::new(AdamW::default().weight_decay(0.05))
///     .group(Group::matching("*.bias").weight_decay(0.0))
///     .group(Group::matching("0.*").rate_factor(0.1));
/// let trainer = Trainer::new(CrossEntropy::default(), optimizer);
/// ```
///
/// A parameter is in every group whose pattern fits it: factors are multiplied, and of several decays the last one
/// added counts. So in the example the bias of layer 0 has a tenth of the rate and no decay. What no pattern fits has
/// the rule's own decay and the schedule's rate. The factor is of the schedule's rate at each step, so all groups
/// follow one schedule. A pattern that fits no parameter of the model is an error of the first step.
///
/// PyTorch's `param_groups` are lists of tensors with a rate of their own; Keras has `exclude_from_weight_decay`.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    pattern: String,
    factor: f64,
    decay: Option<f64>,
}

impl Group {
    /// The parameters whose names this pattern fits, with nothing changed for them yet.
    pub fn matching(pattern: impl Into<String>) -> Self {
        Self { pattern: pattern.into(), factor: 1.0, decay: None }
    }

    /// What the learning rate is multiplied by: at least 0 and finite, 1 unless set.
    ///
    /// With 0 the parameters stay as they are while their state goes on. To save the work too, freeze them.
    #[must_use]
    pub fn rate_factor(mut self, factor: f64) -> Self {
        self.factor = factor;
        self
    }

    /// The weight decay in place of the rule's: at least 0 and finite; 0 for none.
    ///
    /// How it works is the rule's affair: added to the gradient in [`SGD`](crate::SGD), apart from it in
    /// [`AdamW`](crate::AdamW). For a rule without decay it is an error.
    #[must_use]
    pub fn weight_decay(mut self, decay: f64) -> Self {
        self.decay = Some(decay);
        self
    }

    fn fits(&self, name: &str) -> bool {
        fits(&self.pattern, name)
    }
}

/// The step as it is for the parameter of this name.
pub(super) fn step_of(groups: &[Group], mut step: Step, name: &str) -> Step {
    for group in groups.iter().filter(|group| group.fits(name)) {
        step.rate *= group.factor;
        step.weight_decay = group.decay.unwrap_or(step.weight_decay);
    }
    step
}

/// Checks numbers and patterns; `decays` is whether the rule has a weight decay.
pub(super) fn check<F: Scalar, M: Layer<F>>(groups: &[Group], model: &M, decays: bool) -> Result<()> {
    for group in groups {
        let at = |error: Error| error.at(format!("group \"{}\"", group.pattern));
        check_not_negative("a rate's factor", group.factor).map_err(at)?;
        check_not_negative("a weight decay", group.decay.unwrap_or(0.0)).map_err(at)?;
        if group.decay.is_some() && !decays {
            return Err(at(Error::data("a weight decay", "for a rule that has one", "a rule without")
                .help("Leave it out, or take a rule with decay, such as `AdamW`.")));
        }
        let (mut found, mut names) = (false, Vec::new());
        model.visit_params(&mut |name, _| {
            found |= group.fits(name);
            if names.len() < 4 {
                names.push(name.to_owned());
            }
        });
        if !found {
            let found = format!("none among {}, …", names.join(", "));
            return Err(at(Error::data("a pattern", "that fits a parameter's name", found)
                .help("Write names as the model has them; * stands for any characters.")));
        }
    }
    Ok(())
}

/// Whether a pattern with `*` fits the whole of a text: each piece between stars is looked for from left to right.
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
            Group::matching("*.bias").weight_decay(0.0).rate_factor(2.0),
            Group::matching("0.*").rate_factor(0.5).weight_decay(0.25),
        ];
        let of = |name| {
            let step = step_of(&groups, step, name);
            (step.rate, step.weight_decay)
        };
        assert_eq!(of("0.bias"), (0.1, 0.25));
        assert_eq!(of("1.bias"), (0.2, 0.0));
        assert_eq!(of("1.weight"), (0.1, 0.5));
    }
}
