//! The letters of the pictures: outlines of DejaVu Sans, in a table of their own.
//!
//! Pictures are lettered without any font of the system, so that a file looks the same wherever it is made and shown.
//! `dejavu.bin` has the Latin letters, some Greek ones and signs, in two weights, 65 KB; `make.py` beside it makes it
//! and says how it is laid out. `LICENSE` is that of the font. A character that is not in the table is a box.

use std::sync::OnceLock;

/// See `make.py`.
static TABLE: &[u8] = include_bytes!("dejavu.bin");

/// Units in the font size: an `M` at 12 pixels is drawn at 12 / 1024 of its outline.
pub(super) const UNITS: f64 = 1024.0;

/// A part of an outline, in units, y down, 0 at the base line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Command {
    /// Begins a contour; the one before is closed.
    Move([i32; 2]),
    /// A straight line to a point.
    Line([i32; 2]),
    /// A quadratic curve: its control point, its end.
    Curve([i32; 2], [i32; 2]),
}

/// A character in one weight.
#[derive(Debug)]
pub(super) struct Glyph {
    /// The character's number; 0 for the box.
    pub code: u32,
    /// 0 regular, 1 bold.
    pub weight: u32,
    /// How far the next character is away, in units.
    pub advance: u32,
    outline: &'static [u8],
}

impl Glyph {
    /// The outline's commands, in order.
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

/// Takes a variable-length integer off the front; 0 at the end of the bytes.
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

/// A zigzag coded number: 0, -1, 1, -2, …
fn signed(bytes: &mut &'static [u8]) -> i32 {
    let value = number(bytes);
    (value >> 1) as i32 ^ -((value & 1) as i32)
}

/// All glyphs, in the order of weight and character, the box first in each weight.
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

/// The glyph of a character: in the other weight where this one lacks it, and else the box.
pub(super) fn glyph(character: char, bold: bool) -> &'static Glyph {
    let glyphs = glyphs();
    let find = |weight, code| glyphs.binary_search_by_key(&(weight, code), |g| (g.weight, g.code)).ok();
    let code = u32::from(character);
    let found = find(bold.into(), code).or_else(|| find(0, code)).or_else(|| find(0, 0));
    &glyphs[found.unwrap_or(0)]
}

/// How wide a text is, in pixels, at this size.
pub(super) fn width(text: &str, size: f64, bold: bool) -> f64 {
    text.chars().map(|c| f64::from(glyph(c, bold).advance)).sum::<f64>() * size / UNITS
}

/// The text, cut short with "…" where it is wider than `room`.
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
