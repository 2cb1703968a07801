//! Colours that are distinguishable with any kind of colour vision.

use super::mark::Colour;

/// The palette of Okabe and Ito (2008), without its yellow and black: yellow lines are hard to see on white.
const SERIES: [Colour; 6] = [
    Colour::Rgb(0x00, 0x72, 0xb2), // blue
    Colour::Rgb(0xd5, 0x5e, 0x00), // vermilion
    Colour::Rgb(0x00, 0x9e, 0x73), // bluish green
    Colour::Rgb(0xcc, 0x79, 0xa7), // reddish purple
    Colour::Rgb(0xe6, 0x9f, 0x00), // orange
    Colour::Rgb(0x56, 0xb4, 0xe9), // sky blue
];

/// The colour of wrong predictions.
pub(super) const WRONG: Colour = Colour::Rgb(0xd5, 0x5e, 0x00);

/// The colour of correct predictions.
pub(super) const RIGHT: Colour = Colour::Rgb(0x00, 0x9e, 0x73);

/// Returns the colour and the dashes of series `i`: after six, the colours repeat with dashes.
pub(super) fn series(i: usize) -> (Colour, Option<(f64, f64)>) {
    let dash = match (i / SERIES.len()) % 3 {
        0 => None,
        1 => Some((6.0, 3.0)),
        _ => Some((2.0, 2.0)),
    };
    (SERIES[i % SERIES.len()], dash)
}

/// Points on viridis (van der Walt and Smith, 2015), evenly spaced.
const VIRIDIS: [[u8; 3]; 9] = [
    [0x44, 0x01, 0x54],
    [0x47, 0x2d, 0x7b],
    [0x3b, 0x52, 0x8b],
    [0x2c, 0x72, 0x8e],
    [0x21, 0x91, 0x8c],
    [0x28, 0xae, 0x80],
    [0x5e, 0xc9, 0x62],
    [0xad, 0xdc, 0x30],
    [0xfd, 0xe7, 0x25],
];

/// From white to dark blue, in one hue: for shares, with white for 0.
const BLUES: [[u8; 3]; 5] =
    [[0xff, 0xff, 0xff], [0xd3, 0xe5, 0xf3], [0x7f, 0xb5, 0xdb], [0x00, 0x72, 0xb2], [0x00, 0x35, 0x66]];

/// From blue over white to orange: for numbers on both sides of 0.
const DIVERGING: [[u8; 3]; 5] =
    [[0x05, 0x4a, 0x7d], [0x6b, 0xa6, 0xd1], [0xf7, 0xf7, 0xf5], [0xf0, 0x9a, 0x55], [0xa3, 0x3f, 0x00]];

/// Interpolates between the evenly spaced points of a colour map, at `t` from 0 to 1; other values are clamped.
fn between(map: &[[u8; 3]], t: f64) -> Colour {
    let t = if t.is_finite() { t.clamp(0.0, 1.0) } else { 0.0 } * (map.len() - 1) as f64;
    let i = (t as usize).min(map.len() - 2);
    let part = t - i as f64;
    let mix =
        |k: usize| (f64::from(map[i][k]) * (1.0 - part) + f64::from(map[i + 1][k]) * part).round() as u8;
    Colour::Rgb(mix(0), mix(1), mix(2))
}

/// Returns the colour of viridis at `t`, from 0 to 1.
pub(super) fn viridis(t: f64) -> Colour {
    between(&VIRIDIS, t)
}

/// Returns a colour from white (0) to dark blue (1).
pub(super) fn blues(t: f64) -> Colour {
    between(&BLUES, t)
}

/// Returns a colour from blue (-1) over white (0) to orange (1).
pub(super) fn diverging(t: f64) -> Colour {
    between(&DIVERGING, (t + 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_have_their_ends_and_nothing_panics() {
        assert_eq!(viridis(-3.0), Colour::Rgb(0x44, 0x01, 0x54));
        assert_eq!(viridis(1.0), Colour::Rgb(0xfd, 0xe7, 0x25));
        assert_eq!(blues(0.0), Colour::Rgb(255, 255, 255));
        assert_eq!(diverging(0.0), Colour::Rgb(0xf7, 0xf7, 0xf5));
        let _ = (viridis(f64::NAN), diverging(f64::INFINITY), blues(f64::NEG_INFINITY));
        assert!(blues(1.0).is_dark() && !blues(0.2).is_dark());
        assert_ne!(series(0), series(6));
    }
}
