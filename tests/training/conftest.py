"""A run small enough to train in a moment."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from rmae import DataConfig, Felzenszwalb, ModelConfig, OptimizerConfig, PretrainConfig, RunConfig
from rmae.data.layouts import list_images
from rmae.training.loop import train
from rmae.training.ranks import open_ranks
from rmae.training.run_folder import start_run

MODEL = ModelConfig(
    img_size=32, patch_size=8, embed_dim=32, depth=2, num_heads=2, decoder_embed_dim=16, decoder_depth=1,
    decoder_num_heads=2, region_embed_dim=16, region_encoder_num_heads=2, region_decoder_num_heads=2, num_regions=3,
)  # fmt: skip


@pytest.fixture
def config():
    return PretrainConfig(
        name="tiny",
        model=MODEL,
        data=DataConfig(regions=Felzenszwalb(scales=(20,)), num_workers=0),
        optimizer=OptimizerConfig(epochs=None, updates=6, batch_size=8, base_lr=1e-1, warmup=0.2),
        run=RunConfig(accelerator="cpu", log_every=2, checkpoint_every=3),
    )


@pytest.fixture
def images(tmp_path):
    """Twenty pictures of a bright box on a dark gradient."""
    folder = tmp_path / "images"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for number in range(20):
        picture = np.full((40, 44, 3), np.linspace(0, 90, 44)[:, None], dtype=np.uint8)
        top, left = generator.integers(0, 20, 2)
        picture[top : top + 16, left : left + 20] = generator.integers(120, 255, 3)
        Image.fromarray(picture).save(folder / f"{number:02}.png")
    return list_images(folder)


@pytest.fixture
def change():
    """Change knobs of a configuration: change(config, optimizer={"updates": 3})."""

    def changed(config, **parts):
        return replace(config, **{name: replace(getattr(config, name), **knobs) for name, knobs in parts.items()})

    return changed


@pytest.fixture
def run(images, tmp_path):
    """Train a configuration in a folder of the test; returns the folder."""

    def trained(config, name="run", *, resume=None):
        folder = resume or start_run(tmp_path / name, config, str(images.root), images)
        with open_ranks(config.run) as ranks:
            train(config, images, folder, ranks)
        return folder

    return trained
