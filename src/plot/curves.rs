//! Values over the epochs, of one run and of several.

use super::mark::Point;
use super::{Chart, Figure};
use crate::error::{Error, Result};
use crate::history::History;
use crate::monitor::Direction;

/// Returns a value's name without the prefix of validation: "accuracy" for "val_accuracy".
fn base(name: &str) -> &str {
    name.strip_prefix("val_").unwrap_or(name)
}

/// Returns the epochs and values of this name; an epoch without it becomes a gap.
fn points(history: &History, name: &str) -> Vec<Point> {
    let value = |epoch: &crate::history::Epoch| epoch.get(name).unwrap_or(f64::NAN);
    history.epochs.iter().map(|epoch| (epoch.number as f64, value(epoch))).collect()
}

/// Returns the best point; ties go to the first, and NaN is never the best.
fn best(points: &[Point], direction: Direction) -> Option<Point> {
    let finite = points.iter().copied().filter(|p| p.1.is_finite());
    finite.reduce(|best, p| if direction.is_better(p.1, best.1) { p } else { best })
}

/// Makes a chart of a value in training and in validation.
fn chart(history: &History, name: &str) -> Chart {
    let name = base(name);
    let validation = format!("val_{name}");
    let mut title = name.replace('_', " ");
    if let Some(first) = title.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    let mut chart = Chart::new(title).x_label("epoch").y_label(name.replace('_', " ")).whole_x(true);
    let mut judged = Vec::new();
    for (of, label) in [(name, "training"), (validation.as_str(), "validation")] {
        let points = points(history, of);
        if points.iter().any(|p| p.1.is_finite()) {
            chart = chart.line(label, &points);
            judged = points;
        }
    }
    let mut said =
        history.epochs.iter().flat_map(|epoch| [epoch.direction(name), epoch.direction(&validation)]);
    let direction = said.find_map(|direction| direction);
    match direction.and_then(|direction| best(&judged, direction)) {
        Some((epoch, value)) => chart.mark(epoch, value, format!("best: epoch {epoch}, {value:.4}")),
        None => chart,
    }
}

/// Draws one value over the epochs, in training and in validation, with the best epoch marked:
/// `curve(&history, "loss")`.
///
/// ```
/// use plywood::plot;
/// use plywood::prelude::*;
///
/// let data = ArrayDataset::new(plywood::ndarray::Array2::<f32>::ones((40, 2)), vec![1; 40])?;
/// let mut model = Sequential::builder([2]).layer(Dense::units(2)).layer(Softmax).build()?;
/// let trainer = Trainer::new(CrossEntropy::default(), SGD::default()).epochs(3).validation_split(0.25);
/// let history = trainer.progress(Progress::Silent).fit(&mut model, &data)?;
/// let figure = plot::curve(&history, "loss")?;
/// assert_eq!(figure.title(), "Loss");
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// The best epoch is that of the validation data, if there are any. It is marked if the value states whether lower or
/// higher is better, as losses and built-in metrics do.
///
/// # Errors
/// When no epoch has a finite value of this name.
pub fn curve(history: &History, name: &str) -> Result<Figure> {
    if points(history, base(name))
        .iter()
        .chain(&points(history, &format!("val_{}", base(name))))
        .all(|p| !p.1.is_finite())
    {
        return Err(missing(history, name));
    }
    chart(history, name).draw()
}

/// The error of a name without a finite value in any epoch.
fn missing(history: &History, name: &str) -> Error {
    let names: Vec<&str> = history
        .epochs
        .last()
        .map(|epoch| epoch.values.iter().map(|(name, _)| name.as_str()).collect())
        .unwrap_or_default();
    let known = if names.is_empty() {
        "a name that some epoch has".to_owned()
    } else {
        format!("one of the recorded values ({})", names.join(", "))
    };
    Error::argument("the value to plot", known, name)
        .help("It needs a finite number in at least one epoch.")
        .at("plot curve")
}

