//! The forms of targets that the wrappers of data sets work with.

use super::named::{FromNamed, NamedTargets, Write};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::shown::cut;
use crate::tensor::Tensor;

mod sealed {
    pub trait Sealed {}
    impl Sealed for Vec<usize> {}
    impl<F> Sealed for ndarray::ArrayD<F> {}
    impl<F: crate::kernels::Scalar> Sealed for super::NamedTargets<F> {}
}

/// Mixes a tensor with that of other samples.
type Mix<'a, F> = &'a mut dyn FnMut(&mut Tensor<F>, Tensor<F>) -> Result<()>;

/// Targets with class indices: `Vec<usize>`, or [`NamedTargets`] of which one is chosen by its name.
#[diagnostic::on_unimplemented(
    message = "class indices are expected, and the data set has `{Self}`",
    note = "targets with class indices are `Vec<usize>`, and `NamedTargets` of which one is named by `on`"
)]
pub trait ClassTargets<F: Scalar>: Default + Send + sealed::Sealed {
    /// The same targets with rows of numbers in place of the class indices.
    type Soft: Default + Send;

    /// Returns the class indices, and the weights of the targets.
    #[doc(hidden)]
    fn chosen(&self, name: Option<&str>) -> Result<(&[usize], Option<&[F]>)>;

    /// Takes the buffers out of `soft`.
    #[doc(hidden)]
    fn from_soft(soft: &mut Self::Soft) -> Self;

    /// Writes the class indices as rows of numbers, and puts all into `soft`.
    #[doc(hidden)]
    fn soften(self, name: Option<&str>, write: Write<'_, F>, soft: &mut Self::Soft) -> Result<()>;
}

impl<F: Scalar> ClassTargets<F> for Vec<usize> {
    type Soft = Tensor<F>;

    fn chosen(&self, name: Option<&str>) -> Result<(&[usize], Option<&[F]>)> {
        without_name(name)?;
        Ok((self, None))
    }

    fn from_soft(_: &mut Tensor<F>) -> Self {
        Self::new()
    }

    fn soften(self, name: Option<&str>, write: Write<'_, F>, soft: &mut Tensor<F>) -> Result<()> {
        without_name(name)?;
        write(&self, soft)
    }
}

/// Refuses a name for targets that have none.
fn without_name(name: Option<&str>) -> Result<()> {
    match name {
        None => Ok(()),
        Some(name) => {
            let what = format!("the targets {:?}", cut(name));
            Err(Error::data(what, "be among those of the data", "targets without a name")
                .help("Leave the name out."))
        }
    }
}

impl<F: Scalar> NamedTargets<F> {
    /// The name that is given, or that of the only classes.
    fn name_of_classes<'a>(&'a self, name: Option<&'a str>) -> Result<&'a str> {
        if let Some(name) = name {
            return Ok(name);
        }
        let mut classes = self.names().filter(|name| self.classes(name).is_some());
        match (classes.next(), classes.next()) {
            (Some(only), None) => Ok(only),
            _ => {
                let names: Vec<_> = self.names().map(cut).collect();
                Err(Error::data("the target", "be named, as the data have several", names.join(", "))
                    .help("Name one of those with classes by `on`."))
            }
        }
    }
}

impl<F: Scalar> ClassTargets<F> for NamedTargets<F> {
    type Soft = Self;

    fn chosen(&self, name: Option<&str>) -> Result<(&[usize], Option<&[F]>)> {
        let name = self.name_of_classes(name)?;
        Ok((<[usize]>::pick(self, name)?, self.weights(name)))
    }

    fn from_soft(soft: &mut Self) -> Self {
        std::mem::take(soft)
    }

    fn soften(mut self, name: Option<&str>, write: Write<'_, F>, soft: &mut Self) -> Result<()> {
        let name = self.name_of_classes(name)?.to_owned();
        self.rewrite_classes(&name, write)?;
        *soft = self;
        Ok(())
    }
}

/// The forms of one target of several: `Vec<usize>` and a tensor.
pub trait OfName<F: Scalar>: Default + Send + sealed::Sealed {
    /// Moves the target with this name out.
    #[doc(hidden)]
    fn take(targets: &mut NamedTargets<F>, name: &str) -> Result<Self>;
}

impl<F: Scalar> OfName<F> for Vec<usize> {
    fn take(targets: &mut NamedTargets<F>, name: &str) -> Result<Self> {
        targets.take_classes(name)
    }
}

impl<F: Scalar> OfName<F> for Tensor<F> {
    fn take(targets: &mut NamedTargets<F>, name: &str) -> Result<Self> {
        targets.take_numbers(name)
    }
}

/// Targets that can be mixed: a tensor of numbers, or [`NamedTargets`] that are all numbers.
#[diagnostic::on_unimplemented(
    message = "only numbers can be mixed, and the data set has targets of `{Self}`",
    note = "`OneHot` makes rows of numbers of class indices"
)]
pub trait MixedTargets<F: Scalar>: Default + Send + sealed::Sealed {
    /// Mixes with the targets of other samples, by `mix`.
    #[doc(hidden)]
    fn mix(&mut self, other: Self, mix: Mix<'_, F>) -> Result<()>;
}

impl<F: Scalar> MixedTargets<F> for Tensor<F> {
    fn mix(&mut self, other: Self, mix: Mix<'_, F>) -> Result<()> {
        mix(self, other)
    }
}

impl<F: Scalar> MixedTargets<F> for NamedTargets<F> {
    fn mix(&mut self, mut other: Self, mix: Mix<'_, F>) -> Result<()> {
        let names: Vec<String> = self.names().map(str::to_owned).collect();
        for name in names {
            if self.classes(&name).is_some() {
                let what = format!("the targets of {:?}", cut(&name));
                return Err(Error::data(what, "be numbers to be mixed", "class indices")
                    .help("Make rows of numbers of them by `OneHot`."));
            }
            let numbers = other.take_numbers(&name)?;
            mix(self.number_buffer(&name), numbers)?;
            self.mix_weights(&name, &other);
        }
        Ok(())
    }
}
