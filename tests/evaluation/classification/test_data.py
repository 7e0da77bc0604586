import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rmae.evaluation.classification.data import list_classes

PICTURES = {
    "train/cat/1.png": 0, "train/cat/2.png": 0, "train/dog/deep/down/3.PNG": 1, "train/emu/4.jpg": 2,
    "val/cat/5.png": 0, "val/emu/6.png": 2, "val/emu/7.png": 2,
}  # fmt: skip


def draw(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(len(name)).integers(0, 256, (9, 12, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    draw(tmp_path, *PICTURES)
    (tmp_path / "val" / "dog").mkdir()
    (tmp_path / "train" / "cat" / "list.txt").write_text("no picture")
    (tmp_path / "train" / ".cache").mkdir()
    return tmp_path


def refused(root: Path, sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(sentence.format(root=root))}$"):
        list_classes(root)


def test_the_class_is_the_first_folder(root):
    data = list_classes(root)
    assert data.classes == ("cat", "dog", "emu")
    for part in (data.train, data.val):
        assert part.labels.dtype == np.int64
        assert dict(zip(part.images.names, part.labels, strict=True)).items() <= PICTURES.items()
    assert (len(data.train.labels), len(data.val.labels)) == (4, 3)


def test_links_to_class_folders_are_followed(root, tmp_path):
    shutil.move(root / "train" / "cat", tmp_path / "elsewhere")
    (root / "train" / "cat").symlink_to(tmp_path / "elsewhere")
    assert list_classes(root).classes == ("cat", "dog", "emu")


def test_packed_shards_are_read_too(root, tmp_path_factory):
    import rmae

    packed = tmp_path_factory.mktemp("packed") / "shards"
    rmae.pack(root, packed, regions=None, num_workers=0)
    of_files, of_shards = list_classes(root), list_classes(packed)
    assert of_shards.classes == of_files.classes
    assert of_shards.train.images.names == of_files.train.images.names
    np.testing.assert_array_equal(of_shards.val.labels, of_files.val.labels)


def test_fingerprint_tells_other_pictures_and_other_classes(root):
    fingerprint = list_classes(root).fingerprint()
    draw(root, "val/cat/more.png")
    assert list_classes(root).fingerprint() == fingerprint  # of what is trained on
    (root / "train" / "cat" / "2.png").rename(root / "train" / "dog" / "2.png")
    moved = list_classes(root).fingerprint()
    draw(root, "train/cat/2.png")
    assert len({fingerprint, moved, list_classes(root).fingerprint()}) == 3


def test_a_root_that_is_no_folder_is_refused(tmp_path):
    refused(tmp_path / "no", "{root} is not a folder; give the folder that holds train/CLASS and val/CLASS")


@pytest.mark.parametrize("part", ["train", "val"])
def test_a_missing_part_is_refused(root, part):
    shutil.rmtree(root / part)
    refused(
        root,
        f"{{root}} has no folder {part}; pictures are expected in ImageNet's layout, in train/CLASS and val/CLASS",
    )


def test_a_part_without_a_picture_is_refused(root):
    shutil.rmtree(root / "val")
    (root / "val" / "cat").mkdir(parents=True)
    with pytest.raises(ValueError, match=rf"^there is no image in {root}/val; images are files ending in"):
        list_classes(root)


def test_one_class_is_refused(root):
    shutil.rmtree(root / "train" / "dog")
    shutil.rmtree(root / "train" / "emu")
    refused(root, "{root}/train has one class, cat; at least two are needed to tell them apart")


def test_classes_of_val_alone_are_refused(root):
    shutil.rmtree(root / "train" / "cat")
    draw(root, "train/fox/1.png")
    tail = "which {root}/train lacks; bring the training pictures, or take the folder out of val"
    refused(root, "{root}/val has the class cat " + tail)
    shutil.rmtree(root / "train" / "emu")
    refused(root, "{root}/val has 2 classes, cat the first, " + tail)


def test_a_training_class_without_a_picture_is_refused(root):
    (root / "train" / "cow").mkdir()
    refused(root, "{root}/train has no picture of the class cow; put some into that folder, or remove it")


@pytest.mark.parametrize("part", ["train", "val"])
def test_pictures_outside_class_folders_are_refused(root, part):
    draw(root, f"{part}/1.png")
    tail = f"outside the folder of a class; put each into {part}/CLASS, as in {part}/dog/1.jpg"
    refused(root, f"{{root}}/{part} holds the picture {part}/1.png {tail}")
    draw(root, f"{part}/2.png")
    refused(root, f"{{root}}/{part} holds 2 pictures, {part}/1.png the first, {tail}")


def test_parquet_files_are_refused(tmp_path):
    (tmp_path / "train-0.parquet").write_bytes(b"")
    refused(
        tmp_path, "{root} holds Parquet files; classes are read from folders of pictures, train/CLASS and val/CLASS"
    )
