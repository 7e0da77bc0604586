from collections.abc import Callable
from pathlib import Path

import pytest

from rmae.data.image_set import ImageSet
from rmae.data.photographs import HELD_OUT
from rmae.data.picture_choice import choose_pictures

MakePhotos = Callable[[int], ImageSet]


def names(*places: str | Path, per_folder: int = 3) -> list[str]:
    return [picture.name for picture in choose_pictures(places, per_folder=per_folder)]


def test_none_given_are_the_held_out_photographs():
    pictures = choose_pictures((), per_folder=1)
    assert tuple(picture.name for picture in pictures) == HELD_OUT
    for picture in pictures:
        assert picture.images.read(picture.name, channels=3, max_pixels=10**6).shape[2] == 3


@pytest.mark.parametrize(
    ("number", "expected"),
    [(1, "3"), (2, "14"), (3, "135"), (4, "0235"), (5, "01345"), (6, "012345"), (99, "012345")],
)
def test_those_of_a_folder_are_spread_evenly(photo_folder: MakePhotos, number: int, expected: str):
    folder = photo_folder(6).root
    assert names(folder, per_folder=number) == [f"0{digit}.png" for digit in expected]


def test_files_are_all_taken_in_the_order_given(photo_folder: MakePhotos):
    folder = photo_folder(6).root
    places = [folder / "04.png", str(folder / "01.png"), folder, folder / "none.png"]
    pictures = choose_pictures(places, per_folder=1)
    assert [picture.name for picture in pictures] == ["04.png", "01.png", "03.png", "none.png"]
    assert pictures[0].images.read("04.png", channels=3, max_pixels=10**6).shape == (24, 30, 3)


def test_a_folder_without_an_image_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match=f"^there is no image in {tmp_path}"):
        choose_pictures([tmp_path], per_folder=3)
