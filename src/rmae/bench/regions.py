"""How fast regions are made, how small they are stored and how fast they are drawn."""

import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageOps

from rmae.bench.machine import describe_machine
from rmae.bench.stopwatch import time_side_by_side
from rmae.config import DataConfig
from rmae.data.crops import centre_crop
from rmae.data.drawing import draw_regions
from rmae.data.image_set import ImageSet
from rmae.data.images import read_image
from rmae.regions.felzenszwalb import felzenszwalb
from rmae.regions.overlap import stack_masks
from rmae.regions.store import RegionStore, StoreHeader
from rmae.regions.store_writer import PackedRegions, StoreWriter
from rmae.regions.stored import Stored

SCALE = 1000
"""The one scale that is compared, with a smallest size as large: the paper's on ImageNet."""
SCALES = (500, 1000, 1500)
"""The three scales: the paper's on COCO."""
SIGMA = 0.8

_DATA_SETS = {"coco": (118_287, "three scales"), "imagenet": (1_281_167, "one scale")}
_PACKAGES = ("numpy", "numba", "scikit-image", "scipy", "zstandard", "pillow")
_NUM_MASKS = 100
_SIZE_HW = (224, 224)
_NUM_REGIONS = 8


class _Photograph(NamedTuple):
    """What was measured on one photograph."""

    milliseconds: dict[str, float]
    labels_equal: bool


def measure_regions(images: ImageSet, *, size_hw: tuple[int, int], repeats: int) -> dict[str, Any]:
    """Measure the making, storing and drawing of regions, on one thread.

    Args:
        images: Photographs, at least one.
        size_hw: Height and width in pixels to which they are cut and resized first.
        repeats: How often everything is timed on each, at least 1.

    Returns:
        What `json.dumps` takes. Times are milliseconds, medians over the photographs of medians over the repeats:
        `ms` (one scale), `ms_three_scales`, `ms_skimage`, `ms_opencv` (None where it is not installed);
        `ratio_to_skimage`; `labels_equal`, the share of the photographs on which all labels are scikit-image's;
        `three_scales_over_one`; `slowest_over_median` of the photographs; `core_hours` of data sets; `store`: bytes an
        image and milliseconds of reading and drawing.
    """
    pictures = [_read(images.root / name, size_hw) for name in images.names]
    opencv = _opencv()
    photographs = [_measure_photograph(picture, opencv, repeats) for picture in pictures]
    middle = {name: median(photo.milliseconds[name] for photo in photographs) for name in photographs[0].milliseconds}
    of_one = [photo.milliseconds["one scale"] for photo in photographs]
    return {
        "ms": middle["one scale"],
        "ms_three_scales": middle["three scales"],
        "ms_skimage": middle["scikit-image"],
        "ms_opencv": middle.get("opencv"),
        "ratio_to_skimage": median(
            photo.milliseconds["scikit-image"] / photo.milliseconds["one scale"] for photo in photographs
        ),
        "labels_equal": sum(photo.labels_equal for photo in photographs) / len(photographs),
        "three_scales_over_one": median(
            photo.milliseconds["three scales"] / photo.milliseconds["one scale"] for photo in photographs
        ),
        "slowest_over_median": max(of_one) / median(of_one),
        "core_hours": _core_hours(middle),
        "store": _measure_store(images, pictures, repeats),
        "num_photographs": len(pictures),
        "size_hw": list(size_hw),
        "photographs": {
            name: {**photo.milliseconds, "labels_equal": photo.labels_equal}
            for name, photo in zip(images.names, photographs, strict=True)
        },
        "machine": describe_machine((*_PACKAGES, "opencv-contrib-python-headless", "opencv-contrib-python")),
    }


def _read(path: Path, size_hw: tuple[int, int]) -> np.ndarray:
    """The middle of a photograph, (H, W, 3) uint8."""
    image = Image.fromarray(read_image(path, channels=3, max_pixels=DataConfig.max_pixels))
    return np.asarray(ImageOps.fit(image, (size_hw[1], size_hw[0]), Image.Resampling.BICUBIC))


def _opencv() -> Callable[[np.ndarray], np.ndarray] | None:
    """OpenCV's segmentation, which has a graph of four neighbours and so other labels; None if it is not installed."""
    try:
        extras = getattr(import_module("cv2"), "ximgproc", None)  # of opencv-contrib alone
    except ImportError:
        return None
    return None if extras is None else extras.segmentation.createGraphSegmentation(SIGMA, SCALE, SCALE).processImage


