"""Encoders whose maps are known beforehand, and pictures to look at."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from timm.models.vision_transformer import VisionTransformer

from rmae.config import EncoderConfig, ReadingConfig, RunConfig
from rmae.config.localisation import LocaliseConfig
from rmae.evaluation.encoder import Encoder
from rmae.scenes import make_scenes

MEAN, STD = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
PATCH = 8


@pytest.fixture(scope="session")
def tiny() -> LocaliseConfig:
    return LocaliseConfig(
        encoder=EncoderConfig(img_size=64, scratch_size="micro", scratch_patch_size=PATCH),
        num_resamples=200,
        eval_batch_size=4,
        num_examples=0,
        reading=ReadingConfig(num_workers=0),
        run=RunConfig(accelerator="cpu"),
    )


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten pictures for validation; not to be changed."""
    return make_scenes(tmp_path_factory.mktemp("scenes") / "scenes", num_train=1, num_val=10, size_hw=(64, 96))


@pytest.fixture
def random_encoder() -> Callable[..., Encoder]:
    """An encoder of random weights: random_encoder(seed=0, depth=2, num_heads=2, patch_size=8, **more)."""

    def build(*, seed: int = 0, depth: int = 2, num_heads: int = 2, patch_size: int = PATCH, **more: Any) -> Encoder:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            vit = VisionTransformer(
                img_size=8 * patch_size, patch_size=patch_size, embed_dim=16, depth=depth, num_heads=num_heads,
                num_classes=0, **more,
            )  # fmt: skip
            for name, weights in vit.named_parameters():
                if name.endswith("qkv.weight"):
                    torch.nn.init.normal_(weights, std=0.5)  # so that attention is not nearly even
        return Encoder(vit, MEAN, STD, f"random {seed}")

    return build


@pytest.fixture
def oracle() -> Encoder:
    """An encoder that sees colours and nothing else: patches attend to, and are like, those of their own colour.

    Red patches and blue ones become opposite vectors, and logits are so large that nothing is left for the others.
    """
    vit = VisionTransformer(img_size=64, patch_size=PATCH, embed_dim=4, depth=1, num_heads=1, num_classes=0)
    state = vit.state_dict()
    for name, weights in state.items():
        if "norm" not in name:
            weights.zero_()
    state["patch_embed.proj.weight"][:, 0] = torch.tensor([1.0, -1.0, 1.0, -1.0])[:, None, None]
    state["patch_embed.proj.weight"][:, 2] = torch.tensor([-1.0, 1.0, -1.0, 1.0])[:, None, None]
    state["blocks.0.attn.qkv.weight"][:8] = 50 * torch.eye(4).repeat(2, 1)
    return Encoder(vit, MEAN, STD, "oracle")


@pytest.fixture
def self_centred() -> Encoder:
    """An encoder whose patches attend to nothing but themselves: each knows its place, and no other thing."""
    vit = VisionTransformer(img_size=64, patch_size=PATCH, embed_dim=65, depth=1, num_heads=1, num_classes=0)
    state = vit.state_dict()
    for name, weights in state.items():
        if "norm" not in name:
            weights.zero_()
    state["pos_embed"][0] = torch.eye(65)
    state["blocks.0.attn.qkv.weight"][:130] = 50 * torch.eye(65).repeat(2, 1)
    return Encoder(vit, MEAN, STD, "self-centred")
