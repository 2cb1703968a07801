//! The boxes of a picture of a model, and the arrows between them.

use crate::nn::{Node, Role};
use crate::plot::axes::{BODY, SMALL};
use crate::plot::font;
use crate::shown::grouped;
use std::collections::HashSet;

/// What a box stands for, which decides how it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Input,
    Output,
    /// A layer with parameters.
    Trained,
    /// A layer without parameters.
    Plain,
    Operation,
}

/// A box with its text.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub style: Style,
    /// The first line, at the left.
    pub title: String,
    /// The first line, at the right.
    pub aside: String,
    /// The lines below.
    pub lines: Vec<String>,
    pub width: f64,
    pub height: f64,
}

/// The distance of text from the sides of a box.
pub(super) const PAD: f64 = 12.0;
/// The distance between the two texts of the first line.
const GAP: f64 = 14.0;
/// The distance of two lines.
pub(super) const LINE: f64 = 16.0;
/// The greatest width of the text in a box.
const WIDEST: f64 = 240.0;

/// The boxes, and the arrows as pairs of boxes, each once and from a smaller number to a larger one.
#[derive(Debug, Default)]
pub(super) struct Boxes {
    pub items: Vec<Item>,
    pub arrows: Vec<(usize, usize)>,
}

/// Operations that become a box.
struct Chain {
    /// The name of the first.
    name: String,
    kinds: Vec<String>,
    shape: String,
    parameters: usize,
    frozen: usize,
    /// The node of the last one.
    last: usize,
}

impl Chain {
    /// Returns whether the kind of another operation fits into the box.
    fn has_room(&self, next: &Node) -> bool {
        let kinds = format!("{}, {}", self.kinds.join(", "), next.kind());
        font::width(&kinds, BODY, false) + GAP + font::width(&shapes(next), SMALL, false) <= WIDEST
    }
}

/// Returns for each node whether an output depends on it.
fn live(nodes: &[Node]) -> Vec<bool> {
    let mut live: Vec<bool> = nodes.iter().map(|node| node.role() == Role::Output).collect();
    for (i, node) in nodes.iter().enumerate().rev().filter(|(_, node)| node.reads().next().is_some()) {
        if live[i] {
            node.reads().for_each(|(read, _)| live[read] = true);
        }
    }
    live
}

impl Boxes {
    /// Makes the boxes of a list without containers.
    pub fn of(nodes: &[Node]) -> Self {
        let live = live(nodes);
        let mut readers = vec![0; nodes.len()];
        for (node, _) in nodes.iter().zip(&live).filter(|(_, live)| **live) {
            let read: HashSet<usize> = node.reads().map(|(node, _)| node).collect();
            read.into_iter().for_each(|node| readers[node] += 1);
        }
        let mut boxes = Self::default();
        let mut chains: Vec<Option<Chain>> = Vec::new();
        let mut box_of: Vec<Option<usize>> = vec![None; nodes.len()];
        let mut counted = HashSet::new();
        for (i, node) in nodes.iter().enumerate() {
            if !live[i] || matches!(node.role(), Role::Parameter | Role::Constant) {
                continue;
            }
            let (mut sources, mut parameters, mut frozen) = (Vec::new(), node.parameter_count(), 0);
            for (read, _) in node.reads() {
                match box_of[read] {
                    Some(source) if !sources.contains(&source) => sources.push(source),
                    Some(_) => {}
                    None if counted.insert(read) => {
                        parameters += nodes[read].parameter_count();
                        frozen += nodes[read].frozen_count();
                    }
                    None => {}
                }
            }
            let is_operation = node.role() == Role::Operation;
            let before = match sources[..] {
                [source] if is_operation => chains[source]
                    .as_mut()
                    .filter(|chain| readers[chain.last] == 1 && chain.has_room(node))
                    .map(|chain| (source, chain)),
                _ => None,
            };
            if let Some((source, chain)) = before {
                chain.kinds.push(node.kind().to_owned());
                (chain.shape, chain.last) = (shapes(node), i);
                chain.parameters += parameters;
                chain.frozen += frozen;
                box_of[i] = Some(source);
                continue;
            }
            let number = chains.len();
            chains.push(is_operation.then(|| Chain {
                name: node.name().to_owned(),
                kinds: vec![node.kind().to_owned()],
                shape: shapes(node),
                parameters,
                frozen,
                last: i,
            }));
            boxes.items.push(item(node));
            boxes.arrows.extend(sources.into_iter().map(|source| (source, number)));
            box_of[i] = Some(number);
        }
        for (item, chain) in boxes.items.iter_mut().zip(chains) {
            if let Some(chain) = chain {
                *item = operation(&chain);
            }
        }
        boxes.equal_widths();
        boxes
    }

    /// Makes all boxes but those of operations equally wide.
    fn equal_widths(&mut self) {
        let is_wide = |item: &&mut Item| item.style != Style::Operation;
        let widest = self.items.iter_mut().filter(is_wide).map(|item| item.width).fold(130.0, f64::max);
        self.items.iter_mut().filter(is_wide).for_each(|item| item.width = widest);
    }
}

/// The text of the shapes of a node's outputs.
fn shapes(node: &Node) -> String {
    node.shapes().iter().map(|shape| format!("{shape:?}")).collect::<Vec<_>>().join(", ")
}

/// "1,290 parameters".
fn parameters(count: usize) -> String {
    if count == 1 { "1 parameter".to_owned() } else { format!("{} parameters", grouped(count)) }
}

/// The box of an input, a layer or an output.
fn item(node: &Node) -> Item {
    let mut lines = vec![shapes(node)];
    let style = match node.role() {
        Role::Input => Style::Input,
        Role::Output => Style::Output,
        _ if node.is_repeated() => {
            lines.push("parameters as above".to_owned());
            Style::Trained
        }
        _ if node.parameter_count() > 0 => {
            let is_frozen = node.trainable_count() == 0 && node.frozen_count() > 0;
            lines.push(parameters(node.parameter_count()) + if is_frozen { ", frozen" } else { "" });
            Style::Trained
        }
        _ => Style::Plain,
    };
    let aside = if node.name() == node.kind() { "" } else { node.name() };
    sized(style, node.kind().to_owned(), aside.to_owned(), lines)
}

/// The box of operations, of which one reads the one before.
fn operation(chain: &Chain) -> Item {
    let frozen = if chain.frozen > 0 && chain.frozen == chain.parameters { ", frozen" } else { "" };
    let lines = (chain.parameters > 0).then(|| parameters(chain.parameters) + frozen).into_iter().collect();
    let title = if chain.kinds.len() == 1 { chain.name.clone() } else { chain.kinds.join(", ") };
    sized(Style::Operation, title, chain.shape.clone(), lines)
}

/// A box of the size of its text, which is cut where it is too wide.
fn sized(style: Style, title: String, aside: String, lines: Vec<String>) -> Item {
    let bold = style != Style::Operation;
    let aside = font::fit(&aside, SMALL, false, WIDEST * 0.6);
    let beside = if aside.is_empty() { 0.0 } else { font::width(&aside, SMALL, false) + GAP };
    let title = font::fit(&title, BODY, bold, WIDEST - beside);
    let lines: Vec<String> = lines.iter().map(|line| font::fit(line, SMALL, false, WIDEST)).collect();
    let first = font::width(&title, BODY, bold) + beside;
    let widest = lines.iter().map(|line| font::width(line, SMALL, false)).fold(first, f64::max);
    let height = if lines.is_empty() { 26.0 } else { 30.0 + LINE * lines.len() as f64 };
    Item { style, title, aside, lines, width: (widest + 2.0 * PAD).ceil(), height }
}
