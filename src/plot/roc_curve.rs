//! ROC curves.

use super::mark::Point;
use super::{Chart, Figure};
use crate::error::{Error, Result};
use crate::metrics::RocCurve;

/// The greatest number of curves that all get a colour; of more curves, only the worst do.
const NAMED: usize = 12;

/// Draws ROC curves, each with a name and the area under it.
///
/// ```
/// use plywood::metrics::roc_curve;
/// use plywood::plot;
///
/// let curve = roc_curve(&[false, false, true, true], &[0.1f32, 0.4, 0.35, 0.8], None)?;
/// let figure = plot::roc([("Shirt", &curve)])?;
/// # assert!(figure.title().starts_with("ROC curves"));
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// The dashed diagonal is the curve of random guessing, with an area of 0.5. If there are more than 12 curves, the
/// four with the smallest area are coloured and named, and the others are grey.
///
/// # Errors
/// When no curve has a finite point.
pub fn roc<'a, S: Into<String>>(curves: impl IntoIterator<Item = (S, &'a RocCurve)>) -> Result<Figure> {
    let points = |curve: &RocCurve| -> Vec<Point> {
        curve.false_positive_rates.iter().copied().zip(curve.true_positive_rates.iter().copied()).collect()
    };
    let mut curves: Vec<(String, Vec<Point>, f64)> = curves
        .into_iter()
        .map(|(name, curve)| (name.into(), thin(&points(curve)), curve.area()))
        .filter(|(_, points, _)| points.iter().any(|p| p.0.is_finite() && p.1.is_finite()))
        .collect();
    if curves.is_empty() {
        return Err(Error::data("the curves", "have at least one finite point", "none")
            .help("A curve needs samples of both kinds.")
            .at("plot ROC"));
    }
    let mut chart = Chart::new("ROC curves, with the areas under them")
        .x_label("false positive rate")
        .y_label("true positive rate")
        .x_range(0.0, 1.0)
        .y_range(0.0, 1.0);
    let many = curves.len() > NAMED;
    if many {
        curves.sort_by(|a, b| a.2.total_cmp(&b.2));
        chart = chart.grey("others", curves[4..].iter().map(|curve| &curve.1[..]));
        curves.truncate(4);
    }
    for (name, points, area) in &curves {
        chart = chart.line(format!("{name} ({area:.3})"), points);
    }
    let rows = curves.len().div_ceil(3) as f64;
    chart.guide("guessing", &[(0.0, 0.0), (1.0, 1.0)]).unmarked().size(540.0, 500.0 + 18.0 * rows).draw()
}

/// Drops points that are within half a thousandth of the last point kept.
fn thin(points: &[Point]) -> Vec<Point> {
    let mut kept: Vec<Point> = Vec::new();
    for (i, &p) in points.iter().enumerate() {
        let near = kept.last().is_some_and(|k| (k.0 - p.0).abs() + (k.1 - p.1).abs() < 5e-4);
        if !near || i + 1 == points.len() {
            kept.push(p);
        }
    }
    kept
}
