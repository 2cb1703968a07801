"""Generates dejavu.bin, the outlines of the letters in figures, from DejaVu Sans 2.37.

Needs fontTools, and DejaVuSans.ttf and DejaVuSans-Bold.ttf (matplotlib includes them):

    python make.py FOLDER_WITH_THE_TTF_FILES

The file is a list of glyphs. A number is a variable-length integer, 7 bits to a byte, lowest first; signed ones are
zigzag coded.

    glyph:   character, weight (0 regular, 1 bold), advance, bytes of the outline, outline
    outline: commands 0 move (dx, dy), 1 line (dx, dy), 2 quadratic curve (dx, dy of its control point; dx, dy of its
             end); each contour is closed by its end

Units are 1/1024 of the font size; y points down and is 0 at the base line. The last glyph of each weight has the
character 0: the box that stands for missing characters.
"""

import sys
from pathlib import Path

from fontTools.pens.basePen import BasePen
from fontTools.ttLib import TTFont

LATIN = [*range(0x20, 0x7F), *range(0xA0, 0x100)]
MORE = [*range(0x100, 0x180), *map(ord, "αβγδεζηθκλμνπρστφχψωΓΔΘΛΣΦΨΩ₀₁₂₃₄₅₆₇₈₉⁰⁴⁵⁶⁷⁸⁹⁻")]
SIGNS = [*map(ord, "–—‘’“”„…•−×±≤≥≠≈→←↑↓√∞∑∂∇€✓✗")]


def number(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def signed(value):
    return number(value << 1 if value >= 0 else -value * 2 - 1)


class Outline(BasePen):
    """Writes commands with coordinates relative to the point before."""

    def __init__(self, glyphs, scale):
        super().__init__(glyphs)
        self.scale, self.bytes, self.at = scale, bytearray(), (0, 0)

    def point(self, point):
        x, y = round(point[0] * self.scale), round(-point[1] * self.scale)
        self.bytes += signed(x - self.at[0]) + signed(y - self.at[1])
        self.at = (x, y)

    def _moveTo(self, point):
        self.bytes += number(0)
        self.point(point)

    def _lineTo(self, point):
        self.bytes += number(1)
        self.point(point)

    def _qCurveToOne(self, control, end):
        self.bytes += number(2)
        self.point(control)
        self.point(end)

    def _closePath(self):
        pass


def glyphs(path, weight, characters):
    font = TTFont(path)
    names, shapes = font.getBestCmap(), font.getGlyphSet()
    scale = 1024 / font["head"].unitsPerEm
    out = b""
    for character in [*sorted(set(characters)), 0]:
        name = names.get(character, ".notdef") if character else ".notdef"
        if character and character not in names:
            print("missing", chr(character))
            continue
        pen = Outline(shapes, scale)
        shapes[name].draw(pen)
        advance = round(shapes[name].width * scale)
        outline = bytes(pen.bytes)
        out += number(character) + number(weight) + number(advance) + number(len(outline)) + outline
    return out


folder = Path(sys.argv[1])
data = glyphs(folder / "DejaVuSans.ttf", 0, LATIN + MORE + SIGNS)
data += glyphs(folder / "DejaVuSans-Bold.ttf", 1, LATIN + SIGNS)
Path(__file__).with_name("dejavu.bin").write_bytes(data)
print(len(data), "bytes")
