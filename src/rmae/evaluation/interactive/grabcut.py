"""Clicks for OpenCV's GrabCut: colours of object and ground, told apart anew in each picture, and nothing learned."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from rmae.evaluation.interactive.method import Answer, Click

_CERTAIN = 0.03  # radius of the disc around a click that is taken for certain, as a share of the longer side
_PROBABLE = 0.12  # radius of that around a positive click that is probably object
_FRAME = 0.01  # width of the picture's border that is taken for background, as a share of the longer side
_ITERATIONS = 3  # more take time, and change little
_COLOUR_MODEL = 65  # numbers in each of the two mixtures of five Gaussians


class GrabCutMethod:
    """Tells object and background apart by their colours and by edges, beginning anew with all clicks each time.

    Discs around clicks, of a radius of 3 % of the longer side, are certainly what the click says. What is within 12 %
    of a positive click is probably object, all else probably background. A frame along the picture's border, 1 % of the
    longer side wide, is certainly background where no click says otherwise. Where discs overlap, the nearer click
    counts, a positive one if both are equally near. From there GrabCut takes three turns, and what hangs together with
    no positive click is dropped.

    Args:
        side: Longer side in pixels to which larger pictures are reduced, at least 1: time grows with the area.

    Raises:
        ValueError: OpenCV is not installed.

    Source:
        GrabCut (Rother, Kolmogorov, Blake, 2004), as OpenCV has it. The marks around a click are ours.
    """

    def __init__(self, *, side: int) -> None:
        self._cv2 = import_opencv()
        self._side = side
        self._picture = np.zeros((0, 0, 3), np.uint8)
        self._picture_hw = (0, 0)

    def set_image(self, image: np.ndarray, name: str) -> None:
        """Reduce a picture."""
        height, width = self._picture_hw = (image.shape[0], image.shape[1])
        factor = min(1.0, self._side / max(height, width))
        small_wh = max(1, round(width * factor)), max(1, round(height * factor))
        self._picture = self._cv2.resize(np.ascontiguousarray(image), small_wh, interpolation=self._cv2.INTER_AREA)

    def segment(self, clicks: Sequence[Click]) -> Answer:
        """Mark the discs, and cut."""
        marks = self._mark(clicks)
        found = self._cut(marks)
        found = self._with_clicks(found, clicks)
        rows, columns = (
            ((np.arange(number) + 0.5) * small / number).astype(np.intp)
            for number, small in zip(self._picture_hw, found.shape, strict=True)
        )
        return Answer(found[rows[:, None], columns])

    def _mark(self, clicks: Sequence[Click]) -> np.ndarray:
        """What is object or background, certainly or probably; shape (h, w) uint8, in OpenCV's numbers."""
        height, width = self._picture.shape[:2]
        side = max(height, width)
        to_object, to_ground = (self._distance(clicks, positive=positive) for positive in (True, False))
        marks = np.full((height, width), self._cv2.GC_PR_BGD, np.uint8)
        on_object = to_object <= to_ground
        marks[on_object & (to_object <= _PROBABLE * side)] = self._cv2.GC_PR_FGD
        frame = max(1, round(_FRAME * side))
        inner = np.zeros((height, width), bool)
        inner[frame:-frame, frame:-frame] = True
        marks[~inner] = self._cv2.GC_BGD
        certain = max(1.0, _CERTAIN * side)
        marks[on_object & (to_object <= certain)] = self._cv2.GC_FGD
        marks[~on_object & (to_ground <= certain)] = self._cv2.GC_BGD
        return marks

    def _distance(self, clicks: Sequence[Click], *, positive: bool) -> np.ndarray:
        """From the centre of each pixel to the nearest click of a kind, infinite where there is none; (h, w) float."""
        height, width = self._picture.shape[:2]
        rows, columns = np.mgrid[:height, :width] + 0.5
        nearest = np.full((height, width), np.inf)
        for click in clicks:
            if click.positive == positive:
                x, y = click.x * width / self._picture_hw[1], click.y * height / self._picture_hw[0]
                np.minimum(nearest, np.hypot(columns - x, rows - y), out=nearest)
        return nearest

    def _cut(self, marks: np.ndarray) -> np.ndarray:
        """Where the object is, shape (h, w) bool."""
        of_object = np.isin(marks, (self._cv2.GC_FGD, self._cv2.GC_PR_FGD))
        if of_object.all() or not of_object.any():
            return of_object  # a picture of a few pixels: there are no two kinds of colours to tell apart
        background, foreground = np.zeros((1, _COLOUR_MODEL)), np.zeros((1, _COLOUR_MODEL))
        self._cv2.setRNGSeed(0)  # it draws the first means of the colours
        cut, _, _ = self._cv2.grabCut(
            self._picture, marks, None, background, foreground, _ITERATIONS, self._cv2.GC_INIT_WITH_MASK
        )
        return np.isin(cut, (self._cv2.GC_FGD, self._cv2.GC_PR_FGD))

    def _with_clicks(self, found: np.ndarray, clicks: Sequence[Click]) -> np.ndarray:
        """The pieces in which a positive click lies; pixels that touch by a side hang together."""
        number, pieces = self._cv2.connectedComponents(found.astype(np.uint8), connectivity=4)
        kept = np.zeros(number, bool)
        for click in clicks:
            if click.positive:
                row, column = click.pixel
                small = row * found.shape[0] // self._picture_hw[0], column * found.shape[1] // self._picture_hw[1]
                kept[pieces[small]] = True
        kept[0] = False
        return kept[pieces]


def import_opencv() -> Any:  # a module is no type
    """Import OpenCV.

    Raises:
        ValueError: It is not installed.
    """
    try:
        import cv2
    except ImportError as error:
        raise ValueError(
            "GrabCut is OpenCV's, which is not installed; install it with: pip install 'rmae[interactive]'"
        ) from error
    return cv2
