"""Weights for other tools, as they read them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, assert_never

from torch import Tensor

from rmae.files import whole_folder, write_json
from rmae.models.interchange.settings import settings_of
from rmae.models.interchange.timm_vit import timm_config, timm_tensors
from rmae.models.interchange.transformers_vit import (
    Architecture,
    transformers_config,
    transformers_preprocessor,
    transformers_tensors,
)
from rmae.models.interchange.vitdet import to_vitdet
from rmae.models.masked_autoencoder import MaskedAutoencoder
from rmae.models.reference import to_reference
from rmae.models.weights.folder import (
    SCALARS,
    TENSORS,
    float32,
    refuse_other_contents,
)
from rmae.models.weights.loading import NOTE, note_of
from rmae.models.weights.tensor_files import write_safetensors, write_torch

_PREPROCESSOR = "preprocessor_config.json"


class Export(NamedTuple):
    """Weights written for another tool."""

    path: Path
    """The folder or file."""
    left_out: tuple[str, ...]
    """Parts of the model that it has no place for."""


def export_timm(model: MaskedAutoencoder, folder: str | Path) -> Export:
    """Write the pixel encoder as a folder of timm's hub format.

    `timm.create_model("local-dir:FOLDER", pretrained=True)` builds it, with the same features; so does its upload by
    `timm.create_model("hf-hub:org/name", pretrained=True)`. timm's norms add 1e-6 to the variance, as this project's
    own do.

    Args:
        model: The model; its `pixel_mean` and `pixel_std` must be known.
        folder: New, empty, or an earlier export, which is replaced.

    Returns:
        Where it is, and what was left out: the pixel decoder and the region branch, where the model has them.

    Raises:
        ValueError: There is something else in the folder, or the model does not say what images are normalised by.
    """
    _write_folder(Path(folder), timm_tensors(model), {SCALARS: timm_config(model)})
    return Export(Path(folder), _left_out(model, "pixel_decoder", "region_branch"))


def export_transformers(
    model: MaskedAutoencoder,
    folder: str | Path,
    *,
    architecture: Architecture = "vit",
    norm_pix_loss: bool = True,
) -> Export:
    """Write a folder that transformers' `from_pretrained` reads.

    Args:
        model: The model; its `pixel_mean` and `pixel_std` must be known.
        folder: New, empty, or an earlier export, which is replaced.
        architecture: "vit" = the encoder, as `ViTModel`, whose `last_hidden_state` are the features, class token first,
            and whose pooler gives the class token; "vit_mae" = encoder and pixel decoder, as `ViTMAEForPreTraining`.
        norm_pix_loss: Whether the loss of "vit_mae" normalises each patch, as the model's training did.

    Returns:
        Where it is, and what was left out.

    Raises:
        ValueError: There is something else in the folder, the model does not say what images are normalised by, or
            "vit_mae" cannot hold it: it has no pixel decoder, or its images are not square.
    """
    settings = {
        SCALARS: transformers_config(model, architecture, norm_pix_loss=norm_pix_loss),
        _PREPROCESSOR: transformers_preprocessor(model),
    }
    _write_folder(Path(folder), transformers_tensors(model, architecture), settings)
    match architecture:
        case "vit":
            return Export(Path(folder), _left_out(model, "pixel_decoder", "region_branch"))
        case "vit_mae":
            return Export(Path(folder), _left_out(model, "region_branch"))
        case _:
            assert_never(architecture)


def export_detectron2(model: MaskedAutoencoder, file: str | Path) -> Export:
    """Write a `.pth` file whose "model" holds the weights of detectron2's ViTDet backbone.

    All that ViTDet has no place for stands in the file beside them, for `load`, which gives the same model back.

    Args:
        model: The model, of square images and with a patch size divisible by 4.
        file: Ends in `.pth`; replaced if it exists.

    Returns:
        Where it is; nothing is left out.

    Raises:
        ValueError: ViTDet has no such backbone, or the name cannot be one of a file.
    """
    backbone, rest = to_vitdet(model)
    return _write_file(Path(file), model, backbone, rest)


def export_reference(model: MaskedAutoencoder, file: str | Path) -> Export:
    """Write a `.pth` file whose "model" holds the weights by the names of the reference code for MAE and R-MAE.

    Args:
        model: The model; a region branch must be the paper's, of the `length` variant and fed by the pixels.
        file: Ends in `.pth`; replaced if it exists.

    Returns:
        Where it is; nothing is left out.

    Raises:
        ValueError: The reference code has no names for the model's choices, or the name cannot be one of a file.
    """
    return _write_file(Path(file), model, to_reference(model), {})


def _left_out(model: MaskedAutoencoder, *parts: str) -> tuple[str, ...]:
    return tuple(part.replace("_", " ") for part in parts if getattr(model, part) is not None)


def _write_folder(folder: Path, tensors: Mapping[str, Tensor], settings: Mapping[str, Mapping[str, Any]]) -> None:
    folder = folder.resolve()
    refuse_other_contents(folder, {TENSORS, SCALARS, _PREPROCESSOR}, what="an export")
    with whole_folder(folder) as partial:
        write_safetensors(partial / TENSORS, float32(tensors))
        for name, values in settings.items():
            write_json(partial / name, values)


def _write_file(
    file: Path, model: MaskedAutoencoder, tensors: Mapping[str, Tensor], rest: Mapping[str, Tensor]
) -> Export:
    if file.suffix != ".pth":
        raise ValueError(f"the file to write is {file}; its name must end in .pth, by which others know what it is")
    if file.is_dir():
        raise ValueError(f"{file} is a folder; name a file")
    note = note_of(settings_of(model), float32(rest))
    file.parent.mkdir(parents=True, exist_ok=True)
    write_torch(file, {"model": float32(tensors), NOTE: note})
    return Export(file, ())
