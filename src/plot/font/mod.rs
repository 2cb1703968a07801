//! The letters of the figures: outlines of DejaVu Sans in a table of its own format.
//!
//! Figures use no font of the system, so that a file looks the same wherever it is made and shown. `dejavu.bin` has
//! the Latin letters, some Greek ones and symbols, in two weights, 65 KB; `make.py` beside it generates it and
//! documents its format. `LICENSE` is that of the font. A character that is not in the table is drawn as a box.

use std::sync::OnceLock;

/// Its format is documented in `make.py`.
static TABLE: &[u8] = include_bytes!("dejavu.bin");

/// Units per font size: at 12 pixels, an outline is scaled by 12 / 1024.
pub(super) const UNITS: f64 = 1024.0;

/// A command of an outline, in units; y points down and is 0 at the base line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Command {
    /// Begins a contour, and closes the one before.
    Move([i32; 2]),
    /// A straight line to a point.
    Line([i32; 2]),
    /// A quadratic curve: its control point and its end.
    Curve([i32; 2], [i32; 2]),
}

/// A character in one weight.
#[derive(Debug)]
pub(super) struct Glyph {
    /// The character's code point; 0 for the box.
    pub code: u32,
    /// 0 regular, 1 bold.
    pub weight: u32,
    /// The distance to the next character, in units.
    pub advance: u32,
    outline: &'static [u8],
}

impl Glyph {
    /// Returns the outline's commands, in order.
    pub fn commands(&self) -> Vec<Command> {
        let (mut bytes, mut at, mut commands) = (self.outline, [0, 0], Vec::new());
        while !bytes.is_empty() {
            let command = number(&mut bytes);
            let mut point = || {
                at = [at[0] + signed(&mut bytes), at[1] + signed(&mut bytes)];
                at
            };
            commands.push(match command {
                0 => Command::Move(point()),
                1 => Command::Line(point()),
                _ => Command::Curve(point(), point()),
            });
        }
        commands
    }
}

/// Reads a variable-length integer from the front; 0 at the end of the bytes.
fn number(bytes: &mut &'static [u8]) -> u32 {
    let (mut value, mut shift) = (0, 0);
    while let Some((&byte, rest)) = bytes.split_first() {
        *bytes = rest;
        value |= u32::from(byte & 0x7f) << shift;
        shift += 7;
        if byte < 0x80 || shift > 28 {
            break;
        }
    }
    value
}

/// Reads a zigzag-coded integer: 0, -1, 1, -2, …
fn signed(bytes: &mut &'static [u8]) -> i32 {
    let value = number(bytes);
    (value >> 1) as i32 ^ -((value & 1) as i32)
}

/// Returns all glyphs, sorted by weight and character, the box first in each weight.
fn glyphs() -> &'static [Glyph] {
    static GLYPHS: OnceLock<Vec<Glyph>> = OnceLock::new();
    GLYPHS.get_or_init(|| {
        let (mut bytes, mut glyphs) = (TABLE, Vec::new());
        while !bytes.is_empty() {
            let (code, weight) = (number(&mut bytes), number(&mut bytes));
            let (advance, length) = (number(&mut bytes), number(&mut bytes) as usize);
            let (outline, rest) = bytes.split_at(length.min(bytes.len()));
            glyphs.push(Glyph { code, weight, advance, outline });
            bytes = rest;
        }
        glyphs.sort_by_key(|glyph| (glyph.weight, glyph.code));
        glyphs
    })
}

/// Returns the glyph of a character: that of the other weight if this one lacks it, and the box if both do.
pub(super) fn glyph(character: char, bold: bool) -> &'static Glyph {
    let glyphs = glyphs();
    let find = |weight, code| glyphs.binary_search_by_key(&(weight, code), |g| (g.weight, g.code)).ok();
    let code = u32::from(character);
    let found = find(bold.into(), code).or_else(|| find(0, code)).or_else(|| find(0, 0));
    &glyphs[found.unwrap_or(0)]
}

/// Returns the width of a text in pixels, at this font size.
pub(super) fn width(text: &str, size: f64, bold: bool) -> f64 {
    text.chars().map(|c| f64::from(glyph(c, bold).advance)).sum::<f64>() * size / UNITS
}

/// Returns the text, truncated with "…" if it is wider than `room`.
pub(super) fn fit(text: &str, size: f64, bold: bool, room: f64) -> String {
    if width(text, size, bold) <= room {
        return text.to_owned();
    }
    let room = room - width("…", size, bold);
    let mut cut = String::new();
    let mut wide = 0.0;
    for c in text.chars() {
        wide += f64::from(glyph(c, bold).advance) * size / UNITS;
        if wide > room {
            break;
        }
        cut.push(c);
    }
    cut.truncate(cut.trim_end().len());
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_of_the_table_is_whole() {
        assert!(glyphs().len() > 600, "{}", glyphs().len());
        for g in glyphs() {
            let commands = g.commands();
            let inside = |p: &[i32; 2]| p.iter().all(|x| x.abs() < 2048);
            assert!(commands.iter().all(|command| match command {
                Command::Move(p) | Command::Line(p) => inside(p),
                Command::Curve(c, p) => inside(c) && inside(p),
            }));
            assert!(commands.is_empty() || matches!(commands[0], Command::Move(_)));
        }
    }

    #[test]
    fn widths_and_cuts() {
        assert!((width("M", 1024.0, false) - 884.0).abs() < 1.0); // 1767 of 2048 in the font
        assert!(width("Bag", 12.0, true) > width("Bag", 12.0, false));
        assert_eq!(glyph('\u{4e2d}', true).code, 0);
        assert_eq!(fit("Ankle boot", 12.0, false, 1000.0), "Ankle boot");
        assert_eq!(fit("Ankle boot", 12.0, false, width("Ankle…", 12.0, false) + 0.1), "Ankle…");
    }
}
