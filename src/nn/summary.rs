//! The printed summary of a model.
//!
//! ```text
//!    Layer    Output shape  Parameters
//! ────────────────────────────────────
//!    input    [28, 28]
//! 0  flatten  [784]                  0
//! 1  dense    [10]               7,850
//! ────────────────────────────────────
//! 7,850 parameters, 7,850 trainable; 30.7 KiB in f32
//! ```
//!
//! The number in front of a layer is the one in the names of its parameters and in errors: layer 1 has "1.weight". A
//! container has a row with the total of its layers, followed by a row for each of them, with the container's number in
//! front. The first line of the footer counts each parameter once. Shapes are without the batch axis, where Keras
//! prints `(None, 10)`. The bytes are those of the values; training needs as many again for gradients, plus the
//! optimizer's state.

use crate::kernels::Scalar;
use crate::nn::Part;
use crate::param::ParamKind;
use crate::shown::grouped;
use std::fmt;

/// The parameters of one layer, by kind.
///
/// Counted in values, not bytes.
#[derive(Default)]
pub(super) struct Count {
    trainable: usize,
    frozen: usize,
    buffers: usize,
}

impl Count {
    /// Counts a parameter under its current kind, which freezing changes.
    pub fn add(&mut self, kind: ParamKind, len: usize) {
        match kind {
            ParamKind::Trainable => self.trainable += len,
            ParamKind::Frozen => self.frozen += len,
            ParamKind::Buffer => self.buffers += len,
        }
    }

    /// Returns the number in the column "Parameters".
    fn total(&self) -> usize {
        self.trainable + self.frozen + self.buffers
    }
}

/// Adds a row for each layer, and after a container's row those of the layers inside.
///
/// Shapes come from the layers, which a built model has checked.
fn table<F: Scalar>(prefix: &str, parts: Vec<Part<'_, F>>, rows: &mut Vec<[String; 4]>) {
    for part in parts {
        let (layer, name) = (part.layer, format!("{prefix}{}", part.name()));
        let shape =
            layer.erased_output_shape(part.input()).map_or_else(|_| "?".into(), |shape| format!("{shape:?}"));
        let mut count = Count::default();
        layer.erased_visit(&mut |_, param| count.add(param.kind(), param.len()));
        rows.push([name.clone(), layer.erased_label().to_owned(), shape, grouped(count.total())]);
        table(&format!("{name}."), layer.erased_parts(part.input()), rows);
    }
}

/// Prints the summary of a model with this input and these parts: layers, output shapes, parameters, memory.
pub(super) fn write<F: Scalar>(
    f: &mut fmt::Formatter<'_>,
    input: &[usize],
    parts: Vec<Part<'_, F>>,
) -> fmt::Result {
    let mut rows = vec![["".into(), "Layer".into(), "Output shape".into(), "Parameters".into()]];
    rows.push([String::new(), "input".into(), format!("{input:?}"), String::new()]);
    let mut count = Count::default();
    for part in &parts {
        part.layer.erased_visit(&mut |_, param| count.add(param.kind(), param.len()));
    }
    table("", parts, &mut rows);
    write_table::<F, 4>(f, &rows, &count)
}

/// Prints a table, of which the first row is the head and the last column is of numbers, and the sum of its parameters.
pub(super) fn write_table<F: Scalar, const N: usize>(
    f: &mut fmt::Formatter<'_>,
    rows: &[[String; N]],
    count: &Count,
) -> fmt::Result {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let rule = "─".repeat(widths.iter().sum::<usize>() + 2 * (N - 1));
    for (i, row) in rows.iter().enumerate() {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            let space = " ".repeat(width - cell.chars().count());
            let gap = if column == 0 { "" } else { "  " };
            let (before, after) = if column + 1 == N { (space.as_str(), "") } else { ("", space.as_str()) };
            line.extend([gap, before, cell, after]);
        }
        writeln!(f, "{}", line.trim_end())?;
        if i == 0 {
            writeln!(f, "{rule}")?;
        }
    }
    writeln!(f, "{rule}")?;
    write!(f, "{} parameters, {} trainable", grouped(count.total()), grouped(count.trainable))?;
    for (n, what) in [(count.frozen, "frozen"), (count.buffers, "in buffers")] {
        if n > 0 {
            write!(f, ", {} {what}", grouped(n))?;
        }
    }
    write!(f, "; {} in {}", memory(count.total() * size_of::<F>()), F::NAME)
}

/// Returns a line for the input and for each layer, including those inside containers: "layer 1 (dense) with output
/// [10] and 850 parameters".
pub(super) fn outline<F: Scalar>(input: &[usize], parts: Vec<Part<'_, F>>) -> Vec<String> {
    let (mut rows, mut lines) = (Vec::new(), vec![format!("the input {input:?}")]);
    table("", parts, &mut rows);
    lines.extend(rows.into_iter().map(|[number, kind, shape, parameters]| {
        format!("layer {number} ({kind}) with output {shape} and {parameters} parameters")
    }));
    lines
}

/// Formats a size, e.g. "397.5 KiB".
///
/// In powers of 1024, with one decimal.
fn memory(bytes: usize) -> String {
    let mut size = bytes as f64;
    for unit in ["bytes", "KiB", "MiB", "GiB"] {
        if size < 1024.0 || unit == "GiB" {
            return if unit == "bytes" { format!("{bytes} bytes") } else { format!("{size:.1} {unit}") };
        }
        size /= 1024.0;
    }
    unreachable!("the last unit returns")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Concat, Dense, Flatten, ReLU, Residual, Sequential, Softmax};

    #[test]
    fn the_table_of_the_seed_network() {
        let block = Sequential::block().layer(Dense::units(10)).layer(Softmax);
        let model = Sequential::builder([28, 28])
            .layer(Flatten)
            .layer(Dense::units(128))
            .layer(ReLU)
            .layer(block)
            .build()
            .unwrap();
        let table = model.to_string();
        let expected = "     Layer       Output shape  Parameters
─────────────────────────────────────────
     input       [28, 28]
0    flatten     [784]                  0
1    dense       [128]            100,480
2    relu        [128]                  0
3    sequential  [10]               1,290
3.0  dense       [10]               1,290
3.1  softmax     [10]                   0
─────────────────────────────────────────
101,770 parameters, 101,770 trainable; 397.5 KiB in f32";
        assert_eq!(table, expected, "\n{table}");
    }

    #[test]
    fn blocks_inside_containers_have_their_rows() {
        let model = Sequential::builder([2])
            .layer(Residual::around(Sequential::block().layer(Dense::units(2))))
            .layer(Concat::of([Sequential::block(), Sequential::block().layer(ReLU)]))
            .build()
            .unwrap();
        let table = model.to_string();
        let expected = "           Layer       Output shape  Parameters
───────────────────────────────────────────────
           input       [2]
0          residual    [2]                    6
0.block    sequential  [2]                    6
0.block.0  dense       [2]                    6
1          concat      [4]                    0
1.0        sequential  [2]                    0
1.1        sequential  [2]                    0
1.1.0      relu        [2]                    0
───────────────────────────────────────────────
6 parameters, 6 trainable; 24 bytes in f32";
        assert_eq!(table, expected, "\n{table}");
    }

    #[test]
    fn numbers_for_people() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([3, 2048, 5 << 30].map(memory), ["3 bytes", "2.0 KiB", "5.0 GiB"]);
    }
}
