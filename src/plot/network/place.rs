//! Where the boxes of a picture of a model are.
//!
//! What is linked without a branch stands in one column (Brandes and Köpf, "Fast and simple horizontal coordinate
//! assignment", 2001). Columns are as near as possible to what they are linked to, in the sense of least squares, with a
//! distance between neighbours in each row (Dwyer, Marriott and Stuckey, "Fast node overlap removal", 2005).

use super::ranks::{Ranks, Vertex};
use crate::plot::mark::Point;
use std::collections::BTreeMap;

/// The distance between neighbouring boxes, and between a box and an arrow that passes.
const BETWEEN: [f64; 2] = [28.0, 20.0];
/// How often the columns are moved.
const SWEEPS: usize = 80;
/// How much each column should be in the middle.
const PULL: f64 = 0.03;
/// The distance of two rows whose arrows go straight down.
const DOWN: f64 = 32.0;

/// Positions, with the origin at the upper left.
#[derive(Debug)]
pub(super) struct Places {
    /// The middle of each vertex.
    pub middles: Vec<Point>,
    /// For each row, where it begins and ends.
    pub rows: Vec<(f64, f64)>,
    pub width: f64,
    pub height: f64,
}

/// Finds the places.
pub(super) fn places(ranks: &Ranks) -> Places {
    let columns = Columns::of(ranks);
    let middles = columns.solve(ranks);
    let mut x: Vec<f64> = columns.of_vertex.iter().map(|&column| middles[column]).collect();
    let half = |v: usize| ranks.vertices[v].width / 2.0;
    let ends = |v: usize| (x[v] - half(v), x[v] + half(v));
    let all =
        (0..x.len()).map(ends).fold((f64::MAX, f64::MIN), |all, own| (all.0.min(own.0), all.1.max(own.1)));
    let left = if all.0 < all.1 { all.0 } else { 0.0 };
    x.iter_mut().for_each(|x| *x = (*x - left).round());
    let (mut rows, mut y) = (Vec::with_capacity(ranks.rows.len()), 0.0);
    let mut middles = vec![(0.0, 0.0); x.len()];
    for row in &ranks.rows {
        let height = row.iter().map(|&v| ranks.vertices[v].height).fold(0.0, f64::max);
        rows.push((y, y + height));
        row.iter().for_each(|&v| middles[v] = (x[v], y + height / 2.0));
        // Arrows to the side need more room, so that they are not too flat.
        let moves = row.iter().flat_map(|&v| ranks.below[v].iter().map(move |&w| (v, w)));
        let widest = moves.map(|(v, w)| (x[v] - x[w]).abs()).fold(0.0, f64::max);
        y += height + (DOWN + 0.06 * widest).min(72.0).round();
    }
    let height = rows.last().map_or(0.0, |last: &(f64, f64)| last.1);
    let width = if all.0 < all.1 { all.1 - all.0 } else { 0.0 };
    Places { middles, rows, width, height }
}

/// The distance that the middles of two neighbours have at least.
fn distance(a: &Vertex, b: &Vertex) -> f64 {
    let are_boxes = a.item.is_some() && b.item.is_some();
    (a.width + b.width) / 2.0 + BETWEEN[usize::from(!are_boxes)]
}

/// The columns, and which have to stand how far beside which others.
struct Columns {
    of_vertex: Vec<usize>,
    /// The columns from left to right: those at the left of a column come before it.
    order: Vec<usize>,
    /// For each column those at its left, with the distance.
    left: Vec<Vec<(usize, f64)>>,
}

impl Columns {
    fn of(ranks: &Ranks) -> Self {
        let count = ranks.vertices.len();
        let mut of_vertex: Vec<usize> = (0..count).collect();
        let mut by_rank: Vec<usize> = (0..count).collect();
        by_rank.sort_by_key(|&v| ranks.vertices[v].rank);
        let straight = straight(ranks);
        by_rank.iter().for_each(|&v| {
            if let Some(above) = straight[v] {
                of_vertex[v] = of_vertex[above];
            }
        });
        let mut beside: BTreeMap<(usize, usize), f64> = BTreeMap::new();
        for pair in ranks.rows.iter().flat_map(|row| row.windows(2)) {
            let least = distance(&ranks.vertices[pair[0]], &ranks.vertices[pair[1]]);
            let known = beside.entry((of_vertex[pair[0]], of_vertex[pair[1]])).or_insert(least);
            *known = known.max(least);
        }
        let (mut left, mut right) = (vec![Vec::new(); count], vec![Vec::new(); count]);
        for (&(a, b), &least) in &beside {
            left[b].push((a, least));
            right[a].push(b);
        }
        let mut waiting: Vec<usize> = left.iter().map(Vec::len).collect();
        let mut order: Vec<usize> = (0..count).filter(|&c| waiting[c] == 0).collect();
        let mut next = 0;
        while let Some(&column) = order.get(next) {
            next += 1;
            for &other in &right[column] {
                waiting[other] -= 1;
                if waiting[other] == 0 {
                    order.push(other);
                }
            }
        }
        Self { of_vertex, order, left }
    }

