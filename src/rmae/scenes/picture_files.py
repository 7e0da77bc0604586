"""Picture files in a folder: found, told apart by their bytes, and decoded."""

import hashlib
import os
import warnings
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import NamedTuple, TypeVar

from PIL import Image, ImageOps
from PIL.JpegImagePlugin import JpegImageFile

from rmae.jpeg_scans import MOST_SCANS, has_endless_scans
from rmae.quoting import kind_and_message
from rmae.scenes.scene_set import Split

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")
"""What picture files end in; upper and lower case are the same."""
VALIDATION_SHARE = 0.25
"""About what share of the files is kept for validation."""
VALIDATION_BOUNDS = (1 / 8, 3 / 8)
"""Between what shares of the files it lies whatever their bytes are."""

_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
_MOST_PIXELS = 80_000_000  # as in training: photographs have less, and files that say more mean harm

Item = TypeVar("Item")


class UnreadablePicture(ValueError):
    """A file that is no picture, or a damaged one."""


class PictureFile(NamedTuple):
    """A file, and what its bytes are known by."""

    path: Path
    """Where it is."""
    digest: bytes
    """SHA-256 of its bytes."""


def find_pictures(folder: Path) -> list[Path]:
    """Find all picture files below a folder, hidden ones left out, in the same order on any machine.

    Links to folders are followed, each folder once.
    """
    found: list[Path] = []
    seen = {os.path.realpath(folder)}
    for here, folders, names in os.walk(folder, followlinks=True):
        new: list[str] = []
        for name in sorted(folders):
            real = os.path.realpath(os.path.join(here, name))
            if name[0] != "." and real not in seen:
                seen.add(real)
                new.append(name)
        folders[:] = new
        found += [path for name in names if _is_picture(name) and (path := Path(here, name)).is_file()]  # and no pipe
    return sorted(found)


def without_repeats(paths: Sequence[Path]) -> Iterator[PictureFile]:
    """Read files, and give each content once, under the first of its names; what cannot be read is given all the same.

    A file that cannot be read counts by its name, so that it is complained about when it is decoded.
    """
    seen: set[bytes] = set()
    for path in paths:
        try:
            digest = hashlib.sha256(path.read_bytes()).digest()
        except OSError:
            digest = hashlib.sha256(os.fsencode(path)).digest()
        if digest not in seen:
            seen.add(digest)
            yield PictureFile(path, digest)


def decode(path: Path, *, smallest_useful: int | None = None) -> tuple[Image.Image, tuple[int, int]]:
    """Decode a picture upright.

    Args:
        path: The file.
        smallest_useful: The decoder may reduce the picture as long as both sides keep this many pixels; None = it
            keeps its size.

    Returns:
        The picture in the mode of the file, and its width and height before it was reduced.

    Raises:
        UnreadablePicture: It is no picture, or damaged.
    """
    try:
        with warnings.catch_warnings():  # Pillow warns of odd palettes and of large pictures, which do not matter
            warnings.simplefilter("ignore")
            encoded = path.read_bytes()
            image = Image.open(BytesIO(encoded), formats=_FORMATS)
            size = image.size
            if size[0] * size[1] > _MOST_PIXELS:
                raise ValueError(f"it has {size[0]} x {size[1]} pixels, more than the {_MOST_PIXELS:,} allowed")
            if isinstance(image, JpegImageFile) and has_endless_scans(encoded):
                raise ValueError(f"it has more than the {MOST_SCANS} scans allowed")
            if smallest_useful is not None:
                image.draft("RGB", (smallest_useful, smallest_useful))
            image.load()
            return ImageOps.exif_transpose(image), size
    except MemoryError:
        raise
    except Exception as error:  # Pillow has no common base of what a malformed file makes it raise
        raise UnreadablePicture(f"{path} cannot be read ({kind_and_message(error)})") from error


def split_by_bytes(files: Sequence[tuple[bytes, Item]]) -> dict[Split, tuple[Item, ...]]:
    """Divide files between training and validation, by their bytes alone.

    A file is for validation if the number at the beginning of its digest is below `VALIDATION_SHARE` of the largest
    one there can be, whatever other files there are; but where that would be too few or too many of them
    (`VALIDATION_BOUNDS`, at least one), those nearest to the bound change sides.

    Args:
        files: Digest, and what is divided; at least two, of different digests.

    Returns:
        Both parts, in the given order; neither is empty.
    """
    assert len(files) > 1
    numbers = [int.from_bytes(digest, "big") for digest, _ in files]
    fewest, most = (max(1, int(share * len(files))) for share in VALIDATION_BOUNDS)
    ordered = sorted(numbers)
    bound = min(max(int(VALIDATION_SHARE * 256 ** len(files[0][0])), ordered[fewest - 1] + 1), ordered[most])
    is_val = [number < bound for number in numbers]
    return {
        "train": tuple(item for (_, item), val in zip(files, is_val, strict=True) if not val),
        "val": tuple(item for (_, item), val in zip(files, is_val, strict=True) if val),
    }


def _is_picture(name: str) -> bool:
    return name.lower().endswith(SUFFIXES) and name[0] != "."
