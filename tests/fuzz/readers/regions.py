"""Readers of regions."""

import io
import json
from pathlib import Path

import numpy as np
from PIL import Image

from fuzz.byte_damage import damage_bytes
from fuzz.reader import Files, Reader, damaging
from fuzz.sealed_damage import damage_database, damage_label_runs, damage_png
from fuzz.tree_damage import damage_json, damage_values
from rmae.data.label_map_images import read_label_map
from rmae.regions.label_runs import LabelRuns
from rmae.regions.placed_mask import PlacedMask
from rmae.regions.rle import place_rle
from rmae.regions.sam_json import SamJson
from rmae.regions.store import RegionStore, StoreHeader
from rmae.regions.store_writer import PackedRegions, StoreWriter

HEIGHT, WIDTH = 9, 14
IMAGE = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
"""Of the size of all that is looked up here."""


def label_maps(seed: int) -> np.ndarray:
    """Two maps of blocks, shape (2, H, W) int32."""
    blocks = np.random.default_rng(seed).integers(-1, 6, (2, 3, 5), dtype=np.int32)
    return np.repeat(np.repeat(blocks, 3, axis=1), 3, axis=2)[:, :HEIGHT, :WIDTH]


def check_label_maps(maps: np.ndarray) -> None:
    """Fail unless these are label maps of the image, as sources give them."""
    assert maps.dtype == np.int32
    assert maps.shape[1:] == (HEIGHT, WIDTH)
    assert maps.min(initial=-1) >= -1


def check_runs(runs: LabelRuns, shape: tuple[int, int, int]) -> None:
    """Fail unless runs are of label maps of this shape."""
    maps = runs.label_maps()
    assert (maps.shape, maps.dtype) == (shape, np.int32)
    assert runs.counts.dtype == runs.lengths.dtype == np.uint32
    areas = runs.areas()
    assert areas.sum() == (maps >= 0).sum()
    dense = runs.dense_labels()
    assert np.array_equal(dense >= 0, runs.labels >= 0)
    assert dense.max(initial=-1) <= 4 * len(dense)


def check_mask(mask: PlacedMask) -> None:
    """Fail unless a mask lies in the image."""
    assert mask.pixels.dtype == bool
    assert min(mask.top, mask.left) >= 0
    rows, columns = mask.box
    assert rows.stop <= HEIGHT
    assert columns.stop <= WIDTH


def _make_runs(_: Path) -> list[Files]:
    return [{"a.runs": LabelRuns.of(label_maps(seed)).pack()} for seed in range(4)]


def _read_runs(folder: Path) -> None:
    check_runs(
        LabelRuns.unpack((folder / "a.runs").read_bytes(), num_maps=2, height=HEIGHT, width=WIDTH), (2, HEIGHT, WIDTH)
    )


def _make_store(folder: Path) -> list[Files]:
    header = StoreHeader(source={"kind": "grid", "rows": 4}, channels=3, root="/data", num_images=0, num_regions=0)
    with StoreWriter(folder / "a.regions", header) as writer:
        for number, name in enumerate(("a.jpg", "b/c.png", "d.jpg")):
            writer.add(PackedRegions.of(name, label_maps(number)))
        writer.skip("torn.jpg", "it is torn")
        writer.finish()
    return [{"a.regions": (folder / "a.regions").read_bytes()}]


def _read_store(folder: Path) -> None:
    store = RegionStore(folder / "a.regions")
    assert isinstance(store.header.source, dict)
    assert store.header.num_images >= 0
    assert all(isinstance(text, str) for pair in store.skipped().items() for text in pair)
    for _, runs in store:
        check_runs(runs, (len(runs.counts), runs.counts.shape[1], runs.width))


def _make_rle(_: Path) -> list[Files]:
    whole = HEIGHT * WIDTH
    plain = ([whole], [3, 5, whole - 8], [0, 2, 4, 6, whole - 12], [0, whole], [1, 2, 3, 4, 5, 6, 7, whole - 28])
    return [{"a.json": json.dumps(runs).encode()} for runs in plain] + [
        {"a.json": json.dumps(_compress(runs)).encode()} for runs in plain
    ]


def _compress(runs: list[int]) -> str:
    """COCO's compressed form."""
    text = ""
    for place, run in enumerate(runs):
        left, more = run - (runs[place - 2] if place > 2 else 0), True
        while more:
            bits, left = left & 31, left >> 5
            more = left != -1 if bits & 16 else left != 0
            text += chr(48 + bits + 32 * more)
    return text


def _read_rle(folder: Path) -> None:
    check_mask(place_rle((HEIGHT, WIDTH), json.loads((folder / "a.json").read_bytes())))


def _make_sam(_: Path) -> list[Files]:
    size, whole = [HEIGHT, WIDTH], HEIGHT * WIDTH
    masks = [_compress([3, 5, whole - 8]), _compress([0, 9, whole - 9]), [7, 30, whole - 37]]
    entries = [{"segmentation": {"size": size, "counts": counts}, "area": 5, "id": 1} for counts in masks]
    image = {"image_id": 1, "width": WIDTH, "height": HEIGHT, "file_name": "a.jpg"}
    return [{"a.json": json.dumps({"image": image, "annotations": some}).encode()} for some in (entries, [])]


def _read_sam(folder: Path) -> None:
    check_label_maps(SamJson(folder=str(folder))(IMAGE, "a.jpg"))


def _make_label_images(_: Path) -> list[Files]:
    found = []
    for mode, form in (
        ("L", "PNG"),
        ("RGB", "PNG"),
        ("1", "PNG"),
        ("I;16", "PNG"),
        ("P", "PNG"),
        ("L", "TIFF"),
        ("I", "TIFF"),
    ):
        grey = Image.fromarray(label_maps(1)[0].astype(np.uint8))
        picture = Image.fromarray(label_maps(1)[0].astype(np.uint16)) if mode == "I;16" else grey.convert(mode)
        buffer = io.BytesIO()
        picture.save(buffer, form)
        found.append({f"a.{form.lower()}": buffer.getvalue()})
    return found


def _read_label_image(folder: Path) -> None:
    (path,) = folder.glob("a.*")
    labels = read_label_map(path.read_bytes(), "the label map", 10_000)
    assert labels.dtype == np.int32
    assert labels.ndim == 2
    assert labels.min() >= -1


READERS = (
    Reader("label runs", _make_runs, _read_runs, damaging("a.runs", by=damage_label_runs)),
    Reader("region store", _make_store, _read_store, damaging("a.regions", by=damage_database), named="a.regions"),
    Reader("run lengths", _make_rle, _read_rle, damaging("a.json", by=damage_values)),
    Reader("SA-1B masks", _make_sam, _read_sam, damaging("a.json", by=damage_json), named="a.json"),
    Reader(
        "label map PNG",
        lambda folder: _make_label_images(folder)[:5],
        _read_label_image,
        damaging("a.png", by=damage_png),
    ),
    Reader(
        "label map TIFF",
        lambda folder: _make_label_images(folder)[5:],
        _read_label_image,
        damaging("a.tiff", by=damage_bytes),
        prints_itself=True,  # libtiff
    ),
)
