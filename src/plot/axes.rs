//! Axes: map numbers to positions, and label them with round numbers.

use super::mark::{Anchor, Colour, Point, Text};
use super::{Figure, font};

/// The font size of the numbers beside an axis.
pub(super) const SMALL: f64 = 11.0;

/// The font size of an axis' name.
pub(super) const BODY: f64 = 12.0;

/// Larger magnitudes are left out, because sums of them would no longer be finite.
const HUGE: f64 = 1e200;

/// The scale of one axis: its ends, linear or logarithmic, and its labels.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    log: bool,
    /// The numbers to label; empty for round ones.
    marks: Vec<f64>,
    /// True if only whole numbers are labelled: epochs, steps.
    whole: bool,
}

impl Scale {
    /// Makes a linear scale from `low` to `high`; equal ends are moved apart.
    pub fn new(low: f64, high: f64) -> Self {
        let (low, high) = if low < high { (low, high) } else { (low - 0.5, low + 0.5) };
        Self { low, high, log: false, marks: Vec::new(), whole: false }
    }

    /// Makes a scale around these numbers, with a margin on both sides, given as a share of their range. Returns
    /// `None` if none of the numbers can be drawn.
    pub fn around(values: impl Iterator<Item = f64>, log: bool, margin: f64) -> Option<Self> {
        let usable = values.filter(|&v| is_drawn(v, log)).map(|v| if log { v.log10() } else { v });
        let (low, high) = usable.fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(v), h.max(v)));
        if low > high {
            return None;
        }
        let range = high - low;
        let pad = if range > 0.0 {
            range * margin
        } else if log {
            0.5
        } else {
            (low.abs() * 0.1).max(1e-3)
        };
        let (low, high) = (low - pad, high + pad);
        let ends = if log { (10f64.powf(low), 10f64.powf(high)) } else { (low, high) };
        Some(Self { log, ..Self::new(ends.0, ends.1) })
    }

    /// Labels whole numbers only.
    pub fn whole(mut self) -> Self {
        self.whole = true;
        self
    }

    /// Moves the ends outwards to round numbers.
    pub fn rounded(mut self, most: usize) -> Self {
        let step = step(self.high - self.low, most, self.whole);
        self.low = (self.low / step + 1e-9).floor() * step;
        self.high = (self.high / step - 1e-9).ceil() * step;
        self
    }

    /// Labels these numbers.
    pub fn marked(mut self, marks: Vec<f64>) -> Self {
        self.marks = marks;
        self
    }

    /// Returns the position of a number, from 0 at the low end to 1 at the high end.
    pub fn at(&self, value: f64) -> f64 {
        if self.log {
            (value / self.low).log10() / (self.high / self.low).log10()
        } else {
            (value - self.low) / (self.high - self.low)
        }
    }

    /// Returns whether the number can be drawn and lies between the ends.
    pub fn has(&self, value: f64) -> bool {
        is_drawn(value, self.log) && (-1e-9..=1.0 + 1e-9).contains(&self.at(value))
    }

    /// Returns whether the number can be drawn on this kind of axis.
    pub fn takes(&self, value: f64) -> bool {
        is_drawn(value, self.log)
    }

    /// Returns the numbers to label, about `most` of them, with their texts.
    pub fn ticks(&self, most: usize) -> Vec<(f64, String)> {
        let most = most.max(2);
        if !self.marks.is_empty() {
            let every = self.marks.len().div_ceil(most);
            let marks = self.marks.iter().step_by(every).filter(|&&v| self.has(v));
            return marks.map(|&v| (v, general(v))).collect();
        }
        if self.log {
            return self.log_ticks(most);
        }
        let step = step(self.high - self.low, most, self.whole);
        let decimals = decimals(step);
        let first = (self.low / step - 1e-9).ceil();
        (0..=2 * most + 2)
            .map(|i| (first + i as f64) * step)
            .filter(|&v| self.has(v))
            .map(|v| (v, fixed(v, step, decimals)))
            .collect()
    }

    /// Returns powers of ten, and skips some if there are many; with 2 and 5 in between if there are fewer than two.
    fn log_ticks(&self, most: usize) -> Vec<(f64, String)> {
        let (low, high) = (self.low.log10().floor() as i32, self.high.log10().ceil() as i32);
        let inside: Vec<i32> = (low..=high).filter(|&p| self.has(10f64.powi(p))).collect();
        let every = inside.len().div_ceil(most + 1).max(1) as i32;
        let powers: Vec<f64> =
            inside.into_iter().filter(|p| p.rem_euclid(every) == 0).map(|p| 10f64.powi(p)).collect();
        let between = if powers.len() < 3 { &[1.0, 2.0, 5.0][..] } else { &[1.0][..] };
        let all: Vec<f64> = if between.len() == 1 {
            powers
        } else {
            (low..=high)
                .flat_map(|p| between.iter().map(move |b| b * 10f64.powi(p)))
                .filter(|&v| self.has(v))
                .collect()
        };
        if all.len() < 2 {
            return [self.low, self.high].map(|v| (v, general(v))).to_vec();
        }
        let plain = all.iter().all(|v| (1e-3..=1e4).contains(v)) || between.len() > 1;
        all.into_iter().map(|v| (v, if plain { general(v) } else { power(v) })).collect()
    }
}

