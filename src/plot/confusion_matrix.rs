//! The confusion matrix as a heat map.

use super::axes::{self, BODY, SMALL};
use super::mark::{Anchor, Colour, Pixels, Point, Text};
use super::{Figure, font, palette};
use crate::error::{Error, Result};
use crate::metrics::ConfusionMatrix;

/// The greatest number of classes for which cells show numbers.
const NUMBERED: usize = 25;

/// The greatest number of classes: each needs at least a pixel of a PNG.
const MOST: usize = 1000;

/// Draws a confusion matrix: rows are the true classes, columns the predicted ones.
///
/// ```
/// use plywood::metrics::ConfusionMatrix;
/// use plywood::plot;
///
/// let matrix = ConfusionMatrix::new(2, &[0, 0, 1, 1], &[0, 1, 1, 1])?.with_class_names(["cat", "dog"]);
/// let figure = plot::confusion_matrix(&matrix)?;
/// assert_eq!(figure.title(), "Confusion matrix: 3 of 4 right (75.0 %)");
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// A cell's colour shows its share of the true class, so that rare classes are as visible as frequent ones. The
/// colour scale follows the square root of the share, so that a few per cent of mistakes are visible too. Up to 12
/// classes, cells show the count and below it the share; up to 25 the count alone; beyond that no numbers, and only
/// some names are written.
///
/// # Errors
/// When there are no samples, or more than 1,000 classes.
pub fn confusion_matrix(matrix: &ConfusionMatrix) -> Result<Figure> {
    let (n, total) = (matrix.classes(), matrix.total());
    let at = |error: Error| error.at("plot confusion matrix");
    if total == 0 {
        return Err(at(Error::data("the confusion matrix", "have at least one sample", "none")
            .help("Count predictions first.")));
    }
    if n > MOST {
        return Err(at(Error::argument("the number of classes", format!("at most {MOST}"), n)
            .help("Draw a part of them.")));
    }
    let right: u64 = (0..n).map(|i| matrix.count(i, i)).sum();
    let title = format!(
        "Confusion matrix: {} of {} right ({:.1} %)",
        axes::count(right),
        axes::count(total),
        100.0 * matrix.accuracy()
    );
    let cell = match n {
        0..=4 => 72.0,
        5..=12 => 48.0,
        13..=NUMBERED => 34.0,
        _ => (800.0 / n as f64).max(2.0),
    };
    // Names are cut at 150 pixels; those below columns are slanted and end at the cell.
    let every = (14.0 / cell).ceil().max(1.0) as usize;
    let names: Vec<String> =
        matrix.class_names().iter().map(|name| font::fit(name, SMALL, false, 150.0)).collect();
    let widest = names.iter().map(|name| font::width(name, SMALL, false)).fold(0.0, f64::max);
    let left = 16.0 + 24.0 + widest + 8.0;
    let (top, side) = (48.0, cell * n as f64);
    let below = widest * 0.71 + 22.0;
    let bar = left + side + 28.0;
    let width = (bar + 110.0).max(32.0 + font::width(&title, 15.0, true));
    let mut figure = Figure::new(&title, width, top + side + below + 34.0);
    figure.heading((16.0, 28.0), &title);

    cells(&mut figure, matrix, (left, top), cell);
    figure.frame((left, top), (side, side), Colour::Soft, 1.0);

    for (i, name) in names.iter().enumerate().step_by(every) {
        let middle = (i as f64 + 0.5) * cell;
        figure.text((left - 8.0, top + middle + 4.0), name, SMALL, Colour::Ink, Anchor::End);
        let at = (left + middle + 4.0, top + side + 13.0);
        figure.lettering(Text::new(at, name, SMALL, Colour::Ink, Anchor::End).turned(-45.0));
    }
    let middle = (16.0 + 12.0, top + side / 2.0);
    figure.lettering(Text::new(middle, "true class", BODY, Colour::Ink, Anchor::Middle).turned(-90.0));
    let under = (left + side / 2.0, top + side + below + 18.0);
    figure.text(under, "predicted class", BODY, Colour::Ink, Anchor::Middle);

    scale(&mut figure, (bar, top), side.min(240.0));
    Ok(figure)
}

/// Draws the cells, each coloured by its share of the true class, with as many numbers as there is room for.
fn cells(figure: &mut Figure, matrix: &ConfusionMatrix, (left, top): Point, cell: f64) {
    let n = matrix.classes();
    let share = |t: usize, p: usize, row: u64| {
        if row == 0 { 0.0 } else { matrix.count(t, p) as f64 / row as f64 }
    };
    let rows: Vec<u64> = (0..n).map(|t| (0..n).map(|p| matrix.count(t, p)).sum()).collect();
    if n > NUMBERED {
        let mut rgb = Vec::with_capacity(n * n * 3);
        for (t, &row) in rows.iter().enumerate() {
            (0..n).for_each(|p| rgb.extend(palette::blues(share(t, p, row).sqrt()).rgb()));
        }
        figure.image((left, top), (cell * n as f64, cell * n as f64), Pixels { width: n, height: n, rgb });
        return;
    }
    for (t, &row) in rows.iter().enumerate() {
        for p in 0..n {
            let (x, y) = (left + p as f64 * cell, top + t as f64 * cell);
            let fill = palette::blues(share(t, p, row).sqrt());
            figure.rect((x, y), (cell, cell), fill);
            let count = matrix.count(t, p);
            if count == 0 {
                continue;
            }
            let ink = if fill.is_dark() { Colour::Rgb(255, 255, 255) } else { Colour::Rgb(31, 36, 43) };
            let (middle, text) = (x + cell / 2.0, axes::count(count));
            let room = |text: &str, size: f64| size.min(size * (cell - 4.0) / font::width(text, size, false));
            if n <= 12 {
                let size = room(&text, 13.0);
                figure.text((middle, y + cell / 2.0), &text, size, ink, Anchor::Middle);
                let percent = format!("{:.1} %", 100.0 * share(t, p, row));
                figure.text((middle, y + cell / 2.0 + 13.0), &percent, 9.0, ink, Anchor::Middle);
            } else {
                figure.text((middle, y + cell / 2.0 + 4.0), &text, room(&text, 11.0), ink, Anchor::Middle);
            }
        }
    }
}

/// Draws the colour scale, in per cent.
fn scale(figure: &mut Figure, (left, top): Point, height: f64) {
    figure.colour_bar((left, top), height, |i| palette::blues(1.0 - f64::from(i) / 63.0));
    for percent in [0, 5, 25, 50, 100] {
        let y = top + height * (1.0 - (f64::from(percent) / 100.0).sqrt());
        figure.text((left + 20.0, y + 4.0), &format!("{percent} %"), SMALL, Colour::Soft, Anchor::Start);
    }
    let beside = Text::new(
        (left + 74.0, top + height / 2.0),
        "share of the true class",
        SMALL,
        Colour::Soft,
        Anchor::Middle,
    );
    figure.lettering(beside.turned(-90.0));
}
