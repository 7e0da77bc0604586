"""One argument for every encoder: runs, checkpoints, official files, timm names, transformers folders, and none."""

import warnings
from pathlib import Path
from typing import Any, NamedTuple

import timm
import torch
from timm.data.config import resolve_model_data_config
from timm.layers.drop import DropPath
from timm.models.vision_transformer import VisionTransformer
from torch import nn

from rmae.config import ENCODER_SHAPES, ModelConfig
from rmae.config.encoder import EncoderConfig
from rmae.files import read_json
from rmae.models.build import initialise
from rmae.models.encoder import build_encoder
from rmae.models.interchange.settings import IMAGENET_MEAN, IMAGENET_STD, read_statistics
from rmae.models.interchange.timm_vit import BUILD_ERRORS, plan_network
from rmae.models.weights import load
from rmae.models.weights.tensor_files import read_foreign_folder
from rmae.quoting import one_line

SCRATCH = "scratch"
"""The encoder with random weights."""
_CHANNELS = 3


class Encoder(NamedTuple):
    """A Vision Transformer that is put to the test."""

    vit: VisionTransformer
    """timm's, without classifier, float32, on the CPU, all of it trainable; of the size it was trained for."""
    pixel_mean: tuple[float, ...]
    """Mean of each channel that it expects pictures to be normalised by, full scale = 1."""
    pixel_std: tuple[float, ...]
    """Standard deviation of each channel, full scale = 1."""
    name: str
    """What the user called it."""

    @property
    def patch_size(self) -> int:
        """Side of a patch in pixels."""
        return self.vit.patch_embed.patch_size[0]


def open_encoder(source: str | Path, config: EncoderConfig, *, seed: int) -> Encoder:
    """Open an encoder from wherever its weights are.

    Args:
        source: What `rmae.load` takes (a run, a checkpoint, an official MAE or R-MAE file, a folder of transformers,
            timm or `save_pretrained`, a hub id), the name of a Vision Transformer of timm with its pre-trained
            weights, as in "vit_base_patch16_224.mae", or "scratch" for random weights.
        config: Size of the encoder `scratch`.
        seed: Seed of its weights, >= 0.

    Returns:
        The encoder; a copy of its own at each call.

    Raises:
        ValueError: There is nothing at the source, or no Vision Transformer for pictures of 3 channels.
    """
    with torch.random.fork_rng(devices=[]):  # layers draw weights of their own when they are made
        encoder = _open(source, config, seed)
    channels = encoder.vit.patch_embed.proj.in_channels
    if channels != _CHANNELS:
        raise ValueError(
            f"the encoder {encoder.name} takes pictures of {channels} channel(s); downstream tasks read RGB ones, so "
            f"take an encoder of {_CHANNELS}"
        )
    return encoder._replace(vit=encoder.vit.requires_grad_(True))


def fit_encoder(vit: VisionTransformer, *, image_hw: tuple[int, int], drop_path: float) -> VisionTransformer:
    """Change, in place, the size of picture that an encoder takes, and how often its blocks are left out.

    Args:
        vit: The encoder.
        image_hw: Height and width in pixels; positions are interpolated, bicubic.
        drop_path: Largest probability of leaving out a block for a sample, in [0, 1); it rises linearly from 0.

    Returns:
        The same encoder.

    Raises:
        ValueError: The size is not divisible by the encoder's patch size.
    """
    patch_size = vit.patch_embed.patch_size[0]
    for side in image_hw:
        if side % patch_size:
            below = side // patch_size * patch_size
            nearest = " or ".join(str(s) for s in (below, below + patch_size) if s > 0)
            raise ValueError(
                f"pictures of {image_hw[0]} x {image_hw[1]} pixels cannot be cut into the encoder's patches of "
                f"{patch_size}; the nearest to {side} that can: {nearest} (--img-size)"
            )
    vit.set_input_size(img_size=image_hw)
    for rate, block in zip(torch.linspace(0, drop_path, len(vit.blocks)).tolist(), vit.blocks, strict=True):
        for place in ("drop_path1", "drop_path2"):
            setattr(block, place, DropPath(rate) if rate > 0 else nn.Identity())
    return vit


