"""Automatic masks of Segment Anything, in the form of the SA-1B data set, as regions."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np

from rmae.files import read_json
from rmae.quoting import kind_and_message, quoted
from rmae.regions.overlap import stack_masks
from rmae.regions.rle import place_rle


@dataclass(frozen=True, kw_only=True)
class SamJson:
    """Masks looked up in SA-1B files: one JSON for each image, with overlapping run-length masks."""

    folder: str
    """Folder of the JSON files; the one of `a/b.jpg` is `a/b.json`."""
    kind: Literal["sam-json"] = "sam-json"
    """Names this source in saved configurations."""

    def __call__(self, image: np.ndarray, name: str) -> np.ndarray:
        """Look up the masks of an image.

        Args:
            image: Shape (H, W, M); only its size is used.
            name: Path of the image relative to the image root.

        Returns:
            Label maps, shape (S, H, W) int32.

        Raises:
            ValueError: The file is missing, is not in the SA-1B form, or its masks have another size than the image.
        """
        height, width = image.shape[:2]
        path = Path(self.folder) / PurePosixPath(name).with_suffix(".json")
        try:
            annotations = read_json(path)["annotations"]
            if not isinstance(annotations, list):
                raise TypeError("its annotations are no list")
            encoded = [annotation["segmentation"] for annotation in annotations]
            encoded = [(tuple(mask["size"]), mask["counts"]) for mask in encoded]
        except FileNotFoundError:
            raise ValueError(f"there are no masks for this image: {path} is missing") from None
        except OSError as error:
            raise ValueError(f"{path} cannot be read ({error.strerror})") from None
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path} is not a mask file in the SA-1B form ({kind_and_message(error)})") from error
        for size, _ in encoded:
            if size != (height, width):
                raise ValueError(
                    f"{path} holds masks of size {quoted(size)}, but the image has {height} x {width} pixels"
                )
        try:
            # With the image's own size: one from the file may be equal and yet no integer, as 2.0 is.
            return stack_masks((place_rle((height, width), counts) for _, counts in encoded), height, width)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