fn is_drawn(value: f64, log: bool) -> bool {
    value.is_finite() && value.abs() < HUGE && (!log || value > 1e-200)
}

/// Returns 1, 2, 2.5 or 5 times a power of ten, so that about `most` steps fill the range.
fn step(range: f64, most: usize, whole: bool) -> f64 {
    let rough = range / most as f64;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0]
        .iter()
        .map(|m| m * power)
        .find(|step| step * 1.000_001 >= rough && !(whole && step.fract() != 0.0))
        .unwrap_or(power * 10.0);
    if whole { step.max(1.0) } else { step }
}

/// Returns the number of decimals that multiples of a step need.
fn decimals(step: f64) -> usize {
    (0..12)
        .find(|&d| {
            ((step * 10f64.powi(d)).round() - step * 10f64.powi(d)).abs() < 1e-6 * step * 10f64.powi(d)
        })
        .unwrap_or(12) as usize
}

/// Formats a multiple of a step with the step's decimals, or in scientific notation if that would be long.
fn fixed(value: f64, step: f64, decimals: usize) -> String {
    let value = if value.abs() < step * 1e-6 { 0.0 } else { value };
    if value != 0.0 && (value.abs() >= 1e7 || step < 1e-6) {
        return minus(format!("{value:.1e}"));
    }
    minus(thousands(&format!("{value:.decimals$}")))
}

/// Formats a number with at most four significant digits.
pub(super) fn general(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let size = value.abs();
    if size != 0.0 && !(1e-4..1e7).contains(&size) {
        return minus(format!("{value:.1e}"));
    }
    let before = if size >= 1.0 { size.log10().floor() as i32 + 1 } else { 1 };
    let decimals = if size > 0.0 && size < 0.1 { 5 } else { (4 - before).max(0) as usize };
    let mut text = format!("{value:.decimals$}");
    if text.contains('.') {
        text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
    }
    minus(thousands(&text))
}

/// Formats a power of ten: 10⁻⁵, 10².
fn power(value: f64) -> String {
    let p = value.log10().round() as i32;
    let raised = |c: char| match c {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        '0' => '⁰',
        c => char::from_u32(u32::from('⁰') + u32::from(c) - u32::from('0')).unwrap_or(c),
    };
    format!("10{}", p.to_string().chars().map(raised).collect::<String>())
}

/// Replaces hyphens by minus signs.
fn minus(text: String) -> String {
    text.replace('-', "−")
}

/// Puts commas between groups of three digits if there are five digits or more.
fn thousands(text: &str) -> String {
    let digits = text.split('.').next().unwrap_or(text).trim_start_matches('-');
    if digits.len() < 5 { text.to_owned() } else { grouped(text) }
}

/// Puts commas between groups of three digits.
fn grouped(text: &str) -> String {
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let digits = whole.trim_start_matches('-');
    let mut out = whole[..whole.len() - digits.len()].to_owned();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(c);
    }
    out + rest
}

/// Formats a count with commas, as in tables.
pub(super) fn count(value: u64) -> String {
    grouped(&value.to_string())
}

/// A rectangle with a scale along two of its sides.
#[derive(Clone, Debug)]
pub(super) struct Axes {
    /// The upper left corner.
    pub at: Point,
    /// Its width and height.
    pub size: Point,
    pub x: Scale,
    pub y: Scale,
}

impl Axes {
    /// Returns the number of labels that a y axis of this height has room for.
    pub fn y_ticks(height: f64) -> usize {
        (height / 38.0) as usize
    }

