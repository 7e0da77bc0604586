"""Scoring the maps of encoders on all objects, shared out over the processes."""

from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from functools import reduce
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rmae.data.image_progress import ImageProgress
from rmae.evaluation.localisation.controls import control_scores
from rmae.evaluation.localisation.maps import MapMaker, QueryMaps
from rmae.evaluation.localisation.reading import QueryBatch, QuerySettings, open_queries
from rmae.evaluation.localisation.scores import score_map
from rmae.evaluation.objects.pictures import Part
from rmae.training.ranks import Ranks

_OBJECTS_AT_ONCE = 16  # whose maps are sorted at once: of 12 layers and heads on 14 x 14 patches 60 MB


class EncoderScores(NamedTuple):
    """Scores of one encoder's maps for n objects; the last axis of 4 is in the order of `MapScores`."""

    layers: np.ndarray
    """Attention of each layer, averaged over its heads; shape (n, layers, 4) float64."""
    head_auc: np.ndarray
    """Area under the curve of each head; shape (n, layers, heads) float64."""
    similarity: np.ndarray
    """Similarity of features; shape (n, 4) float64."""
    elsewhere: np.ndarray
    """Share of each layer's attention that the class token and registers get; shape (n, layers) float64."""
    on_itself: np.ndarray
    """Share of each layer's attention that the query patch itself gets; shape (n, layers) float64."""


class Measured(NamedTuple):
    """Scores of n objects, by ascending number."""

    numbers: np.ndarray
    """Which objects of the part, shape (n,) int64."""
    rows: np.ndarray
    """On which picture of the part each is, shape (n,) int64."""
    controls: np.ndarray
    """Shape (n, 3, 4) float64, as `control_scores` has it."""
    encoders: tuple[EncoderScores, ...]
    """One for each encoder."""
    left_out: Counter[str]
    """How many objects that count were left out, by the reason."""


def measure(
    part: Part,
    rows: np.ndarray,
    makers: Sequence[MapMaker],
    settings: QuerySettings,
    ranks: Ranks,
    *,
    batch_size: int,
    num_workers: int,
    seed: int,
) -> Measured:
    """Score the maps of encoders on the objects of some pictures; every process calls this alike and takes a share.

    Args:
        part: Pictures and objects.
        rows: Which pictures, shape (n,) int64.
        makers: The encoders, all with the same grid.
        settings: How pictures are read.
        ranks: The processes.
        batch_size: Pictures that go through an encoder at once.
        num_workers: Processes that read pictures for each of these; 0 = none.
        seed: Of the random control, >= 0.

    Returns:
        The scores of all objects, the same on all processes and, to the last bit, with any number of them.

    Raises:
        ValueError: A picture cannot be used, or an encoder gives no maps.
    """
    # Batches are formed before they are shared out, for what a picture gives depends, in the last bits, on its company.
    chunks = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
    share = chunks[ranks.rank :: ranks.world_size]
    parts = [_nothing(makers)]
    num_pictures = sum(map(len, share))
    progress = ImageProgress(num_pictures, done=0, doing="looking at") if ranks.is_first else None
    opened = open_queries(part, settings, share, num_workers=num_workers)
    with progress or nullcontext(), opened as batches:
        for number, batch in enumerate(batches):
            parts.append(_measure_batch(batch, makers, seed))
            if progress:
                for _ in share[number]:
                    progress.advance()
    return _join(ranks.gather(_join(parts)))


def attention_of_layers(attention: Tensor) -> Tensor:
    """Attention to patches (..., layers, heads, L), averaged over the heads: (..., layers, L)."""
    return attention.mean(dim=-2)


def _measure_batch(batch: QueryBatch, makers: Sequence[MapMaker], seed: int) -> Measured:
    grid = makers[0].grid
    return Measured(
        batch.numbers,
        batch.rows,
        control_scores(batch.inside, batch.outside, batch.patches, batch.numbers, grid, seed=seed),
        tuple(_score_encoder(maker, batch) for maker in makers),
        batch.left_out,
    )


def _score_encoder(maker: MapMaker, batch: QueryBatch) -> EncoderScores:
    parts, asked = [_no_scores(maker)], [np.empty(0, np.int64)]
    for maps in maker.maps(batch.pixels, batch.places, batch.patches):
        for start in range(0, len(maps.asked), _OBJECTS_AT_ONCE):
            piece = slice(start, start + _OBJECTS_AT_ONCE)
            some = QueryMaps(maps.asked[piece], maps.attention[piece], maps.similarity[piece])
            asked.append(some.asked)
            parts.append(
                _score_maps(some, *(each[some.asked] for each in (batch.inside, batch.outside, batch.patches)))
            )
    order = np.argsort(np.concatenate(asked))
    return EncoderScores(*(each[order] for each in _concatenate(parts)))


def _score_maps(maps: QueryMaps, inside: np.ndarray, outside: np.ndarray, patches: np.ndarray) -> EncoderScores:
    device = maps.attention.device
    ins, out, own = (torch.from_numpy(each).to(device) for each in (inside, outside, patches))
    layers = attention_of_layers(maps.attention.double())  # (n, layers, L)
    found = (
        score_map(layers, ins[:, None], out[:, None]).stacked(),
        score_map(maps.attention, ins[:, None, None], out[:, None, None]).auc,
        score_map(maps.similarity, ins, out).stacked(),
        (1 - layers.sum(dim=-1)).clamp(min=0),  # of rounding a little may be left where there are no such tokens
        layers[torch.arange(len(own), device=device), :, own],
    )
    return EncoderScores(*(each.cpu().numpy() for each in found))


def _no_scores(maker: MapMaker) -> EncoderScores:
    layers, heads = maker.depth, maker.num_heads
    shapes = ((0, layers, 4), (0, layers, heads), (0, 4), (0, layers), (0, layers))
    return EncoderScores(*map(np.empty, shapes))


def _nothing(makers: Sequence[MapMaker]) -> Measured:
    none = np.empty(0, dtype=np.int64)
    return Measured(none, none, np.empty((0, 3, 4)), tuple(map(_no_scores, makers)), Counter())


def _concatenate(parts: Sequence[EncoderScores]) -> EncoderScores:
    return EncoderScores(*map(np.concatenate, zip(*parts, strict=True)))


def _join(parts: Sequence[Measured]) -> Measured:
    """All objects of several parts, by ascending number."""
    numbers = np.concatenate([part.numbers for part in parts])
    order = np.argsort(numbers)
    encoders = [_concatenate(each) for each in zip(*(part.encoders for part in parts), strict=True)]
    return Measured(
        numbers[order],
        np.concatenate([part.rows for part in parts])[order],
        np.concatenate([part.controls for part in parts])[order],
        tuple(EncoderScores(*(values[order] for values in each)) for each in encoders),
        reduce(Counter.__add__, (part.left_out for part in parts)),
    )
