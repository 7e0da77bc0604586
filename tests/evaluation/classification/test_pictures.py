import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from rmae.data.layouts import list_images
from rmae.evaluation.classification.pictures import PictureReading, cut_middle, open_pictures, to_bytes


@pytest.fixture
def images(tmp_path):
    """Nine pictures, each of its own grey; the fourth is damaged."""
    for number in range(9):
        Image.fromarray(np.full((20, 30 + number, 3), 10 * number, np.uint8)).save(tmp_path / f"{number}.png")
    (tmp_path / "3.png").write_bytes(b"no picture")
    return list_images(tmp_path)


@pytest.mark.parametrize("shape", [(90, 120), (120, 90), (50, 50), (400, 37), (33, 333)])
@pytest.mark.parametrize("side", [28, 64])
def test_the_middle_is_that_of_torchvision(shape, side):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    theirs = v2.Compose(
        [v2.Resize(int(side * 256 / 224), interpolation=v2.InterpolationMode.BICUBIC), v2.CenterCrop(side)]
    )(torch.from_numpy(image).permute(2, 0, 1))
    np.testing.assert_array_equal(cut_middle(image, (side, side)), theirs.numpy())


@pytest.mark.parametrize("shape", [(40, 40), (90, 30), (30, 90), (7, 100)])
@pytest.mark.parametrize("size_hw", [(16, 48), (48, 16), (1, 1)])
def test_any_shape_gives_the_size_that_is_asked_for(shape, size_hw):
    image = np.full((*shape, 2), 77, np.uint16)
    middle = cut_middle(image, size_hw)
    assert middle.shape == (2, *size_hw)
    assert middle.dtype == np.uint16
    assert (middle == 77).all()


@pytest.mark.parametrize("num_workers", [0, 2])
def test_pictures_come_in_batches_and_damaged_ones_are_told(images, num_workers):
    reading = PictureReading(images, (16, 16), 10_000)
    seen, batch_sizes, unreadable = {}, [], []
    with open_pictures(reading, range(1, 9), batch_size=3, num_workers=num_workers) as batches:
        for indices, pixels, missing in batches:
            assert pixels.shape == (len(indices), 3, 16, 16)
            seen |= {int(index): int(picture[0, 0, 0]) for index, picture in zip(indices, pixels, strict=True)}
            batch_sizes.append(len(indices) + len(missing))
            unreadable += missing
    assert seen == {number: 10 * number for number in (1, 2, 4, 5, 6, 7, 8)}
    assert sorted(batch_sizes) == [2, 3, 3]
    assert [index for index, _ in unreadable] == [3]
    assert "image" in unreadable[0][1]


def test_a_batch_of_damaged_pictures_is_empty(images):
    with open_pictures(PictureReading(images, (8, 8), 10_000), [3], batch_size=4, num_workers=0) as batches:
        (batch,) = batches
    assert batch.pixels.shape == (0, 3, 8, 8)
    assert len(batch.indices) == 0


def test_sixteen_bits_become_eight():
    stored = np.array([0, 128, 129, 257 * 7, 65535], np.uint16)
    assert to_bytes(stored).tolist() == [0, 0, 1, 7, 255]
    assert to_bytes(stored).dtype == np.uint8
    few = np.array([3], np.uint8)
    assert to_bytes(few) is few
