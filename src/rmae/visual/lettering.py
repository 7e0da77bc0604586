"""Text as pictures, in the typeface that comes with matplotlib and so looks the same everywhere."""

import unicodedata
from functools import cache
from pathlib import Path

import matplotlib as mpl
import numpy as np
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]


def letter(text: str, *, width: int, size: int, colour: Colour, ground: Colour, bold: bool = False) -> np.ndarray:
    """Draw a paragraph of plain text, broken into lines where it is too wide.

    Args:
        text: What to write; line breaks in it are kept, and what is no letter or sign becomes a question mark in a
            diamond.
        width: W in pixels.
        size: Height of the letters in pixels, ascender to descender.
        colour: Of the letters, RGB in 0..255.
        ground: Of what is behind them, RGB in 0..255.
        bold: Whether the letters are bold.

    Returns:
        Shape (H, W, 3) uint8; H is the number of lines times the height of one, 1.3 times the size.
    """
    font = _font(size, bold)
    lines = [line for paragraph in _printable(text).split("\n") for line in _break_lines(paragraph, width, font)]
    line_height = round(1.3 * size)
    picture = Image.new("RGB", (width, line_height * len(lines)), ground)
    draw = ImageDraw.Draw(picture)
    for row, line in enumerate(lines):
        draw.text((0, row * line_height), line, fill=colour, font=font)
    return np.asarray(picture)


def _printable(text: str) -> str:
    """Replace control characters, and what Python makes of bytes in file names that are no text."""
    return "".join(
        "\N{REPLACEMENT CHARACTER}"
        if unicodedata.category(character) in ("Cc", "Cs") and character != "\n"
        else character
        for character in text
    )


def _break_lines(text: str, width: int, font: ImageFont.FreeTypeFont) -> list[str]:
    """Break text between words, and a word only where it alone is too wide."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if font.getlength(longer) <= width:
            lines[-1] = longer
            continue
        if lines[-1]:
            lines.append("")
        for character in word:
            if lines[-1] and font.getlength(lines[-1] + character) > width:
                lines.append("")
            lines[-1] += character
    return lines


@cache
def _font(size: int, bold: bool) -> ImageFont.FreeTypeFont:
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    path = Path(mpl.get_data_path()) / "fonts" / "ttf" / name
    # Pillow's other layout engine is not on every machine, and places letters a little differently.
    return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)
