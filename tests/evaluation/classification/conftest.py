"""Pictures and an encoder small enough to train in a moment."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from rmae.config import FinetuneConfig, KnnConfig, LinearConfig, OptimizerConfig, RunConfig
from rmae.config.encoder import EncoderConfig
from rmae.config.reading import ReadingConfig
from rmae.evaluation.encoder import Encoder
from rmae.models.build import initialise
from rmae.models.encoder import build_encoder
from rmae.training.ranks import open_ranks
from rmae.training.run_folder import RunFolder

SMALL = {
    "encoder": EncoderConfig(img_size=24, drop_path=0.2, layer_decay=0.8),
    "eval_batch_size": 5,
    "reading": ReadingConfig(num_workers=0),
    "run": RunConfig(accelerator="cpu", log_every=2, checkpoint_every=3),
}
OPTIMIZER = OptimizerConfig(epochs=None, updates=6, batch_size=8, base_lr=3e-2, warmup=0.2, betas=(0.9, 0.999))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Twenty pictures of three colours to train on and seven for validation, each of its own size and noise."""
    colours = {"blue": (60, 60, 190), "green": (60, 190, 60), "red": (190, 60, 60)}
    for part, number in (("train", 20), ("val", 7)):
        for index in range(number):
            name, colour = list(colours.items())[index % 3]
            folder = tmp_path / "pictures" / part / name
            folder.mkdir(parents=True, exist_ok=True)
            generator = np.random.default_rng([number, index])
            noise = generator.integers(-50, 50, (26 + index, 34, 3))
            Image.fromarray((np.array(colour) + noise).clip(0, 255).astype(np.uint8)).save(folder / f"{index:02}.png")
    return tmp_path / "pictures"


@pytest.fixture
def encoder() -> Callable[[], Encoder]:
    """Makes the same tiny encoder each time, for pictures of 32 pixels."""

    def make() -> Encoder:
        vit = build_encoder(
            img_size=(32, 32), patch_size=8, channels=3, embed_dim=32, depth=2, num_heads=2, mlp_ratio=2.0
        )
        initialise(vit, generator=torch.Generator().manual_seed(7))
        torch.nn.init.normal_(vit.norm.weight, mean=1.0, generator=torch.Generator().manual_seed(8))
        return Encoder(vit.requires_grad_(True), (0.5, 0.5, 0.5), (0.25, 0.25, 0.25), "tiny")

    return make


@pytest.fixture
def knn_config() -> KnnConfig:
    return KnnConfig(**SMALL, num_neighbors=(3, 200))


@pytest.fixture
def linear_config() -> LinearConfig:
    return LinearConfig(**SMALL, optimizer=replace(OPTIMIZER, base_lr=1.0, weight_decay=0.0))


@pytest.fixture
def finetune_config() -> FinetuneConfig:
    return FinetuneConfig(**SMALL, optimizer=OPTIMIZER)


@pytest.fixture
def change() -> Callable[..., Any]:
    """Change knobs of a configuration: change(config, pooling="token", optimizer={"updates": 3})."""

    def changed(config: Any, **knobs: Any) -> Any:
        values = {
            name: replace(getattr(config, name), **value) if isinstance(value, dict) else value
            for name, value in knobs.items()
        }
        return replace(config, **values)

    return changed


@pytest.fixture
def run(pictures: Path, encoder: Callable[[], Encoder], tmp_path: Path) -> Callable[..., tuple[dict, RunFolder]]:
    """Evaluate with a task's module in a folder of the test; returns the scores and the folder."""

    def evaluated(task: Any, config: Any, name: str = "run", *, tested: Encoder | None = None) -> Any:
        folder = RunFolder(tmp_path / name)
        folder.path.mkdir(exist_ok=True)
        with open_ranks(config.run) as ranks:
            data = task.open_data(config, pictures)
            scores = task.evaluate(config, tested or encoder(), data, folder, ranks)
        return scores, folder

    return evaluated
