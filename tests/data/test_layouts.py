import os
from pathlib import Path

import pytest

from rmae.config import DataConfig
from rmae.data.image_set import ImageSet
from rmae.data.layouts import list_images, split_images


def touch(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def test_images_are_found_in_order_whatever_their_suffix(tmp_path: Path):
    touch(tmp_path, "b.JPG", "a/z.webp", "a/y/x.Tiff", "c.jpeg", "d.bmp", "e.tif", "f.png", "notes.txt", "g.gif")
    images = list_images(tmp_path)
    assert images == ImageSet(tmp_path, ("a/y/x.Tiff", "a/z.webp", "b.JPG", "c.jpeg", "d.bmp", "e.tif", "f.png"))


def test_hidden_files_and_folders_are_left_out(tmp_path: Path):
    touch(tmp_path, "a.png", ".b.png", ".cache/c.png", "d/.e/f.png")
    assert list_images(tmp_path).names == ("a.png",)


def test_links_are_followed_but_not_in_circles(tmp_path: Path):
    data = touch(tmp_path / "data", "a/1.png", "b/2.png")
    touch(tmp_path / "elsewhere", "3.png")
    os.symlink(tmp_path / "elsewhere", data / "c")
    os.symlink(data, data / "a" / "up")
    os.symlink(tmp_path / "nowhere.png", data / "broken.png")
    assert list_images(data).names == ("a/1.png", "b/2.png", "c/3.png")


@pytest.mark.parametrize("folder", ["train2017", "train"])
def test_known_layouts_train_on_their_training_folder(tmp_path: Path, folder: str):
    touch(tmp_path, f"{folder}/n01/a.png", "val/b.png", "other/c.png")
    assert list_images(tmp_path).names == (f"{folder}/n01/a.png",)
    assert list_images(tmp_path, ("other",)).names == ("other/c.png",)


def test_subsets_are_joined_without_repetition(tmp_path: Path):
    touch(tmp_path, "train2017/a.png", "unlabeled2017/b.png", "train2017/c/d.png", "e.png")
    subsets = ("unlabeled2017", "train2017", "train2017/c", "train2017/")
    assert list_images(tmp_path, subsets).names == ("train2017/a.png", "train2017/c/d.png", "unlabeled2017/b.png")


def test_what_is_missing_is_named(tmp_path: Path):
    with pytest.raises(ValueError, match=r"the data folder .*nowhere does not exist"):
        list_images(tmp_path / "nowhere")
    touch(tmp_path, "file.txt")
    with pytest.raises(ValueError, match=r"file\.txt is not a folder"):
        list_images(tmp_path / "file.txt")
    with pytest.raises(ValueError, match=r"there is no image in .*; images are files ending in \.jpg \.jpeg \.png"):
        list_images(tmp_path)
    with pytest.raises(ValueError, match="has no sub-folder 'x'; it has no sub-folders"):
        list_images(tmp_path, ("x",))
    touch(tmp_path, "b/1.txt", "a/1.txt", ".c/1.txt")
    with pytest.raises(ValueError, match=r"has no sub-folder 'x'; it has a, b$"):
        list_images(tmp_path, ("a", "x"))
    with pytest.raises(ValueError, match=r"there is no image in .*/a or .*/b;"):
        list_images(tmp_path, ("a", "b"))


def test_many_sub_folders_are_not_all_listed(tmp_path: Path):
    touch(tmp_path, *(f"{i:02d}/a.png" for i in range(23)))
    with pytest.raises(ValueError, match=r"18, 19 and 3 more$"):
        list_images(tmp_path, ("x",))


@pytest.mark.parametrize(("train", "val"), [("train2017", "val2017"), ("train", "val")])
def test_held_out_pictures_come_from_the_validation_folder(tmp_path: Path, train: str, val: str):
    touch(tmp_path, *(f"{train}/{i}.png" for i in range(9)), *(f"{val}/{i}.png" for i in range(9)))
    training, held_out = split_images(tmp_path, DataConfig(held_out=3), seed=0)
    assert training.names == tuple(f"{train}/{i}.png" for i in range(9))
    assert len(held_out.names) == 3
    assert all(name.startswith(f"{val}/") for name in held_out.names)
    chosen = {split_images(tmp_path, DataConfig(held_out=3), seed=seed)[1].names for seed in range(9)}
    assert len(chosen) > 3  # the seed matters


@pytest.mark.parametrize(
    ("num_images", "asked", "held_out"), [(100, 8, 8), (50, 8, 5), (12, 8, 1), (2, 8, 1), (1, 8, 0), (100, 0, 0)]
)
def test_otherwise_a_tenth_at_most_is_kept_out_of_training(tmp_path: Path, num_images: int, asked: int, held_out: int):
    touch(tmp_path, *(f"{i:03d}.png" for i in range(num_images)))
    training, pictures = split_images(tmp_path, DataConfig(held_out=asked), seed=1)
    assert len(pictures.names) == held_out
    assert not set(training.names) & set(pictures.names)
    assert sorted(training.names + pictures.names) == list(list_images(tmp_path).names)
    assert split_images(tmp_path, DataConfig(held_out=asked), seed=1) == (training, pictures)


def test_a_validation_folder_that_is_trained_on_or_empty_is_not_held_out(tmp_path: Path):
    touch(tmp_path, *(f"val/{i}.png" for i in range(9)), *(f"other/{i}.png" for i in range(9)), "val2017/none.txt")
    for data in (DataConfig(held_out=1), DataConfig(held_out=1, subsets=("other", "val"))):
        training, held_out = split_images(tmp_path, data, seed=0)
        assert (len(training.names), len(held_out.names)) == (17, 1)
        assert not set(training.names) & set(held_out.names)


def test_without_data_the_bundled_photographs_are_used():
    training, held_out = split_images(None, DataConfig(held_out=2), seed=0)
    assert held_out.names == ("chelsea.png", "coffee.png")
    assert "astronaut.png" in training.names
    with pytest.raises(ValueError, match="no data folder is given"):
        split_images(None, DataConfig(subsets=("a",)), seed=0)
