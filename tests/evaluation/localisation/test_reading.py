from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from PIL import Image

from rmae.config.localisation import LocaliseConfig
from rmae.evaluation.localisation.data import open_data
from rmae.evaluation.localisation.queries import TOO_SMALL
from rmae.evaluation.localisation.reading import EMPTY, QuerySettings, open_queries, read_queries, squeeze

SETTINGS = QuerySettings((32, 32), patch_size=8, min_patch_share=0.5, max_pixels=10_000)


@pytest.fixture
def root(write_coco: Callable[..., Path], rectangle: Callable[..., dict]) -> Path:
    """Of four pictures one has two objects, one none that counts, one a small one, and one an object and a crowd."""
    empty = rectangle(3, 0, 0, 20, 20) | {"segmentation": {"size": [32, 32], "counts": [1024]}}
    return write_coco(
        train={1: (32, 32), 2: (64, 48), 3: (32, 32), 4: (32, 64)},
        annotations=[
            rectangle(2, 6, 8, 42, 40), rectangle(1, 8, 8, 24, 16, category=2), rectangle(1, 0, 0, 32, 8),
            rectangle(3, 1, 1, 3, 3), empty, rectangle(4, 0, 0, 16, 32), rectangle(4, 0, 0, 40, 32, iscrowd=1),
        ],
    )  # fmt: skip


def test_objects_come_with_their_picture_and_their_query(root: Path):
    part = open_data(LocaliseConfig(), root).part
    batch = read_queries(part, SETTINGS, [0, 1, 2, 3])
    assert batch.rows.tolist() == [0, 0, 1, 3]
    assert batch.places.tolist() == [0, 0, 1, 2]
    assert batch.numbers.tolist() == [0, 1, 2, 5]
    assert batch.patches.tolist() == [5, 1, 5, 4]
    assert batch.left_out == {TOO_SMALL: 1, EMPTY: 1}
    assert batch.inside[0].reshape(4, 4).tolist() == [[0] * 4, [0, 0, 64, 0], [0] * 4, [0] * 4]
    assert batch.inside[3].reshape(4, 4).sum(axis=0).tolist() == [192, 0, 0, 0]  # squeezed to half of its width
    whole = np.full((4, 16), 64)
    whole[np.arange(4), batch.patches] = 0
    assert (batch.inside + batch.outside).tolist() == whole.tolist()
    assert batch.pixels.shape == (3, 3, 32, 32)
    first = np.asarray(Image.open(root / "val2017" / "1.png"))
    assert np.array_equal(batch.pixels[0], first.transpose(2, 0, 1))
    second = np.asarray(Image.open(root / "val2017" / "2.png"))
    assert np.array_equal(batch.pixels[1], squeeze(second, (32, 32)))


def test_workers_read_the_same(root: Path):
    part = open_data(LocaliseConfig(), root).part
    chunks = [np.array([0, 1]), np.array([2]), np.array([3])]
    for num_workers in (0, 2):
        with open_queries(part, SETTINGS, chunks, num_workers=num_workers) as batches:
            found = sorted(batches, key=lambda batch: batch.left_out.total() * 100 + batch.numbers.sum())
        assert [batch.numbers.tolist() for batch in found] == [[0, 1, 2], [5], []]
        assert [len(batch.pixels) for batch in found] == [2, 1, 0]
        assert [batch.inside.shape for batch in found] == [(3, 16), (1, 16), (0, 16)]


def test_pictures_of_16_bits_are_read_as_bytes(root: Path):
    import tifffile

    path = root / "val2017" / "1.png"
    pixels = np.asarray(Image.open(path))
    tifffile.imwrite(path, pixels.astype(np.uint16) * 257, photometric="rgb")
    part = open_data(LocaliseConfig(), root).part
    assert np.array_equal(read_queries(part, SETTINGS, [0]).pixels[0], pixels.transpose(2, 0, 1))


def test_what_cannot_be_read_ends_with_a_sentence(root: Path):
    part = open_data(LocaliseConfig(), root).part
    (root / "val2017" / "1.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"^1\.png cannot be evaluated: .*; mend it and go on with --resume$"):
        read_queries(part, SETTINGS, [0])
    Image.new("RGB", (48, 60)).save(root / "val2017" / "2.png")
    sentence = r"2\.png cannot be evaluated: it has 60 x 48 pixels \(height x width\), but 64 x 48 in .*; mend it"
    with (
        pytest.raises(ValueError, match=sentence),
        open_queries(part, SETTINGS, [np.array([1])], num_workers=1) as batches,
    ):
        list(batches)


@pytest.mark.parametrize("layout", ["coco", "lvis"])
def test_data_that_are_not_there_are_named(tmp_path: Path, root: Path, layout: Literal["coco", "lvis"]):
    config = LocaliseConfig(layout=layout)
    with pytest.raises(ValueError, match=r"the data folder .*nowhere does not exist"):
        open_data(config, tmp_path / "nowhere")
    if layout == "lvis":
        with pytest.raises(ValueError, match=r"there is no .*lvis_v1_val\.json, which the layout lvis needs"):
            open_data(config, root)
    else:
        (root / "val2017" / "3.png").unlink()
        with pytest.raises(ValueError, match=r"1 of the 4 pictures that .* lists are missing in .*first is 3\.png"):
            open_data(config, root)


def test_data_without_an_object_are_refused(write_coco: Callable[..., Path], rectangle: Callable[..., dict]):
    root = write_coco(train={1: (32, 32)}, annotations=[rectangle(1, 0, 0, 20, 20, iscrowd=1)])
    with pytest.raises(ValueError, match=r"there is no object to look at in .*instances_val2017"):
        open_data(LocaliseConfig(), root)


def test_other_pictures_or_objects_have_another_fingerprint(
    write_coco: Callable[..., Path], rectangle: Callable[..., dict]
):
    def fingerprint(name: str, picture: int, *objects: dict) -> str:
        root = write_coco(train={picture: (32, 32)}, annotations=list(objects), name=name)
        return open_data(LocaliseConfig(), root).fingerprint()

    one, two = rectangle(1, 0, 0, 20, 20), rectangle(1, 0, 0, 20, 20, category=2)
    assert fingerprint("a", 1, one) == fingerprint("b", 1, one)
    assert fingerprint("a2", 1, one).startswith("1 pictures, 1 objects, sha256 ")
    others = {fingerprint("c", 1, two), fingerprint("d", 1, one, two), fingerprint("e", 2, rectangle(2, 0, 0, 9, 9))}
    assert len(others | {fingerprint("f", 1, one)}) == 4
