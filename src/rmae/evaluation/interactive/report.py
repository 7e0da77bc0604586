"""The page about one evaluation."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from rmae.config.interactive import InteractiveConfig
from rmae.config_json import config_to_json
from rmae.evaluation.folder import Estimate
from rmae.evaluation.interactive.data import Choice, InteractiveData
from rmae.evaluation.interactive.examples import draw_examples
from rmae.evaluation.interactive.method_names import method_titles
from rmae.evaluation.interactive.methods import Methods
from rmae.evaluation.interactive.picture_results import PictureResult
from rmae.evaluation.interactive.plots import calibration, iou_by_click, iou_by_share
from rmae.evaluation.interactive.scores import GOOD_IOUS, MethodSummary, Summary, estimates
from rmae.files import read_json, write_atomically
from rmae.training.run_folder import RunFolder
from rmae.visual.evaluation_report import EvaluationReport, Plot, Table, render_evaluation_report
from rmae.visual.figure_words import DASH, MINUS, NO_BREAK, decimal, interval, percent

_INTERVALS = "In brackets: 95 % confidence interval over the pictures."


def write_report(
    config: InteractiveConfig,
    data: InteractiveData,
    choice: Choice,
    methods: Methods,
    results: Sequence[PictureResult],
    summary: Summary,
    folder: RunFolder,
) -> None:
    """Write the report of an evaluation.

    Args:
        config: The task.
        data: Pictures and objects.
        choice: Which objects were clicked on.
        methods: For the examples.
        results: Of all pictures.
        summary: Of these.
        folder: The evaluation's.
    """
    titles = method_titles(methods.by_name)
    report = EvaluationReport(
        title=f"Interactive segmentation \N{MIDDLE DOT} {_model_name(folder)}",
        lead="A person was simulated who outlines objects by clicking, each time in the middle of what was most wrong: "
        "how close the model came, beside methods that saw the same objects.",
        summary=_summary(config, data, choice, methods, summary),
        scores=_tiles(summary),
        tables=_tables(summary, titles),
        plots=_plots(summary, titles),
        examples=draw_examples(config, data, methods.by_name, titles, results),
        example_hint="Not picked by hand: objects were ordered by this model's mean IoU after 1, 3 and 5 clicks, and "
        "taken at even distances from the best to the worst. The object is yellow, what was found is blue; a plus is a "
        "click on the object, a minus one beside it. Where a row is missing, nothing was left to click on.",
        config_json=json.dumps(config_to_json(config), indent=2),
    )
    write_atomically(folder.report, render_evaluation_report(report))


def _model_name(folder: RunFolder) -> str:
    """What the user called the model, as the evaluation's folder has it."""
    if not folder.config.exists():
        return "a model"
    return Path(read_json(folder.config)["encoder"]).name


def _summary(
    config: InteractiveConfig, data: InteractiveData, choice: Choice, methods: Methods, summary: Summary
) -> dict[str, str]:
    height, width = next(iter(methods.models().values())).segmenter.image_hw
    facts = {
        "Data": str(data.root),
        "Objects": f"{summary.num_objects:,} of {choice.num_eligible:,}, on {summary.num_pictures:,} pictures",
        "Clicks": f"at most {config.max_clicks}",
        "The model sees": f"{height} \N{MULTIPLICATION SIGN} {width} pixels",
    }
    if choice.num_small:
        covers = f"{100 * config.min_object_share:g}{NO_BREAK}%"
        facts["Too small"] = f"{choice.num_small:,} objects, which cover less than {covers} of their picture"
    if faults := data.part.describe_faults():
        facts["Left out"] = faults
    if methods.missing:
        facts["Not run"] = "; ".join(methods.missing)
    return facts


def _tiles(summary: Summary) -> tuple[tuple[str, str, str], ...]:
    scores = summary.methods[0].scores
    tiles = [
        ("IoU, 1 click", percent(scores["iou_1"].value), _interval(scores["iou_1"])),
        (
            "Clicks to 90 % IoU",
            decimal(scores["clicks_90"].value),
            f"mean; {_interval(scores['clicks_90'], count=True)}",
        ),
        ("Never at 90 %", percent(scores["failures_90"].value), f"of objects; {_interval(scores['failures_90'])}"),
    ]
    if "iou_5" in scores:
        tiles.insert(1, ("IoU, 5 clicks", percent(scores["iou_5"].value), _interval(scores["iou_5"])))
    return tuple(tiles)


def _tables(summary: Summary, titles: Mapping[str, str]) -> tuple[Table, ...]:
    tables = [_by_click(summary, titles), _by_goal(summary, titles)]
    if len(summary.methods) > 1:
        tables.append(_differences(summary, titles))
    if summary.shares:
        tables.append(_by_share(summary, titles))
    return (*tables, _times(summary, titles))


def _by_click(summary: Summary, titles: Mapping[str, str]) -> Table:
    names = [name for name in summary.methods[0].scores if name.startswith("iou_")]
    rows = tuple(
        (titles[method.name], *(_with_interval(method.scores[name]) for name in names)) for method in summary.methods
    )
    columns = tuple(_clicks(name) for name in names)
    return Table("Mean IoU after clicks", f"Overlap with the object. {_INTERVALS}", ("", *columns), rows)


