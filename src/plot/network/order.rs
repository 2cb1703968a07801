//! The order of the boxes in each row, so that few arrows cross.

use super::ranks::Ranks;

/// How often all rows are sorted.
const SWEEPS: usize = 24;

/// Sorts each row by the mean position of what its boxes are linked to, from the top to the bottom and back, and keeps the
/// order with the fewest crossings.
pub(super) fn arrange(ranks: &mut Ranks) {
    let mut best = (crossings(ranks), ranks.rows.clone());
    for sweep in 0..SWEEPS {
        if best.0 == 0 {
            break;
        }
        let down = sweep % 2 == 0;
        let count = ranks.rows.len();
        for k in 1..count {
            let row = if down { k } else { count - 1 - k };
            let other = if down { row - 1 } else { row + 1 };
            sort(ranks, row, other, down);
        }
        exchange(ranks);
        let found = crossings(ranks);
        if found < best.0 {
            best = (found, ranks.rows.clone());
        }
    }
    ranks.rows = best.1;
}

/// The position of each vertex in its row.
fn positions(ranks: &Ranks) -> Vec<usize> {
    let mut at = vec![0; ranks.vertices.len()];
    ranks.rows.iter().for_each(|row| row.iter().enumerate().for_each(|(i, &v)| at[v] = i));
    at
}

/// Sorts a row by the mean positions in another; what is not linked to it stays.
fn sort(ranks: &mut Ranks, row: usize, other: usize, down: bool) {
    let mut at = vec![0; ranks.vertices.len()];
    ranks.rows[other].iter().enumerate().for_each(|(i, &v)| at[v] = i);
    // Rows of different lengths are compared by shares.
    let scale = ranks.rows[row].len() as f64 / ranks.rows[other].len().max(1) as f64;
    let mut keyed: Vec<(f64, usize)> = Vec::with_capacity(ranks.rows[row].len());
    for (i, &v) in ranks.rows[row].iter().enumerate() {
        let linked = if down { &ranks.above[v] } else { &ranks.below[v] };
        let sum: usize = linked.iter().map(|&u| at[u]).sum();
        let key = if linked.is_empty() { i as f64 / scale } else { sum as f64 / linked.len() as f64 };
        keyed.push((key, v));
    }
    keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
    ranks.rows[row] = keyed.into_iter().map(|(_, v)| v).collect();
}

/// Exchanges neighbours of a row if fewer arrows cross afterwards.
fn exchange(ranks: &mut Ranks) {
    let mut at = positions(ranks);
    for row in 0..ranks.rows.len() {
        for i in 1..ranks.rows[row].len() {
            let (a, b) = (ranks.rows[row][i - 1], ranks.rows[row][i]);
            let crossed =
                |a: usize, b: usize| pairs(&ranks.above, a, b, &at) + pairs(&ranks.below, a, b, &at);
            if crossed(b, a) < crossed(a, b) {
                ranks.rows[row].swap(i - 1, i);
                at.swap(a, b);
            }
        }
    }
}

/// How many links of two vertices cross if the first is at the left.
fn pairs(links: &[Vec<usize>], a: usize, b: usize, at: &[usize]) -> usize {
    links[a].iter().map(|&u| links[b].iter().filter(|&&w| at[w] < at[u]).count()).sum()
}

/// The number of crossings between all rows.
fn crossings(ranks: &Ranks) -> usize {
    let at = positions(ranks);
    let mut sum = 0;
    for row in &ranks.rows {
        let mut ends: Vec<(usize, usize)> = row
            .iter()
            .flat_map(|&v| ranks.below[v].iter().map(|&w| (at[v], at[w])).collect::<Vec<_>>())
            .collect();
        ends.sort_unstable();
        // The links that end further right and have begun before are counted by their ends.
        let mut seen: Vec<usize> = Vec::with_capacity(ends.len());
        for (_, end) in ends {
            let place = seen.partition_point(|&other| other <= end);
            sum += seen.len() - place;
            seen.insert(place, end);
        }
    }
    sum
}
