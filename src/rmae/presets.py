"""Named runs: one small function each, returning a configuration."""

from collections.abc import Callable
from dataclasses import replace

from rmae.config import DataConfig, LossConfig, ModelConfig, OptimizerConfig, PretrainConfig, RunConfig
from rmae.regions.felzenszwalb import Felzenszwalb
from rmae.regions.sam_json import SamJson

_COCO_OPTIMIZER = OptimizerConfig(epochs=4000, warmup=1 / 12)
"""The paper's schedule on COCO: 115,515 updates of 4096 from the 118,287 images of train2017."""
_ON_ACCELERATOR = RunConfig(precision="bf16", compile=True)


def _demo() -> PretrainConfig:
    """A tiny R-MAE on bundled photographs, in about two minutes on two CPU cores."""
    return PretrainConfig(
        name="demo",
        model=ModelConfig(
            size="micro", img_size=96, patch_size=12,
            decoder_embed_dim=96, decoder_depth=2, decoder_num_heads=4, region_embed_dim=96,
        ),
        # Coarse regions, none of them tiny: a crop has but 64 patches.
        data=DataConfig(
            crops_per_image=64, regions=Felzenszwalb(scales=(1000, 2000, 4000)), region_area=(0.05, 0.75), num_workers=1
        ),
        # A model that has learned for two minutes is unsure of most of a region, and at even weights it would call all
        # of that background; plain pixels make pictures that one recognises.
        loss=LossConfig(background_weight=0.4, normalize_pixels=False),
        optimizer=OptimizerConfig(
            epochs=None, updates=750, batch_size=16, base_lr=2.4e-2, warmup=0.1, clip_grad=3.0
        ),
        run=RunConfig(num_threads=1, log_every=50, checkpoint_every=250),
    )  # fmt: skip


def _mae_coco_vit_b() -> PretrainConfig:
    """MAE on COCO, 4000 epochs: the baseline."""
    return PretrainConfig(
        name="mae-coco-vit-b",
        model=ModelConfig(task="mae"),
        data=DataConfig(regions=None),
        optimizer=_COCO_OPTIMIZER,
        run=_ON_ACCELERATOR,
    )


def _rae_coco_vit_b_fh() -> PretrainConfig:
    """Regions alone, without the pixel decoder, on COCO."""
    return PretrainConfig(
        name="rae-coco-vit-b-fh", model=ModelConfig(task="rae"), optimizer=_COCO_OPTIMIZER, run=_ON_ACCELERATOR
    )


def _rmae_coco_vit_b_fh() -> PretrainConfig:
    """R-MAE on COCO with three Felzenszwalb-Huttenlocher scales: the paper."""
    return PretrainConfig(name="rmae-coco-vit-b-fh", optimizer=_COCO_OPTIMIZER, run=_ON_ACCELERATOR)


def _rmae_coco_vit_b_sam() -> PretrainConfig:
    """R-MAE on COCO with masks of Segment Anything, looked up in the folder sam_masks."""
    return PretrainConfig(
        name="rmae-coco-vit-b-sam",
        data=DataConfig(regions=SamJson(folder="sam_masks")),
        optimizer=_COCO_OPTIMIZER,
        run=_ON_ACCELERATOR,
    )


def _rmae_cocoplus_vit_b_fh() -> PretrainConfig:
    """R-MAE on COCO++: train2017 and unlabeled2017."""
    return PretrainConfig(
        name="rmae-cocoplus-vit-b-fh",
        data=DataConfig(subsets=("train2017", "unlabeled2017")),
        optimizer=_COCO_OPTIMIZER,
        run=_ON_ACCELERATOR,
    )


def _rmae_imagenet_vit_b_fh() -> PretrainConfig:
    """R-MAE on ImageNet, 800 epochs, one scale of regions."""
    return PretrainConfig(
        name="rmae-imagenet-vit-b-fh",
        data=DataConfig(regions=Felzenszwalb(scales=(1000,))),
        optimizer=OptimizerConfig(epochs=800, warmup=1 / 20),
        run=_ON_ACCELERATOR,
    )


def _rmae_coco_vit_l_fh() -> PretrainConfig:
    """R-MAE on COCO with ViT-L/16."""
    return PretrainConfig(
        name="rmae-coco-vit-l-fh",
        model=ModelConfig(size="large"),
        optimizer=_COCO_OPTIMIZER,
        run=_ON_ACCELERATOR,
    )


def _rmae_reference_code() -> PretrainConfig:
    """What the reference code runs: a neck of 8 blocks and its own schedule."""
    return PretrainConfig(
        name="rmae-reference-code",
        model=ModelConfig(neck_depth=8),
        optimizer=replace(_COCO_OPTIMIZER, epochs=None, updates=144_000, base_lr=1.5e-4),
        run=_ON_ACCELERATOR,
    )


PRESETS: dict[str, Callable[[], PretrainConfig]] = {
    "demo": _demo,
    "mae-coco-vit-b": _mae_coco_vit_b,
    "rae-coco-vit-b-fh": _rae_coco_vit_b_fh,
    "rmae-coco-vit-b-fh": _rmae_coco_vit_b_fh,
    "rmae-coco-vit-b-sam": _rmae_coco_vit_b_sam,
    "rmae-cocoplus-vit-b-fh": _rmae_cocoplus_vit_b_fh,
    "rmae-imagenet-vit-b-fh": _rmae_imagenet_vit_b_fh,
    "rmae-coco-vit-l-fh": _rmae_coco_vit_l_fh,
    "rmae-reference-code": _rmae_reference_code,
}


def preset(name: str) -> PretrainConfig:
    """Return the configuration of a named run; change it with `dataclasses.replace`.

    Args:
        name: One of `PRESETS`.

    Raises:
        ValueError: There is no preset of that name.

    Source:
        R-MAE (arXiv 2306.05411), appendix; `rmae-reference-code` follows facebookresearch/r-mae.
    """
    if name not in PRESETS:
        raise ValueError(f"there is no preset {name!r}; the presets are {', '.join(PRESETS)}")
    return PRESETS[name]()
