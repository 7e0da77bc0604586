import numpy as np
import pytest

from rmae.regions.listed_images import ListedImages


def listed(*names: str) -> ListedImages:
    """Images whose row i has i + 1 rows of 9 pixels."""
    rows = {name: i for i, name in enumerate(names)}
    return ListedImages(rows, np.array([(i + 1, 9) for i in range(len(names))], dtype=np.int32).reshape(-1, 2))


@pytest.mark.parametrize("name", ["1.jpg", "train/1.jpg", "coco/train/1.jpg"])
def test_found_by_the_path_or_what_it_ends_in(name: str):
    assert listed("0.jpg", "1.jpg").find(name, (2, 9), "a.json") == 1


def test_the_longest_part_wins():
    images = listed("1.jpg", "train/1.jpg")
    assert images.find("coco/train/1.jpg", (2, 9), "a.json") == 1
    assert images.find("coco/val/1.jpg", (1, 9), "a.json") == 0


@pytest.mark.parametrize("name", ["11.jpg", "train/11.jpg", "1.jpg/2.jpg", "1.png"])
def test_no_part_of_a_file_name_is_enough(name: str):
    with pytest.raises(
        ValueError, match=rf"^{name} is not listed in a\.json, nor is a trailing part of that path; give"
    ):
        listed("1.jpg").find(name, (1, 9), "a.json")


def test_another_size_is_refused():
    with pytest.raises(ValueError, match=r"1\.jpg has 9 x 1 pixels \(height x width\), but 1 x 9 in a\.json; give"):
        listed("1.jpg").find("1.jpg", (9, 1), "a.json")
