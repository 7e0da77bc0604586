"""Every pair of choices of the method trains together; what cannot go together is refused."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from rmae import DataConfig, LossConfig, ModelConfig, build_model
from rmae.config import OptimizerConfig, PretrainConfig
from rmae.data.image_set import ImageSet
from rmae.data.layouts import list_images
from rmae.data.order import SampleKey
from rmae.data.samples import Batch, PretrainSamples, collate
from rmae.training.optimizer import build_optimizer
from rmae.training.step import PretrainStep

CHOICES: dict[str, tuple[Any, ...]] = {
    "task": ("rmae", "rae"),
    "region_variant": ("length", "batch", "channel"),
    "region_decoder_depth": (1, 2),
    "feeding": ("pixel_to_region", "region_to_pixel", "both", "none"),
    "masking": ("uniform", "region_visible", "region_biased"),
    "shared_mask": (True, False),
    "region_mask_ratio": (None, 0.5),
    "region_loss": ("bce", "l2"),
    "background_weight": (1.0, 0.3),
    "balance_area": (False, True),
}
OF_LOSS = {"region_loss", "background_weight", "balance_area"}
TINY = ModelConfig(
    img_size=32, patch_size=8, embed_dim=32, depth=1, num_heads=2, decoder_embed_dim=32, decoder_depth=2,
    decoder_num_heads=2, region_embed_dim=32, region_encoder_num_heads=2, region_decoder_num_heads=2, num_regions=3,
)  # fmt: skip


def configure(choice: dict[str, Any]) -> PretrainConfig:
    of_model = {name: value for name, value in choice.items() if name not in OF_LOSS}
    of_loss = {name: value for name, value in choice.items() if name in OF_LOSS}
    return PretrainConfig(
        model=replace(TINY, **of_model), data=DataConfig(regions=boxes, held_out=0), loss=LossConfig(**of_loss)
    )


def boxes(image: np.ndarray, name: str) -> np.ndarray:
    """Regions quick to make: bright pixels, the others, and the four quarters."""
    rows, columns = np.indices(image.shape[:2]) * 2 // np.array(image.shape[:2])[:, None, None]
    return np.stack([image[..., 0] > 128, rows * 2 + columns]).astype(np.int32)


def is_allowed(choice: dict[str, Any]) -> bool:
    regions_feed_pixels = choice["feeding"] in ("region_to_pixel", "both")
    if choice["task"] == "rae":
        return choice["feeding"] == "pixel_to_region"
    return not regions_feed_pixels or choice["region_variant"] == "length"


def combinations() -> Iterator[dict[str, Any]]:
    for values in itertools.product(*CHOICES.values()):
        yield dict(zip(CHOICES, values, strict=True))


def pairs(choice: dict[str, Any]) -> set[tuple[tuple[str, Any], tuple[str, Any]]]:
    return set(itertools.combinations(choice.items(), 2))


def covering() -> list[dict[str, Any]]:
    """Few allowed combinations, chosen greedily, in which every pair that any allows occurs."""
    allowed = [choice for choice in combinations() if is_allowed(choice)]
    generator = np.random.default_rng(0)
    left = set().union(*map(pairs, allowed))
    chosen = []
    while left:
        sample = [allowed[i] for i in generator.choice(len(allowed), 200, replace=False)]
        best = max(sample, key=lambda choice: len(pairs(choice) & left))
        if new := pairs(best) & left:
            chosen.append(best)
            left -= new
    return chosen


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(4):
        generator = np.random.default_rng(number)
        picture = generator.integers(0, 60, (40, 40, 3), dtype=np.uint8)
        top, left = generator.integers(0, 20, 2)
        picture[top : top + 18, left : left + 18] = generator.integers(140, 255, 3)
        Image.fromarray(picture).save(Path(folder) / f"{number}.png")
    return list_images(folder)


def first_batch(config: PretrainConfig, images: ImageSet) -> Batch:
    samples = PretrainSamples(images, data=config.data, model=config.model, seed=0)
    return collate([samples[SampleKey(0, index)] for index in range(4)])


@pytest.mark.parametrize("choice", covering(), ids=lambda choice: "-".join(str(value) for value in choice.values()))
def test_ten_steps_on_one_batch_lower_the_loss(choice: dict[str, Any], pictures: ImageSet):
    config = configure(choice)
    batch = first_batch(config, pictures)
    model = build_model(config.model, generator=torch.Generator().manual_seed(0))
    optimizer = build_optimizer(model, OptimizerConfig(base_lr=1e-3, batch_size=256))
    step = PretrainStep(model, config.loss, pixel_mean=(0.4, 0.4, 0.4), pixel_std=(0.3, 0.3, 0.3))
    losses = []
    for _ in range(10):
        losses.append(step(*batch.tensors()))
        losses[-1].total.backward()
        optimizer.step()
        optimizer.zero_grad()
    first, last = ([loss.item() for loss in of_step] for of_step in (losses[0], losses[-1]))
    assert all(map(math.isfinite, last))
    assert last[0] < first[0]
    if config.model.has_pixel_decoder:
        assert last[1] < first[1]
    assert last[2] < first[2]


def test_all_pairs_that_can_go_together_are_trained():
    covered = set().union(*map(pairs, covering()))
    possible = set().union(*(pairs(choice) for choice in combinations() if is_allowed(choice)))
    assert covered == possible
    every = {(one, other) for a, b in itertools.combinations(CHOICES, 2) for one in values(a) for other in values(b)}
    assert every - covered == {
        (("task", "rae"), ("feeding", "region_to_pixel")),
        (("task", "rae"), ("feeding", "both")),
        (("task", "rae"), ("feeding", "none")),
        *(
            (("region_variant", variant), ("feeding", feeding))
            for variant in ("batch", "channel")
            for feeding in ("region_to_pixel", "both")
        ),
    }


def values(name: str) -> list[tuple[str, Any]]:
    return [(name, value) for value in CHOICES[name]]


@pytest.mark.parametrize(
    "choice",
    [
        dict(zip(("task", "region_variant", "feeding"), values, strict=True))
        for values in itertools.product(("rmae", "rae"), CHOICES["region_variant"], CHOICES["feeding"])
    ],
    ids=lambda choice: "-".join(choice.values()),
)
def test_what_cannot_go_together_is_refused(choice: dict[str, Any]):
    if is_allowed(choice):
        assert configure(choice).model.feeding == choice["feeding"]
    else:
        with pytest.raises(ValueError, match=r"^(feeding|the task) is .*; take .*$"):
            configure(choice)
