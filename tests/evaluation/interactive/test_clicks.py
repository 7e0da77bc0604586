import numpy as np
import pytest

from rmae.evaluation.interactive.clicks import Click, next_click, overlap, simulate, steps
from rmae.evaluation.interactive.method import Answer


def mask_of(*rows: str) -> np.ndarray:
    return np.array([[character == "#" for character in row] for row in rows])


def nothing_like(mask: np.ndarray) -> np.ndarray:
    return np.zeros_like(mask)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (mask_of(".....", ".###.", ".###.", ".###.", "....."), (2, 2)),
        (mask_of("......", "#####.", "#####.", "#####.", "......"), (2, 1)),  # three are equally deep: the left one
        (mask_of("####", "####", "####"), (1, 1)),  # the picture's border is one
        (mask_of("#"), (0, 0)),
        (mask_of("##.####", "##.####", "...####"), (1, 4)),  # the larger piece
        (mask_of("##..##", "##..##"), (0, 0)),  # the first of equal pieces
        (mask_of(".#.", "#..", "##."), (1, 0)),  # pieces that touch at a corner are apart
        (mask_of("#######", "#######", "#######", "...#...", "...#..."), (1, 1)),
    ],
)
def test_a_click_is_in_the_middle_of_the_largest_error(error: np.ndarray, expected: tuple[int, int]):
    row, column = expected
    assert next_click(error, nothing_like(error)) == Click(column + 0.5, row + 0.5, True)
    assert next_click(nothing_like(error), error) == Click(column + 0.5, row + 0.5, False)


def test_what_was_missed_and_what_was_taken_too_much_are_errors_apart():
    true = mask_of("####....", "####....", "####....")
    assert next_click(true, mask_of("..######", "..######", "..######")) == Click(5.5, 1.5, False)
    assert next_click(true, mask_of("..####..", "..####..", "..####..")) == Click(0.5, 0.5, True)  # equal: missed first
    assert next_click(true, true) is None


def test_a_click_has_the_pixel_that_it_lies_in():
    assert Click(3.5, 0.5, True).pixel == (0, 3)


def test_no_pixel_is_clicked_on_twice():
    true, clicked = mask_of("###", "..."), mask_of("...", "...")
    found = []
    while (click := next_click(true, nothing_like(true), clicked=clicked)) is not None:
        found.append(click.pixel)
        clicked[click.pixel] = True
    assert found == [(0, 0), (0, 1), (0, 2)]
    two = mask_of("####.", "####.", "....#")
    all_of_the_larger = mask_of("####.", "####.", ".....")
    assert next_click(two, nothing_like(two), clicked=all_of_the_larger) == Click(4.5, 2.5, True)


def pieces_by_hand(error: np.ndarray) -> list[set[tuple[int, int]]]:
    left, pieces = {(int(r), int(c)) for r, c in zip(*np.nonzero(error), strict=True)}, []
    while left:
        piece, edge = set(), [min(left)]
        while edge:
            row, column = edge.pop()
            if (row, column) in left:
                left.remove((row, column))
                piece.add((row, column))
                edge += [(row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)]
        pieces.append(piece)
    return pieces


@pytest.mark.parametrize("seed", range(20))
def test_clicks_are_those_of_a_search_by_hand(seed: int):
    generator = np.random.default_rng(seed)
    true, predicted = generator.random((2, 9, 12)) < generator.uniform(0.3, 0.8)
    choices = [(piece, True) for piece in pieces_by_hand(true & ~predicted)]
    choices += [(piece, False) for piece in pieces_by_hand(predicted & ~true)]
    piece, positive = max(choices, key=lambda choice: len(choice[0]))
    outside = [(r, c) for r in range(-1, 10) for c in range(-1, 13) if (r, c) not in piece]

    def depth(pixel: tuple[int, int]) -> int:
        return min((pixel[0] - r) ** 2 + (pixel[1] - c) ** 2 for r, c in outside)

    row, column = max(sorted(piece), key=depth)
    assert next_click(true, predicted) == Click(column + 0.5, row + 0.5, positive)


class Scripted:
    """Gives one answer after the other, by the number of clicks."""

    def __init__(self, *answers: np.ndarray) -> None:
        self._answers = answers

    def set_image(self, image: np.ndarray, name: str) -> None:
        pass

    def segment(self, clicks) -> Answer:
        return Answer(self._answers[min(len(clicks), len(self._answers)) - 1], len(clicks) / 10)


TRUE = mask_of("####", "####")
HALF, MOST = mask_of("##..", "##.."), mask_of("###.", "####")


def test_iou_and_confidence_are_kept_after_each_click():
    found = simulate(Scripted(HALF, MOST, nothing_like(TRUE), HALF), TRUE, 5)
    np.testing.assert_allclose(found.iou, [0.5, 7 / 8, 0, 0.5, 0.5])
    np.testing.assert_allclose(found.confidence, [0.1, 0.2, 0.3, 0.4, 0.5])
    assert found.num_clicks == 5
    assert found.seconds > 0


def test_nobody_clicks_on_what_is_right():
    found = simulate(Scripted(HALF, TRUE, HALF), TRUE, 4)
    np.testing.assert_allclose(found.iou, [0.5, 1, 1, 1])
    np.testing.assert_allclose(found.confidence, [0.1, 0.2, 0.2, 0.2])
    assert found.num_clicks == 2


def test_each_click_is_on_the_error_that_the_one_before_left():
    made = list(steps(Scripted(HALF, mask_of("####", "..##")), TRUE, 3))
    assert [click.pixel for click in made[0].clicks] == [(0, 0)]
    assert [click.pixel for click in made[1].clicks] == [(0, 0), (0, 2)]
    assert [click.pixel for click in made[2].clicks] == [(0, 0), (0, 2), (1, 0)]
    assert all(click.positive for click in made[2].clicks)


def test_a_method_that_does_not_listen_is_clicked_on_elsewhere():
    made = list(steps(Scripted(HALF), TRUE, 20))
    assert [click.pixel for click in made[-1].clicks] == [(0, 0), (0, 2), (0, 3), (1, 2), (1, 3)]


def test_overlap_is_intersection_over_union():
    assert overlap(HALF, MOST) == 4 / 7
    assert overlap(TRUE, nothing_like(TRUE)) == 0
    assert np.isnan(overlap(nothing_like(TRUE), nothing_like(TRUE)))


def test_an_oracle_needs_one_click(oracle):
    for name, masks in oracle.masks.items():
        oracle.set_image(np.zeros((64, 64, 3), np.uint8), name)
        for mask in masks:
            before = oracle.num_asked
            found = simulate(oracle, mask, 20)
            assert (found.iou == 1).all()
            assert found.num_clicks == oracle.num_asked - before == 1


def test_a_random_method_is_as_good_as_chance(guesser):
    """Half of all pixels overlap with a share a of them in a / 2, and together they are (1 + a) / 2."""
    guesser.set_image(np.zeros((200, 200, 3), np.uint8), "any")
    mask = np.zeros((200, 200), bool)
    mask[40:140, 30:130] = True
    np.testing.assert_allclose(simulate(guesser, mask, 20).iou, 0.25 / 1.25, atol=0.01)