    /// Returns the middle of each column.
    fn solve(&self, ranks: &Ranks) -> Vec<f64> {
        let count = self.of_vertex.len();
        // To begin with, each row is as narrow as it may be, and in the middle.
        let mut begin = vec![(0.0, 0.0); count];
        for row in &ranks.rows {
            let mut offsets = vec![0.0];
            offsets.extend(row.windows(2).scan(0.0, |at, pair| {
                *at += distance(&ranks.vertices[pair[0]], &ranks.vertices[pair[1]]);
                Some(*at)
            }));
            let width = offsets.last().copied().unwrap_or(0.0);
            for (&v, offset) in row.iter().zip(&offsets) {
                let (sum, number) = &mut begin[self.of_vertex[v]];
                (*sum, *number) = (*sum + offset - width / 2.0, *number + 1.0);
            }
        }
        let begin: Vec<_> = begin.iter().map(|&(sum, number)| (sum / f64::max(number, 1.0), 1.0)).collect();
        let mut x = self.apart(&begin);
        let mut links: Vec<Vec<(usize, f64)>> = vec![Vec::new(); count];
        for &(v, w) in &ranks.links {
            let (a, b) = (self.of_vertex[v], self.of_vertex[w]);
            if a != b {
                links[a].push((b, weight(ranks, v, w)));
                links[b].push((a, weight(ranks, v, w)));
            }
        }
        for _ in 0..SWEEPS {
            let middle = x.iter().sum::<f64>() / count.max(1) as f64;
            // Half of the way, as what a column is linked to moves, too. A weak pull keeps a long picture from leaning.
            let wanted = |column: usize| {
                let sum = links[column].iter().map(|(_, weight)| weight).sum::<f64>() + PULL;
                let mean = links[column].iter().map(|&(other, weight)| weight * x[other]).sum::<f64>()
                    + PULL * middle;
                let own = x[column];
                (0.5 * (own + mean / sum), sum)
            };
            let wanted: Vec<_> = (0..count).map(wanted).collect();
            x = self.apart(&wanted);
        }
        x
    }

    /// Returns the positions that are nearest to those that are wanted, with their weights, and far enough apart: columns
    /// that would overlap are joined, and stand at the mean of what they want.
    fn apart(&self, wanted: &[(f64, f64)]) -> Vec<f64> {
        let mut group_of: Vec<usize> = (0..wanted.len()).collect();
        let mut offset = vec![0.0; wanted.len()];
        let mut groups: Vec<Group> =
            (0..wanted.len()).map(|column| Group::of(column, wanted[column])).collect();
        for &column in &self.order {
            loop {
                let own = group_of[column];
                let at = |c: usize| groups[group_of[c]].at() + offset[c];
                let pairs = groups[own]
                    .members
                    .iter()
                    .flat_map(|&b| self.left[b].iter().map(move |&(a, d)| (a, b, d)));
                let outside = pairs.filter(|&(a, ..)| group_of[a] != own);
                let overlaps = outside.map(|(a, b, least)| (at(a) + least - at(b), (a, b, least)));
                let Some((overlap, (a, b, least))) = overlaps.max_by(|x, y| x.0.total_cmp(&y.0)) else {
                    break;
                };
                if overlap < 1e-6 {
                    break;
                }
                let (other, shift) = (group_of[a], offset[a] + least - offset[b]);
                let moved = std::mem::take(&mut groups[own]);
                for &member in &moved.members {
                    offset[member] += shift;
                    group_of[member] = other;
                }
                groups[other].join(moved, shift);
            }
        }
        (0..wanted.len()).map(|column| groups[group_of[column]].at() + offset[column]).collect()
    }
}

/// Columns that stand beside each other without room between them.
#[derive(Clone, Debug, Default)]
struct Group {
    members: Vec<usize>,
    weight: f64,
    /// The sum of weight times wanted position, without the offsets in the group.
    moment: f64,
}

impl Group {
    fn of(column: usize, (wanted, weight): (f64, f64)) -> Self {
        Self { members: vec![column], weight, moment: weight * wanted }
    }

    fn at(&self) -> f64 {
        self.moment / self.weight.max(1e-12)
    }

    fn join(&mut self, other: Self, shift: f64) {
        self.members.extend(other.members);
        self.moment += other.moment - other.weight * shift;
        self.weight += other.weight;
    }
}

