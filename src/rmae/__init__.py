"""Pre-train region-aware Vision Transformers on your own images (R-MAE)."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rmae.app.server import serve
    from rmae.config import (
        DataConfig,
        DetectConfig,
        EncoderConfig,
        FinetuneConfig,
        InteractiveConfig,
        KnnConfig,
        LinearConfig,
        LocaliseConfig,
        LossConfig,
        ModelConfig,
        OptimizerConfig,
        PretrainConfig,
        ReadingConfig,
        RunConfig,
        SegmentConfig,
        VisualizeConfig,
    )
    from rmae.evaluation.folder import Evaluation
    from rmae.evaluation.presets import evaluation_preset
    from rmae.evaluation_runs import evaluate
    from rmae.interactive.prompts import Prompt
    from rmae.interactive.segmenter import ImageEmbedding, ObjectMask, Segmenter
    from rmae.interruption import Stopped, TrainingStopped
    from rmae.models.build import build_model
    from rmae.models.losses import Losses, pretrain_losses
    from rmae.models.masked_autoencoder import MaskedAutoencoder, PretrainOutput, encode
    from rmae.models.reference import from_reference
    from rmae.models.resizing import resize
    from rmae.models.weights import Export, export_detectron2, export_reference, export_timm, export_transformers, load
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
    from rmae.regions.sam_json import SamJson
    from rmae.regions.segment_anything import SegmentAnything
    from rmae.regions.slic import Slic
    from rmae.regions.source import RegionSource
    from rmae.regions.stored import Stored
    from rmae.reproduction.plan import CutOutFolders
    from rmae.reproduction.reproduce import reproduce, reproduce_commands
    from rmae.runs import pretrain, report
    from rmae.scenes.class_layout import make_class_scenes
    from rmae.scenes.coco_layout import make_scenes
    from rmae.scenes.cut_out_files import CutOutFiles, read_cut_outs
    from rmae.scenes.cut_out_scenes import make_cut_out_classes, make_cut_out_scenes
    from rmae.training.finite import NonFiniteError
    from rmae.visualize_runs import visualize

_HOMES = {
    "CocoInstances": "rmae.regions.coco_instances",
    "CocoPanoptic": "rmae.regions.coco_panoptic",
    "CutOutFiles": "rmae.scenes.cut_out_files",
    "CutOutFolders": "rmae.reproduction.plan",
    "DataConfig": "rmae.config",
    "DetectConfig": "rmae.config",
    "EncoderConfig": "rmae.config",
    "Evaluation": "rmae.evaluation.folder",
    "Export": "rmae.models.weights",
    "Felzenszwalb": "rmae.regions.felzenszwalb",
    "FinetuneConfig": "rmae.config",
    "Grid": "rmae.regions.grid",
    "Inside": "rmae.regions.inside",
    "ImageEmbedding": "rmae.interactive.segmenter",
    "InteractiveConfig": "rmae.config",
    "KnnConfig": "rmae.config",
    "LinearConfig": "rmae.config",
    "Live": "rmae.regions.live",
    "LocaliseConfig": "rmae.config",
    "LossConfig": "rmae.config",
    "Losses": "rmae.models.losses",
    "MaskedAutoencoder": "rmae.models.masked_autoencoder",
    "ModelConfig": "rmae.config",
    "NonFiniteError": "rmae.training.finite",
    "ObjectMask": "rmae.interactive.segmenter",
    "OptimizerConfig": "rmae.config",
    "PRESETS": "rmae.presets",
    "PretrainConfig": "rmae.config",
    "PretrainOutput": "rmae.models.masked_autoencoder",
    "Prompt": "rmae.interactive.prompts",
    "RandomMasks": "rmae.regions.random_masks",
    "ReadingConfig": "rmae.config",
    "RegionSource": "rmae.regions.source",
    "RunConfig": "rmae.config",
    "SamJson": "rmae.regions.sam_json",
    "SegmentAnything": "rmae.regions.segment_anything",
    "SegmentConfig": "rmae.config",
    "Segmenter": "rmae.interactive.segmenter",
    "Slic": "rmae.regions.slic",
    "Stopped": "rmae.interruption",
    "Stored": "rmae.regions.stored",
    "TrainingStopped": "rmae.interruption",
    "VisualizeConfig": "rmae.config",
    "build_model": "rmae.models.build",
    "encode": "rmae.models.masked_autoencoder",
    "evaluate": "rmae.evaluation_runs",
    "evaluation_preset": "rmae.evaluation.presets",
    "export_detectron2": "rmae.models.weights",
    "export_reference": "rmae.models.weights",
    "export_timm": "rmae.models.weights",
    "export_transformers": "rmae.models.weights",
    "felzenszwalb": "rmae.regions.felzenszwalb",
    "from_reference": "rmae.models.reference",
    "load": "rmae.models.weights",
    "make_class_scenes": "rmae.scenes.class_layout",
    "make_cut_out_classes": "rmae.scenes.cut_out_scenes",
    "make_cut_out_scenes": "rmae.scenes.cut_out_scenes",
    "make_regions": "rmae.region_runs",
    "make_scenes": "rmae.scenes.coco_layout",
    "pack": "rmae.pack_runs",
    "preset": "rmae.presets",
    "pretrain": "rmae.runs",
    "pretrain_losses": "rmae.models.losses",
    "read_cut_outs": "rmae.scenes.cut_out_files",
    "report": "rmae.runs",
    "reproduce": "rmae.reproduction.reproduce",
    "reproduce_commands": "rmae.reproduction.reproduce",
    "resize": "rmae.models.resizing",
    "serve": "rmae.app.server",
    "show_regions": "rmae.region_runs",
    "visualize": "rmae.visualize_runs",
}
__all__ = [
    "PRESETS", "CocoInstances", "CocoPanoptic", "CutOutFiles", "CutOutFolders", "DataConfig", "DetectConfig",
    "EncoderConfig", "Evaluation", "Export", "Felzenszwalb", "FinetuneConfig", "Grid", "ImageEmbedding", "Inside",
    "InteractiveConfig", "KnnConfig", "LinearConfig", "Live", "LocaliseConfig", "LossConfig", "Losses",
    "MaskedAutoencoder", "ModelConfig", "NonFiniteError", "ObjectMask", "OptimizerConfig", "PretrainConfig",
    "PretrainOutput", "Prompt", "RandomMasks", "ReadingConfig", "RegionSource", "RunConfig", "SamJson",
    "SegmentAnything", "SegmentConfig", "Segmenter", "Slic", "Stopped", "Stored", "TrainingStopped", "VisualizeConfig",
    "build_model", "encode", "evaluate", "evaluation_preset", "export_detectron2", "export_reference", "export_timm",
    "export_transformers", "felzenszwalb", "from_reference", "load", "make_class_scenes", "make_cut_out_classes",
    "make_cut_out_scenes", "make_regions", "make_scenes", "pack", "preset", "pretrain", "pretrain_losses",
    "read_cut_outs", "report", "reproduce", "reproduce_commands", "resize", "serve", "show_regions", "visualize",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import rmae` and `rmae --help` are instant."""
    if name not in _HOMES:
        raise AttributeError(f"module 'rmae' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