def _measure_photograph(
    picture: np.ndarray, opencv: Callable[[np.ndarray], np.ndarray] | None, repeats: int
) -> _Photograph:
    from skimage.segmentation import felzenszwalb as segment

    def by_skimage() -> np.ndarray:
        return segment(picture, scale=SCALE, min_size=SCALE, sigma=SIGMA)

    def ours() -> np.ndarray:
        return felzenszwalb(picture, scales=(SCALE,), sigma=SIGMA)

    calls: dict[str, Callable[[], np.ndarray]] = {
        "one scale": ours,
        "three scales": lambda: felzenszwalb(picture, scales=SCALES, sigma=SIGMA),
        "scikit-image": by_skimage,
    }
    if opencv is not None:
        calls["opencv"] = lambda: opencv(picture)
    milliseconds = time_side_by_side(calls, repeats=repeats)
    return _Photograph(milliseconds, bool((ours()[0] == by_skimage()).all()))


def _core_hours(milliseconds: dict[str, float]) -> dict[str, dict[str, float]]:
    """Hours of one core to segment a data set if all of its images had the measured size."""
    hours = {}
    for name, (num_images, scales) in _DATA_SETS.items():
        num_scales = len(SCALES) if scales == "three scales" else 1
        hours[name] = {
            "ours": num_images * milliseconds[scales] / 3.6e6,
            "skimage": num_images * num_scales * milliseconds["scikit-image"] / 3.6e6,
        }
    return hours


def _measure_store(images: ImageSet, pictures: list[np.ndarray], repeats: int) -> dict[str, float]:
    """Store three scales of each picture, and overlapping masks; read, draw and pack regions as training does."""
    generator = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        segments = _store(
            Path(folder) / "segments.regions",
            {name: felzenszwalb(picture, scales=SCALES) for name, picture in zip(images.names, pictures, strict=True)},
        )
        height, width = pictures[0].shape[:2]
        masks = _store(
            Path(folder) / "masks.regions",
            {name: stack_masks(_ellipses(height, width, generator), height, width) for name in images.names[:8]},
        )
        segments_ms, masks_ms = (
            median(_time_drawing(store, name, repeats) for name in sorted(store.names())) for store in (segments, masks)
        )
        return {
            "bytes_per_image": segments.path.stat().st_size / len(pictures),
            "ms_read_and_draw": segments_ms,
            "bytes_per_image_of_100_masks": masks.path.stat().st_size / masks.header.num_images,
            "ms_read_and_draw_of_100_masks": masks_ms,
        }


def _store(path: Path, label_maps: dict[str, np.ndarray]) -> RegionStore:
    header = StoreHeader(source={"kind": "benchmark"}, channels=3, root="", num_images=0, num_regions=0)
    with StoreWriter(path, header) as writer:
        for name, maps in label_maps.items():
            writer.add(PackedRegions.of(name, maps))
        return writer.finish()


def _time_drawing(store: RegionStore, name: str, repeats: int) -> float:
    runs = store.read(name)
    height, width = runs.counts.shape[1], runs.width
    crop = centre_crop(height, width, aspect=width / height)  # all of it: the slowest crop to look through
    source, generator = Stored(path=str(store.path)), np.random.default_rng(0)

    def read_and_draw() -> np.ndarray:
        found = source.runs(name, (height, width))
        return draw_regions(found, crop, _SIZE_HW, num_regions=_NUM_REGIONS, generator=generator)

    return time_side_by_side({"read and draw": read_and_draw}, repeats=max(10, repeats))["read and draw"]


def _ellipses(height: int, width: int, generator: np.random.Generator) -> list[np.ndarray]:
    """A hundred overlapping masks with wavy borders, from 16 pixels across to half of the picture."""
    y, x = np.mgrid[:height, :width]
    masks = []
    for _ in range(_NUM_MASKS):
        centre_y, centre_x = generator.uniform(0, height), generator.uniform(0, width)
        half_height, half_width = np.exp(generator.uniform(np.log(8), np.log(width / 4), 2))
        distance = ((y - centre_y) / half_height) ** 2 + ((x - centre_x) / half_width) ** 2
        masks.append(distance < 1 + 0.2 * np.sin(x / 7 + y / 9))
    return masks