    /// Returns the width that the y axis needs on its left, with or without a name.
    pub fn left_of(y: &Scale, height: f64, named: bool) -> f64 {
        let ticks = y.ticks(Self::y_ticks(height));
        let widest = ticks.iter().map(|(_, text)| font::width(text, SMALL, false)).fold(0.0, f64::max);
        (widest + 8.0 + if named { 22.0 } else { 0.0 }).ceil()
    }

    /// Returns the position of a point in pixels.
    pub fn place(&self, x: f64, y: f64) -> Point {
        (self.at.0 + self.x.at(x) * self.size.0, self.at.1 + (1.0 - self.y.at(y)) * self.size.1)
    }

    /// Draws the grid, the numbers and the names.
    pub fn draw(&self, figure: &mut Figure, x_name: &str, y_name: &str) {
        let (left, top) = self.at;
        let (right, bottom) = (left + self.size.0, top + self.size.1);
        let crisp = |v: f64| v.floor() + 0.5;
        for (value, text) in self.y.ticks(Self::y_ticks(self.size.1)) {
            let y = crisp(self.place(0.0, value).1);
            figure.line(&[(left, y), (right, y)], Colour::Grid, 1.0, None);
            figure.text((left - 8.0, y + 4.0), &text, SMALL, Colour::Soft, Anchor::End);
        }
        let widest = |ticks: &[(f64, String)]| {
            ticks.iter().map(|(_, text)| font::width(text, SMALL, false)).fold(0.0, f64::max)
        };
        // As many as fit side by side.
        let mut most = (self.size.0 / 56.0) as usize;
        let mut ticks = self.x.ticks(most);
        while most > 2 && ticks.len() as f64 * (widest(&ticks) + 14.0) > self.size.0 + 30.0 {
            most -= 1;
            ticks = self.x.ticks(most);
        }
        for (value, text) in ticks {
            let x = crisp(left + self.x.at(value) * self.size.0);
            figure.line(&[(x, bottom), (x, bottom + 4.0)], Colour::Soft, 1.0, None);
            figure.text((x, bottom + 17.0), &text, SMALL, Colour::Soft, Anchor::Middle);
        }
        figure.line(&[(left, crisp(bottom)), (right, crisp(bottom))], Colour::Soft, 1.0, None);
        figure.text((left + self.size.0 / 2.0, bottom + 36.0), x_name, BODY, Colour::Ink, Anchor::Middle);
        if !y_name.is_empty() {
            let x = left - Self::left_of(&self.y, self.size.1, true) + 12.0;
            let y = top + self.size.1 / 2.0;
            figure.lettering(Text::new((x, y), y_name, BODY, Colour::Ink, Anchor::Middle).turned(-90.0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(scale: &Scale, most: usize) -> Vec<String> {
        scale.ticks(most).into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn numbers_beside_axes_are_round() {
        assert_eq!(texts(&Scale::new(0.0, 1.0), 5), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(texts(&Scale::new(0.83, 0.912), 5), ["0.84", "0.86", "0.88", "0.90"]);
        assert_eq!(texts(&Scale::new(1.0, 3.0).whole(), 8), ["1", "2", "3"]);
        assert_eq!(texts(&Scale::new(-60_000.0, 60_000.0), 3), ["−50,000", "0", "50,000"]);
        let log = Scale::around([1e-6, 2.0].into_iter(), true, 0.0).unwrap();
        assert_eq!(texts(&log, 8), ["10⁻⁶", "10⁻⁵", "10⁻⁴", "10⁻³", "10⁻²", "10⁻¹", "10⁰"]);
        let near = Scale::around([0.3, 4.0].into_iter(), true, 0.0).unwrap();
        assert_eq!(texts(&near, 8), ["0.5", "1", "2"]);
        assert_eq!(general(1234.5), "1234");
        assert_eq!(general(-0.01234), "−0.01234");
    }

    #[test]
    fn strange_numbers_make_no_scale_or_a_usable_one() {
        assert!(Scale::around([f64::NAN, f64::INFINITY].into_iter(), false, 0.1).is_none());
        assert!(Scale::around([0.0, -1.0].into_iter(), true, 0.1).is_none());
        for value in [0.0, 1.0, -3e199, 1e-190, 5e-324] {
            let scale = Scale::around([value].into_iter(), false, 0.1).unwrap();
            assert!(scale.has(value), "{value}");
            let _ = scale.ticks(5);
        }
        let _ = Scale::around([1e-199, 1e199].into_iter(), true, 0.1).unwrap().ticks(5);
        let _ = Scale::around([-1e199, 1e199].into_iter(), false, 0.1).unwrap().ticks(5);
    }
}
