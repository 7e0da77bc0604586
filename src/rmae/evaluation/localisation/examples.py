"""Objects for the report: the maps of every encoder as pictures."""

import math
from collections.abc import Sequence

import numpy as np

from rmae.evaluation.localisation.data import LocalisationData
from rmae.evaluation.localisation.maps import MapMaker
from rmae.evaluation.localisation.measurement import Measured, attention_of_layers
from rmae.evaluation.localisation.reading import QuerySettings, counted_masks, read_queries
from rmae.evaluation.localisation.scores import SCORE_NAMES
from rmae.evaluation.localisation.summary import KINDS
from rmae.evaluation.objects.pictures import read_evaluated_picture
from rmae.visual.evaluation_report import Example
from rmae.visual.figure_words import rough_percent
from rmae.visual.localisation_pictures import PatchMap, localisation_figures

_AUC, _MASS = SCORE_NAMES.index("auc"), SCORE_NAMES.index("mass")


def draw_examples(
    data: LocalisationData,
    measured: Measured,
    makers: Sequence[MapMaker],
    labels: Sequence[str],
    settings: QuerySettings,
    *,
    layer: int,
    number: int,
) -> tuple[Example, ...]:
    """Draw objects spread evenly over those that were measured: none is picked for looking good.

    Args:
        data: Pictures and objects.
        measured: Their scores.
        makers: The encoders.
        labels: What to call them.
        settings: How pictures were read.
        layer: Whose attention is shown.
        number: How many objects at most.
    """
    count = min(number, len(measured.numbers))
    places = np.linspace(0, len(measured.numbers) - 1, count).round().astype(int)
    return tuple(_draw(data, measured, makers, labels, settings, layer, place) for place in places.tolist())


def _draw(
    data: LocalisationData,
    measured: Measured,
    makers: Sequence[MapMaker],
    labels: Sequence[str],
    settings: QuerySettings,
    layer: int,
    place: int,
) -> Example:
    part, object_number, row = data.part, int(measured.numbers[place]), int(measured.rows[place])
    batch = read_queries(part, settings, [row])
    query = int(np.searchsorted(batch.numbers, object_number))
    patch = batch.patches[query : query + 1]
    maps = []
    for maker, label, scores in zip(makers, labels, measured.encoders, strict=True):
        (made,) = maker.maps(batch.pixels, np.zeros(1, dtype=np.int64), patch)
        drawn = (attention_of_layers(made.attention)[0, layer], made.similarity[0])
        of_kinds = (scores.layers[place, layer], scores.similarity[place])
        for kind, values, of_kind in zip(KINDS, drawn, of_kinds, strict=True):
            values = values.float().cpu().numpy().reshape(maker.grid)
            maps.append(PatchMap(values, f"{label}: {kind}", _caption(of_kind)))
    image = read_evaluated_picture(part, row, max_pixels=settings.max_pixels)
    whole = np.zeros(image.shape[:2], dtype=bool)
    mask = dict(counted_masks(part, row))[object_number]
    whole[mask.box] = mask.pixels
    category = data.categories[part.objects.labels[object_number] - 1].name
    at = divmod(int(patch[0]), makers[0].grid[1])
    figures = localisation_figures(image, whole, maps, query=at)
    return Example(f"{category} in {part.images.names[row]}", figures)


def _caption(scores: np.ndarray) -> str:
    auc, mass = scores[[_AUC, _MASS]].tolist()
    return f"AUC {auc:.2f}, {'no mass at all' if math.isnan(mass) else f'{rough_percent(mass)} of the mass inside'}"
