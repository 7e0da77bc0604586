"""Making regions from the command line: each source, on each layout of a data set."""

import json
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from rmae import cli
from rmae.data import worker_pool
from rmae.data.images import read_image
from rmae.regions.felzenszwalb import Felzenszwalb
from rmae.regions.grid import Grid
from rmae.regions.random_masks import RandomMasks
from rmae.regions.segment_anything import SegmentAnything
from rmae.regions.slic import Slic
from rmae.regions.source import RegionSource
from rmae.regions.sources import NamedSource, regions_depend_on
from rmae.regions.store import RegionStore

Done = Callable[..., str]
MakeStore = Callable[..., RegionStore]

HEIGHT, WIDTH = 24, 36
LEFT_HALF, MIDDLE = np.zeros((HEIGHT, WIDTH), bool), np.zeros((HEIGHT, WIDTH), bool)
LEFT_HALF[:, :18] = True
MIDDLE[6:18, 9:27] = True


def masks(label_maps: np.ndarray) -> list[np.ndarray]:
    """Each region, (H, W) bool, map after map."""
    return [label_map == label for label_map in label_maps for label in np.unique(label_map[label_map >= 0])]


class CocoFolder(NamedTuple):
    """A data set in COCO's layout: two images to train on and one to validate on, with hand-made annotations."""

    root: Path
    instances: Path
    panoptic: Path
    val_instances: Path


