"""Masks that Segment Anything finds in the image itself, as regions."""

import os
from dataclasses import dataclass, field, fields
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from rmae.regions.overlap import stack_masks
from rmae.regions.source import SPEED_ONLY

if TYPE_CHECKING:
    from PIL.Image import Image
    from transformers import MaskGenerationPipeline, SamImageProcessor, SamModel


@dataclass(frozen=True, kw_only=True)
class SegmentAnything:
    """Regions that Segment Anything gives when it is asked at every point of a grid (needs `rmae[sam]`).

    The model is loaded at the first image, once for this object; a pickled copy loads its own. Where a border lies
    between two pixels can depend on rounding, and so on the device and the number of threads: store the regions where
    runs must repeat exactly.

    Source:
        "Segment Anything" (arXiv 2304.02643), appendix B. Defaults are those of `SamAutomaticMaskGenerator` in
        facebookresearch/segment-anything, `automatic_mask_generator.py`; zoomed-in crops and the removal of small
        islands and holes, which it leaves off too, are not offered.
    """

    checkpoint: str
    """Folder or hub id of a transformers model of type sam, as facebook/sam-vit-base; its weights in safetensors."""
    points_per_side: int = 32
    """Points along each side of the grid that the model is asked at, at least 1; each gives up to three masks."""
    points_per_batch: int = field(default=64, metadata={SPEED_ONLY: True})
    """Points asked at in one pass, at least 1; fewer take less memory."""
    iou_threshold: float = 0.88
    """IoU with a true mask, in [0, 1], above which the model must rate a mask; 0 keeps every mask."""
    stability_threshold: float = 0.95
    """Pixels with a logit above 1 over those above -1, in [0, 1], that a mask must exceed; 0 keeps every mask."""
    nms_threshold: float = 0.7
    """IoU in [0, 1] of two masks' boxes above which only the mask of higher predicted IoU is kept; 1 keeps both."""
    device: str | None = field(default=None, metadata={SPEED_ONLY: True})
    """Where the model runs, as torch names it; None = the GPU if there is one. A loader's workers can use cpu alone."""
    kind: Literal["sam"] = "sam"
    """Names this source in saved configurations."""

    def __post_init__(self) -> None:
        """Check the settings before the model is loaded."""
        for name in ("points_per_side", "points_per_batch"):
            value = getattr(self, name)
            if value < 1:
                raise ValueError(f"{name} is {value}; it must be at least 1")
        for name in ("iou_threshold", "stability_threshold", "nms_threshold"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ValueError(f"{name} is {value}; it must lie between 0 and 1")

    def __call__(self, image: np.ndarray, name: str) -> np.ndarray:
        """Find the masks of an image.

        Args:
            image: Shape (H, W, M), uint8 or uint16; M is 1 (grey), 3 (RGB) or 4 (RGB and alpha, laid over white).
                16 bits are scaled to 8.
            name: Not used.

        Returns:
            Label maps, shape (S, H, W) int32. Masks may overlap and are kept whole; they are laid into the maps in
            the order of their predicted IoU, best first. S = 0 where no mask passes the thresholds.

        Raises:
            ValueError: The image is of another form, transformers is missing, the checkpoint is no Segment Anything
                model, or the device cannot be used.
        """
        import torch

        picture = _rgb(image)
        with torch.random.fork_rng(devices=[]):  # the pipeline's DataLoader draws from the global generator
            found = self._generator(
                picture,
                points_per_crop=self.points_per_side,
                points_per_batch=self.points_per_batch,
                pred_iou_thresh=self.iou_threshold,
                stability_score_thresh=self.stability_threshold,
                crops_nms_thresh=self.nms_threshold,
            )
        return stack_masks((mask.numpy() for mask in found["masks"]), picture.height, picture.width)

    def __getstate__(self) -> dict[str, Any]:
        """The settings alone: whoever unpickles them loads the model where it is needed."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @cached_property
    def _generator(self) -> "MaskGenerationPipeline":
        model, image_processor = load_segment_anything(self.checkpoint, device=self.device)
        from transformers import MaskGenerationPipeline

        return MaskGenerationPipeline(model=model, image_processor=image_processor, device=model.device)


def load_segment_anything(checkpoint: str, *, device: str | None) -> "tuple[SamModel, SamImageProcessor]":
    """Load a Segment Anything model and what prepares its pictures.

    Args:
        checkpoint: Folder or hub id of a transformers model of type sam; its weights in safetensors.
        device: Where the model is to run, as torch names it; None = the GPU if there is one.

    Raises:
        ValueError: transformers is missing, the checkpoint is no such model, or the device cannot be used.
    """
    if find_spec("transformers") is None:
        raise ValueError(
            "Segment Anything runs through the transformers library, which is not installed; "
            "install it with: pip install 'rmae[sam]'"
        )
    model, image_processor = _load(checkpoint)
    return _move(model, device), image_processor


def _load(checkpoint: str) -> "tuple[SamModel, SamImageProcessor]":
    """Read a checkpoint; a folder is read as it is, with nothing asked of the hub."""
    import torch
    from transformers import SamConfig, SamImageProcessor, SamModel

    is_folder = Path(checkpoint).is_dir()
    try:
        # Asked first, since transformers makes what it can of any other model and fills up with random weights.
        settings, _ = SamConfig.get_config_dict(checkpoint, local_files_only=is_folder)
        if settings.get("model_type") != "sam":
            raise ValueError(f"the model_type in its config.json is {settings.get('model_type', 'missing')}")
        loaded: Any = SamModel.from_pretrained(
            checkpoint,
            local_files_only=is_folder,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
        model, report = loaded
        if report["missing_keys"]:
            raise ValueError(f"its weights lack {min(report['missing_keys'])}")
        return model, SamImageProcessor.from_pretrained(checkpoint, local_files_only=is_folder)
    except MemoryError:
        raise
    except Exception as error:  # there is no common base of what malformed files raise
        raise ValueError(
            f"no Segment Anything model can be loaded from {checkpoint} ({_first_line(error)}); give a folder with "
            "config.json, model.safetensors and preprocessor_config.json of a model of type sam, or its hub id"
        ) from error


def _move(model: "SamModel", device: str | None) -> "SamModel":
    import torch

    if device is None:
        device = "cpu"
        if torch.cuda.is_available():  # each of several processes on a machine takes a GPU of its own
            local_rank = int(os.environ.get("LOCAL_RANK", os.environ.get("SLURM_LOCALID", "0")))
            device = f"cuda:{local_rank % torch.cuda.device_count()}"
    try:
        return model.to(device)  # pyright: ignore[reportArgumentType]
    except RuntimeError as error:
        raise ValueError(
            f"Segment Anything cannot run on the device {device} here ({_first_line(error)}); set device to cpu, or "
            "make the regions beforehand in a process that can use the GPU"
        ) from error


def _first_line(error: Exception) -> str:
    return f"{error}".partition("\n")[0].rstrip(".") or type(error).__name__


def _rgb(image: np.ndarray) -> "Image":
    """Turn an image (H, W, M) as stored into what the model was trained on."""
    from PIL import Image

    if image.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"the image to segment is {image.dtype}; give uint8 or uint16 pixels as stored in the file")
    if image.ndim != 3 or image.shape[2] not in (1, 3, 4) or 0 in image.shape:
        raise ValueError(
            f"the image to segment has shape {image.shape}; Segment Anything takes (H, W, M) with at least 1 pixel and "
            "M = 1 (grey), 3 (RGB) or 4 (RGB and alpha) channels"
        )
    if image.dtype == np.uint16:
        image = ((image.astype(np.uint32) + 128) // 257).astype(np.uint8)
    match image.shape[2]:
        case 1:
            return Image.fromarray(image[..., 0]).convert("RGB")
        case 4:
            coloured = Image.fromarray(image)
            return Image.alpha_composite(Image.new("RGBA", coloured.size, "white"), coloured).convert("RGB")
        case _:
            return Image.fromarray(image)
