"""One training step on made-up data, to be timed."""

import torch
from lightning_fabric import Fabric
from torch import Tensor

from rmae.bench.macs import example_inputs
from rmae.config import LossConfig, ModelConfig, OptimizerConfig
from rmae.models.build import build_model, num_trainable_parameters
from rmae.training.optimizer import build_optimizer
from rmae.training.step import compute_losses


class TrainingStep:
    """Forward pass, losses, backward pass and update of the weights, not compiled; data stand ready on the device.

    Args:
        model: What to train.
        loss: How losses are weighted.
        batch_size: Images in a step.
        fabric: Device and precision.
    """

    def __init__(self, model: ModelConfig, loss: LossConfig, *, batch_size: int, fabric: Fabric) -> None:
        self._fabric = fabric
        self._loss = loss
        built = build_model(model, generator=torch.Generator().manual_seed(0))
        self.num_parameters = num_trainable_parameters(built)
        self._model, self._optimizer = fabric.setup(built, build_optimizer(built, OptimizerConfig()))
        self._inputs = example_inputs(model, batch_size=batch_size, device=fabric.device)

    def __call__(self) -> None:
        """Make one step, and wait for its end."""
        losses = compute_losses(self._model, self._inputs, self._loss)
        self._fabric.backward(losses.total)
        self._optimizer.step()
        self._optimizer.zero_grad()
        if self._fabric.device.type == "cuda":
            torch.cuda.synchronize()

    def tensors(self) -> list[Tensor]:
        """What stays in memory between two steps: weights, state of the optimiser and data."""
        state = [value for group in self._optimizer.state.values() for value in group.values()]
        return [
            *self._model.parameters(),
            *self._model.buffers(),
            *(value for value in state if isinstance(value, Tensor)),
            *(value for value in self._inputs if value is not None),
        ]
