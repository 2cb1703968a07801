//! [`Inputs`]: tensors for the inputs of a model, by name.

use super::port::Port;
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::shown::cut;
use crate::tensor::{CowTensor, Tensor};
use ndarray::{Array, ArrayBase, Data, Dimension};
use smallvec::SmallVec;

/// A place for each input or output of a model; on the stack for up to four.
pub(crate) type Slots<T> = SmallVec<[Option<T>; 4]>;

/// Returns `n` empty places.
pub(crate) fn slots<T>(n: usize) -> Slots<T> {
    let mut slots = Slots::new();
    slots.resize_with(n, || None);
    slots
}

/// Tensors for the inputs of a model, by name and in any order.
///
/// ```
/// use plywood::ndarray::{Array2, Array4};
/// use plywood::nn::Inputs;
/// use plywood::prelude::*;
///
/// let g = Graph::builder();
/// let image = g.input("image", [1, 8, 8]).layer(Flatten);
/// let row = g.input("row", [3]);
/// g.output("class", image.concat(&[row], -1).layer(Dense::units(2)).layer(Softmax));
/// let model = g.build()?;
///
/// let (images, rows) = (Array4::<f32>::ones((5, 1, 8, 8)), Array2::<f32>::ones((5, 3)));
/// let predictions = model.predict_named(Inputs::of("row", &rows).and("image", &images))?;
/// assert_eq!(predictions.get("class")?.shape(), [5, 2]);
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// A single array without a name converts into it, for a model with one input. An array that is passed by value is moved,
/// a reference is borrowed.
#[derive(Clone, Debug)]
pub struct Inputs<'a, F: Scalar = f32> {
    list: SmallVec<[(Option<&'a str>, CowTensor<'a, F>); 1]>,
    /// The name of an input with an id that the element type cannot hold, and the id.
    too_large: Option<(&'a str, usize)>,
}

impl<'a, F: Scalar> Inputs<'a, F> {
    /// Gives the input with this name an array, `[batch, …]`.
    pub fn of(name: &'a str, array: impl IntoInput<'a, F>) -> Self {
        Self { list: SmallVec::from_buf([(Some(name), array.into_input())]), too_large: None }
    }

    /// Gives the input with this name ids, `[batch]` or `[batch, steps]`, for an [`Embedding`](super::Embedding).
    ///
    /// ```
    /// use plywood::ndarray::arr1;
    /// use plywood::prelude::*;
    ///
    /// let g = Graph::builder();
    /// let [user, film] = ["user", "film"].map(|name| g.input(name, []).layer(Embedding::vocabulary(50, 4)));
    /// g.output("stars", (user * film).sum_keepdim(-1));
    /// let inputs = Inputs::of_ids("user", &arr1(&[7, 7])).and_ids("film", &arr1(&[3, 49]));
    /// assert_eq!(g.build()?.predict_named(inputs)?.get("stars")?.shape(), [2, 1]);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    pub fn of_ids<S: Data<Elem = usize>, D: Dimension>(name: &'a str, ids: &ArrayBase<S, D>) -> Self {
        Self { list: SmallVec::new(), too_large: None }.and_ids(name, ids)
    }

    /// Gives another input ids of the same samples.
    #[must_use]
    pub fn and_ids<S: Data<Elem = usize>, D: Dimension>(
        mut self,
        name: &'a str,
        ids: &ArrayBase<S, D>,
    ) -> Self {
        if let Some(&id) = ids.iter().find(|id| **id > largest_id::<F>()) {
            self.too_large.get_or_insert((name, id));
        }
        self.list.push((Some(name), ids.mapv(|id| F::of(id as f64)).into_dyn().into()));
        self
    }

    /// Gives another input an array of the same samples.
    #[must_use]
    pub fn and(mut self, name: &'a str, array: impl IntoInput<'a, F>) -> Self {
        self.list.push((Some(name), array.into_input()));
        self
    }

    /// Returns the tensors in the order of the model's inputs.
    pub(crate) fn for_model(self, model: &[Port]) -> Result<Slots<CowTensor<'a, F>>> {
        if let Some((name, id)) = self.too_large {
            return Err(id_too_large::<F>(name, id));
        }
        let names: SmallVec<[Option<&str>; 4]> = self.list.iter().map(|(name, _)| *name).collect();
        let order = order(model, &names, "the inputs")?;
        let mut given: Slots<CowTensor<'a, F>> =
            self.list.into_iter().map(|(_, tensor)| Some(tensor)).collect();
        Ok(order.into_iter().map(|at| given[at].take()).collect())
    }
}

