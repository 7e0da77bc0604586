"""Drawn scenes, a tiny model, and methods that know the truth or nothing at all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch

import rmae
from rmae.config.interactive import InteractiveConfig
from rmae.config.reading import ReadingConfig
from rmae.config.run import RunConfig
from rmae.evaluation.interactive.data import InteractiveData, choose_objects, open_data, read_masks
from rmae.evaluation.interactive.method import Answer, Click


@dataclass
class Oracle:
    """Answers with the object that the first click is on."""

    masks: dict[str, list[np.ndarray]]
    name: str = ""
    num_asked: int = 0

    def set_image(self, image: np.ndarray, name: str) -> None:
        self.name = name

    def segment(self, clicks: Sequence[Click]) -> Answer:
        self.num_asked += 1
        [found] = [mask for mask in self.masks[self.name] if mask[clicks[0].pixel]]
        return Answer(found, 1.0)


@dataclass
class Guesser:
    """Answers with half of all pixels, drawn at random."""

    generator: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))
    size_hw: tuple[int, int] = (0, 0)

    def set_image(self, image: np.ndarray, name: str) -> None:
        self.size_hw = (image.shape[0], image.shape[1])

    def segment(self, clicks: Sequence[Click]) -> Answer:
        return Answer(self.generator.random(self.size_hw) < 0.5)


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six pictures for validation with their objects; not to be changed."""
    return rmae.make_scenes(tmp_path_factory.mktemp("interactive") / "scenes", num_train=1, num_val=6, size_hw=(64, 64))


@pytest.fixture
def quick_config() -> InteractiveConfig:
    """A task of seconds."""
    return InteractiveConfig(
        max_objects=7,
        max_clicks=4,
        visible_shares=(0.1, 0.5),
        felzenszwalb_scale=50.0,
        grabcut_side=48,
        num_resamples=50,
        num_examples=2,
        reading=ReadingConfig(num_workers=0),
        run=RunConfig(accelerator="cpu", num_threads=1),
    )


@pytest.fixture(scope="session")
def scene_data(scenes: Path) -> InteractiveData:
    return open_data(InteractiveConfig(), scenes)


@pytest.fixture
def oracle(scene_data: InteractiveData) -> Oracle:
    """Of the scenes' objects."""
    choice = choose_objects(InteractiveConfig(), scene_data)
    names = scene_data.part.images.names
    return Oracle(
        {names[row]: list(read_masks(scene_data.part, row, numbers).values()) for row, numbers in choice.by_row.items()}
    )


@pytest.fixture
def guesser() -> Guesser:
    return Guesser()


@pytest.fixture
def build_tiny() -> Callable[..., rmae.MaskedAutoencoder]:
    """Build a model of a moment: build_tiny(seed=0, channels=3, ...)."""

    def build(seed: int = 0, **knobs) -> rmae.MaskedAutoencoder:
        config = rmae.ModelConfig(
            size="micro", img_size=32, patch_size=8, decoder_embed_dim=32, decoder_depth=1, decoder_num_heads=2,
            region_embed_dim=32, region_encoder_num_heads=2, region_decoder_num_heads=2, **knobs,
        )  # fmt: skip
        generator = torch.Generator().manual_seed(seed)
        with torch.random.fork_rng(devices=[]):  # layers draw weights of their own when they are made
            model = rmae.build_model(config, generator=generator)
        with torch.no_grad():
            for parameter in model.parameters():  # as initialised, biases and norms hide differences
                if parameter.requires_grad:
                    parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.05)
        return model

    return build
