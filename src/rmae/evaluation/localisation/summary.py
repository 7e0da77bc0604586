"""From the scores of objects to means with confidence intervals."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from rmae.evaluation.confidence import bootstrap
from rmae.evaluation.folder import Estimate
from rmae.evaluation.localisation.controls import CONTROLS
from rmae.evaluation.localisation.measurement import Measured
from rmae.evaluation.localisation.scores import SCORE_NAMES
from rmae.evaluation.objects.pictures import Part

CROWD = "standing for a crowd"
KINDS = ("attention", "similarity")
"""Of maps, in the order in which they are told everywhere."""
NEARNESS = "nearness"

Scores = Mapping[str, Estimate]
"""By the names of `SCORE_NAMES`, in their order; NaN where a score is not defined."""


class EncoderSummary(NamedTuple):
    """What came of one encoder."""

    name: str
    """What the user called it."""
    layer: int
    """Whose attention is scored, averaged over its heads; from 0 on."""
    maps: Mapping[str, Scores]
    """By the names of `KINDS`."""
    undefined: Mapping[str, Mapping[str, int]]
    """By the same names: of which scores how many objects have none, where there are any."""
    layers: tuple[Scores, ...]
    """Attention of every layer, averaged over its heads."""
    head_auc: np.ndarray
    """Mean area under the curve of each head, shape (layers, heads) float64."""
    elsewhere: tuple[Estimate, ...]
    """Of every layer the share of attention that the class token and registers get."""
    on_itself: tuple[Estimate, ...]
    """Of every layer the share of attention that the query patch gets itself."""


class Difference(NamedTuple):
    """The scores of one kind of map less those of another on the same objects."""

    encoder: str
    """Whose map."""
    kind: str
    """One of `KINDS`."""
    to: str
    """What it is set against: the first encoder, or `nearness`."""
    scores: Scores
    """Above 0 where the first of the two is better."""


class Summary(NamedTuple):
    """What came of an evaluation."""

    num_objects: int
    """Objects that were looked at."""
    num_pictures: int
    """Pictures that these are on."""
    left_out: Mapping[str, int]
    """Objects that were not, by the reason, in words that follow their number."""
    controls: Mapping[str, Scores]
    """By the names of `CONTROLS`."""
    encoders: tuple[EncoderSummary, ...]
    """The first is the one that is put to the test."""
    differences: tuple[Difference, ...]
    """Of the other encoders to the first, and of each to nearness."""

    def headline(self) -> dict[str, Estimate]:
        """Scores of the first encoder by name."""
        maps = self.encoders[0].maps
        return {f"{kind}_{name}": estimate for kind in KINDS for name, estimate in maps[kind].items()}


def summarise(
    measured: Measured, part: Part, names: Sequence[str], *, layer: int, num_resamples: int, seed: int
) -> Summary:
    """Put the scores of objects together.

    Args:
        measured: At least one object.
        part: Pictures and objects.
        names: Of the encoders.
        layer: Whose attention is asked for; from 0 on or, negative, from the end of each encoder.
        num_resamples: Times that pictures are drawn anew.
        seed: Of these draws, >= 0.
    """
    maps = [np.stack([each.layers[:, layer], each.similarity], axis=1) for each in measured.encoders]  # (n, 2, 4) each
    nearness = measured.controls[:, CONTROLS.index(NEARNESS), None]  # (n, 1, 4)
    pairs = [(names[i], names[0], maps[i] - maps[0]) for i in range(1, len(names))]
    pairs += [(name, NEARNESS, each - nearness) for name, each in zip(names, maps, strict=True)]
    of_layers = [values for each in measured.encoders for values in (each.layers, each.elsewhere, each.on_itself)]
    found = iter(
        _estimate(
            [measured.controls, *maps, *(differences for *_, differences in pairs), *of_layers],
            measured.rows,
            generator=np.random.default_rng(seed),
            num_resamples=num_resamples,
        )
    )
    controls = {name: _scores(scores) for name, scores in zip(CONTROLS, next(found), strict=True)}
    of_maps = [next(found) for _ in names]
    differences = [
        Difference(name, kind, to, _scores(scores))
        for name, to, _ in pairs
        for kind, scores in zip(KINDS, next(found), strict=True)
    ]
    encoders = [
        EncoderSummary(
            name=name,
            layer=layer % each.layers.shape[1],
            maps={kind: _scores(scores) for kind, scores in zip(KINDS, estimates, strict=True)},
            undefined={kind: _undefined(values[:, number]) for number, kind in enumerate(KINDS)},
            layers=tuple(map(_scores, next(found))),
            head_auc=_mean_of_defined(each.head_auc),
            elsewhere=tuple(map(_as_estimate, next(found))),
            on_itself=tuple(map(_as_estimate, next(found))),
        )
        for name, each, values, estimates in zip(names, measured.encoders, maps, of_maps, strict=True)
    ]
    return Summary(
        num_objects=len(measured.numbers),
        num_pictures=len(np.unique(measured.rows)),
        left_out=all_left_out(part, measured.left_out),
        controls=controls,
        encoders=tuple(encoders),
        differences=tuple(differences),
    )


def all_left_out(part: Part, left_out: Mapping[str, int]) -> dict[str, int]:
    """Objects of a part that are not looked at, by the reason: those that do not count, and those that cannot be."""
    objects = part.objects
    crowds = Counter({CROWD: int(np.count_nonzero(objects.is_usable & objects.is_crowd))})
    return dict(sorted((Counter(objects.faults) + crowds + Counter(left_out)).items()))


def _estimate(
    blocks: Sequence[np.ndarray], rows: np.ndarray, *, generator: np.random.Generator, num_resamples: int
) -> list[np.ndarray]:
    """Means and intervals, from one set of resamples; of blocks (n, ...) each (..., 3): value, low and high."""
    columns = np.concatenate([block.reshape(len(block), -1) for block in blocks], axis=1)
    found = np.stack(bootstrap(columns, rows, generator=generator, num_resamples=num_resamples), axis=-1)  # (k, 3)
    sizes = [block[0].size for block in blocks]
    return [
        part.reshape(*block.shape[1:], 3)
        for part, block in zip(np.split(found, np.cumsum(sizes)[:-1]), blocks, strict=True)
    ]


def _scores(estimates: np.ndarray) -> dict[str, Estimate]:
    """From (4, 3)."""
    return dict(zip(SCORE_NAMES, map(_as_estimate, estimates), strict=True))


def _as_estimate(values: np.ndarray) -> Estimate:
    return Estimate(*values.tolist())


def _undefined(values: np.ndarray) -> dict[str, int]:
    """How many of n objects have no score, of those scores of which any has none; values (n, 4)."""
    counts = np.count_nonzero(np.isnan(values), axis=0).tolist()
    return {name: count for name, count in zip(SCORE_NAMES, counts, strict=True) if count}


def _mean_of_defined(values: np.ndarray) -> np.ndarray:
    """Mean over the first axis of what is a number; NaN where nothing is."""
    defined = ~np.isnan(values)
    counts = defined.sum(axis=0)
    return np.where(counts > 0, np.where(defined, values, 0).sum(axis=0) / np.maximum(counts, 1), np.nan)
