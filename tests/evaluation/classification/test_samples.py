import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from rmae.data.images import UnreadableImage
from rmae.data.layouts import list_images
from rmae.data.skips import Skipped
from rmae.data.training_samples import Made
from rmae.evaluation.classification.data import LabelledImages
from rmae.evaluation.classification.samples import LabelledPicture, RandAugment, RandomCrops, RandomErasing, collate

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.2, 0.1)


@pytest.fixture
def labelled(tmp_path):
    """Four pictures: a ramp to the right, a ramp down, one of 16-bit grey, one that is none."""
    ramp = np.linspace(0, 255, 64).astype(np.uint8)
    across = np.broadcast_to(ramp[None, :, None], (48, 64, 3))
    Image.fromarray(np.ascontiguousarray(across)).save(tmp_path / "0.png")
    Image.fromarray(np.ascontiguousarray(across.transpose(1, 0, 2))).save(tmp_path / "1.png")
    Image.fromarray(np.full((40, 40), 257 * 9, np.uint16)).save(tmp_path / "2.png")
    (tmp_path / "3.png").write_bytes(b"no picture")
    return LabelledImages(list_images(tmp_path), np.array([5, 1, 0, 2]))


def crops(labelled, **settings):
    defaults = {"crop_scale": (0.3, 1.0), "crop_ratio": (3 / 4, 4 / 3), "flip": 0.5, "max_pixels": 10_000}
    return RandomCrops(labelled, image_hw=(24, 32), **(defaults | settings))


def drawn(make, index, number=40):
    return [make(index, np.random.default_rng(seed)) for seed in range(number)]


def test_a_sample_has_its_size_and_its_class(labelled):
    for index, label in ((0, 5), (1, 1), (2, 0)):
        sample = crops(labelled)(index, np.random.default_rng(0))
        assert sample.pixels.shape == (3, 24, 32)
        assert sample.pixels.dtype == np.uint8
        assert sample.label == label
    assert (sample.pixels == 9).all()


def test_a_sample_is_a_function_of_its_generator(labelled):
    make = crops(
        labelled,
        changes=(
            RandAugment(magnitude=9, std=0.5, image_hw=(24, 32), mean=MEAN),
            RandomErasing(0.5, mean=MEAN, std=STD),
        ),
    )
    first, again = drawn(make, 0), drawn(make, 0)
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.pixels, two.pixels)
    assert len({sample.pixels.tobytes() for sample in first}) == len(first)


def test_crops_stay_as_large_as_they_should_and_half_are_mirrored(labelled):
    rises = [sample.pixels[0, 0].astype(int) for sample in drawn(crops(labelled), 0, 200)]
    widths = [abs(row[-1] - row[0]) / 255 for row in rises]  # share of the picture's width
    assert 0.35 < min(widths) < 0.6
    assert max(widths) > 0.9
    assert 60 < sum(row[-1] < row[0] for row in rises) < 140


@pytest.mark.parametrize(("flip", "mirrored"), [(0.0, 0), (1.0, 40)])
def test_flip_is_a_probability(labelled, flip, mirrored):
    samples = drawn(crops(labelled, flip=flip), 0)
    assert sum(int(sample.pixels[0, 0, 0]) > int(sample.pixels[0, 0, -1]) for sample in samples) == mirrored


def test_the_whole_picture_is_resized_as_torchvision_does(labelled):
    make = crops(labelled, crop_scale=(1.0, 1.0), crop_ratio=(4 / 3, 4 / 3), flip=0.0)
    image = v2.functional.pil_to_tensor(Image.open(labelled.images.root / "0.png"))
    theirs = v2.functional.resize(image, [24, 32], interpolation=v2.InterpolationMode.BICUBIC)
    np.testing.assert_array_equal(make(0, np.random.default_rng(0)).pixels, theirs.numpy())


def test_an_unreadable_picture_is_told(labelled):
    with pytest.raises(UnreadableImage, match="image"):
        crops(labelled)(3, np.random.default_rng(0))


def test_changes_follow_each_other(labelled):
    def plus_one(pixels, generator):
        return pixels + np.uint8(1)

    def half(pixels, generator):
        return pixels // np.uint8(2)

    sample = crops(labelled, changes=(plus_one, half))(2, np.random.default_rng(0))
    assert (sample.pixels == 5).all()


