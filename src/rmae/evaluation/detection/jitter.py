"""Large-scale jitter: a picture scaled at random, and as much of it as fits into a frame."""

from typing import NamedTuple

import numpy as np
from PIL import Image

from rmae.regions.placed_mask import PlacedMask


class Placement(NamedTuple):
    """How a picture lies in a frame: scaled, perhaps mirrored, and cut where the frame ends; at its upper left."""

    picture_hw: tuple[int, int]
    """Height and width of the picture in pixels."""
    scaled_hw: tuple[int, int]
    """What it is scaled to."""
    top: int
    """Rows of the scaled picture above the frame."""
    left: int
    """Columns of the scaled picture, mirrored if it is, to the left of the frame."""
    shown_hw: tuple[int, int]
    """Height and width of what is in the frame."""
    mirrored: bool

    def rows(self) -> np.ndarray:
        """Rows of the picture in which the centres of the frame's pixels lie; shape (h,), ascending."""
        return _nearest(self.top, self.shown_hw[0], self.picture_hw[0], self.scaled_hw[0])

    def columns(self) -> np.ndarray:
        """Columns of the picture, mirrored if it is, in which the centres of the frame's pixels lie; shape (w,)."""
        return _nearest(self.left, self.shown_hw[1], self.picture_hw[1], self.scaled_hw[1])


def fit(picture_hw: tuple[int, int], frame_hw: tuple[int, int], scale: float = 1.0) -> Placement:
    """Place a picture so that it fits a frame.

    Args:
        picture_hw: Height and width of the picture in pixels.
        frame_hw: Of the frame.
        scale: Over the size at which it just fits.

    Returns:
        Its upper left part as far as the frame reaches, not mirrored.
    """
    factor = scale * min(frame_hw[0] / picture_hw[0], frame_hw[1] / picture_hw[1])
    scaled = (max(1, round(picture_hw[0] * factor)), max(1, round(picture_hw[1] * factor)))
    shown = (min(scaled[0], frame_hw[0]), min(scaled[1], frame_hw[1]))
    return Placement(picture_hw, scaled, 0, 0, shown, mirrored=False)


def draw_placement(
    picture_hw: tuple[int, int],
    frame_hw: tuple[int, int],
    *,
    scale: tuple[float, float],
    flip: float,
    generator: np.random.Generator,
) -> Placement:
    """Draw how a picture lies in a frame: its scale, what of it is cut off, and whether it is mirrored, all uniform.

    Args:
        picture_hw: Height and width of the picture in pixels.
        frame_hw: Of the frame.
        scale: Smallest and largest size over the one at which it just fits.
        flip: Probability of mirroring.
        generator: Where the randomness comes from.

    Source:
        Copy-Paste (arXiv 2012.07177), section 3; ViTDet (arXiv 2203.16527), appendix A.2.
    """
    placement = fit(picture_hw, frame_hw, generator.uniform(*scale))
    top = int(generator.integers(placement.scaled_hw[0] - placement.shown_hw[0] + 1))
    left = int(generator.integers(placement.scaled_hw[1] - placement.shown_hw[1] + 1))
    return placement._replace(top=top, left=left, mirrored=bool(generator.random() < flip))


def place_image(
    image: np.ndarray, placement: Placement, frame_hw: tuple[int, int], fill: tuple[int, ...]
) -> np.ndarray:
    """Put a picture into a frame, bilinear with antialias.

    Args:
        image: Shape (H, W, 3) uint8.
        placement: How it lies there.
        frame_hw: Height h and width w of the frame in pixels.
        fill: Colour of the frame where the picture does not reach, in 0..255.

    Returns:
        Shape (3, h, w) uint8.
    """
    height, width = placement.shown_hw
    rows, columns = (
        picture / scaled for picture, scaled in zip(placement.picture_hw, placement.scaled_hw, strict=True)
    )
    box = (
        placement.left * columns,
        placement.top * rows,
        min((placement.left + width) * columns, placement.picture_hw[1]),
        min((placement.top + height) * rows, placement.picture_hw[0]),
    )
    picture = Image.fromarray(np.ascontiguousarray(image[:, ::-1]) if placement.mirrored else image)
    framed = np.empty((*frame_hw, 3), np.uint8)
    framed[:] = fill
    framed[:height, :width] = np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR, box=box))
    return np.ascontiguousarray(framed.transpose(2, 0, 1))


def place_mask(mask: PlacedMask, placement: Placement) -> PlacedMask:
    """Put a mask into a frame: a pixel is on where its centre lies in a pixel of the mask that is on.

    Args:
        mask: In pixels of the picture.
        placement: How the picture lies in the frame.

    Returns:
        In pixels of the frame, cut down to what is on; (0, 0) where nothing is left.
    """
    pixels, left = mask.pixels, mask.left
    if placement.mirrored:
        pixels, left = pixels[:, ::-1], placement.picture_hw[1] - mask.left - pixels.shape[1]
    rows, columns = placement.rows(), placement.columns()
    first_row, last_row = np.searchsorted(rows, [mask.top, mask.top + pixels.shape[0]]).tolist()
    first_column, last_column = np.searchsorted(columns, [left, left + pixels.shape[1]]).tolist()
    placed = pixels[rows[first_row:last_row] - mask.top][:, columns[first_column:last_column] - left]
    return _tighten(PlacedMask(first_row, first_column, placed))


def _tighten(mask: PlacedMask) -> PlacedMask:
    """Cut off rows and columns at the edges of the box in which nothing is on."""
    rows, columns = np.flatnonzero(mask.pixels.any(axis=1)), np.flatnonzero(mask.pixels.any(axis=0))
    if not len(rows):
        return PlacedMask(0, 0, mask.pixels[:0, :0])
    top, left = int(rows[0]), int(columns[0])
    return PlacedMask(mask.top + top, mask.left + left, mask.pixels[top : rows[-1] + 1, left : columns[-1] + 1])


def _nearest(first: int, number: int, size: int, scaled: int) -> np.ndarray:
    """Where the centres of scaled pixels, from the first on, lie in the old ones: floor((i + 1/2) size / scaled)."""
    return (2 * np.arange(first, first + number) + 1) * size // (2 * scaled)
