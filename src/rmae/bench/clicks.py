"""What a picture and a click cost in interactive segmentation, step by step."""

from typing import Any

import numpy as np
import torch

from rmae.bench.machine import describe_machine
from rmae.bench.stopwatch import time_side_by_side
from rmae.config import ModelConfig
from rmae.interactive.prompts import Prompt, known_region
from rmae.interactive.segmenter import Segmenter
from rmae.models.build import build_model

_PACKAGES = ("torch", "torchvision", "timm", "numpy", "scipy")


def measure_clicks(
    config: ModelConfig, *, size_hw: tuple[int, int], num_views: int | None, num_threads: int, repeats: int
) -> dict[str, Any]:
    """Time a click beside the look at the picture that all clicks share, on the CPU, with random weights.

    Args:
        config: The model; of a task with regions.
        size_hw: Height and width of the picture in pixels.
        num_views: In how many views the neck sees it; None = as many as `Segmenter` takes.
        num_threads: Threads that torch works with.
        repeats: How often everything is timed, at least 1.

    Returns:
        Medians in milliseconds, by name, with what they were measured on; `branch_over_look` is the share of the region
        branch's time for a click in that of encoder and neck for a picture.

    Raises:
        ValueError: The model cannot answer clicks, or `num_views` is out of range.
    """
    torch.set_num_threads(num_threads)
    model = build_model(config, generator=torch.Generator().manual_seed(0))
    model.pixel_mean = model.pixel_std = (0.5,) * config.channels
    segmenter = Segmenter(model, num_views=num_views)
    height, width = size_hw
    picture = np.random.default_rng(0).integers(0, 256, (height, width, config.channels), dtype=np.uint8)
    embedding = segmenter.embed(picture)
    once = Prompt(points_xy=((width * 0.4, height * 0.5),), positive=(True,))
    often = Prompt(
        points_xy=tuple((width * (0.1 + 0.04 * i), height * 0.5) for i in range(20)),
        positive=tuple(i % 2 == 0 for i in range(20)),
    )
    known = known_region(once, size_hw, model_hw=segmenter.image_hw, patch_size=segmenter.patch_size)
    milliseconds = time_side_by_side(
        {
            "look": lambda: segmenter.embed(picture),
            "branch": lambda: segmenter.predict_region(embedding, known),
            "click": lambda: segmenter.segment(embedding, once),
            "click_after_19": lambda: segmenter.segment(embedding, often),
        },
        repeats=repeats,
    )
    return {
        "ms": milliseconds,
        "branch_over_look": milliseconds["branch"] / milliseconds["look"],
        "size_hw": list(size_hw),
        "num_views": len(embedding.contexts),
        "threads": num_threads,
        "repeats": repeats,
        "machine": describe_machine(_PACKAGES),
    }
