"""Photographs that cut-outs are laid on: decoded once, at the size that crops need."""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from rmae.scenes.likenesses import Likenesses
from rmae.scenes.picture_files import UnreadablePicture, decode, find_pictures, split_by_bytes, without_repeats
from rmae.scenes.scene_set import Split

SMALLEST_PHOTOGRAPH = 128
"""Pixels of the shorter side below which a photograph is not used."""
LARGEST_PHOTOGRAPH = 1024
"""Pixels of the longer side that are kept; larger ones are reduced."""
MOST_PHOTOGRAPHS = 256
"""That are used: together they take about half a gigabyte of memory."""


class Photographs(NamedTuple):
    """The photographs that can be used."""

    parts: dict[Split, tuple[Image.Image, ...]]
    """RGB pictures by part of the data set, at least one each."""
    left_out: Counter[str]
    """How many files are not used, by reason in words."""


def read_photographs(folder: Path) -> Photographs:
    """Read photographs from anywhere below a folder.

    Of many those are used that come first by their bytes.

    Raises:
        ValueError: Fewer than two can be used.
    """
    paths = find_pictures(folder)
    files = sorted(without_repeats(paths), key=lambda file: file.digest[8:])  # not by what divides them
    left_out: Counter[str] = Counter()
    if len(files) < len(paths):
        left_out["the same as another"] = len(paths) - len(files)
    usable: list[tuple[bytes, Image.Image]] = []
    likenesses = Likenesses()
    for number, (path, digest) in enumerate(files):
        if len(usable) == MOST_PHOTOGRAPHS:
            left_out[f"beyond {MOST_PHOTOGRAPHS}"] = len(files) - number
            break
        try:
            image, size = decode(path, smallest_useful=LARGEST_PHOTOGRAPH)
        except UnreadablePicture:
            left_out["unreadable"] += 1
            continue
        if fault := _find_fault(image, size):
            left_out[fault] += 1
            continue
        image = image.convert("RGB")
        image.thumbnail((LARGEST_PHOTOGRAPH, LARGEST_PHOTOGRAPH), Image.Resampling.BICUBIC, reducing_gap=3.0)
        if likenesses.has_like(image):
            left_out["the same as another"] += 1
        else:
            usable.append((digest, image))
    if len(usable) < 2:
        raise ValueError(
            f"{folder} has {len(usable)} usable photograph(s) in {len(paths)} picture file(s), and there must be at "
            "least 2, one to train on and one to validate on; give a folder with more"
        )
    return Photographs(split_by_bytes(usable), left_out)


def _find_fault(image: Image.Image, size: tuple[int, int]) -> str:
    """Why a picture, of this size before it was reduced, is no photograph to use; empty if it is one."""
    if min(size) < SMALLEST_PHOTOGRAPH:
        return f"smaller than {SMALLEST_PHOTOGRAPH} pixels"
    if image.has_transparency_data:
        least, _ = image.convert("RGBA").getchannel("A").getextrema()
        if least != 255:
            return "with transparency"
    return ""