def _open(source: str | Path, config: EncoderConfig, seed: int) -> Encoder:
    name = str(source)
    if name == SCRATCH:
        return Encoder(_from_scratch(config, seed), IMAGENET_MEAN, IMAGENET_STD, name)
    if not Path(source).exists() and timm.is_model(name.partition(".")[0]):
        return _from_timm(name, name)
    if _is_timm_folder(Path(source)):
        return _from_timm(f"local-dir:{source}", name)
    model = load(source)
    mean, std = model.pixel_mean or IMAGENET_MEAN, model.pixel_std or IMAGENET_STD
    return Encoder(model.encoder, tuple(mean), tuple(std), name)


def _from_scratch(config: EncoderConfig, seed: int) -> VisionTransformer:
    shape, patch_size = ENCODER_SHAPES[config.scratch_size], config.scratch_patch_size
    sides = tuple(max(patch_size, side - side % patch_size) for side in config.image_hw)
    vit = build_encoder(
        img_size=(sides[0], sides[1]),
        patch_size=patch_size,
        channels=_CHANNELS,
        embed_dim=shape.embed_dim,
        depth=shape.depth,
        num_heads=shape.num_heads,
        mlp_ratio=ModelConfig.mlp_ratio,
    )
    initialise(vit, generator=torch.Generator().manual_seed(seed))
    return vit


def _is_timm_folder(path: Path) -> bool:
    try:
        settings = read_json(path / "config.json")
    except (OSError, ValueError):
        return False
    return isinstance(settings, dict) and "architecture" in settings


def _from_timm(model_name: str, name: str) -> Encoder:
    is_folder = model_name.startswith("local-dir:")
    if not is_folder and not timm.is_model_pretrained(model_name):
        raise ValueError(
            f"timm has no pre-trained weights for {name}; `timm.list_pretrained('vit*')` names those it has"
        )
    weights = _weights_of_folder(Path(name)) if is_folder else {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of empty weights, which do not fit the tensors
            vit = timm.create_model(model_name, pretrained=True, num_classes=0, pretrained_cfg_overlay=weights)
        settings = resolve_model_data_config(vit)
    except (OSError, *BUILD_ERRORS) as error:
        raise ValueError(f"timm cannot load {name}: {one_line(error) or type(error).__name__}") from error
    if type(vit) is not VisionTransformer:
        raise ValueError(
            f"{name} is a {type(vit).__name__} of timm; take a plain VisionTransformer, as vit_base_patch16_224"
        )
    mean, std = read_statistics(settings, vit.patch_embed.proj.in_channels, where=name, names=("mean", "std"))
    return Encoder(vit, mean or IMAGENET_MEAN, std or IMAGENET_STD, name)


def _weights_of_folder(folder: Path) -> dict[str, Any]:
    """The weights of a folder as timm takes them from us: read here, since it may unpickle what it reads itself.

    They are without the classifier's: timm puts up with anything missing where it has to leave that out itself.

    Raises:
        ValueError: There are none, or the folder's config asks for more memory than they need.
    """
    tensors = read_foreign_folder(folder)
    planned = plan_network(read_json(folder / "config.json"), str(folder))
    wanted = sum(parameter.numel() for parameter in planned.parameters())
    held = sum(tensor.numel() for tensor in tensors.values())
    if not tensors or wanted > 2 * held:
        raise ValueError(f"the config of {folder} describes {wanted:,} weights, but it holds {held:,}")
    classifier = getattr(planned, "pretrained_cfg", {}).get("classifier") or ()
    classifiers = (classifier,) if isinstance(classifier, str) else classifier
    ours = {name: tensor for name, tensor in tensors.items() if name.rpartition(".")[0] not in classifiers}
    return {"source": "", "state_dict": ours, "num_classes": 0, "file": None, "hf_hub_id": None, "url": None}
