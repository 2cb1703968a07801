//! How the numbers of an output become probabilities.

use crate::error::{Error, Result};
use crate::nn::OutputActivation;
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// What a model's output means, if the model does not say so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Link {
    /// What the model's last activation says.
    #[default]
    OfModel,
    /// Probabilities.
    Probabilities,
    /// Logits.
    Logits,
}

/// How probabilities are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scores {
    Probabilities,
    Logarithms,
    Logits,
}

impl Scores {
    /// How the output's numbers become probabilities: of classes that exclude each other, or of independent labels.
    pub fn of(link: Link, activation: OutputActivation, exclusive: bool) -> Result<Self> {
        use OutputActivation as A;
        match (link, activation) {
            (Link::Probabilities, _) => Ok(Self::Probabilities),
            (Link::Logits, _) | (Link::OfModel, A::Linear) => Ok(Self::Logits),
            (Link::OfModel, A::Softmax) if exclusive => Ok(Self::Probabilities),
            (Link::OfModel, A::LogSoftmax) if exclusive => Ok(Self::Logarithms),
            (Link::OfModel, A::Sigmoid | A::UnitInterval) if !exclusive => Ok(Self::Probabilities),
            (Link::OfModel, _) => {
                let (what, other) = match exclusive {
                    true => ("softmax or a linear layer", "Softmax"),
                    false => ("a sigmoid or a linear layer", "Sigmoid"),
                };
                Err(Error::data("the output", format!("be that of {what}"), format!("{activation:?}")).help(format!(
                    "End the model in {other}, or say what the numbers are: `.probabilities()` or `.logits()`."
                )))
            }
        }
    }

    /// Returns the probabilities, `[rows, columns]` in row-major order.
    pub fn probabilities(self, output: &Tensor, exclusive: bool) -> Result<Tensor> {
        let activation = if exclusive { OutputActivation::Softmax } else { OutputActivation::Sigmoid };
        let probabilities = match self {
            Self::Probabilities => crate::tensor::standard(output.clone()),
            Self::Logarithms => crate::tensor::standard(output.mapv(f32::exp)),
            Self::Logits => activation.apply(output.clone()),
        };
        check_finite(&probabilities)?;
        Ok(probabilities)
    }
}

/// Refuses outputs that are not finite, of which no answer can be made.
pub(super) fn check_finite(output: &Tensor) -> Result<()> {
    match crate::target::first_non_finite_row(output) {
        None => Ok(()),
        Some(row) => {
            Err(Error::data(format!("the output for row {}", row + 1), "be finite", "NaN or infinity")
                .help("Look at the values of the row, and at how the model was trained."))
        }
    }
}
