"""Exporting weights for other tools."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from rmae.cli.parsing import parse

if TYPE_CHECKING:
    from rmae.models.masked_autoencoder import MaskedAutoencoder
    from rmae.models.weights import Export

# The classes below are the help that users see.


@dataclass(frozen=True, kw_only=True)
class _Source:
    """Where the weights are, and what is to be changed before they are written."""

    source: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="SOURCE")]
    """A run, a checkpoint, a folder or file of weights, or a hub id: whatever rmae.load takes."""
    img_size: int | tuple[int, int] | None = None
    """Side, or height and width, in pixels of the images to come: positions are resampled; None = as trained."""
    patch_size: int | None = None
    """Side of a patch in pixels: the patch projection is resampled, decoders are left out; None = as trained."""
    num_heads: int | None = None
    """Attention heads of the encoder, for a file of bare weights that does not tell; None = found out."""
    pixel_mean: tuple[float, ...] | None = None
    """Mean of each channel that images are normalised by, full scale = 1; None = as the source says."""
    pixel_std: tuple[float, ...] | None = None
    """Standard deviation of each channel, full scale = 1, above 0; None = as the source says."""


@dataclass(frozen=True, kw_only=True)
class _ToFolder(_Source):
    """Exports that are folders."""

    out: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OUT")]
    """Folder to write, new, empty or of an earlier export."""


@dataclass(frozen=True, kw_only=True)
class _ToFile(_Source):
    """Exports that are files."""

    out: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OUT")]
    """File to write, ending in .pth; replaced if it exists."""


@dataclass(frozen=True, kw_only=True)
class TimmArguments(_ToFolder):
    """Write the pixel encoder as a folder that timm.create_model("local-dir:OUT", pretrained=True) reads."""


@dataclass(frozen=True, kw_only=True)
class TransformersArguments(_ToFolder):
    """Write a folder that transformers reads: AutoModel.from_pretrained("OUT"), and its image processor."""

    architecture: Literal["vit", "vit_mae"] = "vit"
    """vit = the encoder (ViTModel), vit_mae = encoder and pixel decoder (ViTMAEForPreTraining)."""
    norm_pix_loss: bool | None = None
    """Whether the loss of vit_mae normalises each patch; None = as the run did, and yes for other sources."""


@dataclass(frozen=True, kw_only=True)
class Detectron2Arguments(_ToFile):
    """Write the weights of detectron2's ViTDet backbone as a file for train.init_checkpoint.

    What ViTDet has no place for stands in the file beside its weights, so that rmae.load gives the same model back.
    """


@dataclass(frozen=True, kw_only=True)
class ReferenceArguments(_ToFile):
    """Write all weights by the names of the published code for MAE and R-MAE."""


def timm(arguments: list[str]) -> None:
    """Export the pixel encoder for timm."""
    chosen = parse(TimmArguments, "export timm", arguments)

    from rmae.models.weights import export_timm

    _tell(export_timm(_open(chosen), chosen.out))


def transformers(arguments: list[str]) -> None:
    """Export the pixel encoder, or the whole MAE, for transformers."""
    chosen = parse(TransformersArguments, "export transformers", arguments)

    from rmae.models.weights import export_transformers

    model = _open(chosen)
    norm_pix_loss = _normalises_pixels(chosen.source) if chosen.norm_pix_loss is None else chosen.norm_pix_loss
    _tell(export_transformers(model, chosen.out, architecture=chosen.architecture, norm_pix_loss=norm_pix_loss))


def detectron2(arguments: list[str]) -> None:
    """Export the pixel encoder as ViTDet's backbone."""
    chosen = parse(Detectron2Arguments, "export detectron2", arguments)

    from rmae.models.interchange.vitdet import vitdet_settings
    from rmae.models.weights import export_detectron2

    model = _open(chosen)
    _tell(export_detectron2(model, chosen.out))
    print("settings of the detectron2 config that fit these weights:")
    for name, value in vitdet_settings(model).items():
        print(f"  model.backbone.net.{name} = {value}")


def reference(arguments: list[str]) -> None:
    """Export all parts by the names of the reference code."""
    chosen = parse(ReferenceArguments, "export reference", arguments)

    from rmae.models.weights import export_reference

    _tell(export_reference(_open(chosen), chosen.out))


def _open(chosen: _Source) -> "MaskedAutoencoder":
    """The model as it is to be exported."""
    from rmae.models.resizing import resize
    from rmae.models.weights import load

    model = load(chosen.source, num_heads=chosen.num_heads)
    if chosen.img_size is not None or chosen.patch_size is not None:
        model = resize(model, img_size=chosen.img_size, patch_size=chosen.patch_size)
    if chosen.pixel_mean is not None:
        model.pixel_mean = _one_a_channel("pixel-mean", chosen.pixel_mean, model.config.channels)
    if chosen.pixel_std is not None:
        model.pixel_std = _one_a_channel("pixel-std", chosen.pixel_std, model.config.channels)
        if min(model.pixel_std) <= 0:
            raise ValueError(f"--pixel-std is {model.pixel_std}; each value must be above 0")
    return model


def _one_a_channel(flag: str, values: tuple[float, ...], channels: int) -> tuple[float, ...]:
    if len(values) != channels:
        raise ValueError(f"--{flag} has {len(values)} value(s), but images have {channels} channels; give one for each")
    if not all(map(math.isfinite, values)):
        raise ValueError(f"--{flag} is {values}; each value must be finite")
    return values


def _normalises_pixels(source: str) -> bool:
    """Whether a run's loss normalised each patch; what is no run is taken to have done as MAE does."""
    from rmae.models.weights import CHECKPOINTS
    from rmae.training.run_folder import read_run

    path = Path(source).absolute()
    run = path.parents[1] if path.parent.name == CHECKPOINTS else path
    if not (run / CHECKPOINTS).is_dir():
        return True
    return read_run(run).settings.get("loss", {}).get("normalize_pixels", True)


def _tell(export: "Export") -> None:
    print(f"exported: {export.path}")
    if export.left_out:
        print(f"left out, since there is no place for it: the {' and the '.join(export.left_out)}")
