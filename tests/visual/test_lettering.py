import numpy as np
import pytest

from rmae.visual.lettering import letter

GROUND, INK = (255, 255, 255), (0, 0, 0)


def _letter(text: str, *, width: int = 200, size: int = 20, bold: bool = False) -> np.ndarray:
    return letter(text, width=width, size=size, colour=INK, ground=GROUND, bold=bold)


def _darkness(picture: np.ndarray) -> float:
    return float(255 - picture.mean(dtype=float))


@pytest.mark.parametrize(
    ("text", "num_lines"),
    [
        ("", 1),
        ("short", 1),
        ("two\nlines", 2),
        ("words and more words beside each other", 3),
        ("one_word_that_is_far_too_wide_for_a_line", 3),
    ],
)
def test_text_is_broken_into_lines(text: str, num_lines: int) -> None:
    assert _letter(text).shape == (26 * num_lines, 200, 3)


def test_all_words_are_drawn_in_their_line() -> None:
    np.testing.assert_array_equal(
        _letter("beginning and continuation"), np.vstack([_letter("beginning and"), _letter("continuation")])
    )
    np.testing.assert_array_equal(_letter("a\nb"), np.vstack([_letter("a"), _letter("b")]))


def test_no_letter_is_cut_off() -> None:
    word = "M" * 30
    narrow, wide = _letter(word, width=100), _letter(word, width=1000)
    assert narrow.shape[0] > wide.shape[0]
    assert narrow.size * _darkness(narrow) == pytest.approx(wide.size * _darkness(wide), rel=0.02)


def test_a_line_narrower_than_a_letter_still_ends() -> None:
    assert _letter("WWW", width=3).shape == (3 * 26, 3, 3)


def test_colours_and_boldness() -> None:
    picture = letter("lll", width=60, size=40, colour=(255, 0, 0), ground=(0, 0, 255))
    assert (picture == (255, 0, 0)).all(axis=-1).any()
    assert (picture[0, 0] == (0, 0, 255)).all()
    assert _darkness(_letter("lll", bold=True)) > 1.2 * _darkness(_letter("lll"))


@pytest.mark.parametrize("odd", ["\x07", "\t", "\r", "\udcff"])
def test_what_is_no_letter_is_shown_as_such(odd: str) -> None:
    np.testing.assert_array_equal(_letter(f"a{odd}b"), _letter("a\N{REPLACEMENT CHARACTER}b"))


def test_letters_that_the_typeface_lacks_do_no_harm() -> None:
    assert _darkness(_letter("\N{CJK UNIFIED IDEOGRAPH-732B}.jpg")) > _darkness(_letter(".jpg"))