/// A single array without a name.
impl<'a, F: Scalar, D: Dimension> From<Array<F, D>> for Inputs<'a, F> {
    fn from(array: Array<F, D>) -> Self {
        Self { list: SmallVec::from_buf([(None, array.into_input())]), too_large: None }
    }
}

/// A single array without a name.
impl<'a, F: Scalar, S: Data<Elem = F>, D: Dimension> From<&'a ArrayBase<S, D>> for Inputs<'a, F> {
    fn from(array: &'a ArrayBase<S, D>) -> Self {
        Self { list: SmallVec::from_buf([(None, array.into_input())]), too_large: None }
    }
}

/// The largest id up to which all whole numbers are exact in the element type: 2²⁴ in `f32`.
pub(crate) fn largest_id<F: Scalar>() -> usize {
    (2.0 / F::epsilon().as_f64()) as usize
}

/// The error for an id that the element type does not hold exactly.
pub(crate) fn id_too_large<F: Scalar>(input: &str, id: usize) -> Error {
    Error::data(format!("the input {:?}", cut(input)), format!("have ids that are exact in {}", F::NAME), id)
        .help("Number the ids from 0.")
}

mod sealed {
    pub trait Sealed {}
    impl<F, D> Sealed for ndarray::Array<F, D> {}
    impl<S: ndarray::RawData, D> Sealed for &ndarray::ArrayBase<S, D> {}
}

/// An array that can be an input of a model: of any number of axes, by value or by reference. It is implemented for the
/// arrays of ndarray.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an input of a model of `{F}`",
    note = "an input is an array of the model's element type, `[batch, …]`, or a reference to one"
)]
pub trait IntoInput<'a, F: Scalar>: sealed::Sealed {
    /// Returns the array as a tensor.
    fn into_input(self) -> CowTensor<'a, F>;
}

impl<'a, F: Scalar, D: Dimension> IntoInput<'a, F> for Array<F, D> {
    fn into_input(self) -> CowTensor<'a, F> {
        self.into_dyn().into()
    }
}

impl<'a, F: Scalar, S: Data<Elem = F>, D: Dimension> IntoInput<'a, F> for &'a ArrayBase<S, D> {
    fn into_input(self) -> CowTensor<'a, F> {
        self.view().into_dyn().into()
    }
}

/// For each input of a model, the position of its tensor among those with these names. One input takes one tensor,
/// whatever its name. `what` names the tensors in errors.
pub(crate) fn order(model: &[Port], given: &[Option<&str>], what: &str) -> Result<SmallVec<[usize; 4]>> {
    if let ([_], [_]) = (model, given) {
        return Ok(SmallVec::from_elem(0, 1));
    }
    let names: Vec<Option<&str>> = model.iter().map(|port| Some(port.name())).collect();
    let wrong = |help: String| {
        let expected = format!("be those of the model: {}", listed(&names));
        Error::data(what, expected, listed(given)).help(help)
    };
    if given.contains(&None) {
        return Err(wrong("Give each by its name, in any order.".to_owned()));
    }
    if let Some((_, twice)) = given.iter().enumerate().find(|(at, name)| given[..*at].contains(name)) {
        return Err(wrong(format!("Give {} once.", listed(&[*twice]))));
    }
    let missing: Vec<_> = names.iter().copied().filter(|name| !given.contains(name)).collect();
    let unknown: Vec<_> = given.iter().copied().filter(|name| !names.contains(name)).collect();
    match (&missing[..], &unknown[..]) {
        ([], []) => {}
        ([], unknown) => return Err(wrong(format!("Leave {} out.", listed(unknown)))),
        (missing, []) => return Err(wrong(format!("Give {}, too.", listed(missing)))),
        (missing, unknown) => {
            return Err(wrong(format!("Give {}, and not {}.", listed(missing), listed(unknown))));
        }
    }
    let place = |port: &Port| given.iter().position(|name| *name == Some(port.name()));
    Ok(model.iter().filter_map(place).collect())
}

/// Names in an error.
fn listed(names: &[Option<&str>]) -> String {
    names.iter().map(|name| name.map_or("one without a name".into(), cut)).collect::<Vec<_>>().join(", ")
}

/// Returns the tensors as owned ones, for training.
pub(crate) fn owned_inputs<F: Scalar>(inputs: Slots<CowTensor<'_, F>>) -> Slots<Tensor<F>> {
    inputs.into_iter().map(|input| input.map(crate::tensor::owned)).collect()
}
