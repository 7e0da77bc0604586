"""Pre-train region-aware Vision Transformers on your own images (R-MAE)."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rmae.config import DataConfig, LossConfig, ModelConfig, OptimizerConfig, PretrainConfig, RunConfig
    from rmae.interruption import Stopped, TrainingStopped
    from rmae.models.build import build_model
    from rmae.models.losses import Losses, pretrain_losses
    from rmae.models.masked_autoencoder import MaskedAutoencoder, PretrainOutput, encode
    from rmae.models.reference import from_reference
    from rmae.models.weights import load
    from rmae.pack_runs import pack
    from rmae.presets import PRESETS, preset
    from rmae.region_runs import make_regions, show_regions
    from rmae.regions.coco_instances import CocoInstances
    from rmae.regions.coco_panoptic import CocoPanoptic
    from rmae.regions.felzenszwalb import Felzenszwalb, felzenszwalb
    from rmae.regions.grid import Grid
    from rmae.regions.inside import Inside
    from rmae.regions.live import Live
    from rmae.regions.random_masks import RandomMasks
    from rmae.regions.sam import SamJson
    from rmae.regions.segment_anything import SegmentAnything
    from rmae.regions.slic import Slic
    from rmae.regions.source import RegionSource
    from rmae.regions.stored import Stored
    from rmae.runs import pretrain, report
    from rmae.training.finite import NonFiniteError

_HOMES = {
    "CocoInstances": "rmae.regions.coco_instances",
    "CocoPanoptic": "rmae.regions.coco_panoptic",
    "DataConfig": "rmae.config",
    "Felzenszwalb": "rmae.regions.felzenszwalb",
    "Grid": "rmae.regions.grid",
    "Inside": "rmae.regions.inside",
    "Live": "rmae.regions.live",
    "LossConfig": "rmae.config",
    "Losses": "rmae.models.losses",
    "MaskedAutoencoder": "rmae.models.masked_autoencoder",
    "ModelConfig": "rmae.config",
    "NonFiniteError": "rmae.training.finite",
    "OptimizerConfig": "rmae.config",
    "PRESETS": "rmae.presets",
    "PretrainConfig": "rmae.config",
    "PretrainOutput": "rmae.models.masked_autoencoder",
    "RandomMasks": "rmae.regions.random_masks",
    "RegionSource": "rmae.regions.source",
    "RunConfig": "rmae.config",
    "SamJson": "rmae.regions.sam",
    "SegmentAnything": "rmae.regions.segment_anything",
    "Slic": "rmae.regions.slic",
    "Stopped": "rmae.interruption",
    "Stored": "rmae.regions.stored",
    "TrainingStopped": "rmae.interruption",
    "build_model": "rmae.models.build",
    "encode": "rmae.models.masked_autoencoder",
    "felzenszwalb": "rmae.regions.felzenszwalb",
    "from_reference": "rmae.models.reference",
    "load": "rmae.models.weights",
    "make_regions": "rmae.region_runs",
    "pack": "rmae.pack_runs",
    "preset": "rmae.presets",
    "pretrain": "rmae.runs",
    "pretrain_losses": "rmae.models.losses",
    "report": "rmae.runs",
    "show_regions": "rmae.region_runs",
}
__all__ = [
    "PRESETS", "CocoInstances", "CocoPanoptic", "DataConfig", "Felzenszwalb", "Grid", "Inside", "Live", "LossConfig",
    "Losses", "MaskedAutoencoder", "ModelConfig", "NonFiniteError", "OptimizerConfig", "PretrainConfig",
    "PretrainOutput", "RandomMasks", "RegionSource", "RunConfig", "SamJson", "SegmentAnything", "Slic", "Stopped",
    "Stored", "TrainingStopped", "build_model", "encode", "felzenszwalb", "from_reference", "load", "make_regions",
    "pack", "preset", "pretrain", "pretrain_losses", "report", "show_regions",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import rmae` and `rmae --help` are instant."""
    if name not in _HOMES:
        raise AttributeError(f"module 'rmae' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
