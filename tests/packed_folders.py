"""Shards that are packed in this process, with the cells of a grid for regions."""

from pathlib import Path
from typing import Any

from rmae.data.image_set import ImageSet
from rmae.data.packing import Packing, pack_images
from rmae.data.shards import Shards
from rmae.data.share import Share
from rmae.regions.grid import Grid


def pack(images: ImageSet, folder: Path, **settings: Any) -> Shards:
    settings = {"num_workers": 0, "regions": Grid(rows=2, columns=3), **settings}
    shards = pack_images(images, folder, Packing(**settings), share=Share(0, 1))
    assert shards is not None
    return shards


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}
