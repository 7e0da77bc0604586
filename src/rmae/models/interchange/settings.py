"""What is saved beside a model's weights, as JSON."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from rmae.config import DataConfig, ModelConfig
from rmae.config_json import config_from_json, config_to_json
from rmae.models.assembly import SavedModel, norm_eps_of
from rmae.models.blocks import NORM_EPS
from rmae.models.masked_autoencoder import MaskedAutoencoder
from rmae.quoting import quoted

_LARGEST = 1e6  # of a mean or a deviation; not a number is none either
IMAGENET_MEAN, IMAGENET_STD = DataConfig.pixel_mean, DataConfig.pixel_std
"""What published weights of three channels were trained with, where they do not say."""


def settings_of(model: MaskedAutoencoder) -> dict[str, Any]:
    """A model's configuration and what else `SavedModel` holds but its tensors, as `json.dumps` takes it."""
    return {
        "model": config_to_json(model.config),
        "norm_eps": norm_eps_of(model),
        "pixel_mean": None if model.pixel_mean is None else list(model.pixel_mean),
        "pixel_std": None if model.pixel_std is None else list(model.pixel_std),
    }


def with_settings(settings: Mapping[str, Any], tensors: Mapping[str, Tensor], *, where: str) -> SavedModel:
    """Put tensors together with what `settings_of` gave.

    Args:
        settings: After a trip through JSON; what an older version did not write yet may be missing, but the model.
        tensors: By this project's names.
        where: Name of the file, for errors.

    Raises:
        ValueError: A setting is not what it must be.
    """
    config = config_from_json(ModelConfig, settings.get("model"), where=where)
    norm_eps = checked_norm_eps(settings.get("norm_eps", NORM_EPS), where=where)
    mean, std = read_statistics(settings, config.channels, where=where)
    return SavedModel(config, tensors, norm_eps, mean, std)


def checked_norm_eps(norm_eps: Any, *, where: str) -> float:
    """What layer norms add to the variance, if it is a number in (0, 1).

    Raises:
        ValueError: It is not.
    """
    if not isinstance(norm_eps, float) or not 0 < norm_eps < 1:
        raise ValueError(f"{where}: what layer norms add is {quoted(norm_eps)}; it must be a number between 0 and 1")
    return norm_eps


Statistics = tuple[tuple[float, ...], tuple[float, ...]] | tuple[None, None]
"""Mean and standard deviation of each channel, full scale = 1, or neither."""


def known_statistics(model: MaskedAutoencoder) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """What images are normalised by.

    Raises:
        ValueError: The model does not say.
    """
    if model.pixel_mean is None or model.pixel_std is None:
        raise ValueError(
            "the weights do not tell what images were normalised by, which the exported folder has to say; give a mean "
            "and a standard deviation for each channel, full scale = 1 (--pixel-mean, --pixel-std; or the model's "
            "pixel_mean and pixel_std)"
        )
    return model.pixel_mean, model.pixel_std


def read_statistics(
    settings: Mapping[str, Any],
    channels: int,
    *,
    where: str,
    names: tuple[str, str] = ("pixel_mean", "pixel_std"),
) -> Statistics:
    """What images are normalised by, where the settings tell.

    Args:
        settings: JSON that may hold both, a number a channel each.
        channels: Channels of an image.
        where: Name of the file, for errors.
        names: What they are called there.

    Raises:
        ValueError: They are no numbers, or not as many as there are channels.
    """
    if all(settings.get(name) is None for name in names):
        return None, None
    mean, std = (_numbers(settings.get(name), channels, what=f"{where}: {name}") for name in names)
    if not all(value > 0 for value in std):
        raise ValueError(f"{where}: {names[1]} is {quoted(list(std))}; each value must be above 0")
    return mean, std


def _numbers(values: Any, channels: int, *, what: str) -> tuple[float, ...]:
    is_list = isinstance(values, list | tuple) and len(values) == channels
    if not is_list or not all(isinstance(value, int | float) and abs(value) <= _LARGEST for value in values):
        raise ValueError(f"{what} is {quoted(values)}; it must be {channels} numbers, one a channel")
    return tuple(float(value) for value in values)
