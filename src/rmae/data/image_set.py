"""The images of a data set, wherever their bytes are."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol

import numpy as np

from rmae.data.images import StoredImage, UnreadableImage, open_image
from rmae.files import FileToDecode
from rmae.regions.label_runs import LabelRuns


class Container(Protocol):
    """Files that hold many images each, and perhaps their regions; it may be handed to other processes."""

    @property
    def region_settings(self) -> dict[str, Any] | None:
        """What the regions inside depend on, `kind` among it; None where there are no regions."""
        ...

    def open(self, name: str) -> BinaryIO:
        """Open the encoded image of this name, at its beginning; an OSError where it cannot be had."""
        ...

    def regions(self, name: str) -> LabelRuns:
        """Read the regions of an image; a ValueError or an OSError where they cannot be had."""
        ...


class ImageSet(NamedTuple):
    """Images under one folder: a file each, or together in a container's files."""

    root: Path
    """The folder."""
    names: tuple[str, ...]
    """Sorted; of files their paths relative to the folder, with forward slashes."""
    container: Container | None = None
    """What holds the images; None where each is a file."""

    @contextmanager
    def open(self, name: str, *, channels: int, max_pixels: int) -> Iterator[StoredImage]:
        """Open an image, to be decoded while this is entered; arguments and errors are those of `open_image`."""
        try:
            # A path interns its parts: within an hour the table of interned strings would grow, in each worker.
            file = FileToDecode(os.path.join(self.root, name)) if self.container is None else self.container.open(name)
        except FileNotFoundError as error:
            raise UnreadableImage("the file is missing" if self.container is None else str(error)) from None
        except OSError as error:
            raise UnreadableImage(f"it cannot be read ({error})") from error
        with file:
            yield open_image(file, channels=channels, max_pixels=max_pixels)

    def fingerprint(self) -> str:
        """Number of images and a digest of their names: which sample comes when depends on both."""
        digest = hashlib.sha256("\n".join(self.names).encode("utf-8", "surrogateescape")).hexdigest()
        return f"{len(self.names)} images, sha256 {digest[:16]}"

    def read(self, name: str, *, channels: int, max_pixels: int) -> np.ndarray:
        """Decode an image; arguments, result and errors are those of `read_image`."""
        with self.open(name, channels=channels, max_pixels=max_pixels) as image:
            return image.pixels()
