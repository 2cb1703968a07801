//! Gradient norms of each layer over the steps.

use super::{Chart, Figure, palette};
use crate::error::{Error, Result};
use crate::gradient_trace::GradientTrace;

/// Draws the gradient norm of each layer over the steps, on a logarithmic axis. It shows vanishing gradients.
///
/// ```
/// use plywood::train::GradientNorms;
/// use plywood::plot;
/// use plywood::prelude::*;
///
/// let data = ArrayDataset::new(plywood::ndarray::Array2::<f32>::ones((40, 2)), vec![1; 40])?;
/// let mut model = Sequential::builder([2])
///     .layer(Dense::units(4)).layer(Sigmoid)
///     .layer(Dense::units(2)).layer(Softmax).build()?;
/// let norms = GradientNorms::every(1);
/// let trainer = Trainer::new(CrossEntropy::default(), SGD::default()).epochs(5).callback(norms.clone());
/// trainer.progress(Progress::Silent).fit(&mut model, &data)?;
/// let figure = plot::gradient_norms(&norms.trace())?;
/// # assert_eq!(figure.title(), "Gradient norm by layer");
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// Layers are coloured in order from dark (the first) to bright (the last). If there are more than 12 layers, 12
/// evenly spaced ones are drawn.
///
/// # Errors
/// When no norm above 0 was recorded.
pub fn gradient_norms(trace: &GradientTrace) -> Result<Figure> {
    let layers = trace.layers.len();
    let shown: Vec<usize> =
        if layers <= 12 { (0..layers).collect() } else { (0..12).map(|i| i * (layers - 1) / 11).collect() };
    let mut chart = Chart::new("Gradient norm by layer")
        .x_label("step")
        .y_label("gradient norm")
        .log_y(true)
        .whole_x(true);
    for (i, &layer) in shown.iter().enumerate() {
        let (name, norms) = &trace.layers[layer];
        let points: Vec<_> = trace.steps.iter().map(|&step| step as f64).zip(norms.iter().copied()).collect();
        chart = chart.line(format!("layer {name}"), &points);
        if let Some(series) = chart.series.last_mut() {
            let share = if shown.len() > 1 { i as f64 / (shown.len() - 1) as f64 } else { 0.0 };
            (series.colour, series.width) = (palette::viridis(0.88 * share), 1.75);
            series.dash = None;
        }
    }
    chart.unmarked().draw().map_err(|_| {
        Error::data("the gradients", "have at least one norm above 0", "none")
            .help("Add a `GradientNorms` to the trainer before `fit`.")
            .at("plot gradient norms")
    })
}
