import numpy as np
import pytest

from rmae.app.marks import Box, Mark, Point, Stroke, mark_as_json, to_prompt
from rmae.interactive.prompts import Prompt

SIZE = (60, 80)


def prompt_of(*marks: Mark, size_hw: tuple[int, int] = SIZE) -> Prompt:
    prompt = to_prompt(marks, SIZE, size_hw)
    assert prompt is not None
    prompt.check_fits(size_hw)
    return prompt


def stroke(*points_xy: tuple[float, float], width: float = 4, positive: bool = True) -> Stroke:
    return Stroke(points_xy=points_xy, width=width, positive=positive)


def test_points_keep_their_places_and_signs():
    prompt = prompt_of(Point(x=10.5, y=20, positive=True), Point(x=70, y=5, positive=False))

    assert prompt.points_xy == ((10.5, 20), (70, 5))
    assert prompt.positive == (True, False)
    assert prompt.scribbles is None
    assert prompt.box_xyxy is None


def test_marks_are_brought_to_the_size_that_is_asked_for():
    prompt = prompt_of(Point(x=10, y=20, positive=True), Box(xyxy=(4, 6, 40, 30)), size_hw=(30, 160))

    assert prompt.points_xy == ((20, 10),)
    assert prompt.box_xyxy == (8, 3, 80, 15)


def test_a_place_at_the_very_edge_stays_on_the_picture():
    for size_hw in ((60, 80), (7, 11), (1, 1)):
        prompt_of(Point(x=np.nextafter(80, 0), y=np.nextafter(60, 0), positive=True), size_hw=size_hw)


def test_nothing_to_ask_without_a_mark_on_the_object():
    assert to_prompt((), SIZE, SIZE) is None
    assert to_prompt((Point(x=1, y=1, positive=False),), SIZE, SIZE) is None
    assert to_prompt((stroke((1, 1), positive=False),), SIZE, SIZE) is None


def test_a_stroke_covers_its_line_as_wide_as_its_brush():
    scribbles = prompt_of(stroke((20, 30), (60, 30), width=6)).scribbles

    assert scribbles is not None
    assert scribbles.shape == SIZE
    assert scribbles.dtype == np.int8
    assert (scribbles[28:32, 20:60] == 1).all()
    assert not scribbles[:26].any()
    assert not scribbles[34:].any()


def test_a_stroke_of_one_place_is_a_dot():
    scribbles = prompt_of(stroke((40, 30), width=10)).scribbles

    assert scribbles is not None
    assert scribbles[29, 39] == 1
    assert 60 <= scribbles.sum() <= 110  # a disc of diameter 10 has 79 pixels


def test_a_stroke_narrower_than_a_pixel_leaves_a_trace():
    scribbles = prompt_of(stroke((40, 30), (41, 30), width=0.1), size_hw=(6, 8)).scribbles

    assert scribbles is not None
    assert scribbles.any()


def test_of_strokes_that_cross_the_later_one_counts():
    on, beside = stroke((20, 30), (60, 30)), stroke((40, 10), (40, 50), positive=False)

    for strokes, value in (((on, beside), -1), ((beside, on), 1)):
        scribbles = prompt_of(*strokes).scribbles
        assert scribbles is not None
        assert scribbles[30, 40] == value
        assert scribbles[30, 25] == 1
        assert scribbles[15, 40] == -1


def test_the_last_box_counts():
    assert prompt_of(Box(xyxy=(0, 0, 9, 9)), Box(xyxy=(1, 2, 3, 4))).box_xyxy == (1, 2, 3, 4)


@pytest.mark.parametrize(
    ("mark", "written"),
    [
        (Point(x=1.5, y=2, positive=False), {"kind": "point", "x": 1.5, "y": 2, "positive": False}),
        (
            stroke((1, 2), (3, 4)),
            {"kind": "stroke", "points": [[1, 2], [3, 4]], "width": 4, "positive": True},
        ),
        (Box(xyxy=(1, 2, 3, 4)), {"kind": "box", "xyxy": [1, 2, 3, 4]}),
    ],
)
def test_marks_are_written_as_the_page_sends_them(mark: Mark, written: dict):
    assert mark_as_json(mark) == written
