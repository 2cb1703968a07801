//! Writes marks as SVG.
//!
//! Letters are outlines too: each letter in use is defined once and referenced where it occurs. So the file needs no
//! font, and looks like the PNG in every viewer.

use super::font::{self, Command, UNITS};
use super::mark::{Anchor, Colour, Mark, Text};
use super::png;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Writes the figure as a file, or as part of a page, which then sets its colours.
///
/// The title is for screen readers. Within a page, the colours of text, grid and background are the page's variables
/// `--ink`, `--soft`, `--grid` and `--paper`, so that the page may be dark.
pub(super) fn write(marks: &[Mark], [width, height]: [f64; 2], title: &str, in_page: bool) -> String {
    let mut svg = Svg { in_page, letters: BTreeMap::new(), body: String::new() };
    for mark in marks {
        svg.mark(mark);
    }
    let (w, h) = (number(width), number(height));
    let title = escape(title);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {w} {h}\" width=\"{w}\" height=\"{h}\" \
         role=\"img\" aria-label=\"{title}\">\n<title>{title}</title>\n"
    );
    if !svg.letters.is_empty() {
        out.push_str("<defs>\n");
        for (id, path) in &svg.letters {
            let _ = writeln!(out, "<path id=\"{id}\" d=\"{path}\"/>");
        }
        out.push_str("</defs>\n");
    }
    out.push_str(&svg.body);
    out.push_str("</svg>\n");
    out
}

/// Formats a number with at most two decimals, without trailing zeros.
pub(super) fn number(x: f64) -> String {
    let mut text = format!("{x:.2}");
    if text.contains('.') {
        text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
    }
    if text == "-0" { "0".to_owned() } else { text }
}

/// Escapes text for use between tags and in attributes. Control characters, which XML does not allow, become spaces.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() || ('\u{fffe}'..='\u{ffff}').contains(&c) => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

struct Svg {
    in_page: bool,
    /// The outlines in use, by their ids: "r" or "b" and the character's code point.
    letters: BTreeMap<String, String>,
    body: String,
}

impl Svg {
    /// Returns the attribute that sets a colour: `fill="#0072b2"`.
    fn colour(&self, attribute: &str, colour: Colour) -> String {
        let [r, g, b] = colour.rgb();
        let hex = format!("#{r:02x}{g:02x}{b:02x}");
        let variable = match colour {
            Colour::Ink => "ink",
            Colour::Soft => "soft",
            Colour::Grid => "grid",
            Colour::Paper => "paper",
            Colour::Rgb(..) => "",
        };
        if self.in_page && !variable.is_empty() {
            format!("style=\"{attribute}:var(--{variable},{hex})\"")
        } else {
            format!("{attribute}=\"{hex}\"")
        }
    }

    fn mark(&mut self, mark: &Mark) {
        let points = |points: &[(f64, f64)]| {
            points.iter().map(|p| format!("{},{}", number(p.0), number(p.1))).collect::<Vec<_>>().join(" ")
        };
        let frame_of = |svg: &Self, frame: &Option<(Colour, f64)>| match frame {
            Some((colour, width)) => {
                format!(" {} stroke-width=\"{}\"", svg.colour("stroke", *colour), number(*width))
            }
            None => String::new(),
        };
        let line = match mark {
            Mark::Area { points: p, fill, opacity } => format!(
                "<polygon points=\"{}\" {} fill-opacity=\"{}\"/>",
                points(p),
                self.colour("fill", *fill),
                number(*opacity)
            ),
            Mark::Line { points: p, colour, width, dash } => {
                let dash = dash.map_or(String::new(), |(a, b)| {
                    format!(" stroke-dasharray=\"{} {}\"", number(a), number(b))
                });
                format!(
                    "<polyline points=\"{}\" fill=\"none\" {} stroke-width=\"{}\" stroke-linejoin=\"round\"{dash}/>",
                    points(p),
                    self.colour("stroke", *colour),
                    number(*width)
                )
            }
            Mark::Rect { at, size, fill, frame } => {
                let fill = fill.map_or("fill=\"none\"".to_owned(), |fill| self.colour("fill", fill));
                let frame = self.merge(fill, frame_of(self, frame));
                let [x, y, w, h] = [at.0, at.1, size.0, size.1].map(number);
                format!("<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" {frame}/>")
            }
            Mark::Disc { at, radius, fill, frame } => {
                let frame = self.merge(self.colour("fill", *fill), frame_of(self, frame));
                let [x, y, r] = [at.0, at.1, *radius].map(number);
                format!("<circle cx=\"{x}\" cy=\"{y}\" r=\"{r}\" {frame}/>")
            }
            Mark::Text(text) if text.text.trim().is_empty() => return,
            Mark::Text(text) => self.text(text),
            Mark::Image { at, size, pixels } => {
                let [x, y, w, h] = [at.0, at.1, size.0, size.1].map(number);
                format!(
                    "<image x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" preserveAspectRatio=\"none\" \
                     style=\"image-rendering:pixelated\" href=\"data:image/png;base64,{}\"/>",
                    png::base64(&png::encode(pixels, None))
                )
            }
        };
        self.body.push_str(&line);
        self.body.push('\n');
    }

    /// Writes a line of text as references to the letters' outlines, which are collected for the head of the file.
    fn text(&mut self, text: &Text) -> String {
        let Text { at, text, size, bold, colour, anchor, turn } = text;
        let wide = font::width(text, UNITS, *bold);
        let mut x = match anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => -wide / 2.0,
            Anchor::End => -wide,
        };
        let turn = if *turn == 0.0 { String::new() } else { format!(" rotate({})", number(*turn)) };
        let mut group = format!(
            "<g transform=\"translate({} {}){turn} scale({:.5})\" {}>",
            number(at.0),
            number(at.1),
            size / UNITS,
            self.colour("fill", *colour)
        );
        for c in text.chars() {
            let glyph = font::glyph(c, *bold);
            let id = format!("{}{:x}", if glyph.weight == 1 { "b" } else { "r" }, glyph.code);
            let commands = glyph.commands();
            if !commands.is_empty() {
                let _ = write!(group, "<use href=\"#{id}\" x=\"{}\"/>", x.round());
                self.letters.entry(id).or_insert_with(|| path(&commands));
            }
            x += f64::from(glyph.advance);
        }
        group + "</g>"
    }

    /// Joins two colour attributes of one tag: within a page both may be a `style`, which a tag may have only once.
    fn merge(&self, fill: String, frame: String) -> String {
        match (
            fill.strip_prefix("style=\"").and_then(|f| f.strip_suffix('"')),
            frame.strip_prefix(" style=\""),
        ) {
            (Some(fill), Some(frame)) => format!("style=\"{fill};{frame}"),
            _ => fill + &frame,
        }
    }
}

/// Writes the outline of a letter, with relative coordinates except for moves.
fn path(commands: &[Command]) -> String {
    let (mut d, mut at) = (String::new(), [0, 0]);
    for command in commands {
        let open = !d.is_empty();
        let _ = match command {
            Command::Move([x, y]) => write!(d, "{}M{x} {y}", if open { "z" } else { "" }),
            Command::Line([x, y]) => write!(d, "l{} {}", x - at[0], y - at[1]),
            Command::Curve(c, p) => {
                write!(d, "q{} {} {} {}", c[0] - at[0], c[1] - at[1], p[0] - at[0], p[1] - at[1])
            }
        };
        at = match command {
            Command::Move(p) | Command::Line(p) | Command::Curve(_, p) => *p,
        };
    }
    d + "z"
}
