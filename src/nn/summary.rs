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
use crate::nn::node::{Count, Node, Role};
use crate::shown::grouped;
use std::fmt;

/// Adds a row for each layer, and after a container's row those of the layers inside.
fn table(prefix: &str, nodes: &[Node], rows: &mut Vec<[String; 4]>) {
    for node in nodes.iter().filter(|node| node.role() == Role::Layer && !node.is_repeated()) {
        let name = format!("{prefix}{}", node.name());
        let inside = format!("{name}.");
        rows.push([name, node.kind().to_owned(), shape(node), grouped(node.parameter_count())]);
        table(&inside, node.parts(), rows);
    }
}

/// Returns the text of the shape of a node's first output.
pub(super) fn shape(node: &Node) -> String {
    format!("{:?}", node.shape())
}

/// Prints the summary of a row of layers: layers, output shapes, parameters, memory.
pub(super) fn write<F: Scalar>(f: &mut fmt::Formatter<'_>, nodes: &[Node]) -> fmt::Result {
    let mut rows = vec![["".into(), "Layer".into(), "Output shape".into(), "Parameters".into()]];
    let input = nodes.iter().take(1).map(|node| [String::new(), "input".into(), shape(node), String::new()]);
    rows.extend(input);
    table("", nodes, &mut rows);
    write_table::<F, 4>(f, &rows, Count::of_nodes(nodes))
}

/// Prints a table, of which the first row is the head and the last column is of numbers, and the sum of its parameters.
pub(super) fn write_table<F: Scalar, const N: usize>(
    f: &mut fmt::Formatter<'_>,
    rows: &[[String; N]],
    count: Count,
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
pub(super) fn outline(nodes: &[Node]) -> Vec<String> {
    let mut rows = Vec::new();
    let mut lines: Vec<_> = nodes.iter().take(1).map(|node| format!("the input {}", shape(node))).collect();
    table("", nodes, &mut rows);
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
