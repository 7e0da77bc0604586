"""Pictures that a person names: files, folders, or none."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rmae.data.image_set import ImageSet
from rmae.data.layouts import list_images
from rmae.data.photographs import HELD_OUT, photographs_folder


class Picture(NamedTuple):
    """One picture, wherever its bytes are."""

    images: ImageSet
    """What it is read from."""
    name: str
    """Its name there."""


def choose_pictures(places: Sequence[str | Path], *, per_folder: int) -> tuple[Picture, ...]:
    """Find the pictures that a person names.

    Args:
        places: Files, which need not exist yet, and folders of images of any layout; none = the held-out photographs
            that come with scikit-image.
        per_folder: Pictures of each folder at most, at least 1: evenly spread over their sorted names.

    Returns:
        The pictures in the order of their places.

    Raises:
        ValueError: There is no image in a folder.
    """
    if not places:
        places, per_folder = [photographs_folder() / name for name in HELD_OUT], 1
    chosen: list[Picture] = []
    for place in map(Path, places):
        if not place.is_dir():
            chosen.append(Picture(ImageSet(place.parent, (place.name,)), place.name))
            continue
        images = list_images(place)
        total = len(images.names)
        number = min(total, per_folder)
        chosen += [Picture(images, images.names[(2 * i + 1) * total // (2 * number)]) for i in range(number)]
    return tuple(chosen)
