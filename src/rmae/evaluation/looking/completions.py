"""What a model fills in where a picture and its region maps are hidden."""

import numpy as np
import torch
from torch import Tensor

from rmae.config.visualize import VisualizeConfig
from rmae.evaluation.looking.subject import Subject
from rmae.interactive.segmenter import Segmenter
from rmae.models.completion import Completion, complete, hidden_iou
from rmae.models.hidden_error import flat_guess, hidden_error
from rmae.models.mask_ratio import with_mask_ratio
from rmae.models.masked_autoencoder import MaskedAutoencoder
from rmae.visual.pictures import to_display
from rmae.visual.visualisation_parts import Reconstruction, RegionGuess

_OF_REGIONS = 1  # tells the permutation of region maps that have one of their own


def normalises_pixels(subject: Subject, config: VisualizeConfig) -> bool:
    """Whether a model predicts pixels normalised patch by patch: as is asked for, as its run says, or else yes."""
    if config.normalize_pixels is not None:
        return config.normalize_pixels
    loss = {} if subject.run is None else subject.run.settings.get("loss", {})
    return bool(loss.get("normalize_pixels", True))


def num_regions_at_once(subject: Subject, num_shown: int) -> int:
    """How many regions a model is given: as many as in training, and as are shown where it takes more."""
    if subject.model is None or subject.model.region_branch is None:
        return 0
    config = subject.model.config
    return config.num_regions if config.region_variant == "channel" else max(config.num_regions, num_shown)


def complete_picture(
    subject: Subject, image: np.ndarray, maps: np.ndarray, config: VisualizeConfig, *, index: int
) -> tuple[list[Reconstruction], list[RegionGuess]]:
    """Hide patches of a picture and of its region maps, and have a model complete them.

    Args:
        subject: The model.
        image: Shape (H, W, M), uint8 or uint16.
        maps: Its regions at the model's size, shape (n, h, w) bool; n may be 0, and above what the model takes.
        config: Ratios and the like.
        index: Which picture it is, >= 0. Models of one grid have the same patches hidden, and what a ratio hides, every
            larger one hides too.

    Returns:
        Reconstructions by ratio, and of the regions that are shown guesses by ratio and number; none of either where
        the model lacks the part.

    Raises:
        ValueError: A ratio leaves no patch to show or to hide; the sentence names the model.
    """
    if subject.model is None:
        return [], []
    pixels = subject.squeeze(image)
    num_shown = min(len(maps), config.num_regions)
    regions = _as_many_as_taken(maps, num_regions_at_once(subject, config.num_regions))
    reconstructions: list[Reconstruction] = []
    guesses: list[RegionGuess] = []
    for ratio in sorted({*config.mask_ratios, *config.region_ratios}):
        completion = _complete(subject, pixels, regions, ratio, config, index=index)
        if completion.reconstruction is not None and ratio in config.mask_ratios:
            shown = _shown_range(pixels, image.dtype)
            reconstructions.append(_reconstruction(subject, pixels, completion, ratio, config, shown))
        if regions is not None and ratio in config.region_ratios:
            regions_shown = regions[:, :num_shown]
            probability = completion.region_probability
            if config.whole_picture and subject.model.config.pixels_feed_regions:
                probability = _complete_seeing(subject.model, image, regions_shown, completion.region_hidden)
            guesses += _guesses(subject, regions_shown, probability, completion.region_hidden, ratio)
    return reconstructions, guesses


def _as_many_as_taken(maps: np.ndarray, number: int) -> Tensor | None:
    """Maps (1, R, h, w): of fewer than R, some again, as in training; None where there are none or none is taken."""
    if number == 0 or len(maps) == 0:
        return None
    return torch.from_numpy(maps[np.arange(number) % len(maps)]).unsqueeze(0)


def _complete(
    subject: Subject,
    pixels: Tensor,
    regions: Tensor | None,
    ratio: float,
    config: VisualizeConfig,
    *,
    index: int,
) -> Completion:
    model = _hiding(subject, ratio)
    num_patches = subject.grid[0] * subject.grid[1]
    seeds = ([config.seed, index], [config.seed, index, _OF_REGIONS])
    ids_shuffle, of_regions = (
        torch.from_numpy(np.random.default_rng(seed).permutation(num_patches)).unsqueeze(0) for seed in seeds
    )
    return complete(
        model,
        subject.normalise(pixels),
        regions,
        ids_shuffle,
        region_ids_shuffle=None if model.config.shared_mask else of_regions,
        normalize_pixels=normalises_pixels(subject, config),
    )


def _complete_seeing(model: MaskedAutoencoder, image: np.ndarray, regions: Tensor, hidden: Tensor) -> Tensor:
    """Probabilities (1, R, h, w) of regions of which patches (1, L) are hidden, where nothing is of the picture."""
    segmenter = Segmenter(model)
    embedding = segmenter.embed(image)
    visible = ~hidden[0].numpy()
    completed = [segmenter.complete(embedding, region, visible) for region in regions[0].numpy()]
    return torch.from_numpy(np.stack(completed)).unsqueeze(0)


def _hiding(subject: Subject, ratio: float) -> MaskedAutoencoder:
    assert subject.model is not None
    try:
        return with_mask_ratio(subject.model, ratio)
    except ValueError as error:
        raise ValueError(f"{subject.name}: {error}") from error


def _shown_range(pixels: Tensor, dtype: np.dtype) -> tuple[float, float]:
    """What is black and what white: all of the scale, but of 16 bits, as the picture itself is shown, what is used."""
    if dtype == np.uint8:
        return 0.0, 1.0
    low, high = np.percentile(pixels.numpy(), [0.5, 99.5])
    return float(low), max(float(high), float(low) + 1 / np.iinfo(dtype).max)


def _reconstruction(
    subject: Subject,
    pixels: Tensor,
    completion: Completion,
    ratio: float,
    config: VisualizeConfig,
    shown: tuple[float, float],
) -> Reconstruction:
    assert completion.reconstruction is not None
    hidden, patch_size = completion.pixel_hidden, subject.image_hw[0] // subject.grid[0]
    flat = flat_guess(
        subject.normalise(pixels),
        hidden,
        patch_size=patch_size,
        grid=subject.grid,
        normalize_pixels=normalises_pixels(subject, config),
    )
    low, high = shown
    guess, flat, seen = (
        ((images - low) / (high - low)).clamp(0, 1)
        for images in (subject.in_full_scale(completion.reconstruction), subject.in_full_scale(flat), pixels)
    )
    return Reconstruction(
        author=subject.author,
        ratio=ratio,
        seen=to_display(seen[0].numpy()),
        hidden=hidden[0].view(subject.grid).numpy(),
        guess=to_display(guess[0].numpy()),
        error=hidden_error(guess, seen, hidden, patch_size=patch_size).item(),
        baseline=hidden_error(flat, seen, hidden, patch_size=patch_size).item(),
    )


def _guesses(
    subject: Subject, regions: Tensor, probability: Tensor | None, hidden: Tensor, ratio: float
) -> list[RegionGuess]:
    assert probability is not None
    probability = probability[:, : regions.shape[1]]
    patch_size = subject.image_hw[0] // subject.grid[0]
    iou, baseline = hidden_iou(probability, regions, hidden, patch_size)
    return [
        RegionGuess(
            author=subject.author,
            number=number,
            ratio=ratio,
            region=regions[0, number].numpy(),
            hidden=hidden[0].view(subject.grid).numpy(),
            probability=probability[0, number].numpy(),
            iou=iou[0, number].item(),
            baseline=baseline[0, number].item(),
        )
        for number in range(regions.shape[1])
    ]
