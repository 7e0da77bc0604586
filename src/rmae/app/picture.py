"""A visitor's picture: its file, what is shown of it, and what the models see in it."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rmae.app.opened_model import OpenedModel, Sight
from rmae.data.images import UnreadableImage, read_image
from rmae.visual.pictures import show_stored

_LONGEST_SHOWN, _SHORTEST_SHOWN = 1024, 768  # pixels of the longer side: much less looks coarse, more travels slowly
_MOST_ENLARGED = 8


@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    """A picture that was opened."""

    number: int
    """Which of the visitor's pictures it is, from 1 on."""
    name: str
    """What its file is called."""
    size_hw: tuple[int, int]
    """Height and width in pixels, upright."""
    encoded: bytes
    """The file: smaller than its pixels, which are seldom needed again."""
    channels: int
    """Channels in which it is read."""
    shown: np.ndarray
    """Shape (h, w, 3) uint8, the longer side between 768 and 1024 pixels; less of what has less than 96."""
    sights: tuple[Sight, ...]
    """What each model sees in it."""

    @property
    def shown_hw(self) -> tuple[int, int]:
        """Height and width at which it is shown."""
        height, width = self.shown.shape[:2]
        return height, width

    def pixels(self) -> np.ndarray:
        """Decode the file again; shape (H, W, M), uint8 or uint16."""
        return read_image(
            io.BytesIO(self.encoded), channels=self.channels, max_pixels=self.size_hw[0] * self.size_hw[1]
        )


def open_picture(name: str, encoded: bytes, models: Sequence[OpenedModel], *, number: int, max_pixels: int) -> Picture:
    """Open a picture's file.

    Args:
        name: What it is called.
        encoded: What is in it.
        models: Those that look at it; they take the same number of channels.
        number: Which of the visitor's pictures it is.
        max_pixels: Larger pictures are refused before they are decoded.

    Raises:
        ValueError: It cannot be read; the sentence says why.
    """
    channels = models[0].channels
    try:
        image = read_image(io.BytesIO(encoded), channels=channels, max_pixels=max_pixels)
    except UnreadableImage as error:
        raise ValueError(f"{name} cannot be opened: {str(error).removesuffix(' (max_pixels)')}") from None
    height, width = image.shape[:2]
    return Picture(
        number=number,
        name=name,
        size_hw=(height, width),
        encoded=encoded,
        channels=channels,
        shown=show_stored(image, _shown_size(height, width)),
        sights=tuple(model.look(image) for model in models),
    )


def _shown_size(height: int, width: int) -> tuple[int, int]:
    longer = max(height, width)
    scale = min(max(min(longer, _LONGEST_SHOWN), _SHORTEST_SHOWN) / longer, _MOST_ENLARGED)
    return max(1, round(height * scale)), max(1, round(width * scale))