/// Returns for each vertex the one above it with which it stands in one column: both are the middle of what the other is
/// linked to, where boxes count before the places of long arrows. Straight links do not cross.
fn straight(ranks: &Ranks) -> Vec<Option<usize>> {
    let mut at = vec![0; ranks.vertices.len()];
    ranks.rows.iter().for_each(|row| row.iter().enumerate().for_each(|(i, &v)| at[v] = i));
    let is_box = |v: usize| ranks.vertices[v].item.is_some();
    let middle = |v: usize, linked: &[usize]| {
        // A long arrow goes straight on, past its branches.
        let mut of: Vec<usize> = linked.iter().copied().filter(|&w| is_box(w) == is_box(v)).collect();
        if of.is_empty() {
            of = linked.to_vec();
        }
        of.sort_by_key(|&v| at[v]);
        (of.len() % 2 == 1).then(|| of[of.len() / 2])
    };
    let mut straight = vec![None; ranks.vertices.len()];
    for row in &ranks.rows {
        let linked = row.iter().filter_map(|&v| middle(v, &ranks.below[v]).map(|w| (v, w)));
        let mut found: Vec<(usize, usize)> =
            linked.filter(|&(v, w)| middle(w, &ranks.above[w]) == Some(v)).collect();
        // Long arrows are straight before others.
        found.sort_by_key(|&(v, w)| is_box(v) || is_box(w));
        let mut taken: Vec<(usize, usize)> = Vec::new();
        for (v, w) in found {
            if taken.iter().all(|&(a, b)| (at[a] < at[v]) == (at[b] < at[w])) {
                taken.push((v, w));
                straight[w] = Some(v);
            }
        }
    }
    straight
}

/// How much a link should be straight: most of all where an arrow passes rows, and more between boxes than beside them.
fn weight(ranks: &Ranks, v: usize, w: usize) -> f64 {
    match (ranks.vertices[v].item, ranks.vertices[w].item) {
        (None, None) => 8.0,
        (Some(_), Some(_)) => 1.0,
        _ => 0.15,
    }
}

#[cfg(test)]
mod tests {
    use super::super::boxes::{Boxes, Item, Style};
    use super::super::order::arrange;
    use super::*;

    /// A number that looks random.
    fn noise(i: usize) -> usize {
        let x = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((x ^ (x >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40) as usize
    }

    fn boxes(count: usize, seed: usize) -> Boxes {
        let item = |i: usize| Item {
            style: if i < 2 { Style::Input } else { Style::Operation },
            title: String::new(),
            aside: String::new(),
            lines: Vec::new(),
            width: 40.0 + (noise(seed * 1000 + i) % 120) as f64,
            height: 26.0 + 16.0 * (noise(i) % 3) as f64,
        };
        let mut boxes = Boxes { items: (0..count).map(item).collect(), arrows: Vec::new() };
        for to in 2..count {
            let mut from: Vec<usize> =
                (0..1 + noise(to) % 3).map(|k| noise(seed * 777 + to * 5 + k) % to).collect();
            from.sort_unstable();
            from.dedup();
            boxes.arrows.extend(from.into_iter().map(|from| (from, to)));
        }
        boxes
    }

    #[test]
    fn boxes_and_long_arrows_are_apart_and_within_the_picture() {
        for (count, seed) in [(1, 0), (3, 1), (12, 2), (40, 3), (90, 4), (90, 5)] {
            let boxes = boxes(count, seed);
            let mut ranks = Ranks::of(&boxes);
            arrange(&mut ranks);
            let places = places(&ranks);
            for (row, (begin, end)) in ranks.rows.iter().zip(&places.rows) {
                for pair in row.windows(2) {
                    let (a, b) = (places.middles[pair[0]].0, places.middles[pair[1]].0);
                    let least = distance(&ranks.vertices[pair[0]], &ranks.vertices[pair[1]]);
                    assert!(b - a >= least - 1.0, "{count}: {a} {b} {least}");
                }
                for &v in row {
                    let ((x, y), vertex) = (places.middles[v], &ranks.vertices[v]);
                    assert!(x - vertex.width / 2.0 >= -1.0 && x + vertex.width / 2.0 <= places.width + 1.0);
                    assert!(y - vertex.height / 2.0 >= *begin && y + vertex.height / 2.0 <= *end);
                }
            }
            assert!(places.rows.windows(2).all(|pair| pair[0].1 + 20.0 < pair[1].0));
            // Each arrow goes from a row to the next one, down to the box that reads.
            assert!(ranks.links.iter().all(|&(v, w)| ranks.vertices[v].rank + 1 == ranks.vertices[w].rank));
        }
    }

    #[test]
    fn a_row_is_straight_and_a_connection_around_it_is_beside_it() {
        let item = |i: usize| Item { style: Style::Plain, ..boxes(9, 1).items[i].clone() };
        let boxes = Boxes {
            items: (2..8).map(item).collect(),
            arrows: vec![(0, 1), (1, 2), (2, 3), (3, 4), (0, 4), (4, 5)],
        };
        let mut ranks = Ranks::of(&boxes);
        arrange(&mut ranks);
        let places = places(&ranks);
        let x: Vec<f64> = (0..6).map(|v| places.middles[v].0).collect();
        assert!(x.iter().all(|other| *other == x[0]), "{x:?}");
        assert_eq!(ranks.rows.iter().map(Vec::len).max(), Some(2));
    }
}
