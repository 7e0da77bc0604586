"""What every source of regions promises. A new one joins `SOURCES`, and the tuples below it that apply."""

import json
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask
from pydantic import TypeAdapter

from rmae.regions.coco_instances import CocoInstances
from rmae.regions.coco_panoptic import CocoPanoptic
from rmae.regions.felzenszwalb import Felzenszwalb
from rmae.regions.grid import Grid
from rmae.regions.overlap import stack_masks
from rmae.regions.random_masks import RandomMasks
from rmae.regions.sam_json import SamJson
from rmae.regions.slic import Slic
from rmae.regions.store import StoreHeader
from rmae.regions.store_writer import PackedRegions, StoreWriter
from rmae.regions.stored import Stored

HEIGHT, WIDTH = 24, 36
NAME, EMPTY_NAME = "folder/picture.png", "folder/empty.png"
"""An image with regions and one without, for sources that look them up."""


def overlapping_masks() -> list[np.ndarray]:
    """Seven masks (H, W) bool: discs around random places."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    generator = np.random.default_rng(3)
    return [
        np.hypot(rows - generator.uniform(0, HEIGHT), columns - generator.uniform(0, WIDTH)) < radius
        for radius in (3, 9, 5, 14, 2, 7, 6)
    ]


MASKS = overlapping_masks()


def run_lengths() -> list[dict[str, Any]]:
    encoded = [coco_mask.encode(np.asfortranarray(mask.astype(np.uint8))) for mask in MASKS]
    return [{"size": [HEIGHT, WIDTH], "counts": mask["counts"].decode()} for mask in encoded]


def listed_images() -> list[dict[str, Any]]:
    return [{"id": i, "file_name": name, "height": HEIGHT, "width": WIDTH} for i, name in enumerate((NAME, EMPTY_NAME))]


def felzenszwalb(folder: Path) -> Felzenszwalb:
    return Felzenszwalb(scales=(10, 40.5), sigma=0.5)


def coco_instances(folder: Path) -> CocoInstances:
    annotations = [
        {"id": i, "image_id": 0, "iscrowd": 0, "segmentation": segmentation}
        for i, segmentation in enumerate(run_lengths())
    ]
    content = {"images": listed_images(), "annotations": annotations}
    (folder / "instances.json").write_text(json.dumps(content))
    return CocoInstances(annotations=(str(folder / "instances.json"),))


def coco_panoptic(folder: Path) -> CocoPanoptic:
    segments = [{"id": i, "iscrowd": 0} for i in range(1, 8)]
    annotations = [
        {"image_id": i, "file_name": f"{i}.png", "segments_info": segments if i == 0 else []} for i in range(2)
    ]
    content = {"images": listed_images(), "annotations": annotations}
    (folder / "panoptic.json").write_text(json.dumps(content))
    (folder / "panoptic").mkdir()
    ids = np.zeros((2, HEIGHT, WIDTH, 3), np.uint8)
    for i, mask in enumerate(MASKS):
        ids[0, mask, 0] = i + 1
    for i in range(2):
        Image.fromarray(ids[i]).save(folder / "panoptic" / f"{i}.png")
    return CocoPanoptic(annotations=str(folder / "panoptic.json"))


def sam_json(folder: Path) -> SamJson:
    for name, masks in ((NAME, run_lengths()), (EMPTY_NAME, [])):
        path = (folder / name).with_suffix(".json")
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"annotations": [{"segmentation": mask} for mask in masks]}))
    return SamJson(folder=str(folder))


def stored(folder: Path) -> Stored:
    with StoreWriter(folder / "a.regions", StoreHeader({"kind": "other"}, 3, "", 0, 0)) as writer:
        writer.add(PackedRegions.of(NAME, stack_masks(MASKS, HEIGHT, WIDTH)))
        writer.add(PackedRegions.of(EMPTY_NAME, stack_masks([], HEIGHT, WIDTH)))
        writer.finish()
    return Stored(path=str(folder / "a.regions"))


def random_masks(folder: Path) -> RandomMasks:
    return RandomMasks(store=stored(folder).path, seed=2)


def slic(folder: Path) -> Slic:
    return Slic(num_segments=(4, 20), compactness=5.0)


def grid(folder: Path) -> Grid:
    return Grid(rows=3, columns=5)


SOURCES: dict[str, Callable[[Path], Any]] = {
    "felzenszwalb": felzenszwalb,
    "stored": stored,
    "coco-instances": coco_instances,
    "coco-panoptic": coco_panoptic,
    "sam-json": sam_json,
    "slic": slic,
    "grid": grid,
    "random-masks": random_masks,
}
"""Makes each source, by its kind, with what it looks up under an empty folder."""

LISTING = ("stored", "coco-instances", "coco-panoptic", "sam-json", "random-masks")
"""Those that look regions up by name: EMPTY_NAME has none, other names are unknown."""

OVERLAPPING = ("stored", "coco-instances", "sam-json")
"""Those whose regions may overlap; they are made from `MASKS`."""


@pytest.fixture(params=SOURCES)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return SOURCES[request.param](tmp_path)


def picture(dtype: type = np.uint8, channels: int = 3) -> np.ndarray:
    """Noise on two halves of different brightness, shape (H, W, channels)."""
    top = np.iinfo(dtype).max
    pixels = np.random.default_rng(0).integers(0, top // 8, (HEIGHT, WIDTH, channels))
    pixels[:, WIDTH // 2 :] += top // 2
    return pixels.astype(dtype)


def masks_of(label_maps: np.ndarray) -> set[bytes]:
    return {
        (label_map == label).tobytes() for label_map in label_maps for label in np.unique(label_map[label_map >= 0])
    }


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_gives_label_maps_of_the_size_of_the_image(source: Any, dtype: type, channels: int):
    label_maps = source(picture(dtype, channels), NAME)
    assert label_maps.dtype == np.int32
    assert label_maps.shape == (len(label_maps), HEIGHT, WIDTH)
    assert label_maps.min() >= -1
    assert len(masks_of(label_maps)) > 1


def test_gives_the_same_every_time(source: Any):
    first = source(picture(), NAME)
    expected = first.copy()
    first[:] = 99  # whoever gets the maps may write to them
    np.testing.assert_array_equal(source(picture(), NAME), expected, strict=True)
    for _ in range(2):
        fresh = pickle.loads(pickle.dumps(source))
        np.testing.assert_array_equal(fresh(picture(), NAME), expected, strict=True)


def test_leaves_the_image_as_it_is(source: Any):
    image = picture()
    image.setflags(write=False)
    source(image, NAME)
    np.testing.assert_array_equal(image, picture())


@pytest.mark.parametrize("kind", OVERLAPPING)
def test_regions_that_overlap_are_kept_whole(kind: str, tmp_path: Path):
    assert len(stack_masks(MASKS, HEIGHT, WIDTH)) > 1
    assert masks_of(SOURCES[kind](tmp_path)(picture(), NAME)) == {mask.tobytes() for mask in MASKS}


def test_random_masks_may_overlap_and_keep_their_areas(tmp_path: Path):
    label_maps = random_masks(tmp_path)(picture(), NAME)
    areas = [int(count) for labels in label_maps for count in np.bincount(labels[labels >= 0])]
    assert sorted(areas) == sorted(int(mask.sum()) for mask in MASKS)
    assert len(label_maps) > 1


@pytest.mark.parametrize("kind", LISTING)
def test_an_image_may_have_no_regions(kind: str, tmp_path: Path):
    label_maps = SOURCES[kind](tmp_path)(picture(), EMPTY_NAME)
    assert label_maps.dtype == np.int32
    assert label_maps.shape == (len(label_maps), HEIGHT, WIDTH)
    assert (label_maps == -1).all()


@pytest.mark.parametrize("kind", LISTING)
def test_unknown_images_and_images_of_another_size_are_refused(kind: str, tmp_path: Path):
    source = SOURCES[kind](tmp_path)
    with pytest.raises(ValueError, match=r"other\.(png|json)"):
        source(picture(), "folder/other.png")
    with pytest.raises(ValueError, match=f"{HEIGHT - 1} x {WIDTH}"):
        source(picture()[1:], NAME)


def test_equal_settings_make_equal_sources(source: Any):
    settings = {field.name: getattr(source, field.name) for field in fields(source)}
    twin = type(source)(**settings)
    source(picture(), NAME)
    assert twin is not source
    assert twin == source
    assert hash(twin) == hash(source)
    assert repr(twin) == repr(source)


def test_settings_come_back_from_json(source: Any):
    source(picture(), NAME)
    adapter = TypeAdapter(type(source))
    saved = adapter.dump_json(source)
    assert set(json.loads(saved)) == {field.name for field in fields(source)}
    assert adapter.validate_json(saved, strict=True, extra="forbid") == source


@pytest.mark.parametrize("kind", SOURCES)
def test_settings_are_frozen_given_by_name_and_end_in_the_kind(kind: str, tmp_path: Path):
    source = SOURCES[kind](tmp_path)
    assert [field.kw_only for field in fields(source)] == [True] * len(fields(source))
    assert fields(source)[-1].name == "kind"
    assert fields(source)[-1].default == source.kind == kind
    with pytest.raises(FrozenInstanceError):
        source.kind = "other"
