import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from rmae.config import DataConfig, ModelConfig
from rmae.data.image_set import ImageSet
from rmae.data.layouts import list_images
from rmae.data.parquet import ParquetImages


@pytest.fixture
def photo_folder(tmp_path: Path) -> Callable[[int], ImageSet]:
    """Makes a folder of small pictures of different sizes, each of its own noise."""

    def make(number: int) -> ImageSet:
        folder = tmp_path / "photos"
        folder.mkdir(exist_ok=True)
        for i in range(number):
            pixels = np.random.default_rng(i).integers(0, 256, (20 + i, 30, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{i:02d}.png")
        return list_images(folder)

    return make


@pytest.fixture
def small_model() -> ModelConfig:
    return ModelConfig(
        img_size=(16, 24),
        patch_size=4,
        size="tiny",
        decoder_embed_dim=32,
        decoder_num_heads=4,
        mask_ratio=0.75,
        num_regions=3,
    )


def quarters(image: np.ndarray, name: str) -> np.ndarray:
    """A region source quick enough for tests: the four quarters of the image, and its bright pixels."""
    height, width = image.shape[:2]
    rows, columns = np.arange(height)[:, None] * 2 // height, np.arange(width) * 2 // width
    bright = np.where(image[..., 0] > 127, 7, -1)
    return np.stack([rows * 2 + columns, bright]).astype(np.int32)


@pytest.fixture
def quick_data() -> DataConfig:
    return DataConfig(regions=quarters)


@pytest.fixture
def open_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ParquetImages]:
    """Opens files with a cache in the test's folder; nothing of it reaches the network."""

    def refuse(*_: Any) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)

    def open_(*files: Path, **settings: Any) -> ParquetImages:
        return ParquetImages(files, cache_dir=tmp_path / "cache", **settings)

    return open_
