"""Weights on disk: the one place that reads and writes them, whole or not at all, and never runs what is in them."""

from rmae.models.weights.exports import (
    Export,
    export_detectron2,
    export_reference,
    export_timm,
    export_transformers,
)
from rmae.models.weights.folder import (
    CHECKPOINTS,
    SCALARS,
    checkpoints_of,
    newest_checkpoint,
    read_scalars,
    read_tensors,
    weights_digest,
    write_folder,
)
from rmae.models.weights.loading import load
from rmae.models.weights.saving import save_model, upload_model

__all__ = [
    "CHECKPOINTS",
    "SCALARS",
    "Export",
    "checkpoints_of",
    "export_detectron2",
    "export_reference",
    "export_timm",
    "export_transformers",
    "load",
    "newest_checkpoint",
    "read_scalars",
    "read_tensors",
    "save_model",
    "upload_model",
    "weights_digest",
    "write_folder",
]
