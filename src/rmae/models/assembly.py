"""A model from named tensors: parts without tensors are None, and no weight is ever left random."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from rmae.config import ModelConfig
from rmae.models.blocks import NORM_EPS
from rmae.models.build import compose_model
from rmae.models.masked_autoencoder import MaskedAutoencoder
from rmae.quoting import quoted

_PARTS = ("encoder", "pixel_decoder", "region_branch")


class SavedModel(NamedTuple):
    """A model as it lies in files: all that is needed to build it again."""

    config: ModelConfig
    tensors: Mapping[str, Tensor]
    """Weights by this project's names, any float dtype; those of a part that is missing are left out."""
    norm_eps: float = NORM_EPS
    """What layer norms add to the variance."""
    pixel_mean: tuple[float, ...] | None = None
    """Mean of each channel that images are normalised by, full scale = 1; None = not known."""
    pixel_std: tuple[float, ...] | None = None
    """Standard deviation of each channel, likewise."""

    def build(self) -> MaskedAutoencoder:
        """Build the model, float32; the errors are those of `assemble`."""
        model = assemble(self.config, self.tensors)
        set_norm_eps(model, self.norm_eps)
        model.pixel_mean, model.pixel_std = self.pixel_mean, self.pixel_std
        return model


def assemble(config: ModelConfig, tensors: Mapping[str, Tensor]) -> MaskedAutoencoder:
    """Build a model and give it weights.

    Args:
        config: What the tensors belong to.
        tensors: Weights by this project's names, any float dtype.

    Returns:
        The model, float32. The pixel decoder and the region branch are None where the tensors hold none of theirs.

    Raises:
        ValueError: A part is incomplete, a name is unknown, or a shape does not fit the configuration.
    """
    missing = [part for part in _PARTS[1:] if not any(name.startswith(f"{part}.") for name in tensors)]
    with torch.device("meta"):  # first without memory, of which a false configuration could ask for any amount
        _check(compose_model(config, without=missing), tensors)
    model = compose_model(config, without=missing)
    model.load_state_dict(dict(tensors))
    return model


def _check(model: MaskedAutoencoder, tensors: Mapping[str, Tensor]) -> None:
    """Raise a ValueError unless a model has these tensors, by name and shape."""
    wanted = model.state_dict()
    if missing := sorted(wanted.keys() - tensors.keys()):
        raise ValueError(f"the weights lack {len(missing)} tensors, {missing[0]!r} for one")
    if unknown := sorted(tensors.keys() - wanted.keys()):
        raise ValueError(
            f"the weights hold {len(unknown)} tensors that this model has not, {quoted(unknown[0])} for one"
        )
    for name, tensor in tensors.items():
        if tensor.shape != wanted[name].shape:
            found, fits = tuple(tensor.shape), tuple(wanted[name].shape)
            raise ValueError(f"the weights' {name!r} has shape {quoted(found)}; this model needs {fits}")
        if not tensor.is_floating_point():
            raise ValueError(f"the weights' {name!r} holds {tensor.dtype}; weights are floating-point numbers")


def norm_eps_of(model: MaskedAutoencoder) -> float:
    """What the layer norms of a model add to the variance."""
    norm = model.encoder.norm
    assert isinstance(norm, nn.LayerNorm)
    return norm.eps


def set_norm_eps(model: nn.Module, norm_eps: float) -> None:
    """Let all layer norms of a model add this to the variance."""
    for module in model.modules():
        if isinstance(module, nn.LayerNorm):
            module.eps = norm_eps
