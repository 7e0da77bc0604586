"""A model from named tensors: parts without tensors are None, and no weight is ever left random."""

from collections.abc import Mapping

from torch import Tensor

from rmae.config import ModelConfig
from rmae.models.build import compose_model
from rmae.models.masked_autoencoder import MaskedAutoencoder

_PARTS = ("encoder", "pixel_decoder", "region_branch")


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
    model = compose_model(config)
    for part in _PARTS[1:]:
        if not any(name.startswith(f"{part}.") for name in tensors):
            setattr(model, part, None)
    wanted = model.state_dict()
    if missing := sorted(wanted.keys() - tensors.keys()):
        raise ValueError(f"the weights lack {len(missing)} tensors, {missing[0]!r} for one")
    if unknown := sorted(tensors.keys() - wanted.keys()):
        raise ValueError(f"the weights hold {len(unknown)} tensors that this model has not, {unknown[0]!r} for one")
    for name, tensor in tensors.items():
        if tensor.shape != wanted[name].shape:
            found, fits = tuple(tensor.shape), tuple(wanted[name].shape)
            raise ValueError(f"the weights' {name!r} has shape {found}; this model needs {fits}")
    model.load_state_dict(dict(tensors))
    return model