/// Draws the loss and every metric over the epochs, in a panel each, with the best epochs marked.
///
/// ```
/// use plywood::plot;
/// use plywood::prelude::*;
///
/// let data = ArrayDataset::new(plywood::ndarray::Array2::<f32>::ones((40, 2)), vec![1; 40])?;
/// let mut model = Sequential::builder([2]).layer(Dense::units(2)).layer(Softmax).build()?;
/// let trainer = Trainer::new(CrossEntropy::default(), SGD::default()).epochs(3).metric(Accuracy::default());
/// let history = trainer.progress(Progress::Silent).fit(&mut model, &data)?;
/// let figure = plot::history(&history)?;
/// assert!(figure.to_svg().contains("Training history"));
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// # Errors
/// When there is no finite value in the history.
pub fn history(history: &History) -> Result<Figure> {
    let mut names: Vec<&str> = Vec::new();
    for (name, value) in history.epochs.iter().flat_map(|epoch| &epoch.values) {
        if value.is_finite() && !names.contains(&base(name)) {
            names.push(base(name));
        }
    }
    if names.is_empty() {
        return Err(missing(history, "loss"));
    }
    let (columns, (width, height)) = (names.len().min(2), (480.0, 360.0));
    let rows = names.len().div_ceil(columns);
    let mut figure = Figure::new("Training history", width * columns as f64, height * rows as f64);
    for (i, name) in names.iter().enumerate() {
        let at = ((i % columns) as f64 * width, (i / columns) as f64 * height);
        chart(history, name).panel(&mut figure, at, (width, height))?;
    }
    Ok(figure)
}

/// Draws a value over the epochs for several settings, each with the mean and the spread of its runs with different
/// seeds.
///
/// ```
/// use plywood::plot;
/// use plywood::prelude::*;
///
/// let data = ArrayDataset::new(plywood::ndarray::Array2::<f32>::ones((40, 2)), vec![1; 40])?;
/// let run = |seed, rate: f64| {
///     let mut model = Sequential::builder([2]).seed(seed).layer(Dense::units(2)).layer(Softmax).build()?;
///     let trainer = Trainer::new(CrossEntropy::default(), SGD::default()).learning_rate(rate).epochs(3);
///     trainer.progress(Progress::Silent).seed(seed).fit(&mut model, &data)
/// };
/// let slow = [run(1, 0.01)?, run(2, 0.01)?, run(3, 0.01)?];
/// let fast = [run(1, 0.1)?, run(2, 0.1)?, run(3, 0.1)?];
/// let figure = plot::runs("loss", [("rate 0.01", &slow[..]), ("rate 0.1", &fast[..])])?;
/// # assert_eq!(figure.title(), "Loss: mean ± standard deviation of 3 runs");
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// The band is one standard deviation to both sides ([`MeanStd`](crate::metrics::MeanStd)). Epochs are counted from 1
/// in each run. If runs end at different epochs, the mean at an epoch is that of the runs that reach it.
///
/// # Errors
/// When no run has a finite value of this name.
pub fn runs<'a, S: Into<String>>(
    name: &str,
    groups: impl IntoIterator<Item = (S, &'a [History])>,
) -> Result<Figure> {
    let groups: Vec<(String, &[History])> = groups.into_iter().map(|(s, runs)| (s.into(), runs)).collect();
    let counts: Vec<usize> = groups.iter().map(|(_, runs)| runs.len()).collect();
    let (least, most) =
        (counts.iter().min().copied().unwrap_or(0), counts.iter().max().copied().unwrap_or(0));
    let readable =
        name.strip_prefix("val_").map_or(name.to_owned(), |n| format!("validation {n}")).replace('_', " ");
    let mut title = readable.clone();
    if let Some(first) = title.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    if most > 1 {
        let count = if least == most { most.to_string() } else { format!("{least} to {most}") };
        title = format!("{title}: mean ± standard deviation of {count} runs");
    }
    let mut chart = Chart::new(title).x_label("epoch").y_label(readable).whole_x(true);
    for (label, runs) in &groups {
        let values: Vec<Vec<f64>> = runs
            .iter()
            .map(|run| run.epochs.iter().map(|epoch| epoch.get(name).unwrap_or(f64::NAN)).collect())
            .collect();
        let longest = values.iter().map(Vec::len).max().unwrap_or(0);
        let epochs: Vec<f64> = (1..=longest).map(|epoch| epoch as f64).collect();
        chart = chart.band(label.as_str(), &epochs, &values);
    }
    chart.draw().map_err(|error| match groups.iter().flat_map(|(_, runs)| runs.iter()).next() {
        Some(run)
            if !groups.iter().flat_map(|g| g.1).any(|run| run.get(name).iter().any(|v| v.is_finite())) =>
        {
            missing(run, name)
        }
        _ => error,
    })
}
