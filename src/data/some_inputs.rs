//! [`SomeInputs`]: a data set without some of its inputs.

use super::pass_on;
use super::{Batch, Dataset, InputShapes, Pass};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::Port;
use crate::shown::cut;
use crate::tensor::recycle;

/// A data set with some of its inputs, for a model that takes no others: one tower of two, or a comparison of what each
/// input is worth.
///
/// ```
/// use plywood::data::SomeInputs;
/// use plywood::ndarray::{Array2, Array3};
/// use plywood::prelude::*;
///
/// let (photos, facts) = (Array3::<u8>::zeros((8, 28, 28)), Array2::<f32>::ones((8, 3)));
/// let data = Arrays::builder().input("photo", photos).input("facts", facts).targets(vec![0; 8])?;
/// let facts = SomeInputs::of(["facts"], &data)?;
/// assert_eq!(facts.input_shapes().to_string(), "facts [3]");
/// let model = Sequential::builder([3]).layer(Dense::units(2)).layer(Softmax).build()?;
/// assert_eq!(evaluate::predictions(&model, &facts)?.get("output")?.shape(), [8, 2]);
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// The others are read and dropped.
#[derive(Clone, Debug)]
pub struct SomeInputs<D> {
    data: D,
    ports: Vec<Port>,
    /// The positions of the inputs in the data.
    places: Vec<usize>,
}

impl<D> SomeInputs<D> {
    /// Keeps the inputs with these names, in this order. `data` may be a reference.
    ///
    /// # Errors
    /// When the data have no such input, one is named twice, or none is named.
    pub fn of<F: Scalar, S: AsRef<str>>(names: impl IntoIterator<Item = S>, data: D) -> Result<Self>
    where
        D: Dataset<F>,
    {
        let inputs = data.input_shapes();
        let InputShapes::Named(all) = inputs else {
            return Err(Error::data("the inputs of the data", "have names", "one without a name")
                .help("There is no other to leave out."));
        };
        let mut places = Vec::new();
        for name in names {
            let name = name.as_ref();
            let found = format!("{:?} for data with {inputs}", cut(name));
            match all.iter().position(|port| port.name() == name) {
                Some(at) if !places.contains(&at) => places.push(at),
                Some(_) => return Err(wrong("be named once each", found)),
                None => return Err(wrong("be among those of the data", found)),
            }
        }
        if places.is_empty() {
            return Err(wrong("be at least one", "none".to_owned()));
        }
        let ports = places.iter().map(|&at| all[at].clone()).collect();
        Ok(Self { data, ports, places })
    }
}

/// The error for names of inputs.
fn wrong(expected: &str, found: String) -> Error {
    Error::data("the inputs to keep", expected, found).help("Name some of the data's inputs.")
}

#[deny(clippy::missing_trait_methods)]
impl<F: Scalar, D: Dataset<F>> Dataset<F> for SomeInputs<D> {
    type Target = D::Target;

    pass_on!(len, is_empty, class_names, class_names_of, target_name, remarks, prefetch, is_finite);

    fn input_shapes(&self) -> InputShapes<'_> {
        InputShapes::Named(&self.ports)
    }

    fn read(&self, indices: &[usize], pass: Pass, batch: &mut Batch<F, D::Target>) -> Result<()> {
        self.data.read(indices, pass, batch)?;
        let kept = self.places.iter().map(|&at| batch.take_input_at(at)).collect();
        std::mem::replace(&mut batch.inputs, kept).into_iter().for_each(recycle);
        Ok(())
    }

    fn read_targets(&self, indices: &[usize], batch: &mut Batch<F, D::Target>) -> Result<bool> {
        self.data.read_targets(indices, batch)
    }
}
