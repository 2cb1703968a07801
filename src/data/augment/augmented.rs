//! A data set with augmented images in training.

use super::Augment;
use crate::data::pass_on;
use crate::data::{Batch, Dataset, Pass};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::tensor::standard;

/// A data set of images that are changed at random in training, and unchanged in evaluation and validation.
///
/// ```
/// use plywood::prelude::*;
///
/// let images = plywood::ndarray::Array3::from_shape_fn((40, 4, 4), |(_, _, x)| x as f32);
/// let train = Augmented::new(ArrayDataset::new(images, vec![0; 40])?, Augment::seed(5).flip_horizontal(true))?;
///
/// let mut batch = Batch::<f32, Vec<usize>>::default();
/// let all: Vec<usize> = (0..40).collect();
/// train.read(&all, Pass::Train { epoch: 0 }, &mut batch)?;
/// let mirrored = batch.inputs[0].outer_iter().filter(|image| image[[0, 0]] == 3.0).count();
/// assert!((10..30).contains(&mirrored));
///
/// train.read(&all, Pass::Evaluate, &mut batch)?;
/// assert!(batch.inputs[0].outer_iter().all(|image| image[[0, 0]] == 0.0));
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// The part that [`validation_split`](crate::train::Trainer::validation_split) holds out is read for evaluation, and
/// so is not changed. Changes are drawn by the position in the wrapped data set: an `Augmented` around a
/// [`Subset`](crate::data::Subset) uses the positions in the part, a `Subset` of an `Augmented` those in the whole.
/// If a batch has a sample twice, both images are the same.
///
/// A batch of 64 images of 28 x 28 takes some 20 µs if they are copied, and some 300 µs if they are interpolated
/// (rotation, crop). The work is shared among the threads.
#[derive(Clone, Debug)]
pub struct Augmented<D> {
    data: D,
    augment: Augment,
    /// The name of the input, of several.
    input: Option<String>,
}

impl<D> Augmented<D> {
    /// Wraps this data set, which may be a reference, with these changes.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let images = ArrayDataset::new(plywood::ndarray::Array3::<u8>::zeros((8, 28, 28)), vec![0; 8])?;
    /// let error = Augmented::new(&images, Augment::seed(1).crop(0.0..=1.0)).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "the area of a crop must be a rising range above 0 and at most 1, got 0..=1. 0.6..=1.0 keeps at least \
    ///      60 % of the image."
    /// );
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// When a setting of the changes is out of range. The shape of the data is checked at the first batch.
    pub fn new(data: D, augment: Augment) -> Result<Self> {
        augment.check()?;
        Ok(Self { data, augment, input: None })
    }

    /// [`new`](Self::new) for data with several inputs: changes the input with this name.
    ///
    /// ```
    /// use plywood::ndarray::{Array2, Array3};
    /// use plywood::prelude::*;
    ///
    /// let (images, rows) = (Array3::<u8>::zeros((8, 28, 28)), Array2::<f32>::zeros((8, 3)));
    /// let data = Arrays::builder().input("image", images).input("row", rows).targets(vec![0; 8])?;
    /// let train = Augmented::on("image", data, Augment::seed(1).shift(2))?;
    /// # let _ = train;
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`new`](Self::new). Whether the data have such an input is checked at the first batch.
    pub fn on(input: impl Into<String>, data: D, augment: Augment) -> Result<Self> {
        Ok(Self { input: Some(input.into()), ..Self::new(data, augment)? })
    }

    /// Returns the data set without the changes.
    pub fn data(&self) -> &D {
        &self.data
    }
}

#[deny(clippy::missing_trait_methods)]
impl<F: Scalar, D: Dataset<F>> Dataset<F> for Augmented<D> {
    type Target = D::Target;

    pass_on!(len, is_empty, input_shapes, class_names, class_names_of, target_name, remarks, prefetch);

    fn is_finite(&self) -> bool {
        self.data.is_finite() && F::of(self.augment.fill).is_finite()
    }

    fn read(&self, indices: &[usize], pass: Pass, batch: &mut Batch<F, D::Target>) -> Result<()> {
        self.data.read(indices, pass, batch)?;
        if let Pass::Train { epoch } = pass {
            let mut change = || {
                let (at, _) = self.data.input_shapes().chosen(self.input.as_deref(), "Augmented::on")?;
                let mut input = standard(batch.take_input_at(at));
                let result = self.augment.apply(epoch, indices, &mut input);
                batch.set_input_at(at, input);
                result
            };
            change().map_err(|error: Error| error.at("augmentation"))?;
        }
        Ok(())
    }

    fn read_targets(&self, indices: &[usize], batch: &mut Batch<F, D::Target>) -> Result<bool> {
        self.data.read_targets(indices, batch)
    }
}
