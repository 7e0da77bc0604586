"""The page about one run."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

from rmae.config.localisation import LocaliseConfig
from rmae.config_json import config_to_json
from rmae.evaluation.folder import Estimate
from rmae.evaluation.localisation.data import LocalisationData
from rmae.evaluation.localisation.examples import draw_examples
from rmae.evaluation.localisation.maps import MapMaker
from rmae.evaluation.localisation.measurement import Measured
from rmae.evaluation.localisation.reading import QuerySettings
from rmae.evaluation.localisation.summary import KINDS, NEARNESS, EncoderSummary, Scores, Summary
from rmae.files import write_atomically
from rmae.training.run_folder import RunFolder
from rmae.visual.evaluation_report import EvaluationReport, Plot, Table, render_evaluation_report
from rmae.visual.figure_words import DASH, MINUS, NO_BREAK, interval, percent
from rmae.visual.layer_curves import LayerCurve, Level, head_dots, layer_curves
from rmae.visual.outlines import OUTLINE_COLOUR
from rmae.visual.pictures import css_colour

_TITLES = {"auc": "AUC", "mass": "Mass", "pointing": "Pointing", "iou": "Best IoU"}
_IN_TILES = ("auc", "mass", "pointing")
_CONTROLS = {
    "chance": "Chance: random values",
    "nearness": "Nearness: the closer, the higher",
    "ceiling": "Ceiling: the best map of such patches",
}


def write_report(
    config: LocaliseConfig,
    data: LocalisationData,
    measured: Measured,
    summary: Summary,
    makers: Sequence[MapMaker],
    settings: QuerySettings,
    folder: RunFolder,
) -> None:
    """Write the report of a run.

    Args:
        config: The task.
        data: Pictures and objects.
        measured: Scores of every object.
        summary: What came of them.
        makers: The encoders, for the examples.
        settings: How pictures were read.
        folder: The run's.
    """
    labels = short_names([encoder.name for encoder in summary.encoders])
    report = EvaluationReport(
        title=f"Localisation \N{MIDDLE DOT} {summary.encoders[0].name}",
        lead="From one patch inside each annotated object the encoder was asked where it looks and what looks alike, "
        "and both maps were compared with the object's mask. Nothing was trained.",
        summary=_facts(config, data, summary, makers[0]),
        scores=_tiles(summary),
        tables=tuple(table for table in _tables(summary, labels) if table.rows),
        plots=_plots(summary, labels),
        legend=(
            (css_colour(OUTLINE_COLOUR), "outline of the object"),
            ("white", "frame: the query patch, which does not count"),
        ),
        examples=draw_examples(
            data, measured, makers, labels, settings, layer=config.layer, number=config.num_examples
        ),
        example_heading="Maps",
        example_hint="Objects spread evenly over all that were measured. Dark is 0, or the lowest similarity "
        "where that is below 0, and bright yellow the highest value outside of the query patch.",
        config_json=json.dumps(config_to_json(config), indent=2),
    )
    write_atomically(folder.report, render_evaluation_report(report))


def short_names(names: Sequence[str]) -> list[str]:
    """What to call encoders in little room: the last part of their paths, where these differ."""
    short = [Path(name).name or name for name in names]
    return short if len(set(short)) == len(set(names)) else list(names)


def _facts(config: LocaliseConfig, data: LocalisationData, summary: Summary, maker: MapMaker) -> dict[str, str]:
    (height, width), (rows, columns) = config.encoder.image_hw, maker.grid
    times = "\N{MULTIPLICATION SIGN}"
    return {
        "Encoder": summary.encoders[0].name,
        "Data": str(data.root),
        "Objects": f"{summary.num_objects:,} on {summary.num_pictures:,} pictures",
        "Left out": f"{sum(summary.left_out.values()):,} objects",
        "Pictures": f"{height} {times} {width} pixels, {rows} {times} {columns} patches",
        "Layer": f"{summary.encoders[0].layer} of 0 to {maker.depth - 1}",
        "Intervals": "95 %, over the pictures",
    }


def _tiles(summary: Summary) -> list[tuple[str, str, str]]:
    first, chance = summary.encoders[0], summary.controls["chance"]
    tiles = []
    for kind in KINDS:
        for name in _IN_TILES:
            found = first.maps[kind][name]
            words = f"{interval(found.low, found.high)}; chance {percent(chance[name].value)}"
            tiles.append((f"{_TITLES[name]}, {kind}", percent(found.value), words))
    return tiles


def _tables(summary: Summary, labels: Sequence[str]) -> tuple[Table, ...]:
    return (
        _score_table(summary, labels),
        *_difference_tables(summary, labels),
        _attention_table(summary, labels),
        Table(
            "Objects left out",
            "Objects that were not measured, and why. The query patch is the patch of which the object covers most.",
            ("Objects", "Number"),
            tuple((reason, f"{count:,}") for reason, count in summary.left_out.items()),
        ),
    )


def _score_table(summary: Summary, labels: Sequence[str]) -> Table:
    rows = [
        (f"{label}: {kind}", *_cells(encoder.maps[kind]))
        for label, encoder in zip(labels, summary.encoders, strict=True)
        for kind in KINDS
    ]
    rows += [(_CONTROLS[name], *_cells(scores)) for name, scores in summary.controls.items()]
    hint = (
        "AUC: how likely a pixel inside the object has a higher value than one outside. Mass: share of the map's sum "
        "that lies inside. Pointing: how often the highest value lies inside. Best IoU: overlap with what is above a "
        "threshold, the best one for each map. Means over objects with 95 % intervals; the pixels of the query patch "
        "count nowhere, for it lies inside by construction. No map of such patches can be above the ceiling. Nearness "
        "has no mass of its own: the steepest map of that kind has as mass what nearness has in pointing."
    )
    return Table("Scores", hint + _undefined(summary, labels), ("Map", *_TITLES.values()), tuple(rows))


def _undefined(summary: Summary, labels: Sequence[str]) -> str:
    """A sentence on scores that objects lack."""
    found = [
        f"{count:,} have no {_TITLES[name]} of {label}'s {kind}"
        for label, encoder in zip(labels, summary.encoders, strict=True)
        for kind, counts in encoder.undefined.items()
        for name, count in counts.items()
    ]
    return f" Left out of single means: {'; '.join(found)}." if found else ""


def _difference_tables(summary: Summary, labels: Sequence[str]) -> list[Table]:
    """One for what encoders are more than the first one, and one for what they are more than nearness."""
    short = dict(zip((encoder.name for encoder in summary.encoders), labels, strict=True))
    hint = "In percentage points, on the same objects, so that what makes an object hard for both falls away. "
    hints = {
        summary.encoders[0].name: hint + "An interval without 0 tells the two apart.",
        NEARNESS: hint + "What is above 0 is more than looking at what is close by.",
    }
    return [
        Table(
            f"Difference to {short.get(to, to)}",
            said,
            ("Map", *_TITLES.values()),
            tuple(
                (f"{short[each.encoder]}: {each.kind}", *map(_points, each.scores.values()))
                for each in summary.differences
                if each.to == to
            ),
        )
        for to, said in hints.items()
    ]


def _attention_table(summary: Summary, labels: Sequence[str]) -> Table:
    rows = []
    for label, encoder in zip(labels, summary.encoders, strict=True):
        elsewhere, on_itself = (each[encoder.layer].value for each in (encoder.elsewhere, encoder.on_itself))
        shares = (elsewhere, on_itself, 1 - elsewhere - on_itself)
        rows.append((f"{label}, layer {encoder.layer}", *map(percent, shares)))
    hint = (
        "How the query patch shares out its attention. Only what other patches get is scored, whatever that share is."
    )
    columns = ("Encoder", "Class token and registers", "The query patch itself", "Other patches")
    return Table("Where attention goes", hint, columns, tuple(rows))


def _plots(summary: Summary, labels: Sequence[str]) -> tuple[Plot, ...]:
    curves = [_curve(encoder, label) for encoder, label in zip(summary.encoders, labels, strict=True)]
    levels = [Level(name, scores["auc"].value) for name, scores in summary.controls.items()]
    return (
        Plot(
            "AUC of attention by layer",
            "Attention of all heads of a layer, averaged; the bands are 95 % intervals.",
            layer_curves(curves, levels, score="AUC"),
        ),
        Plot(
            "AUC of single heads",
            "A dot for each head; the line is that of their average, which may be better than each of them. Broken "
            "lines as above.",
            head_dots(curves, levels, score="AUC"),
        ),
    )


def _curve(encoder: EncoderSummary, label: str) -> LayerCurve:
    estimates = [scores["auc"] for scores in encoder.layers]
    values, low, high = (tuple(each) for each in zip(*estimates, strict=True))
    return LayerCurve(label, values, low, high, encoder.head_auc)


def _cells(scores: Scores) -> tuple[str, ...]:
    return tuple(
        DASH if math.isnan(each.value) else _unbroken(f"{percent(each.value)} ({interval(each.low, each.high)})")
        for each in scores.values()
    )


def _points(difference: Estimate) -> str:
    """A difference in percentage points with its interval."""
    if math.isnan(difference.value):
        return DASH
    value, low, high = map(_signed, difference)
    return value if math.isnan(difference.low) else _unbroken(f"{value} ({low} to {high})")


def _signed(difference: float) -> str:
    points = f"{100 * difference:+.1f}".replace("-", MINUS)
    return "0.0" if points[1:] == "0.0" else points


def _unbroken(text: str) -> str:
    """The same in one line of a table."""
    return text.replace(" ", NO_BREAK)
