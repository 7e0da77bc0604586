"""Counting the multiply-accumulates of a training step."""

from typing import NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from rmae.config import LossConfig, ModelConfig
from rmae.models.build import build_model
from rmae.training.step import ModelInput, compute_losses


class StepMacs(NamedTuple):
    """Multiply-accumulates (MAC) of a training step for one image; a MAC is two floating-point operations."""

    forward: int
    """The whole forward pass; matrix products alone are counted, of attention too."""
    backward: int
    """The whole backward pass, without recomputing anything."""
    region_branch: int
    """Of the forward pass: region encoder, neck and region decoder."""
    neck: int
    """Of the region branch: the neck."""


def count_macs(model: ModelConfig, loss: LossConfig | None = None, *, batch_size: int = 1) -> StepMacs:
    """Count a step with torch's own counter, on tensors without data: the same on every machine, in a moment.

    Args:
        model: What to count.
        loss: How losses are weighted; None = the defaults.
        batch_size: Images that share what is done once for all of them: the neck of regions that see no pixels.

    Returns:
        Counts for one image of `model.img_size` with `model.num_regions` regions, rounded down.
    """
    with torch.device("meta"):
        built = build_model(model)
    inputs = example_inputs(model, batch_size=batch_size, device=torch.device("meta"))
    with FlopCounterMode(display=False) as forward:
        losses = compute_losses(built, inputs, loss or LossConfig())
    with FlopCounterMode(display=False) as backward:
        losses.total.backward()
    root, by_module = type(built).__name__, forward.get_flop_counts()
    flops = (
        forward.get_total_flops(),
        backward.get_total_flops(),
        sum(by_module.get(f"{root}.region_branch", {}).values()),
        sum(by_module.get(f"{root}.region_branch.neck", {}).values()),
    )
    return StepMacs(*(number // (2 * batch_size) for number in flops))


def example_inputs(model: ModelConfig, *, batch_size: int, device: torch.device) -> ModelInput:
    """Random images, regions and permutations of the shapes that a model takes.

    Args:
        model: Their shapes.
        batch_size: B.
        device: Where they are; `meta` works.

    Returns:
        Images of unit variance; regions of half of the pixels, None where the model has no region branch.
    """
    height, width = model.image_hw
    rows, columns = model.grid
    images = torch.randn(batch_size, model.channels, height, width, device=device)
    regions = None
    if model.has_region_branch:
        regions = torch.rand(batch_size, model.num_regions, height, width, device=device) < 0.5
    masks = [torch.rand(batch_size, rows * columns, device=device).argsort(dim=1) for _ in range(2)]
    return ModelInput(images, regions, masks[0], None if model.shared_mask else masks[1])
