from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rmae.config import DataConfig, ModelConfig, OptimizerConfig, PretrainConfig, RunConfig


@pytest.fixture(scope="session")
def tiny_config() -> PretrainConfig:
    """An R-MAE that trains on a few small images within a second on a CPU."""
    return PretrainConfig(
        name="tiny",
        model=ModelConfig(
            img_size=32,
            patch_size=8,
            embed_dim=32,
            depth=1,
            num_heads=2,
            decoder_embed_dim=32,
            decoder_depth=1,
            decoder_num_heads=2,
            region_embed_dim=16,
            region_encoder_num_heads=2,
            region_decoder_num_heads=2,
        ),
        data=DataConfig(num_regions=3, num_workers=0),
        optimizer=OptimizerConfig(epochs=None, updates=4, batch_size=4, base_lr=0.05),
        run=RunConfig(accelerator="cpu", log_every=1, checkpoint_every=2),
    )


@pytest.fixture
def photo_folder(tmp_path: Path) -> Path:
    """A folder of six small pictures, each of its own size and noise, one half of it brighter than the other."""
    return _write_photos(tmp_path / "photos")


@pytest.fixture(scope="session")
def lasting_photo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `photo_folder`, for what is made once; not to be changed."""
    return _write_photos(tmp_path_factory.mktemp("lasting") / "photos")


def _write_photos(folder: Path) -> Path:
    folder.mkdir()
    for i in range(6):
        height, width = 48 + 4 * i, 80 - 4 * i
        noise = np.random.default_rng(i).integers(0, 64, (height, width, 3))
        noise[:, width // 2 :] += 128
        Image.fromarray(noise.astype(np.uint8)).save(folder / f"{i}.png")
    return folder
