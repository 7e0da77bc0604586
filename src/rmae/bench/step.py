"""One training step on made-up data, to be timed."""

from itertools import count

import torch
from lightning_fabric import Fabric
from torch import Tensor

from rmae.config import LossConfig, ModelConfig, OptimizerConfig
from rmae.data.samples import Batch
from rmae.models.build import build_model, num_trainable_parameters
from rmae.models.losses import Losses
from rmae.training.finite import FiniteGuard
from rmae.training.optimizer import build_optimizer
from rmae.training.step import PretrainStep


class TrainingStep:
    """One update of the weights, as training makes it; a made-up batch stands ready on the device.

    Args:
        model: What to train.
        loss: How losses are weighted.
        batch_size: Images in a step.
        fabric: Device and precision.
        compiled: Whether to compile the forward half, as a whole.
        checkpoint_activations: Whether activations are computed again in the backward pass.
    """

    def __init__(
        self,
        model: ModelConfig,
        loss: LossConfig,
        *,
        batch_size: int,
        fabric: Fabric,
        compiled: bool = False,
        checkpoint_activations: bool = False,
    ) -> None:
        self._fabric = fabric
        self._model = build_model(model, generator=torch.Generator().manual_seed(0))
        self._model.set_grad_checkpointing(checkpoint_activations)
        self.num_parameters = num_trainable_parameters(self._model)
        half = (0.5,) * model.channels
        step = PretrainStep(self._model, loss, pixel_mean=half, pixel_std=half)
        self._optimizer = build_optimizer(self._model, OptimizerConfig())
        self._forward, self._wrapped_optimizer = fabric.setup(
            torch.compile(step, fullgraph=True) if compiled else step,  # pyright: ignore[reportArgumentType]
            self._optimizer,
        )
        self._guard = FiniteGuard(fabric.device, ("loss", "pixel_loss", "region_loss"))
        self._optimizer.found_inf = self._guard.found_inf  # pyright: ignore[reportAttributeAccessIssue]
        self._updates = count()
        self.batch = example_batch(model, batch_size=batch_size, device=fabric.device)

    def __call__(self) -> None:
        """Make one step on the batch that stands ready, and wait for its end."""
        self.update(self.batch)
        self.wait()

    def update(self, batch: Batch) -> None:
        """Forward pass, losses, backward pass, norm of the gradient, guard and optimiser; does not wait for the device.

        Args:
            batch: On the device.
        """
        losses = self.forward(batch)
        self._fabric.backward(losses.total)
        gradients = [p.grad for p in self._model.parameters() if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        self._guard.check(next(self._updates), torch.stack([*losses, norm]).detach().float())
        self._wrapped_optimizer.step()
        self._wrapped_optimizer.zero_grad()

    def forward(self, batch: Batch) -> Losses:
        """The forward pass and the losses of a batch on the device."""
        return self._forward(*batch.tensors())

    def wait(self) -> None:
        """Wait until the device has done what it was given."""
        if self._fabric.device.type == "cuda":
            torch.cuda.synchronize(self._fabric.device)

    def tensors(self) -> list[Tensor]:
        """What stays in memory between two steps: weights, state of the optimiser and data."""
        state = [value for group in self._optimizer.state.values() for value in group.values()]
        return [
            *self._model.parameters(),
            *self._model.buffers(),
            *(value for value in state if isinstance(value, Tensor)),
            *(value for value in self.batch.tensors() if value is not None),
        ]


def example_batch(model: ModelConfig, *, batch_size: int, device: torch.device) -> Batch:
    """A batch of noise of the shapes that a model takes, as a loader would bring it; the same every time.

    Args:
        model: Their shapes.
        batch_size: B.
        device: Where it is.

    Returns:
        Images of uint8; packed regions of half of the pixels, None where the model has no region branch.
    """
    generator = torch.Generator(device).manual_seed(0)

    def noise(*shape: int) -> Tensor:
        return torch.randint(256, (batch_size, *shape), dtype=torch.uint8, device=device, generator=generator)

    def permutation() -> Tensor:
        order = torch.rand(batch_size, rows * columns, device=device, generator=generator)
        return order.argsort(dim=1).to(torch.int32)

    (height, width), (rows, columns) = model.image_hw, model.grid
    return Batch(
        images=noise(model.channels, height, width),
        regions=noise(model.num_regions, height, (width + 7) // 8) if model.has_region_branch else None,
        ids_shuffle=permutation(),
        region_ids_shuffle=None if model.shared_mask else permutation(),
        skipped=(),
    )
