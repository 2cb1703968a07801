//! Synthetic images of moles, for the example on medical images if no real ones are given.
//!
//! They vary the signs that dermatologists look for (the "ABCD rule"): asymmetry, border, colour, diameter. Both
//! classes have all signs to different degrees, and overlap, so that some images cannot be classified with certainty.
//! They are not medical images, and results on them say nothing about patients.

use image::{ImageResult, Rgb, RgbImage};
use plywood::random::Random;
use std::f64::consts::TAU;
use std::fs;
use std::path::Path;

/// The side of an image, in pixels.
const SIDE: u32 = 64;

/// The classes, and the number of images of each.
pub const CLASSES: [(&str, u64); 2] = [("benign", 1_200), ("malignant", 200)];

/// Writes all images, into a folder for each class.
pub fn draw(folder: &Path, seed: u64) -> ImageResult<()> {
    for (class, (name, count)) in CLASSES.into_iter().enumerate() {
        let folder = folder.join(name);
        fs::create_dir_all(&folder)?;
        for i in 0..count {
            let place = Random::seed(seed).child("lesions").child(name);
            picture(class == 1, &place, i).save(folder.join(format!("{i:04}.png")))?;
        }
    }
    Ok(())
}

/// Draws one mole on skin.
fn picture(malignant: bool, place: &Random, i: u64) -> RgbImage {
    let mut draws = place.at(i, 0);
    // The strength of each of the four signs, from about 0 to 1, drawn around the class's mean.
    let usual = if malignant { 0.75 } else { 0.25 };
    let mut sign = || (usual + 0.25 * draws.normal()).clamp(0.0, 1.2);
    let [asymmetry, border, colours, diameter] = [sign(), sign(), sign(), sign()];

    let skin = [draws.uniform(0.72, 0.92), draws.uniform(0.52, 0.68), draws.uniform(0.42, 0.58)];
    let mole = [draws.uniform(0.36, 0.52), draws.uniform(0.2, 0.32), draws.uniform(0.12, 0.24)];
    let light = [draws.uniform(-0.1, 0.1), draws.uniform(-0.1, 0.1)];
    let centre = [draws.uniform(-0.2, 0.2), draws.uniform(-0.2, 0.2)];
    let radius = 0.25 + 0.22 * diameter + draws.uniform(-0.05, 0.05);
    let (axis, turn) = (1.0 + 0.35 * asymmetry * draws.uniform(-1.0, 1.0), draws.uniform(0.0, TAU));
    let soft = draws.uniform(0.03, 0.09);
    // The border is a circle with waves: higher frequencies have smaller amplitudes, and `border` scales all of them.
    let waves: Vec<[f64; 3]> = (2..9)
        .map(|k| {
            let k = f64::from(k);
            [k, 0.3 * border * draws.uniform(0.2, 1.0) / k.sqrt(), draws.uniform(0.0, TAU)]
        })
        .collect();
    // Spots within the mole: darker, bluish or pale.
    let spots: Vec<[f64; 5]> = (0..4)
        .map(|_| {
            let (angle, far) = (draws.uniform(0.0, TAU), radius * draws.uniform(0.1, 0.9));
            let strength = colours * draws.uniform(-0.2, 0.35);
            let blue = colours * draws.uniform(0.0, 0.15);
            [far * angle.cos(), far * angle.sin(), radius * draws.uniform(0.2, 0.5), strength, blue]
        })
        .collect();
    let hairs: Vec<[f64; 3]> = (0..draws.below(5))
        .map(|_| [draws.uniform(0.0, TAU), draws.uniform(-0.9, 0.9), draws.uniform(0.3, 0.8)])
        .collect();

    RgbImage::from_fn(SIDE, SIDE, |column, row| {
        let unit = |pixel: u32| (f64::from(pixel) + 0.5) / f64::from(SIDE) * 2.0 - 1.0;
        let (x, y) = (unit(column), unit(row));
        let (dx, dy) = (x - centre[0], y - centre[1]);
        // Coordinates along the mole's axes.
        let (u, v) = (dx * turn.cos() + dy * turn.sin(), (dy * turn.cos() - dx * turn.sin()) * axis);
        let (distance, angle) = ((u * u + v * v).sqrt(), v.atan2(u));
        let rim: f64 = radius * (1.0 + waves.iter().map(|[k, a, p]| a * (k * angle + p).cos()).sum::<f64>());
        let covered = 1.0 / (1.0 + ((distance - rim) / soft).exp());
        let mut noise = place.at(i, 1 + u64::from(row * SIDE + column));
        let mut colour = [0.0; 3];
        for (channel, value) in colour.iter_mut().enumerate() {
            let mut tone = mole[channel];
            for [sx, sy, size, strength, blue] in &spots {
                let near = (-((dx - sx).powi(2) + (dy - sy).powi(2)) / (size * size)).exp();
                tone += near * (if channel == 2 { *blue } else { 0.0 } - strength * 0.6);
            }
            *value = skin[channel] + light[0] * x + light[1] * y;
            *value += (tone - *value) * covered;
            for [angle, offset, dark] in &hairs {
                let far = (x * angle.cos() + y * angle.sin() - offset).abs();
                *value *= 1.0 - dark * (1.0 - far * f64::from(SIDE) / 2.0).clamp(0.0, 1.0);
            }
            *value += 0.04 * noise.normal();
        }
        Rgb(colour.map(|value| (value.clamp(0.0, 1.0) * 255.0).round() as u8))
    })
}
