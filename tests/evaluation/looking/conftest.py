"""What tests of looking at models share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import rmae
from rmae.evaluation.looking.subject import Subject, open_subjects

TINY = dict(
    img_size=(32, 48), patch_size=8, embed_dim=32, depth=2, num_heads=2, decoder_embed_dim=16, decoder_depth=1,
    decoder_num_heads=2, region_embed_dim=16, region_encoder_num_heads=2, region_decoder_num_heads=2,
    num_regions=3,
)  # fmt: skip


@pytest.fixture
def save_model(tmp_path: Path) -> Callable[..., Path]:
    """Saves a small model of random weights under a name; returns its folder."""

    def save(name: str = "mine", *, seed: int = 0, **changes: Any) -> Path:
        config = rmae.ModelConfig(**TINY | changes)
        model = rmae.build_model(config, generator=torch.Generator().manual_seed(seed))
        model.pixel_mean = tuple(0.4 + i / 32 for i in range(config.channels))
        model.pixel_std = tuple(0.2 + i / 32 for i in range(config.channels))
        model.save_pretrained(tmp_path / name)
        return tmp_path / name

    return save


@pytest.fixture
def make_subject(save_model: Callable[..., Path]) -> Callable[..., Subject]:
    """Makes such a model and opens it."""

    def make(**changes: Any) -> Subject:
        [subject] = open_subjects([save_model(**changes)], img_size=None, seed=0)
        return subject

    return make
