"""Models to be looked at beside each other: an encoder each, and its decoders where it has them."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

from rmae.config import EncoderConfig
from rmae.data.crops import Crop, crop_image
from rmae.evaluation.encoder import SCRATCH, fit_encoder, open_encoder
from rmae.models.build import initialise
from rmae.models.encoder import build_encoder
from rmae.models.interchange.settings import IMAGENET_MEAN, IMAGENET_STD
from rmae.models.masked_autoencoder import MaskedAutoencoder
from rmae.models.resizing import resize
from rmae.models.weights import CHECKPOINTS, load
from rmae.ops.normalisation import Normalise, scale_pixels
from rmae.training.run_folder import SavedRun, read_run
from rmae.visual.visualisation_parts import Author


class Subject(NamedTuple):
    """A model that is looked at, in evaluation mode."""

    name: str
    """What it is called; no two are called alike."""
    key: str
    """What it is called in names of files, lower case letters, digits, dots, dashes and underscores; likewise."""
    encoder: VisionTransformer
    """timm's, for pictures of one size."""
    model: MaskedAutoencoder | None
    """What the encoder is part of, with a pixel decoder, a region branch or both; None for an encoder alone."""
    normalisation: Normalise
    """What it takes instead of pixels."""
    run: SavedRun | None = None
    """The run it comes from, if that is known."""
    is_random: bool = False
    """Whether its weights are random, for comparison."""

    @property
    def author(self) -> Author:
        """What it is called on the page and in names of files."""
        return Author(self.name, self.key)

    @property
    def image_hw(self) -> tuple[int, int]:
        """Height h and width w in pixels at which it sees pictures."""
        height, width = self.encoder.patch_embed.img_size
        return height, width

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        rows, columns = self.encoder.patch_embed.grid_size
        return rows, columns

    @property
    def channels(self) -> int:
        """M."""
        return self.encoder.patch_embed.proj.in_channels

    def squeeze(self, image: np.ndarray) -> Tensor:
        """Bring a whole picture to the size at which the model sees it.

        Args:
            image: Shape (H, W, M), uint8 or uint16.

        Returns:
            Shape (1, M, h, w) float32 in [0, 1].
        """
        squeezed = crop_image(image, Crop(0, 0, image.shape[0], image.shape[1], False), self.image_hw)
        return scale_pixels(torch.from_numpy(squeezed)).unsqueeze(0)

    def normalise(self, pixels: Tensor) -> Tensor:
        """From [0, 1] to what the model takes, shape (B, M, h, w)."""
        return self.normalisation.of_scaled(pixels)

    def in_full_scale(self, images: Tensor) -> Tensor:
        """The way back; reconstructions may leave [0, 1]."""
        return self.normalisation.to_scaled(images)


def open_subjects(
    sources: Sequence[str | Path], *, img_size: int | tuple[int, int] | None, seed: int
) -> tuple[Subject, ...]:
    """Open models to look at.

    Args:
        sources: Whatever `rmae.load` or `open_encoder` takes. The encoder `scratch` has the shape of the first one,
            or is ViT-B where it is the first itself.
        img_size: Side, or height and width, in pixels at which all of them see pictures; None = each as it is.
        seed: Of random weights, >= 0.

    Raises:
        ValueError: A source is none, or takes no pictures of this size; the sentence names it.
    """
    subjects: list[Subject] = []
    for source, name in zip(sources, _names(sources), strict=True):
        opened = _open(source, name, first=subjects[0] if subjects else None, seed=seed)
        try:
            fitted = opened if img_size is None else _fit(opened, img_size)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        key = _unused(re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-.") or "model", [s.key for s in subjects])
        subjects.append(fitted._replace(key=key, encoder=fitted.encoder.eval()))
    return tuple(subjects)


def _open(source: str | Path, name: str, *, first: Subject | None, seed: int) -> Subject:
    if str(source) == SCRATCH:
        return _from_scratch(name, first, seed)
    try:
        model = load(source)
    except ValueError:  # what is left are models of timm by name, and of its folders those with registers and the like
        encoder = open_encoder(source, EncoderConfig(), seed=seed)
        return _subject(name, encoder.vit, encoder.pixel_mean, encoder.pixel_std)
    mean, std = model.pixel_mean, model.pixel_std
    if mean is None or std is None:
        if model.config.channels != len(IMAGENET_MEAN):
            raise ValueError(
                f"{name} does not tell what the {model.config.channels} channel(s) of its pictures are normalised by; "
                "save it anew with pixel_mean and pixel_std set"
            )
        mean, std = IMAGENET_MEAN, IMAGENET_STD
    has_decoder = model.pixel_decoder is not None or model.region_branch is not None
    subject = _subject(name, model.encoder, mean, std)
    return subject._replace(model=model.eval() if has_decoder else None, run=_run_of(Path(source)))


def _from_scratch(name: str, first: Subject | None, seed: int) -> Subject:
    if first is None:
        encoder = open_encoder(SCRATCH, EncoderConfig(), seed=seed)
        return _subject(name, encoder.vit, encoder.pixel_mean, encoder.pixel_std)._replace(is_random=True)
    embed_dim, attention = first.encoder.embed_dim, first.encoder.get_submodule("blocks.0.attn")
    hidden_dim = len(first.encoder.get_parameter("blocks.0.mlp.fc1.weight"))
    with torch.random.fork_rng(devices=[]):  # layers draw weights of their own when they are made
        twin = build_encoder(
            img_size=first.image_hw,
            patch_size=first.image_hw[0] // first.grid[0],
            channels=first.channels,
            embed_dim=embed_dim,
            depth=len(first.encoder.blocks),
            num_heads=getattr(attention, "num_heads", 1),  # of other kinds `attention_maps` says that it takes none
            mlp_ratio=hidden_dim / embed_dim,
        )
    initialise(twin, generator=torch.Generator().manual_seed(seed))
    return first._replace(name=name, encoder=twin, model=None, run=None, is_random=True)


def _subject(name: str, encoder: VisionTransformer, mean: tuple[float, ...], std: tuple[float, ...]) -> Subject:
    return Subject(name, "", encoder, None, Normalise(mean, std))


def _fit(subject: Subject, img_size: int | tuple[int, int]) -> Subject:
    if subject.model is not None:
        model = resize(subject.model, img_size=img_size).eval()
        return subject._replace(model=model, encoder=model.encoder)
    image_hw = (img_size, img_size) if isinstance(img_size, int) else img_size
    return subject._replace(encoder=fit_encoder(subject.encoder, image_hw=image_hw, drop_path=0.0))


def _run_of(path: Path) -> SavedRun | None:
    """The run that weights come from, where they still lie in its folder."""
    for folder in (path, path.absolute().parents[1] if path.absolute().parent.name == CHECKPOINTS else path):
        try:
            return read_run(folder)
        except (ValueError, OSError):
            continue
    return None


def _names(sources: Sequence[str | Path]) -> list[str]:
    """Names as short as tells them apart: the last part of a path, or else all of it, or else with a number."""
    short = [_short_name(source) for source in sources]
    names: list[str] = []
    for source, name in zip(sources, short, strict=True):
        names.append(_unused(name if short.count(name) == 1 else str(source), names))
    return names


def _short_name(source: str | Path) -> str:
    path = Path(source)
    if path.absolute().parent.name == CHECKPOINTS:
        return f"{path.absolute().parents[1].name}/{path.name}"
    return path.absolute().name or str(source)


def _unused(name: str, used: Sequence[str]) -> str:
    number = 2
    unused = name
    while unused in used:
        unused, number = f"{name}-{number}", number + 1
    return unused
