//! A picture of a model.
//!
//! `boxes.rs` makes boxes and arrows of the nodes; `ranks.rs`, `order.rs` and `place.rs` find where they are, in the steps of
//! Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system structures", 1981; `draw.rs` draws.

mod boxes;
mod draw;
mod order;
mod place;
mod ranks;

use super::Figure;
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::{Infer, Node};
use crate::shown::grouped;
use boxes::Boxes;
use ranks::Ranks;

/// The greatest number of boxes.
const MOST: usize = 1000;

/// Draws a model, a row of layers or a graph: boxes with the kind and the name, the output's shape and the number of
/// parameters, from the inputs at the top to the outputs at the bottom.
///
/// ```
/// use plywood::plot;
/// use plywood::prelude::*;
///
/// let block = || Sequential::block().layer(Dense::units(32)).layer(ReLU);
/// let model = Sequential::builder([32]).layer(Residual::around(block())).layer(Dense::units(10)).build()?;
/// let figure = plot::network(&model)?;
/// assert_eq!(figure.title(), "Network of 1,386 parameters");
///
/// let path = std::env::temp_dir().join("plywood-doc-network.svg");
/// figure.save(&path)?;
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// | box | what |
/// |---|---|
/// | rounded, green | an input or an output |
/// | with a bar, blue | a layer with parameters |
/// | orange | a layer without |
/// | a narrow pill, purple | operations of a graph; those that follow each other are one box |
///
/// Containers are drawn as what is inside of them ([`Node::expand`](crate::nn::Node::expand)); a layer with a label of its own,
/// from [`Graph::layer`](crate::nn::Graph::layer), is one box, and [`Graph::expanded`](crate::nn::Graph::expanded) shows its inside. Parameters and constants of a
/// graph are no boxes; they are counted in the operation that reads them. Shapes are without the batch axis. Names are
/// those of the summary and, for layers, those in front of parameters.
///
/// Large pictures are better saved as SVG: a PNG of 500 layers has a hundred million pixels.
///
/// It is `keras.utils.plot_model`, and `torchviz.make_dot` for the model in place of one pass.
///
/// # Errors
/// When the model has more than 1,000 boxes.
pub fn network<F: Scalar>(model: &(impl Infer<F> + ?Sized)) -> Result<Figure> {
    let nodes = model.nodes();
    let boxes = Boxes::of(&Node::expand_where(&nodes, |node| !node.has_label()));
    if boxes.items.len() > MOST {
        let found = format!("{} of them", boxes.items.len());
        return Err(Error::data(
            "the model",
            format!("have at most {MOST} layers and operations to be drawn"),
            found,
        )
        .help("Draw a part of it, `Graph::with_outputs`; a formula with a label, `Graph::layer`, is one box.")
        .at("plot network"));
    }
    let mut ranks = Ranks::of(&boxes);
    order::arrange(&mut ranks);
    let places = place::places(&ranks);
    let sum = |count: fn(&Node) -> usize| nodes.iter().map(count).sum::<usize>();
    let (total, trained, frozen) =
        (sum(Node::parameter_count), sum(Node::trainable_count), sum(Node::frozen_count));
    let title = match total {
        0 => "Network without parameters".to_owned(),
        1 => "Network of 1 parameter".to_owned(),
        _ => format!("Network of {} parameters", grouped(total)),
    };
    let mut parts = vec![format!("{} trained", grouped(trained))];
    for (n, what) in [(frozen, "frozen"), (total - trained - frozen, "in buffers")] {
        parts.extend((n > 0).then(|| format!("{} {what}", grouped(n))));
    }
    let line = if parts.len() > 1 { parts.join(", ") } else { String::new() };
    Ok(draw::draw(&title, &line, &boxes, &ranks, &places))
}