@pytest.fixture
def coco(tmp_path: Path) -> CocoFolder:
    """In a.jpg the left half and a box in the middle, which overlap, in b.jpg and the validation image the box."""
    root = tmp_path / "coco"
    annotations = root / "annotations"
    annotations.mkdir(parents=True)
    write_noise(root / "train2017" / "a.jpg", root / "train2017" / "b.jpg", root / "val2017" / "c.jpg")
    half = [[0, 0, 18, 0, 18, 24, 0, 24]]
    box = [[9, 6, 27, 6, 27, 18, 9, 18]]
    instances, val_instances = annotations / "instances_train2017.json", annotations / "instances_val2017.json"
    write_json(instances, listed("a.jpg", "b.jpg"), [instance(0, half), instance(0, box), instance(1, box)])
    write_json(val_instances, listed("c.jpg"), [instance(0, box)])
    panoptic = annotations / "panoptic_train2017.json"
    segments = [{"id": 5, "iscrowd": 0}, {"id": 300, "iscrowd": 0}, {"id": 7, "iscrowd": 1}]
    write_json(panoptic, listed("a.jpg"), [{"image_id": 0, "file_name": "a.png", "segments_info": segments}])
    ids = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    ids[LEFT_HALF] = (5, 0, 0)
    ids[MIDDLE] = (300 % 256, 300 // 256, 0)
    ids[20:, 30:] = (7, 0, 0)
    panoptic.with_suffix("").mkdir()
    Image.fromarray(ids).save(panoptic.with_suffix("") / "a.png")
    return CocoFolder(root, instances, panoptic, val_instances)


@pytest.fixture
def imagenet(tmp_path: Path) -> Path:
    """A data set in ImageNet's layout: two images of two classes to train on, one to validate on."""
    root = tmp_path / "imagenet"
    write_noise(root / "train" / "n01" / "x.jpg", root / "train" / "n02" / "x.jpg", root / "val" / "n01" / "y.jpg")
    return root


def write_noise(*paths: Path) -> None:
    for seed, path in enumerate(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
        Image.fromarray(noise).save(path)


def listed(*names: str) -> list[dict[str, Any]]:
    return [{"id": i, "file_name": name, "height": HEIGHT, "width": WIDTH} for i, name in enumerate(names)]


def instance(image_id: int, segmentation: Any) -> dict[str, Any]:
    return {"id": 0, "image_id": image_id, "iscrowd": 0, "segmentation": segmentation}


def write_json(path: Path, images: list[dict[str, Any]], annotations: list[dict[str, Any]]) -> None:
    path.write_text(json.dumps({"images": images, "annotations": annotations}))


def write_sam_masks(folder: Path, name: str, *found: np.ndarray) -> None:
    """Write masks as SA-1B has them."""
    encoded = [coco_mask.encode(np.asfortranarray(mask.astype(np.uint8))) for mask in found]
    content = {"annotations": [{"segmentation": {**mask, "counts": mask["counts"].decode()}} for mask in encoded]}
    path = (folder / name).with_suffix(".json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("argument", "source"),
    [
        ("felzenszwalb", Felzenszwalb()),
        (
            "felzenszwalb --scales 20 50.5 --min-sizes 3 9 --sigma 0.5",
            Felzenszwalb(scales=(20, 50.5), min_sizes=(3, 9), sigma=0.5),
        ),
        ("felzenszwalb --scales 20 --short-side 30", Felzenszwalb(scales=(20,), short_side=30)),
        ("slic --num-segments 5 12 --compactness 3 --sigma 0", Slic(num_segments=(5, 12), compactness=3, sigma=0)),
        ("grid", Grid()),
        ("grid --rows 2 --columns 7", Grid(rows=2, columns=7)),
    ],
)
def test_store_holds_what_the_source_gives(
    make_store: MakeStore, argument: str, source: NamedSource, photo_folder: Path, tmp_path: Path
):
    store = make_store(photo_folder, tmp_path / "a.regions", "--source", argument)

    assert store.header.source == json.loads(json.dumps(vars(source)))
    assert (store.header.root, store.header.channels) == (str(photo_folder), 3)
    assert store.names() == {f"{i}.png" for i in range(6)}
    assert_regions_are_those_of(store, source, photo_folder)


def assert_regions_are_those_of(store: RegionStore, source: RegionSource, folder: Path, channels: int = 3) -> None:
    assert store.names()
    for name in store.names():
        image = read_image(folder / name, channels=channels, max_pixels=10**6)
        np.testing.assert_array_equal(store.read(name).label_maps(), source(image, name))


def test_without_a_source_there_are_the_papers_regions(done: Done, photo_folder: Path, tmp_path: Path):
    printed = done("regions", "make", photo_folder, tmp_path / "a.regions")

    assert printed.splitlines()[-1] == f"regions: {tmp_path / 'a.regions'}"
    source = RegionStore(tmp_path / "a.regions").header.source
    assert (source["kind"], source["scales"]) == ("felzenszwalb", [500, 1000, 1500])


def test_processes_make_the_same_regions(make_store: MakeStore, done: Done, photo_folder: Path, tmp_path: Path):
    alone = make_store(photo_folder, tmp_path / "alone.regions", "--source", "felzenszwalb --scales 20")

    flags = ["--source=felzenszwalb --scales 20"]
    done("regions", "make", photo_folder, tmp_path / "a.regions", *flags)
    done("regions", "make", photo_folder, tmp_path / "b.regions", *flags, "--num-workers", "2")

    for together in (RegionStore(tmp_path / "a.regions"), RegionStore(tmp_path / "b.regions")):
        assert together.header == alone.header
        for name in alone.names():
            np.testing.assert_array_equal(together.read(name).label_maps(), alone.read(name).label_maps())


def test_number_of_processes(done: Done, photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    asked: list[int] = []

    class Counted(ProcessPoolExecutor):
        def __init__(self, max_workers: int, **settings: Any) -> None:
            asked.append(max_workers)
            super().__init__(max_workers, **settings)

    monkeypatch.setattr(worker_pool, "ProcessPoolExecutor", Counted)
    for flags in (["--num-workers", "0"], ["--num-workers", "3"], []):
        done("regions", "make", photo_folder, tmp_path / f"{flags}.regions", "--source", "grid", *flags)

    assert asked == [3, len(os.sched_getaffinity(0))]


def test_instances_of_coco(make_store: MakeStore, coco: CocoFolder, tmp_path: Path):
    store = make_store(coco.root, tmp_path / "a.regions", "--source", f"coco-instances --annotations {coco.instances}")

    assert store.names() == {"train2017/a.jpg", "train2017/b.jpg"}
    in_a = store.read("train2017/a.jpg").label_maps()
    assert in_a.shape[0] == 2  # they overlap
    np.testing.assert_array_equal(masks(in_a), [LEFT_HALF, MIDDLE])
    np.testing.assert_array_equal(masks(store.read("train2017/b.jpg").label_maps()), [MIDDLE])


def test_sub_folders_and_their_annotations(make_store: MakeStore, coco: CocoFolder, tmp_path: Path):
    source = f"coco-instances --annotations {coco.instances} {coco.val_instances}"

    both = make_store(coco.root, tmp_path / "a.regions", "--source", source, "--subsets", "train2017", "val2017")
    validation = make_store(coco.root, tmp_path / "b.regions", "--source", source, "--subsets", "val2017")

    assert both.names() == {"train2017/a.jpg", "train2017/b.jpg", "val2017/c.jpg"}
    assert validation.names() == {"val2017/c.jpg"}
    np.testing.assert_array_equal(masks(validation.read("val2017/c.jpg").label_maps()), [MIDDLE])


def test_segments_of_coco(make_store: MakeStore, coco: CocoFolder, tmp_path: Path):
    store = make_store(coco.root, tmp_path / "a.regions", "--source", f"coco-panoptic --annotations {coco.panoptic}")

    np.testing.assert_array_equal(masks(store.read("train2017/a.jpg").label_maps()), [LEFT_HALF & ~MIDDLE, MIDDLE])
    assert store.skipped().keys() == {"train2017/b.jpg"}

    crowds = f"coco-panoptic --annotations {coco.panoptic} --folder {coco.panoptic.with_suffix('')} --crowds"
    store = make_store(coco.root, tmp_path / "b.regions", "--source", crowds)

    areas = [int(mask.sum()) for mask in masks(store.read("train2017/a.jpg").label_maps())]
    assert areas == [324, 216, 24]  # the crowd is the third


def test_masks_in_the_form_of_sa_1b(make_store: MakeStore, imagenet: Path, tmp_path: Path):
    folder = tmp_path / "sa 1b"  # quoted where it has a space
    write_sam_masks(folder, "train/n01/x.jpg", LEFT_HALF, MIDDLE)
    write_sam_masks(folder, "train/n02/x.jpg")

    store = make_store(imagenet, tmp_path / "a.regions", "--source", f"sam-json --folder '{folder}'")

    assert store.names() == {"train/n01/x.jpg", "train/n02/x.jpg"}
    np.testing.assert_array_equal(masks(store.read("train/n01/x.jpg").label_maps()), [LEFT_HALF, MIDDLE])
    assert (store.header.num_images, store.header.num_regions) == (2, 2)


def test_random_masks_have_the_areas_of_another_store(
    make_store: MakeStore, imagenet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    squares = make_store(imagenet, Path("grid.regions"), "--source", "grid --rows 2 --columns 3")

    store = make_store(imagenet, Path("random.regions"), "--source", "random-masks --store grid.regions --seed 4")

    assert store.header.source["store"] == str(tmp_path / "grid.regions")  # found from any folder
    for name in squares.names():
        assert store.read(name).areas().tolist() == squares.read(name).areas().tolist() == [144] * 6
    assert_regions_are_those_of(store, RandomMasks(store="grid.regions", seed=4), imagenet)


def test_masks_of_segment_anything(done: Done, sam_checkpoint: Path, imagenet: Path, tmp_path: Path):
    flags = "--points-per-side 2 --iou-threshold 0 --stability-threshold 0 --nms-threshold 1 --device cpu"

    source = f"sam --checkpoint {sam_checkpoint} {flags}"
    assert cli.run(["regions", "make", str(imagenet), str(tmp_path / "a.regions"), "--source", source]) == 0

    store = RegionStore(tmp_path / "a.regions")
    source = SegmentAnything(
        checkpoint=str(sam_checkpoint),
        points_per_side=2,
        iou_threshold=0,
        stability_threshold=0,
        nms_threshold=1,
        device="cpu",
    )
    assert store.header.source == regions_depend_on(source)
    assert "device" not in store.header.source, "a store may be gone on with on another machine"
    assert store.header.num_regions > 2
    assert_regions_are_those_of(store, source, imagenet)


def test_grey_images_have_other_regions(make_store: MakeStore, photo_folder: Path, tmp_path: Path):
    source = Felzenszwalb(scales=(20,))

    grey = make_store(photo_folder, tmp_path / "a.regions", "--source", "felzenszwalb --scales 20", "--channels", "1")
    coloured = make_store(photo_folder, tmp_path / "b.regions", "--source", "felzenszwalb --scales 20")

    assert (grey.header.channels, coloured.header.channels) == (1, 3)
    assert grey.header.num_regions != coloured.header.num_regions
    assert_regions_are_those_of(grey, source, photo_folder, channels=1)
