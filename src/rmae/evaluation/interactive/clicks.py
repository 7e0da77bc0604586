"""A person who clicks, simulated: each click is in the middle of what is most wrong."""

import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.ndimage import distance_transform_edt, find_objects
from skimage.measure import label

from rmae.evaluation.interactive.method import Answer, Click, Method

__all__ = ["Click", "Simulation", "Step", "next_click", "overlap", "simulate", "steps"]


class Step(NamedTuple):
    """What came of a click."""

    clicks: tuple[Click, ...]
    """All so far."""
    answer: Answer
    iou: float
    """Of the answer and the object, in [0, 1]."""
    seconds: float
    """That the method took for the answer."""


class Simulation(NamedTuple):
    """How a method came closer to an object, click by click; where it was not clicked on any more, as it was left."""

    iou: np.ndarray
    """Shape (max_clicks,) float64, in [0, 1]."""
    confidence: np.ndarray
    """What the method expected it to be; shape (max_clicks,) float64, NaN where it expects nothing."""
    num_clicks: int
    """Clicks that were made."""
    seconds: float
    """That the method took for all of them."""


def next_click(mask_true: np.ndarray, mask_predicted: np.ndarray, *, clicked: np.ndarray | None = None) -> Click | None:
    """Choose where to click next: the middle of the largest error.

    What was missed of the object and what was taken for it are errors apart. Pixels that touch by a side hang together.
    Of the piece with most pixels the click is the pixel that is farthest from the nearest one outside, as the
    border of the picture is. Of equal pieces one that was missed comes first, else the one that begins in the higher
    row, or further left; of equal pixels the same.

    Args:
        mask_true: The object, shape (H, W) bool.
        mask_predicted: What was found, shape (H, W) bool.
        clicked: Pixels that are not clicked on, since they were before; shape (H, W) bool. None = there are none.

    Returns:
        The centre of a pixel, positive where the object was missed; None where there is no error left to click on.

    Source:
        The evaluation of RITM (arXiv 2102.06583), which is that of earlier work. Its code takes the deepest pixel of
        all errors, be its piece the largest or not, and clicks on no pixel twice either.
    """
    errors = ((mask_true & ~mask_predicted, True), (mask_predicted & ~mask_true, False))
    pieces = []
    for error, positive in errors:
        labels = np.asarray(label(error, connectivity=1))
        sizes = np.bincount(labels.ravel())[1:]
        pieces += [(-int(size), not positive, number, labels) for number, size in enumerate(sizes, start=1)]
    pieces.sort(key=_first_three)
    for _, missing, number, labels in pieces:
        pixel = _deepest_pixel(labels, number, clicked)
        if pixel is not None:
            return Click(pixel[1] + 0.5, pixel[0] + 0.5, not missing)
    return None


def steps(method: Method, mask_true: np.ndarray, max_clicks: int) -> Iterator[Step]:
    """Click until there is no error left, or often enough.

    Args:
        method: Has the picture.
        mask_true: The object, shape (H, W) bool, not empty.
        max_clicks: At most so many clicks, at least 1.

    Yields:
        What came of each click. No pixel is clicked on twice.
    """
    clicks: list[Click] = []
    clicked, predicted = np.zeros_like(mask_true), np.zeros_like(mask_true)
    while len(clicks) < max_clicks and (click := next_click(mask_true, predicted, clicked=clicked)) is not None:
        clicks.append(click)
        clicked[click.pixel] = True
        started = time.perf_counter()
        answer = method.segment(clicks)
        seconds = time.perf_counter() - started
        assert answer.mask.shape == mask_true.shape
        predicted = answer.mask
        yield Step(tuple(clicks), answer, overlap(mask_true, predicted), seconds)


def simulate(method: Method, mask_true: np.ndarray, max_clicks: int) -> Simulation:
    """Click on an object and see how well it is found.

    Args:
        method: Has the picture.
        mask_true: The object, shape (H, W) bool, not empty.
        max_clicks: At most so many clicks, at least 1.

    Returns:
        IoU after each click.
    """
    made = list(steps(method, mask_true, max_clicks))
    lasting = [*made, *[made[-1]] * (max_clicks - len(made))]
    return Simulation(
        np.array([step.iou for step in lasting]),
        np.array([step.answer.confidence for step in lasting], dtype=np.float64),
        len(made),
        sum(step.seconds for step in made),
    )


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two masks, bool of one shape; NaN where both are empty."""
    union = np.count_nonzero(one | other)
    return np.count_nonzero(one & other) / union if union else float("nan")


def _first_three(piece: tuple[int, bool, int, np.ndarray]) -> tuple[int, bool, int]:
    return piece[:3]


def _deepest_pixel(labels: np.ndarray, number: int, clicked: np.ndarray | None) -> tuple[int, int] | None:
    """Row and column of the pixel of a piece that is farthest from its border; None where all were clicked on."""
    box = find_objects(labels, max_label=number)[number - 1]
    piece = labels[box] == number
    depth = distance_transform_edt(np.pad(piece, 1))
    assert isinstance(depth, np.ndarray)
    depth = depth[1:-1, 1:-1]
    if clicked is not None:
        depth = np.where(clicked[box], 0, depth)
    row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    if depth[row, column] == 0:
        return None
    return int(row) + box[0].start, int(column) + box[1].start
