//! Class weights.

use crate::error::{Error, Result};

/// Returns a weight for each class, inversely proportional to its frequency: `n / (classes · count)`. The samples of
/// each class have the same total weight, and the mean weight of the samples is 1.
///
/// It is scikit-learn's `compute_class_weight("balanced", ..)`. Without class weights, a model of rare classes can be
/// right nearly always by predicting the common class. King and Zeng, "Logistic regression in rare events data", 2001.
///
/// ```
/// use plywood::losses::class_weights;
///
/// // Three of class 0, one of class 1.
/// assert_eq!(class_weights(&[0, 0, 1, 0], 2)?, [4.0 / 6.0, 2.0]);
///
/// let error = class_weights(&[0, 0, 2], 3).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "class weights: the samples must include every class, got none of class 1. A class without samples has no \
///      weight that would balance it."
/// );
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// Pass the labels of the training data, not those of the validation or test data.
///
/// # Errors
/// If a label is not below `classes`, or a class has no sample.
pub fn class_weights(labels: &[usize], classes: usize) -> Result<Vec<f64>> {
    let at = |error: Error| error.at("class weights");
    if classes == 0 || classes > labels.len() {
        let expected = format!("from 1 to {}, the number of labels", labels.len());
        return Err(at(Error::argument("the number of classes", expected, classes)
            .help("Every class needs a sample, as its weight follows from their number.")));
    }
    let mut counts = vec![0u64; classes];
    for (i, &label) in labels.iter().enumerate() {
        match counts.get_mut(label) {
            Some(count) => *count += 1,
            None => {
                return Err(at(Error::data(
                    format!("the label of sample {i}"),
                    format!("be below {classes}"),
                    label,
                )
                .help("Labels count from 0.")));
            }
        }
    }
    if let Some(class) = counts.iter().position(|&count| count == 0) {
        return Err(at(Error::data("the samples", "include every class", format!("none of class {class}"))
            .help("A class without samples has no weight that would balance it.")));
    }
    Ok(counts.iter().map(|&count| labels.len() as f64 / (classes as f64 * count as f64)).collect())
}
