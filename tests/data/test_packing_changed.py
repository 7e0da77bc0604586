"""Packing that goes on where files were deleted or added since it began."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rmae.data.image_set import ImageSet
from rmae.data.layouts import list_images
from rmae.data.packing import Packing, pack_images
from rmae.data.share import Share

MakeFolder = Callable[[int], ImageSet]
PACKING = Packing(num_workers=0, images_per_shard=20)


def begin(images: ImageSet, folder: Path) -> None:
    """Pack the first of two shards."""
    assert pack_images(images, folder, PACKING, share=Share(0, 2)) is None


def test_it_packs_the_images_it_began_with(photo_folder: MakeFolder, tmp_path: Path):
    images, folder = photo_folder(40), tmp_path / "packed"
    begin(images, folder)
    gone = images.names[-1]
    (images.root / gone).rename(images.root / "new.png")

    shards = pack_images(list_images(images.root), folder, PACKING, share=Share(0, 1))

    assert shards is not None
    assert shards.index.skipped == ((gone, "the file is missing"),)
    assert set(shards.names) == set(images.names) - {gone}
    assert {path.name for path in folder.iterdir()} == {
        "index.safetensors", "rmae-packing.json", "shard-000000.tar", "shard-000001.tar",
    }  # fmt: skip


def test_too_many_may_not_be_gone(photo_folder: MakeFolder, tmp_path: Path):
    images, folder = photo_folder(40), tmp_path / "packed"
    begin(images, folder)
    for name in images.names[-3:]:
        (images.root / name).unlink()
    with pytest.raises(
        ValueError, match=r"are made with images 40 images, sha256 \w+, not 37 images, sha256 \w+; pack"
    ):
        pack_images(list_images(images.root), folder, PACKING, share=Share(0, 1))