def _by_goal(summary: Summary, titles: Mapping[str, str]) -> Table:
    goals = [f"{100 * good:.0f}" for good in GOOD_IOUS]
    rows = tuple(
        (
            titles[method.name],
            *(_with_interval(method.scores[f"clicks_{goal}"], count=True) for goal in goals),
            *(percent(method.scores[f"failures_{goal}"].value) for goal in goals),
        )
        for method in summary.methods
    )
    columns = (*(f"Clicks to {goal}{NO_BREAK}%" for goal in goals), *(f"Never {goal}{NO_BREAK}%" for goal in goals))
    num_clicks = _clicks(str(len(summary.methods[0].by_click.mean)))
    hint = (
        f"Mean number of clicks until an IoU is reached; an object that never reaches it counts as {num_clicks}. "
        f"{_INTERVALS}"
    )
    return Table("Clicks until it is good enough", hint, ("", *columns), rows)


def _differences(summary: Summary, titles: Mapping[str, str]) -> Table:
    names = [name for name in summary.methods[0].scores if name.startswith("iou_") or name == "clicks_90"]
    others = [method for method in summary.methods if method.differences]
    rows = tuple(
        (titles[method.name], *(_difference(method.differences[name], name) for name in names)) for method in others
    )
    hint = (
        "That method minus this model, on the same objects: IoU in percentage points, and clicks. What does not have 0 "
        f"in its interval is a difference. {_INTERVALS}"
    )
    return Table("Differences to this model", hint, ("", *map(_score_title, names)), rows)


def _by_share(summary: Summary, titles: Mapping[str, str]) -> Table:
    columns = tuple(f"{100 * share:g}{NO_BREAK}% visible" for share in summary.visible_shares)
    rows = [(titles[each.name], *map(_with_interval, estimates(each.hidden))) for each in summary.completing()]
    rows += [
        (f"{titles[each.name]}, whole map", *(percent(mean) for mean in each.whole.mean)) for each in summary.shares
    ]
    hint = (
        "The object's true map is known on some patches, the first of which has a part of it, and completed on the "
        "others; IoU on these others. The control gives each pixel what the nearest visible one has, on the same "
        f"patches. {_INTERVALS} Below: IoU of the whole map, known patches included, and what they alone would have."
    )
    return Table("IoU by visible patches", hint, ("", *columns), tuple(rows))


def _times(summary: Summary, titles: Mapping[str, str]) -> Table:
    rows = tuple((titles[method.name], *_time_cells(method)) for method in summary.methods)
    columns = ("", "A picture", "A click", "Expected IoU", "True IoU", "Off by", "Correlation")
    hint = (
        "Time on this machine, medians over the pictures. And the IoU that methods expect, beside the true one, over "
        "the answers after 1, 3 and 5 clicks: means, the mean distance of the two among answers of like confidence, "
        "and the correlation over single answers."
    )
    return Table("Time and confidence", hint, columns, rows)


def _time_cells(method: MethodSummary) -> tuple[str, ...]:
    times = _milliseconds(method.seconds_per_picture), _milliseconds(method.seconds_per_click)
    found = method.calibration
    if found is None:
        return (*times, DASH, DASH, DASH, DASH)
    correlation = decimal(found.correlation).replace("-", MINUS)
    return (*times, percent(found.confidence), percent(found.iou), percent(found.error), correlation)


def _plots(summary: Summary, titles: Mapping[str, str]) -> tuple[Plot, ...]:
    plots = [
        Plot("IoU by click", "Mean over the objects, with 95 % confidence.", iou_by_click(summary.methods, titles)),
    ]
    if summary.shares:
        hint = "On hidden patches, mean over the objects, with 95 % confidence."
        plots.append(Plot("IoU by visible patches", hint, iou_by_share(summary, titles)))
    if any(method.calibration for method in summary.methods):
        hint = (
            "Answers after 1, 3 and 5 clicks, grouped by what the method expected. Larger points stand for more "
            "answers; on the dashed line methods know how good they are, below it they think too well of themselves."
        )
        plots.append(Plot("Expected and true IoU", hint, calibration(summary.methods, titles)))
    return tuple(plots)


def _clicks(score: str) -> str:
    number = score.removeprefix("iou_")
    return "1 click" if number == "1" else f"{number} clicks"


def _score_title(score: str) -> str:
    if score.startswith("iou_"):
        return f"IoU, {_clicks(score)}"
    return f"Clicks to {score.removeprefix('clicks_')}{NO_BREAK}%"


def _with_interval(estimate: Estimate, *, count: bool = False) -> str:
    shown = decimal(estimate.value) if count else percent(estimate.value)
    return shown if math.isnan(estimate.low) else f"{shown} ({_interval(estimate, count=count)})"


def _interval(estimate: Estimate, *, count: bool = False) -> str:
    scale, digits = (1, 2) if count else (100, 1)
    return interval(estimate.low, estimate.high, scale=scale, digits=digits)


def _difference(estimate: Estimate, score: str) -> str:
    scale, digits = (1, 2) if score.startswith("clicks") else (100, 1)
    value, low, high = (
        DASH if math.isnan(each) else f"{scale * each:+.{digits}f}".replace("-", MINUS) for each in estimate
    )
    return value if math.isnan(estimate.low) else f"{value} ({low}{NO_BREAK}to{NO_BREAK}{high})"


def _milliseconds(seconds: float) -> str:
    return DASH if math.isnan(seconds) else f"{1000 * seconds:,.1f}{NO_BREAK}ms"
