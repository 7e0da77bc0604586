from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rmae.data.layouts import list_images
from rmae.data.statistics import measure_statistics


def test_known_answer(tmp_path: Path):
    Image.new("RGB", (4, 4), (0, 255, 51)).save(tmp_path / "a.png")
    Image.new("RGB", (2, 1), (255, 255, 153)).save(tmp_path / "b.png")  # smaller, but weighs the same
    mean, std = measure_statistics(list_images(tmp_path), channels=3, max_pixels=100, seed=0)
    assert mean == pytest.approx((0.5, 1.0, 0.4))
    assert std == pytest.approx((0.5, 0.001, 0.2))


def test_16_bit_images_count_in_full_scale(tmp_path: Path):
    Image.fromarray(np.array([[0, 65535]], np.uint16)).save(tmp_path / "a.png")
    mean, std = measure_statistics(list_images(tmp_path), channels=1, max_pixels=100, seed=0)
    assert (mean, std) == (pytest.approx((0.5,)), pytest.approx((0.5,)))


def test_a_sample_of_the_images_depends_on_the_seed(tmp_path: Path):
    for i in range(20):
        Image.new("L", (1, 1), i).save(tmp_path / f"{i}.png")
    images = list_images(tmp_path)

    def grey(seed: int) -> float:
        mean, _ = measure_statistics(images, channels=1, max_pixels=9, seed=seed, num_images=1)
        return round(mean[0] * 255, 6)

    greys = [grey(seed) for seed in range(12)]
    assert set(greys) <= set(range(20))
    assert len(set(greys)) > 3
    assert greys[0] == grey(0)


def test_unreadable_images_are_left_out(tmp_path: Path):
    Image.new("L", (2, 2), 255).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_text("no image")
    assert measure_statistics(list_images(tmp_path), channels=1, max_pixels=9, seed=0) == ((1.0,), (0.001,))
    (tmp_path / "a.png").write_text("no image")
    with pytest.raises(
        ValueError, match=r"no image of .* can be read to measure its pixels; the last was [ab]\.png: it"
    ):
        measure_statistics(list_images(tmp_path), channels=1, max_pixels=9, seed=0)