def test_randaugment_leaves_global_generators_alone():
    change = RandAugment(magnitude=9, std=0.5, image_hw=(32, 32), mean=MEAN)
    np.random.seed(4)  # noqa: NPY002
    expected = np.random.random()  # noqa: NPY002
    np.random.seed(4)  # noqa: NPY002
    change(np.zeros((3, 32, 32), np.uint8), np.random.default_rng(0))
    assert np.random.random() == expected  # noqa: NPY002


def test_a_stronger_randaugment_changes_more():
    pixels = np.random.default_rng(0).integers(0, 256, (3, 48, 48), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(pixels[0, :6, :6]).resize((48, 48), Image.Resampling.BICUBIC))
    picture = np.stack([smooth] * 3)

    def change(magnitude):
        augment = RandAugment(magnitude=magnitude, std=0.0, image_hw=(48, 48), mean=MEAN)
        changed = [augment(picture, np.random.default_rng(seed)) for seed in range(150)]
        assert all(each.shape == (3, 48, 48) for each in changed)
        return np.mean([np.abs(each.astype(float) - picture).mean() for each in changed])

    assert change(9) > 1.15 * change(1)


def test_what_is_moved_away_is_filled_with_the_mean():
    augment = RandAugment(magnitude=10, std=0.0, image_hw=(32, 32), mean=MEAN)
    white = np.full((3, 32, 32), 255, np.uint8)
    filled = np.round(255 * np.array(MEAN)).astype(np.uint8)
    corners = [augment(white, np.random.default_rng(seed))[:, ::31, ::31] for seed in range(100)]
    found = [(corner == filled[:, None, None]).all(axis=0).any() for corner in corners]
    assert sum(found) > 20


@pytest.mark.parametrize(("probability", "erased"), [(0.0, 0), (1.0, 60)])
def test_erasing_is_a_probability(probability, erased):
    black = np.zeros((3, 40, 40), np.uint8)
    change = RandomErasing(probability, mean=MEAN, std=STD)
    assert sum(change(black, np.random.default_rng(seed)).any() for seed in range(60)) == erased


def test_a_rectangle_of_noise_is_erased():
    black = np.zeros((3, 60, 50), np.uint8)
    change = RandomErasing(1.0, mean=(0.5, 0.5, 0.5), std=(0.1, 0.1, 0.1))
    shares, noise = [], []
    for seed in range(100):
        erased = change(black, np.random.default_rng(seed))
        rows, columns = np.nonzero(erased.any(axis=0))
        inside = erased[:, rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        assert (inside > 0).mean() > 0.99  # all of the rectangle, nothing else: half a scale is five deviations above 0
        shares.append(inside[0].size / black[0].size)
        noise.append(inside.reshape(3, -1) / 255)
    assert not black.any()
    assert 0.015 < min(shares) < 0.06
    assert 0.27 < max(shares) < 0.35
    values = np.concatenate(noise, axis=1)
    np.testing.assert_allclose(values.mean(axis=1), 0.5, atol=0.01)
    np.testing.assert_allclose(values.std(axis=1), 0.1, atol=0.01)


def test_a_picture_too_small_for_a_rectangle_stays():
    tiny = np.full((3, 1, 1), 7, np.uint8)
    np.testing.assert_array_equal(RandomErasing(1.0, mean=MEAN, std=STD)(tiny, np.random.default_rng(0)), tiny)


def test_collate_stacks_and_lists_what_was_skipped():
    made = [
        Made(LabelledPicture(np.full((3, 2, 2), number, np.uint8), number), (Skipped(f"{number}.png", "torn"),))
        for number in range(3)
    ]
    batch = collate(made)
    assert batch.pixels.shape == (3, 3, 2, 2)
    assert batch.pixels[:, 0, 0, 0].tolist() == batch.labels.tolist() == [0, 1, 2]
    assert batch.labels.dtype == torch.int64
    assert [skipped.name for skipped in batch.skipped] == ["0.png", "1.png", "2.png"]
    assert [tensor.device.type for tensor in batch.to(torch.device("meta")).tensors()] == ["meta", "meta"]
