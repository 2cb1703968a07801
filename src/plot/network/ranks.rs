//! The rows of a picture of a model, and the places where long arrows pass through them.

use super::boxes::{Boxes, Style};

/// A box, or a place in a row through which a long arrow passes.
#[derive(Clone, Debug)]
pub(super) struct Vertex {
    /// The number of the box, or `None` for a place.
    pub item: Option<usize>,
    pub rank: usize,
    pub width: f64,
    pub height: f64,
}

/// The rows from top to bottom. Links go from a row to the next.
#[derive(Debug, Default)]
pub(super) struct Ranks {
    /// First the boxes, with their numbers.
    pub vertices: Vec<Vertex>,
    pub links: Vec<(usize, usize)>,
    /// For each row its vertices, from left to right.
    pub rows: Vec<Vec<usize>>,
    /// For each vertex those above and below that it is linked to.
    pub above: Vec<Vec<usize>>,
    pub below: Vec<Vec<usize>>,
}

impl Ranks {
    /// Puts each box into the row below the lowest box that it reads, the inputs into the first and the outputs into the
    /// last. The arrows that leave one box share the places through which they pass.
    pub fn of(boxes: &Boxes) -> Self {
        let ranks = rows(boxes);
        let mut all = Self::default();
        for (i, item) in boxes.items.iter().enumerate() {
            let (width, height) = (item.width, item.height);
            all.vertices.push(Vertex { item: Some(i), rank: ranks[i], width, height });
        }
        let mut places: Vec<Vec<usize>> = vec![Vec::new(); boxes.items.len()];
        for &(from, to) in &boxes.arrows {
            for rank in ranks[from] + 1 + places[from].len()..ranks[to] {
                all.vertices.push(Vertex { item: None, rank, width: 2.0, height: 0.0 });
                let before = places[from].last().copied().unwrap_or(from);
                places[from].push(all.vertices.len() - 1);
                all.links.push((before, all.vertices.len() - 1));
            }
            let steps = ranks[to] - ranks[from] - 1;
            all.links.push((steps.checked_sub(1).map_or(from, |last| places[from][last]), to));
        }
        all.rows = vec![Vec::new(); ranks.iter().max().map_or(0, |last| last + 1)];
        all.vertices.iter().enumerate().for_each(|(v, vertex)| all.rows[vertex.rank].push(v));
        all.above = vec![Vec::new(); all.vertices.len()];
        all.below = all.above.clone();
        for &(from, to) in &all.links {
            all.below[from].push(to);
            all.above[to].push(from);
        }
        all
    }
}

/// The number of the row of each box.
fn rows(boxes: &Boxes) -> Vec<usize> {
    let count = boxes.items.len();
    let style = |i: usize| boxes.items[i].style;
    let mut reads: Vec<Vec<usize>> = vec![Vec::new(); count];
    let mut readers = reads.clone();
    for &(from, to) in &boxes.arrows {
        reads[to].push(from);
        readers[from].push(to);
    }
    let mut ranks: Vec<usize> = vec![0; count];
    for i in 0..count {
        ranks[i] = reads[i].iter().map(|&from| ranks[from] + 1).max().unwrap_or(0);
    }
    let last = (0..count).filter(|&i| style(i) != Style::Output).map(|i| ranks[i]).max().unwrap_or(0) + 1;
    (0..count).filter(|&i| style(i) == Style::Output).for_each(|i| ranks[i] = last);
    for i in (0..count).rev().filter(|&i| !matches!(style(i), Style::Input | Style::Output)) {
        let Some(lowest) = readers[i].iter().map(|&to| ranks[to] - 1).min() else { continue };
        // The arrows become shorter below it, and those above longer unless they go on to a lower row.
        let longer = |from: usize| {
            let others = readers[from].iter().filter(|&&to| to != i).map(|&to| ranks[to]).max().unwrap_or(0);
            lowest.saturating_sub(others.max(ranks[i]))
        };
        let gained = lowest - ranks[i];
        let lost: usize = reads[i].iter().map(|&from| longer(from)).sum();
        let is_shared = reads[i].iter().all(|&from| readers[from].len() > 1);
        if lost < gained || lost == gained && is_shared {
            ranks[i] = lowest;
        }
    }
    ranks
}
