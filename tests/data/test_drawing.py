from collections import Counter

import numpy as np
import pytest

from rmae.data.crops import Crop, random_crop, sample_positions
from rmae.data.drawing import draw_regions
from rmae.regions.label_runs import LabelRuns

# Two maps that overlap: 0 and 1 are the halves, 5 the middle.
HALVES = np.array([[0, 0, 1, 1]] * 2, dtype=np.int32)
MIDDLE = np.array([[-1, 5, 5, -1]] * 2, dtype=np.int32)
MAPS = np.stack([HALVES, MIDDLE])
ALL = {(HALVES == 0).tobytes(): "left", (HALVES == 1).tobytes(): "right", (MIDDLE == 5).tobytes(): "middle"}
ALL[np.zeros((2, 4), bool).tobytes()] = "nothing"


def draw_whole(maps: np.ndarray, **settings) -> np.ndarray:
    """Draw from a crop that is the whole image."""
    height, width = maps.shape[1:]
    return draw_crop(maps, Crop(0, 0, height, width, False), (height, width), **settings)


def draw_crop(maps: np.ndarray, crop: Crop, size_hw: tuple[int, int], **settings) -> np.ndarray:
    """Draw, and unpack by numpy."""
    packed = draw_regions(LabelRuns.of(maps), crop, size_hw, **settings)
    assert packed.dtype == np.uint8
    padded = np.unpackbits(packed, axis=-1).view(bool)
    assert not padded[..., size_hw[1] :].any()
    return padded[..., : size_hw[1]]


def draw(maps: np.ndarray, num_regions: int, seed: int = 0, **limits) -> Counter[str]:
    drawn = draw_whole(maps, num_regions=num_regions, generator=np.random.default_rng(seed), **limits)
    assert drawn.shape == (num_regions, *maps.shape[1:])
    assert drawn.dtype == bool
    return Counter(ALL[region.tobytes()] for region in drawn)


def test_every_label_of_every_map_is_drawn_whole_and_once():
    assert draw(MAPS, 3) == {"left": 1, "right": 1, "middle": 1}


def test_fewer_are_drawn_uniformly():
    counts = sum((draw(MAPS, 2, seed) for seed in range(3000)), Counter())
    for share in counts.values():
        assert share / 6000 == pytest.approx(1 / 3, abs=0.015)
    assert len(counts) == 3


def test_places_are_uniform_too():
    first = Counter()
    for seed in range(3000):
        drawn = draw_whole(MAPS, num_regions=3, generator=np.random.default_rng(seed))
        first[ALL[drawn[0].tobytes()]] += 1
    for count in first.values():
        assert count / 3000 == pytest.approx(1 / 3, abs=0.03)


@pytest.mark.parametrize(("num_regions", "least", "most"), [(4, 0, 2), (5, 1, 2), (6, 2, 2), (8, 2, 3)])
def test_too_few_are_repeated_as_little_as_possible(num_regions: int, least: int, most: int):
    seen = Counter()
    for seed in range(60):
        counts = draw(MAPS, num_regions, seed)
        seen.update(counts[name] for name in ("left", "right", "middle"))
    assert (min(seen), max(seen)) == (least, most)


def test_without_candidates_all_maps_are_empty():
    assert draw(MAPS[:0], 2) == {"nothing": 2}
    assert draw(np.full_like(MAPS, -1), 2) == {"nothing": 2}
    assert draw(MAPS, 2, area=(0.9, 1.0)) == {"nothing": 2}
    assert draw(MAPS, 2, visible=np.zeros((2, 4), bool)) == {"nothing": 2}


def test_area_limits_include_their_ends():
    uneven = np.array([[[0, 1, 1, 1], [2, 2, 2, 2]]])  # shares 1/8, 3/8, 4/8

    def sizes(low: float, high: float) -> set[int]:
        drawn = draw_whole(uneven, num_regions=6, generator=np.random.default_rng(0), area=(low, high))
        return set(drawn.sum(axis=(1, 2)).tolist())

    assert sizes(0, 1) == {1, 3, 4}
    assert sizes(1 / 8, 3 / 8) == {1, 3}
    assert sizes(3 / 8, 1 / 2) == {3, 4}


def test_only_regions_with_a_visible_pixel_are_drawn():
    visible = np.zeros((2, 4), bool)
    visible[1, 1] = True
    assert draw(MAPS, 2, visible=visible) == {"left": 1, "middle": 1}


@pytest.mark.parametrize("labels", [(0, 1, 255, 256), (3, 70_000, 2**31 - 1, 2**31 - 2), (-1, -7, 8, 9)])
def test_any_labels_will_do(labels: tuple[int, ...]):
    maps = np.array(labels, dtype=np.int32).reshape(1, 2, 2)
    present = [label for label in labels if label >= 0]
    drawn = draw_whole(maps, num_regions=len(present), generator=np.random.default_rng(0))
    np.testing.assert_array_equal(drawn.sum(axis=0), maps[0] >= 0)
    np.testing.assert_array_equal(drawn.sum(axis=(1, 2)), 1)


@pytest.mark.parametrize("visible_share", [None, 0.1])
@pytest.mark.parametrize("largest_label", [6, 10**9])
def test_regions_of_a_crop_are_those_of_its_label_maps(largest_label: int, visible_share: float | None):
    """Cropping label maps, listing their labels and comparing each pixel gives the same regions."""
    generator = np.random.default_rng(0)
    for seed in range(60):
        height, width, size_hw = *generator.integers(1, 40, 2), tuple(generator.integers(1, 30, 2))
        labels = np.append(-1, np.sort(generator.integers(0, largest_label, 7)))
        maps = labels[generator.integers(0, 8, (3, height, width))].astype(np.int32)
        crop = random_crop(height, width, scale=(0.2, 1), ratio=(0.5, 2), flip=0.5, generator=generator)
        rows, columns = sample_positions(crop, size_hw)
        cut = maps[:, rows[:, None], columns[::-1] if crop.flip else columns]
        visible = None if visible_share is None else generator.random(size_hw) < visible_share
        candidates = [
            label_map == label
            for label_map in cut
            for label in np.unique(label_map[label_map >= 0])
            if 0.1 <= (label_map == label).mean() <= 0.4 and (visible is None or visible[label_map == label].any())
        ]
        drawn = draw_crop(
            maps, crop, size_hw,
            num_regions=5, generator=np.random.default_rng(seed), area=(0.1, 0.4), visible=visible,
        )  # fmt: skip
        expected = np.zeros_like(drawn)
        if candidates:
            repeated = candidates * -(-5 // len(candidates))
            picks = []
            for chance in np.random.default_rng(seed).random(5):
                picks.append(repeated[int(chance * len(repeated))])
                repeated[int(chance * len(repeated))] = repeated[-1]
                del repeated[-1]
            expected = np.stack(picks)
        np.testing.assert_array_equal(drawn, expected)
