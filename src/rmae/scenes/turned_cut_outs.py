"""Cut-outs at the size and angle that a scene shows them, without fringes or jagged edges."""

import math
from typing import NamedTuple

import numpy as np
from PIL import Image

from rmae.scenes.cut_outs import OPAQUE
from rmae.scenes.light import draw_light

MOST_ENLARGED = 1.5
"""How many times larger than its file a cut-out is shown at most."""
MOST_TURNED = 30.0
"""Degrees that things are turned by at most, either way; small angles are likelier."""

_BORDER = 2  # transparent pixels around a cut-out, over which its edge fades out
_STEP = math.sqrt(0.5)  # from one level of a pyramid to the next: small, so that sampling between them stays sharp


class Pyramid(NamedTuple):
    """A cut-out at several sizes, the largest first."""

    levels: tuple[Image.Image, ...]
    """RGBa: colours are multiplied by alpha. Each has a transparent border."""
    sides: tuple[int, ...]
    """Pixels of each level's longer side, without the border."""


class TurnedCutOut(NamedTuple):
    """A thing as it is laid over a scene."""

    image: Image.Image
    """RGBA."""
    mask: np.ndarray
    """Which pixels are the thing's, those that are at least half opaque; shape (h, w) bool."""


def make_pyramid(cut_out: Image.Image, sides: tuple[float, float]) -> Pyramid:
    """Resize a cut-out to the sizes between which it is going to be shown.

    Args:
        cut_out: RGBa.
        sides: Pixels of the longer side where it is smallest and largest.
    """
    longer = max(cut_out.size)
    targets = [min(longer, math.ceil(sides[1]))]
    while targets[-1] * _STEP >= sides[0]:
        targets.append(round(targets[-1] * _STEP))
    return Pyramid(tuple(_with_border(cut_out, target) for target in targets), tuple(targets))


def draw_turned(pyramid: Pyramid, sides: tuple[float, float], generator: np.random.Generator) -> TurnedCutOut:
    """Draw size, angle, mirroring and light of a thing.

    Args:
        pyramid: The thing.
        sides: Least and largest number of pixels of its longer side. It is not enlarged beyond `MOST_ENLARGED`.
        generator: Where the randomness comes from.
    """
    side = min(generator.uniform(*sides), MOST_ENLARGED * pyramid.sides[0])
    degrees = generator.triangular(-MOST_TURNED, 0, MOST_TURNED)
    is_mirrored = generator.random() < 0.5
    turned = turn(pyramid, side=side, degrees=degrees, is_mirrored=is_mirrored)
    pixels = np.array(turned.convert("RGBA"))  # light acts on colours that are not multiplied by alpha
    for channel, becomes in enumerate(draw_light(generator)):
        pixels[..., channel] = becomes.take(pixels[..., channel])
    return TurnedCutOut(Image.fromarray(pixels), pixels[..., 3] >= OPAQUE)


def turn(pyramid: Pyramid, *, side: float, degrees: float, is_mirrored: bool) -> Image.Image:
    """Show a thing at a size and an angle.

    Args:
        pyramid: The thing.
        side: Pixels of its longer side.
        degrees: By how much it is turned, clockwise.
        is_mirrored: Whether left and right are exchanged, before it is turned.

    Returns:
        RGBa picture that just holds it. With the side of a level and without turning it is that level, to the pixel.
    """
    # The smallest level that need not be enlarged.
    level = max((i for i, at in enumerate(pyramid.sides) if at >= side), default=0)
    source, scale = pyramid.levels[level], side / pyramid.sides[level]
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    width, height = (scale * (length - 2 * _BORDER) for length in source.size)
    size = tuple(
        math.ceil(round(length, 6)) + 2
        for length in (abs(cos) * width + abs(sin) * height, abs(sin) * width + abs(cos) * height)
    )
    # From places in the result to places in the source, both seen from the middle.
    across, down = (cos / scale, sin / scale), (-sin / scale, cos / scale)
    if is_mirrored:
        across = (-across[0], -across[1])
    rows = [
        (*row, middle / 2 - row[0] * size[0] / 2 - row[1] * size[1] / 2)
        for row, middle in zip((across, down), source.size, strict=True)
    ]
    return source.transform((size[0], size[1]), Image.Transform.AFFINE, (*rows[0], *rows[1]), Image.Resampling.BILINEAR)


def _with_border(cut_out: Image.Image, side: int) -> Image.Image:
    share = side / max(cut_out.size)
    width, height = (max(1, round(length * share)) for length in cut_out.size)
    if (width, height) != cut_out.size:
        # A filter without negative weights, after which no colour exceeds its alpha.
        cut_out = cut_out.resize((width, height), Image.Resampling.HAMMING, reducing_gap=2.0)
    level = Image.new("RGBa", (width + 2 * _BORDER, height + 2 * _BORDER))
    level.paste(cut_out, (_BORDER, _BORDER))
    return level
