"""A model that all visitors share, and what it makes of one of their pictures."""

from pathlib import Path
from threading import Lock
from typing import NamedTuple

import numpy as np
import torch

from rmae.app.marks import Marks, to_prompt
from rmae.data.crops import Crop, crop_image
from rmae.data.images import READABLE_CHANNELS
from rmae.interactive.segmenter import ImageEmbedding, ObjectMask, Segmenter
from rmae.models.attention import attention_maps
from rmae.models.masked_autoencoder import MaskedAutoencoder
from rmae.models.weights import load


class Sight(NamedTuple):
    """What is kept of a picture for one model; a few megabytes, whatever the picture's size."""

    embedding: ImageEmbedding
    """For masks."""
    squeezed: np.ndarray
    """The picture at the model's size, shape (M, h, w), uint8 or uint16; for attention."""


class OpenedModel:
    """A model ready to answer; several threads may ask at once.

    Args:
        model: With a region branch that sees pixels; it is put into evaluation mode.
        name: What visitors read.

    Raises:
        ValueError: The model cannot outline objects, or takes pictures of a form that browsers do not have.
    """

    def __init__(self, model: MaskedAutoencoder, name: str) -> None:
        channels = model.config.channels
        if channels not in READABLE_CHANNELS:
            raise ValueError(
                f"{name} takes pictures of {channels} channels; the app reads those of "
                f"{', '.join(map(str, READABLE_CHANNELS))}, so take a model of one of these"
            )
        self.name = name
        self.channels = channels
        """Channels of the pictures that it takes."""
        self._segmenter = Segmenter(model)
        self._encoder_in_use = Lock()  # attention is read by hooks, which would also see what other threads encode

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        return self._segmenter.grid

    @property
    def num_layers(self) -> int:
        """Blocks of the encoder."""
        return len(self._segmenter.model.encoder.blocks)

    @property
    def num_heads(self) -> int:
        """Heads of each block's attention."""
        return self._segmenter.model.config.encoder_shape.num_heads

    def look(self, image: np.ndarray) -> Sight:
        """Look at a picture, shape (H, W, M), uint8 or uint16: the encoder runs once."""
        height, width = image.shape[:2]
        squeezed = crop_image(image, Crop(0, 0, height, width, False), self._segmenter.image_hw)
        with self._encoder_in_use:
            return Sight(self._segmenter.embed(image), squeezed)

    def outline(self, sight: Sight, marks: Marks, size_hw: tuple[int, int]) -> ObjectMask | None:
        """Outline the object that is marked.

        Args:
            sight: Of the picture.
            marks: In pixels of the picture.
            size_hw: Height and width at which the mask is wanted, for instance those at which it is shown: a mark
                costs less the smaller they are.

        Returns:
            The mask at this size, or None where nothing marks the object itself.
        """
        prompt = to_prompt(marks, sight.embedding.size_hw, size_hw)
        if prompt is None:
            return None
        return self._segmenter.segment(sight.embedding._replace(size_hw=size_hw), prompt)

    def attention(self, sight: Sight, patch: tuple[int, int], *, layer: int, head: int | None) -> np.ndarray:
        """What a patch attends to.

        Args:
            sight: Of the picture.
            patch: Row and column of the patch that asks.
            layer: Block of the encoder, from 0 on.
            head: Head of the block, from 0 on; None = the mean of all.

        Returns:
            Shape (rows, columns) float32, one value a patch; together with the class token they sum to 1.
        """
        rows, columns = self.grid
        pixels, model = torch.from_numpy(sight.squeezed).unsqueeze(0), self._segmenter.model
        images = self._segmenter.normalise(pixels).to(next(model.parameters()).device)
        ids_query = torch.tensor([[patch[0] * columns + patch[1]]], device=images.device)
        with self._encoder_in_use:
            maps = attention_maps(model.encoder, images, layers=[layer], ids_query=ids_query)
        to_patches = maps[0, 0, :, 0, -rows * columns :]  # (heads, L)
        chosen = to_patches.mean(dim=0) if head is None else to_patches[head]
        return chosen.reshape(rows, columns).float().cpu().numpy()


def open_model(source: str | Path | MaskedAutoencoder) -> OpenedModel:
    """Open a model from wherever it is.

    Args:
        source: What `rmae.load` takes, or a model.

    Raises:
        ValueError: There is nothing at the source, or no model that can outline objects.
    """
    if isinstance(source, MaskedAutoencoder):
        return OpenedModel(source, "model")
    return OpenedModel(load(source), Path(source).name or str(source))
