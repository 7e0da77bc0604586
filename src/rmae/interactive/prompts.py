"""What a person marks on a picture, and what of a region map that makes known."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.ndimage import distance_transform_edt

OBJECT, BACKGROUND = 1, -1
"""Values of marks."""
_REACH = 0.25
"""Share of a patch's side over which a mark is nearly certain of its neighbours."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Prompt:
    """Marks on a picture, in its own pixels.

    x runs to the right, y down, and the pixel of row i and column j covers [j, j + 1) x [i, i + 1).

    Raises:
        ValueError: Nothing marks the object, or a mark is malformed.
    """

    points_xy: tuple[tuple[float, float], ...] = ()
    """Points that were clicked."""
    positive: tuple[bool, ...] = ()
    """One a point: True = on the object, False = beside it."""
    box_xyxy: tuple[float, float, float, float] | None = None
    """Left, top, right and bottom of a box around the object."""
    scribbles: np.ndarray | None = None
    """Shape (H, W) int8, of the picture's size: 1 = object, -1 = background, 0 = not marked."""

    def __post_init__(self) -> None:
        """Check what does not depend on the picture."""
        if len(self.points_xy) != len(self.positive):
            raise ValueError(
                f"there are {len(self.points_xy)} points and {len(self.positive)} values of positive; give one a point"
            )
        box = self.box_xyxy
        if box is not None and not (len(box) == 4 and box[0] < box[2] and box[1] < box[3]):
            raise ValueError(f"the box is {box}; give left, top, right and bottom, left < right and top < bottom")
        scribbles = self.scribbles
        if scribbles is not None and (scribbles.dtype.kind not in "biu" or ((scribbles < -1) | (scribbles > 1)).any()):
            raise ValueError(
                f"the scribbles ({scribbles.dtype}) hold something else than the whole numbers 1 = object, "
                "-1 = background and 0 = not marked; give these alone"
            )
        scribbled = scribbles is not None and bool((scribbles == OBJECT).any())
        if not any(self.positive) and box is None and not scribbled:
            raise ValueError("nothing marks the object; give a positive point, a box, or a scribble on it")

    def check_fits(self, size_hw: tuple[int, int]) -> None:
        """Raise a ValueError unless all marks lie on a picture of height H and width W."""
        height, width = size_hw
        for x, y in self.points_xy:
            if not (0 <= x < width and 0 <= y < height):  # so NaN is refused as well
                raise ValueError(f"the point ({x}, {y}) lies beside the picture of {width} x {height} pixels")
        box = self.box_xyxy
        if box is not None and not (
            all(map(math.isfinite, box)) and box[0] < width and box[1] < height and box[2] > 0 and box[3] > 0
        ):
            raise ValueError(f"the box {box} lies beside the picture of {width} x {height} pixels")
        if self.scribbles is not None and self.scribbles.shape != size_hw:
            raise ValueError(f"the scribbles have shape {self.scribbles.shape}; the picture has {size_hw}")


class KnownRegion(NamedTuple):
    """What a prompt makes known of a region map at the model's size."""

    visible: np.ndarray
    """Patches whose map is taken for known, shape (rows, columns) bool."""
    region: np.ndarray
    """Shape (h, w) bool; False in patches that are not visible."""
    certainty: np.ndarray
    """How certain `region` is, shape (h, w) float32 in [0, 1]: 1 at a mark, less away from it, 0 in hidden patches."""


def known_region(
    prompt: Prompt, picture_hw: tuple[int, int], *, model_hw: tuple[int, int], patch_size: int
) -> KnownRegion:
    """Turn marks into visible patches.

    A patch that holds a mark is visible; its pixels are taken for what the nearest mark says. Patches that lie wholly
    outside of the box are visible, and background. A box alone, or with marks of the background alone, says that the
    middle of what it covers of the picture is on the object.

    Args:
        prompt: The marks; they fit the picture.
        picture_hw: Height H and width W of the picture in pixels.
        model_hw: Height h and width w that the model sees it in.
        patch_size: Side of a patch in the model's pixels; divides h and w.

    Returns:
        Visible patches and the region map in them.
    """
    marks = _marks(prompt, picture_hw, model_hw)
    rows, columns = model_hw[0] // patch_size, model_hw[1] // patch_size
    touched = (marks != 0).reshape(rows, patch_size, columns, patch_size).any(axis=(1, 3))
    transformed = distance_transform_edt(marks == 0, return_indices=True)
    assert transformed is not None  # as it would be if its results went into arrays that are given
    distance, nearest = transformed  # (h, w), (2, h, w)
    holds_mark = touched.repeat(patch_size, axis=0).repeat(patch_size, axis=1)
    region = (marks[tuple(nearest)] == OBJECT) & holds_mark
    certainty = np.where(holds_mark, np.exp(-((distance / (_REACH * patch_size)) ** 2)), 0).astype(np.float32)
    if prompt.box_xyxy is None:
        return KnownRegion(touched, region, certainty)
    outside = _outside(prompt.box_xyxy, picture_hw, (rows, columns)) & ~touched
    certainty[outside.repeat(patch_size, axis=0).repeat(patch_size, axis=1)] = 1
    return KnownRegion(touched | outside, region, certainty)


def _marks(prompt: Prompt, picture_hw: tuple[int, int], model_hw: tuple[int, int]) -> np.ndarray:
    """Marked pixels at the model's size, shape (h, w) int8.

    Of several marks in one pixel the last point counts, and else the background's scribble.
    """
    scale = np.array(model_hw) / np.array(picture_hw)
    marks = np.zeros(model_hw, np.int8)
    if prompt.scribbles is not None:
        for value in (OBJECT, BACKGROUND):
            places = (np.argwhere(prompt.scribbles == value) + 0.5) * scale
            marks[tuple(places.astype(np.intp).T)] = value
    for point_xy, positive in zip(prompt.points_xy, prompt.positive, strict=True):
        marks[_pixel(point_xy, scale, model_hw)] = OBJECT if positive else BACKGROUND
    if prompt.box_xyxy is not None and not (marks == OBJECT).any():
        left, top, right, bottom = prompt.box_xyxy
        across, down = (max(left, 0) + min(right, picture_hw[1])) / 2, (max(top, 0) + min(bottom, picture_hw[0])) / 2
        marks[_pixel((across, down), scale, model_hw)] = OBJECT
    return marks


def _pixel(point_xy: tuple[float, float], scale: np.ndarray, model_hw: tuple[int, int]) -> tuple[int, int]:
    """Row and column of the model's pixel in which a point of the picture lies."""
    row, column = (int(place * factor) for place, factor in zip(reversed(point_xy), scale, strict=True))
    return min(row, model_hw[0] - 1), min(column, model_hw[1] - 1)  # beyond where the product was rounded up


def _outside(
    box_xyxy: tuple[float, float, float, float], picture_hw: tuple[int, int], grid: tuple[int, int]
) -> np.ndarray:
    """Patches that lie wholly outside of a box, shape (rows, columns) bool."""
    left, top, right, bottom = box_xyxy
    row_edges = np.arange(grid[0] + 1) * picture_hw[0] / grid[0]
    column_edges = np.arange(grid[1] + 1) * picture_hw[1] / grid[1]
    rows = (row_edges[1:] <= top) | (row_edges[:-1] >= bottom)
    columns = (column_edges[1:] <= left) | (column_edges[:-1] >= right)
    return rows[:, None] | columns[None, :]
