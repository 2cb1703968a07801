//! [`Parameters`]: the parameters of a layer or of a whole model, by name.

use super::layer::Layer;
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::param::{Param, ParamKind};
use crate::shown::listed;

/// Anything with parameters: every [`Layer`], and every [`Model`](super::Model). An optimizer updates it.
///
/// A layer implements [`visit_params`](Layer::visit_params) and has this trait from it. The methods that visit have
/// another name here, so that both traits may be in scope.
///
/// ```
/// use plywood::prelude::*;
///
/// /// The largest weight of a layer or a model.
/// fn largest(model: &dyn Parameters) -> f32 {
///     let mut largest = 0.0f32;
///     model.each_param(&mut |_, param| {
///         largest = param.as_slice().iter().fold(largest, |max, w| max.max(w.abs()));
///     });
///     largest
/// }
/// let model = Sequential::builder([4]).layer(Dense::units(3)).build()?;
/// assert!(largest(&model) > 0.0);
/// # Ok::<(), plywood::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a model nor a layer",
    label = "has no parameters"
)]
pub trait Parameters<F: Scalar = f32> {
    /// Calls `visit` with each parameter and buffer and its name; the same ones in the same order on every call.
    fn each_param(&self, visit: &mut dyn FnMut(&str, &Param<F>));

    /// [`each_param`](Parameters::each_param) with mutable access.
    fn each_param_mut(&mut self, visit: &mut dyn FnMut(&str, &mut Param<F>));

    /// Returns the number of values in all parameters: trainable, frozen, and buffers together.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let model = Sequential::builder([784])
    ///     .layer(Dense::units(128).bias(false)).layer(BatchNorm::new()).layer(ReLU)
    ///     .build()?;
    /// assert_eq!(model.parameter_count(), 784 * 128 + 4 * 128); // scale, shift and two running statistics
    /// # Ok::<(), plywood::Error>(())
    /// ```
    fn parameter_count(&self) -> usize {
        let mut count = 0;
        self.each_param(&mut |_, param| count += param.len());
        count
    }

    /// Freezes every parameter whose name starts with `prefix` ("" for all, "0" for the first layer's), and returns how
    /// many names matched. Frozen parameters keep their values in training, and no gradient is computed for them.
    ///
    /// The count includes all matching names, also of buffers and of parameters that were already frozen. Names are
    /// compared by their components between full stops: "1" matches "1.weight" and not "10.weight"; "1.weight" matches
    /// only that parameter. A full stop at the end of the prefix changes nothing.
    ///
    /// A [`BatchNorm`](crate::nn::BatchNorm) whose weight and bias are both frozen uses its running statistics in
    /// training as in inference, and does not update them, as in Keras; PyTorch updates them until `eval()`. Dropout is
    /// still active.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let mut model = Sequential::builder([4]).layer(Dense::units(3)).layer(ReLU).layer(Dense::units(2)).build()?;
    /// assert_eq!(model.freeze("0")?, 2); // 0.weight and 0.bias
    /// model.visit_params(&mut |name, param| assert_eq!(param.is_trainable(), name.starts_with("2.")));
    /// assert_eq!(model.unfreeze("")?, 4);
    /// assert_eq!(
    ///     model.freeze("dense").unwrap_err().to_string(),
    ///     "the prefix must begin a parameter's name, got \"dense\", where the names are 0.weight, 0.bias, \
    ///      2.weight, 2.bias. Layers are named by their numbers, from 0; \"\" means all."
    /// );
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// The layers before the first trainable one then run only forward: training the last layer of a deep model costs
    /// little more than inference.
    ///
    /// # Errors
    /// When no name starts with the prefix, or only names of buffers do; the number of a layer without parameters
    /// matches no name. "" is never an error.
    fn freeze(&mut self, prefix: &str) -> Result<usize> {
        each_named(self, prefix, &|param| param.freeze())
    }

    /// Undoes [`freeze`](Parameters::freeze).
    ///
    /// Returns how many names matched. The parameters have no gradient at first; the optimizer's state for their names
    /// is still there.
    ///
    /// # Errors
    /// As [`freeze`](Parameters::freeze).
    fn unfreeze(&mut self, prefix: &str) -> Result<usize> {
        each_named(self, prefix, &|param| param.unfreeze())
    }
}

impl<F: Scalar, L: Layer<F>> Parameters<F> for L {
    fn each_param(&self, visit: &mut dyn FnMut(&str, &Param<F>)) {
        self.visit_params(visit);
    }

    fn each_param_mut(&mut self, visit: &mut dyn FnMut(&str, &mut Param<F>)) {
        self.visit_params_mut(visit);
    }
}

/// Calls `change` for the parameters whose names match; the names are those of `visit_params`, with the layers'
/// numbers.
fn each_named<F: Scalar, P: Parameters<F> + ?Sized>(
    model: &mut P,
    prefix: &str,
    change: &dyn Fn(&mut Param<F>),
) -> Result<usize> {
    let (mut count, mut changed, mut names) = (0, false, Vec::new());
    model.each_param_mut(&mut |name, param| {
        if begins_with(name, prefix) {
            change(param);
            count += 1;
            changed |= param.kind() != ParamKind::Buffer;
        } else {
            names.push(name.to_owned());
        }
    });
    if changed || prefix.is_empty() {
        return Ok(count);
    }
    if count > 0 {
        return Err(Error::data(
            "the prefix",
            "be that of trained parameters",
            format!("{prefix:?}, that of a buffer"),
        )
        .help(
            "A layer updates its buffers by itself; freeze the whole layer to keep those of a batch \
               normalization.",
        ));
    }
    let names = if names.is_empty() { "none".to_owned() } else { listed(&names, 8) };
    let found = format!("{prefix:?}, where the names are {names}");
    Err(Error::data("the prefix", "begin a parameter's name", found)
        .help("Layers are named by their numbers, from 0; \"\" means all."))
}

/// Returns whether a name starts with these components: "1" and "1." match "1.weight", not "10.weight".
fn begins_with(name: &str, prefix: &str) -> bool {
    let parts = prefix.strip_suffix('.').unwrap_or(prefix);
    prefix.is_empty() || name.strip_prefix(parts).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_whole_parts_of_a_name() {
        for (prefix, name, expected) in [
            ("", "0.weight", true),
            ("1", "1.weight", true),
            ("1.", "1.weight", true),
            ("1", "10.weight", false),
            ("1.", "10.weight", false),
            ("1", "0.1.weight", false),
            ("1.weight", "1.weight", true),
            ("1.weigh", "1.weight", false),
            ("1.weight.x", "1.weight", false),
            ("2.block", "2.block.0.weight", true),
            ("2.b", "2.block.0.weight", false),
            (".", "0.weight", false),
        ] {
            assert_eq!(begins_with(name, prefix), expected, "{prefix} {name}");
        }
    }
}
