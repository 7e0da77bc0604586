import numpy as np
import pytest
from PIL import Image

from rmae.scenes.likenesses import Likenesses


def noise(seed: int) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 4), dtype=np.uint8)
    return Image.fromarray(coarse, "RGBa").resize((80, 60), Image.Resampling.BILINEAR)


def test_other_pictures_are_no_likenesses():
    likenesses = Likenesses()
    assert not any(likenesses.has_like(noise(seed)) for seed in range(30))


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image,
        lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        lambda image: image.resize((40, 30), Image.Resampling.BOX),
        lambda image: image.resize((160, 120), Image.Resampling.BICUBIC),
    ],
)
def test_mirrored_and_scaled_copies_are(change):
    likenesses = Likenesses()
    for seed in range(5):
        assert not likenesses.has_like(noise(seed))
    assert likenesses.has_like(change(noise(3)))
    assert not likenesses.has_like(noise(3).transpose(Image.Transpose.FLIP_TOP_BOTTOM))


def test_brightness_alone_tells_pictures_apart():
    likenesses = Likenesses()
    greys = [likenesses.has_like(Image.new("RGB", (50, 40), (value,) * 3)) for value in (100, 103, 105)]
    assert greys == [False, True, False]
