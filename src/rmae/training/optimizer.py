"""AdamW with the method's groups."""

import torch
from torch import nn

from rmae.config import OptimizerConfig


def build_optimizer(model: nn.Module, config: OptimizerConfig) -> torch.optim.AdamW:
    """Build fused AdamW; weight decay spares norms and biases only, tokens are decayed.

    Args:
        model: Its trainable parameters are optimised.
        config: Rates and decays.

    Returns:
        The optimiser, of two groups. Fused AdamW takes a flag `found_inf` that turns a step into nothing, on the
        device, without waiting for it.
    """
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in trainable if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in trainable if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.lr, betas=config.betas, fused=True)
